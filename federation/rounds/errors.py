"""What an act on an evaluation round can be refused for, each with a stable code and a sentence."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

CODES: Mapping[str, str] = MappingProxyType(
    {
        "ROUND_NOT_FOUND": "There is no evaluation round with this number.",
        "GROUP_NOT_FOUND": "There is no working group with this name. Choose one of the network.",
        "BAD_ROUND": "The plan of the round cannot be used. Correct what is named and send it"
        " again; nothing was lost.",
        "NO_INDICATORS": "A round needs at least one indicator. Choose one from the catalogue.",
        "INDICATOR_TWICE": "The same indicator stands in the round twice. Take one out.",
        "TOO_MANY_INDICATORS": "A round holds at most 40 indicators. Split it into two rounds.",
        "UNKNOWN_INDICATOR": "There is no such indicator. Choose one from the catalogue, or give"
        " its whole definition.",
        "UNKNOWN_HOSPITAL": "A hospital of the round does not take part in its study. Choose from"
        " those that do.",
        "TOO_FEW_HOSPITALS": "A comparison needs at least three hospitals. Add one.",
        "BAD_MOMENTS": "The freeze date must lie after the period and before the release, and the"
        " release in the future. Choose other moments.",
        "BAD_REPEATS": "A series repeats every quarter or every year, at most 20 times and at most"
        " ten years ahead. Correct it.",
        "NO_OWN_RESULTS": "This study does not give results of single hospitals to its hub. Ask the"
        " network office to agree on that first.",
        "NO_BOARD_FORM": "The board of a hospital has not signed for results of its own. Leave it"
        " out of the round, or ask its board.",
        "NOT_ALLOWED_HERE": "This account may not do that with this round. Ask the chair of the"
        " working group or a member of the data-access committee.",
        "OWN_ROUND": "Nobody approves a round that they planned. Ask another committee member.",
        "ROUND_MOVED_ON": "The round has moved on in the meantime. Reload to see where it stands.",
        "ROUND_CHANGED": "Somebody changed this in the meantime. Look at it again, then repeat it.",
        "NOT_RELEASED": "The results of this round are not released yet. Everybody sees them at the"
        " same moment.",
        "SAME_UNDER_EMBARGO": "Another round that is not released asks the same of the same"
        " patients in months that overlap. Wait for its release, or choose months that do not"
        " overlap.",
        "BEING_ASKED": "Somebody else is asking one of these questions now. Wait until it is"
        " answered, then approve.",
        "NOT_OF_THIS_ROUND": "This indicator or hospital is not in the results of this round.",
        "ACTION_NOT_FOUND": "There is no action with this number.",
        "BAD_ACTION": "An action needs a text, an owner, a day when it is due, and for measuring"
        " again a whole period after it began and a day after that period.",
        "NETWORK_NOT_FOUND": "There is no network with this name. See 'oncokring network list'.",
        "BAD_BENCHMARK": "This file with reference figures cannot be used, and nothing was kept of"
        " it. Correct what is named and import it again.",
        "BENCHMARK_NOT_FOUND": "There is no imported file with this number.",
        "BENCHMARK_WITHDRAWN": "This file was taken back earlier. Import a corrected one.",
        "NO_NAMES": "This round did not agree to names, and sums of a few hospitals would tell"
        " them. Export the region.",
        "NO_STRATA": "This indicator names none of these groups. Choose from its definition.",
    }
)


class RoundError(Exception):
    """An act on a round that cannot be done; nothing was changed. ``code`` is one of CODES."""

    def __init__(self, code: str, detail: str = "", until: datetime | None = None) -> None:
        self.code = code
        self.until = until
        self.message = f"{CODES[code]} ({detail})" if detail else CODES[code]
        super().__init__(f"{code}: {self.message}")
