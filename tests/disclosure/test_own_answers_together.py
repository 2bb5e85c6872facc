"""What one hospital answered alone is looked at together: nothing that its gate hid may follow."""

from dataclasses import replace

import pytest
from hospitals import patients

from federation.disclosure.policy import Policy
from federation.runs.lanes import driver_for

WITH_FORM = replace(Policy.strict(), institution_disclosure="RvB-2026-17", site_level_output=True)
WOMEN = {"var": "sex", "op": "=", "value": "f"}
THIRD = {"var": "stage", "op": "=", "value": "III"}
BY_STAGE = {"kind": "count", "by": ["stage"]}
TOTAL = {"kind": "count", "by": []}
AGE = {"kind": "describe", "variables": ["age"]}


@pytest.fixture
def ask(build):
    """Five hospitals of 540 patients each, four women with stage IV in each of them."""
    counts = {"VROUW": (100, 80, 65, 4), "MAN": (100, 80, 80, 31)}
    rows = {}
    for n in range(5):
        kinds = [
            (sex, stage)
            for sex, numbers in counts.items()
            for stage, number in zip(("I", "II", "III", "IV"), numbers, strict=True)
            for _ in range(number)
        ]
        found = patients(f"h{n}", len(kinds), seed=n)
        for row, (sex, stage) in zip(found, kinds, strict=True):
            row |= {"HDR_SEX": sex, "HDR_STAGE": stage}
        rows[f"h{n}"] = found
    net = build(rows, policy=WITH_FORM, study={"by_site": "hub"})

    def asked(analysis, cohort):
        query = net.query(analysis, cohort=cohort, output="by_site")
        return net.drive(driver_for(net.plan(query), net.hub, lambda: net.sets, "hub"))

    return asked


def test_a_cell_that_was_hidden_beside_a_small_one_is_not_told_alone(ask):
    """249 women, 100 and 80 with I and II; 65 with III would leave the four with IV."""
    cells = ask(BY_STAGE, WOMEN).envelope["by_site"]["h0"]["cells"]
    assert [cell["n"] for cell in cells] == [100, 80, None, None]

    outcome = ask(TOTAL, {"all": [WOMEN, THIRD]})

    own = outcome.envelope.get("by_site", {}).get("h0", {})
    assert own.get("n") is None, own


def test_nor_by_everybody_with_that_stage_and_the_men(ask):
    ask(BY_STAGE, WOMEN)
    whole = ask(TOTAL, THIRD).envelope.get("by_site", {}).get("h0", {}).get("n")
    men = {"all": [THIRD, {"not": WOMEN}]}
    part = ask(TOTAL, men).envelope.get("by_site", {}).get("h0", {}).get("n")

    assert whole is None or part is None


def test_the_same_patients_may_be_asked_about_again(ask):
    ask(BY_STAGE, WOMEN)

    assert ask(AGE, WOMEN).envelope["by_site"]["h0"]["n"] == 249
