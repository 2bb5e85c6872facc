"""A hospital's way to a vantage6 server: vantage6's own NodeClient, with what it lacks.

The only module of the site that imports vantage6; import it when it is needed. The stock client
waits for ever, repeats for ever, tells failures as data, shares one key between all clients of a
process, and encrypts a result for whatever key the server hands out. Here every request has a time
limit, a size limit and a bounded number of repeats, failures are raised as codes, and results are
encrypted for the pinned key of the hub only.

Nothing about what may be answered relies on any of it: the site program verifies the hub's own
signature inside each message.
"""

import json
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import requests
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from vantage6.common import WhoAmI
from vantage6.common.client.node_client import NodeClient
from vantage6.common.encryption import CryptorBase, DummyCryptor, RSACryptor

from federation.protocol.encoding import unb64
from federation.protocol.errors import ProtocolError
from federation.site.vantage6_settings import NodeSettings, fingerprint

CONNECT_SECONDS, READ_SECONDS, WHOLE_SECONDS = 10.0, 35.0, 300.0
#: How often one request is made before the caller hears of it; the caller waits longer each time.
ATTEMPTS = 3
#: A message of 48 MB, encoded twice and encrypted, and the task around it.
MAX_ANSWER = 160 * 1024 * 1024
_CHUNK = 1 << 16

Status = Literal["active", "completed", "failed", "not allowed"]


class NodeError(Exception):
    """The server did not do what a vantage6 server does. `code` is stable and says what."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Refused(NodeError):
    """This site must not work with the server as it is now; a person has to look."""


class Rejected(NodeError):
    """The server understood a request and turned it down."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP_{status}")
        self.status = status


@dataclass(frozen=True)
class Run:
    """One task for this node, its input still as the server gave it."""

    id: int
    task: int
    image: str
    by: int  # the organisation that made the task
    closed: bool
    blob: bool
    input: str


