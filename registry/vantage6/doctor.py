"""Looks at the hub's side of vantage6 and says what to change, one finding per thing looked at.

It changes nothing. What it finds of a hospital is what that hospital's node tells the server; the
hospital has a doctor of its own (`oncokring site doctor`).
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from federation.engines.vantage6_client import Vantage6Client
from federation.engines.vantage6_keys import Connection, Vantage6Error
from registry.health import Heartbeat
from registry.settings import Vantage6Settings
from registry.vantage6.doctor_sites import key_of, node_of
from registry.vantage6.findings import BAD, GOOD, WARN, Finding
from registry.vantage6.hub_user import hub_organisation
from registry.vantage6.keys import BadKey, fingerprint, on_server, read_private, spoken
from registry.vantage6.models import Vantage6Site
from studies.models import SiteNode

TESTED = "4.15."
WORKS = "4."
#: Seconds between the clocks: more than WARN_S is worth mending; at more than BAD_S hospitals
#: refuse messages as made in the future (federation.protocol.messages.SKEW).
WARN_S, BAD_S = 5.0, 60.0
WORKER_SILENT = timedelta(minutes=2)


@dataclass(frozen=True)
class Known:
    """What the hub's own database says, read before the server is asked."""

    sites: Mapping[str, Vantage6Site]
    accepted: Sequence[str]
    worker_seen: datetime | None

    @classmethod
    def read(cls, session: Session, url: str) -> Known:
        rows = session.scalars(select(Vantage6Site).where(Vantage6Site.server == url))
        beat = session.get(Heartbeat, "worker")
        return cls(
            {row.institution: row for row in rows},
            sorted(session.scalars(select(SiteNode.institution))),
            None if beat is None else beat.at,
        )


