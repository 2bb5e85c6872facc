"""What the studies package refuses, each with a stable code and a sentence that says what to do."""

from collections.abc import Mapping
from typing import Final

CODES: Final[Mapping[str, str]] = {
    "not_found": "There is nothing with this name here. Check the name.",
    "bad_phone": "A phone number has digits, spaces and dashes. Give it as people dial it.",
    "name_taken": "This name is already in use. Choose another one.",
    "bad_name": (
        "A short name has small letters, digits and dashes, starts with a letter and is at most "
        "63 characters long."
    ),
    "step_not_allowed": "This step cannot follow the present state. Look at the state first.",
    "unknown_note": "The reason is not one of the list. Choose one from the list.",
    "requirement_set_empty": (
        "A study names at least one thing that a patient must have agreed to. Add one."
    ),
    "bad_codebook": "The study has no codebook with a name and variables. Give one.",
    "bad_delivery": (
        "Sealed results need the study's public result key, results at the hub the agreement of "
        "the benchmark. Give it."
    ),
    "not_a_member": "This institution is not in the network of the study. Add it first.",
    "in_the_future": "The date lies in the future. Give today or an earlier date.",
    "before_last_step": "The date lies before the last step. Give a later date.",
}


class StudiesError(Exception):
    """A refusal of the studies package; `code` is one of CODES, `message` its sentence."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.message = CODES[code]
        super().__init__(f"{code}: {self.message}")
