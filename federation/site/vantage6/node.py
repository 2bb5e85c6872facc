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
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from vantage6.common import WhoAmI
from vantage6.common.client.node_client import NodeClient

from federation.carriage.address import read_address
from federation.carriage.cryptor import make_cryptor
from federation.carriage.keys import shown_fingerprint
from federation.carriage.pause import Pause
from federation.carriage.transport import Answer, Limits, Transport, TransportError
from federation.protocol.encoding import unb64
from federation.protocol.errors import ProtocolError
from federation.site.vantage6.answers import (
    NodeError,
    Refused,
    Rejected,
    Run,
    read_field,
    read_last_page,
    read_number,
    read_parsed,
    read_run,
    read_text,
)
from federation.site.vantage6.settings import NodeSettings

CONNECT_SECONDS, READ_SECONDS, WHOLE_SECONDS = 10.0, 35.0, 300.0
#: How often one request is made before the caller hears of it; the caller waits longer each time.
ATTEMPTS = 3
#: Two messages of 48 MB, encoded twice, and the tasks around them.
MAX_ANSWER = 256 * 1024 * 1024
_CODES = {"unreachable": "UNREACHABLE", "untrusted": "CERTIFICATE", "endless": "NOT_VANTAGE6"}

Status = Literal["active", "completed", "failed", "not allowed"]


class SiteClient(NodeClient):  # type: ignore[misc]  # vantage6 carries no types
    """One node at one server. Raises NodeError and nothing else; every method may be repeated."""

    def __init__(self, settings: NodeSettings) -> None:
        place = read_address(settings.url)
        super().__init__(place.base, place.port, place.path)
        self._settings, self.origin = settings, place.origin
        limits = Limits(CONNECT_SECONDS, READ_SECONDS, WHOLE_SECONDS, MAX_ANSWER)
        self._transport = Transport(limits, settings.ca_file)
        self._one_at_a_time = threading.RLock()
        self._access_token: str | None = None
        self._refresh = ""
        self._hub_key = ""
        self.cryptor = make_cryptor(settings.private_key)
        self.server_date: datetime | None = None

    @property
    def encrypted(self) -> bool:
        return self._settings.encrypted

    @property
    def settings(self) -> NodeSettings:
        return self._settings

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

        Raises NodeError: UNREACHABLE, CERTIFICATE, NOT_VANTAGE6, KEY_REFUSED, or Rejected with
        the status.
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
            self._refresh = read_text(found, "refresh_token")
            self._access_token = read_text(found, "access_token")

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
        pause = Pause(0.4)
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(pause.again())
            try:
                answer = self._once(method, endpoint, body, params, headers)
            except TransportError as error:
                if error.trouble != "unreachable":
                    raise NodeError(_CODES[error.trouble]) from None
                continue
            if answer.status < 500 and answer.status != 429:
                return answer.status, read_parsed(answer.data) if answer.status < 300 else None
        raise NodeError("UNREACHABLE")

    def _once(
        self,
        method: str,
        endpoint: str,
        body: Any,
        params: Mapping[str, Any] | None,
        headers: Mapping[str, str],
    ) -> Answer:
        url = f"{self._settings.url}/{endpoint}"
        answer = self._transport.ask(method, url, body, params, headers)
        self.server_date = answer.at
        return answer

    def close(self) -> None:
        self._transport.close()

    # -- what a node does ----------------------------------------------------------------------

    def server_version(self) -> str:
        """What the server says it is; needs no key."""
        status, found = self._repeat("get", "version", None, None, {})
        if status != 200:
            raise NodeError("NOT_VANTAGE6")
        return read_text(found, "version")

    def enter(self) -> list[str]:
        """Sign in and compare the server with what was pinned; codes of what is odd but harmless.

        Raises Refused: OTHER_COLLABORATION, OTHER_ORGANIZATION, UNENCRYPTED, ENCRYPTED,
        HUB_KEY_CHANGED.
        """
        settings = self._settings
        self.renew()
        me = self._my_number()
        node = self.ask("get", f"node/{me}")
        if read_number(node, "collaboration", "id") != settings.collaboration:
            raise Refused("OTHER_COLLABORATION")
        if read_number(node, "organization", "id") != settings.organization:
            raise Refused("OTHER_ORGANIZATION")
        shared = self.ask("get", f"collaboration/{settings.collaboration}")
        if bool(read_field(shared, "encrypted")) != settings.encrypted:
            raise Refused("UNENCRYPTED" if settings.encrypted else "ENCRYPTED")
        self.collaboration_id = settings.collaboration
        name = node.get("name")
        self.whoami = WhoAmI("node", me, name, settings.organization, name)
        if not settings.encrypted:
            return []
        hub = self.ask("get", f"organization/{settings.hub_organization}")
        key = read_field(hub, "public_key")
        if shown_fingerprint(key) != settings.hub_key_sha256:
            raise Refused("HUB_KEY_CHANGED")
        self._hub_key = key
        own = self.ask("get", f"organization/{settings.organization}")
        same = shown_fingerprint(read_field(own, "public_key")) == settings.public_sha256
        return [] if same else ["OWN_KEY_DIFFERS"]

    def open_run(self, place: int) -> Run | None:
        """The `place`th (from 1) of the oldest runs that wait for this node.

        The server lists the newest first whatever it is asked, and decides how large an input is,
        so never more than two come at once.
        """
        rows, pages = self._open_runs(page=1, per_page=2)
        if pages <= 1:
            ordered = rows[::-1]
            return (
                read_run(ordered[place - 1], alone=len(rows) == 1) if place <= len(rows) else None
            )
        # Pages of two tell the number of runs but for one.
        for last in (2 * pages, 2 * pages - 1):
            if last < place:
                return None
            rows, _ = self._open_runs(page=last - place + 1, per_page=1)
            if rows:
                return read_run(rows[0], alone=False)
        return None

    def _open_runs(self, *, page: int, per_page: int) -> tuple[list[Any], int]:
        asked = {"state": "open", "node_id": self.whoami.id_, "include": "task"}
        found = self.ask("get", "run", params={**asked, "page": page, "per_page": per_page})
        rows = read_field(found, "data")
        if not isinstance(rows, list) or len(rows) > per_page:
            raise NodeError("NOT_VANTAGE6")
        return rows, read_last_page(found)

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
            "started_at": _told(started),
            "finished_at": _told(datetime.now(UTC)),
        }
        if code:
            update["log"] = code
        if result is not None:
            update["result"] = self.cryptor.encrypt_bytes_to_str(result, self._hub_key)
        self.ask("patch", f"run/{run.id}", update)

    def begin(self, run: Run, started: datetime) -> None:
        """Tell the server that this site works on a run."""
        self.ask("patch", f"run/{run.id}", {"status": "active", "started_at": _told(started)})

    def _my_number(self) -> int:
        """The node's own number, from its token: the server's word about itself."""
        try:
            return int(json.loads(unb64(str(self._access_token).split(".")[1]))["sub"])
        except (ProtocolError, IndexError, KeyError, TypeError, ValueError) as error:
            raise NodeError("NOT_VANTAGE6") from error


def _told(moment: datetime) -> str:
    """A moment as the server reads it: it fails on one without a fraction of a second."""
    return moment.isoformat(timespec="microseconds")
