"""Cox regression over any split equals lifelines, and statsmodels, on the joined rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter
from lifelines.datasets import load_gbsg2, load_lung
from statsmodels.duration.hazard_regression import PHReg

from federation.query.codebook import Codebook
from federation.query.refusals import Refused

CODEBOOK = Codebook.from_dict(
    {
        "codebook": "made/1",
        "variables": {
            "t": {"type": "duration", "unit": "days", "min": 0, "max": 5000},
            "e": {"type": "boolean"},
            "age": {"type": "integer", "min": 18, "max": 110, "knots": [35, 50, 60, 70, 85]},
            "marker": {"type": "number", "min": 0, "max": 5000},
            "year": {"type": "number"},
            "x": {"type": "number", "min": -10, "max": 10},
            "g": {"type": "category", "levels": ["a", "b", "c", "never"]},
            "h": {"type": "category", "levels": ["no", "yes"]},
        },
    }
)
SPLITS = [1, 2, 10, 18]
PARAMS = {"time": "t", "event": "e"}


def _random(seed: int, n: int, *, ties: bool) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    age = rng.integers(30, 90, n).astype(float)
    g = rng.choice(["a", "b", "c"], n)
    risk = 0.8 * x + 0.03 * (age - 60) + 0.5 * (g == "c")
    t = rng.exponential(200 * np.exp(-risk))
    return pd.DataFrame(
        {
            "t": np.ceil(t / 60).clip(max=60) if ties else t.clip(max=4999),
            "e": rng.random(n) < 0.7,
            "age": age,
            "marker": np.exp(rng.normal(4, 1.5, n)).clip(max=4999),
            "year": rng.integers(2010, 2021, n).astype(float),
            "x": x,
            "g": g,
            "h": rng.choice(["no", "yes"], n),
        }
    )


def _lung() -> pd.DataFrame:
    frame = load_lung()
    return pd.DataFrame(
        {
            "t": frame["time"].astype(float),
            "e": frame["status"] == 1,
            "age": frame["age"].astype(float),
            "marker": frame["meal.cal"],
            "year": 2000.0 + frame["ph.karno"] / 10,
            "x": frame["wt.loss"] / 10,
            "g": frame["ph.ecog"].clip(upper=2).map({0: "a", 1: "b", 2: "c"}),
            "h": frame["sex"].map({1: "no", 2: "yes"}),
        }
    )


def _gbsg() -> pd.DataFrame:
    frame = load_gbsg2()
    return pd.DataFrame(
        {
            "t": frame["time"].astype(float),
            "e": frame["cens"] == 1,
            "age": frame["age"].astype(float),
            "marker": frame["progrec"].astype(float),
            "year": 2000.0 + frame["pnodes"],
            "x": frame["tsize"] / 20,
            "g": frame["tgrade"].map({"I": "a", "II": "b", "III": "c"}),
            "h": frame["horTh"],
        }
    )


def _missing() -> pd.DataFrame:
    frame = _random(5, 400, ties=True)
    rng = np.random.default_rng(6)
    for name in ("t", "e", "age", "g", "h"):
        frame[name] = frame[name].astype(object).where(rng.random(len(frame)) > 0.08, None)
    return frame


DATA = {
    "lung": _lung(),
    "gbsg": _gbsg(),
    "ties": _random(1, 400, ties=True),
    "fractions": _random(2, 300, ties=False),
    "missing": _missing(),
}
FORMULA = "age + marker + year + x + g + h"
TERMS = ["age", "marker", "year", "x", "g[b]", "g[c]", "h[yes]"]


def _design(frame: pd.DataFrame) -> pd.DataFrame:
    """The joined complete rows as libraries want them, columns named as our terms."""
    known = frame.dropna(subset=["t", "e", "age", "marker", "year", "x", "g", "h"])
    made = known[["age", "marker", "year", "x"]].astype(float)
    made["g[b]"] = (known["g"] == "b").astype(float)
    made["g[c]"] = (known["g"] == "c").astype(float)
    made["h[yes]"] = (known["h"] == "yes").astype(float)
    return made.assign(t=known["t"].astype(float), e=known["e"].astype(bool), h=known["h"])


def _fit(rows: pd.DataFrame, *args: Any, **options: Any) -> CoxPHFitter:
    """lifelines' fit, going on until its log likelihood no longer moves."""
    exact = {"precision": 1e-24, "r_precision": 1e-15}
    return CoxPHFitter().fit(rows, *args, **options, fit_options=exact)


