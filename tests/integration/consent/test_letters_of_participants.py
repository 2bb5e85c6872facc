"""Letters of participants: stopped twice, nothing after a "no", one letter each, a link undone.

Source: docs/adr/0030, and findings 1, 4, 5 and 9 of the review of 2026-11-23.
"""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from consent import joined, joining, links
from consent import joining_letters as letters
from consent.joining import Letter
from consent.models import ConsentEvent
from consent.verifying import LogHolds, verify_log
from studies.participants import entering as participants
from studies.participants import handover, milestones
from studies.participants.numbers import set_arms

from .conftest import Hub
from .ward import DAY, FORM, LATER, NURSE, OTHER, SITE, Ward, refused


@pytest.fixture
def ward(hub: Hub) -> Ward:
    return Ward(hub)


def said(ward: Ward) -> int:
    return ward.session.scalar(select(func.count()).select_from(ConsentEvent)) or 0


def test_who_said_yes_again_is_stopped_again(ward: Ward) -> None:
    session, key = ward.session, b"k" * 32
    here, number = ward.patient()
    there, _second = ward.patient(OTHER)
    shown = links.show_code(session, there, key, LATER - DAY)
    assert links.link(session, here, shown.printed, key, LATER - DAY)
    one = ward.enter("HT-0001", Letter(number), state="on-study")

    def leave(way: str, at: Any) -> joining.Left:
        return joining.leave(session, one, way, actor=NURSE, now=at)

    assert leave("data_all", LATER).sites == (OTHER, SITE)
    assert not joined.stops_again(session, one)
    before = said(ward)
    # Nothing to stop: nothing is written, and it is not said that anything goes out.
    again = leave("data_all", LATER + DAY)
    assert (again.sites, again.unreached, said(ward)) == ((), False, before)

    # The patient says yes again on their own page, at one of the two; and stops again at the desk.
    for turn in (1, 2):
        at = LATER + turn * 10 * DAY
        ward.hub.answer(here, at)
        assert joined.stops_again(session, one)
        assert ward.counted(here, at + DAY)
        left = leave("data_all", at + 2 * DAY)
        assert (left.sites, left.unreached, one.state) == ((SITE,), False, "off-study")
        assert not ward.counted(here, at + 3 * DAY)
        assert (one.events[-1].kind, one.events[-1].value) == ("left", "data_all")
        assert not joined.stops_again(session, one)
    assert one.version == 5
    # A lesser stop after the yes is written down as what it is.
    ward.hub.answer(here, LATER + 40 * DAY)
    assert leave("data_from_now", LATER + 41 * DAY).sites == (SITE,)
    assert leave("data_from_now", LATER + 42 * DAY).sites == ()
    assert isinstance(verify_log(session, here.network), LogHolds)


def test_nothing_further_is_done_with_who_said_no(ward: Ward) -> None:
    session = ward.session
    set_arms(session, ward.study, [("a", "Kort", "Short")], actor=NURSE)
    patient, number = ward.patient()
    one = ward.enter("HT-0001", Letter(number), state="on-study")
    handover.offer(session, one, OTHER, actor=NURSE, now=LATER)
    ward.hub.stop(patient, LATER)
    now = LATER + DAY
    given: dict[str, Any] = {"actor": NURSE, "now": now}
    for milestone in ("screened", "treatment_started", "primary_endpoint", "randomised"):
        refused("not_agreed", lambda m=milestone: joining.reach(session, one, m, **given))
    refused("not_agreed", lambda: joining.allocate(session, one, "a", **given))
    refused("not_agreed", lambda: joining.take_over(session, one, OTHER, **given))
    after = {"at": LATER + timedelta(hours=1)}
    refused("not_agreed", lambda: joining.allocate(session, one, "a", **given, **after))
    assert (one.arm, one.site, one.version) == (None, SITE, 3)
    # What ends may be written down, and what happened while they still agreed, with its day.
    joining.reach(session, one, "last_visit", **given)
    joining.reach(session, one, "treatment_started", **given, at=LATER - DAY)
    joining.allocate(session, one, "a", **given, at=LATER - DAY)
    assert one.arm == "a"
    # The commands beneath do not look at the yes: only joining may call them.
    milestones.reach(session, one, "primary_endpoint", **given)
    # Who said yes again may go on.
    ward.hub.answer(patient, now)
    joining.take_over(session, one, OTHER, actor=NURSE, now=now + DAY)
    assert one.site == OTHER


def test_one_letter_of_a_hospital_and_a_wrong_link_is_undone(ward: Ward) -> None:
    session = ward.session
    theirs, number = ward.patient()
    stranger, wrong = ward.patient()
    third, another = ward.patient()
    one = ward.enter("HT-0001", FORM, state="on-study")
    joining.leave(session, one, "data_all", actor=NURSE, now=LATER)
    given: dict[str, Any] = {"actor": NURSE, "now": LATER + DAY}
    events = said(ward)
    refused(
        "changed_meanwhile", lambda: letters.link_letter(session, one, wrong, **given, expected=2)
    )
    letters.link_letter(session, one, wrong, **given, expected=3)
    assert (one.version, one.events[-1].kind, one.events[-1].value) == (4, "linked", SITE)
    assert said(ward) == events + 1
    # One letter after another would stop each of these patients.
    for second in (number, another):
        refused("letter_linked", lambda n=second: letters.link_letter(session, one, n, **given))
    letters.link_letter(session, one, wrong, **given)
    assert (one.version, said(ward)) == (4, events + 1)
    assert ward.counted(third, LATER + 2 * DAY)
    assert not ward.counted(stranger, LATER + 2 * DAY)

    # The wrong link goes, the right one comes, and the other patient can be entered.
    refused("letter_not_found", lambda: letters.unlink_letter(session, one, OTHER, **given))
    letters.unlink_letter(session, one, SITE, **given, expected=4)
    assert (joined.subjects(session, one), joined.unlinked(one)) == ([], (SITE,))
    assert joined.unreached(session, ward.study.slug) == (one,)
    letters.link_letter(session, one, number, **given)
    assert (joined.subjects(session, one), joined.unlinked(one)) == ([theirs], ())
    assert not ward.counted(theirs, LATER + 3 * DAY)
    ward.hub.answer(stranger, LATER + 4 * DAY)
    two = ward.enter("HT-0002", Letter(wrong), now=LATER + 5 * DAY)
    given["now"] = LATER + 6 * DAY

    # Nobody gets round a "no" by unlinking the letter that says it.
    three = ward.enter("HT-0003", FORM, state="on-study")
    letters.link_letter(session, three, another, **given)
    ward.hub.stop(third, LATER + 6 * DAY)
    refused("not_agreed", lambda: joining.move(session, three, "follow-up", **given))
    letters.unlink_letter(session, three, SITE, **given)
    refused("letter_unlinked", lambda: joining.move(session, three, "follow-up", **given))
    joining.leave(session, three, "follow_up", **given)
    refused("letter_needed", lambda: letters.unlink_letter(session, two, SITE, **given))

    # Who was entered by mistake holds no letter, and gets none.
    joining.enter_wrongly(session, three, **given)
    refused("has_left", lambda: letters.link_letter(session, three, another, **given))
    refused("has_left", lambda: letters.unlink_letter(session, three, SITE, **given))
    ward.hub.answer(third, LATER + 7 * DAY)
    four = ward.enter("HT-0004", Letter(another), now=LATER + 8 * DAY)
    assert joined.subjects(session, four) == [third]
    number_of = one.events[-1].number
    refused(
        "not_found",
        lambda: participants.redate(session, one, number_of, LATER, reason="mistake", **given),
    )
