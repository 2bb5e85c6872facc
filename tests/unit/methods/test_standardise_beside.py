"""What stands beside a hospital's ratio tells nothing that the ratio did not (ADR 0038)."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from scipy import stats

from federation.disclosure.gate import decide
from federation.methods.base import Rows, Step
from federation.methods.registry import KINDS

METHOD: Any = KINDS["standardise"]
NEW = ("variance", "shrunken", "share", "share_low", "share_high")
CONDITION = {"any": [{"var": "flag", "op": "=", "value": True},
                     {"var": "score", "op": ">=", "value": 4}]}  # fmt: skip


def _site(rows: Any, seed: int, **more: Any) -> Rows:
    rng = np.random.default_rng(seed)
    n = 150
    e = rng.random(n) < 0.15 + 0.12 * (seed % 4)
    values = {"age": rng.integers(30, 90, n), "flag": e, "score": rng.integers(1, 4, n)}
    return rows(**{**values, **more})


def _answers(question: Any, answer: Any, sites: list[Rows]) -> list[dict[str, Any]]:
    asked = dataclasses.replace(
        question, query=dataclasses.replace(question.query, output="by_site")
    )
    sites = [dataclasses.replace(site, cache={}) for site in sites]
    facts = answer(asked, sites).finished.facts
    made = []
    for site in sites:
        at = dataclasses.replace(asked, site="s00")
        own = METHOD.own_part(at, Step("standardise.own", facts), site)
        made.append(METHOD.result(at, own, decide(METHOD.tables(at, own), at.terms)).result)
    return made


@pytest.mark.parametrize("outcome", ["flag", CONDITION], ids=["variable", "condition"])
def test_every_new_number_follows_from_those_that_stood_there(
    outcome: Any, ask: Any, answer: Any, rows: Any
) -> None:
    """Somebody with the old answer works them out: to what the old answer was rounded to."""
    question = ask("standardise", outcome=outcome, formula="age")
    for own in _answers(question, answer, [_site(rows, seed) for seed in range(6)]):
        o, e, n = own["observed"], own["expected"], own["n"]
        variance = ((o - e) / own["z"]) ** 2
        assert own["variance"] == pytest.approx(variance, rel=1e-3)
        width = (own["limits95_widened"][1] - 1) / stats.norm.ppf(0.975)
        between = width**2 - variance / e**2
        weight = between / width**2
        assert own["shrunken"]["ratio"] == pytest.approx(1 + weight * (o / e - 1), rel=1e-3)
        half = stats.norm.ppf(0.975) * np.sqrt(weight * variance / e**2)
        assert own["shrunken"]["high"] - own["shrunken"]["ratio"] == pytest.approx(half, rel=1e-2)
        exact = stats.binomtest(o, n).proportion_ci(method="exact")
        assert own["share"] == pytest.approx(o / n, rel=1e-5)
        assert (own["share_low"], own["share_high"]) == pytest.approx(
            (exact.low, exact.high), rel=1e-5
        )


@pytest.mark.parametrize("formula", ["age", None])
@pytest.mark.parametrize("few", [0, 9, 141, 150])
def test_where_the_number_is_hidden_they_are_and_the_others_do_not_move(
    few: int, formula: str | None, ask: Any, answer: Any, rows: Any
) -> None:
    """Rule O14, also for a condition: the same answers whatever the secret of one hospital."""
    question = ask("standardise", outcome=CONDITION, formula=formula)
    others = [_site(rows, seed) for seed in range(5)]
    secret = [True] * few + [False] * (150 - few)
    hidden = _answers(question, answer, [*others, _site(rows, 9, flag=secret)])
    none = _answers(question, answer, [*others, _site(rows, 9, flag=[False] * 150)])
    assert hidden[:5] == none[:5]
    assert hidden[5] == none[5]
    assert {name: hidden[5][name] for name in ("observed", *NEW)} == dict.fromkeys(
        ("observed", *NEW)
    )
    assert hidden[5]["limits95"][0] < hidden[5]["limits95"][1]


def test_who_has_part_of_the_outcome_missing_counts_as_missing(
    ask: Any, answer: Any, rows: Any
) -> None:
    """Yes by one part whatever the other; no only with both; the rest is missing."""
    question = ask("standardise", outcome=CONDITION)
    flag = [True] * 30 + [False] * 60 + [None] * 30 + [True] * 30
    score = [1] * 30 + [2] * 60 + [3] * 30 + [None] * 30
    own = _answers(question, answer, [_site(rows, 1, flag=flag, score=score) for _ in range(3)])[0]
    assert (own["n"], own["missing"], own["observed"]) == (120, 30, 60)


def test_hospitals_that_differ_no_more_than_chance_are_not_shrunk(
    ask: Any, answer: Any, rows: Any
) -> None:
    flag = [True] * 45 + [False] * 105
    question = ask("standardise", outcome="flag")
    own = _answers(question, answer, [_site(rows, seed, flag=flag) for seed in range(4)])[0]
    assert own["limits95_widened"] == [None, None]
    assert own["shrunken"] is None
    assert own["variance"] == pytest.approx(150 * 0.3 * 0.7)


@pytest.mark.parametrize("formula", ["h", "h + age"])
@pytest.mark.parametrize("few", [0, 3, 9, 10])
def test_expected_numbers_do_not_tell_how_many_have_a_level(
    few: int, formula: str, ask: Any, answer: Any, rows: Any
) -> None:
    """Two hospitals' answers and level counts give the probabilities, and a third one's expected
    number its level counts; so they do where a measure in the model moves nothing, as age does not
    here. So it is hidden where a level is small, and the others do not add up to it."""

    def site(seed: int, yes: int) -> Rows:
        return _site(rows, seed, h=["yes"] * yes + ["no"] * (150 - yes))

    sites = [site(seed, 40 + 10 * seed) for seed in range(4)]
    asked = ask("standardise", outcome="flag", formula=formula)
    *others, own = _answers(asked, answer, [*sites, site(5, few)])
    if few == 10:  # enough: the attack itself, which finds what `count` shows as well
        assert own["expected"] is not None
        if formula != "h":
            return
        two = np.array([[150.0 - 40 - 10 * i, 40.0 + 10 * i] for i in (0, 3)])
        no, yes = np.linalg.solve(two, [others[0]["expected"], others[3]["expected"]])
        assert (own["expected"] - 150 * no) / (yes - no) == pytest.approx(10, abs=0.05)
        return
    assert own["observed"] is not None
    for name in ("expected", "ratio", "z", "outside", "variance", "shrunken"):
        assert own[name] is None
    assert own["limits95"] == own["limits998_widened"] == [None, None]
    assert own["share"] == pytest.approx(own["observed"] / 150, rel=1e-5)
    assert others == _answers(asked, answer, sites)


@pytest.mark.parametrize("formula", ["age", None])
def test_limits_follow_from_how_many_have_the_outcome(
    formula: str | None, ask: Any, answer: Any, rows: Any
) -> None:
    """85% of all, and 70% at one hospital: five times the spread of chance, and outside. Of a rare
    outcome with a model they are Poisson's."""

    def sites(*positive: int, n: int) -> list[Rows]:
        rng = np.random.default_rng(3)
        return [
            rows(flag=[True] * k + [False] * (n - k), age=rng.integers(30, 90, n)) for k in positive
        ]

    question = ask("standardise", outcome="flag", formula=formula)
    *_, own = _answers(question, answer, sites(130, 131, 129, 130, 130, 131, 105, n=150))
    assert own["limits"] == "binomial"
    assert own["z"] < -4
    assert own["outside"] == 998
    assert own["limits998"][1] <= 150 / own["expected"]
    *_, few = _answers(question, answer, sites(15, 20, 15, n=500))
    assert few["limits"] == ("binomial" if formula is None else "poisson")
    chi = stats.chi2.ppf(0.025, 2 * few["expected"]) / 2 / few["expected"]
    assert (abs(few["limits95"][0] - chi) < 1e-4) == (formula is not None)
