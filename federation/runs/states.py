"""The states of a run, and which may follow which (security.md 4.1). Data, so that the code,
the database check, the documentation and the tests all read the same table.
"""

from collections.abc import Mapping
from types import MappingProxyType

SUBMITTED = "submitted"
APPROVED = "approved"
OPEN = "open"
COMPLETE = "complete"
PARTIAL = "partial"
INSUFFICIENT = "insufficient"
REFUSED = "refused"
CANCELLED = "cancelled"
EXPIRED = "expired"
FAILED = "failed"

#: From a state to the states that may follow. A state without successors is final.
TRANSITIONS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        SUBMITTED: frozenset({APPROVED, REFUSED, CANCELLED, EXPIRED}),
        APPROVED: frozenset({OPEN, REFUSED, CANCELLED, EXPIRED, FAILED}),
        OPEN: frozenset({COMPLETE, PARTIAL, INSUFFICIENT, REFUSED, CANCELLED, FAILED}),
        COMPLETE: frozenset(),
        PARTIAL: frozenset(),
        INSUFFICIENT: frozenset(),
        REFUSED: frozenset(),
        CANCELLED: frozenset(),
        EXPIRED: frozenset(),
        FAILED: frozenset(),
    }
)

STATES: tuple[str, ...] = tuple(TRANSITIONS)
FINAL: frozenset[str] = frozenset(state for state, after in TRANSITIONS.items() if not after)
#: Final states that carry a released result.
RELEASED: frozenset[str] = frozenset({COMPLETE, PARTIAL})

#: A site's part in a run.
SITE_WAITING = "waiting"
SITE_ASKED = "asked"
SITE_ANSWERED = "answered"
SITE_REFUSED = "refused"
SITE_SILENT = "silent"
SITE_STATES: tuple[str, ...] = (
    SITE_WAITING,
    SITE_ASKED,
    SITE_ANSWERED,
    SITE_REFUSED,
    SITE_SILENT,
)


def may_become(old: str, new: str) -> bool:
    """Whether a run in state ``old`` may be put into state ``new``."""
    return new in TRANSITIONS[old]
