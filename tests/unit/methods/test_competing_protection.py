"""Cumulative incidence under protection: a public grid, and points that cover every kind enough."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from federation.methods.registry import KINDS
from federation.query.errors import QueryError
from federation.query.refusals import Refused

QUESTION = {"time": "t", "event": "end"}


def patients(rows: Any, seed: int = 1, n: int = 600) -> Any:
    rng = np.random.default_rng(seed)
    return rows(
        t=np.floor(rng.exponential(500, n)).clip(0, 3000),
        end=rng.choice(["none", "relapse", "death"], n, p=[0.3, 0.45, 0.25]),
        g=rng.choice(["a", "b", "c"], n),
        h=rng.choice(["no", "yes"], n),
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cause", ["relapse", "death"])
def test_published_points_cover_enough_of_every_kind(
    cause: str, seed: int, ask: Any, answer: Any, rows: Any
) -> None:
    made = patients(rows, seed)
    found = answer(ask("competing_risks", **QUESTION, cause=cause, by="h"), [made])
    assert found.steps == ["competing_risks.counts"]
    assert found.result["grid"] == 30
    time = np.ceil(made.column("t").values / 30) * 30
    end = made.column("end").codes()
    for k, group in enumerate(found.result["groups"]):
        mine = made.column("h").codes() == k
        assert len(group["curve"]) > 3
        before = -1.0
        for point in group["curve"][1:]:
            inside = mine & (time > before) & (time <= point["t"])
            assert inside.sum() >= 10
            assert (inside & (end == 1)).sum() >= 5
            assert (inside & (end == 2)).sum() >= 5
            assert point["at_risk"] == (mine & (time > point["t"])).sum() >= 10
            before = point["t"]
        for kind in (1, 2):
            assert (mine & (end == kind) & (time > before)).sum() >= 5
        assert found.why[f"groups[{k}].curve"] == "follow_up_too_small"


def test_points_are_the_same_for_every_cause_and_three_decimals(
    ask: Any, answer: Any, rows: Any
) -> None:
    made = patients(rows)
    curves = [
        answer(ask("competing_risks", **QUESTION, cause=cause), [made]).result["groups"][0]["curve"]
        for cause in ("relapse", "death")
    ]
    times = [[(point["t"], point["at_risk"]) for point in curve] for curve in curves]
    assert times[0] == times[1]
    for point in curves[0]:
        assert all(point[key] == round(point[key], 3) for key in ("cif", "low", "high"))
        assert 0 <= point["low"] <= point["cif"] <= point["high"] <= 1


def test_asked_times_are_read_off_the_points(ask: Any, answer: Any, rows: Any) -> None:
    question = ask("competing_risks", **QUESTION, cause="relapse", at=[0, 400, 2990])
    found = answer(question, [patients(rows)])
    group = found.result["groups"][0]
    points = {point["t"]: point for point in group["curve"]}
    first, middle, beyond = group["at"]
    assert (first["cif"], first["se"], first["as_of"]) == (0.0, 0.0, 0.0)
    assert middle["as_of"] <= 400
    assert middle["cif"] == points[middle["as_of"]]["cif"]
    assert middle["t"] == 400
    assert beyond["cif"] is None
    assert found.why["groups[0].at[2]"] == "follow_up_too_small"


@pytest.mark.parametrize("few", [0, 1, 9, 10, 11])
def test_few_of_a_kind_hide_its_curve_and_the_test(
    few: int, ask: Any, answer: Any, rows: Any
) -> None:
    made = patients(rows)
    end = made.column("end").values
    mine = np.flatnonzero((made.column("h").codes() == 1) & (end == 2))
    end[mine[few:]] = 1
    found = answer(ask("competing_risks", **QUESTION, cause="death", by="h", at=[300]), [made])
    group = found.result["groups"][1]
    if few >= 10:
        assert group["events"] == few
        assert found.result["gray"]["df"] == 1
        return
    assert (group["events"], group["curve"]) == (None, [])
    assert group["at"][0]["cif"] is None
    assert found.why["groups[1].curve"] == found.why["gray"] == "small_cell"
    assert found.result["gray"] is None
    # The other cause may not tell it either: its answer hides the same numbers.
    other = answer(ask("competing_risks", **QUESTION, cause="relapse", by="h"), [made])
    assert other.result["groups"][1]["competing"] is None


@pytest.mark.parametrize("few", [0, 1, 9, 10, 11])
def test_few_censored_hide_the_curve(few: int, ask: Any, answer: Any, rows: Any) -> None:
    made = patients(rows)
    end = made.column("end").values
    none = np.flatnonzero(end == 0)
    end[none[few:]] = 1 + np.arange(none.size - few) % 2
    found = answer(ask("competing_risks", **QUESTION, cause="death"), [made])
    assert (found.why["groups[0].curve"] == "small_cell") == (few < 10)
    assert (found.result["groups"][0]["curve"] == []) == (few < 10)


@pytest.mark.parametrize("few", [0, 1, 9])
def test_a_small_group_has_no_curve(few: int, ask: Any, answer: Any, rows: Any) -> None:
    made = patients(rows)
    made.column("g").values[:] = np.where(np.arange(600) < few, 2, np.arange(600) % 2)
    found = answer(ask("competing_risks", **QUESTION, cause="relapse", by="g"), [made])
    hidden = found.result["groups"][2]
    assert (hidden["n"], hidden["events"], hidden["curve"]) == (None, None, [])
    assert found.result["gray"] is None


def test_the_grid_needs_a_public_end(ask: Any) -> None:
    question = ask("competing_risks", time="endless", event="end", cause="death")
    with pytest.raises(Refused) as caught:
        KINDS["competing_risks"].start(question)
    assert (caught.value.code, caught.value.terms) == ("NOT_IN_CATALOGUE", ("endless",))


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"cause": "none"}, ("none",)),
        ({"cause": "death", "censored": "death"}, ("death",)),
        ({"cause": "death", "by": "end"}, ("end",)),
    ],
)
def test_a_question_that_contradicts_itself(
    params: dict[str, Any], named: tuple[str, ...], ask: Any
) -> None:
    with pytest.raises(Refused) as caught:
        KINDS["competing_risks"].start(ask("competing_risks", **QUESTION, **params))
    assert (caught.value.code, caught.value.terms) == ("NOT_IN_CATALOGUE", named)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"cause": "deth"}, "'end' has no level 'deth'. Did you mean 'death'"),
        ({"cause": "death", "censored": "non"}, "has no level 'non'"),
        ({"cause": True}, "is the code of a level"),
        ({"cause": ["death"]}, "is the code of a level"),
    ],
)
def test_wrong_levels_are_named_with_the_nearest(
    params: dict[str, Any], words: str, ask: Any
) -> None:
    with pytest.raises(QueryError) as caught:
        ask("competing_risks", **QUESTION, **params)
    assert words in caught.value.message
    assert caught.value.where.startswith("analysis.")