class SiteClient(NodeClient):  # type: ignore[misc]  # vantage6 carries no types
    """One node at one server. Raises NodeError and nothing else; every method may be repeated."""

    def __init__(self, settings: NodeSettings) -> None:
        parts = urlsplit(settings.url)
        host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
        super().__init__(f"{parts.scheme}://{host}", parts.port, parts.path)
        self._settings = settings
        self._session = requests.Session()
        self._one_at_a_time = threading.RLock()
        self._access_token: str | None = None
        self._refresh = ""
        self._hub_key = ""
        self.cryptor = _cryptor(settings)
        self.server_date: datetime | None = None

    @property
    def encrypted(self) -> bool:
        return self._settings.encrypted

    @property
    def hub(self) -> int:
        """The organisation whose tasks are looked at."""
        return self._settings.hub_organization

    # -- requests ------------------------------------------------------------------------------

    def request(
        self,
        endpoint: str,
        json: Any = None,
        method: str = "get",
        params: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> Any:
        """What the stock client calls; see `ask`."""
        return self.ask(method, endpoint, json, params)

    def ask(
        self, method: str, endpoint: str, body: Any = None, params: Mapping[str, Any] | None = None
    ) -> Any:
        """The server's answer to one request, repeated when that is safe: all of ours are.

        Raises NodeError: UNREACHABLE, NOT_VANTAGE6, KEY_REFUSED, or Rejected with the status.
        """
        with self._one_at_a_time:
            renewed = False
            if self._access_token is None:
                self.renew()
                renewed = True
            status, found = self._repeat(method, endpoint, body, params, self.headers)
            if status in (401, 422) and not renewed:
                self.renew()
                status, found = self._repeat(method, endpoint, body, params, self.headers)
            if status >= 400:
                raise Rejected(status)
            return found

    def renew(self) -> None:
        """Get another token, by the refresh token or else by the node's key (KEY_REFUSED)."""
        with self._one_at_a_time:
            status, found = 0, None
            if self._refresh:
                by = {"Authorization": f"Bearer {self._refresh}"}
                status, found = self._repeat("post", "token/refresh", None, None, by)
            if status != 200:
                key = {"api_key": self._settings.api_key}
                status, found = self._repeat("post", "token/node", key, None, {})
            if status in (400, 401, 403):
                raise NodeError("KEY_REFUSED")
            if status != 200:
                raise NodeError("NOT_VANTAGE6")
            self._refresh = _text(found, "refresh_token")
            self._access_token = _text(found, "access_token")

    def forget_token(self) -> None:
        """The server said that the token is of no use any more."""
        with self._one_at_a_time:
            self._access_token = None

    def bearer(self) -> dict[str, str]:
        """The header that signs in, with a token that was good a moment ago."""
        with self._one_at_a_time:
            if self._access_token is None:
                self.renew()
            return dict(self.headers)

    def _repeat(
        self,
        method: str,
        endpoint: str,
        body: Any,
        params: Mapping[str, Any] | None,
        headers: Mapping[str, str],
    ) -> tuple[int, Any]:
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(0.2 * 2**attempt * (0.5 + random.random()))  # noqa: S311  jitter
            try:
                status, data = self._once(method, endpoint, body, params, headers)
            except (requests.RequestException, OSError):
                continue
            if status < 500 and status != 429:
                return status, _parsed(data) if status < 300 else None
        raise NodeError("UNREACHABLE")

    def _once(
        self,
        method: str,
        endpoint: str,
        body: Any,
        params: Mapping[str, Any] | None,
        headers: Mapping[str, str],
    ) -> tuple[int, bytes]:
        until = time.monotonic() + WHOLE_SECONDS
        with self._session.request(
            method,
            f"{self._settings.url}/{endpoint}",
            json=body,
            params=params,
            headers=headers,
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            allow_redirects=False,
            stream=True,
        ) as response:
            self.server_date = _date(response.headers.get("Date"))
            data = bytearray()
            for chunk in response.iter_content(_CHUNK):
                data += chunk
                if len(data) > MAX_ANSWER or time.monotonic() > until:
                    raise NodeError("NOT_VANTAGE6")
            return response.status_code, bytes(data)

    def close(self) -> None:
        self._session.close()

    # -- what a node does ----------------------------------------------------------------------

    def server_version(self) -> str:
        """What the server says it is; needs no key."""
        status, found = self._repeat("get", "version", None, None, {})
        if status != 200:
            raise NodeError("NOT_VANTAGE6")
        return _text(found, "version")

    def enter(self) -> list[str]:
        """Sign in and compare the server with what was pinned; codes of what is odd but harmless.

        Raises Refused: OTHER_COLLABORATION, OTHER_ORGANIZATION, UNENCRYPTED, ENCRYPTED,
        HUB_KEY_CHANGED.
        """
        settings = self._settings
        self.renew()
        me = self._my_number()
        node = self.ask("get", f"node/{me}")
        if _number(node, "collaboration", "id") != settings.collaboration:
            raise Refused("OTHER_COLLABORATION")
        if _number(node, "organization", "id") != settings.organization:
            raise Refused("OTHER_ORGANIZATION")
        shared = self.ask("get", f"collaboration/{settings.collaboration}")
        if bool(_field(shared, "encrypted")) != settings.encrypted:
            raise Refused("UNENCRYPTED" if settings.encrypted else "ENCRYPTED")
        self.collaboration_id = settings.collaboration
        name = node.get("name")
        self.whoami = WhoAmI("node", me, name, settings.organization, name)
        if not settings.encrypted:
            return []
        hub = self.ask("get", f"organization/{settings.hub_organization}")
        if public_sha256(hub.get("public_key")) != settings.hub_key_sha256:
            raise Refused("HUB_KEY_CHANGED")
        self._hub_key = hub["public_key"]
        own = self.ask("get", f"organization/{settings.organization}")
        same = public_sha256(own.get("public_key")) == settings.public_sha256
        return [] if same else ["OWN_KEY_DIFFERS"]

    def open_run(self, place: int) -> Run | None:
        """The `place`th (from 1) of the oldest runs that wait for this node."""
        # One at a time, for the server decides how large an input is; newest first, for it does
        # not sort otherwise.
        found = self._open_runs(1)
        last = _last_page(found)
        if last < place:
            return None
        if (page := last - place + 1) != 1:
            found = self._open_runs(page)
        rows = _field(found, "data")
        if not isinstance(rows, list) or len(rows) > 1:
            raise NodeError("NOT_VANTAGE6")
        return _run(rows[0]) if rows else None

    def _open_runs(self, page: int) -> Any:
        asked = {"state": "open", "node_id": self.whoami.id_, "include": "task"}
        return self.ask("get", "run", params={**asked, "per_page": 1, "page": page})

    def opened(self, run: Run) -> bytes | None:
        """The input in the clear; None when this site's key does not open it."""
        try:
            # vantage6's cipher has no authentication, so garbage may come out: the caller reads
            # it strictly, and answers the same to all that it cannot read.
            clear = self.cryptor.decrypt(run.input)
        except Exception:
            return None
        return clear if isinstance(clear, bytes) else None

    def finish(
        self, run: Run, status: Status, result: bytes | None, code: str, started: datetime
    ) -> None:
        """Tell the server that a run has ended; `code` is all that its log will hold.

        Rejected when the run was finished, deleted or not ours. A second call after a lost answer
        is rejected too, for the first one finished it.
        """
        update = {
            "status": status,
            "started_at": started.isoformat(),
            "finished_at": datetime.now(UTC).isoformat(),
        }
        if code:
            update["log"] = code
        if result is not None:
            update["result"] = self.cryptor.encrypt_bytes_to_str(result, self._hub_key)
        self.ask("patch", f"run/{run.id}", update)

    def begin(self, run: Run, started: datetime) -> None:
        """Tell the server that this site works on a run."""
        self.ask("patch", f"run/{run.id}", {"status": "active", "started_at": started.isoformat()})

    def _my_number(self) -> int:
        """The node's own number, from its token: the server's word about itself."""
        try:
            return int(json.loads(unb64(str(self._access_token).split(".")[1]))["sub"])
        except (ProtocolError, IndexError, KeyError, TypeError, ValueError) as error:
            raise NodeError("NOT_VANTAGE6") from error


def public_sha256(text: object) -> str:
    """The fingerprint of a public key as the server keeps it (base64 of PEM); "" for none."""
    if not isinstance(text, str) or not text:
        return ""
    try:
        key = load_pem_public_key(CryptorBase.str_to_bytes(text))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return ""
    return fingerprint(key) if isinstance(key, rsa.RSAPublicKey) else ""


def _cryptor(settings: NodeSettings) -> Any:
    """vantage6 keeps one cryptor per class and process; a class of its own is one per key."""
    if settings.private_key is None:
        return type("Plain", (DummyCryptor,), {})()
    return type("Cryptor", (RSACryptor,), {})(settings.private_key)


def _run(row: Any) -> Run:
    task = _field(row, "task")
    image, given = _field(task, "image"), _field(row, "input")
    if not isinstance(image, str) or not isinstance(given, str):
        raise NodeError("NOT_VANTAGE6")
    return Run(
        id=_number(row, "id"),
        task=_number(task, "id"),
        image=image,
        by=_number(task, "init_org", "id"),
        # A run that ended is never taken up again, whatever list it is in (vantage6 issue 2371).
        closed=row.get("finished_at") is not None or row.get("status") not in _OPEN,
        blob=bool(row.get("blob_storage_used")),
        input=given,
    )


_OPEN = ("pending", "initializing", "active", "start failed")


def _last_page(found: Any) -> int:
    """How many pages a list has, by its links; 0 when it is empty."""
    if not _field(found, "data"):
        return 0
    links = found.get("links")
    last = parse_qs(urlsplit(str(links.get("last") if isinstance(links, dict) else "")).query)
    number = last.get("page", ["1"])[0]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 1


def _field(found: Any, name: str) -> Any:
    if not isinstance(found, dict) or name not in found:
        raise NodeError("NOT_VANTAGE6")
    return found[name]


def _number(found: Any, *names: str) -> int:
    for name in names:
        found = _field(found, name)
    if type(found) is not int:
        raise NodeError("NOT_VANTAGE6")
    return found


def _text(found: Any, name: str) -> str:
    value = _field(found, name)
    if not isinstance(value, str) or not value:
        raise NodeError("NOT_VANTAGE6")
    return value


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NodeError("NOT_VANTAGE6") from error


def _date(text: str | None) -> datetime | None:
    try:
        return None if text is None else parsedate_to_datetime(text)
    except ValueError:
        return None
