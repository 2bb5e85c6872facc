"""Attacks 16 to 31: sums, models, quantiles, survival, bins (disclosure.md section 6)."""

import json
from itertools import pairwise

import pytest
from net10 import OLD, T_STAR, both, everybody, leaf, no

MEAN = {"kind": "describe", "variables": ["cost"]}
COX = {"kind": "cox", "time": "time_days", "event": "event", "formula": "age + trt"}
SURVIVAL = {"kind": "survival", "time": "time_days", "event": "event", "by": "trt"}
REGRESSION = {"kind": "regression", "family": "gaussian", "formula": "age ~ stage"}


def test_16_a_sum_that_one_patient_dominates(net10_of):
    """Twelve patients at one hospital and enough at two more; one of them costs nearly all."""
    rows = everybody()
    for found in rows.values():
        for row in found:
            if row["stage"] == "IV" and row["site_icd"] == "C61":
                row["stage"] = "I"
    few = [row for slug in ("S01", "S02", "S04", "S05") for row in rows[slug][20:31]]
    for row in few:
        row |= {"stage": "IV", "site_icd": "C61", "cost": "1000"}
    few[0]["cost"] = "8000000"
    net = net10_of(rows)

    answer = net.ask(MEAN, both(leaf("stage", "=", "IV"), leaf("site_icd", "=", "C61")))

    assert not answer.ok or answer.result["variables"][0]["groups"][0]["mean"] is None
    assert "8000000" not in answer.body


def test_17_a_dummy_that_is_one_person(net10):
    model = {"kind": "regression", "family": "gaussian", "formula": "age ~ stage*hist"}

    answer = net10.ask(model)

    assert answer.code == "MODEL_TOO_RICH"
    assert any("IIIC" in term or "8502" in term for term in answer.envelope["terms"])


@pytest.mark.parametrize(
    "formula",
    ["age ~ 1/abs(age-41)", "age ~ log(ca125)", "age ~ I(ca125 == 871.3)", "age ~ rcs(age, 9)"],
)
def test_18_a_derived_term(net10, formula):
    assert net10.ask({**REGRESSION, "formula": formula}).code == "NOT_IN_CATALOGUE"


def test_19_fewer_events_than_the_parameters_need(net10_of):
    rows = everybody()
    events = 0
    for found in rows.values():
        for row in found:
            if row["sex"] == "m":
                row["relapse"] = str(events < 18).lower()
                events += 1
    net = net10_of(rows)
    model = {"kind": "regression", "family": "binomial", "formula": "relapse ~ age + trt + smoker"}

    assert net.ask(model, leaf("sex", "=", "m")).code == "MODEL_TOO_RICH"


def test_20_two_dummies_whose_overlap_is_two(net10_of):
    rows = everybody()
    overlap = 0
    for found in rows.values():
        for row in found:
            if row["trt"] == "true" and row["smoker"] == "true":
                overlap += 1
                if overlap > 2:
                    row["smoker"] = "false"
    net = net10_of(rows)

    answer = net.ask({**REGRESSION, "formula": "age ~ trt + smoker"})

    assert answer.code == "MODEL_TOO_RICH"
    assert "xtx" not in answer.body.lower()


def test_20b_one_extreme_value_carries_the_fit(net10_of):
    rows = everybody()
    for found in rows.values():
        for row in found:
            row["ca125"] = "20.0" if row["trt"] == "true" else "20.1"
    rows["S07"][7]["ca125"] = "99000"
    net = net10_of(rows)

    assert net.ask({**REGRESSION, "formula": "age ~ ca125"}).code == "MODEL_UNSTABLE"


def test_23_the_same_model_again_and_again(net10):
    first = net10.ask(COX)
    for _ in range(4):
        again = net10.ask(COX)
        assert again.result == first.result
    for more in ({"tolerance": 1e-3}, {"maxit": 1}, {"start": [0.1, 0.2]}, {"beta": [1, 2]}):
        assert net10.ask({**COX, **more}).code == "NOT_IN_CATALOGUE"


@pytest.mark.parametrize("wanted", ["xtx", "vcov", "residuals", "fitted", "leverage", "score"])
def test_24_more_than_the_result_is_not_for_asking(net10_catalogue, wanted):
    assert net10_catalogue.ask({**REGRESSION, "output": [wanted]}).code == "NOT_IN_CATALOGUE"
    assert net10_catalogue.ask(REGRESSION, output=wanted).code == "NOT_IN_CATALOGUE"


