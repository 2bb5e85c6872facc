"""The hub's end of a vantage6 server: the stock ``UserClient`` with its transport replaced.

The stock client is not fit for a service (each point reproduced in tests/vantage6/test_hazards.py):
one cryptor per process whoever asks, one page of a list for the whole, a root logger of its own, a
banner, no time limits, repeats for ever and of POST too, errors as data, waiting without end.
Everything a stock sub-client does goes through ``request``, which is ours, so those points are
gone for whoever uses them; the engine itself only uses ``get``, ``list``, ``post`` and ``delete``.

Import it only where vantage6 is wanted: it needs the extra ``vantage6``.
"""

import base64
import json as json_text
import logging
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from vantage6.client import UserClient

from federation.carriage.address import AddressError, read_address
from federation.carriage.transport import Limits, Transport, TransportError
from federation.carriage.wire import MAX_ENCODED
from federation.engines.vantage6_keys import Connection, Vantage6Error, own_cryptor

__all__ = ["Connection", "Vantage6Client", "Vantage6Error"]

#: Seconds to reach the server, for it to send the next byte, and for one answer in all.
CONNECT_SECONDS, READ_SECONDS, WHOLE_SECONDS = 5.0, 30.0, 300.0
#: How often a request is made that may be repeated, and seconds before the second time; doubled.
ATTEMPTS, FIRST_PAUSE = 3, 0.2
#: Rows of one page, and how many pages of one list are read at most.
PAGE, MOST_PAGES = 100, 1000
#: Bytes of one answer: a page of results of the largest size would not be read.
MAX_ANSWER = 2 * MAX_ENCODED
#: A token is renewed when it has less than this left (they last 6 hours).
RENEW_SECONDS = 600.0
#: After a refused password, seconds without another attempt: the server blocks who insists.
LOGIN_PAUSE = 60.0
UNREACHABLE = "VANTAGE6_UNREACHABLE"
_WORTH_REPEATING = (429, 500, 502, 503, 504)


