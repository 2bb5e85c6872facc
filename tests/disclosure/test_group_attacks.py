"""Attacks with histograms, comparisons, competing risks and odds ratios on five real hospitals."""

import itertools

import pytest

from federation.query.errors import QueryError

HISTOGRAM = {"kind": "histogram", "variable": "age"}
COUNT = {"kind": "count", "by": ["age"]}
RISKS = {"kind": "competing_risks", "time": "fu_days", "event": "stage"}
OLD = {"var": "age", "op": ">=", "value": 60}


def leaf(var, value, op="="):
    return {"var": var, "op": op, "value": value}


def few_of_age(rows, age, count):
    """So many patients of this age, in all hospitals together; the others one class older."""
    here = [
        row
        for each in itertools.zip_longest(*rows.values())
        for row in each
        if row is not None and int(row["HDR_AGE"]) // 5 == age // 5
    ]
    assert len(here) > 11
    for place, row in enumerate(here):
        row["HDR_AGE"] = str(age if place < count else age + 5)
    return rows


def intervals(outcome):
    """Every shown number of patients by the ages it is about, as (low, high, n)."""
    if outcome.status != "complete":
        return []
    result = outcome.envelope["result"]
    found = [(0, 200, result["n"])]
    for bar in result.get("bins", []):
        found.append((bar["low"] or 0, bar["high"] or 200, bar["n"]))
    for cell in result.get("cells", []):
        low, high = cell["by"]["age"].strip("[)]").split(",")
        found.append((float(low), float(high), cell["n"]))
    return [each for each in found if each[2] is not None]


@pytest.mark.parametrize("few", [0, 1, 9, 10, 11])
@pytest.mark.parametrize("first", ["histogram", "count"])
def test_a_thin_class_is_in_no_difference_of_two_answers(build, five, first, few):
    net = build(few_of_age(five, 50, few))
    questions = [HISTOGRAM, COUNT] if first == "histogram" else [COUNT, HISTOGRAM]
    outcomes = [net.ask(question) for question in questions]
    assert outcomes[0].status == "complete"
    known = [each for outcome in outcomes for each in intervals(outcome)]
    assert len(known) > 5
    for _, _, n in known:
        assert n >= 10
    for (low, high, n), (inner, outer, m) in itertools.permutations(known, 2):
        if low <= inner and outer <= high:
            assert n - m == 0 or n - m >= 10
    alone = [n for low, high, n in known if (low, high) == (50, 55)]
    assert not alone or few >= 10
    assert few < 10 or first == "count" or alone


def test_31_edges_are_the_codebooks(net):
    for more in ({"edges": [61, 61.5, 62]}, {"bins": 100}, {"width": 1}, {"min": 60}):
        with pytest.raises(QueryError) as caught:
            net.query({**HISTOGRAM, **more})
        assert caught.value.code == "UNKNOWN_KEY"
    edges = net.codebook.variables["age"].edges
    bars = net.ask(HISTOGRAM).envelope["result"]["bins"]
    assert all(bar["low"] in (None, *edges) and bar["high"] in (None, *edges) for bar in bars)
    assert (bars[0]["low"], bars[-1]["high"]) == (None, None)


@pytest.mark.parametrize(
    "analysis",
    [
        HISTOGRAM,
        {"kind": "compare", "variable": "ca125", "by": "sex"},
        {"kind": "compare", "variable": "stage", "by": "trt"},
        {**RISKS, "cause": "II"},
        {"kind": "mantel_haenszel", "outcome": "death", "exposure": "trt"},
    ],
    ids=lambda analysis: analysis["kind"],
)
def test_7_a_cohort_and_the_same_but_one(build, five, analysis):
    five["h2"][7] |= {"HDR_STAGE": "III", "HDR_HIST": "8502", "HDR_AGE": "71"}
    net = build(five)
    one = {"all": [leaf("stage", "III"), leaf("hist", "8502")]}
    assert net.ask(analysis, cohort=OLD).status == "complete"
    again = net.ask(analysis, cohort={"all": [OLD, {"not": one}]})
    assert (again.status, again.code) == ("refused", "SMALL_GROUP")


def test_two_causes_have_the_same_points(net):
    """Answers with other points each would tell the few who left in between."""
    curves = []
    for cause in ("II", "III", "IV"):
        outcome = net.ask({**RISKS, "cause": cause})
        assert outcome.status == "complete"
        (group,) = outcome.envelope["result"]["groups"]
        curves.append([(point["t"], point["at_risk"]) for point in group["curve"]])
    assert curves[0] == curves[1] == curves[2]
    assert len(curves[0]) > 3
    left = [n for _, n in curves[0]]
    assert all(a - b >= 10 for a, b in itertools.pairwise(left))


def test_no_hospital_is_readable_in_what_is_sent(net, read):
    for analysis in (
        HISTOGRAM,
        {"kind": "compare", "variable": "ca125", "by": "sex"},
        {**RISKS, "cause": "II", "by": "trt"},
        {"kind": "mantel_haenszel", "outcome": "death", "exposure": "trt"},
    ):
        net.bodies.clear()
        assert net.ask(analysis).status == "complete"
        for body in net.bodies:
            assert "plain" not in read(body)


def test_16_one_patient_may_not_make_up_the_mean_of_a_group(build, five):
    five["h1"][3] |= {"HDR_CA125": "90000", "HDR_SEX": "MAN"}
    net = build(five)
    outcome = net.ask({"kind": "compare", "variable": "ca125", "by": "sex"})
    result = outcome.envelope["result"]
    assert [group["mean"] for group in result["groups"]] == [None, None]
    assert result["welch_t"] is None
    assert result["mann_whitney"]["p"] > 0


CURVE = {"kind": "survival", "time": "fu_days", "event": "death"}


def points(outcome):
    if outcome.status != "complete":
        return []
    (group,) = outcome.envelope["result"]["groups"]
    return [(point["t"], point["at_risk"]) for point in group["curve"]]


def test_28_a_grid_moved_by_a_day_tells_nobody_in_between(net):
    """Curves of one cohort on grids of 30, 31, 32 … days: at risk at times close together."""
    known = []
    answered = []
    for width in (None, 31, 32, 45, 60):
        asked = CURVE if width is None else {**CURVE, "grid_days": width}
        outcome = net.ask(asked)
        answered.append(outcome.status)
        known += points(outcome)
    assert answered[0] == "complete"
    assert "refused" in answered
    for (_, n), (_, m) in itertools.combinations(known, 2):
        assert abs(n - m) == 0 or abs(n - m) >= 10


def test_the_same_curve_at_other_times_is_answered(net):
    first = net.ask(CURVE)
    again = net.ask({**CURVE, "at": [365]})
    assert (first.status, again.status) == ("complete", "complete")
    assert points(first) == points(again)
