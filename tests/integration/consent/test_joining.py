"""Into a study only after a yes, and out of it with a stop that reaches every hospital."""

import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DatabaseError

from consent import joined, joining, links
from consent import joining_letters as letters
from consent import service as consent
from consent.joining import Letter, SignedForm
from consent.models import ConsentEvent, Receipt
from consent.models_joining import ParticipantLink
from consent.verifying import LogHolds, verify_log
from registry.database import SessionFactory
from studies.days import local_day
from studies.errors import StudiesError
from studies.participants import entering as participants
from studies.participants import handover, milestones
from studies.participants.history import state_on
from studies.participants.models import Participant, ParticipantEvent
from studies.participants.numbers import set_arms, settle_prefix
from studies.recruitment import accrual

from .conftest import NOW, STUDY, Hub
from .ward import CHECKER, DAY, FORM, LATER, NURSE, OTHER, SITE, Ward, refused


@pytest.fixture
def ward(hub: Hub) -> Ward:
    return Ward(hub)


def test_nobody_comes_in_before_they_agreed(ward: Ward) -> None:
    session = ward.session
    agreed, number = ward.patient()
    # As people copy it: small letters, spaces, an O for a nought.
    copied = f" {number[:3]}-{number[3:]} ".lower().replace("0", "O")
    one = ward.enter("HT-0001", Letter(copied))
    assert (one.state, one.site, one.version) == ("screening", SITE, 2)
    first = one.events[0]
    assert (first.kind, first.value, first.at) == ("milestone", "consented", NOW)
    assert first.evidence == {"shown": "letter", "text": ward.hub.text}
    assert joined.subjects(session, one) == [agreed]

    # The same letter or number again, and nobody who said no, later or nothing.
    refused("joined_already", lambda: ward.enter("HT-0002", Letter(number)))
    fresh = ward.patient()[1]
    refused("pseudonym_taken", lambda: ward.enter("HT-0001", Letter(fresh)))
    for answers in ({"study_join": "no"}, {"study_join": "later"}):
        refused("not_agreed", lambda a=answers: ward.enter("HT-0003", Letter(ward.patient(**a)[1])))
    silent = ward.letter(ward.hub.subject())
    refused("not_agreed", lambda: ward.enter("HT-0003", Letter(silent)))
    # A trial may be joined by who wants to be counted in no query of the network.
    alone, without = ward.patient(use_network="no")
    ward.enter("HT-0004", Letter(without))
    assert not ward.counted(alone, NOW + DAY)
    stopped, its = ward.patient()
    ward.hub.stop(stopped, NOW + timedelta(hours=1))
    refused("not_agreed", lambda: ward.enter("HT-0003", Letter(its)))

    # One answer for a letter of another hospital, of a parent, of nobody, and no letter at all.
    elsewhere = ward.patient(OTHER)[1]
    child = ward.hub.subject()
    parent = ward.letter(child, party="p-1", role="parent")
    for typed in (elsewhere, parent, "000000", "ZZZZZZ0000000000", ""):
        refused("letter_not_found", lambda typed=typed: ward.enter("HT-0003", Letter(typed)))

    # What looks like a person is refused before anything is looked up.
    refused("bad_pseudonym", lambda: ward.enter("HT-123456782", Letter(fresh)))
    refused("step_not_allowed", lambda: ward.enter("HT-5", Letter(fresh), state="candidate"))
    refused("step_not_allowed", lambda: ward.enter("HT-5", Letter(fresh), state="follow-up"))
    # The yes is of NOW: nobody was in the study before that.
    refused("consent_needed", lambda: ward.enter("HT-5", Letter(fresh), at=NOW - DAY / 4))
    refused("in_the_future", lambda: ward.enter("HT-5", Letter(fresh), at=NOW + 2 * DAY))
    ward.study.state = "closed"
    refused("not_enrolling", lambda: ward.enter("HT-5", Letter(fresh)))


