"""The decision rule: its cases as a table, and the properties named in the design."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.rule import ANY, Choice, Kind, Scope, decide

DAY_ZERO = datetime(2026, 1, 1, tzinfo=UTC)
NOW_DAY = 10
X = Scope("net", "hospital", "use.record", "x", "record")
GENERAL = Scope()
BROAD = Scope(item="use.record")  # every study
ITEM_X = Scope(item="use.record", study="x")
HERE = Scope(site="hospital")


def day(number: float) -> datetime:
    return DAY_ZERO + timedelta(days=number)


def said(
    kind: Kind,
    scope: Scope,
    at: float,
    recorded: float | None = None,
    until: float | None = None,
    complete: bool = True,
) -> Choice:
    return Choice(
        kind=kind,
        scope=scope,
        effective_at=day(at),
        recorded_at=day(at if recorded is None else recorded),
        until=None if until is None else day(until),
        complete=complete,
    )


CASES = {
    "nothing said": ([], False),
    "yes": ([said("grant", X, 1)], True),
    "no": ([said("denial", X, 1)], False),
    "older general objection, then yes to X": (
        [said("denial", GENERAL, 1), said("grant", X, 2)],
        True,
    ),
    "yes to X, later general objection": (
        [said("grant", X, 1), said("denial", GENERAL, 2)],
        False,
    ),
    "no to X, later broad yes": ([said("denial", X, 1), said("grant", BROAD, 2)], False),
    "yes and no at the same time": ([said("grant", X, 1), said("denial", X, 1)], False),
    "paper no signed on 1, entered on 5; portal yes on 3": (
        [said("denial", X, 1, recorded=5), said("grant", X, 3)],
        False,
    ),
    "paper yes signed on 1, entered on 5; portal no on 3": (
        [said("grant", X, 1, recorded=5), said("denial", X, 3)],
        False,
    ),
    "withdrawal with an end date that has passed, older yes runs": (
        [said("grant", X, 1), said("denial", X, 2, until=3)],
        False,
    ),
    "scopes that cannot be compared": (
        [said("denial", HERE, 1), said("grant", ITEM_X, 2)],
        False,
    ),
    "yes that has ended": ([said("grant", X, 1, until=NOW_DAY)], False),
    "yes that ends tomorrow": ([said("grant", X, 1, until=NOW_DAY + 1)], True),
    "yes that is not complete": ([said("grant", X, 1, complete=False)], False),
    "yes from tomorrow, written down today": (
        [said("grant", X, NOW_DAY + 1, recorded=NOW_DAY)],
        False,
    ),
    "yes written down in the future": ([said("grant", X, 1, recorded=NOW_DAY + 1)], False),
    "no from tomorrow does not count yet": (
        [said("grant", X, 1), said("denial", X, NOW_DAY + 1, recorded=2)],
        True,
    ),
    "yes to another study": ([said("grant", Scope(study="y"), 1)], False),
    "no to another study": ([said("grant", X, 1), said("denial", Scope(study="y"), 2)], True),
    "a stopped yes and a new yes": (
        [said("grant", X, 1), said("denial", X, 2), said("grant", X, 3)],
        True,
    ),
    "a denial that is not complete counts": (
        [said("grant", X, 1), said("denial", X, 2, complete=False)],
        False,
    ),
    "what is neither is taken for a no": (
        [said("grant", X, 1), said("unreadable", X, 2)],  # type: ignore[arg-type]
        False,
    ),
    "one of two yeses still stands": (
        [said("grant", ITEM_X, 1), said("denial", BROAD, 2), said("grant", X, 3)],
        True,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_cases_of_the_design(name: str) -> None:
    choices, permitted = CASES[name]
    assert decide(X, choices, day(NOW_DAY)).permit is permitted
    assert decide(X, choices[::-1], day(NOW_DAY)).permit is permitted


def test_reasons() -> None:
    assert decide(X, [], day(1)).reason == "no_grant"
    assert decide(X, [said("grant", X, 1)], day(1)).reason == "granted"
    assert decide(X, [said("grant", X, 1), said("denial", X, 1)], day(1)).reason == "denied"


@pytest.mark.parametrize("field", ["network", "site", "item", "study", "category"])
def test_a_broad_question_is_refused(field: str) -> None:
    values = dict(zip(("network", "site", "item", "study", "category"), X.values(), strict=True))
    with pytest.raises(ValueError, match="every field"):
        decide(Scope(**{**values, field: ANY}), [said("grant", GENERAL, 1)], day(2))


def test_how_long_a_permit_is_sure() -> None:
    now = day(NOW_DAY)
    for_ever = said("grant", X, 1)
    until_20 = said("grant", X, 1, until=20)
    until_30 = said("grant", X, 2, until=30)
    no_from_25 = said("denial", X, 25, recorded=3)
    assert decide(X, [for_ever], now).until is None
    assert decide(X, [until_20], now).until == day(20)
    assert decide(X, [until_20, until_30], now).until == day(30)
    assert decide(X, [until_20, for_ever], now).until is None
    assert decide(X, [for_ever, no_from_25], now).until == day(25)
    assert decide(X, [until_30, no_from_25], now).until == day(25)
    assert decide(X, [until_20, no_from_25], now).until == day(20)


# -- properties ----------------------------------------------------------------------------------

R = Scope("n", "s", "i", "x", "c")
scopes = st.builds(
    Scope,
    network=st.sampled_from(["n", ANY]),
    site=st.sampled_from(["s", "other", ANY]),
    item=st.sampled_from(["i", ANY]),
    study=st.sampled_from(["x", "y", ANY]),
    category=st.sampled_from(["c", ANY]),
)
moments = st.integers(0, 12).map(day)
choices = st.builds(
    Choice,
    kind=st.sampled_from(["grant", "denial"]),
    scope=scopes,
    effective_at=moments,
    recorded_at=moments,
    until=st.none() | moments,
    complete=st.booleans() | st.just(True),
)
histories = st.lists(choices, max_size=7)
nows = st.integers(0, 12).map(day)


def denial(scope: Scope, at: datetime, until: datetime | None = None) -> Choice:
    return Choice("denial", scope, at, at, until)


@given(histories, nows)
def test_no_grant_means_deny(history: list[Choice], now: datetime) -> None:
    assert not decide(R, [choice for choice in history if choice.kind != "grant"], now).permit


@given(histories, choices, nows)
@settings(max_examples=500)
def test_adding_a_denial_never_opens(history: list[Choice], more: Choice, now: datetime) -> None:
    no = Choice("denial", more.scope, more.effective_at, more.recorded_at, more.until)
    if decide(R, [*history, no], now).permit:
        assert decide(R, history, now).permit


@given(histories, nows)
def test_a_general_denial_now_closes_everything(history: list[Choice], now: datetime) -> None:
    assert not decide(R, [*history, denial(Scope(), now)], now).permit


@given(histories, st.randoms(use_true_random=False), nows)
@settings(max_examples=500)
def test_order_and_repeats_do_not_matter(
    history: list[Choice], chance: object, now: datetime
) -> None:
    again = [*history, *history[::2]]
    chance.shuffle(again)  # type: ignore[attr-defined]
    assert decide(R, again, now) == decide(R, history, now)


@given(histories, moments, nows)
def test_an_end_date_on_a_denial_has_no_effect(
    history: list[Choice], end: datetime, now: datetime
) -> None:
    ended = [
        choice
        if choice.kind == "grant"
        else Choice("denial", choice.scope, choice.effective_at, choice.recorded_at, end)
        for choice in history
    ]
    assert decide(R, ended, now).permit == decide(R, history, now).permit


@given(histories)
def test_a_new_exact_yes_opens(history: list[Choice]) -> None:
    later = day(13)
    assert decide(R, [*history, Choice("grant", R, later, later)], later).permit


@given(histories, scopes, nows)
@settings(max_examples=500)
def test_a_denial_narrower_or_not_comparable_with_every_grant_blocks(
    history: list[Choice], scope: Scope, now: datetime
) -> None:
    if not scope.covers(R):
        return
    grants = [choice for choice in history if choice.kind == "grant"]
    if any(scope.covers(grant.scope) for grant in grants):
        return
    assert not decide(R, [denial(scope, day(0)), *history], now).permit


@given(histories, nows, st.integers(0, 12))
@settings(max_examples=500)
def test_what_is_sure_stays_so_without_a_new_choice(
    history: list[Choice], now: datetime, days: int
) -> None:
    decision = decide(R, history, now)
    # "Recorded" in the future cannot happen without a new choice, so such choices are left out.
    known = [choice for choice in history if choice.recorded_at <= now]
    if known != history or not decision.permit:
        return
    later = now + timedelta(days=days)
    if decision.until is None or later < decision.until:
        assert decide(R, history, later).permit


@given(scopes, scopes, scopes)
def test_covering_is_an_order(a: Scope, b: Scope, c: Scope) -> None:
    assert a.covers(a)
    assert not (a.covers(b) and b.covers(a)) or a == b
    assert not (a.covers(b) and b.covers(c)) or a.covers(c)
