"""From a form on paper to being counted, and back: hospital, hub, and the hospital's own check."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from consent import service as consent
from consent.acts import Circumstances, Said
from consent.encoding import to_ms
from consent.items import ITEMS
from consent.models import ConsentEvent
from consent.proof import letter_prover, proof_key, site_prover
from consent.recording import mark, say
from consent.rule import COLLECT_NEW
from consent.site_messages import processed
from consent.witnessing import note_witness
from federation.protocol.keys import SigningKey
from federation.protocol.messages import TYP_SNAPSHOT, sign
from federation.site.choices.consenting import Consenting
from federation.site.desk.paper import Form
from federation.site.store import transaction
from studies.actor import Actor
from studies.seeds.oncozon import HORMONE_THERAPY, ONCOZON

from .conftest import NOW, STUDY, Hub
from .telling import SITE, Hospital, Place, both

REQUIRES = HORMONE_THERAPY.requires
YES = dict.fromkeys(REQUIRES, "yes")


@pytest.fixture
def place(hub: Hub, tmp_path: Path) -> Iterator[Place]:
    yield from both(hub, tmp_path)


class Counting:
    """The hospital's own view of who may be counted, by the newest list of the hub."""

    def __init__(self, here: Hospital) -> None:
        self.here = here
        self.key = SigningKey.generate()
        self.consenting = Consenting(
            here.database, slug=SITE, network=ONCOZON.slug, hub_public=self.key.public
        )
        self.claims: Mapping[str, Any] = {}

    def _signed(self, now: datetime) -> Any:
        def signed(site: str, claims: Mapping[str, Any]) -> bytes:
            return sign(
                TYP_SNAPSHOT,
                claims,
                self.key,
                issuer="hub",
                audience=site,
                now=now,
                lifetime=timedelta(hours=1),
            )

        return signed

    def take(self, now: datetime) -> None:
        session = self.here.hub.session
        (record,) = consent.publish_snapshots(
            session, self._signed(now), [SITE], now=now, refresh=timedelta(0)
        )
        assert record.body is not None
        claims = self.consenting.verified(record.body, now)
        told = self.consenting.read(claims)
        with transaction(self.here.database):
            self.consenting.remember(told, now)
            self.here.outbox.settle(claims, now)
        proven = self.consenting.proven(told, now)
        with transaction(self.here.database):
            self.consenting.keep(told, record.body, now, 0)
        self.consenting.use(told, proven)
        self.claims = claims
        log = claims["log"]
        note_witness(
            session,
            site=SITE,
            seq=record.seq,
            size=log["size"],
            root=log["root"],
            body=b"",
            now=now,
        )

    def counts(self, number: str, now: datetime) -> bool:
        self.consenting.check(0, now, timedelta(hours=1))
        snapshot = self.consenting.snapshot
        assert snapshot is not None
        return bool(snapshot.permits([self.here.handles.handle(number)], STUDY, REQUIRES)[0])


def test_paper_counts_when_two_checked_it_and_no_longer_after_a_no(place: Place) -> None:
    here, counting = place.here, Counting(place.here)
    handle, now = here.handles.handle("1"), NOW + timedelta(minutes=1)
    form = Form(handle, STUDY, YES, NOW.date(), text_version=place.hub.text)
    with transaction(here.database):
        number = here.paper("Anna").enter(form, NOW)
        here.paper("Bram").confirm(number, NOW)
    assert here.tell(now) == {"taken": 1}
    counting.take(now)
    assert counting.claims["site_seq"] == processed(place.hub.session, SITE) == 1
    assert counting.counts("1", now)

    with transaction(here.database):  # the patient calls: no hub is needed
        here.paper("Anna").enter(Form(handle, "*", {"*": "no"}, NOW.date(), how="phone"), now)
    now += timedelta(minutes=1)
    counting.take(now)
    assert not counting.counts("1", now)  # though the hub still says yes
    here.tell(now)
    counting.take(now + timedelta(minutes=1))
    assert not counting.counts("1", now + timedelta(minutes=1))