def test_a_signed_form_is_a_milestone_and_no_choice(ward: Ward) -> None:
    session = ward.session
    events = len(session.scalars(select(ConsentEvent)).all())
    one = ward.enter("HT-1-001", FORM, state="eligible")
    assert one.events[0].evidence == {"shown": "form", "text": "1", "checked_by": CHECKER}
    assert len(session.scalars(select(ConsentEvent)).all()) == events
    mine = ward.enter("HT-1-002", SignedForm(NOW.date(), "1"))
    assert mine.events[0].evidence == {"shown": "form", "text": "1", "checked_by": NURSE.id}
    # Neither another text, nor one of before it was in force, nor a date to come, nor a name.
    refused("consent_text_differs", lambda: ward.enter("HT-3", SignedForm(NOW.date(), "2")))
    early = SignedForm(NOW.date() - DAY, "1")
    refused("consent_text_differs", lambda: ward.enter("HT-3", early))
    refused("in_the_future", lambda: ward.enter("HT-3", SignedForm(date(2027, 1, 1), "1")))
    refused("consent_needed", lambda: ward.enter("HT-3", SignedForm(NOW.date(), "1", "P. Jansen")))
    # Half an hour past midnight here it is the next day already; nobody signs the day after.
    night, today = datetime(2026, 11, 23, 23, 30, tzinfo=UTC), date(2026, 11, 24)
    ahead = SignedForm(today + DAY, "1")
    refused("in_the_future", lambda: ward.enter("HT-7", ahead, now=night))
    late = ward.enter("HT-7", SignedForm(today, "1"), now=night)
    assert local_day(late.events[0].at) == today
    # The patient's hospital has a patient who is not asked: the form opens no data.
    subject = ward.hub.subject()
    letters.link_letter(session, one, ward.letter(subject), actor=NURSE, now=NOW + DAY)
    assert not ward.counted(subject, NOW + DAY)
    assert joined.without_consent(session, ward.study, NOW + DAY) == (one,)
    refused("not_agreed", lambda: joining.move(session, one, "on-study", actor=NURSE, now=LATER))
    ward.hub.answer(subject, NOW + DAY)
    assert joined.without_consent(session, ward.study, NOW + 2 * DAY) == ()
    joining.move(session, one, "on-study", actor=NURSE, now=NOW + 2 * DAY)
    # Nor can somebody at the hub give a yes for them.
    refused(
        "not_your_own",
        lambda: consent.record(
            session,
            subject=subject,
            study=STUDY,
            answers={},
            text_version=ward.hub.text,
            language="nl",
            form_key="x",
            actor=NURSE,
            now=LATER,
        ),
    )


def test_leaving_by_data_use_leaves_every_query_at_every_hospital(ward: Ward) -> None:
    session, key = ward.session, b"k" * 32
    here, number = ward.patient()
    there, second = ward.patient(OTHER)
    bystander, third = ward.patient()
    late, fourth = ward.patient()
    # The patient themselves said that the two are one person.
    shown = links.show_code(session, there, key, NOW)
    assert links.link(session, here, shown.printed, key, NOW)
    one = ward.enter("HT-0001", Letter(number), state="on-study")
    ward.enter("HT-0002", Letter(third), state="on-study")
    # So they cannot come in a second time at the other hospital.
    refused("joined_already", lambda: ward.enter("HT-0003", Letter(second), site=OTHER))
    assert [ward.counted(each, LATER) for each in (here, there, bystander)] == [True] * 3

    # Leaving the treatment, or the follow-up, says nothing about data.
    receipts = len(session.scalars(select(Receipt)).all())
    left = joining.leave(session, one, "treatment", actor=NURSE, now=LATER)
    assert (one.state, left.sites, left.unreached) == ("follow-up", (), False)
    assert len(session.scalars(select(Receipt)).all()) == receipts
    assert ward.counted(here, LATER + DAY)

    left = joining.leave(session, one, "data_all", actor=NURSE, now=LATER + DAY)
    assert (one.state, left.sites, left.unreached) == ("off-study", (OTHER, SITE), False)
    after = LATER + 2 * DAY
    assert [ward.counted(each, after) for each in (here, there, bystander)] == [
        False,
        False,
        True,
    ]
    # It stands in the patient's own history, with who wrote it down; again adds nothing.
    line = consent.history(session, here)[0]
    assert (line.kind, line.item, line.study, line.role) == ("withdrawn", "*", STUDY, "staff")
    said = session.scalars(select(ConsentEvent).where(ConsentEvent.subject_id == here.id)).all()[-1]
    assert (said.actor_kind, said.actor_id, said.channel) == ("user", NURSE.id, "study")
    size = len(session.scalars(select(ConsentEvent)).all())
    joining.leave(session, one, "data_all", actor=NURSE, now=after)
    joining.leave(session, one, "follow_up", actor=NURSE, now=after)
    assert len(session.scalars(select(ConsentEvent)).all()) == size
    # The log still verifies, and the patient alone can open it again.
    assert isinstance(verify_log(session, here.network), LogHolds)
    ward.hub.answer(here, after)
    assert [ward.counted(each, after + DAY) for each in (here, there)] == [True, False]

    # Nothing new from now on: what is there stays in use up to that moment.
    two = participants.get_participant(session, STUDY, "HT-0002")
    joining.leave(session, two, "data_from_now", actor=NURSE, now=after + DAY)
    [choice] = consent.choices(session, bystander, after + 2 * DAY)
    assert choice.nothing_new == after + DAY
    # Who stops it all later still can, long after the study.
    joining.leave(session, two, "data_all", actor=NURSE, now=after + 400 * DAY)
    assert two.state == "off-study"
    assert not ward.counted(bystander, after + 401 * DAY)

    # Without a letter the hub cannot reach anybody, and says so.
    form = ward.enter("HT-0004", FORM)
    left = joining.leave(session, form, "data_all", actor=NURSE, now=NOW + 2 * DAY)
    assert (form.state, left.unreached) == ("withdrawn", True)
    assert joined.unreached(session, STUDY) == (form,)
    # As soon as the hospital links a letter, the stop of then reaches it.
    assert ward.counted(late, after + 402 * DAY)
    letters.link_letter(session, form, fourth, actor=NURSE, now=after + 402 * DAY)
    assert not ward.counted(late, after + 403 * DAY)
    assert joined.unreached(session, STUDY) == ()


