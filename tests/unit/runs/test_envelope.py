"""Every public code has a sentence; an answer repeated says so and keeps its date."""

import pytest

from federation.query.refusals import REFUSALS
from federation.runs import envelope
from federation.runs.errors import CODES


@pytest.mark.parametrize("code", [*REFUSALS, *envelope.OWN_SENTENCES])
def test_every_code_says_what_to_do(code: str) -> None:
    assert envelope.sentence(code).endswith(".")
    assert len(envelope.sentence(code).split(". ")) >= 2 or ";" in envelope.sentence(code)


def test_codes_that_may_name_a_hospital_are_public_and_not_about_patients() -> None:
    assert set(REFUSALS) >= envelope.NOT_ABOUT_PATIENTS
    for code in ("SMALL_GROUP", "MODEL_TOO_RICH", "MODEL_UNSTABLE", "INSTITUTION_HIDDEN"):
        assert code not in envelope.NOT_ABOUT_PATIENTS


@pytest.mark.parametrize("code", CODES)
def test_every_error_of_a_command_is_a_sentence(code: str) -> None:
    assert CODES[code].endswith(".")


def test_a_repeated_answer_keeps_its_date() -> None:
    earlier = {"id": "first", "as_of": "2026-01-01T00:00:00Z", "replayed": False, "result": {}}
    again = envelope.replayed(earlier, "second")
    assert again == {
        "id": "second",
        "as_of": "2026-01-01T00:00:00Z",
        "replayed": True,
        "replay_of": "first",
        "result": {},
    }
