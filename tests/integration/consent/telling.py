"""Hospitals with an outbox of their own, for tests of what they tell the hub."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from consent import site_messages, standing
from consent.items import ITEMS
from consent.models import Subject
from consent.rule import Scope, decide
from consent.subjects import handle_text
from federation.protocol.keys import SigningKey
from federation.protocol.messages import TYP_SITE_MESSAGE, sign
from federation.runs.site_messages import take_messages
from federation.site.choices.outbox import Outbox
from federation.site.choices.parties import People
from federation.site.choices.pseudonyms import HandleMaker
from federation.site.desk.letters import Letters
from federation.site.desk.paper import Paper
from federation.site.store import open_store, transaction
from studies import service as studies
from studies.actor import SYSTEM
from studies.models import SiteNode
from studies.seeds.oncozon import ONCOZON

from .conftest import NOW, STUDY, Hub

SITE, OTHER = "zuyderland", "viecuri"
LATER = NOW + timedelta(hours=1)
BORN_2013 = ("12-15", "2029-05")


class Hospital:
    """A site's own database and outbox, and the way to the hub."""

    def __init__(self, hub: Hub, path: Path, slug: str) -> None:
        self.hub = hub
        self.slug = slug
        self.key = SigningKey.generate()
        self.database = open_store(path / f"{slug}.sqlite")
        self.handles = HandleMaker(secrets.token_bytes(32), ONCOZON.slug, slug)
        self.outbox = Outbox(self.database, self.key, site=slug, network=ONCOZON.slug)
        self.letters = Letters(self.database, self.outbox)
        self.people = People(self.database, self.outbox, "Anna")
        self.node: SiteNode = studies.enrol_node(
            hub.session,
            institution=slug,
            sign_pub=self.key.public,
            box_pub=self.key.public,
            engine="embedded",
            actor=SYSTEM,
            now=NOW,
        )

    def paper(self, by: str) -> Paper:
        return Paper(self.database, self.outbox, self.handles, by)

    def tell(self, now: datetime = NOW) -> dict[str, int]:
        """Send what waits; then hear what the hub has, as a consent list says it."""
        found = take_messages(self.hub.session, self.node, self.outbox.waiting(), now)
        self.hub.session.commit()
        self.hear(now)
        return dict(found)

    def hear(self, now: datetime = NOW) -> None:
        session = self.hub.session
        with transaction(self.database):
            self.outbox.settle(
                {
                    "site_seq": site_messages.processed(session, self.slug),
                    "site_sha256": site_messages.last_sha256(session, self.slug),
                    "site_refused": site_messages.refusals(session, self.slug),
                },
                now,
            )

    def subject(self, number: str) -> Subject:
        handle = handle_text(self.handles.handle(number))
        return self.hub.session.scalars(
            select(Subject).where(Subject.site == self.slug, Subject.handle == handle)
        ).one()

    def permits(self, number: str, item: str, now: datetime = LATER) -> bool:
        subject = self.subject(number)
        found = standing.of_subjects(self.hub.session, [subject.id], now)[subject.id]
        scope = Scope(ONCOZON.slug, self.slug, item, STUDY, ITEMS[item].category)
        return decide(scope, found.choices, now, needs=found.needs).permit

    def needs(self, number: str, now: datetime = LATER) -> set[str]:
        subject = self.subject(number)
        return set(standing.needs_of(self.hub.session, [subject.id], now).get(subject.id, {"self"}))


@dataclass
class Place:
    hub: Hub
    here: Hospital
    there: Hospital


def count(hub: Hub, what: Any) -> int:
    return hub.session.scalar(select(func.count()).select_from(what)) or 0


def signed(
    hospital: Hospital, typ: str = TYP_SITE_MESSAGE, key: Any = None, **claims: Any
) -> bytes:
    given = {"network": ONCOZON.slug, "seq": 1, "after": 0, "kind": "closed", "content": {}}
    issuer = claims.pop("issuer", hospital.slug)
    return sign(
        typ,
        {**given, **claims},
        key or hospital.key,
        issuer=issuer,
        audience="hub",
        now=NOW,
        lifetime=timedelta(days=1),
    )


def both(hub: Hub, path: Path) -> Iterator[Place]:
    """Two hospitals of the network; closed at the end."""
    found = Place(hub, Hospital(hub, path, SITE), Hospital(hub, path, OTHER))
    hub.session.commit()
    yield found
    for hospital in (found.here, found.there):
        hospital.database.close()