def test_a_transplant_and_its_after_care_are_one_participant(ward: Ward) -> None:
    """Stem cells in Maastricht, after-care elsewhere (seed 003): counted once, whatever the day."""
    session, now = ward.session, LATER
    number = ward.patient(OTHER)[1]
    one = ward.enter("HT-1-001", Letter(number), site=OTHER, state="on-study")
    entered = one.since
    home, second = ward.patient(SITE)

    def sites(moment: Any) -> dict[str, int]:
        found = accrual.accrual(session, ward.study, moment)
        assert found.n == sum(site.n for site in found.sites) == 1
        return {site.institution: site.n for site in found.sites if site.n}

    refused("no_handover", lambda: joining.take_over(session, one, SITE, actor=NURSE, now=now))
    refused("step_not_allowed", lambda: handover.offer(session, one, OTHER, actor=NURSE, now=now))
    refused("not_found", lambda: handover.offer(session, one, "erasmus-mc", actor=NURSE, now=now))
    handover.offer(session, one, SITE, actor=NURSE, now=now)
    assert (one.site, one.offered_to) == (OTHER, SITE)
    assert participants.list_participants(session, STUDY, site=SITE) == [one]
    refused(
        "no_handover", lambda: handover.take_over(session, one, "viecuri", actor=NURSE, now=now)
    )
    handover.do_not_take(session, one, SITE, actor=NURSE, now=now)
    assert one.offered_to is None
    handover.offer(session, one, SITE, actor=NURSE, now=now)
    refused(
        "reason_needed",
        lambda: joining.take_over(session, one, SITE, actor=NURSE, now=now, at=NOW + 5 * DAY),
    )
    handover.take_over(
        session, one, SITE, actor=NURSE, now=now, at=NOW + 5 * DAY, reason="recorded_late"
    )
    assert (one.site, one.credited, one.offered_to) == (SITE, OTHER, None)
    assert state_on(one, NOW + 4 * DAY).site == OTHER
    assert state_on(one, NOW + 6 * DAY).site == SITE
    assert state_on(one, NOW + 6 * DAY, known_at=NOW + 7 * DAY).site == OTHER
    assert (one.on_study, sites(now)) == (entered, {OTHER: 1})

    # The hospital that goes on has a letter of its own; it is the same participant.
    letters.link_letter(session, one, second, actor=NURSE, now=now)
    letters.link_letter(session, one, second, actor=NURSE, now=now)
    assert {each.site for each in joined.subjects(session, one)} == {SITE, OTHER}
    refused("joined_already", lambda: ward.enter("HT-2-001", Letter(second)))
    assert sites(now) == {OTHER: 1}
    # A no at either of them ends the yes.
    ward.hub.stop(home, now)
    assert joined.without_consent(session, ward.study, now + DAY) == (one,)
    refused(
        "not_agreed", lambda: joining.move(session, one, "follow-up", actor=NURSE, now=now + DAY)
    )
    left = joining.leave(session, one, "data_all", actor=NURSE, now=now + DAY)
    assert left.sites == (OTHER, SITE)
    refused("has_left", lambda: handover.offer(session, one, OTHER, actor=NURSE, now=now + DAY))


