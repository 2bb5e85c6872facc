"""How long a yes lasts at the hospital, and a death that was entered by mistake: end to end, with a
hub that is not to be trusted."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from consent import closing, dpv, fhir, fhir_log, receipts, undoing, undoing_all
from consent import service as consent
from consent.acts import Circumstances
from consent.encoding import to_ms
from consent.errors import ConsentError
from consent.letters import read_code
from consent.models import Receipt, Subject
from consent.models_people import Fact, FactCorrection
from consent.periods import YEAR, Periods
from consent.proof import letter_prover, proof_key
from consent.renewing import periods_of, settle
from consent.rule import COLLECT_NEW
from consent.site_facts import Told, invitation
from consent.snapshot import NO_END
from federation.query.refusals import Refused
from federation.site.choices.asking_again import to_ask_again
from federation.site.choices.parties import People, dead, person
from federation.site.desk.paper import Form
from federation.site.errors import SetupError
from federation.site.settings import SiteSettings
from federation.site.store import transaction
from studies.actor import SYSTEM
from studies.models import Network

from .conftest import NOW, STUDY, Hub
from .telling import LATER, Hospital, Place, both
from .test_paper_end_to_end import REQUIRES, YES, Counting

MINUTE = timedelta(minutes=1)


@pytest.fixture
def place(hub: Hub, tmp_path: Path) -> Iterator[Place]:
    yield from both(hub, tmp_path)


def says_yes(here: Hospital, number: str, hub: Hub) -> None:
    """A signed form that two people checked, told to the hub."""
    handle = here.handles.handle(number)
    form = Form(handle, STUDY, YES, NOW.date(), text_version=hub.text)
    with transaction(here.database):
        entered = here.paper("Anna").enter(form, NOW)
        here.paper("Bram").confirm(entered, NOW)
    here.tell(NOW)


def until(counting: Counting, number: str) -> int:
    snapshot = counting.consenting.snapshot
    assert snapshot is not None
    handle = counting.here.handles.handle(number)
    return int(snapshot.limits([handle], STUDY, REQUIRES)[1][0])


def test_the_hospitals_own_clock_ends_new_data_between_two_lists(place: Place) -> None:
    """No list comes, and none is needed: what is due is due, also half-way a question."""
    here, counting = place.here, Counting(place.here)
    says_yes(here, "1", place.hub)
    signed = here.database.execute("SELECT signed_at FROM paper_act").fetchone()[0]
    due = NOW.fromtimestamp(signed / 1000, NOW.tzinfo) + Periods().renewal
    before = due - 10 * MINUTE
    counting.take(before)
    assert counting.counts("1", before)
    assert until(counting, "1") == NO_END
    snapshot = counting.consenting.snapshot
    assert snapshot is not None
    assert snapshot.windows is not None
    assert snapshot.windows.changes_at == to_ms(due)
    state = counting.consenting.state
    counting.consenting.check_still(state, due - timedelta(milliseconds=1))
    with pytest.raises(Refused):
        counting.consenting.check_still(state, due)
    assert counting.counts("1", due)  # what is held already goes on
    assert until(counting, "1") == to_ms(due)
    assert counting.consenting.state != state
    counting.take(due + MINUTE)  # and the next list says so too
    assert until(counting, "1") == to_ms(due)
    # A clock that is set back brings no new data back before the next list.
    counting.consenting.check(0, due - MINUTE, timedelta(hours=1))
    assert until(counting, "1") == to_ms(due)
    end = due - Periods().renewal + Periods().use
    counting.take(end - 2 * timedelta(hours=1))
    assert counting.counts("1", end - 90 * MINUTE)
    counting.take(end - 30 * MINUTE)  # a list leaves out what ends before it does
    assert not counting.counts("1", end - 20 * MINUTE)


def test_a_network_that_shortens_makes_a_new_list_and_none_lengthens(place: Place) -> None:
    here, counting = place.here, Counting(place.here)
    says_yes(here, "1", place.hub)
    session = place.hub.session
    network = session.get_one(Network, here.subject("1").network)
    then = NOW + timedelta(days=3 * 366)
    counting.take(then)
    assert until(counting, "1") == NO_END
    required = consent.required_seq(session, here.slug)
    for wrong in ({"renewal_years": 0}, {"renewal_years": 5.0}, {"rest": 5}, {"use_years": 101}):
        with pytest.raises(ConsentError, match="years_not_valid"):
            settle(session, network, actor=SYSTEM, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ConsentError, match="years_not_valid"):
        settle(session, network, actor=SYSTEM, remind_years=6)
    with pytest.raises(ConsentError, match="years_not_valid"):
        settle(session, network, actor=SYSTEM, use_years=4)
    assert settle(session, network, actor=SYSTEM, renewal_years=3).renewal_years == 3
    # A question that is asked now waits for the list that knows it.
    assert consent.required_seq(session, here.slug) == required + 1
    counting.take(then + MINUTE)
    assert until(counting, "1") < to_ms(then)
    assert settle(session, network, actor=SYSTEM, renewal_years=9).renewal_years == 9
    much_later = NOW + timedelta(days=6 * 366)
    counting.take(much_later)
    assert until(counting, "1") < to_ms(much_later)  # five years, as the hospital says
    network.consent = {"renewal_years": "9", "use_years": None, "remind_years": True}
    session.flush()
    assert periods_of(session, network.slug) == Periods()


def test_a_death_by_mistake_is_corrected_by_the_hospital_alone(place: Place) -> None:
    here, counting, session = place.here, Counting(place.here), place.hub.session
    says_yes(here, "1", place.hub)
    says_yes(here, "2", place.hub)
    handle = here.handles.handle("1")
    with transaction(here.database):
        here.people.died(handle, NOW + MINUTE)
        with pytest.raises(SetupError, match="no death"):
            here.people.not_died(here.handles.handle("2"), NOW)
    here.tell(NOW + MINUTE)
    counting.take(NOW + 2 * MINUTE)
    assert not counting.counts("1", NOW + 2 * MINUTE)
    subject = here.subject("1")
    assert closing.is_closed(session, subject.id)

    # Somebody at the hub writes that it was a mistake. The hub believes its database.
    facts = session.scalars(select(Fact).where(Fact.subject_id == subject.id)).all()
    for fact in facts:
        session.add(FactCorrection(fact_id=fact.id, recorded_at=NOW + 3 * MINUTE, number=999))
    session.flush()
    assert not closing.is_closed(session, subject.id)
    counting.take(NOW + 4 * MINUTE)
    assert not counting.counts("1", NOW + 4 * MINUTE)

    with transaction(here.database):
        assert not here.people.not_died(handle, LATER)  # the first one changes nothing
        for same in ("Anna", " anna ", "ANNA"):
            with pytest.raises(SetupError, match="somebody else"):
                People(here.database, here.outbox, same).not_died(handle, LATER)
        assert dead(here.database) == [handle]
        assert People(here.database, here.outbox, "Bram").not_died(handle, LATER)
    assert dead(here.database) == []
    known = person(here.database, handle)
    assert (known.died, known.contact_stopped) == (False, False)
    counting.take(LATER + MINUTE)
    assert counting.counts("1", LATER + MINUTE)
    kept = here.database.execute("SELECT kind, by_name FROM fact ORDER BY number").fetchall()
    assert kept == [
        ("death", "Anna"),
        ("death_questioned", "Anna"),
        ("death_mistaken", "Anna, Bram"),
    ]
    # The second time it is true.
    with transaction(here.database):
        here.people.died(handle, LATER + 2 * MINUTE)
    counting.take(LATER + 3 * MINUTE)
    assert not counting.counts("1", LATER + 3 * MINUTE)


def test_the_hub_opens_again_when_the_hospital_says_so(place: Place) -> None:
    here, session = place.here, place.hub.session
    says_yes(here, "1", place.hub)
    handle, subject = here.handles.handle("1"), here.subject("1")
    with transaction(here.database):
        here.people.stop_contact(handle, NOW)
        here.people.died(handle, NOW + MINUTE)
    here.tell(NOW + MINUTE)
    told = Told(session, here.slug, subject.network, 99, NOW + 2 * MINUTE)
    with pytest.raises(ConsentError, match="closed"):
        invitation(told, {"handle": subject.handle, "party": "self", "role": "self"})
    during = NOW + 3 * MINUTE
    place.hub.stop(subject, during)
    with pytest.raises(ConsentError, match="closed"):
        place.hub.answer(subject, during + MINUTE)
    with transaction(here.database):
        here.people.not_died(handle, LATER)
        People(here.database, here.outbox, "Bram").not_died(handle, LATER)
    assert here.tell(LATER) == {"taken": 1}
    # A stop of messages of before the death stays; the one that came with it does not.
    corrected = select(FactCorrection.fact_id)
    left = session.scalars(select(Fact.kind).where(Fact.id.not_in(corrected))).all()
    assert left == ["contact_stop"]
    place.hub.answer(subject, LATER + MINUTE)
    assert here.permits("1", "use.record", LATER + 2 * MINUTE)
    # Told once more, as after a restore: nothing is written twice.
    with transaction(here.database):
        here.outbox.add("reopened", {"handle": subject.handle}, LATER)
    assert here.tell(LATER + MINUTE) == {"taken": 1}
    assert len(session.scalars(select(FactCorrection)).all()) == 2


def test_a_yes_that_was_slipped_in_while_closed_never_counts(place: Place) -> None:
    here, session = place.here, place.hub.session
    says_yes(here, "1", place.hub)
    handle, subject = here.handles.handle("1"), here.subject("1")
    place.hub.stop(subject, NOW + MINUTE)
    with transaction(here.database):
        here.people.died(handle, NOW + 2 * MINUTE)
    here.tell(NOW + 2 * MINUTE)
    fact = session.scalars(select(Fact).where(Fact.kind == "closed")).one()
    session.add(FactCorrection(fact_id=fact.id, recorded_at=NOW + 9 * MINUTE, number=2))
    session.flush()
    with pytest.MonkeyPatch.context() as open_door:
        open_door.setattr("consent.recording.is_closed", lambda *_: False)
        place.hub.answer(subject, NOW + 5 * MINUTE)
    assert not here.permits("1", "use.record", NOW + 10 * MINUTE)
    place.hub.answer(subject, NOW + 11 * MINUTE)
    assert here.permits("1", "use.record", NOW + 12 * MINUTE)


def test_a_representative_does_nothing_before_the_appointment(place: Place) -> None:
    """Not by the letter, not on paper, and not by an act that a hub carries along."""
    here, session = place.here, place.hub.session
    handle = here.handles.handle("1")
    begins = NOW + timedelta(days=10)
    with transaction(here.database):
        mentor = here.people.add_representative(handle, "mentor", begins, None, NOW)
        letter = here.letters.make(handle, [STUDY], NOW, party=mentor, second=False)
        early = Form(handle, STUDY, YES, NOW.date(), text_version=place.hub.text, party=mentor)
        for form in (early, Form(handle, "*", {"*": "no"}, NOW.date(), party=mentor)):
            with pytest.raises(SetupError, match="had not begun"):
                here.paper("Anna").enter(form, NOW)
    here.tell(NOW)
    found = consent.sign_in_with_code(session, letter.printed, now=LATER)
    assert (found.subject, found.not_begun) == (None, True)
    wrong = letter.printed[:-1] + ("A" if letter.printed[-1] != "A" else "B")
    assert not consent.sign_in_with_code(session, wrong, now=LATER).not_begun
    opened = consent.sign_in_with_code(session, letter.printed, now=begins)
    assert opened.subject is not None
    subject: Subject = here.subject("1")

    code = read_code(letter.printed)
    assert code is not None

    def answered(at: datetime) -> None:
        prove = letter_prover(code.code_id, proof_key(code.code_id, code.secret))
        consent.record(
            session,
            subject=subject,
            study=STUDY,
            answers=YES,
            text_version=place.hub.text,
            language="nl",
            form_key=str(at),
            actor=consent.patient(subject),
            now=at,
            circumstances=Circumstances(prove=prove, party=mentor, role="mentor"),
        )

    counting, after = Counting(here), begins + timedelta(hours=1)
    answered(begins - timedelta(days=1))
    assert not here.permits("1", "use.record", after)
    answered(begins + MINUTE)
    assert here.permits("1", "use.record", after)
    counting.take(after)
    assert counting.counts("1", after)
    # The hospital finds that the appointment begins later: what was said counts no more.
    later = begins + timedelta(days=5)
    with transaction(here.database):
        here.people.add_representative(handle, "mentor", later, None, after, mentor)
    counting.take(later + MINUTE)
    assert not counting.counts("1", later + MINUTE)
    here.tell(later)
    assert not here.permits("1", "use.record", later + MINUTE)


def test_the_hospital_finds_whom_to_write_to_and_writes_once(place: Place) -> None:
    here, counting = place.here, Counting(place.here)
    for number in "12345":
        says_yes(here, number, place.hub)
    settings = SiteSettings(
        slug=here.slug,
        name="Here",
        network=here.subject("1").network,
        hub_public=counting.key.public,
        source={},
        studies={},
    )
    directory: Any = SimpleNamespace(settings=settings)
    due = NOW + Periods().renewal

    def asked(until: datetime, at: Any = directory) -> dict[bytes, str]:
        found = to_ask_again(at, here.database, NOW + MINUTE, until)
        assert all(each.day <= to_ms(until) for each in found)
        return {each.handle: each.party for each in found}

    assert asked(due) == {}  # without a list
    handles = {number: here.handles.handle(number) for number in "123456"}
    with transaction(here.database):
        mentor = here.people.add_representative(handles["6"], "mentor", None, None, NOW)
        form = Form(handles["6"], STUDY, YES, NOW.date(), text_version=place.hub.text, party=mentor)
        here.paper("Bram").confirm(here.paper("Anna").enter(form, NOW), NOW)
        stop = Form(handles["2"], STUDY, {COLLECT_NEW: "no"}, NOW.date(), how="phone")
        here.paper("Anna").enter(stop, NOW)
        here.people.stop_contact(handles["3"], NOW)
        here.people.died(handles["4"], NOW)
    counting.take(NOW + MINUTE)
    here.tell(NOW)
    counting.take(NOW + 2 * MINUTE)
    assert asked(due - timedelta(days=2)) == {}
    # Who decides for the patient is written to, and not the patient.
    assert asked(due) == {handles["1"]: "self", handles["5"]: "self", handles["6"]: mentor}
    then = due - timedelta(days=30)
    with transaction(here.database):
        here.letters.make(handles["5"], [STUDY], then)
        here.letters.make(handles["6"], [STUDY], then, party=mentor)
    assert set(asked(due)) == {handles["1"]}
    # A hospital that asks sooner by its own setting finds them sooner.
    sooner: Any = SimpleNamespace(settings=replace(settings, periods=Periods(renewal_years=3)))
    early = NOW + 4 * YEAR
    assert handles["1"] in asked(early, sooner)
    assert asked(early) == {}


def test_taking_a_stop_back_renews_nothing(hub: Hub) -> None:
    """It would be a yes of now, and let data count that did not."""
    session = hub.session
    patients = [hub.subject() for _ in range(4)]
    for anna in patients:
        hub.answer(anna, NOW)
    for days, taken_back in ((-2, True), (2, False)):
        for study in (STUDY, None):
            anna = patients.pop()
            stopped = hub.stop(anna, NOW + Periods().renewal + timedelta(days=days), study)
            then = stopped.recorded_at + MINUTE
            if study is None:
                found = undoing_all.brings_back(session, anna, stopped, then) == [STUDY]
            else:
                found = undoing.may_undo(session, anna, stopped, then)
            assert found == taken_back, (study, days)


def test_an_export_permits_nothing_for_who_is_due(hub: Hub) -> None:
    """A reader of FHIR may not look at dates; the end of the yes stands in it."""
    anna, periods = hub.subject(), Periods()
    hub.answer(anna, NOW)

    def active(at: datetime) -> list[str]:
        found = fhir.consents(fhir_log.patient(hub.session, anna, at), at)
        return [item.item for each in found for item in each.items if item.permits]

    assert set(active(NOW + MINUTE)) == set(REQUIRES)
    assert set(active(NOW + periods.renewal - MINUTE)) == set(REQUIRES)
    assert active(NOW + periods.renewal) == []
    [first, *_] = fhir.consents(fhir_log.patient(hub.session, anna, LATER), LATER)
    assert {item.until for item in first.items} == {NOW + periods.use}
    signed = receipts.Signers(lambda _: b"head", lambda _: b"receipt", "k1")
    [receipt] = hub.session.scalars(select(Receipt).where(Receipt.subject_id == anna.id))
    told = receipts.receipt_document(hub.session, receipt, signers=signed)
    ends = (NOW + periods.use).date().isoformat()
    assert (told["ask_again"], told["ends"]) == ("2031-11-22", ends)
    record = dpv.dpv_record(told)
    assert {each["dpv:hasDuration"]["dct:valid"]["@value"] for each in record["dct:hasPart"]} == {
        ends
    }
    no = hub.stop(anna, LATER)
    told = receipts.receipt_document(hub.session, no, signers=signed)
    assert (told["ask_again"], told["ends"]) == (None, None)
    assert dpv.dpv_record(told)["dct:hasPart"][0]["dpv:hasDuration"] is None


def test_a_list_without_any_act_ends_nothing(place: Place) -> None:
    counting = Counting(place.here)
    place.here.tell(NOW)
    counting.take(NOW + MINUTE)
    snapshot = counting.consenting.snapshot
    assert snapshot is not None
    assert snapshot.windows is not None
    assert snapshot.windows.changes_at == NO_END
    assert all(len(each) == 0 for each in snapshot.windows.until)
