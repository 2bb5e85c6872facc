"""With and without something, such as prehabilitation: always the difference and the ratio.

"40% fewer" may be 30 instead of 50 of a hundred, or 3 instead of 5 (domain.md 3.6).
"""

from __future__ import annotations

from typing import Any

from federation.indicators.definition import Indicator
from federation.methods.two_groups import two_groups, words
from federation.rounds.answers import SMALL, Answer, Json, refused


def difference_of(indicator: Indicator, main: Answer) -> Json:
    """The two groups over the hospitals of which all four counts are shown."""
    assert indicator.numerator is not None  # noqa: S101  a difference always has one
    counted = indicator.numerator.variables()[0]
    exposure = indicator.exposure or ""
    tables = [table for part in main.own.values() if (table := _table(part, exposure, counted))]
    base: dict[str, Any] = {"exposure": exposure, "hospitals_in": len(tables)}
    if not tables:
        return {**base, "hidden": SMALL}
    cells = {key: sum(table[key] for table in tables) for key in tables[0]}
    events, other_events = cells[True, True], cells[False, True]
    n, other_n = events + cells[True, False], other_events + cells[False, False]
    found = two_groups(events, n, other_events, other_n)
    if found is None:
        return {**base, "hidden": SMALL}
    return {
        **base,
        "events": events,
        "n": n,
        "other_events": other_events,
        "other_n": other_n,
        "difference": found.difference,
        "difference_interval": list(found.difference_interval),
        "ratio": found.ratio,
        "ratio_interval": None if found.ratio_interval is None else list(found.ratio_interval),
        "words": {"en": words(found, "en"), "nl": words(found, "nl")},
        "hidden": None,
    }


def _table(part: Json, exposure: str, counted: str) -> dict[tuple[bool, bool], int] | None:
    """One hospital's four counts; None when one of them is not shown."""
    if refused(part) is not None:
        return None
    made = {}
    for cell in part.get("cells") or ():
        if cell.get("n") is None:
            return None
        by = cell["by"]
        made[_yes(by[exposure]), _yes(by[counted])] = int(cell["n"])
    return made if len(made) == 4 else None


def _yes(value: object) -> bool:
    return str(value).lower() in ("true", "yes")