def test_dates_lie_back_with_a_reason_and_histories_only_grow(ward: Ward) -> None:
    session, now = ward.session, LATER
    set_arms(session, ward.study, [("a", "Kort", "Short"), ("b", "Lang", "Long")], actor=NURSE)
    one = ward.enter("HT-0001", Letter(ward.patient()[1]), state="eligible")
    other = ward.enter("HT-0002", Letter(ward.patient()[1]), state="on-study")

    def move(to: str, **more: Any) -> Participant:
        return joining.move(session, one, to, **{"actor": NURSE, "now": now} | more)

    refused("step_not_allowed", lambda: move("off-study"))
    refused("step_not_allowed", lambda: move("withdrawn"))
    refused("before_last_step", lambda: move("on-study", at=NOW + DAY / 2, reason="recorded_late"))
    refused("reason_needed", lambda: move("on-study", at=NOW + 3 * DAY))
    refused("unknown_code", lambda: move("on-study", at=NOW + 3 * DAY, reason="P. Jansen"))
    refused("in_the_future", lambda: move("on-study", at=now + DAY))
    refused("changed_meanwhile", lambda: move("on-study", expected=1))
    move("on-study", at=NOW + 3 * DAY, reason="recorded_late", expected=2)
    assert state_on(one, NOW + 2 * DAY).state == "eligible"
    assert state_on(one, NOW + 4 * DAY).state == "on-study"
    assert state_on(one, NOW + 4 * DAY, known_at=NOW + 5 * DAY).state == "eligible"
    assert state_on(one, NOW).state is None

    milestones.allocate(session, one, "b", actor=NURSE, now=now)
    assert (one.arm, set(state_on(one, now).milestones)) == ("b", {"consented", "randomised"})
    refused(
        "milestone_reached",
        lambda: milestones.allocate(session, one, "a", actor=NURSE, now=now),
    )
    refused("unknown_arm", lambda: milestones.allocate(session, other, "c", actor=NURSE, now=now))
    refused(
        "unknown_milestone",
        lambda: milestones.reach(session, one, "consented", actor=NURSE, now=now),
    )
    refused("unknown_arm", lambda: set_arms(session, ward.study, [("a", "A", "A")], actor=NURSE))
    refused("name_taken", lambda: settle_prefix(session, ward.study, "XX", actor=NURSE, now=now))

    # A date is put right; what was written before can still be asked for.
    event = next(each for each in one.events if each.value == "on-study")

    def redate(at: Any, **more: Any) -> Participant:
        given = {"reason": "mistake", "actor": NURSE, "now": now} | more
        return participants.redate(session, one, event.number, at, **given)

    redate(NOW + 2 * DAY)
    assert one.on_study == NOW + 2 * DAY
    assert accrual.accrual(session, ward.study, now).curve[-1] == ((NOW + 2 * DAY).date(), 2)
    session.commit()
    refused("before_last_step", lambda: redate(NOW + DAY / 2))
    session.rollback()
    refused("in_the_future", lambda: redate(now + DAY))
    session.rollback()

    # Entered by mistake: counted nowhere, kept in the history, and the letter is free again.
    number = ward.letter(joined.subjects(session, other)[0])
    joining.enter_wrongly(session, other, actor=NURSE, now=now)
    assert accrual.accrual(session, ward.study, now).n == 1
    assert other not in participants.list_participants(session, STUDY)
    refused("has_left", lambda: joining.move(session, other, "off-study", actor=NURSE, now=now))
    again = ward.enter("HT-0003", Letter(number), now=now)
    assert joined.subjects(session, again) == joined.subjects(session, again)
    session.commit()

    # The database itself refuses to change what happened.
    rewrite = (
        update(ParticipantEvent).values(value="off-study"),
        delete(ParticipantEvent),
        text("UPDATE participant_event SET at = 0"),
    )
    for statement in rewrite:
        with pytest.raises(DatabaseError, match="append-only"):
            session.execute(statement)
        session.rollback()
    assert session.scalars(select(ParticipantLink)).all()


def test_of_several_at_once_one_is_first_and_the_others_are_told(
    ward: Ward, factory: SessionFactory
) -> None:
    ward.enter("HT-0001", FORM, state="on-study")
    ward.session.commit()
    gate, said = threading.Barrier(4), list[str]()

    def leave(way: str) -> None:
        with factory() as session:
            one = participants.get_participant(session, STUDY, "HT-0001")
            session.rollback()
            gate.wait()
            try:
                joining.leave(session, one, way, actor=NURSE, now=LATER, expected=2)
                session.commit()
                said.append("done")
            except StudiesError as error:
                said.append(error.code)

    threads = [threading.Thread(target=leave, args=(way,)) for way in ("treatment", "data_all") * 2]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(said) == ["changed_meanwhile"] * 3 + ["done"]
    one = participants.get_participant(ward.session, STUDY, "HT-0001")
    ward.session.refresh(one, ["version", "events"])
    assert (one.version, len(one.events)) == (3, 3)