class Doctor:
    """One look. ``findings`` yields as it goes and stops where nothing more can be seen."""

    def __init__(
        self,
        chosen: Vantage6Settings,
        known: Known,
        clock: Callable[[], datetime],
        *,
        client: Callable[[], str | None] | None = None,
    ) -> None:
        self._chosen = chosen
        self._known = known
        self._clock = clock
        self._client = client or _client_version
        self._encrypted = True

    def findings(self) -> Iterator[Finding]:
        """Everything, the hub's own things first, then each hospital's."""
        yield self._client_is()
        yield self._worker()
        try:
            yield from self._files()
            yield self._log_in()
            yield self._server_is()
            yield self._clocks()
            collaboration = self._find_collaboration()
            yield self._encryption(collaboration)
            members = {
                int(row["id"]): row
                for row in self._server.list(
                    "organization", collaboration_id=int(collaboration["id"])
                )
            }
            yield self._hub_key(members)
            yield from self._members(members)
            nodes = self._server.list("node", collaboration_id=int(collaboration["id"]))
        except Vantage6Error as error:
            yield Finding(
                error.code, BAD, error.sentence, "Mend this first, then run doctor again."
            )
            return
        except _Stop as stop:
            yield stop.finding
            return
        by_number = {int(node["id"]): node for node in nodes}
        for slug, row in sorted(self._known.sites.items()):
            yield key_of(slug, row, members, self._encrypted)
            yield from node_of(slug, by_number.get(row.node), self._encrypted)
        yield from self._left_out()

    def _client_is(self) -> Finding:
        found = self._client()
        if found is None:
            return Finding(
                "CLIENT_VERSION",
                BAD,
                "vantage6-client is not installed.",
                "Install it: pip install 'oncokring[vantage6]'",
            )
        if not found.startswith(TESTED):
            return Finding(
                "CLIENT_VERSION",
                BAD,
                f"vantage6-client is version {found}; only {TESTED}x was tested.",
                "Install what requirements/hub.txt names.",
            )
        return Finding("CLIENT_VERSION", GOOD, f"vantage6-client is version {found}.")

    def _worker(self) -> Finding:
        seen = self._known.worker_seen
        if seen is None or self._clock() - seen > WORKER_SILENT:
            return Finding(
                "WORKER",
                WARN,
                "The hub's worker is not running, so nothing is carried.",
                "Start it: oncokring worker",
            )
        return Finding("WORKER", GOOD, "The hub's worker is running.")

    def _server_is(self) -> Finding:
        found = str(self._server.get("version").get("version"))
        if found.startswith(TESTED):
            return Finding("SERVER_VERSION", GOOD, f"The server is version {found}.")
        state = WARN if found.startswith(WORKS) else BAD
        return Finding(
            "SERVER_VERSION",
            state,
            f"The server is version {found}; only {TESTED}x was tested.",
            f"Ask its administrator for version {TESTED}x.",
        )

    def _clocks(self) -> Finding:
        said = self._server.server_time()
        # The header has whole seconds: half of one is the best guess of the rest.
        ahead = (said - self._clock()).total_seconds() + 0.5
        away = abs(ahead)
        which = "ahead of" if ahead > 0 else "behind"
        if away <= WARN_S:
            return Finding("CLOCK", GOOD, "The clocks of the server and of this machine agree.")
        return Finding(
            "CLOCK",
            BAD if away > BAD_S else WARN,
            f"The server's clock is {away:.0f} seconds {which} this machine's.",
            "Turn on time synchronisation (systemd-timesyncd or chrony) on the one that is wrong.",
        )

    def _files(self) -> Iterator[Finding]:
        for file, words in (
            (self._chosen.password_file, "the password of the hub's user"),
            (self._chosen.key_file, "the private key of the hub"),
        ):
            if not self._is_file(file):
                raise _Stop(
                    Finding(
                        "FILE_MISSING",
                        BAD,
                        f"{file} with {words} is not there or cannot be read.",
                        "Run 'oncokring vantage6 setup', or put the file back from a backup.",
                    )
                )
            if stat.S_IMODE(file.stat().st_mode) & 0o077:
                yield Finding(
                    "FILE_OPEN",
                    BAD,
                    f"{file} with {words} may be read by others on this machine.",
                    f"chmod 600 {file}",
                )

    @staticmethod
    def _is_file(file: Path) -> bool:
        try:
            return file.is_file() and bool(file.read_bytes())
        except OSError:
            return False

    def _log_in(self) -> Finding:
        password = self._chosen.password_file.read_text("utf-8").strip()
        chosen = self._chosen
        self._server = Vantage6Client(
            Connection(chosen.url, chosen.user, password, ca_file=chosen.ca_file)
        )
        self._server.authenticate()
        return Finding("CREDENTIALS", GOOD, f"User {self._chosen.user} is let in.")

    def _find_collaboration(self) -> dict[str, Any]:
        name = self._chosen.collaboration
        rows = self._server.list("collaboration")
        found = next((row for row in rows if row.get("name") == name), None)
        if found is None:
            raise _Stop(
                Finding(
                    "COLLABORATION",
                    BAD,
                    f"User {self._chosen.user} sees no collaboration '{name}' on the server.",
                    "Run 'oncokring vantage6 setup', or correct ONCOKRING_VANTAGE6_COLLABORATION.",
                )
            )
        return found

    def _encryption(self, collaboration: Mapping[str, Any]) -> Finding:
        self._encrypted = bool(collaboration.get("encrypted"))
        if self._encrypted:
            return Finding("ENCRYPTION", GOOD, "The collaboration is encrypted.")
        allowed = self._chosen.allow_unencrypted
        return Finding(
            "ENCRYPTION",
            WARN if allowed else BAD,
            "The collaboration is not encrypted: everybody on the server may read what travels."
            + ("" if allowed else " The worker refuses it."),
            "Let the server's administrator turn encryption on, and take "
            "ONCOKRING_VANTAGE6_ALLOW_UNENCRYPTED away.",
        )

    def _hub_key(self, members: Mapping[int, Mapping[str, Any]]) -> Finding:
        name = hub_organisation(self._chosen)
        row = next((row for row in members.values() if row.get("name") == name), None)
        if row is None:
            return Finding(
                "HUB_KEY",
                BAD,
                f"Organisation '{name}' is not in the collaboration.",
                "Run 'oncokring vantage6 setup'.",
            )
        if not self._encrypted:
            return Finding("HUB_KEY", GOOD, "No key is in use: nothing is encrypted.")
        try:
            mine = fingerprint(read_private(self._chosen.key_file))
        except BadKey as error:
            return Finding("HUB_KEY", BAD, str(error), "Put the file back from a backup.")
        if on_server(row.get("public_key")) != mine:
            return Finding(
                "HUB_KEY",
                BAD,
                "The server hands out another public key for the hub than the hub's own. No "
                "hospital can answer.",
                "Ask the server's administrator who changed it; hospitals refuse a key that they "
                "did not pin.",
            )
        return Finding("HUB_KEY", GOOD, f"The hub's key is the server's: {spoken(mine)}.")

    def _members(self, members: Mapping[int, Mapping[str, Any]]) -> Iterator[Finding]:
        ours = {row.organization for row in self._known.sites.values()}
        for number, row in sorted(members.items()):
            if number not in ours and row.get("name") != hub_organisation(self._chosen):
                yield Finding(
                    "OTHER_MEMBER",
                    WARN,
                    f"Organisation '{str(row.get('name'))[:60]}' is in the collaboration and is "
                    "no hospital of this hub.",
                    "Let the server's administrator take it out, unless you know why it is there.",
                )

    def _left_out(self) -> Iterator[Finding]:
        for slug in self._known.accepted:
            if slug not in self._known.sites:
                yield Finding(
                    "NOT_SET_UP",
                    WARN,
                    "Its program is accepted, but it has no place on the vantage6 server.",
                    "Run 'oncokring vantage6 setup'.",
                    slug,
                )


class _Stop(Exception):
    """Nothing more can be looked at."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.code)
        self.finding = finding


def _client_version() -> str | None:
    try:
        return version("vantage6-client")
    except PackageNotFoundError:
        return None
