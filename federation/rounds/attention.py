"""Which hospitals lie where chance alone seldom puts them, and which of those ask for attention.

Where hospitals differ beyond chance, so do their limits (domain.md 3.3): outside is then judged by
the widened ones. A waiting time asks for attention when its 80th percentile is past the norm, or
its share within the norm is below the 95% limits of a funnel (domain.md 3.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

from federation.indicators.definition import Indicator
from federation.methods.funnel import LEVEL95, LEVEL998, binomial_limits, outside
from federation.rounds.answers import Json
from federation.rounds.snapshot import Row

#: Outside these limits a row may ask for attention.
FUNNEL: Final = 95
_NOT_JUDGED: Final[Json] = {"expected": None, "outside": None}


def judged(
    indicator: Indicator, rows: Sequence[Row], target: Mapping[str, Any] | None
) -> list[Row]:
    """The rows with `outside` by the limits that hold, each share within a norm with its own, and
    `attention`: None where nothing was looked at."""
    norm = (target or {}).get("within")
    if indicator.measure == "time":
        rows = _within_norms(rows)
        return [replace(row, attention=_late(row, norm)) for row in rows]
    made = []
    for row in rows:
        at = _outside(row)
        worse = None if at is None else at >= FUNNEL and side(indicator, row) == "worse"
        made.append(replace(row, outside=at, attention=worse))
    return made


def side(indicator: Indicator, row: Row) -> Literal["worse", "better"]:
    """On which side of what was expected a row lies; where neither is better, both are worse."""
    over = above(row)
    if indicator.better == "neither" or over is None:
        return "worse"
    return "worse" if over is (indicator.better == "lower") else "better"


def above(row: Row) -> bool | None:
    """Whether a row lies above what was expected of it; None where that is not known."""
    if row.ratio is not None:
        return row.ratio > 1.0
    if row.value is None or row.expected is None:
        return None
    return row.value > row.expected


def _outside(row: Row) -> Literal[0, 95, 998] | None:
    """By the widened limits where there are any; they never put a hospital further out."""
    if row.outside is None or row.ratio is None or row.widened95 is None or row.widened998 is None:
        return row.outside
    wider: Any = outside(row.ratio, row.widened95, row.widened998)
    return wider if wider is not None and wider < row.outside else row.outside


def within_of(row: Row, norm: float | None) -> Json | None:
    """A row's share within a norm, where its count is shown."""
    return next((w for w in row.within if w["days"] == norm and w.get("n") is not None), None)


def _within_norms(rows: Sequence[Row]) -> list[Row]:
    """Each share within a norm with where it lies in the funnel around that of all shown."""
    lies: dict[tuple[str, float], dict[str, Any]] = {}
    for norm in {each["days"] for row in rows for each in row.within}:
        counts = [
            (row.site, int(found["n"]), row.n)
            for row in rows
            if row.n and (found := within_of(row, norm)) is not None
        ]
        if len(counts) < 2:
            continue
        share = sum(count for _, count, _ in counts) / sum(n for _, _, n in counts)
        for site, seen, n in counts:
            inner, outer = (binomial_limits(n, share, level) for level in (LEVEL95, LEVEL998))
            lies[site, norm] = {"expected": share * n, "outside": outside(seen / n, inner, outer)}
    return [
        replace(row, within=tuple(
            {**each, **lies.get((row.site, each["days"]), _NOT_JUDGED)} for each in row.within
        ))
        for row in rows
    ]  # fmt: skip


def _late(row: Row, norm: float | None) -> bool | None:
    """Whether too many of a hospital's patients wait longer than the norm."""
    if norm is None:
        return None
    slow, at = past(row, norm), below(row, norm)
    if slow is None and at is None:
        return None
    return bool(slow) or (at or 0) >= FUNNEL


def past(row: Row, norm: float) -> bool | None:
    """Whether one in five waits longer than the norm; None where it is not known."""
    return None if row.p80 is None or row.p80[0] is None else row.p80[0] > norm


def below(row: Row, norm: float | None) -> int | None:
    """Outside which limits fewer were seen within the norm than chance allows, 0 for none of them;
    more of them is no reason to look. None where it is not known."""
    found = within_of(row, norm)
    if found is None or found.get("outside") is None:
        return None
    return int(found["outside"]) if found["n"] < found["expected"] else 0
