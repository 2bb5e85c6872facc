"""What hospitals tell of their patients, from their outbox to the hub's tables."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from consent import service as consent
from consent import site_messages, standing
from consent.items import ITEMS
from consent.models import ConsentEvent, Invitation, Receipt, Subject
from consent.models_people import DestroyOrder, Fact, Party, SiteMessage, Use
from consent.rule import Scope, decide
from consent.subjects import handle_text
from federation.protocol.keys import SigningKey
from federation.protocol.messages import TYP_ACK, TYP_SITE_MESSAGE, sign
from federation.runs.site_messages import bodies_in, take_messages
from federation.site.letters import Letters
from federation.site.outbox import Outbox
from federation.site.paper import Form, Paper
from federation.site.parties import People
from federation.site.pseudonyms import HandleMaker
from federation.site.store import open_store, transaction
from studies import service as studies
from studies.actor import SYSTEM
from studies.events import announce, announced
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


@pytest.fixture
def place(hub: Hub, tmp_path: Path) -> Iterator[Place]:
    found = Place(hub, Hospital(hub, tmp_path, SITE), Hospital(hub, tmp_path, OTHER))
    hub.session.commit()
    yield found
    for hospital in (found.here, found.there):
        hospital.database.close()


def count(hub: Hub, what: Any) -> int:
    return hub.session.scalar(select(func.count()).select_from(what)) or 0


def test_a_letter_travels_and_opens_the_door(place):
    here = place.here
    with transaction(here.database):
        letter = here.letters.make(here.handles.handle("1"), [STUDY], NOW)
        alone = here.letters.make(here.handles.handle("2"), [STUDY], NOW, second=False)
    assert here.tell() == {"taken": 2}
    assert here.outbox.waiting() == []

    session = place.hub.session
    assert consent.sign_in_with_code(session, letter.printed, now=LATER).waits_for_digits
    assert consent.sign_in_with_code(session, alone.printed, now=LATER).subject is not None
    late = NOW + timedelta(days=91)
    assert consent.sign_in_with_code(session, alone.printed, now=late).subject is None
    stored = session.get_one(Invitation, letter.code_id)
    assert stored.studies == [STUDY]
    secret = letter.printed.replace("-", "")[6:]
    assert secret not in stored.verifier
    assert {each.action for each in announced(session)} >= {"consent.signed_in"}


def test_replays_do_nothing_and_other_bytes_under_a_number_are_seen(place):
    here, session = place.here, place.hub.session
    with transaction(here.database):
        here.people.stop_contact(here.handles.handle("1"), NOW)
    bodies = here.outbox.waiting()
    assert take_messages(session, here.node, bodies, NOW) == {"taken": 1}
    assert take_messages(session, here.node, bodies, NOW) == {"again": 1}
    other = signed(here, seq=1, after=0, kind="closed", content={"handle": "A" * 27})
    assert take_messages(session, here.node, [other], NOW) == {"conflict": 1}
    assert "consent.site_message_conflict" in {each.action for each in announced(session)}
    assert (count(place.hub, SiteMessage), count(place.hub, Fact)) == (1, 1)


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


def test_what_another_signed_is_not_taken_and_uses_up_no_number(place):
    here, there, session = place.here, place.there, place.hub.session
    handle = handle_text(here.handles.handle("1"))
    content = {"handle": handle}
    for body in (
        signed(here, content=content, key=SigningKey.generate()),
        signed(here, content=content, key=there.key),
        signed(here, content=content, issuer=OTHER),
        signed(here, content=content, typ=TYP_ACK),
        signed(here, content=content, seq=0),
        signed(here, content=content, seq=2**40),
        signed(here, content=content, seq="1"),
        signed(here, content=content, after=1),
        b"",
        b"a.b.c",
        b"x" * 300_000,
    ):
        assert take_messages(session, here.node, [body], NOW) == {"foreign": 1}
    assert count(place.hub, SiteMessage) == count(place.hub, Fact) == 0
    # What the other hospital's own program sends goes under its own name only.
    assert take_messages(session, there.node, [signed(here, content=content)], NOW) == {
        "foreign": 1
    }
    assert take_messages(session, there.node, [signed(there, content=content)], NOW) == {"taken": 1}
    subjects = session.scalars(select(Subject)).all()
    assert [each.site for each in subjects] == [OTHER]


def test_what_cannot_be_worked_in_is_kept_with_a_code_and_holds_nothing_up(place):
    here, session = place.here, place.hub.session
    handle = handle_text(here.handles.handle("1"))
    odd: list[dict[str, Any]] = [
        {"kind": "unheard_of"},
        {"kind": 7},
        {"content": []},
        {"content": {"handle": handle, "more": 1}},
        {"content": {"handle": "short"}},
        {"content": {"handle": handle}, "network": "other"},
        {"kind": "age_class",
         "content": {"handle": handle, "class": "16+", "next_month": "2030-01", "since": 0}},
        {"kind": "representative",
         "content": {"handle": handle, "party": "self", "role": "parent",
                     "from": 0, "until": None}},
        {"kind": "representative", "content": {"handle": handle, "party": "p-0123456789abcdef",
                                               "role": "king", "from": 0, "until": None}},
        {"kind": "use",
         "content": {"study": STUDY, "query_id": "0" * 64, "snapshot": 1, "band": "57"}},
        {"kind": "destroy_report",
         "content": {"order": "0" * 32, "status": "done", "reason_code": None}},
        {"kind": "invalidate",
         "content": {"handle": handle, "act": "0" * 32, "reason_code": "wrong_person"}},
        {"content": {"handle": handle, "more": "x" * 9000}},
    ]  # fmt: skip
    for seq, claims in enumerate(odd, start=1):
        body = signed(here, seq=seq, after=seq - 1, **claims)
        assert take_messages(session, here.node, [body], NOW) == {"refused": 1}, claims
        session.commit()
    assert count(place.hub, Fact) == count(place.hub, Party) == count(place.hub, Use) == 0
    good = signed(here, seq=20, after=13, content={"handle": handle})
    assert take_messages(session, here.node, [good], NOW) == {"taken": 1}
    codes = dict(site_messages.refusals(session, SITE))
    assert codes[1] == "message_malformed"
    assert (codes[8], codes[11], codes[12]) == (
        "unknown_party", "order_not_found", "receipt_not_found",
    )  # fmt: skip
    gap = signed(here, seq=22, after=21, content={"handle": handle})
    assert take_messages(session, here.node, [gap, good], NOW) == {"gap": 1}
    assert bodies_in("no list") == bodies_in(None) == []
    assert len(bodies_in(["a"] * 1000)) == 200


def test_paper_closes_with_one_and_opens_with_two(place):
    here = place.here
    handle, today = here.handles.handle("1"), NOW.date()
    yes = {item: "yes" for item in ("use.record", "use.network")}
    with transaction(here.database):
        form = here.paper("Anna").enter(
            Form(handle, STUDY, yes, today, text_version=place.hub.text), NOW
        )
    assert here.tell() == {}
    assert count(place.hub, Receipt) == 0
    with transaction(here.database):
        here.paper("Bram").confirm(form, NOW)
    assert here.tell() == {"taken": 1}
    assert here.permits("1", "use.network")
    event = place.hub.session.scalars(select(ConsentEvent)).first()
    assert event.proof["kind"] == "site"
    row = here.database.execute("SELECT act, signed_at FROM paper_act").fetchone()
    assert (event.proof["act"], event.proof["at"]) == row
    assert event.effective_at < event.recorded_at
    assert "Anna" not in str(event.evidence)

    with transaction(here.database):
        here.paper("Anna").enter(Form(handle, STUDY, {"use.network": "no"}, today), LATER)
    assert here.tell(LATER) == {"taken": 1}
    assert not here.permits("1", "use.network", LATER + timedelta(minutes=1))
    assert here.permits("1", "use.record", LATER + timedelta(minutes=1))

    with transaction(here.database):
        here.paper("Anna").end(form, "wrong_person", LATER)
    assert here.tell(LATER) == {"taken": 1}
    assert not here.permits("1", "use.record", LATER + timedelta(minutes=1))


def test_a_yes_on_paper_by_one_person_or_by_phone_is_refused_by_the_hub_too(place):
    here, session = place.here, place.hub.session
    content = {
        "handle": handle_text(here.handles.handle("1")),
        "form": f"paper-{'0' * 32}-yes",
        "how": "paper",
        "study": STUDY,
        "text_version": place.hub.text,
        "answers": {"use.record": "yes"},
        "language": "nl",
        "signed_at": int(NOW.timestamp() * 1000),
        "party": "self",
        "role": "self",
        "scan_sha256": "",
        "checked_by": ["s-" + "0" * 16, "s-" + "1" * 16],
    }
    tricks: list[dict[str, Any]] = [
        {"checked_by": ["s-" + "0" * 16]},
        {"checked_by": ["s-" + "0" * 16] * 2},
        {"checked_by": []},
        {"checked_by": ["Anna", "Bram"]},
        {"how": "phone"},
        {"form": f"paper-{'0' * 32}-no"},
        {"form": "0" * 32},
        {"answers": {"use.record": "yes", "use.network": "no"}},
        {"answers": {"*": "yes"}},
        {"answers": {"unknown.item": "yes"}},
        {"answers": {}},
        {"study": "*"},
        {"study": "other"},
        {"text_version": "0" * 64},
        {"party": "p-0123456789abcdef", "role": "parent"},
        {"party": "self", "role": "parent"},
        {"signed_at": int((NOW + timedelta(days=9)).timestamp() * 1000)},
    ]
    for seq, trick in enumerate(tricks, start=1):
        body = signed(here, seq=seq, after=seq - 1, kind="paper", content={**content, **trick})
        assert take_messages(session, here.node, [body], NOW) == {"refused": 1}, trick
        session.commit()
    assert count(place.hub, ConsentEvent) == 0
    body = signed(here, seq=99, after=17, kind="paper", content=content)
    assert take_messages(session, here.node, [body], NOW) == {"taken": 1}
    # The same form under another number writes nothing twice; with another answer it is refused.
    again = signed(here, seq=100, after=99, kind="paper", content=content)
    assert take_messages(session, here.node, [again], NOW) == {"taken": 1}
    other = {**content, "answers": {"use.network": "yes"}}
    body = signed(here, seq=101, after=100, kind="paper", content=other)
    assert take_messages(session, here.node, [body], NOW) == {"refused": 1}
    assert count(place.hub, Receipt) == 1
    assert count(place.hub, ConsentEvent) == 1


def test_children_parents_and_sixteen_are_the_same_at_hub_and_hospital(place):
    from federation.site.parties import needs

    here = place.here
    handle = here.handles.handle("1")
    with transaction(here.database):
        here.people.set_age(handle, *BORN_2013, NOW)
    here.tell()
    assert here.needs("1") == {"nobody", "self"}
    with transaction(here.database):
        one = here.people.add_representative(handle, "parent", None, None, NOW)
        two = here.people.add_representative(handle, "guardian", None, None, NOW)
        here.letters.make(handle, [STUDY], NOW, party=one)
    assert here.tell() == {"taken": 3}
    moments = [NOW + timedelta(days=days) for days in range(0, 1500, 30)]
    at_hub = [here.needs("1", at) for at in moments]
    assert at_hub == [set(needs(here.database, at)[handle]) for at in moments]
    assert at_hub[0] == {"self", one, two}
    assert at_hub[-1] == {"self"}
    with transaction(here.database):
        here.people.end_representative(handle, two, LATER, LATER)
    here.tell(LATER)
    assert here.needs("1", LATER + timedelta(minutes=1)) == {"self", one}
    invitation = place.hub.session.scalars(select(Invitation)).one()
    assert (invitation.party, invitation.role) == (one, "parent")


def test_closed_ends_letters_and_yeses_but_never_a_no(place):
    here = place.here
    handle, today = here.handles.handle("1"), NOW.date()
    with transaction(here.database):
        here.people.died(handle, NOW)
        here.outbox.add("invitation", _invitation(here), NOW)
        here.paper("Anna").enter(Form(handle, "*", {"*": "no"}, today, how="phone"), NOW)
    assert here.tell() == {"taken": 2, "refused": 1}
    refused = [each.refused for each in here.outbox.listed() if each.kind == "invitation"]
    assert refused == ["closed"]
    kinds = set(place.hub.session.scalars(select(Fact.kind)))
    assert kinds == {"closed", "contact_stop"}


def _invitation(here: Hospital) -> dict[str, Any]:
    from consent import letters

    made = letters.new_letter()
    return {
        "handle": handle_text(here.handles.handle("1")),
        "code_id": made.code_id,
        "verifier": letters.verifier(made.code_id, made.secret),
        "second_verifier": None,
        "studies": [STUDY],
        "language": "nl",
        "party": "self",
        "role": "self",
        "expires": int(LATER.timestamp() * 1000),
    }


@pytest.mark.parametrize(
    "trick",
    [
        {"expires": 1},
        {"expires": 2**60},
        {"studies": []},
        {"studies": "x"},
        {"studies": ["other"]},
        {"verifier": "plain"},
        {"second_verifier": "plain"},
        {"party": "p-0123456789abcdef", "role": "parent"},
        {"code_id": "ABC"},
        {"language": "de"},
    ],
)
def test_an_invitation_that_is_not_right_leaves_nothing(place, trick):
    here = place.here
    with transaction(here.database):
        here.outbox.add("invitation", {**_invitation(here), **trick}, NOW)
    assert here.tell() == {"refused": 1}
    assert count(place.hub, Invitation) == count(place.hub, Subject) == 0


def test_orders_to_destroy_are_told_only_to_their_hospital_and_answered_only_by_it(place):
    hub, here, there = place.hub, place.here, place.there
    subject = hub.subject(SITE)
    receipt = hub.stop(subject, NOW)
    order = DestroyOrder(
        id="0" * 32,
        subject_id=subject.id,
        receipt_id=receipt.id,
        study=STUDY,
        what=["bio.store"],
        ordered_at=NOW,
        grace_until=LATER,
    )
    hub.session.add(order)
    hub.session.commit()
    assert site_messages.destroy_claims(hub.session, OTHER, NOW) == []
    claim = site_messages.destroy_claims(hub.session, SITE, NOW)
    assert [each["order"] for each in claim] == [order.id]
    report = {"order": order.id, "status": "partly", "reason_code": "care_record"}
    for hospital, now, outcome in (
        (there, LATER, {"refused": 1}),
        (here, NOW, {"refused": 1}),  # the patient may still take it back
        (here, LATER, {"taken": 1}),
        (here, LATER, {"refused": 1}),
    ):
        with transaction(hospital.database):
            hospital.outbox.add("destroy_report", report, now)
        assert hospital.tell(now) == outcome
    assert (order.outcome, order.reason) == ("partly", "care_record")
    assert site_messages.destroy_claims(hub.session, SITE, NOW) == []


def test_a_use_is_written_once(place):
    here = place.here
    content = {"study": STUDY, "query_id": "a" * 64, "snapshot": 3, "band": "100-199"}
    for _ in range(2):
        with transaction(here.database):
            here.outbox.add("use", content, NOW)
        assert here.tell() == {"taken": 1}
    use = place.hub.session.scalars(select(Use)).one()
    assert (use.site, use.study, use.band) == (SITE, STUDY, "100-199")


def test_a_hospital_put_back_from_an_old_copy_loses_no_message(place):
    here, session = place.here, place.hub.session
    handles = [here.handles.handle(str(number)) for number in range(6)]
    with transaction(here.database):
        here.people.stop_contact(handles[0], NOW)
    here.tell()
    copy = list(here.database.iterdump())
    with transaction(here.database):
        here.people.stop_contact(handles[1], NOW)
        here.people.stop_contact(handles[2], NOW)
    here.tell()

    with transaction(here.database):  # the old copy: numbers 2 and 3 are not remembered
        here.database.execute("DELETE FROM outbox WHERE seq > 1")
        here.people.stop_contact(handles[3], NOW)
    assert len(copy) > 1
    assert take_messages(session, here.node, here.outbox.waiting(), NOW) == {"conflict": 1}
    here.hear()
    assert here.tell() == {"taken": 1}
    assert here.outbox.waiting() == []
    assert [each.seq for each in here.outbox.listed()] == [4, 1]

    with transaction(here.database):  # as many as the hub has, but others
        here.people.stop_contact(handles[4], NOW)
    here.database.execute("UPDATE outbox SET taken_at = NULL, body = ? WHERE seq = 4", (b"",))
    subjects = count(place.hub, Subject)
    here.database.execute("DELETE FROM outbox WHERE seq = 4")
    assert here.tell() == {"taken": 1}
    assert count(place.hub, Subject) == subjects + 1


def test_a_hub_put_back_from_an_old_copy_gets_again_what_it_lost(place):
    here = place.here
    for number in range(3):
        with transaction(here.database):
            here.people.stop_contact(here.handles.handle(str(number)), NOW)
    here.tell()
    with transaction(here.database):
        here.outbox.settle({"site_seq": 1}, NOW)
    assert len(here.outbox.waiting()) == 2
    with transaction(here.database):
        for odd in ({}, {"site_seq": "x"}, {"site_seq": -1}, {"site_seq": 2**40}):
            here.outbox.settle({**odd, "site_refused": "x"}, NOW)
        here.outbox.settle({"site_seq": 3, "site_refused": [[1], ["a", "b"], 3]}, NOW)
    assert here.outbox.waiting() == []


def test_a_new_key_signs_anew_what_waits_and_too_much_goes_in_parts(place):
    here = place.here
    with transaction(here.database):
        for number in range(205):
            here.people.stop_contact(here.handles.handle(str(number)), NOW)
        with pytest.raises(ValueError, match="8 kB"):
            here.outbox.add("paper", {"answers": "x" * 9000}, NOW)
    assert here.tell() == {"taken": 100}
    here.key = SigningKey.generate()
    here.outbox = Outbox(here.database, here.key, site=SITE, network=ONCOZON.slug)
    here.node.sign_pub = here.key.public
    announce(place.hub.session, actor=SYSTEM, action="site.enrolled", about=f"institution:{SITE}")
    assert here.tell() == {"taken": 100}
    assert here.tell() == {"taken": 5}
