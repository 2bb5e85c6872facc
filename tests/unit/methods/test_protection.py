"""What protection does to each kind: null and a reason, a coarser number, or a refusal."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from federation.query.refusals import Refused
from federation.query.terms import Terms

STRICT = Terms.strict()


def _refused(run: Any, *args: Any) -> tuple[str, tuple[str, ...]]:
    with pytest.raises(Refused) as caught:
        run(*args)
    return caught.value.code, caught.value.terms


def _digits(value: float) -> int:
    return len(f"{value:.12e}".split("e")[0].rstrip("0").replace(".", "").lstrip("-"))


class TestCount:
    @pytest.mark.parametrize("few", [0, 1, 9])
    def test_few_and_none_look_alike(self, few: int, ask: Any, answer: Any, rows: Any) -> None:
        made = rows(g=["a"] * 40 + ["b"] * 50 + ["c"] * few)
        found = answer(ask("count", by=["g"]), [made])
        assert found.result["cells"][2] == {"by": {"g": "c"}, "n": None}
        assert found.why["cells[2]"] == "small_cell"
        # The total is public, so a second cell must hide what the first one is.
        shown = [cell["n"] for cell in found.result["cells"] if cell["n"] is not None]
        assert len(shown) == 1

    def test_no_test_from_hidden_cells(self, ask: Any, answer: Any, rows: Any) -> None:
        made = rows(g=["a"] * 40 + ["b"] * 40, h=["no"] * 37 + ["yes"] * 43)
        found = answer(ask("count", by=["g", "h"]), [made])
        assert found.result["test"] is None
        assert found.why["test"] == "small_cell"

    def test_a_small_total_is_hidden_everywhere(self, ask: Any, answer: Any, rows: Any) -> None:
        found = answer(ask("count"), [rows(g=["a"] * 9)])
        assert (found.result["n"], found.result["total"]) == (None, None)
        assert found.result["cells"] == [{"by": {}, "n": None}]
        assert set(found.why) == {"n", "total", "missing", "cells[0]"}

    def test_a_table_with_too_many_cells_is_too_fine(
        self, ask: Any, answer: Any, rows: Any
    ) -> None:
        wide = ask("count", by=["age", "score", "g"])  # 18 x 5 x 3 = 270 cells
        assert _refused(answer, wide, [rows(age=[], score=[], g=[])])[0] == "TOO_FINE"


class TestDescribe:
    def test_one_set_of_patients_for_all_variables(self, ask: Any, answer: Any, rows: Any) -> None:
        made = rows(age=[50, 60, None] * 20, x=[1, None, 3] * 20)
        open_terms = Terms.open_data()
        question = {"variables": ["age", "x"]}
        plain = answer(ask("describe", terms=open_terms, **question), [made]).result
        assert [v["groups"][0]["n"] for v in plain["variables"]] == [40, 40]
        strict = answer(ask("describe", **question), [made])
        assert [v["groups"][0]["n"] for v in strict.result["variables"]] == [20, 20]
        assert strict.result["missing"] == 40
        assert "every listed variable" in strict.released.warnings[0]
        assert strict.why["variables[0].groups[0].missing"] == "complete_cases"

    def test_everyone_the_same_tells_each_value(self, ask: Any, answer: Any, rows: Any) -> None:
        found = answer(ask("describe", variables=["x"]), [rows(x=[7.5] * 30)])
        group = found.result["variables"][0]["groups"][0]
        assert (group["mean"], group["sd"]) == (None, None)
        assert found.why["variables[0].groups[0].mean"] == "no_spread"

    def test_one_patient_who_makes_up_most_of_a_mean(
        self, ask: Any, answer: Any, rows: Any
    ) -> None:
        question = ask("describe", variables=["x"], by="g")
        some = rows(x=[10.0] * 40 + [1000.0], g=["a"] * 20 + ["b"] * 20 + ["c"])
        more = rows(x=[20.0] * 40, g=["a"] * 10 + ["b"] * 15 + ["c"] * 15)
        found = answer(question, [some, more])
        groups = found.result["variables"][0]["groups"]
        # the largest is in c; a, the smallest of the others, would give c away
        assert [group["mean"] for group in groups] == [None, pytest.approx(14.2857), None]
        assert [group["n"] for group in groups] == [30, 35, 16]
        assert found.why["variables[0].groups[2].mean"] == "dominance"
        assert found.why["variables[0].groups[0].mean"] == "dominance"
        plain = answer(ask("describe", terms=Terms.open_data(), variables=["x"], by="g"), [some])
        assert plain.result["variables"][0]["groups"][2]["mean"] == 1000

    def test_a_small_group_says_nothing(self, ask: Any, answer: Any, rows: Any) -> None:
        made = rows(age=list(range(30, 80)) * 2 + [40] * 9, g=["a"] * 50 + ["b"] * 50 + ["c"] * 9)
        found = answer(ask("describe", variables=["age"], by="g"), [made])
        hidden = found.result["variables"][0]["groups"][2]
        assert {k for k, v in hidden.items() if v is not None} == {"level", "quantiles"}
        assert set(hidden["quantiles"].values()) == {None}

    def test_rounding_and_quantiles(self, ask: Any, answer: Any, rows: Any) -> None:
        rng = np.random.default_rng(0)
        ages = rng.integers(20, 100, 400)
        found = answer(ask("describe", variables=["age"]), [rows(age=ages)])
        group = found.result["variables"][0]["groups"][0]
        for name in ("mean", "sd", "se", "ci_low", "ci_high"):
            assert _digits(group[name]) <= 6
        assert group["mean"] == pytest.approx(ages.mean(), rel=1e-5)
        for p, (low, high) in group["quantiles"].items():
            exact = np.quantile(ages, float(p), method="inverted_cdf")
            assert low <= exact <= high
            assert ((ages >= low) & (ages <= high)).sum() >= 10

    def test_a_quantile_with_few_on_one_side(self, ask: Any, answer: Any, rows: Any) -> None:
        found = answer(ask("describe", variables=["age"]), [rows(age=range(30, 60))])
        quantiles = found.result["variables"][0]["groups"][0]["quantiles"]
        assert quantiles["0.25"] is None
        assert found.why["variables[0].groups[0].quantiles.0.25"] == "small_cell"
        assert quantiles["0.5"] is not None

    def test_no_cuts_no_quantiles(self, ask: Any, answer: Any, rows: Any) -> None:
        found = answer(ask("describe", variables=["x"]), [rows(x=range(30))])
        assert found.why["variables[0].groups[0].quantiles"] == "no_cuts"


def _patients(rows: Any, seed: int = 2, n: int = 400, **more: Any) -> Any:
    rng = np.random.default_rng(seed)
    return rows(
        t=np.floor(rng.exponential(600, n)).clip(0, 3000),
        e=rng.random(n) < 0.6,
        age=rng.integers(30, 90, n),
        x=rng.normal(size=n),
        g=rng.choice(["a", "b", "c"], n),
        h=rng.choice(["no", "yes"], n),
        **more,
    )


OUTCOME = {"time": "t", "event": "e"}


class TestSurvival:
    def test_a_finer_grid_is_refused_before_anything_is_read(
        self, ask: Any, answer: Any, rows: Any
    ) -> None:
        question = ask("survival", **OUTCOME, grid_days=7)
        assert _refused(answer, question, [_patients(rows)]) == ("TOO_FINE", ())
        ask_open = ask("survival", terms=Terms.open_data(), **OUTCOME, grid_days=7)
        assert answer(ask_open, [_patients(rows)]).result["grid"] == 7

    def test_a_grid_needs_a_public_end(self, ask: Any, answer: Any, rows: Any) -> None:
        question = ask("survival", time="endless", event="e")
        made = rows(endless=[1.0], e=[True])
        assert _refused(answer, question, [made]) == ("NOT_IN_CATALOGUE", ("endless",))

    @pytest.mark.parametrize("grid_days", [None, 90])
    @pytest.mark.parametrize("seed", range(4))
    def test_curves_are_kaplan_meier_on_the_grid_at_published_points(
        self, seed: int, grid_days: int | None, ask: Any, answer: Any, rows: Any
    ) -> None:
        made = _patients(rows, seed)
        step = grid_days or 30
        question = ask("survival", **OUTCOME, by="h", grid_days=grid_days)
        result = answer(question, [made]).result
        assert result["grid"] == step
        time = np.ceil(made.column("t").values / step) * step
        event = made.column("e").codes() == 1
        for k, group in enumerate(result["groups"]):
            mine = made.column("h").codes() == k
            before, start_risk = -1.0, int(mine.sum())
            assert group["curve"][0]["at_risk"] == start_risk
            assert len(group["curve"]) > 3
            for point in group["curve"][1:]:
                inside = mine & (time > before) & (time <= point["t"])
                assert point["t"] % step == 0
                assert inside.sum() >= 10
                assert (inside & event).sum() >= 5
                assert point["at_risk"] == (mine & (time > point["t"])).sum() >= 10
                exact = 1.0
                for t in np.unique(time[mine & event & (time <= point["t"])]):
                    exact *= 1 - (mine & event & (time == t)).sum() / (mine & (time >= t)).sum()
                assert point["s"] == round(exact, 3)
                before = point["t"]
            assert (mine & event & (time > before)).sum() >= 5

    def test_everything_else_is_read_off_the_published_points(
        self, ask: Any, answer: Any, rows: Any
    ) -> None:
        question = ask("survival", **OUTCOME, at=[0, 400, 5000])
        found = answer(question, [_patients(rows)])
        group = found.result["groups"][0]
        points = {p["t"]: p for p in group["curve"]}
        first, middle, beyond = group["at"]
        assert (first["s"], first["se"], first["as_of"]) == (1.0, 0.0, 0.0)
        assert middle["as_of"] <= 400
        assert middle["s"] == points[middle["as_of"]]["s"]
        assert middle["at_risk"] == points[middle["as_of"]]["at_risk"]
        assert beyond["s"] is None
        assert found.why["groups[0].at[2]"] == "follow_up_too_small"
        assert group["rmst"] == {"t": 5000, "value": None, "se": None}
        assert found.why["groups[0].rmst"] == "follow_up_too_small"
        assert group["median"] in points
        assert points[group["median"]]["s"] <= 0.5
        assert found.why["groups[0].curve"] == "follow_up_too_small"

    def test_the_mean_is_the_area_under_the_published_points(
        self, ask: Any, answer: Any, rows: Any
    ) -> None:
        made = _patients(rows, n=3000)
        strict = answer(ask("survival", **OUTCOME, at=[700]), [made]).result["groups"][0]
        exact = answer(ask("survival", terms=Terms.open_data(), **OUTCOME, at=[700]), [made])
        free = exact.result["groups"][0]
        assert strict["rmst"]["value"] == pytest.approx(free["rmst"]["value"], rel=0.03)
        assert strict["rmst"]["se"] == pytest.approx(free["rmst"]["se"], rel=0.1)
        times = np.array([p["t"] for p in strict["curve"]])
        s = np.array([p["s"] for p in strict["curve"]])
        cut = np.append(times[times < 700], 700)
        area = np.trapezoid(np.interp(cut, times, s), cut)
        assert strict["rmst"]["value"] == pytest.approx(area, rel=1e-5)

    def test_a_small_group_has_no_curve_and_nothing_is_compared(
        self, ask: Any, answer: Any, rows: Any
    ) -> None:
        made = _patients(rows, n=60)
        codes = made.column("g").values
        codes[:] = np.where(np.arange(60) < 8, 2, np.arange(60) % 2)
        found = answer(ask("survival", **OUTCOME, by="g", at=[100]), [made])
        hidden = found.result["groups"][2]
        assert (hidden["n"], hidden["events"], hidden["median"]) == (None, None, None)
        assert hidden["curve"] == []
        assert hidden["at"][0]["s"] is None
        assert found.result["logrank"] is None
        assert found.why["logrank"] == "small_cell"

    def test_the_grid_is_in_days_whatever_the_unit(self, ask: Any, answer: Any, rows: Any) -> None:
        rng = np.random.default_rng(5)
        made = rows(months=rng.exponential(20, 500).clip(0, 60), e=rng.random(500) < 0.6)
        result = answer(ask("survival", time="months", event="e"), [made]).result
        assert result["unit"] == "months"
        assert result["grid"] == pytest.approx(30 / 30.4375)

    def test_a_test_within_hospitals_uses_their_own_days(
        self, ask: Any, answer: Any, rows: Any
    ) -> None:
        sites = [_patients(rows, seed) for seed in range(3)]
        params = {**OUTCOME, "by": "h", "strata": "site"}
        strict = answer(ask("survival", **params), sites).result["logrank"]
        free = answer(ask("survival", terms=Terms.open_data(), **params), sites).result["logrank"]
        assert strict["chi2"] == pytest.approx(free["chi2"], rel=1e-5)
        assert _digits(strict["chi2"]) <= 6
        assert "groups" not in strict


class TestCox:
    @pytest.mark.parametrize("strata", ["site", None, "h"])
    def test_rounded_and_nothing_more(
        self, strata: str | None, ask: Any, answer: Any, rows: Any
    ) -> None:
        sites = [_patients(rows, seed) for seed in range(3)]
        found = answer(ask("cox", **OUTCOME, formula="age + x + g", strata=strata), sites)
        for term in found.result["terms"]:
            assert all(_digits(v) <= 6 for k, v in term.items() if k != "term")
        allowed = {"n", "missing", "events", "ties", "strata", "terms", "loglik", "loglik_null"}
        allowed |= {"lr", "concordance", "rounds", "converged"}
        assert set(found.result) == allowed
        if strata == "site":
            assert 0 < found.result["concordance"] < 1
        else:
            assert found.why["concordance"] == "grid"
            assert "time grid" in found.released.warnings[0]
        assert not any(name == "cox.times" for name in found.steps)

    @pytest.mark.parametrize("strata", [None, "h"])
    def test_shared_risk_sets_are_those_of_gridded_times(
        self, strata: str | None, ask: Any, answer: Any, rows: Any
    ) -> None:
        made = _patients(rows)
        params = {**OUTCOME, "formula": "age + x", "strata": strata}
        strict = answer(
            ask("cox", **params), [made.select(np.arange(400) % 3 == i) for i in range(3)]
        )
        made.column("t").values[:] = np.ceil(made.column("t").values / 30) * 30
        free = answer(ask("cox", terms=Terms.open_data(), **params), [made])
        for one, other in zip(strict.result["terms"], free.result["terms"], strict=True):
            assert one["estimate"] == pytest.approx(other["estimate"], rel=1e-5)
            assert one["se"] == pytest.approx(other["se"], rel=1e-5)

    @pytest.mark.parametrize("strata", ["site", None])
    def test_one_extreme_patient_may_not_carry_the_fit(
        self, strata: str | None, ask: Any, answer: Any, rows: Any
    ) -> None:
        made = _patients(rows)
        question = ask("cox", **OUTCOME, formula="age + x", strata=strata)
        answer(question, [made.select(made.complete())])  # without the extreme it is answered
        made.column("x").values[:] = 0.001 * made.column("x").values
        dead = np.flatnonzero(made.column("e").values == 1)
        early = dead[np.argsort(made.column("t").values[dead])[dead.size // 4]]
        made.column("x").values[early] = 1.0  # a thousand standard deviations away
        assert _refused(answer, question, [made]) == ("MODEL_UNSTABLE", ())

    @pytest.mark.parametrize("strata", ["site", None])
    def test_a_runaway_predictor_is_refused(
        self, strata: str | None, ask: Any, answer: Any, rows: Any
    ) -> None:
        bound = dataclasses.replace(STRICT.iter, max_abs_eta=0.01)
        terms = dataclasses.replace(STRICT, iter=bound)
        question = ask("cox", terms=terms, **OUTCOME, formula="age + x", strata=strata)
        assert _refused(answer, question, [_patients(rows)]) == ("MODEL_UNSTABLE", ())

    def test_rounds_are_bounded_by_the_terms(self, ask: Any, answer: Any, rows: Any) -> None:
        bound = dataclasses.replace(STRICT.iter, max_rounds=2)
        question = ask(
            "cox", terms=dataclasses.replace(STRICT, iter=bound), **OUTCOME, formula="age + x"
        )
        assert _refused(answer, question, [_patients(rows)]) == ("MODEL_UNSTABLE", ())

    def test_a_rich_model_is_refused_after_one_round(
        self, ask: Any, answer: Any, rows: Any
    ) -> None:
        question = ask("cox", **OUTCOME, formula="age + x + g + h + age:x")
        code, terms = _refused(answer, question, [_patients(rows, n=70)])
        assert code == "MODEL_TOO_RICH"
        assert terms == ("age", "x", "g[b]", "g[c]", "h[yes]", "age:x")

    def test_few_without_the_event_hide_the_events(self, ask: Any, answer: Any, rows: Any) -> None:
        made = _patients(rows)
        made.column("e").values[:] = (np.arange(400) >= 5).astype(np.int16)
        found = answer(ask("cox", **OUTCOME, formula="age"), [made])
        assert found.result["events"] is None
        assert found.why["events"] == "small_cell"
