"""With and without something, such as prehabilitation: always the difference and the ratio.

"40% fewer" may be 30 instead of 50 of a hundred, or 3 instead of 5 (domain.md 3.6).
"""

from __future__ import annotations

from typing import Any

from federation.indicators.definition import Indicator
from federation.methods.two_groups import two_groups, words
from federation.rounds.answers import SMALL, Answer, Json, refused


def difference_of(indicator: Indicator, main: Answer, pooled: Answer | None = None) -> Json:
    """The two groups: of all hospitals together where that was answered and tells nothing of one,
    else over the hospitals of which all four counts are shown."""
    assert indicator.numerator is not None  # noqa: S101  a difference always has one
    counted = indicator.numerator.variables()[0]
    exposure = indicator.exposure or ""
    whole = None
    if pooled is not None and not _tells_one(pooled, main, exposure, counted):
        whole = _table(pooled.pooled, exposure, counted) if pooled.pooled else None
    if whole is not None and pooled is not None:
        tables, hospitals = [whole], len(pooled.sites)
    else:
        own = main.own.values()
        tables = [table for part in own if (table := _table(part, exposure, counted))]
        hospitals = len(tables)
    base: dict[str, Any] = {"exposure": exposure, "hospitals_in": hospitals}
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


def _tells_one(pooled: Answer, main: Answer, exposure: str, counted: str) -> bool:
    """Whether the counts of all less the shown ones of the others leave one hospital's hidden
    count."""
    tables = [_cells(main.own.get(site) or {}, exposure, counted) for site in pooled.sites]
    for key in ((a, b) for a in (True, False) for b in (True, False)):
        if sum(table.get(key) is None for table in tables) == 1:
            return True
    return False


def _table(part: Json, exposure: str, counted: str) -> dict[tuple[bool, bool], int] | None:
    """The four counts; None when one of them is not shown."""
    found = _cells(part, exposure, counted)
    made = {key: n for key, n in found.items() if n is not None}
    return made if len(made) == 4 else None


def _cells(part: Json, exposure: str, counted: str) -> dict[tuple[bool, bool], int | None]:
    """The counts of a part by exposure and outcome; nothing for a part without numbers."""
    if not part or refused(part) is not None:
        return {}
    return {
        (_yes(cell["by"][exposure]), _yes(cell["by"][counted])): cell.get("n")
        for cell in part.get("cells") or ()
    }


def _yes(value: object) -> bool:
    return str(value).lower() in ("true", "yes")