def _compare(result: dict[str, Any], fitted: CoxPHFitter, names: list[str]) -> None:
    terms = {t["term"]: t for t in result["terms"] if t["estimate"] is not None}
    assert list(terms) == names
    limits = fitted.confidence_intervals_
    for name in names:
        term = terms[name]
        se = fitted.standard_errors_[name]
        assert term["estimate"] == pytest.approx(fitted.params_[name], rel=1e-9, abs=1e-9 * se)
        assert term["se"] == pytest.approx(se, rel=1e-9)
        assert term["z"] == pytest.approx(term["estimate"] / se, rel=1e-9)
        assert term["p"] == pytest.approx(fitted.summary["p"][name], rel=1e-6, abs=1e-14)
        assert term["exp"] == pytest.approx(np.exp(term["estimate"]), rel=1e-12)
        bounds = (term["ci_low"], term["ci_high"])
        assert bounds == pytest.approx(limits.loc[name].to_numpy(), rel=1e-8, abs=1e-9 * se)
    assert result["loglik"] == pytest.approx(fitted.log_likelihood_, rel=1e-11)
    test = fitted.log_likelihood_ratio_test()
    assert result["lr"]["chi2"] == pytest.approx(test.test_statistic, rel=1e-9)
    assert result["lr"]["p"] == pytest.approx(test.p_value, rel=1e-6)
    assert result["lr"]["df"] == len(names)
    assert result["concordance"] == pytest.approx(fitted.concordance_index_, rel=1e-12)


@pytest.mark.parametrize("sites", SPLITS)
@pytest.mark.parametrize("data", DATA)
def test_one_baseline_for_all(data: str, sites: int, federation: Any, split: Any) -> None:
    frame = DATA[data]
    rows = _design(frame)
    fitted = _fit(rows[[*TERMS, "t", "e"]], "t", "e")
    fed = federation(split(frame, sites), CODEBOOK)
    result = fed.ask("cox", **PARAMS, formula=FORMULA, strata=None)
    assert (result["n"], result["missing"]) == (len(rows), len(frame) - len(rows))
    assert result["events"] == rows["e"].sum()
    assert [t["term"] for t in result["terms"]][-2:] == ["g[never]", "h[yes]"]
    _compare(result, fitted, TERMS)


@pytest.mark.parametrize("sites", SPLITS)
@pytest.mark.parametrize("data", DATA)
def test_a_baseline_for_each_site(data: str, sites: int, federation: Any, split: Any) -> None:
    frames = split(DATA[data], sites)
    rows = pd.concat([_design(f).assign(site=i) for i, f in enumerate(frames)], ignore_index=True)
    columns = [*TERMS, "t", "e", "site"]
    fitted = _fit(rows[columns], "t", "e", strata=["site"])
    result = federation(frames, CODEBOOK).ask("cox", **PARAMS, formula=FORMULA)
    assert result["strata"] == "site"
    _compare(result, fitted, TERMS)


