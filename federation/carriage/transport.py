"""One request to a vantage6 server and its answer, with a limit on everything.

No cookies, no redirects, and no password from a .netrc of the machine, which would take the place
of our token. Proxies come from the environment (HTTPS_PROXY, NO_PROXY). The server's certificate is
always verified: against the authorities of the file that is named, or else of REQUESTS_CA_BUNDLE,
or else against the public ones.
"""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, Literal

import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from federation.carriage.deadline import TimedAdapter, TookTooLong, within

_CHUNK = 1 << 16
#: The answer did not come, came from somebody else, or never ended.
Trouble = Literal["unreachable", "untrusted", "endless"]


@dataclass(frozen=True)
class Limits:
    """Of one request: seconds to connect, without a byte, and in all; bytes of the answer."""

    connect: float
    stall: float
    whole: float
    size: int


@dataclass(frozen=True)
class Answer:
    """What came back, whatever its status. ``at`` is the server's clock, None when it said none."""

    status: int
    data: bytes
    at: datetime | None


class TransportError(Exception):
    """No answer that can be used. ``sent``: the request may have reached the server.

    ``why`` is OpenSSL's word about a certificate, else "".
    """

    def __init__(self, trouble: Trouble, *, sent: bool, why: str = "") -> None:
        super().__init__(trouble)
        self.trouble: Trouble = trouble
        self.sent = sent
        self.why = why


class Session(requests.Session):
    """A session for one server. What it is given is read within the limits before it comes back."""

    def __init__(self, limits: Limits, ca_file: Path | None = None) -> None:
        super().__init__()
        self.limits = limits
        named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        #: Written out, for the open line's other half (websocket-client) asks the session for it.
        self.verify: str = str(ca_file) if ca_file else named or DEFAULT_CA_BUNDLE_PATH
        self.auth = _as_it_is
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self.mount(scheme, TimedAdapter(pool_connections=2, pool_maxsize=32))

    def merge_environment_settings(self, *given: Any, **named: Any) -> Any:
        """The environment's proxies, and our own authorities: requests would put the machine's
        in their place."""
        return {**super().merge_environment_settings(*given, **named), "verify": self.verify}

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere: even to decline a redirect, requests would first read all of its body."""

    def send(self, request: requests.PreparedRequest, **named: Any) -> requests.Response:
        """One request, read to its end. A RequestException for more than the limits allow."""
        given = named.get("timeout")  # the open line says how long its own requests may wait
        stall = given if isinstance(given, int | float) else self.limits.stall
        named |= {"stream": True, "timeout": (self.limits.connect, stall)}
        with within(self.limits.whole, stall):
            answer = super().send(request, **named)
            try:
                data = bytearray()
                for chunk in answer.iter_content(_CHUNK):
                    data += chunk
                    if len(data) > self.limits.size:
                        raise Endless
            finally:
                answer.close()
        answer._content = bytes(data)
        return answer


class Endless(requests.RequestException):
    """More bytes than an answer may have."""


class Transport:
    """Requests to one server; safe to use from several threads. Logs nothing, repeats nothing."""

    def __init__(self, limits: Limits, ca_file: Path | None = None) -> None:
        self._session = Session(limits, ca_file)

    def ask(
        self,
        verb: str,
        url: str,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer to one request, made once. TransportError when there is none."""
        try:
            answer = self._session.request(
                verb, url, json=body, params=params, headers=dict(headers or {})
            )
        except Endless:
            raise TransportError("endless", sent=True) from None
        except (requests.RequestException, OSError) as error:
            raise _read_error(error) from None
        return Answer(answer.status_code, answer.content, _read_date(answer.headers.get("Date")))

    def close(self) -> None:
        self._session.close()


def _read_error(error: Exception) -> TransportError:
    causes = list(_causes(error))
    for each in causes:
        if isinstance(each, ssl.SSLCertVerificationError):
            return TransportError("untrusted", sent=False, why=each.verify_message)
    if any(isinstance(each, TookTooLong) for each in causes):
        return TransportError("endless", sent=True)
    return TransportError("unreachable", sent=not any(_is_before(each) for each in causes))


def _causes(error: BaseException) -> list[BaseException]:
    """An exception with all that it was made of; requests and urllib3 wrap in more than one way."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting and len(found) < 50:
        each = waiting.pop()
        if isinstance(each, BaseException) and each not in found:
            found.append(each)
            if isinstance(each, TransportError):
                continue  # an earlier request's, which is being dealt with
            waiting += [each.__cause__, each.__context__, getattr(each, "reason", None)]
            waiting += each.args
    return found


def _is_before(error: BaseException) -> bool:
    """No connection was made at all: the name is unknown, or nobody listens there."""
    return isinstance(error, requests.ConnectTimeout) or type(error).__name__ in (
        "NewConnectionError",
        "NameResolutionError",
        "ConnectTimeoutError",
    )


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _read_date(text: str | None) -> datetime | None:
    try:
        return None if text is None else parsedate_to_datetime(text).astimezone(UTC)
    except (ValueError, TypeError):
        return None
