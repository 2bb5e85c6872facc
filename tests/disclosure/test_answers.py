"""The path that must work: each question is answered once, and asked again gets the same bytes."""

import pytest

from federation.disclosure.policy import Policy

COUNT = {"kind": "count", "by": ["stage"]}
DESCRIBE = {"kind": "describe", "variables": ["ca125"]}
COX = {"kind": "cox", "time": "fu_days", "event": "death", "formula": "age + trt"}
KM = {"kind": "survival", "time": "fu_days", "event": "death", "by": "trt", "at": [365]}


@pytest.mark.parametrize("analysis", [COUNT, DESCRIBE, KM, COX], ids=lambda a: a["kind"])
@pytest.mark.parametrize("policy", ["strict", "open_data"])
def test_a_question_is_answered(build, analysis, policy):
    net = build(policy=getattr(Policy, policy)())

    outcome = net.ask(analysis)

    assert outcome.status == "complete", outcome
    assert outcome.envelope["result"]["n"] == sum(len(rows) for rows in net.rows.values())


def test_counts_are_exact(net):
    cells = net.ask(COUNT).envelope["result"]["cells"]

    assert {cell["by"]["stage"]: cell["n"] for cell in cells} == {
        stage: sum(row["HDR_STAGE"] == stage for rows in net.rows.values() for row in rows)
        for stage in ("I", "II", "III", "IV")
    }


def test_each_answer_is_charged_once_however_many_steps(net):
    net.ask(COX)

    assert [net.ledger(slug) for slug in net.programs] == [1] * 5


def test_the_same_step_asked_again_gets_the_same_bytes(net):
    driver = net.driver(net.plan(net.query(COUNT)))
    message = driver.messages(net.now)["h0"]
    resigned = driver.messages(net.now)["h0"]

    first = net.send("h0", message)

    assert message != resigned
    assert net.send("h0", message) == first
    assert net.send("h0", resigned) == first
    assert net.ledger("h0") == 0  # the look alone is no answer


def test_an_answer_is_charged_when_its_sums_leave_and_once(net):
    driver = net.driver(net.plan(net.query(COUNT)))
    assert net.round(driver) == "step"
    message = driver.messages(net.now)["h0"]

    first = net.send("h0", message)

    assert net.send("h0", message) == first
    assert net.ledger("h0") == 1


def test_the_same_bytes_also_after_a_restart(net):
    message = net.driver(net.plan(net.query(COUNT))).messages(net.now)["h0"]
    first = net.send("h0", message)

    net.start("h0")

    assert net.send("h0", message) == first


def test_a_run_goes_on_after_a_restart(net):
    driver = net.driver(net.plan(net.query(COX)))
    assert net.round(driver) == "step"

    net.start("h2")

    assert net.drive(driver).status == "complete"


def test_the_same_question_is_replayed_and_carries_no_number(net, read):
    first = net.ask(COUNT)
    again = net.ask(COUNT)

    assert again.status == "replay"
    assert again.replay_of == (first.envelope["id"],)
    assert not {"masked", "plain", "layout"} & set(read(net.bodies[-1]))
    assert [net.ledger(slug) for slug in net.programs] == [1] * 5


def test_a_lost_answer_may_be_computed_again_without_a_second_charge(net):
    net.ask(COUNT)

    outcome = net.ask(COUNT, plan={"again": True})

    assert outcome.status == "complete"
    assert [net.ledger(slug) for slug in net.programs] == [1] * 5


def test_a_small_hospital_sends_zeros_and_is_not_charged(build, five):
    five["h0"] = five["h0"][:9]
    net = build(five)

    outcome = net.ask(COUNT)

    assert outcome.status == "complete"
    assert outcome.envelope["result"]["n"] == sum(len(five[f"h{n}"]) for n in range(1, 5))
    assert net.ledger("h0") == 0
    assert net.ledger("h1") == 1


def test_what_leaves_a_hospital_is_masked(net, read):
    """The same sums under another run look entirely different."""
    query = net.query(COUNT)
    for plan in (net.plan(query), net.plan(query, again=True)):
        net.send("h0", net.driver(plan).messages(net.now)["h0"])

    one, other = (read(body)["masked"]["b64"] for body in net.bodies[-2:])
    assert len(one) == len(other)
    assert sum(a == b for a, b in zip(one, other, strict=True)) < len(one) / 4