@pytest.mark.parametrize("sites", SPLITS)
@pytest.mark.parametrize("data", ["gbsg", "ties", "missing"])
def test_a_baseline_for_each_level(data: str, sites: int, federation: Any, split: Any) -> None:
    frame = DATA[data]
    rows = _design(frame)
    names = [name for name in TERMS if name != "h[yes]"]
    fitted = _fit(rows[[*names, "t", "e", "h"]], "t", "e", strata=["h"])
    fed = federation(split(frame, sites), CODEBOOK)
    result = fed.ask("cox", **PARAMS, formula="age + marker + year + x + g", strata="h")
    _compare(result, fitted, names)


@pytest.mark.parametrize("sites", SPLITS)
@pytest.mark.parametrize("strata", ["site", None])
@pytest.mark.parametrize("ties", ["breslow", "efron"])
def test_ties_equal_statsmodels(
    ties: str, strata: str | None, sites: int, federation: Any, split: Any
) -> None:
    frames = split(DATA["ties"], sites)
    rows = pd.concat([_design(f).assign(site=i) for i, f in enumerate(frames)], ignore_index=True)
    groups = rows["site"] if strata else None
    model = PHReg(rows["t"], rows[TERMS], rows["e"].astype(int), strata=groups, ties=ties)
    result = federation(frames, CODEBOOK).ask(
        "cox", **PARAMS, formula=FORMULA, strata=strata, ties=ties
    )
    terms = [t for t in result["terms"] if t["estimate"] is not None]
    beta = np.array([t["estimate"] for t in terms])
    assert result["loglik"] == pytest.approx(model.loglike(beta), rel=1e-11)
    # statsmodels' fit stops early; its score at our estimate says how far from the top we are.
    information = -np.asarray(model.hessian(beta))
    step = np.linalg.solve(information, np.asarray(model.score(beta)))
    se = np.sqrt(np.diag(np.linalg.inv(information)))
    assert np.abs(step / se).max() < 1e-9
    assert [t["se"] for t in terms] == pytest.approx(se.tolist(), rel=1e-8)


@pytest.mark.parametrize("sites", [1, 10])
def test_interactions(sites: int, federation: Any, split: Any) -> None:
    frame = DATA["ties"]
    rows = _design(frame)
    rows["age:h[yes]"] = rows["age"] * rows["h[yes]"]
    rows["g[b]:h[yes]"] = rows["g[b]"] * rows["h[yes]"]
    rows["g[c]:h[yes]"] = rows["g[c]"] * rows["h[yes]"]
    names = ["age", "h[yes]", "g[b]", "g[c]", "age:h[yes]", "g[b]:h[yes]", "g[c]:h[yes]"]
    fitted = _fit(rows[[*names, "t", "e"]], "t", "e")
    fed = federation(split(frame, sites), CODEBOOK)
    _compare(fed.ask("cox", **PARAMS, formula="age*h + g*h", strata=None), fitted, names)


