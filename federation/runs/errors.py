"""What a command on a run can be refused for, each with a stable code and one sentence."""

from collections.abc import Mapping
from types import MappingProxyType

CODES: Mapping[str, str] = MappingProxyType(
    {
        "STUDY_NOT_FOUND": "There is no study with this name. Choose one from the list of studies.",
        "STUDY_NOT_OPEN": "This study takes no questions now. Ask its coordinator when it opens.",
        "NO_SITES": "No hospital takes part in this study yet. Ask its coordinator.",
        "NO_NODE": "A hospital of this study has no connected program yet. Ask the network office.",
        "OUTPUT_NOT_ALLOWED": "This study releases no results per hospital. Ask for pooled output.",
        "NO_FORM": "A hospital's board has not signed for results of its own. Ask for pooled"
        " output.",
        "TOO_MANY_RUNS": "Too many questions are waiting. Wait until some are answered.",
        "UNDER_EMBARGO": "An evaluation round that is not released yet asks this, or asks the same"
        " of the same patients in months that overlap. Wait for its release, or ask about other"
        " months, other patients or something else.",
        "RUN_NOT_FOUND": "There is no question with this number.",
        "NOT_ALLOWED": "This account may not do that. Ask a member of the data-access committee.",
        "OWN_QUERY": "Nobody approves a question of their own. Ask another committee member.",
        "WRONG_STATE": "The question has moved on in the meantime. Reload the page to see where it"
        " stands.",
    }
)


class RunError(Exception):
    """A command on a run that cannot be done; nothing was changed. ``code`` is one of CODES."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.message = CODES[code]
        super().__init__(f"{code}: {self.message}")


class ReplyConflict(Exception):
    """A site sent other bytes for a step that it had already answered: a security event."""
