"""Trends under protection: what the quarters, their differences and their expected numbers tell."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from own_answers import ask_each

from federation.disclosure.gate import decide
from federation.methods.base import Ask, Column, Finished, Rows, Step
from federation.methods.registry import KINDS, parse
from federation.query.codebook import Codebook
from federation.query.errors import QueryError
from federation.query.terms import Terms

BOOK = Codebook.from_dict(
    {
        "codebook": "trend/1",
        "variables": {
            "seen": {"type": "date", "resolution": "month"},
            "year": {"type": "date", "resolution": "year"},
            "bad": {"type": "boolean"},
            "sex": {"type": "category", "levels": ["m", "f"]},
            "age": {"type": "integer", "min": 18, "max": 110},
            "since": {"type": "integer", "min": 2020, "max": 2030},
            "wait": {"type": "duration", "unit": "days", "min": 0, "max": 500, "cuts": [14, 21]},
        },
    }
)
ASKED = {"kind": "trend", "date": "seen", "first": "2024-01", "last": "2025-12", "outcome": "bad"}
STRICT = Terms.strict()


def over(quarters: int) -> dict[str, Any]:
    """The question about so many quarters."""
    return {**ASKED, "last": f"{2024 + (quarters - 1) // 4}-{3 * ((quarters - 1) % 4 + 1):02d}"}


START = 2024 * 12


def rows_of(cells: list[tuple[int, int]], women: list[tuple[int, int]] | None = None) -> Rows:
    """Patients of each quarter as (with, without) the outcome, of whom so many are women."""
    seen: list[float] = []
    bad: list[int] = []
    sex: list[int] = []
    for place, (with_it, without) in enumerate(cells):
        n = with_it + without
        seen += [START + 3 * place + i % 3 for i in range(n)]
        bad += [1] * with_it + [0] * without
        few = (0, 0) if women is None else women[place]
        sex += [1] * few[0] + [0] * (with_it - few[0]) + [1] * few[1] + [0] * (without - few[1])
    variables = BOOK.variables
    age = np.random.default_rng(len(seen)).integers(40, 90, len(seen))
    columns = {
        "age": Column(variables["age"], age.astype(np.float64)),
        "since": Column(variables["since"], np.floor(np.array(seen, dtype=np.float64) / 12)),
        "seen": Column(variables["seen"], np.array(seen, dtype=np.float64)),
        "bad": Column(variables["bad"], np.array(bad, dtype=np.int16)),
        "sex": Column(variables["sex"], np.array(sex, dtype=np.int16)),
    }
    return Rows(columns, len(seen))


OTHERS = [rows_of([(20 + i, 60 + i)] * 8) for i in range(4)]
QUARTERS = st.lists(st.tuples(st.integers(0, 25), st.integers(0, 40)), min_size=2, max_size=8)


@settings(max_examples=120, deadline=None)
@given(QUARTERS)
def test_no_quarter_follows_from_the_others_the_total_and_the_differences(
    cells: list[tuple[int, int]],
) -> None:
    """Who knows all that is shown and the total of the period learns sums of hidden quarters only:
    of two quarters at least, with enough patients with the outcome and without."""
    answer = ask_each(over(len(cells)), [rows_of(cells), *OTHERS[:3]], BOOK, STRICT).own[0]
    assume(answer is not None and answer.result["n"] is not None)
    assert answer is not None
    total = (sum(a for a, _ in cells), sum(b for _, b in cells))
    quarters = answer.result["quarters"][: len(cells)]
    hidden: list[tuple[int, int]] = []
    for quarter, (with_it, without) in zip(quarters, cells, strict=True):
        if quarter["n"] is not None:
            assert quarter["n"] == with_it + without >= 10
        if quarter["observed"] is None:
            assert (quarter["share"], quarter["cusum"]) == (None, None)
            hidden.append((with_it, without))
        else:
            assert quarter["observed"] == with_it >= 10
            assert without >= 10
        if quarter["vlad"] is not None and hidden:
            assert len(hidden) > 1
            assert min(sum(h[0] for h in hidden), sum(h[1] for h in hidden)) >= 10
            hidden = []
    if hidden and min(total) >= 10:  # else the total is hidden, too
        assert len(hidden) > 1
        assert min(sum(h[0] for h in hidden), sum(h[1] for h in hidden)) >= 10
    if min(total) < 10:
        assert all(q["vlad"] is None for q in answer.result["quarters"])


def test_the_difference_stands_again_after_two_hidden_quarters() -> None:
    cells = [(15, 30), (6, 30), (7, 30), (12, 30), (15, 30)]
    own = ask_each(over(5), [rows_of(cells), *OTHERS], BOOK, STRICT).results[0]["quarters"]
    assert [q["observed"] for q in own[:5]] == [15, None, None, 12, 15]
    assert [q["vlad"] is None for q in own[:5]] == [False, True, False, False, False]
    alone = [(15, 30), (6, 30), (20, 30), (11, 30), (15, 30)]
    own = ask_each(over(5), [rows_of(alone), *OTHERS], BOOK, STRICT).results[0]["quarters"]
    assert [q["observed"] for q in own[:5]] == [15, None, 20, None, 15]
    assert [q["vlad"] is None for q in own[:5]] == [False, True, True, False, False]


def test_a_term_that_follows_the_time_tells_no_hidden_year() -> None:
    """Review 8b.4. With the year in the formula the model's numbers add up to the observed ones of
    each year: less the others', all shown, that was the hidden year of one hospital. And so it is
    with that hospital's own expected numbers left out, by the others' probability of that year."""
    asked = {**ASKED, "formula": "age + since"}
    early = [(15, 20)] * 4
    secrets = ([(2, 33), (1, 34), (3, 32), (1, 34)], [(1, 34), (1, 34), (2, 33), (1, 34)])
    found = [ask_each(asked, [rows_of([*early, *late]), *OTHERS], BOOK, STRICT) for late in secrets]
    own, other = found[0].results[0]["quarters"], found[0].results[1]["quarters"]
    assert [q["observed"] for q in own[4:]] == [None] * 4
    assert all(q["observed"] is not None and q["expected"] is not None for q in other)
    # Nothing of it is in anybody's number: other outcomes in the hidden year, the same answers.
    assert found[0].results[1:] == found[1].results[1:]
    expected = [[q["expected"] for q in each.results[0]["quarters"]] for each in found]
    assert expected[0] == expected[1]
    # The others alone make the model, and add up to what they show.
    shown = [q for r in found[0].results[1:] for q in r["quarters"][4:]]
    assert sum(q["expected"] - q["observed"] for q in shown) == pytest.approx(0, abs=1e-3)
    # Too few hospitals with all their quarters make no model; the numbers shown stay.
    two = ask_each(asked, [rows_of([*early, *secrets[0]]), *OTHERS[:2]], BOOK, STRICT)
    assert set(two.steps) == {"trend.pool"}
    assert [q["expected"] for q in two.results[1]["quarters"]] == [None] * 8
    assert two.results[1]["quarters"][0]["observed"] == 20
    assert two.own[1] is not None
    assert {"where": "expected", "why": "small_cell"} in two.own[1].hidden


def test_of_all_together_no_expected_number_stands_beside_a_hidden_quarter() -> None:
    """The same sum over one set of patients: all hospitals as one."""
    asked = {**ASKED, "formula": "age + since"}
    few = [
        rows_of([*[(15, 20)] * 4, *late]) for late in ([(1, 34)] * 4, [(0, 35)] * 4, [(1, 34)] * 4)
    ]
    result = ask_pooled(asked, few)
    assert [q["observed"] for q in result["quarters"]][4:6] == [None, None]
    assert all(q["expected"] is None and q["vlad"] is None for q in result["quarters"])
    plain = ask_pooled(ASKED, few)  # without a formula everybody has the pooled share
    assert all(q["expected"] is not None for q in plain["quarters"])
    shown = ask_pooled(asked, OTHERS)
    assert all(q["expected"] is not None for q in shown["quarters"])


def ask_pooled(analysis: dict[str, Any], sites: list[Rows]) -> dict[str, Any]:
    """The pooled answer of `sites` under protection."""
    query = parse({"version": 1, "codebook": BOOK.id, "analysis": analysis}, BOOK)
    ask, method = Ask(query, BOOK, STRICT), KINDS["trend"]
    after: Step | Finished = method.start(ask)
    while isinstance(after, Step):
        replies = [method.site(ask, after, rows) for rows in sites]
        pooled = {name: sum(reply[name] for reply in replies) for name in replies[0]}
        after = method.combine(ask, after, pooled)  # type: ignore[arg-type]
    shown = decide(method.tables(ask, after), STRICT, frozenset(), BOOK)
    return dict(method.result(ask, after, shown).result)


def test_an_expected_number_does_not_tell_how_many_women_there_were() -> None:
    """C(sex): E = m p + w q. Who has p and q, from two hospitals with known counts, solves it for
    w: only where both are enough may E stand, and not where the year less the others tells it."""
    mixed = [((12, 30), (6, 15))] * 8
    plain = [rows_of([c for c, _ in mixed], [w for _, w in mixed]) for _ in range(4)]
    few = [*mixed[:2], ((12, 30), (1, 2)), *mixed[3:]]
    asked = {**ASKED, "formula": "sex"}
    sites = [rows_of([c for c, _ in few], [w for _, w in few]), *plain]
    found = ask_each(asked, sites, BOOK, STRICT)
    own = found.results[0]["quarters"]
    told = [q["expected"] is not None for q in own]
    assert not told[2]
    assert told.count(False) == 2  # one more, so that the year does not tell it
    assert all(q["observed"] == 12 for q in own)
    # Nor does the difference: where E is hidden it stands after both hidden quarters only.
    first, last = [i for i, each in enumerate(told) if not each]
    assert all(own[i]["vlad"] is None for i in range(first, last))
    assert own[last]["vlad"] is not None
    assert all(q["expected"] is not None for q in found.results[1]["quarters"])


def test_few_women_in_all_the_quarters() -> None:
    """Then no expected number, no difference, and no part in the model of the others."""
    cells = [(12, 30)] * 8
    women = [(1, 0)] * 8
    others = [rows_of(cells, [(6, 15)] * 8) for _ in range(4)]
    asked = {**ASKED, "formula": "sex"}
    with_few = ask_each(asked, [rows_of(cells, women), *others], BOOK, STRICT)
    own = with_few.results[0]["quarters"]
    assert all(q["expected"] is None and q["vlad"] is None for q in own)
    assert all(q["observed"] == 12 for q in own)
    other = ask_each(asked, [rows_of(cells, [(0, 1)] * 8), *others], BOOK, STRICT)
    assert other.results[1:] == with_few.results[1:]


def test_a_hidden_hospital_moves_nothing_in_the_others() -> None:
    first = ask_each(ASKED, [rows_of([(1, 30)] * 8), *OTHERS], BOOK, STRICT)
    second = ask_each(ASKED, [rows_of([(0, 31)] * 8), *OTHERS], BOOK, STRICT)
    assert first.results == second.results
    assert [q["observed"] for q in first.results[0]["quarters"]] == [None] * 8
    assert first.results[0]["quarters"][0]["expected"] is not None


def test_a_cusum_says_nothing_of_a_few_patients() -> None:
    """Review 8b.6. The value of a run of three patients, found to six digits by one limit after
    another, told what became of each."""
    mine = rows_of([(15, 45), (12, 48)])
    # Three with the outcome, then one of five: no run is of ten patients in the first quarter.
    bad = [1, 1, 1, *[0] * 9, *([1, *[0] * 3] * 12)]
    later = [1] * 12 + [0] * 48
    in_time = np.empty(mine.n, dtype=np.int16)
    in_time[np.argsort(mine.columns["seen"].values, kind="stable")] = [*bad, *later]
    columns = {**mine.columns, "bad": Column(BOOK.variables["bad"], in_time)}
    sites = [dataclasses.replace(mine, columns=columns, cache={}), *OTHERS]
    found = {}
    for limit in (0.5, 1.1, 1.2, 1.24, 1.3, 4.5, 6.2, 6.24, 6.3):
        own = ask_each({**over(2), "cusum_h": limit}, sites, BOOK, STRICT).results[0]["quarters"]
        found[limit] = [each["cusum"] for each in own[:2]]
        # Whether it signals follows from the number that stands there: no limit finds another.
        assert all(c["signal"] == ((c["max"] or 0) > limit) for c in found[limit]), limit
    assert len({str([c["max"] for c in each]) for each in found.values()}) == 1
    opened = ask_each({**over(2), "cusum_h": 4.5}, sites, BOOK, Terms.open_data()).results[0]
    assert opened["quarters"][0]["cusum"]["max"] > 1  # three in a row
    assert (found[4.5][0]["max"] or 0) < opened["quarters"][0]["cusum"]["max"] - 0.1
    assert found[4.5][1]["max"] == pytest.approx(opened["quarters"][1]["cusum"]["max"], abs=0.06)


@pytest.mark.parametrize(
    ("change", "code", "where"),
    [
        ({"first": "2024-02"}, "BAD_VALUE", "analysis.first"),
        ({"last": "2025-11"}, "BAD_VALUE", "analysis.last"),
        ({"first": "2024-1"}, "BAD_VALUE", "analysis.first"),
        ({"first": "2026-01"}, "BAD_VALUE", "analysis.last"),
        ({"first": "2010-01"}, "BAD_VALUE", "analysis.last"),
        ({"date": "year"}, "BAD_VALUE", "analysis.date"),
        ({"by": "month"}, "BAD_VALUE", "analysis.by"),
        ({"outcome": None}, "BAD_VALUE", "analysis"),
        ({"variable": "wait", "within": 14}, "BAD_VALUE", "analysis"),
        ({"outcome": None, "variable": "wait"}, "BAD_VALUE", "analysis"),
        (
            {"outcome": None, "variable": "wait", "within": 15},
            "NOT_IN_CATALOGUE",
            "analysis.within",
        ),
        ({"formula": "bad + age"}, "BAD_VALUE", "analysis.formula"),
        ({"cusum_h": 0}, "BAD_VALUE", "analysis.cusum_h"),
        ({"cusum_h": 4.5, "cusum_ratio": 10}, "BAD_VALUE", "analysis.cusum_ratio"),
    ],
)
def test_bad_parameters(change: dict[str, Any], code: str, where: str) -> None:
    asked = {"version": 1, "codebook": BOOK.id, "analysis": {**ASKED, **change}}
    with pytest.raises(QueryError) as caught:
        parse(asked, BOOK)
    assert (caught.value.code, caught.value.where) == (code, where)
    assert caught.value.message.endswith(".")


def test_the_names_of_quarters() -> None:
    own = ask_each(ASKED, OTHERS, BOOK, Terms.open_data()).results[0]["quarters"]
    names = [f"{y}-Q{q}" for y, q in itertools.product((2024, 2025), (1, 2, 3, 4))]
    assert [q["quarter"] for q in own] == names
