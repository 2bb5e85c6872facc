"""H6: how many new questions one researcher gets, and how much a hospital's patients can bear."""

from dataclasses import replace

import pytest

from federation.disclosure.policy import Budget, Policy

COHORTS = [{"var": "age", "op": ">=", "value": age} for age in (45, 50, 55, 60, 65)]
MEAN = {"kind": "describe", "variables": ["age"]}


@pytest.fixture
def strict(build):
    def make(questions=200, share=0.2):
        budget = Budget(new_sets_per_researcher_30d=questions, rank_max_share_of_n=share)
        return build(policy=replace(Policy.strict(), budget=budget))

    return make


def ask(net, number, who="anna", **more):
    return net.ask(MEAN, cohort=COHORTS[number], plan={"requester": who, **more})


def test_a_researcher_has_so_many_new_questions_in_thirty_days(strict):
    net = strict(questions=2)
    first = ask(net, 0)
    assert ask(net, 1).status == "complete"

    refused = ask(net, 2)
    assert (refused.status, refused.code) == ("refused", "BUDGET")
    # Both questions were asked on 22 November; by day, so that no moment of asking is told.
    assert refused.envelope["again_from"] == "2026-12-23"
    assert "from 2026-12-23" in refused.envelope["message"]
    assert ask(net, 2, who="bea").status == "complete"
    # what was answered before costs nothing, whoever asks
    again = ask(net, 0)
    assert (again.status, again.replay_of) == ("replay", (first.envelope["id"],))

    net.wait(days=29)
    assert ask(net, 3).code == "BUDGET"
    net.wait(days=2)
    assert ask(net, 3).status == "complete"


def test_a_refusal_costs_nothing(strict):
    net = strict(questions=2)
    assert ask(net, 0).status == "complete"
    for _ in range(3):
        refused = net.ask(
            MEAN,
            cohort={"all": [COHORTS[0], {"var": "ca125", "op": ">=", "value": 1000}]},
            plan={"requester": "anna"},
        )
        assert refused.code == "SMALL_GROUP"
    assert ask(net, 1).status == "complete"


def test_independent_answers_are_few_for_the_patients_there_are(strict):
    """160 to 200 patients at each of five hospitals, 860 together: three answers at most."""
    net = strict(share=0.0035)
    statuses = [ask(net, number).code for number in range(5)]
    assert statuses == [None, None, "BUDGET", "BUDGET", "BUDGET"]
    assert "again_from" not in ask(net, 4).envelope  # this is not for time to mend
    assert all(net.ledger(slug) == 2 for slug in net.programs)


def test_the_day_from_which_a_researcher_may_ask_again(strict):
    net = strict(questions=2)
    begin = net.now
    ask(net, 0)
    net.wait(days=10)
    ask(net, 1)
    for program in net.programs.values():
        history = program._pipeline._history
        assert history.budget_from("bea", net.now) is None
        assert history.budget_from("anna", net.now) == begin.replace(month=12, day=22)
