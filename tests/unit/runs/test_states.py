"""The table of states is complete, and the database's check says the same."""

from federation.runs.models import Run
from federation.runs.states import FINAL, OPEN, RELEASED, STATES, SUBMITTED, TRANSITIONS, may_become


def test_every_state_can_be_reached_and_every_target_is_a_state() -> None:
    targets = set().union(*TRANSITIONS.values())
    assert targets == set(STATES) - {SUBMITTED}


def test_a_final_state_never_changes() -> None:
    assert all(not may_become(old, new) for old in FINAL for new in STATES)
    assert RELEASED <= FINAL


def test_only_an_open_run_can_have_a_result() -> None:
    assert {old for old in STATES if TRANSITIONS[old] & RELEASED} == {OPEN}


def test_the_database_knows_the_same_states() -> None:
    checks = {c.name: str(c.sqltext) for c in Run.__table__.constraints if hasattr(c, "sqltext")}
    known = next(text for name, text in checks.items() if str(name).endswith("state_known"))
    assert set(known.split("'")[1::2]) == set(STATES)
    final = next(text for name, text in checks.items() if str(name).endswith("final_has_end"))
    assert set(final.split("'")[1::2]) == set(FINAL)
