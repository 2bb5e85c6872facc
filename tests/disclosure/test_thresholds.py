"""Every kind of analysis at nought, one, and around the threshold of a hospital's cohort."""

import pytest

from federation.methods.registry import KINDS

# One plain question per kind; the test below fails when a new kind has none.
PLAIN = {
    "count": {"by": ["sex"]},
    "describe": {"variables": ["ca125"]},
    "histogram": {"variable": "age"},
    "competing_risks": {"time": "fu_days", "event": "stage", "cause": "II"},
    "mantel_haenszel": {"outcome": "death", "exposure": "trt"},
    "compare": {"variable": "ca125", "by": "sex"},
    "survival": {"time": "fu_days", "event": "death"},
    "regression": {"family": "binomial", "formula": "death ~ age"},
    "mixed": {"formula": "ca125 ~ age"},
    "waiting_time": {"variable": "fu_days"},
    "trend": {"date": "diagnosed", "first": "2015-01", "last": "2020-12", "outcome": "death"},
    "adjusted_mean": {"outcome": "ca125", "formula": "age"},
    "standardise": {"outcome": "death", "formula": "age"},
    "cox": {"time": "fu_days", "event": "death", "formula": "age"},
}
COHORT = {"var": "hist", "op": "=", "value": "8502"}


def test_every_kind_has_a_question_here():
    assert set(PLAIN) == set(KINDS)


def cohort_of(five, size):
    for rows in five.values():
        for row in rows[:size]:
            row["HDR_HIST"] = "8502"
    return five


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize("size", [0, 1, 9])
def test_below_the_threshold_nothing_is_known(build, five, read, kind, size):
    """Nought, one and nine look alike, and each hospital sends zeros under its mask."""
    net = build(cohort_of(five, size))

    outcome = net.ask({"kind": kind, **PLAIN[kind]}, cohort=COHORT)

    assert (outcome.status, outcome.code) == ("refused", "SMALL_GROUP")
    assert all(net.ledger(slug) == 0 for slug in net.programs)
    statuses = {read(body).get("status") for body in net.bodies} - {"applied"}
    assert statuses == {"ok"}


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize("size", [10, 11])
def test_from_the_threshold_on_hospitals_count(build, five, kind, size):
    net = build(cohort_of(five, size))

    outcome = net.ask({"kind": kind, **PLAIN[kind]}, cohort=COHORT)

    assert all(net.ledger(slug) == 1 for slug in net.programs)
    assert outcome.status == "complete", outcome.code
    assert outcome.envelope["result"]["n"] == 5 * size


@pytest.mark.parametrize("outside", [1, 2, 9, 10])
def test_the_complement_of_a_cohort(build, five, outside):
    """It counts over all hospitals together: two at each of five are ten."""
    net = build(cohort_of(five, outside))

    outcome = net.ask({"kind": "describe", "variables": ["ca125"]}, cohort={"not": COHORT})

    assert outcome.status == ("complete" if 5 * outside >= 10 else "refused")


@pytest.mark.parametrize("outside", [9, 10])
def test_the_complement_at_one_hospital_only(build, five, outside):
    """One hospital never vouches alone, however many it has outside the cohort below the bound."""
    spared = {slug: rows for slug, rows in cohort_of(five, 0).items()}
    spared["h0"] = cohort_of({"h0": five["h0"]}, outside)["h0"]
    net = build(spared)

    outcome = net.ask({"kind": "describe", "variables": ["ca125"]}, cohort={"not": COHORT})

    assert outcome.status == ("complete" if outside >= 10 else "refused")


def test_missing_values_are_not_the_complement(build, five):
    """Three patients without a value are no small group outside the cohort."""
    for rows in five.values():
        for row in rows[:3]:
            row["HDR_CA125"] = ""
    net = build(five)

    outcome = net.ask({"kind": "describe", "variables": ["ca125"]})

    assert outcome.status == "complete"
    assert outcome.envelope["result"]["missing"] is None or (
        outcome.envelope["result"]["missing"] >= 10
    )


@pytest.mark.parametrize("each", [1, 3])
def test_two_analysis_sets_that_differ_by_few_over_all_hospitals_are_refused(build, five, each):
    for rows in five.values():
        for row in rows[:each]:
            row["HDR_CA125"] = ""
    net = build(five)
    net.ask({"kind": "describe", "variables": ["ca125"]})

    outcome = net.ask({"kind": "describe", "variables": ["age"]})

    assert outcome.status == ("complete" if 5 * each >= 10 else "refused")
