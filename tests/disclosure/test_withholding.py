"""`after_withdrawal: withhold`: a study pauses as a whole, so that nobody sees for which cohort."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hospitals import write_csv

from federation.disclosure.policy import Policy

WITHHOLD = replace(Policy.strict(), after_withdrawal="withhold")
COUNT = {"kind": "count", "by": ["stage"]}
OTHER = {"kind": "count", "by": ["trt"]}


@pytest.fixture
def withholding(build: Any) -> Any:
    return build(policy=WITHHOLD, studies=("onco", "second"))


def withdraw(net: Any, *rows: dict[str, str]) -> None:
    net.withdrawn |= {row["HDR_PATIENT_NO"] for row in rows}
    net.publish()


def asked(net: Any, analysis: Any, **more: Any) -> tuple[str, str | None]:
    outcome = net.ask(analysis, **more)
    return outcome.status, outcome.code


def test_without_a_withdrawal_questions_and_stored_answers_go_on(withholding: Any) -> None:
    assert asked(withholding, COUNT) == ("complete", None)
    assert asked(withholding, OTHER) == ("complete", None)
    assert asked(withholding, COUNT) == ("replay", None)


def test_after_one_withdrawal_every_question_of_the_study_waits(withholding: Any) -> None:
    assert asked(withholding, COUNT) == ("complete", None)
    withdraw(withholding, withholding.rows["h2"][0])
    paused = ("refused", "PAUSED_FOR_UPDATE")
    # the same question, another one, and one about other patients
    assert asked(withholding, COUNT) == paused
    assert asked(withholding, OTHER) == paused
    assert asked(withholding, COUNT, cohort={"var": "sex", "op": "=", "value": "f"}) == paused
    outcome = withholding.ask(OTHER)
    assert outcome.envelope["sites"]["refused"] == []  # nobody is told which hospital


def test_another_study_goes_on_until_its_own_patients_change(withholding: Any) -> None:
    assert asked(withholding, COUNT) == ("complete", None)
    withdraw(withholding, withholding.rows["h2"][0])
    # nothing was answered of the second study, so it is not paused; the auditor knows no studies
    assert asked(withholding, OTHER, study="second") == ("refused", "SMALL_GROUP")


def test_the_pause_ends_when_enough_have_left(withholding: Any) -> None:
    assert asked(withholding, COUNT) == ("complete", None)
    withdraw(withholding, *withholding.rows["h2"][:9])
    assert asked(withholding, OTHER) == ("refused", "PAUSED_FOR_UPDATE")
    withdraw(withholding, withholding.rows["h2"][9])
    assert asked(withholding, OTHER) == ("complete", None)


def test_the_pause_ends_after_three_months(withholding: Any) -> None:
    assert asked(withholding, COUNT) == ("complete", None)
    withdraw(withholding, withholding.rows["h2"][0])
    withholding.wait(days=90)
    assert asked(withholding, OTHER) == ("refused", "PAUSED_FOR_UPDATE")
    withholding.wait(days=2)
    # a new number would tell of the one who left, so the auditor says no; the stored one is shown
    assert asked(withholding, OTHER) == ("refused", "SMALL_GROUP")
    assert asked(withholding, COUNT)[1] != "PAUSED_FOR_UPDATE"


def test_a_corrected_value_is_somebody_who_left_and_came(withholding: Any) -> None:
    assert asked(withholding, COUNT) == ("complete", None)
    row = withholding.rows["h2"][0]
    row["HDR_STAGE"] = "I" if row["HDR_STAGE"] != "I" else "II"
    write_csv(withholding.folder / "h2" / "data.csv", withholding.rows["h2"])
    withholding.start("h2")
    assert asked(withholding, COUNT) == ("refused", "PAUSED_FOR_UPDATE")


def test_without_the_choice_the_stored_answer_is_repeated(net: Any) -> None:
    assert asked(net, COUNT) == ("complete", None)
    withdraw(net, net.rows["h2"][0])
    assert asked(net, COUNT) == ("replay", None)
