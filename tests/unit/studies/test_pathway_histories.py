"""Histories: the state on any date is the fold of the steps, and a study follows from its sites."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studies.hospitals.pathway import pathway
from studies.hospitals.steps import held_from, since_invited, state_on, taken
from studies.states import PARTICIPATION_STATES, STUDY_KINDS, STUDY_STATES
from studies.study_state import STANDINGS, StudyFacts, derive, short

START = datetime(2025, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@dataclass
class Row:
    number: int
    state: str
    at: datetime
    recorded_at: datetime
    by: str = "somebody"
    note_code: str | None = None
    corrects: int | None = None
    void: bool = False


@st.composite
def histories(draw: Any) -> tuple[list[Row], list[tuple[str, datetime]]]:
    """Rows as the commands write them, and beside them what is true in the end, kept naively."""
    road = pathway(draw(st.sampled_from(sorted(STUDY_KINDS))))
    clock = START
    truth: list[tuple[int, str, datetime]] = [(1, "invited", START)]
    rows = [Row(1, "invited", START, START)]
    for _ in range(draw(st.integers(0, 14))):
        clock += draw(st.integers(0, 20)) * DAY
        number = len(rows) + 1
        what = draw(st.sampled_from(("move", "move", "move", "date", "void")))
        if what == "void" and len(truth) > 1:
            wrong, state, at = truth.pop()
            rows.append(Row(number, state, at, clock, corrects=wrong, void=True))
        elif what == "date" and truth:
            place = draw(st.integers(0, len(truth) - 1))
            wrong, state, at = truth[place]
            low = truth[place - 1][2] if place else START - 30 * DAY
            high = truth[place + 1][2] if place + 1 < len(truth) else clock
            moved = low + (high - low) * draw(st.integers(0, 4)) / 4
            truth[place] = (wrong, state, moved)
            rows.append(Row(number, state, moved, clock, corrects=wrong))
        else:
            ahead = road.next_from(truth[-1][1])
            if not ahead:
                continue
            state = draw(st.sampled_from(ahead)).code
            at = truth[-1][2] + (clock - truth[-1][2]) * draw(st.integers(0, 2)) / 2
            truth.append((number, state, at))
            rows.append(Row(number, state, at, clock))
    return rows, [(state, at) for _, state, at in truth]


@settings(max_examples=150, deadline=None)
@given(histories(), st.integers(-40, 320))
def test_the_state_on_a_date_is_the_fold_of_the_rows(
    history: tuple[list[Row], list[tuple[str, datetime]]], days: int
) -> None:
    rows, truth = history
    moment = START + days * DAY
    expected = None
    for state, at in truth:
        if at <= moment:
            expected = state
    assert state_on(rows, moment) == expected
    assert [(step.state, step.at) for step in taken(reversed(rows))] == truth
    # What was known then follows from the rows written by then, whatever came later.
    known = [row for row in rows if row.recorded_at <= moment]
    assert taken(rows, known_at=moment) == taken(known)
    assert state_on(rows, moment, known_at=moment) == state_on(known, moment)
    # Moments of steps that count never go back.
    moments = [step.at for step in taken(rows)]
    assert moments == sorted(moments)


def test_declined_and_invited_again_begins_anew() -> None:
    states = ["invited", "feasibility", "declined", "invited", "feasibility"]
    steps = taken(Row(i, state, START + i * DAY, START) for i, state in enumerate(states, 1))
    assert [step.number for step in since_invited(steps)] == [4, 5]
    assert since_invited(()) == ()
    assert held_from(steps) is None
    held = taken(
        Row(i, state, START, START)
        for i, state in enumerate(("open", "on_hold", "closed_to_accrual", "on_hold"), 1)
    )
    assert held_from(held) == "closed_to_accrual"
    assert held_from(held[:2]) == "open"


SITES = st.lists(st.sampled_from(PARTICIPATION_STATES), max_size=6)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(STUDY_KINDS)),
    st.frozensets(st.sampled_from(("proposed", "joint", "opened", "ended"))),
    st.sampled_from((None, "positive", "conditions", "negative", "withdrawn")),
    st.booleans(),
    SITES,
)
def test_the_standing_of_a_study_follows_from_what_is_known(
    kind: str, events: frozenset[str], decision: str | None, counted: bool, sites: list[str]
) -> None:
    facts = StudyFacts(kind, events, decision, counted, tuple(sites))
    standing = derive(facts)
    assert short(standing) in STUDY_STATES
    # The order of hospitals, and those that never took part, change nothing.
    assert derive(StudyFacts(kind, events, decision, counted, tuple(sorted(sites)))) == standing
    with_declined = StudyFacts(kind, events, decision, counted, (*sites, "declined"))
    assert derive(with_declined) == standing
    allowed = decision in ("positive", "conditions") or (kind == "data" and "opened" in events)
    if short(standing) == "open":
        assert allowed
        assert "ended" not in events
    if standing == "recruiting":
        assert "open" in sites
    if allowed and decision not in ("negative", "withdrawn") and "ended" not in events:
        assert (standing == "recruiting") == ("open" in sites)
    if standing == "completed":
        assert "closed" in sites
        assert set(sites) <= {"closed", "declined"}


@pytest.mark.parametrize(
    ("facts", "standing"),
    [
        (("data", (), None, False, ()), "draft"),
        (("wmo", ("proposed",), None, False, ()), "idea"),
        (("wmo", ("proposed",), None, True, ()), "feasibility"),
        (("wmo", ("proposed", "joint"), None, True, ("invited",)), "joint"),
        (("wmo", ("opened",), None, False, ("approved",)), "draft"),
        (("wmo", (), "negative", False, ("local_review",)), "refused"),
        (("wmo", (), "withdrawn", False, ("open",)), "suspended"),
        (("wmo", (), "positive", False, ("approved", "initiated")), "approved"),
        (("wmo", (), "conditions", False, ("open", "on_hold")), "recruiting"),
        (("wmo", (), "positive", False, ("on_hold", "invited")), "on_hold"),
        (("wmo", (), "positive", False, ("closed_to_accrual", "closed")), "closed_to_accrual"),
        (("wmo", (), "positive", False, ("follow_up_done", "closed")), "follow_up_done"),
        (("wmo", (), "positive", False, ("closed", "declined")), "completed"),
        (("wmo", ("ended",), "positive", False, ("open",)), "terminated"),
        (("data", ("opened",), None, False, ("open",)), "recruiting"),
        (("data", ("opened",), None, False, ()), "approved"),
    ],
)
def test_the_standings_one_by_one(facts: tuple[Any, ...], standing: str) -> None:
    kind, events, decision, counted, sites = facts
    assert derive(StudyFacts(kind, frozenset(events), decision, counted, sites)) == standing


def test_each_standing_has_words_in_both_languages() -> None:
    for code, (state, english, dutch) in STANDINGS.items():
        assert state in STUDY_STATES, code
        assert english
        assert dutch
