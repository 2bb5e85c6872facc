"""An answer without a hospital that was in its roster and may not be in what is shown.

One that left after it had answered, or kept silent when its own answer was due. Its own part goes;
and of the others all that was worked out with everybody's sums: the expected number and what
follows from it, the median of "all others". With those, its own could be worked out: the expected
numbers of all hospitals add up to the observed ones (federation/methods/standardise.py).
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any, Final

Json = dict[str, Any]
#: What of a hospital's own part follows from other hospitals' sums, wherever it stands in the part.
FROM_ALL: Final = frozenset(
    {
        "expected",
        "ratio",
        "z",
        "limits95",
        "limits998",
        "limits95_widened",
        "limits998_widened",
        "variance",
        "shrunken",
        "outside",
        "rule",
        "vlad",
        "cusum",
        "difference",
        "se",
        "ci_low",
        "ci_high",
    }
)
LEFT: Final = "STUDY_NOT_OPEN"


def silent_in(outcome: Mapping[str, Any]) -> set[str]:
    """The hospitals whose own answer did not come."""
    own = outcome.get("by_site") or {}
    return {site for site, part in own.items() if part.get("code") == "SITE_UNREACHABLE"}


def without(outcome: Mapping[str, Any], out: Collection[str]) -> Json:
    """The same answer of the others alone; the pooled part holds the sums of all, and goes too."""
    made: Json = copy.deepcopy(dict(outcome))
    gone = {"status": "refused", "code": LEFT, "message": "This hospital is not in this answer."}
    own = made.get("by_site") or {}
    made["by_site"] = {
        site: dict(gone) if site in out and part.get("code") is None else _alone(part)
        for site, part in own.items()
    }
    made["result"] = {}
    made["hidden"] = []
    return made


def _alone(part: Any) -> Any:
    """A part without what follows from others. A share's interval is its own; a mean's is not,
    because it stands around the adjusted difference."""
    if isinstance(part, dict):
        return {name: None if name in FROM_ALL else _alone(value) for name, value in part.items()}
    return [_alone(each) for each in part] if isinstance(part, list) else part
