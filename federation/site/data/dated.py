"""For `site check`: of how many records the days are known, on which data windows rest.

A patient may let data count only since, or until, some day (consent.md 3.4). A record whose days
nobody can tell then does not count; of patients without such a limit it does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from federation.query.codebook import Codebook
from federation.query.dated import dates_of
from federation.query.record_dates import DayOf
from federation.site.choices.record_days import days_of

if TYPE_CHECKING:
    from federation.site.data.columns import Table


@dataclass(frozen=True)
class DatedUnit:
    """The rows of one unit. named: the dates that the codebook takes, () when it takes none.

    begin, end: rows whose first and whose last day is known, what they belong to included.
    """

    unit: str
    named: tuple[str, ...]
    rows: int
    begin: int
    end: int

    def to_dict(self) -> dict[str, Any]:
        """As JSON; see docs/reference/data-report.md."""
        return {
            "unit": self.unit,
            "named": list(self.named),
            "rows": self.rows,
            "begin_known": self.begin,
            "end_known": self.end,
        }


def dated(codebook: Codebook, tables: Mapping[str, Table]) -> tuple[DatedUnit, ...]:
    """Per unit that is mapped, how many rows have days."""
    told = dates_of(codebook)
    found = []
    for unit, table in tables.items():
        days, ends = days_of(table), told.get(unit)
        named = [] if ends is None else [day for day in (ends.first, ends.last) if day is not None]
        found.append(
            DatedUnit(
                unit,
                tuple(dict.fromkeys(name for day in named for name in _names(day))),
                table.n,
                int(np.count_nonzero(np.isfinite(days.first))),
                int(np.count_nonzero(np.isfinite(days.last))),
            )
        )
    return tuple(found)


def dated_sentences(units: Sequence[DatedUnit]) -> Iterator[str]:
    """What that means for patients who let data of some time only count."""
    if not any(unit.named for unit in units):
        yield (
            "The codebook does not say of which day a record is (`dates`): patients who let only "
            "newer or only older data count are not counted here at all. Others are."
        )
        return
    for unit in units:
        if min(unit.begin, unit.end) == unit.rows:
            continue
        why = f"it takes {', '.join(unit.named)}" if unit.named else "the codebook takes no date"
        yield (
            f"Rows of {unit.unit} whose first day is known: {unit.begin} of {unit.rows}, whose "
            f"last day: {unit.end} ({why}). The others do not count for patients who let only "
            "newer or only older data count."
        )
    if all(min(unit.begin, unit.end) == unit.rows for unit in units):
        yield "The days of every record are known: data windows hold."


def _names(day: DayOf) -> tuple[str, ...]:
    return (day.name, day.plus) if day.plus else (day.name,)
