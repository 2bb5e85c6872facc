"""What the hub makes of what hospitals tell: letters, paper, parents, orders, uses."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from consent import service as consent
from consent import site_messages
from consent.models import ConsentEvent, Invitation, Receipt, Subject
from consent.models_people import DestroyOrder, Fact, Use
from consent.subjects import handle_text
from federation.runs.site_messages import take_messages
from federation.site.desk.paper import Form
from federation.site.store import transaction
from studies.events import announced

from .conftest import NOW, STUDY, Hub
from .telling import BORN_2013, LATER, OTHER, SITE, Hospital, Place, both, count, signed


@pytest.fixture
def place(hub: Hub, tmp_path: Path) -> Iterator[Place]:
    yield from both(hub, tmp_path)


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
        {"answers": {"use.record": "yes", "share.company": "yes"}},  # not asked in this text
        {"answers": {"optout.ehds": "no"}, "form": f"paper-{'0' * 32}-no"},
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
    body = signed(here, seq=99, after=len(tricks), kind="paper", content=content)
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
    from federation.site.choices.parties import needs

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


def test_an_invitation_that_is_not_right_leaves_nothing(place):
    here = place.here
    tricks: list[dict[str, Any]] = [
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
    ]
    for trick in tricks:
        with transaction(here.database):
            here.outbox.add("invitation", {**_invitation(here), **trick}, NOW)
    assert here.tell() == {"refused": len(tricks)}
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