@pytest.mark.parametrize("operation", ["vector", "sample", "seed", "row_index", "seq", "rnorm"])
def test_25_no_vector_sample_or_seed_exists(net10_catalogue, operation):
    asked = net10_catalogue.ask
    assert asked({"kind": operation}).code == "NOT_IN_CATALOGUE"
    assert asked({**MEAN, operation: 1}).code == "NOT_IN_CATALOGUE"
    assert asked(MEAN, leaf(operation, "=", 1)).code == "NOT_IN_CATALOGUE"
    assert asked({"kind": "describe", "variables": [f"{operation}(cost)"]}).code == (
        "NOT_IN_CATALOGUE"
    )


@pytest.mark.parametrize("more", [{"quantiles": [0.999]}, {"quantiles": [0]}, {"stat": "max"}])
def test_26_no_extreme_quantile(net10_catalogue, more):
    assert net10_catalogue.ask({**MEAN, **more}).code == "NOT_IN_CATALOGUE"


def test_26_the_oldest_is_in_no_interval_of_its_own(net10):
    answer = net10.ask({"kind": "describe", "variables": ["age"]}, OLD)

    quantiles = answer.result["variables"][0]["groups"][0]["quantiles"]
    assert set(quantiles) == {"0.25", "0.5", "0.75"}
    assert "97" not in json.dumps(quantiles)
    assert '"min"' not in answer.body
    assert '"max"' not in answer.body
    assert T_STAR[1] not in answer.body


def test_27_bisection_between_the_cut_points(net10):
    count = {"kind": "count", "by": []}
    for tenth in range(901, 976):
        if tenth % 50:
            assert not net10.ask(count, leaf("age", "<=", tenth / 10)).ok
    # on the grid the tail is small: neither it nor everybody else is told
    assert not net10.ask(count, leaf("age", ">=", 95)).ok
    assert not net10.ask(count, leaf("age", "<", 95)).ok
    # and of two cut-points that lie close in patients one is told at most
    told = [net10.ask(count, leaf("age", op, 90)).ok for op in ("<=", "<")]
    assert sum(told) <= 1


def test_28_daily_steps(net10):
    assert net10.ask({**SURVIVAL, "grid_days": 1}).code == "TOO_FINE"

    answer = net10.ask({**SURVIVAL, "grid_days": 30})

    for group in answer.result["groups"]:
        curve = group["curve"]
        assert all(point["t"] % 30 == 0 for point in curve)
        assert all(round(point["s"], 3) == point["s"] for point in curve)
        at_risk = [point["at_risk"] for point in curve]
        removed = [a - b for a, b in pairwise(at_risk)]
        assert all(n >= 10 for n in removed), removed
        assert at_risk[-1] >= 10


def test_29_two_curves_that_differ_by_one(net10_of):
    rows = everybody()
    # nobody but P* diagnosed in March 2024, so that a month is a person
    for slug, found in rows.items():
        for row in found:
            if row["diagnosed"].startswith("2024-03") and (slug, row["number"]) != (
                "S07",
                "S07-00007",
            ):
                row["diagnosed"] = "2023-03-15"
    net = net10_of(rows)

    assert net.ask(SURVIVAL).ok
    one_less = net.ask(SURVIVAL, no(leaf("diagnosed", "=", "2024-03")))
    assert one_less.code == "SMALL_GROUP"


def test_30_event_times_are_not_for_asking_and_the_stratified_fit_is(net10):
    for more in ({"times": "all"}, {"grid_days": 1}, {"baseline": True}):
        assert net10.ask({**COX, **more}).code in ("NOT_IN_CATALOGUE", "TOO_FINE")

    answer = net10.ask(COX)

    assert answer.ok
    assert {"terms", "events", "loglik", "lr"} <= set(answer.result)
    assert not {"baseline", "times", "information", "vcov"} & set(answer.result)


@pytest.mark.parametrize("bins", [[61, 61.5, 62], [0, 5, 10], [1, 6, 11]])
def test_31_bins_of_ones_own(net10_catalogue, bins):
    asked = net10_catalogue.ask
    for name in ("edges", "bins", "breaks"):
        histogram = {"kind": "histogram", "variable": "age", name: bins}
        assert asked(histogram).code == "NOT_IN_CATALOGUE"