@pytest.mark.parametrize("sites", [1, 10])
@pytest.mark.parametrize("strata", [None, "site"])
@pytest.mark.parametrize("data", ["gbsg", "ties"])
def test_powers_and_splines(
    data: str, strata: str | None, sites: int, federation: Any, split: Any
) -> None:
    frames = split(DATA[data], sites)
    rows = pd.concat([_design(f).assign(site=i) for i, f in enumerate(frames)], ignore_index=True)
    age, knots = rows["age"], [35.0, 50, 60, 70, 85]
    by = {"strata": ["site"]} if strata else {}

    def cube(knot: float) -> Any:
        return (age - knot).clip(lower=0) ** 3

    bent = ["rcs(age)[1]", "rcs(age)[2]", "rcs(age)[3]", "rcs(age)[4]"]
    rows[bent[0]] = age
    for j, knot in enumerate(knots[:3]):
        value = cube(knot) - cube(70) * (85 - knot) / 15 + cube(85) * (70 - knot) / 15
        rows[bent[j + 1]] = value / 50**2
    rows["age^2"], rows["age^3"] = age**2, age**3
    rows["age:h[yes]"] = age * rows["h[yes]"]
    rows["age^2:h[yes]"] = age**2 * rows["h[yes]"]
    curved = ["age", "h[yes]", "age^2", "age:h[yes]", "age^2:h[yes]"]
    for formula, names in (
        ("rcs(age) + x", [*bent, "x"]),
        ("age*h + age^2*h", curved),
        ("age + age^2 + age^3", ["age", "age^2", "age^3"]),
    ):
        # lifelines on powers about 60, since it loses digits on the powers of the ages themselves
        shifted = rows.assign(
            **{"age": age - 60, "age^2": (age - 60) ** 2, "age^3": (age - 60) ** 3},
            **{"age:h[yes]": (age - 60) * rows["h[yes]"]},
            **{"age^2:h[yes]": (age - 60) ** 2 * rows["h[yes]"]},
        )
        columns = [*names, "t", "e", *(["site"] if strata else [])]
        fitted = _fit(shifted[columns], "t", "e", **by)
        result = federation(frames, CODEBOOK).ask("cox", **PARAMS, formula=formula, strata=strata)
        assert [t["term"] for t in result["terms"]] == names
        assert result["loglik"] == pytest.approx(fitted.log_likelihood_, rel=1e-11)
        # equal ages are tied in ours; in lifelines their scores may differ in the last bit
        assert result["concordance"] == pytest.approx(fitted.concordance_index_, abs=1e-3)
        top = names[-1]  # the highest power does not depend on where the scale begins
        term = result["terms"][-1]
        assert term["estimate"] == pytest.approx(fitted.params_[top], rel=1e-7)
        assert term["se"] == pytest.approx(fitted.standard_errors_[top], rel=1e-7)
        if formula.startswith("rcs"):
            _compare(result, fitted, names)


def test_every_split_gives_nearly_the_same_bits(federation: Any, split: Any) -> None:
    answers = [
        federation(split(DATA["gbsg"], sites, seed), CODEBOOK).ask(
            "cox", **PARAMS, formula=FORMULA, strata=None
        )
        for sites, seed in [(1, 1), (2, 2), (10, 3), (18, 4)]
    ]
    for answer in answers[1:]:
        assert answer["concordance"] == answers[0]["concordance"]
        for one, other in zip(answer["terms"], answers[0]["terms"], strict=True):
            if one["estimate"] is not None:
                assert one["estimate"] == pytest.approx(other["estimate"], rel=1e-11, abs=1e-14)


class TestScales:
    """Columns far from 0 and far apart in size converge like any other."""

    def test_huge_offset_and_tiny_spread(self, federation: Any) -> None:
        frame = DATA["fractions"]
        moved = frame.assign(year=frame["x"] / 1000 + 1e6)
        plain = federation([frame], CODEBOOK).ask("cox", **PARAMS, formula="x + age", strata=None)
        shifted = federation([moved], CODEBOOK).ask(
            "cox", **PARAMS, formula="year + age", strata=None
        )
        assert shifted["rounds"] == plain["rounds"]
        # Adding 1e6 rounds x / 1000 in its tenth digit, so the two data sets differ there.
        expected = plain["terms"][0]["estimate"] * 1000
        assert shifted["terms"][0]["estimate"] == pytest.approx(expected, rel=1e-6)

    def test_thousands_beside_fractions(self, federation: Any) -> None:
        frame = DATA["fractions"]
        small = frame.assign(x=frame["x"] / 1e6, year=frame["marker"] * 1e6)
        plain = federation([frame], CODEBOOK).ask(
            "cox", **PARAMS, formula="x + marker", strata=None
        )
        scaled = federation([small], CODEBOOK).ask("cox", **PARAMS, formula="x + year", strata=None)
        first, second = (t["estimate"] for t in plain["terms"])
        found = [t["estimate"] for t in scaled["terms"]]
        assert found == pytest.approx([first * 1e6, second / 1e6], rel=1e-8)


