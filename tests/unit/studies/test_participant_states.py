"""The table of states, and what histories add up to."""

import ast
import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studies.errors import StudiesError
from studies.participants.history import dated, fold
from studies.participants.models import ParticipantEvent
from studies.participants.numbers import check_pseudonym
from studies.participants.states import (
    ENDED,
    ENTRY,
    LEAVINGS,
    ON_STUDY,
    ONLY_BY_LEAVING,
    STATES,
    after_leaving,
)

DAY0 = datetime(2026, 1, 1, tzinfo=UTC)
# The code system research-subject-state of FHIR R5, as published by HL7.
FHIR_R5 = frozenset(
    """candidate eligible follow-up ineligible not-registered off-study on-study
    on-study-intervention on-study-observation pending-on-study potential-candidate screening
    withdrawn""".split()
)


def test_the_states_are_those_of_fhir() -> None:
    assert set(STATES) == FHIR_R5
    assert len(STATES) == 13
    assert {code for code, state in STATES.items() if not state.stored} == {
        "candidate",
        "potential-candidate",
    }


def test_the_table_leads_somewhere_and_ends() -> None:
    stored = {code for code, state in STATES.items() if state.stored}
    reached, todo = set[str](), [ENTRY]
    while todo:
        here = todo.pop()
        for code, state in STATES.items():
            if here in state.follows and code not in reached:
                reached.add(code)
                todo.append(code)
    assert reached == stored
    for code, state in STATES.items():
        assert not state.follows & ENDED, code  # nobody comes back
        assert state.follows <= stored | {ENTRY}, code
        if not state.stored:
            assert not state.follows
    # Whoever came on study cannot become somebody who never did.
    for code in stored - ON_STUDY:
        assert not STATES[code].follows & ON_STUDY, code
    assert ONLY_BY_LEAVING <= ENDED


@pytest.mark.parametrize("way", LEAVINGS)
def test_leaving_ends_where_it_should(way: str) -> None:
    for state in STATES:
        after = after_leaving(state, way)
        if way == "treatment":
            assert (after == "follow-up") == (
                state in ("on-study", "on-study-intervention", "on-study-observation")
            )
        elif state in ENDED:
            assert after == (state if LEAVINGS[way].level else None)
        else:
            assert after == ("off-study" if state in ON_STUDY else "withdrawn")
    assert {each.level for each in LEAVINGS.values()} == {None, "W2", "W3"}


@pytest.mark.parametrize("good", ["HT-1", "HT-0012", "HT-3-012", "HT-03-12", "HT-3-1"])
def test_a_study_number(good: str) -> None:
    check_pseudonym("HT", good)


@pytest.mark.parametrize(
    "bad",
    [
        "123456782",  # passes the 11-test of a BSN
        "HT-123456782",
        # Dates of birth and hospital numbers that fitted before.
        "HT-311-1958",
        "HT-58-1231",
        "HT-123-4567",
        "HT-03-0012",
        "HT-12345",
        "HT-12-123456",
        "HT-19650412",
        "HT-1965-0412",
        "HT-12-04-1965",
        "19650412",
        "12-04-1965",
        "JANSEN",
        "HT-JANSEN",
        "Jansen, P.",
        "PJ-0012",
        "HT-PJ12",
        "HTPJ-0012",
        "ht-0012",
        "HT 0012",
        "HT-0012 ",
        "HT-0012\n",
        "HT-٣٣",
        "HT-",
        "HT",
        "",
    ],
)
def test_what_could_be_a_person_is_refused_and_not_repeated(bad: str) -> None:
    with pytest.raises(StudiesError) as refused:
        check_pseudonym("HT", bad)
    assert refused.value.code == "bad_pseudonym"
    if len(bad.strip()) > 2:
        assert bad.strip() not in str(refused.value)


# -- histories ----------------------------------------------------------------------------------


def _event(number: int, kind: str, value: str, at: int, site: str = "a") -> ParticipantEvent:
    moment = DAY0 + timedelta(days=at)
    return ParticipantEvent(
        number=number, kind=kind, value=value, at=moment, recorded_at=moment, site=site, by="u"
    )


