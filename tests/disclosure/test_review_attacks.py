"""Attacks found in review, on real pipelines: each is a sequence of a few questions.

What they have in common: every single answer is harmless, and two together would not be.
"""

from datetime import timedelta

import pytest
from hospitals import patients, planted

from federation.protocol.encoding import unpack_array
from federation.protocol.errors import ProtocolError
from federation.protocol.messages import TYP_STEP, sign
from federation.protocol.sums import check_layout, total, unflatten

COMMON = {"v", "iss", "aud", "iat", "exp", "jti"}
MEAN = {"kind": "describe", "variables": ["ca125"]}
OLD = {"var": "age", "op": ">=", "value": 60}
RARE = {
    "all": [
        {"var": "stage", "op": "=", "value": "III"},
        {"var": "hist", "op": "=", "value": "8502"},
    ]
}


def refused(outcome, code="SMALL_GROUP"):
    assert (outcome.status, outcome.code) == ("refused", code), outcome
    return True


@pytest.fixture
def gaps(five):
    """Fifteen old patients of each hospital have no value of ca125; one of them is rare."""
    for rows in five.values():
        old = [row for row in rows if int(row["HDR_AGE"]) >= 60]
        for row in old[:15]:
            row["HDR_CA125"] = ""
    planted = next(row for row in five["h2"] if row["HDR_CA125"] == "")
    planted |= {"HDR_STAGE": "III", "HDR_HIST": "8502"}
    return five, planted["HDR_PATIENT_NO"]


def test_a_patient_without_a_value_cannot_be_subtracted_from_the_missing(build, gaps):
    rows, _ = gaps
    net = build(rows)
    first = net.ask(MEAN, cohort=OLD)
    assert first.envelope["result"]["missing"] == 75

    second = net.ask(MEAN, cohort={"all": [OLD, {"not": RARE}]}).envelope["result"]
    assert (second["n"], second["missing"]) == (first.envelope["result"]["n"], None)


def test_a_withdrawal_does_not_show_in_the_number_of_missing(build, gaps):
    rows, gone = gaps
    net = build(rows)
    net.ask(MEAN, cohort=OLD)
    net.withdrawn.add(gone)
    net.publish()

    result = net.ask({**MEAN, "by": "sex"}, cohort=OLD).envelope["result"]
    assert result["missing"] is None
    assert refused(net.ask(MEAN, cohort=OLD, plan={"again": True}))


def test_a_hidden_number_of_missing_is_not_the_rest_of_two_answers(build, gaps):
    rows, _ = gaps
    for found in rows.values():
        old = [row for row in found if int(row["HDR_AGE"]) >= 60]
        old[20]["HDR_LAST"] = ""
    net = build(rows)
    first = net.ask(MEAN, cohort=OLD).envelope["result"]

    # the second would say, with the first: n + missing - n = 5
    assert (first["n"], first["missing"]) != (None, None)
    assert refused(net.ask({"kind": "survival", "time": "fu_days", "event": "death"}, cohort=OLD))


COUNT = {"kind": "count", "by": ["stage"]}


def test_no_hospital_stands_alone_because_the_others_were_told_otherwise(net, read):
    """Told to count cohorts of 1,000 only, four send zeros: the sum would be the fifth's alone."""
    messages = net.driver(net.plan(net.query(COUNT))).messages(net.now)
    replies = []
    for slug, message in messages.items():
        claims = read(message)
        terms = {**claims["terms"], "t_cohort_site": 10 if slug == "h4" else 1000}
        own = {k: v for k, v in claims.items() if k not in COMMON}
        message = sign(
            TYP_STEP,
            {**own, "terms": terms},
            net.hub,
            issuer="hub",
            audience=slug,
            now=net.now,
            lifetime=timedelta(hours=1),
        )
        replies.append(net.claims(slug, message))

    assert {reply["status"] for reply in replies} == {"ok"}
    layout = check_layout(replies[0]["layout"])
    pooled = total([unpack_array(reply["masked"]) for reply in replies])
    with pytest.raises(ProtocolError):
        unflatten(layout, pooled)


def test_two_tables_of_nested_cohorts_leave_no_small_difference(build):
    """Cells below the threshold at each hospital are not compared there, but pooled they show: the
    table of everybody minus that of the old is the table of the young, small cells included."""
    net = build({f"h{n}": patients(f"h{n}", 60, seed=n) for n in range(8)})
    by = {"kind": "count", "by": ["stage", "hist", "sex"]}
    everybody = net.ask(by)
    old = net.ask(by, cohort={"var": "age", "op": ">=", "value": 55})
    if "result" not in old.envelope:
        return
    pairs = zip(everybody.envelope["result"]["cells"], old.envelope["result"]["cells"], strict=True)
    known = [a["n"] - b["n"] for a, b in pairs if a["n"] is not None and b["n"] is not None]
    assert all(difference >= 10 for difference in known), known


@pytest.mark.parametrize("order", [1, -1])
def test_a_table_and_its_own_row_do_not_hide_different_cells(build, order):
    """By sex and stage, and the women alone by stage: the same cells, other complements, so that
    subtraction may give the four women with stage IV."""
    counts = {"MAN": (100, 60, 60, 8), "VROUW": (100, 60, 30, 4)}
    net = build(planted(counts))
    table = {"analysis": {"kind": "count", "by": ["sex", "stage"]}}
    row = {"analysis": COUNT, "cohort": {"var": "sex", "op": "=", "value": "f"}}

    answers = [net.ask(**question) for question in (table, row)[::order]][::order]

    if answers[order == 1].status == "refused":
        return

    of_table, of_row = (
        {
            cell["by"]["stage"]: cell["n"]
            for cell in answer.envelope["result"]["cells"]
            if cell["by"].get("sex", "f") == "f"
        }
        for answer in answers
    )
    hidden = {stage for stage, n in of_row.items() if n is None}
    assert "IV" in hidden
    assert len(hidden) > 1
    told_by_row = {stage for stage, n in of_row.items() if n is not None}
    told_by_table = {stage for stage, n in of_table.items() if n is not None}
    # whoever was asked last hides what the first hid, so that both leave the same sum unsolved
    later, sooner = (told_by_row, told_by_table) if order == 1 else (told_by_table, told_by_row)
    assert later <= sooner
