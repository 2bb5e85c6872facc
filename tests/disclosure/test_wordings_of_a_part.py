"""A row of a table without its hidden cell, said in every way the language has."""

import pytest
from hospitals import planted

TABLE = {"kind": "count", "by": ["sex", "stage"]}
TOTAL = {"kind": "count", "by": []}
WOMEN = {"var": "sex", "op": "=", "value": "f"}


def stage(op, value):
    return {"var": "stage", "op": op, "value": value}


WORDINGS = {
    "in": {"all": [WOMEN, stage("in", ["II", "IV"])]},
    "any": {"all": [WOMEN, {"any": [stage("=", "II"), stage("=", "IV")]}]},
    "not in": {"all": [WOMEN, {"not": stage("in", ["I", "III"])}]},
    "not any": {"all": [WOMEN, {"not": {"any": [stage("=", "I"), stage("=", "III")]}}]},
    "nor": {"all": [WOMEN, {"not": stage("=", "I")}, {"not": stage("=", "III")}]},
    "unequal": {"all": [WOMEN, stage("!=", "I"), stage("!=", "III")]},
    "none of": {"not": {"any": [{"not": WOMEN}, stage("=", "I"), stage("=", "III")]}},
}


@pytest.mark.parametrize("wording", WORDINGS)
def test_parts_of_a_table_that_hold_a_hidden_cell_are_not_told(build, wording):
    """Two such answers, of II and IV and of III and IV, would give the four women with IV."""
    counts = {"MAN": (100, 60, 60, 40), "VROUW": (100, 60, 30, 4)}
    net = build(planted(counts))
    cells = net.ask(TABLE).envelope["result"]["cells"]
    assert [c["n"] for c in cells if c["by"] == {"sex": "f", "stage": "IV"}] == [None]

    outcome = net.ask(TOTAL, cohort=WORDINGS[wording])

    assert (outcome.status, outcome.code) == ("refused", "SMALL_GROUP")
