"""Each guard: what meets it, and what does not."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from studies.hospitals.card import next_task
from studies.hospitals.guards import GUARDS, SiteFacts, buttons, missing
from studies.hospitals.pathway import MILESTONES, STEPS, pathway

TODAY = date(2026, 11, 23)
DAY = timedelta(days=1)
ROAD = pathway("wmo")
NOTHING = SiteFacts(today=TODAY, state="invited", pathway=ROAD)
# Everything a hospital needs until the very end.
ALL = replace(
    NOTHING,
    interest=True,
    investigator="Dr. Verzonnen",
    gcp_until=TODAY,
    annexes={"pharmacy": "ok", "pathology": "ok"},
    vgo=True,
    contract=True,
    decision="positive",
    milestones=dict.fromkeys(MILESTONES, TODAY),
    in_force={"protocol": "3", "consent": "2"},
    in_use={"protocol": "3", "consent": "2", "information": "1"},
    agreement=True,
    archive_until=TODAY + DAY,
)
UNMET: dict[str, list[dict[str, Any]]] = {
    "interest": [{"interest": None}, {"interest": False}],
    "investigator": [{"investigator": ""}],
    "gcp": [{"gcp_until": None}, {"gcp_until": TODAY - DAY}],
    "annexes": [
        {"annexes": {}},
        {"annexes": {"pharmacy": "ok", "pathology": None}},
        {"annexes": {"pharmacy": "not_ok"}},
    ],
    "vgo": [{"vgo": False}],
    "contract": [{"contract": False}],
    "decision": [{"decision": None}, {"decision": "negative"}, {"decision": "withdrawn"}],
    "conditions": [{"conditions_open": 1}],
    "initiation_visit": [{"milestones": {}}],
    "delegation_log": [{"milestones": {"initiation_visit": TODAY}}],
    "versions": [
        {"in_use": {}},
        {"in_use": {"protocol": "2", "consent": "2"}},
        {"in_use": {"protocol": "3"}},
    ],
    "agreement": [{"agreement": False}],
    "green_light": [{"milestones": {"green_light": TODAY + DAY}}],
    "held_while_open": [{"state": "on_hold", "held_from": "closed_to_accrual"}],
    "not_twice": [{"taken": frozenset({"vgo_signed", "contract_signed"})}],
    "last_visit": [{"milestones": {}}],
    "close_out_visit": [{"milestones": {}}],
    "archive": [{"archive_until": None}, {"archive_until": TODAY}],
}


def test_with_everything_there_nothing_is_missing() -> None:
    for step in STEPS:
        assert missing(step, ALL) == (), step.code


@pytest.mark.parametrize("code", GUARDS)
def test_a_guard_holds_its_own_steps_back(code: str) -> None:
    here = [step for step in STEPS if code in step.guards]
    assert here
    for change in UNMET[code]:
        facts = replace(ALL, **change)
        for step in here:
            assert code in {guard.code for guard in missing(step, facts)}, (change, step.code)


def test_what_also_meets_a_guard() -> None:
    for change in (
        {"decision": "conditions"},
        {"agreement": None},
        {"in_force": {}, "in_use": {}},
        {"state": "on_hold", "held_from": "open"},
        {"state": "on_hold", "held_from": None},
    ):
        for step in STEPS:
            assert missing(step, replace(ALL, **change)) == ()


def test_the_buttons_are_the_steps_that_may_follow_with_what_is_missing() -> None:
    shown = buttons(NOTHING)
    assert [button.step.code for button in shown] == ["declined", "feasibility"]
    assert [button.ready for button in shown] == [True, False]
    assert [button.needs_reason for button in shown] == [True, False]
    assert [guard.code for guard in shown[1].missing] == ["interest"]
    assert buttons(replace(ALL, state="closed")) == ()


def test_the_next_task_is_the_first_thing_that_is_missing_and_says_whose_it_is() -> None:
    def task(**changes: Any) -> tuple[str, str]:
        found = next_task(replace(ALL, **changes))
        assert found is not None
        assert found.words("nl") != found.words("en")
        return found.code, found.owner

    assert task(interest=None) == ("interest", "coordinator")
    assert task(state="local_review", vgo=False, contract=False) == ("vgo", "board")
    # What can be done today goes before what must wait.
    assert task(state="local_review", annexes={}, vgo=False) == ("contract_signed", "board")
    signed = frozenset({"vgo_signed", "contract_signed"})
    for last in sorted(signed):
        assert task(state=last, taken=signed) == ("approved", "coordinator")
        assert task(state=last, taken=signed, decision=None) == ("decision", "coordinator")
    first = frozenset({"contract_signed"})
    assert task(state="contract_signed", taken=first, vgo=False) == ("vgo", "board")
    assert task(state="on_hold", taken=frozenset({"open", "on_hold"})) == ("open", "coordinator")
    assert next_task(replace(ALL, state="closed")) is None
    assert next_task(replace(ALL, state="declined")) is None
