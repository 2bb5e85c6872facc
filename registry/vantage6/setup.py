"""Makes what Oncokring needs on an existing vantage6 server, from the network in our registry.

An organisation for the hub and one for each hospital (named by its slug), one collaboration, a
node per hospital and the hub's user. It may be run again at any time: what is there stays, only
what is missing is made, and no key is replaced unless that hospital is named for it.

A hospital makes its own pair of keys and sends the public half. It goes on the server, and its
fingerprint into our database: the server is the directory of keys, and is not believed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from federation.engines.vantage6_client import Vantage6Client
from registry.database import SessionFactory
from registry.settings import Vantage6Settings
from registry.transaction import reading, unit_of_work
from registry.vantage6.hub_user import SetUpError, Step, ensure_user, hub_organisation
from registry.vantage6.invitation import Invitation
from registry.vantage6.keys import fingerprint, for_server, load_or_make, on_server
from registry.vantage6.models import Vantage6Site
from registry.vantage6.uploading import upload
from studies.actor import Actor
from studies.events import announce

API_PATH = "/api"
VERSION_WANTED = "4."


@dataclass
class Report:
    """What set-up made, found, and still waits for; in words, in order."""

    made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    invitations: list[Invitation] = field(default_factory=list)

    def add(self, step: Step) -> None:
        """Take in one step: made now, or there already."""
        (self.made if step.made else self.kept).append(step.words)


@dataclass(frozen=True)
class Hub:
    """The hub's side on the server."""

    organization: int
    key_sha256: str
    pem: bytes


