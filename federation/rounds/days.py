"""Median, 80th percentile and norms of all shown hospitals together, from their bins of days.

Hospitals join bins as their own numbers allow, so the bins of two need not begin on the same days.
Whether a patient waited at most d days is then certain only for bins that lie wholly up to d: the
answer is an interval that holds the true number, and no single day is pretended.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

from federation.methods.waiting_time_days import CAP
from federation.rounds.answers import Json, Pair, total
from federation.rounds.snapshot import Row

_P = TypeVar("_P", bound=Pair)
#: A last bin without an upper end is "181 days and more".
_OPEN = math.inf


def days_of_all(rows: Sequence[Row]) -> dict[str, Any]:
    """`value`, `median`, `p80`, `low`, `high`, `within` of the hospitals together; from nothing
    nothing."""
    bins = [
        (float(each["low"]), _OPEN if each["high"] is None else float(each["high"]), int(each["n"]))
        for row in rows
        for each in row.bins
        if each.get("n") is not None
    ]
    median, p80 = close_enough(quantile(bins, 0.5)), close_enough(quantile(bins, 0.8))
    within = _within(rows)
    if median is None:
        return {"within": within}
    middle = (median[0] + (median[0] if median[1] is None else median[1])) / 2
    return {
        "value": middle,
        "low": median[0],
        "high": median[1],
        "median": median,
        "p80": p80,
        "within": within,
    }


def close_enough(found: _P | None) -> _P | None:
    """An interval of days; None for one that holds every day that is counted, and says nothing."""
    if found is None or (not found[0] and (found[1] is None or found[1] >= CAP)):
        return None
    return found


def quantile(
    bins: Sequence[tuple[float, float, int]], share: float
) -> tuple[float, float | None] | None:
    """The interval that holds the smallest day by which at least ``share`` were seen."""
    n = sum(count for _, _, count in bins)
    if not n:
        return None
    need = share * n
    # As if everybody in a bin came on its first day, and as if on its last.
    first = _reached(sorted((low, count) for low, _, count in bins), need)
    last = _reached(sorted((high, count) for _, high, count in bins), need)
    return first, None if last == _OPEN else last


def _reached(steps: Sequence[tuple[float, int]], need: float) -> float:
    seen = 0
    for day, count in steps:
        seen += count
        if seen >= need:
            return day
    return steps[-1][0]


def _within(rows: Sequence[Row]) -> tuple[Json, ...]:
    """Per norm how many of how many; not shown when one hospital's is not."""
    norms = list(dict.fromkeys(each["days"] for row in rows for each in row.within))
    whole = total(row.n for row in rows)
    found = []
    for days in norms:
        count = total(
            next((each["n"] for each in row.within if each["days"] == days), None) for row in rows
        )
        share = None if count is None or not whole else count / whole
        found.append({"days": days, "n": count, "share": share})
    return tuple(found)