@st.composite
def histories(draw: st.DrawFn) -> list[ParticipantEvent]:
    """Any road the table allows, with days that stay in order, hand-overs and milestones."""
    day, state, site = draw(st.integers(0, 30)), ENTRY, "a"
    events = [_event(1, "milestone", "consented", day)]
    milestones = ["screened", "randomised", "treatment_started", "last_visit"]
    for _ in range(draw(st.integers(1, 10))):
        day += draw(st.integers(0, 60))
        number = len(events) + 1
        what = draw(st.sampled_from(["state", "state", "left", "milestone", "taken_over"]))
        if state == ENTRY or what == "state":
            next_ones = [
                code
                for code, known in STATES.items()
                if state in known.follows and code not in ONLY_BY_LEAVING
            ]
            if not next_ones:
                continue
            state = draw(st.sampled_from(sorted(next_ones)))
            events.append(_event(number, "state", state, day, site))
        elif what == "left":
            ways = [way for way in LEAVINGS if after_leaving(state, way) is not None]
            if not ways:
                continue
            way = draw(st.sampled_from(ways))
            state = after_leaving(state, way) or state
            events.append(_event(number, "left", way, day, site))
        elif what == "milestone" and milestones:
            events.append(_event(number, "milestone", milestones.pop(), day, site))
        elif state not in ENDED:
            site = "b" if site == "a" else "a"
            events.append(_event(number, "taken_over", site, day, site))
    return events


@settings(max_examples=150, deadline=None)
@given(histories(), st.integers(0, 700), st.randoms())
def test_the_state_on_a_day_is_the_fold_of_the_events_until_then(
    events: Sequence[ParticipantEvent], day: int, shuffled: object
) -> None:
    moment = DAY0 + timedelta(days=day)
    before = [one for one in events if one.at <= moment]
    assert fold(events, moment) == fold(before)
    mixed = list(events)
    shuffled.shuffle(mixed)  # type: ignore[attr-defined]
    assert fold(mixed, moment) == fold(events, moment)
    # What is written down later changes nothing about what was known then.
    assert fold(events, known_at=moment) == fold(before)
    steps = [fold(events, one.at) for one in events]
    for earlier, later in itertools.pairwise(steps):
        # Milestones stay true; the day on study and its hospital stay what they were.
        assert set(earlier.milestones.items()) <= set(later.milestones.items())
        if earlier.on_study is not None:
            assert (later.on_study, later.credited) == (earlier.on_study, earlier.credited)
        assert earlier.left == later.left[: len(earlier.left)]
    credit = [one for one in events if (one.kind, one.value) == ("state", "on-study")]
    assert len(credit) == (fold(events).on_study is not None)


@settings(max_examples=60, deadline=None)
@given(histories(), st.data())
def test_a_date_put_right_moves_one_event_and_the_old_state_can_still_be_asked(
    events: list[ParticipantEvent], data: st.DataObject
) -> None:
    chosen = data.draw(st.sampled_from(events))
    moved = chosen.at + timedelta(hours=1)
    last = max(one.at for one in events) + timedelta(days=9)
    before = fold(events)
    events.append(
        ParticipantEvent(
            number=len(events) + 1,
            kind="redated",
            value=chosen.value,
            refers=chosen.number,
            at=moved,
            recorded_at=last,
            site="a",
            by="u",
        )
    )
    dates = {one.number: at for at, one in dated(events)}
    assert dates.pop(chosen.number) == moved
    assert all(dates[one.number] == one.at for one in events if one.number in dates)
    assert fold(events, known_at=last - timedelta(seconds=1)) == before


def test_nobody_is_entered_moved_or_let_go_but_through_consent() -> None:
    """Of our own code only consent/joining.py calls the commands that need its look at the yes."""
    root = Path(__file__).parents[3]
    guarded = {
        "entering": ("participants", {"enter", "move", "leave", "enter_wrongly"}),
        "milestones": ("milestones", {"reach", "allocate"}),
        "handover": ("handover", {"take_over"}),
    }
    callers = set()
    for package in ("registry", "federation", "consent", "studies"):
        for path in (root / package).rglob("*.py"):
            text = path.read_text("utf-8")
            if "studies.participants" not in text:
                continue
            for node in ast.walk(ast.parse(text)):
                for module, (known_as, commands) in guarded.items():
                    names: set[str] = set()
                    if isinstance(node, ast.ImportFrom):
                        if node.module == f"studies.participants.{module}":
                            names = {alias.name for alias in node.names}
                    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                        names = {node.attr} if node.value.id == known_as else set()
                    if names & commands:
                        callers.add(path.relative_to(root).as_posix())
    assert callers == {"consent/joining.py"}