def _refused(fed: Any, **params: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        fed.ask("cox", **PARAMS, **params)
    return caught.value


@pytest.mark.parametrize("strata", ["site", None])
@pytest.mark.parametrize("sites", [1, 10])
class TestNoFit:
    """A model without an answer is refused by name, or empty; never a nan, never a LinAlgError."""

    def test_separation(self, strata: Any, sites: int, federation: Any, split: Any) -> None:
        frame = DATA["ties"].assign(e=DATA["ties"]["h"] == "yes")
        fed = federation(split(frame, sites), CODEBOOK)
        assert _refused(fed, formula="age + h", strata=strata).code == "MODEL_UNSTABLE"

    def test_constant_column(self, strata: Any, sites: int, federation: Any, split: Any) -> None:
        fed = federation(split(DATA["ties"].assign(year=2015.0), sites), CODEBOOK)
        refusal = _refused(fed, formula="age + year", strata=strata)
        assert (refusal.code, refusal.terms) == ("MODEL_TOO_RICH", ("year",))

    def test_collinear_columns(self, strata: Any, sites: int, federation: Any, split: Any) -> None:
        frame = DATA["ties"].assign(year=lambda f: 2 * f["age"] + 1900)
        refusal = _refused(
            federation(split(frame, sites), CODEBOOK), formula="age + year + x", strata=strata
        )
        assert (refusal.code, refusal.terms) == ("MODEL_TOO_RICH", ("age", "year"))

    def test_nobody_has_the_event(
        self, strata: Any, sites: int, federation: Any, split: Any
    ) -> None:
        fed = federation(split(DATA["ties"].assign(e=False), sites), CODEBOOK)
        released = fed.release("cox", **PARAMS, formula="age + g", strata=strata)
        assert released.result["events"] == 0
        assert {t["estimate"] for t in released.result["terms"]} == {None}
        assert released.result["concordance"] is None
        assert released.warnings

    def test_one_event(self, strata: Any, sites: int, federation: Any, split: Any) -> None:
        frame = DATA["ties"].copy()
        frame["e"] = frame.index == frame["t"].idxmin()
        fed = federation(split(frame, sites), CODEBOOK)
        result = fed.ask("cox", **PARAMS, formula="age", strata=strata)
        assert result["events"] == 1
        assert np.isfinite(result["terms"][0]["se"])

    @pytest.mark.parametrize("missing", ["t", "e", "age", "g"])
    def test_everything_missing(
        self, missing: str, strata: Any, sites: int, federation: Any, split: Any
    ) -> None:
        frame = DATA["ties"].assign(**{missing: None})
        fed = federation(split(frame, sites), CODEBOOK)
        result = fed.ask("cox", **PARAMS, formula="age + g", strata=strata)
        assert (result["n"], result["missing"]) == (0, 400)

    def test_no_rows(self, strata: Any, sites: int, federation: Any, split: Any) -> None:
        fed = federation([DATA["ties"].iloc[:0]] * sites, CODEBOOK)
        result = fed.ask("cox", **PARAMS, formula="age + g", strata=strata)
        assert (result["n"], result["events"], result["missing"]) == (0, 0, 0)


def test_all_patients_alone_in_their_site_leave_nothing_to_compare(federation: Any) -> None:
    frame = DATA["ties"].iloc[:5]
    sites = federation([frame.iloc[i : i + 1] for i in range(5)], CODEBOOK)
    refusal = _refused(sites, formula="age")
    assert (refusal.code, refusal.terms) == ("MODEL_TOO_RICH", ("age",))


def test_an_unused_level_is_left_out_and_said(federation: Any) -> None:
    released = federation([DATA["ties"]], CODEBOOK).release("cox", **PARAMS, formula="g*h + age")
    empty = [t["term"] for t in released.result["terms"] if t["estimate"] is None]
    assert empty == ["g[never]", "g[never]:h[yes]"]
    assert any("g[never]" in text for text in released.warnings)
