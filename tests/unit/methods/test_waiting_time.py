"""Waiting times: the seeds' rule to the day, what protection does to bars, and who is pooled."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from own_answers import Asked, ask_each

from federation.methods.base import Ask, Column, Rows, Step
from federation.methods.registry import KINDS, parse
from federation.methods.waiting_time_days import quantile_day
from federation.methods.waiting_time_pool import in_pool, offer, pattern_of, pool_of
from federation.query.codebook import Codebook
from federation.query.errors import QueryError
from federation.query.refusals import Refused
from federation.query.terms import Terms

BOOK = Codebook.from_dict(
    {
        "codebook": "wait/1",
        "variables": {
            "wait": {
                "type": "duration",
                "unit": "days",
                "min": -5,
                "max": 1000,
                "cuts": [7, 14, 21, 28, 42, 90],
            },
            "stay": {"type": "duration", "unit": "days", "min": 0, "max": 365, "cuts": [7, 14]},
            "months": {"type": "duration", "unit": "months", "min": 0, "max": 60, "cuts": [12]},
        },
    }
)
TUMOURS = Codebook.from_dict(
    {
        "codebook": "tumours/1",
        "units": {"patient": None, "tumour": "patient"},
        "unit": "tumour",
        "variables": {"wait": {**BOOK.variables["wait"].to_dict(), "per": "tumour"}},
    }
)
ASKED = {"kind": "waiting_time", "variable": "wait", "norms": [21, 28]}
NO_NORMS = {"kind": "waiting_time", "variable": "wait"}
STRICT, OPEN = Terms.strict(), Terms.open_data()


def rows_of(days: Sequence[float | None], people: Sequence[int] | None = None) -> Rows:
    values = np.array([np.nan if d is None else d for d in days], dtype=np.float64)
    whose = None if people is None else np.asarray(people, dtype=np.int64)
    return Rows({"wait": Column(BOOK.variables["wait"], values)}, values.size, whose)


def around(median: int, n: int = 41, spread: int = 20) -> list[float | None]:
    """Waits around a median, on both sides of the norms."""
    steps = np.linspace(-1, 1, n)
    return [float(max(0, round(median + spread * s))) for s in steps]


def each(days: Sequence[Sequence[float | None]], terms: Terms = STRICT, **more: Any) -> Asked:
    return ask_each({**ASKED, **more}, [rows_of(d) for d in days], BOOK, terms)


@pytest.mark.parametrize("terms", [STRICT, OPEN], ids=["strict", "open"])
@pytest.mark.parametrize(
    ("own", "others", "signal"),
    [(28, 14, True), (27, 14, False), (29, 14, True), (14, 14, False), (56, 28, True)],
)
def test_the_rule_of_the_seeds_to_the_day(
    own: int, others: int, signal: bool, terms: Terms
) -> None:
    """28 against 14 signals, 27 against 14 does not, a tie counts."""
    found = each([around(own), *([around(others, 61)] * 4)], terms)
    rule = found.results[0]["rule"]
    assert (rule["signal"], rule["why"]) == (signal, None)
    low, high = rule["others"]
    assert low <= others <= high
    assert rule["ratio"][0] <= own / others <= rule["ratio"][1]
    assert not any(result["rule"]["signal"] for result in found.results[1:])


def test_one_patient_more_or_less_decides() -> None:
    """The median of 20 is the tenth: with ten at 28 and ten later it is 28, with nine 29."""
    others = [around(14, 61)] * 4
    tie = [*[28.0] * 10, *[60.0] * 10]
    below = [*[27.0] * 10, *[60.0] * 10]
    assert each([tie, *others], norms=[]).results[0]["rule"]["signal"] is True
    assert each([below, *others], norms=[]).results[0]["rule"]["signal"] is False
    assert quantile_day(np.bincount([27, 28]), 5) == 27  # of an even number the lower one


def test_the_others_are_pooled_and_not_their_medians() -> None:
    """Medians 10, 10 and 40, but 40 has most patients: half of all others wait 40 days."""
    days = [[60.0] * 30, [10.0] * 20, [10.0] * 20, [40.0] * 90]
    rule = each(days, OPEN, norms=[]).results[0]["rule"]
    assert (rule["signal"], rule["others"]) == (False, [40, 40])


def test_what_cannot_be_compared_says_why() -> None:
    few = each([[30.0] * 9, *([around(14)] * 3)], OPEN).results[0]["rule"]
    assert few == {"signal": None, "ratio": None, "others": None, "why": "few_patients"}
    two = each([around(30), around(14)]).results[0]["rule"]
    assert (two["signal"], two["why"]) == (None, "few_hospitals")
    alone = each([around(30, 400), around(14, 11), around(14, 11)], norms=[])
    assert alone.results[0]["rule"]["why"] == "few_hospitals"  # 1.1 hospitals by weight
    assert set(alone.steps) == {"waiting_time.pool"}  # not one day was added


def test_nobody_waits() -> None:
    days = [[0.0] * 40] * 4
    assert not any(r["rule"]["signal"] for r in each(days, OPEN, norms=[]).results)
    some = [[1.0] * 40, *days]
    assert each(some, OPEN, norms=[]).results[0]["rule"]["signal"] is True
    assert each(some, OPEN, norms=[]).results[0]["rule"]["ratio"] is None


def test_a_long_wait_is_compared_up_to_the_cap() -> None:
    """Twice 182 is 364, within the cap; twice 183 is not, whatever it is."""
    for theirs, signal in ((182.0, True), (183.0, False), (300.0, False)):
        days = [[365.0] * 30, *([[theirs] * 30] * 4)]
        assert each(days, norms=[]).results[0]["rule"]["signal"] is signal


def test_no_cap_narrows_a_median() -> None:
    """Review 8b.3: asked again with other caps, the highest one at which the 80th percentile is
    the cap was the exact day of a patient. The cap parts the bars and moves nothing else."""
    days = [float(5 + 7 * i % 146) for i in range(60)]
    others = [[float(d) for d in range(200, 330, 2)]] * 4
    asked = [each([days, *others], norms=[21], cap=cap) for cap in (110, 124, 125, 140, 200, 365)]
    same = ("n", "missing", "median", "p80", "within", "rule")
    assert all(
        len({str([r[key] for key in same]) for r in rs}) == 1
        for rs in zip(*(a.results for a in asked), strict=True)
    )
    first, second = asked[0].results[:2]
    assert first["p80"][1] - first["p80"][0] > 5
    assert (second["median"][0] > 200, second["rule"]["others"]) == (True, [183, 365])
    beyond = sum(day > 110 for day in days)
    assert (first["over_cap"], beyond >= 10) == (beyond, True)  # beyond 110 days they are enough
    assert first["bins"][-1]["high"] == 110


def test_errors_and_very_long_times() -> None:
    days: list[float | None] = [-1.0, None, 0.5, 21.0, 22.0, 365.0, 366.0, 900.0]
    result = each([days] * 3, OPEN).results[0]
    assert (result["n"], result["missing"], result["over_cap"]) == (6, 2, 2)
    assert [(w["days"], w["n"]) for w in result["within"]] == [(21, 2), (28, 3)]
    assert result["p80"] == [365, 365]  # who is beyond the cap waited longest
    bars = {(b["low"], b["high"]): b["n"] for b in result["bins"]}
    assert sum(bars.values()) + result["over_cap"] == 6
    assert (bars[0, 0], bars[21, 21], bars[22, 22], bars[183, 365]) == (1, 1, 1, 1)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"variable": "months"}, "BAD_VALUE"),
        ({"variable": "wait", "norms": [20]}, "NOT_IN_CATALOGUE"),
        ({"variable": "wait", "norms": [7, 14, 21, 28]}, "BAD_VALUE"),
        ({"variable": "wait", "norms": [42], "cap": 42}, "NOT_IN_CATALOGUE"),
        ({"variable": "wait", "cap": 400}, "BAD_VALUE"),
        ({"variable": "wait", "cap": 30.5}, "BAD_VALUE"),
    ],
)
def test_bad_parameters(params: dict[str, Any], code: str) -> None:
    asked = {"version": 1, "codebook": BOOK.id, "analysis": {"kind": "waiting_time", **params}}
    with pytest.raises(QueryError) as caught:
        parse(asked, BOOK)
    assert caught.value.code == code
    assert caught.value.message.endswith(".")


WAITS = st.builds(
    lambda seed, n, mean: np.random.default_rng(seed).gamma(2, mean / 2, n).astype(int).tolist(),
    st.integers(0, 10**6),
    st.integers(0, 150),
    st.sampled_from([3, 14, 25, 60, 300]),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(WAITS, min_size=3, max_size=6), st.sampled_from([[], [21], [21, 28], [7, 14, 90]]))
def test_what_a_hospital_shows_of_its_days(waits: list[list[int]], norms: list[int]) -> None:
    """Whatever the days: every bar holds enough, bars join up, norms and medians are true."""
    found = each([[float(d) for d in days] for days in waits], norms=norms)
    for days, own in zip(waits, found.own, strict=True):
        if own is None:
            continue
        result, kept = own.result, np.minimum(days, 365)
        if result["n"] is None:
            assert len(days) < 10
            assert result["median"] is None
            assert all(w["n"] is None for w in result["within"])
            continue
        assert result["n"] == len(days) >= 10
        bars = result["bins"]
        assert bars[0]["low"] == 0
        assert bars[-1]["high"] == 365
        assert all(a["high"] + 1 == b["low"] for a, b in itertools.pairwise(bars))
        over = result["over_cap"]
        assert over is None or over >= 10
        assert sum(b["n"] for b in bars) + (over or 0) == len(days)
        for bar in bars:
            inside = np.count_nonzero((kept >= bar["low"]) & (kept <= bar["high"]))
            less = over or 0 if bar is bars[-1] else 0
            assert bar["n"] == inside - less >= 10
            assert bar["high"] in (*norms, 365)
        for norm in result["within"]:
            if norm["n"] is not None:
                assert norm["n"] == np.count_nonzero(kept <= norm["days"])
                assert 10 <= norm["n"] <= len(days) - 10
        for key, share in (("median", 0.5), ("p80", 0.8)):
            if result[key] is not None:
                low, high = result[key]
                true = np.quantile(kept, share, method="inverted_cdf")
                assert low <= true <= high
                assert np.count_nonzero((kept >= low) & (kept <= high)) >= 10


HOSPITALS = st.tuples(st.integers(0, 7), st.integers(10, 300), st.integers(0, 3))


@settings(max_examples=200, deadline=None)
@given(st.lists(HOSPITALS, min_size=0, max_size=12))
def test_the_last_hospital_at_a_norm_is_never_alone(hospitals: list[tuple[int, int, int]]) -> None:
    """Whoever shows a norm can be taken off the days that are added one by one: nobody, or three
    at least, must be left."""
    norms = (7, 21, 28)
    offers = np.sum([offer(p, n, 3) for p, n, _ in hospitals], axis=0) + offer(None, 0, 3)
    reached = np.array([sum(far > i for _, _, far in hospitals) for i in range(3)])
    pool = pool_of(offers, reached, norms, 182, STRICT)
    sizes = [n for _, n, _ in hospitals]
    if pool is None:  # even without a single norm among the days
        assert len(sizes) < 3 or sum(sizes) ** 2 < 2 * sum(n * n for n in sizes)
        return
    inside = [(p, n) for p, n, _ in hospitals if p in pool.patterns]
    assert len(inside) >= STRICT.min_sites
    for place, norm in enumerate(norms):
        unable = [n for p, n in inside if p >> place & 1]
        assert norm > pool.last or len(unable) == 0 or len(unable) >= STRICT.min_sites


def test_hospitals_stay_out_when_they_would_be_the_last_at_a_norm() -> None:
    full, one_short = pattern_of([True, True]), pattern_of([True, False])
    good = [offer(full, 50, 2)] * 3
    assert in_pool(sum(good, offer(None, 0, 2)), STRICT, 2) == (0,)
    assert in_pool(sum([*good, offer(one_short, 50, 2)], offer(None, 0, 2)), STRICT, 2) == (0,)
    three = [*good, *[offer(one_short, 50, 2)] * 3]
    assert in_pool(sum(three, offer(None, 0, 2)), STRICT, 2) == (0, one_short)
    # Taking out the two without the first norm leaves two without the second: they go as well.
    chain = [*good, *[offer(3, 50, 2)] * 2, *[offer(one_short, 50, 2)] * 2]
    assert in_pool(sum(chain, offer(None, 0, 2)), STRICT, 2) == (0,)


def test_nothing_hidden_follows_from_the_pooled_days() -> None:
    """The hub takes all that four hospitals show off the pooled days: of the fifth, which hides
    its last norm, nothing may be left. The days end before that norm."""
    shows = [float(d) for d in [*[10] * 60, *[25] * 20, *[50] * 20]]
    hides = [float(d) for d in [*[10] * 60, *[25] * 20, *[50] * 3]]
    found = each([shows, shows, shows, shows, hides])
    assert [w["n"] for w in found.results[4]["within"]] == [60, None]
    days = found.steps["waiting_time.days"]["days"]
    assert (days.size - 2, days.sum()) == (27, 483)
    assert found.results[4]["rule"]["signal"] is False
    three = each([shows, shows, shows, hides, hides, hides])
    assert three.steps["waiting_time.days"]["days"].size - 2 == 182


def test_a_hospital_that_would_be_the_last_stays_out_where_later_days_are_needed() -> None:
    """A median of 60 needs days up to 30. The one that hides 28 days is measured, and not in it."""
    shows = [float(d) for d in [*[10] * 60, *[25] * 20, *[50] * 20]]
    hides = [float(d) for d in [*[10] * 60, *[25] * 20, *[50] * 3]]
    slow = [float(d) for d in [*[10] * 20, *[25] * 20, *[60] * 60]]
    found = each([slow, shows, shows, shows, hides])
    days = found.steps["waiting_time.days"]["days"]
    assert (days.size - 2, days.sum()) == (182, 400)
    assert [r["rule"]["signal"] for r in found.results] == [True, False, False, False, False]


def test_what_the_days_that_may_be_added_do_not_decide() -> None:
    """Two hospitals hide each norm; most of them are slow, and the others, too."""
    early = [float(d) for d in [*[5] * 40, *[24] * 20, *[60] * 3]]
    slow = [float(d) for d in [*[5] * 3, *[24] * 20, *[60] * 60]]
    found = each([early, early, slow, slow])
    assert found.steps["waiting_time.days"]["days"].size - 2 == 20
    rules = [result["rule"] for result in found.results]
    assert [rule["signal"] for rule in rules] == [False, False, None, None]
    assert {rule["why"] for rule in rules} == {None, "few_hospitals"}


def test_a_norm_held_back_by_the_auditor_is_hidden_in_the_sum_too() -> None:
    """What earlier answers hide is as hidden as what is small."""
    shows = [float(d) for d in [*[10] * 60, *[25] * 20, *[50] * 20]]
    sites = [rows_of(shows)] * 5
    hide = {0: frozenset({"wait=[29,366)"})}
    found = ask_each(ASKED, sites, BOOK, STRICT, hide)
    assert [w["n"] for w in found.results[0]["within"]] == [60, None]
    assert found.steps["waiting_time.days"]["days"].size - 2 == 27


def test_a_hospital_cannot_add_more_days_than_it_offered() -> None:
    """Review 8b.7: a million patients on one day make that day the others' median, and the rule's
    verdict then tells the exact median of whoever is measured by it."""
    query = parse({"version": 1, "codebook": BOOK.id, "analysis": ASKED, "output": "by_site"}, BOOK)
    ask, method = Ask(query, BOOK, STRICT), KINDS["waiting_time"]
    sites = [rows_of(around(median, 61)) for median in (28, 14, 14, 14)]

    def added(step: Step) -> dict[str, Any]:
        replies = [method.site(ask, step, each) for each in sites]
        return {name: sum(reply[name] for reply in replies) for name in replies[0]}

    step = method.combine(ask, method.start(ask), added(method.start(ask)))
    assert isinstance(step, Step)
    pooled = added(step)
    after = method.combine(ask, step, pooled)
    assert isinstance(after, Step)
    assert after.name == "waiting_time.own"
    for place, more in ((5, 10**6), (5, -1)):
        days = pooled["days"].copy()
        days[place] += more
        with pytest.raises(Refused, match="PROTOCOL"):
            method.combine(ask, step, {**pooled, "days": days})
    shifted = pooled["days"].copy()
    shifted[[14, 5]] += [40, -40]  # as many, and nobody has so few
    with pytest.raises(Refused, match="PROTOCOL"):
        method.combine(ask, step, {**pooled, "days": shifted})


def test_a_median_of_tumours_is_shown_where_no_day_has_ten_patients() -> None:
    waits = [around(28, n=101), *[around(14, n=101)] * 3]
    sites = [rows_of(days, range(101)) for days in waits]
    found = ask_each(ASKED, sites, TUMOURS, STRICT).results
    low, high = found[0]["median"]
    assert low <= 28 <= high
    assert high - low < 10
    assert found[0]["rule"]["signal"] is True
    assert found[0]["rule"]["others"][1] == 14


def test_patients_with_two_tumours() -> None:
    """Twelve rows of six patients are no bar, and no interval of a median."""
    days = [*[10.0] * 40, *[50.0] * 12]
    two_each = [*range(40), *range(100, 106), *range(100, 106)]
    one_each = [*range(52)]
    sites = [rows_of(days, people) for people in (two_each, one_each, one_each, one_each)]
    found = ask_each(ASKED, sites, TUMOURS, STRICT)
    assert found.results[0]["patients"] == 46
    assert [w["n"] for w in found.results[0]["within"]] == [None, None]
    assert [w["n"] for w in found.results[1]["within"]] == [40, None]
    assert found.steps["waiting_time.days"]["patients"][10] == 4 * 40
    assert found.results[1]["rule"]["signal"] is False
    opened = ask_each(ASKED, sites, TUMOURS, OPEN).results[0]
    bars = {b["low"]: (b["n"], b["patients"]) for b in opened["bins"] if b["n"]}
    assert bars == {10: (40, 40), 50: (12, 6)}