class Vantage6Client(UserClient):  # type: ignore[misc]  # vantage6 carries no types
    """One user at one server; safe to use from several threads. Nothing is sent before it is used.

    Every failure is a ``Vantage6Error``. Logs nothing.
    """

    def __init__(self, connection: Connection) -> None:
        try:
            place = read_address(connection.url)
        except AddressError:
            raise Vantage6Error(
                "VANTAGE6_URL", "The address of the vantage6 server must begin with https://."
            ) from None
        super().__init__(place.base, place.port, place.path or "/api")
        self.connection, self.origin = connection, place.origin
        self.cryptor = own_cryptor(connection.key)
        limits = Limits(CONNECT_SECONDS, READ_SECONDS, WHOLE_SECONDS, MAX_ANSWER)
        self._transport = Transport(limits, connection.ca_file)
        self._login = threading.RLock()
        self._renew_at = self._refused_until = self._since = 0.0
        self._date: datetime | None = None
        self.user_id = 0

    @staticmethod
    def _get_logger(level: str) -> logging.Logger:
        """The stock one empties the root logger's handlers and prints a banner there."""
        silent = logging.Logger("vantage6-client")
        silent.disabled = True
        return silent

    # What we use

    def get(self, path: str, **parameters: Any) -> Any:
        """One object."""
        return self.request(path, params=parameters)

    def list(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        """All rows of all pages, each row once though rows may come and go while we read."""
        found: dict[int, dict[str, Any]] = {}
        for page in range(1, MOST_PAGES + 1):
            answer = self.get(path, **parameters, page=page, per_page=PAGE)
            match answer:
                case {"data": [*rows]} if all(_has_id(row) for row in rows):
                    found |= {row["id"]: row for row in rows}
                case _:
                    raise _not_vantage6()
            links = answer.get("links")
            if not rows or not isinstance(links, Mapping) or not links.get("next"):
                return list(found.values())
        raise _not_vantage6()

    def post(self, path: str, json: Any) -> Any:
        """Made once; a lost answer is a ``Vantage6Error`` that is ``unsure``."""
        return self.request(path, json=json, method="post")

    def patch(self, path: str, json: Any) -> Any:
        """Made once, as ``post``."""
        return self.request(path, json=json, method="patch")

    def delete(self, path: str, **parameters: Any) -> Any:
        """Made once, as ``post``."""
        return self.request(path, method="delete", params=parameters)

    def server_time(self) -> datetime:
        """The server's clock, from the header of a fresh answer."""
        self.get("version")
        if self._date is None:
            raise Vantage6Error("VANTAGE6_CLOCK", "The server does not say what time it has.")
        return self._date

    def bearer(self) -> dict[str, str]:
        """The header that says who we are, with a token that is good for a while."""
        self._sign_in()
        return dict(self.headers)

    def close(self) -> None:
        self._transport.close()

    # What the stock client's parts use

    def authenticate(self, *_: Any, **__: Any) -> None:
        """Sign in now, as the user of the connection; otherwise it happens on the first request."""
        self._sign_in(again=True)

    def refresh_token(self) -> None:
        self._sign_in(again=True)

    def setup_encryption(self, private_key_file: Path | str | None) -> None:
        """The stock one uploads a key when the server has another; ours never does."""
        self.cryptor = own_cryptor(Path(private_key_file) if private_key_file else None)

    def wait_for_results(self, *_: Any, **__: Any) -> Any:
        """The stock one waits without end and writes on the terminal."""
        raise NotImplementedError("federation.engines.vantage6 waits, with a limit")

    def request(
        self,
        endpoint: str,
        json: Any = None,
        method: str = "get",
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> Any:
        """The answer to one request, signed in where needed; ``Vantage6Error`` for any failure.

        Only GET is repeated, a few times. Any other is made again only when it was certainly not
        carried out: no connection, or a token that the server does not know.
        """
        verb, attempt, renewed = method.upper(), 1, False
        while True:
            made = False
            try:
                self._sign_in()
                made = True
                status, data = self._once(verb, endpoint, json, params, dict(headers or {}))
                if status in (401, 422) and not renewed and self._sign_in(refused=True):
                    renewed = True
                    continue
            except Vantage6Error as error:
                again = verb == "GET" or not (made and error.unsure)
                if attempt >= ATTEMPTS or not again or error.code != UNREACHABLE:
                    error.unsure = error.unsure and made
                    raise
            else:
                if attempt >= ATTEMPTS or verb != "GET" or status not in _WORTH_REPEATING:
                    return _read(status, data, verb)
            time.sleep(FIRST_PAUSE * 2 ** (attempt - 1))
            attempt += 1

    # Transport

    def _sign_in(self, *, again: bool = False, refused: bool = False) -> bool:
        """See to a token that is good; ``refused``: the server did not take the present one.

        A refusal may also mean that we lack a right, so it is no reason to sign in twice a minute.
        """
        used = self._access_token
        with self._login:
            fresh = self._access_token is not None and time.monotonic() < self._renew_at
            if refused and (used != self._access_token or not self._stale()):
                return used != self._access_token
            if fresh and not again and not refused:
                return False
            if self._refused_until > time.monotonic():
                raise _not_let_in(self.connection.username)
            c = self.connection
            status, data = self._once(
                "POST", "token/user", {"username": c.username, "password": c.password}, None, {}
            )
            if status in (400, 401, 403):
                self._refused_until = time.monotonic() + LOGIN_PAUSE
                raise _not_let_in(c.username)
            match _read(status, data, "POST"):
                case {"access_token": str(token)}:
                    self._take(token)
                case {"qr_uri": _} | {"msg": _}:
                    raise Vantage6Error(
                        "VANTAGE6_LOGIN",
                        "The vantage6 server wants a second factor, which a service cannot give. "
                        "Give the hub's user an account without it.",
                    )
                case _:
                    raise _not_vantage6()
            return True

    def _take(self, token: str) -> None:
        try:
            body = token.split(".")[1]
            claims = json_text.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
            lasts, self.user_id = float(claims["exp"]) - float(claims["iat"]), int(claims["sub"])
        except (ValueError, KeyError, TypeError, IndexError):
            raise _not_vantage6() from None
        self._access_token = token
        now = time.monotonic()
        self._since = now
        self._renew_at = now + max(lasts - RENEW_SECONDS, lasts / 2)

    def _stale(self) -> bool:
        return self._access_token is None or time.monotonic() - self._since > 30

    def _once(
        self,
        verb: str,
        endpoint: str,
        body: Any,
        params: Mapping[str, Any] | None,
        headers: dict[str, str],
    ) -> tuple[int, bytes]:
        url = self.generate_path_to(endpoint, is_for_algorithm_store=False)
        if endpoint != "token/user":
            headers |= self.headers
        try:
            answer = self._transport.ask(verb, url, body, params, headers)
        except TransportError as error:
            if error.trouble == "untrusted":
                raise _untrusted(error.why) from None
            if error.trouble == "endless":
                raise _not_vantage6() from None
            raise _unreachable(unsure=error.sent) from None
        self._date = answer.at
        return answer.status, answer.data


def _read(status: int, data: bytes, verb: str) -> Any:
    try:
        found = json_text.loads(data)
    except (ValueError, RecursionError):
        found = None
    if status < 300:
        if found is None:
            raise _not_vantage6()
        return found
    if status >= 500 or status == 429:
        raise Vantage6Error(
            "VANTAGE6_SERVER",
            f"The vantage6 server answered {status}. Look in its own log.",
            unsure=verb != "GET" and status != 429,
            status=status,
        )
    if status < 400:
        raise _not_vantage6()
    said = found.get("msg") if isinstance(found, dict) else None
    raise Vantage6Error(
        "VANTAGE6_REFUSED",
        f"The vantage6 server answered {status}: {str(said or 'without a reason')[:300]}",
        status=status,
    )


def _has_id(row: object) -> bool:
    return isinstance(row, dict) and isinstance(row.get("id"), int)


def _not_let_in(username: str) -> Vantage6Error:
    return Vantage6Error(
        "VANTAGE6_LOGIN",
        f"The vantage6 server does not let {username} in. Check name and password; after several "
        "wrong ones it blocks the account for a while.",
        status=401,
    )


def _unreachable(*, unsure: bool) -> Vantage6Error:
    return Vantage6Error(
        UNREACHABLE,
        "The vantage6 server could not be reached, or did not answer in time. Check its address "
        "and whether it runs; work goes on by itself when it is back.",
        unsure=unsure,
    )


def _untrusted(why: str) -> Vantage6Error:
    return Vantage6Error(
        "VANTAGE6_CERTIFICATE",
        f"The vantage6 server's certificate is not trusted ({why}), so nothing was sent. When its "
        "authority is your own, name that one's file in ONCOKRING_VANTAGE6_CA_FILE; when it was "
        "trusted before, ask the server's administrator whether it has expired or was replaced.",
    )


def _not_vantage6() -> Vantage6Error:
    return Vantage6Error(
        "VANTAGE6_UNKNOWN_ANSWER",
        "What answers at this address does not speak as a vantage6 server of version 4 does. "
        "Check the address, and any proxy in between.",
        unsure=True,
    )
