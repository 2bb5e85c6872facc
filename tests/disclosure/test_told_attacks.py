"""A set that one hospital's history tells may be new elsewhere: all hospitals together decide."""

import itertools

import pytest

WOMEN = {"var": "sex", "op": "=", "value": "f"}
CELL = {
    "all": [
        {"var": "stage", "op": "=", "value": "IV"},
        {"var": "hist", "op": "=", "value": "8502"},
        {"var": "age", "op": ">=", "value": 40},
        {"var": "age", "op": "<", "value": 45},
    ]
}
TABLE = {"kind": "count", "by": ["stage", "hist"]}
MEAN = {"kind": "describe", "variables": ["ca125"]}
TOTAL = {"kind": "count", "by": []}


@pytest.fixture
def planted(five):
    """Women with stage IV and histology 8502: one of 42 years at h2, and fifteen older ones at each
    other hospital. Enough patients in every other cell, so that none is hidden."""
    kinds = [*itertools.product(("I", "II", "III", "IV"), ("8140", "8500", "8502"))]
    for slug, rows in five.items():
        women = [row for row in rows if row["HDR_SEX"] == "VROUW"]
        rare = 1 if slug == "h2" else 15
        for number, row in enumerate(women):
            stage, hist = ("IV", "8502") if number < rare else kinds[number % 11]
            row |= {"HDR_STAGE": stage, "HDR_HIST": hist, "HDR_AGE": str(60 + number % 20)}
        if slug == "h2":
            women[0]["HDR_AGE"] = "42"
    return five


def shown(outcome):
    return {
        (cell["by"]["stage"], cell["by"]["hist"]): cell["n"]
        for cell in outcome.envelope["result"]["cells"]
    }


@pytest.mark.parametrize("analysis", [MEAN, TOTAL])
def test_all_but_one_who_was_a_cell_of_her_own(build, planted, analysis):
    """At h2 the cohort is all women without the patient of a cell that was shown; at the others it
    is all women. Nobody sees anything new, and the difference is one patient."""
    net = build(planted)
    assert shown(net.ask(TABLE, cohort=WOMEN))["IV", "8502"] == 61
    assert net.ask(analysis, cohort=WOMEN).status == "complete"

    outcome = net.ask(analysis, cohort={"all": [WOMEN, {"not": CELL}]})

    assert (outcome.status, outcome.code) == ("refused", "SMALL_GROUP")


def test_another_analysis_of_the_same_cohort_is_no_news(build, planted):
    net = build(planted)
    first = net.ask(TABLE, cohort=WOMEN)
    for analysis in (MEAN, TOTAL, {"kind": "describe", "variables": ["age"]}):
        outcome = net.ask(analysis, cohort=WOMEN)
        assert outcome.status == "complete"
        assert outcome.envelope["result"]["n"] == first.envelope["result"]["n"]


def test_a_shown_cell_may_become_a_cohort(build, planted):
    net = build(planted)
    cells = net.ask({"kind": "count", "by": ["stage"]}, cohort=WOMEN).envelope["result"]["cells"]
    stage_two = next(cell["n"] for cell in cells if cell["by"]["stage"] == "II")
    outcome = net.ask(MEAN, cohort={"all": [WOMEN, {"var": "stage", "op": "=", "value": "II"}]})
    assert outcome.status == "complete"
    assert outcome.envelope["result"]["n"] == stage_two


def test_the_same_words_in_another_order_get_the_same_answer(build, planted):
    """Also after one of them withdrew: no new number."""
    net = build(planted)
    first = net.ask(MEAN, cohort=WOMEN)
    net.withdrawn.add(planted["h2"][3]["HDR_PATIENT_NO"])
    net.publish()
    outcome = net.ask(
        MEAN,
        cohort={"any": [{"all": [WOMEN, WOMEN]}, {"not": {"not": {"all": [WOMEN]}}}]},
    )
    assert (outcome.status, outcome.replay_of) == ("replay", (first.envelope["id"],))
