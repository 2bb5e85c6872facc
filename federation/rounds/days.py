"""Median, 80th percentile and norms of all shown hospitals together, from what each shows.

Hospitals join bins as their own numbers allow, so the bins of two need not begin on the same days.
How many patients waited at most d days is then known between two numbers, from the bins and from
the median and percentile that a hospital shows beside them: the answer is an interval that holds
the true number, and no single day is pretended.
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
#: On or before a day are at least and at most so many patients of a hospital.
Known = tuple[float, int, int]


def days_of_all(rows: Sequence[Row]) -> dict[str, Any]:
    """`value`, `median`, `p80`, `low`, `high`, `within` of the hospitals together; from nothing
    nothing."""
    known = [found for found in map(known_of, rows) if found]
    median, p80 = close_enough(quantile(known, 0.5)), close_enough(quantile(known, 0.8))
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


def known_of(row: Row) -> list[Known]:
    """What the shown numbers of one hospital say of how many were seen by which day; the last one
    is of everybody. Nothing without bins."""
    bins = [each for each in row.bins if each.get("n") is not None]
    found: list[Known] = []
    seen = 0
    for each in sorted(bins, key=lambda each: float(each["low"])):
        found.append((float(each["low"]) - 1, seen, seen))
        seen += int(each["n"])
        found.append((_OPEN if each["high"] is None else float(each["high"]), seen, seen))
    if seen != row.n:  # not all of whom the quantiles are
        return found
    whole = list(found)
    for share, days in ((0.5, row.median), (0.8, row.p80)):
        low, high = days or (None, None)
        first, last = quantile([whole], share) or (0.0, None)
        if (high is not None and high < first) or (None not in (low, last) and low > last):  # type: ignore[operator]
            continue  # it contradicts the bins, so it says nothing beside them
        rank = _rank(share, seen)
        found += [(low - 1, 0, rank - 1)] if low is not None else []
        found += [(high, rank, seen)] if high is not None else []
    return sorted(found)


def quantile(known: Sequence[Sequence[Known]], share: float) -> tuple[float, float | None] | None:
    """The interval that holds the smallest day by which at least ``share`` were seen; ``known``:
    of each hospital what is known of whom it saw by which day."""
    n = sum(max(most for _, _, most in each) for each in known)
    if not n:
        return None
    rank = _rank(share, n)
    days = sorted({day for each in known for day, _, _ in each})
    # As if everybody came as early as can be, and as if as late.
    early = (day for day in [-1.0, *days] if sum(_most(each, day + 1) for each in known) >= rank)
    late = (day for day in days if sum(_least(each, day) for each in known) >= rank)
    first, last = next(early, days[-1]) + 1, next(late, _OPEN)
    return first, None if last == _OPEN else last


def _rank(share: float, n: int) -> int:
    """Of how many people the day is asked; a product may come out just above a whole number."""
    return max(math.ceil(share * n - 1e-9), 1)


def _most(known: Sequence[Known], day: float) -> int:
    everybody = max(most for _, _, most in known)
    return min([most for at, _, most in known if at >= day], default=everybody)


def _least(known: Sequence[Known], day: float) -> int:
    return max([least for at, least, _ in known if at <= day], default=0)


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