def test_nothing_new_can_be_said_by_phone_and_is_not_taken_back_on_paper(place: Place) -> None:
    here, counting = place.here, Counting(place.here)
    handle, now = here.handles.handle("1"), NOW + timedelta(minutes=1)
    form = Form(handle, STUDY, YES, NOW.date(), text_version=place.hub.text)
    with transaction(here.database):
        number = here.paper("Anna").enter(form, NOW)
        here.paper("Bram").confirm(number, NOW)
        stop = Form(handle, STUDY, {COLLECT_NEW: "no"}, NOW.date(), how="phone")
        here.paper("Anna").enter(stop, now)
    assert here.tell(now) == {"taken": 2}
    [study] = consent.choices(place.hub.session, here.subject("1"), now + timedelta(minutes=1))
    assert study.counts
    assert study.nothing_new is not None
    now += timedelta(minutes=2)
    counting.take(now)
    assert counting.counts("1", now)
    snapshot = counting.consenting.snapshot
    assert snapshot is not None
    _, until = snapshot.limits([handle], STUDY, REQUIRES)
    assert until[0] == to_ms(NOW + timedelta(minutes=1))  # when the hospital heard it
    with transaction(here.database):
        again = replace(form, answers={COLLECT_NEW: "yes"})
        number = here.paper("Anna").enter(again, now)
        here.paper("Bram").confirm(number, now)
    assert here.tell(now + timedelta(minutes=1)) == {"refused": 1}


def test_the_hub_cannot_make_a_form_nor_stretch_one(place: Place) -> None:
    here, counting = place.here, Counting(place.here)
    session, now = place.hub.session, NOW + timedelta(minutes=1)
    handle = here.handles.handle("1")
    with transaction(here.database):  # one item of several, and only one person looked
        few = Form(handle, STUDY, {REQUIRES[0]: "yes"}, NOW.date(), text_version=place.hub.text)
        number = here.paper("Anna").enter(few, NOW)
    for patient, key in (("1", f"{number}-yes"), ("2", f"paper-{secrets.token_hex(16)}-yes")):
        subject = consent.add_subject(
            session, site=SITE, handle=here.handles.handle(patient), network=ONCOZON.slug, now=now
        )
        receipt = say(
            session,
            subject=subject,
            act="paper",
            study=STUDY,
            said=[Said("granted", item, STUDY, ITEMS[item].category) for item in REQUIRES],
            form={},
            language="nl",
            form_key=key,
            actor=Actor(kind="site", id=SITE),
            now=now,
            text_version=place.hub.text,
            circumstances=Circumstances(
                login_level="desk", channel="paper", prove=site_prover("s-0"), signed_on=NOW
            ),
        )
        _confirm(place, receipt.id, now)
    now += timedelta(minutes=1)
    counting.take(now)
    assert not counting.counts("1", now)
    assert not counting.counts("2", now)
    with transaction(here.database):  # also when the form itself is confirmed: it says less
        here.paper("Bram").confirm(number, now)
    assert not counting.counts("1", now)


def _confirm(place: Place, receipt: str, now: datetime) -> None:
    session = place.hub.session
    found = session.scalars(select(ConsentEvent).where(ConsentEvent.receipt_id == receipt)).all()
    for event in found:
        mark(
            session,
            event,
            kind="confirmed",
            reason="second_person",
            actor=Actor(kind="site", id=SITE),
            now=now,
        )


def test_a_yes_by_letter_counts_with_that_letters_key_only(place: Place) -> None:
    here, counting, session = place.here, Counting(place.here), place.hub.session
    now = NOW + timedelta(minutes=1)
    with transaction(here.database):
        mine = here.letters.make(here.handles.handle("1"), [STUDY], NOW)
        theirs = here.letters.make(here.handles.handle("2"), [STUDY], NOW)
        here.letters.make(here.handles.handle("3"), [STUDY], NOW)
    here.tell()
    key = {each.code_id: _key(each.printed) for each in (mine, theirs)}
    made_up = letter_prover(theirs.code_id, secrets.token_bytes(32))
    another = letter_prover(mine.code_id, key[mine.code_id])
    proofs = {"1": letter_prover(mine.code_id, key[mine.code_id]), "2": made_up, "3": another}
    for number, prove in proofs.items():
        subject = here.subject(number)
        consent.record(
            session,
            subject=subject,
            study=STUDY,
            answers=YES,
            text_version=place.hub.text,
            language="nl",
            form_key=secrets.token_hex(8),
            actor=consent.patient(subject),
            now=now,
            circumstances=Circumstances(login_level="letter+second", prove=prove),
        )
    now += timedelta(minutes=1)
    counting.take(now)
    assert [counting.counts(number, now) for number in proofs] == [True, False, False]
    place.hub.stop(here.subject("1"), now + timedelta(seconds=1))
    now += timedelta(minutes=1)
    counting.take(now)
    assert not counting.counts("1", now)
    at = here.database.execute(
        "SELECT max(at) FROM denial WHERE handle = ?", (here.handles.handle("1"),)
    ).fetchone()[0]
    assert at is not None


def _key(printed: str) -> bytes:
    plain = printed.replace("-", "")
    return proof_key(plain[:6], plain[6:])
