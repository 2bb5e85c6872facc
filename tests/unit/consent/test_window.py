"""Of which time the data may be: the data window of consent.md 3.4, apart from the validity."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.items import ITEMS
from consent.rule import (
    ALONE,
    ANY,
    COLLECT_NEW,
    OLDER_DATA,
    RECORD,
    Choice,
    Kind,
    Scope,
    Window,
    decide,
    nothing_new_since,
    renewed_until,
    window,
)

X = Scope("net", "hospital", "use.record", "x", RECORD)
BOTH = frozenset({"self", "p-1"})


def day(number: float) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)


def said(kind: Kind, item: str, at: float, **more: object) -> Choice:
    """About the study of X; of everything with study="*"."""
    study = str(more.pop("study", "x"))
    category = ANY if item in (ANY, COLLECT_NEW) else RECORD
    scope = replace(X, item=item, study=study, category=category)
    return Choice(kind, scope, day(at), day(at), **more)  # type: ignore[arg-type]


def yes(at: float, item: str = X.item, **more: object) -> Choice:
    return said("grant", item, at, **more)


def no(at: float, item: str = X.item, **more: object) -> Choice:
    return said("denial", item, at, **more)


def found(
    *choices: Choice,
    at: float = 100,
    needs: frozenset[str] = ALONE,
    renewal: timedelta | None = None,
) -> object:
    """(since, until) in days, or None where nothing counts."""
    made = window(X, choices, day(at), needs=needs, renewal=renewal)
    backwards = window(X, choices[::-1], day(at), needs=needs, renewal=renewal)
    assert made == backwards
    if made is None:
        return None
    return tuple(
        None if end is None else (end - day(0)) / timedelta(days=1)
        for end in (made.since, made.until)
    )


CASES = {
    "nobody asked about older data": ((yes(1),), (None, None)),
    "nothing said": ((), None),
    "a no to older data": ((yes(1), no(1, OLDER_DATA)), (1, None)),
    "a yes to older data": ((yes(1), yes(1, OLDER_DATA)), (None, None)),
    "asked by the text, left out of the answer": ((yes(1, asks_older=True),), (1, None)),
    "asked by the text, and agreed": (
        (yes(1, asks_older=True), yes(1, OLDER_DATA, asks_older=True)),
        (None, None),
    ),
    "a text that asked in another study": (
        (yes(1), yes(1, asks_older=True, study="y")),
        (None, None),
    ),
    "a no to older data in another study": (
        (yes(1), no(1, OLDER_DATA, study="y")),
        (None, None),
    ),
    "a no to older data in all studies": ((yes(1), no(1, OLDER_DATA, study=ANY)), (1, None)),
    "agreed, then withdrawn": ((yes(1), yes(1, OLDER_DATA), no(5, OLDER_DATA)), (1, None)),
    "an incomplete yes to older data": (
        (yes(1), yes(1, OLDER_DATA, complete=False)),
        (1, None),
    ),
    "said again later, the first day stays": (
        (yes(1), no(1, OLDER_DATA), yes(9), no(9, OLDER_DATA)),
        (1, None),
    ),
    "stopped in between, the first day after counts": (
        (yes(1), no(1, OLDER_DATA), no(5), yes(9), no(9, OLDER_DATA)),
        (9, None),
    ),
    "nothing new": ((yes(1), no(5, COLLECT_NEW)), (None, 5)),
    "nothing new, of all studies": ((yes(1), no(5, COLLECT_NEW, study=ANY)), (None, 5)),
    "nothing new in another study": ((yes(1), no(5, COLLECT_NEW, study="y")), (None, None)),
    "nothing new, twice": ((yes(1), no(5, COLLECT_NEW), no(7, COLLECT_NEW)), (None, 5)),
    "nothing new, and allowed again": (
        (yes(1), no(5, COLLECT_NEW), yes(7, COLLECT_NEW)),
        (None, None),
    ),
    "allowed again without proof": (
        (yes(1), no(5, COLLECT_NEW), yes(7, COLLECT_NEW, complete=False)),
        (None, 5),
    ),
    "allowed in the same moment": (
        (yes(1), no(5, COLLECT_NEW), yes(5, COLLECT_NEW)),
        (None, 5),
    ),
    "allowed again, and nothing new again": (
        (yes(1), no(5, COLLECT_NEW), yes(7, COLLECT_NEW), no(9, COLLECT_NEW)),
        (None, 9),
    ),
    "no older data, nothing new": ((yes(1), no(1, OLDER_DATA), no(5, COLLECT_NEW)), (1, 5)),
    "no older data, and new data allowed again": (
        (yes(1), no(1, OLDER_DATA), no(5, COLLECT_NEW), yes(7, COLLECT_NEW)),
        (7, None),
    ),
    "a whole new yes says nothing of new data": (
        (yes(1), no(5, COLLECT_NEW), yes(7)),
        (None, 5),
    ),
    "stopped with everything": ((yes(1), no(5, ANY)), None),
    "stopped, and a new yes": ((yes(1), no(5, ANY), yes(7)), (None, None)),
    "what is still to come": ((yes(1), no(101, COLLECT_NEW), no(101, OLDER_DATA)), (None, None)),
}


@pytest.mark.parametrize("name", CASES)
def test_which_data_count(name: str) -> None:
    choices, expected = CASES[name]
    assert found(*choices) == expected


def test_the_last_of_those_who_are_needed_opens() -> None:
    theirs = {"party": "p-1"}
    asked = (no(1, OLDER_DATA), yes(1), yes(4, **theirs))
    assert found(*asked, needs=BOTH) == (4, None)
    agreed = (*asked, yes(6, OLDER_DATA), yes(6, OLDER_DATA, **theirs))
    assert found(*agreed, needs=BOTH) == (None, None)
    assert found(*asked, yes(6, OLDER_DATA), needs=BOTH) == (4, None)
    stopped = (*agreed, no(7, COLLECT_NEW, **theirs))
    assert found(*stopped, yes(8, COLLECT_NEW), needs=BOTH) == (None, 7)
    again = (*stopped, yes(8, COLLECT_NEW), yes(9, COLLECT_NEW, **theirs))
    assert found(*again, needs=BOTH) == (None, None)


def test_who_is_not_needed_allows_nothing_again_for_the_patient() -> None:
    mentor = frozenset({"p-1"})
    given = (yes(1, party="p-1"), no(5, COLLECT_NEW))
    assert found(*given, yes(7, COLLECT_NEW, party="p-1"), needs=mentor) == (None, 5)
    both = (*given, yes(7, COLLECT_NEW, party="p-1"), yes(8, COLLECT_NEW))
    assert found(*both, needs=mentor) == (None, None)


def test_a_no_in_person_is_overruled_by_nobody() -> None:
    """Invariant 19: after the patient's own no only the patient's own yes opens."""
    mentor = frozenset({"p-1"})
    theirs = yes(5, party="p-1")
    assert decide(X, [no(1, party="p-1"), theirs], day(9), needs=mentor).permit
    assert not decide(X, [no(1), theirs], day(9), needs=mentor).permit
    assert decide(X, [no(1), theirs, yes(6)], day(9), needs=mentor).permit
    assert not decide(X, [no(1), yes(6)], day(9), needs=frozenset()).permit


def test_since_when_nothing_new_is_said_also_where_nothing_is_granted() -> None:
    stop = no(5, COLLECT_NEW)
    assert window(X, [stop], day(9)) is None
    assert nothing_new_since(X, [stop], day(9)) == day(5)
    assert nothing_new_since(X, [stop, yes(7, COLLECT_NEW)], day(9)) is None
    assert nothing_new_since(X, [stop], day(9), known_at=day(4)) is None


def test_what_was_known_then() -> None:
    late = replace(no(3, COLLECT_NEW), recorded_at=day(8))
    choices = [yes(1), late, no(1, OLDER_DATA)]
    assert window(X, choices, day(9), known_at=day(5)) == Window(since=day(1))
    assert window(X, choices, day(9)) == Window(since=day(1), until=day(8))


def test_a_yes_to_older_data_that_ends_is_none() -> None:
    choices = [yes(1), yes(1, OLDER_DATA, until=day(20))]
    assert window(X, choices, day(9)) == Window()
    assert window(X, choices, day(9), lasting=day(10)) == Window()
    assert window(X, choices, day(9), lasting=day(21)) == Window(since=day(1))


def test_the_acts_that_a_hospital_needs_to_see_it() -> None:
    first, older = yes(1, act="a"), yes(4, OLDER_DATA, act="b")
    again = yes(7, COLLECT_NEW, act="d")
    stop = no(5, COLLECT_NEW, act="c")
    made = window(X, [first, yes(3, act="e"), older, stop, again], day(9))
    assert made is not None
    assert made.whole
    assert made.acts == {"b", "d"}
    limited = window(X, [first, yes(3, act="e"), no(1, OLDER_DATA)], day(9))
    assert limited is not None
    assert not limited.whole
    assert limited.acts == {"a"}


def test_the_items_of_the_window_are_about_records() -> None:
    assert ITEMS[OLDER_DATA].category == RECORD
    assert COLLECT_NEW not in ITEMS


YEAR = timedelta(days=10)
"""How long a yes lasts for new data in these tests."""
RENEWALS = {
    "in time": ((yes(1),), 10.9, (None, None)),
    "at the moment itself": ((yes(1),), 11, (None, 11)),
    "long after": ((yes(1),), 100, (None, 11)),
    "renewed in time": ((yes(1), yes(9)), 18, (None, None)),
    "renewed in time, and not again": ((yes(1), yes(9)), 30, (None, 19)),
    "renewed too late": ((yes(1), yes(25)), 30, (None, None)),
    "another item renews nothing": ((yes(1), yes(9, "use.network")), 30, (None, 11)),
    "a yes to new data renews nothing": ((yes(1), yes(9, COLLECT_NEW)), 30, (None, 11)),
    "an incomplete yes renews nothing": ((yes(1), yes(9, complete=False)), 30, (None, 11)),
    "nothing new before": ((yes(1), no(5, COLLECT_NEW)), 30, (None, 5)),
    "nothing new after": ((yes(1), no(15, COLLECT_NEW)), 30, (None, 11)),
    "stopped": ((yes(1), no(9)), 30, None),
    "stopped, and a new yes": ((yes(1), no(9), yes(12)), 30, (None, 22)),
    "no older data": ((yes(1), no(1, OLDER_DATA)), 30, (1, 11)),
    "no older data, renewed in time": ((yes(1), no(1, OLDER_DATA), yes(9)), 18, (1, None)),
    "no older data, renewed again and again": (
        (yes(1), no(1, OLDER_DATA), yes(6), yes(9), yes(15), yes(24)),
        30,
        (1, None),
    ),
    "no older data, renewed too late": ((yes(1), no(1, OLDER_DATA), yes(11)), 18, (11, None)),
    "no older data, too late and then in time": (
        (yes(1), no(1, OLDER_DATA), yes(15), yes(20)),
        28,
        (15, None),
    ),
    "older data, renewed too late": ((yes(1), yes(1, OLDER_DATA), yes(15)), 18, (None, None)),
}


@pytest.mark.parametrize("name", RENEWALS)
def test_a_yes_is_renewed_or_new_data_stop(name: str) -> None:
    """After the renewal without another yes: what is recorded later does not count."""
    choices, at, expected = RENEWALS[name]
    assert found(*choices, at=at, renewal=YEAR) == expected


def test_each_person_renews() -> None:
    theirs = {"party": "p-1"}
    given = (yes(1), yes(4, **theirs))
    assert found(*given, yes(9), at=13, needs=BOTH, renewal=YEAR) == (None, None)
    assert found(*given, yes(9), at=14, needs=BOTH, renewal=YEAR) == (None, 14)
    asked = (*given, no(1, OLDER_DATA), yes(9))
    assert found(*asked, yes(13, **theirs), at=18, needs=BOTH, renewal=YEAR) == (4, None)
    assert found(*asked, yes(14, **theirs), at=18, needs=BOTH, renewal=YEAR) == (14, None)


def test_until_when_new_data_count_is_known_before() -> None:
    given = [yes(1), yes(3, act="b")]
    assert renewed_until(decide(X, given, day(5)), YEAR) == day(13)
    assert renewed_until(decide(X, given, day(5)), None) is None
    assert renewed_until(decide(X, [no(1)], day(5)), YEAR) is None


def test_a_renewal_to_come_before_the_list_ends() -> None:
    """A list is for an hour: who is to be asked again within it stands apart in it."""
    given = [yes(1)]
    assert window(X, given, day(10), renewal=YEAR) == Window()
    assert window(X, given, day(10), renewal=YEAR, lasting=day(10.9)) == Window()
    assert window(X, given, day(10), renewal=YEAR, lasting=day(11)) == Window(until=day(11))


def test_the_acts_that_show_that_it_was_renewed_in_time() -> None:
    said_at = {"a": 1, "b": 5, "c": 9, "d": 12, "e": 18, "f": 20, "g": 26}
    given = [yes(at, act=act) for act, at in said_at.items()]
    made = window(X, [*given, no(1, OLDER_DATA)], day(30), renewal=YEAR)
    assert made == Window(since=day(1))
    # From the first to the newest (a ground of the decision anyway) no gap is as long as the year.
    assert made.acts == {"a", "c", "e"}


CHOICES = st.lists(
    st.builds(
        said,
        kind=st.sampled_from(["grant", "grant", "denial"]),
        item=st.sampled_from([X.item, X.item, OLDER_DATA, COLLECT_NEW, ANY]),
        at=st.integers(0, 12),
        study=st.sampled_from(["x", "x", ANY]),
        party=st.sampled_from(["self", "self", "p-1"]),
        complete=st.booleans(),
        asks_older=st.booleans(),
    ),
    max_size=9,
)


@settings(max_examples=400, deadline=None)
@given(
    CHOICES,
    st.integers(0, 12),
    st.sampled_from([X.item, OLDER_DATA, COLLECT_NEW]),
    st.sampled_from([None, timedelta(days=15), timedelta(days=4)]),
)
def test_a_further_no_never_widens(
    choices: list[Choice], at: int, item: str, renewal: timedelta | None
) -> None:
    before = window(X, choices, day(20), needs=ALONE, renewal=renewal)
    after = window(X, [*choices, no(at, item)], day(20), needs=ALONE, renewal=renewal)
    if after is None:
        return
    assert before is not None
    lowest, highest = day(-1), day(99)
    assert (after.since or lowest) >= (before.since or lowest)
    assert (after.until or highest) <= (before.until or highest)


@settings(max_examples=250, deadline=None)
@given(CHOICES, st.integers(1, 9), st.integers(1, 9))
def test_a_shorter_renewal_never_widens(choices: list[Choice], one: int, more: int) -> None:
    """So a hospital that takes the smaller of two numbers takes the safer."""
    lowest, highest = day(-1), day(99)
    wide = window(X, choices, day(13), renewal=timedelta(days=one + more))
    narrow = window(X, choices, day(13), renewal=timedelta(days=one))
    assert (wide is None) == (narrow is None)
    if wide is not None and narrow is not None:
        assert (narrow.since or lowest) >= (wide.since or lowest)
        assert (narrow.until or highest) <= (wide.until or highest)


@settings(max_examples=250, deadline=None)
@given(CHOICES, st.integers(1, 9), st.integers(0, 12))
def test_time_alone_never_widens_what_counts(
    choices: list[Choice], renewal: int, later: int
) -> None:
    """Nothing said, and the window only gets an end: no clock opens what had closed."""
    lasting, first, then = timedelta(days=renewal), day(13), day(13 + later)
    before = window(X, choices, first, renewal=lasting)
    after = window(X, choices, then, renewal=lasting)
    assert (before is None) == (after is None)
    if before is not None and after is not None:
        assert after.since == before.since
        assert (after.until or day(99)) <= (before.until or day(99))
        # What was recorded until the first moment, and counted then, counts still.
        assert after.until == before.until or (after.until is not None and after.until > first)
