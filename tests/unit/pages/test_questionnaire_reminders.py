"""Who wants no questions is not reminded of any."""

from types import SimpleNamespace
from typing import Any

import pytest

from registry.pages.patient_prom_kept import QUESTIONNAIRES, wants_questions


def study(*states: str, item: str = QUESTIONNAIRES) -> Any:
    return SimpleNamespace(items=[SimpleNamespace(item=item, state=each) for each in states])


@pytest.mark.parametrize(
    ("choices", "wanted"),
    [
        ([], True),
        ([study("not_asked")], True),
        ([study("deferred")], True),
        ([study("granted"), study("withdrawn")], True),
        ([study("withdrawn")], False),
        ([study("not_asked"), study("refused")], False),
        ([study("objected")], False),
        ([study("refused", item="use.record")], True),
    ],
)
def test_a_no_to_questionnaires_is_a_no_to_reminders(choices: list[Any], wanted: bool) -> None:
    assert wants_questions(choices) is wanted
