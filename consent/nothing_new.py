"""A patient wants nothing new to be used (level W2). Pure.

As long as a hospital cannot tell old data from new, it counts such a patient not at all; the page,
the consent lists and the exports all ask here.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from consent.rule import ANY, Choice

#: A withdrawal of this ends the data window. It is outside the catalogue; no study requires it.
COLLECT_NEW: Final = "collect.new"


def nothing_new_since(choices: Iterable[Choice], study: str, now: datetime) -> datetime | None:
    """Since when nothing new may be used in `study`, by the last word on it; None when it may."""
    said = [
        choice
        for choice in choices
        if choice.scope.item == COLLECT_NEW
        and choice.scope.study in (study, ANY)
        and max(choice.effective_at, choice.recorded_at) <= now
    ]
    last = max(said, key=lambda choice: choice.recorded_at, default=None)
    return None if last is None or last.kind == "grant" else last.recorded_at
