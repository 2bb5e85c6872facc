"""Of which days the data of a record are: what a codebook says of it, per unit.

    dates:
      tumour: {first: incidence_date, last: {from: incidence_date, plus: follow_up_days}}

`first`: nothing in the record is older. `last`: nothing in it is newer. Hospitals judge by it which
records of a patient count, when not all may (consent.md 3.4, the data window). A name is a date of
the codebook, or an item of that name in the hospital's mapping, which no question can see.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from federation.query.errors import at, check_keys, did_you_mean, shown
from federation.query.units import Units, above
from federation.query.variable_reading import bad_codebook
from federation.query.variables import NAME, Variable

DAYS = "days"


@dataclass(frozen=True)
class DayOf:
    """The day of `name`, and so many days later as the duration `plus` says; "" for none."""

    name: str
    plus: str = ""

    def to_dict(self) -> str | dict[str, str]:
        """Return it as it is written in a codebook."""
        return {"from": self.name, "plus": self.plus} if self.plus else self.name


@dataclass(frozen=True)
class RecordDates:
    """The days between which everything in a record of one unit lies; None where nobody can say."""

    first: DayOf | None = None
    last: DayOf | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as it is written in a codebook."""
        ends = (("first", self.first), ("last", self.last))
        return {name: day.to_dict() for name, day in ends if day is not None}


def read_dates(
    value: object, variables: Mapping[str, Variable], units: Units
) -> dict[str, RecordDates]:
    """Return what `dates` of a codebook says, per unit. Raises QueryError with the place."""
    if value is None:
        return {}
    if not isinstance(value, dict) or not value:
        raise bad_codebook("Give per unit the first and the last day of a record.", "dates")
    made = {}
    for unit, spec in value.items():
        where = at("dates", shown(unit))
        if unit not in units:
            hint = did_you_mean(shown(unit), units)
            raise bad_codebook(f"This is not one of the codebook's units. {hint}", where)
        ends = check_keys(spec, ("first", "last"), (), where)
        if not ends:
            raise bad_codebook("Give the first day of a record, the last one, or both.", where)
        seen = above(units, unit)
        made[unit] = RecordDates(
            *(
                _read_day(ends[end], variables, seen, at(where, end)) if end in ends else None
                for end in ("first", "last")
            )
        )
    return {unit: made[unit] for unit in units if unit in made}


def _read_day(
    value: object, variables: Mapping[str, Variable], seen: tuple[str, ...], where: str
) -> DayOf:
    if isinstance(value, str):
        day = DayOf(value)
    else:
        parts = check_keys(value, ("from", "plus"), ("from", "plus"), where)
        day = DayOf(shown(parts["from"]), shown(parts["plus"]))
        later = variables.get(day.plus)
        if later is None or later.type != "duration" or later.unit != DAYS or later.per not in seen:
            raise bad_codebook("This is a duration in days, of the same record.", at(where, "plus"))
    if not NAME.fullmatch(day.name):
        raise bad_codebook("A day is the name of a date.", where)
    known = variables.get(day.name)
    if known is not None and (known.type != "date" or known.per not in seen):
        raise bad_codebook("This variable is no date of the same record.", where)
    return day
