"""The states of an evaluation round and which may follow which. Data, so that the code, the
database check, the documentation and the tests read one table.

`READY` (every answer is in, the agreed moment is not there yet) is not a state that anybody is
told: when the last answer came would say something. `told` gives the word for people.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

DRAFT: Final = "draft"
OFFERED: Final = "offered"
APPROVED: Final = "approved"
RUNNING: Final = "running"
READY: Final = "ready"
RELEASED: Final = "released"
CLOSED: Final = "closed"
CANCELLED: Final = "cancelled"

#: From a state to the states that may follow. A refusal of the committee gives a draft again.
TRANSITIONS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        DRAFT: frozenset({OFFERED, CANCELLED}),
        OFFERED: frozenset({DRAFT, APPROVED, CANCELLED}),
        APPROVED: frozenset({RUNNING, CANCELLED}),
        RUNNING: frozenset({READY, CANCELLED}),
        # A hospital that leaves before the release sends the round back to the hospitals.
        READY: frozenset({RUNNING, RELEASED, CANCELLED}),
        RELEASED: frozenset({CLOSED}),
        CLOSED: frozenset(),
        CANCELLED: frozenset(),
    }
)
STATES: tuple[str, ...] = tuple(TRANSITIONS)
#: Approved and not released: what its questions gave is kept from everybody.
UNDER_EMBARGO: frozenset[str] = frozenset({APPROVED, RUNNING, READY})
#: There is a snapshot that people may read.
READABLE: frozenset[str] = frozenset({RELEASED, CLOSED})

#: What a round is for: the round itself, the cause by stratum, measuring again after an action.
KINDS: tuple[str, ...] = ("round", "strata", "remeasure")

#: A hospital's part. Nobody is told before the release which one refused or kept silent.
IN: Final = "in"
LEFT: Final = "left"
SILENT: Final = "silent"
REFUSED: Final = "refused"
NO_DATA: Final = "no_data"
#: Why of a hospital that left: it had answered, so it could know by then how it compares.
LEFT_AFTER_ANSWER: Final = "left_after_answer"
PARTS: tuple[str, ...] = (IN, LEFT, SILENT, REFUSED, NO_DATA)

WAITING: Final = "waiting"
ASKED: Final = "asked"
DONE: Final = "done"
DROPPED: Final = "dropped"
QUESTION_STATES: tuple[str, ...] = (WAITING, ASKED, DONE, DROPPED)

ACTION_STATES: tuple[str, ...] = ("open", "measuring", "closed", "cancelled")
NOTE_KINDS: tuple[str, ...] = ("note", "cause", "help")


def may_become(old: str, new: str) -> bool:
    """Whether a round in state ``old`` may be put into state ``new``."""
    return new in TRANSITIONS[old]


def told(state: str) -> str:
    """The state as people may know it."""
    return RUNNING if state == READY else state
