"""Attacks of the second review, on real pipelines.

A table hides a small cell and one large cell beside it. Nobody may ask for the large one by way of
sets that are not a part of the table: with it the small one is known.
"""

import pytest
from hospitals import planted

TABLE = {"kind": "count", "by": ["stage"]}
TOTAL = {"kind": "count", "by": []}
COUNTS = {"VROUW": (100, 80, 65, 4), "MAN": (100, 80, 80, 70)}
WOMEN = {"var": "sex", "op": "=", "value": "f"}
MEN = {"var": "sex", "op": "=", "value": "m"}
THIRD = {"var": "stage", "op": "=", "value": "III"}
CURVE = {"time": "fu_days", "event": "death"}
KINDS = {
    "count": TOTAL,
    "describe": {"kind": "describe", "variables": ["age"]},
    "histogram": {"kind": "histogram", "variable": "age"},
    "compare": {"kind": "compare", "variable": "age", "by": "trt"},
    "survival": {"kind": "survival", **CURVE},
    "cox": {"kind": "cox", **CURVE, "formula": "trt"},
    "regression": {"kind": "regression", "family": "gaussian", "formula": "age ~ trt"},
}


@pytest.fixture
def net(build):
    return build(planted(COUNTS))


def refused(outcome):
    return (outcome.status, outcome.code) == ("refused", "SMALL_GROUP")


@pytest.mark.parametrize("kind", KINDS)
def test_a_hidden_cell_is_not_the_rest_of_two_wider_sets(net, kind):
    """249 women, 100 and 80 of them with I and II; 145 with III less 80 men: four with IV."""
    cells = net.ask(TABLE, cohort=WOMEN).envelope["result"]["cells"]
    assert [cell["n"] for cell in cells] == [100, 80, None, None]
    assert net.ask(TOTAL, cohort=THIRD).status == "complete"

    assert refused(net.ask(KINDS[kind], cohort={"all": [THIRD, MEN]}))


def test_nor_of_sets_that_share_it_and_nothing_else_with_the_table(net):
    net.ask(TABLE, cohort=WOMEN)
    joined = {"any": [MEN, {"all": [WOMEN, THIRD]}]}
    assert net.ask(TOTAL, cohort=joined).status == "complete"

    assert refused(net.ask(TOTAL, cohort=MEN))


def test_nor_when_the_table_comes_last(net):
    for cohort in (THIRD, {"all": [THIRD, MEN]}):
        assert net.ask(TOTAL, cohort=cohort).status == "complete"

    assert refused(net.ask(TABLE, cohort=WOMEN))


MODEL = {"kind": "regression", "family": "gaussian", "formula": "age ~ C(sex)"}


def test_nor_by_the_standard_errors_of_a_model(net):
    """(sigma / se)^2 is the number in the group of the intercept: 80 men, so 65 women."""
    net.ask(TABLE, cohort=WOMEN)
    assert net.ask(TOTAL, cohort=THIRD).status == "complete"

    assert refused(net.ask(MODEL, cohort=THIRD))


def test_nor_when_the_model_came_first(net):
    first = net.ask(MODEL, cohort=THIRD).envelope["result"]
    assert round((first["sigma"] / first["terms"][0]["se"]) ** 2) == 80

    assert refused(net.ask(TABLE, cohort=WOMEN))