class SetUp:
    """One run over one server. `server` is signed in as someone who may make organisations."""

    def __init__(
        self,
        server: Vantage6Client,
        chosen: Vantage6Settings,
        factory: SessionFactory,
        *,
        domain: str,
        by: Actor,
        now: datetime,
        bits: int = 4096,
    ) -> None:
        self._server = server
        self._chosen = chosen
        self._factory = factory
        self._domain = domain
        self._by = by
        self._now = now
        self._bits = bits
        self.report = Report()

    def run(
        self,
        sites: Mapping[str, str],
        public_keys: Mapping[str, bytes],
        new_keys: Collection[str] = (),
    ) -> Report:
        """Make what is missing for `sites` (slug to name). `public_keys`: PEM by slug, as the
        hospitals sent them; `new_keys`: the hospitals whose keys are replaced."""
        self._check_version()
        hub = self._hub()
        self.report.add(ensure_user(self._server, self._chosen, hub.organization))
        collaboration = self._collaboration(hub)
        members = {
            row["id"] for row in self._server.list("organization", collaboration_id=collaboration)
        }
        for slug, name in sites.items():
            self._site(
                slug,
                name,
                hub,
                collaboration,
                members,
                public_keys.get(slug),
                renew=slug in new_keys,
            )
        return self.report

    def _check_version(self) -> None:
        version = str(self._server.get("version").get("version"))
        if not version.startswith(VERSION_WANTED):
            raise SetUpError(
                "SERVER_VERSION",
                f"The vantage6 server is version {version}, and Oncokring works with version 4.15. "
                "Ask its administrator for a server of that version.",
            )

    def _hub(self) -> Hub:
        """The hub's organisation, made with its public key."""
        name = hub_organisation(self._chosen)
        pem = load_or_make(self._chosen.key_file, self._bits)
        mine = fingerprint(pem)
        found = self._organisation(name)
        if found is None:
            found = self._make_organisation(name, pem)
        elif on_server(found.get("public_key")) != mine:
            raise SetUpError(
                "HUB_KEY_DIFFERS",
                f"Organisation '{name}' on the vantage6 server has another public key than "
                f"{self._chosen.key_file.name}. Put the right file back. If it is lost, name a "
                "new collaboration in ONCOKRING_VANTAGE6_COLLABORATION and set that one up.",
            )
        else:
            self.report.kept.append(f"organisation {name}")
        return Hub(int(found["id"]), mine, pem)

    def _collaboration(self, hub: Hub) -> int:
        name = self._chosen.collaboration
        wanted = not self._chosen.allow_unencrypted
        rows = [row for row in self._server.list("collaboration", name=name)]
        found = next((row for row in rows if row.get("name") == name), None)
        if found is None:
            found = self._server.post(
                "collaboration",
                {"name": name, "organization_ids": [hub.organization], "encrypted": wanted},
            )
            how = "encrypted" if wanted else "NOT encrypted"
            self.report.made.append(f"collaboration {name}, {how}")
        elif wanted and not found.get("encrypted"):
            raise SetUpError(
                "NOT_ENCRYPTED",
                f"Collaboration '{name}' on the vantage6 server is not encrypted: everybody on the "
                "server may read what travels in it. Let the server's administrator turn "
                "encryption on, or choose another name in ONCOKRING_VANTAGE6_COLLABORATION.",
            )
        else:
            self.report.kept.append(f"collaboration {name}")
        self._encrypted = bool(found["encrypted"])
        return int(found["id"])

    def _site(
        self,
        slug: str,
        name: str,
        hub: Hub,
        collaboration: int,
        members: set[int],
        pem: bytes | None,
        *,
        renew: bool,
    ) -> None:
        with reading(self._factory) as session:
            known = session.get(Vantage6Site, slug)
            recorded = known.key_sha256 if known and known.server == self._chosen.url else None
        organization, there = self._site_organisation(slug, pem)
        given = None if pem is None else fingerprint(pem)
        if given is not None and recorded not in (None, given) and not renew:
            raise SetUpError(
                "KEY_KNOWN",
                f"The public key in the file for {slug} is not the one that was accepted before. "
                f"When the hospital made a new one, say so: --new-key {slug}",
            )
        if pem is not None and there != given and (there is None or renew):
            upload(self._server, organization, pem)
            self.report.made.append(f"public key of {slug} on the server")
            there = given
        accepted = given or recorded
        self._say_waiting(slug, accepted, there)
        if organization not in members:
            self._server.post(f"collaboration/{collaboration}/organization", {"id": organization})
            members.add(organization)
        node, api_key = self._node(slug, organization, collaboration, renew=renew)
        with unit_of_work(self._factory, self._by) as session:
            self._record(session, slug, collaboration, organization, node, accepted)
        if api_key is None:
            return
        self.report.invitations.append(
            Invitation(
                slug=slug,
                name=name,
                url=api_url(self._chosen.url),
                collaboration=collaboration,
                organization=organization,
                hub_organization=hub.organization,
                encrypted=self._encrypted,
                hub_key_sha256=hub.key_sha256,
                api_key=api_key,
                ca=self._chosen.authorities,
            )
        )

    def _say_waiting(self, slug: str, accepted: str | None, there: str | None) -> None:
        """A word about a key that does not fit yet; the hospital is asked nothing until it does."""
        if not self._encrypted or (accepted is not None and accepted == there):
            return
        if accepted is None:
            said = f"its public key. When the hospital has sent it: --public-key {slug}=FILE"
        elif there is None:
            said = f"its public key, which the server has lost: --public-key {slug}=FILE"
        else:
            said = (
                "a word with the hospital: the server has another public key than it sent, so "
                "nothing is sent to it. When it made a new one: "
                f"--new-key {slug} --public-key {slug}=FILE. When not, somebody else put it there"
            )
        self.report.waiting.append(f"{slug}: {said}")

    def _site_organisation(self, slug: str, pem: bytes | None) -> tuple[int, str | None]:
        found = self._organisation(slug)
        if found is None:
            found = self._make_organisation(slug, pem)
        else:
            self.report.kept.append(f"organisation {slug}")
        return int(found["id"]), on_server(found.get("public_key"))

    def _node(
        self, slug: str, organization: int, collaboration: int, *, renew: bool
    ) -> tuple[int, str | None]:
        """The hospital's node, and its key when it is new."""
        rows = self._server.list(
            "node", organization_id=organization, collaboration_id=collaboration
        )
        if not rows:
            made = self._server.post(
                "node",
                {
                    "organization_id": organization,
                    "collaboration_id": collaboration,
                    "name": f"{slug} {self._chosen.collaboration}",
                },
            )
            self.report.made.append(f"node of {slug}")
            return int(made["id"]), str(made["api_key"])
        node = int(rows[0]["id"])
        if not renew:
            self.report.kept.append(f"node of {slug}")
            return node, None
        key = self._server.post("recover/node", {"id": node})
        self.report.made.append(f"new key for the node of {slug}; the old one works no longer")
        return node, str(key["api_key"])

    def _record(
        self,
        session: Session,
        slug: str,
        collaboration: int,
        organization: int,
        node: int,
        key_sha256: str | None,
    ) -> None:
        row = session.get(Vantage6Site, slug)
        facts = (self._chosen.url, collaboration, organization, node, key_sha256)
        if row is not None:
            before = (row.server, row.collaboration, row.organization, row.node, row.key_sha256)
            if before == facts:
                return
        else:
            row = Vantage6Site(institution=slug)
            session.add(row)
        row.server, row.collaboration, row.organization, row.node, row.key_sha256 = facts
        row.made_at = self._now
        session.flush()
        announce(
            session,
            actor=self._by,
            action="site.vantage6_set_up",
            about=f"institution:{slug}",
            facts={"organization": organization, "node": node, "key_sha256": key_sha256},
        )

    def _organisation(self, name: str) -> dict[str, Any] | None:
        rows = self._server.list("organization", name=name)
        # The server compares with LIKE: _ and % stand for anything there.
        return next((row for row in rows if row.get("name") == name), None)

    def _make_organisation(self, name: str, pem: bytes | None) -> dict[str, Any]:
        body = {"name": name, "domain": self._domain, "country": "NL"}
        if pem is not None:
            body["public_key"] = for_server(pem)
        made: dict[str, Any] = self._server.post("organization", body)
        self.report.made.append(f"organisation {name}")
        return made


def api_url(url: str) -> str:
    """The address with the path of the server's interface, for the hospital's file."""
    return url if urlsplit(url).path else f"{url}{API_PATH}"
