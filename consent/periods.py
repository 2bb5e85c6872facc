"""How long a yes lasts (consent.md 3.7): reminding, asking again, the end of use. Pure.

A year is the mean year of the calendar, 365 days, 5 hours, 49 minutes and 12 seconds, so that the
hub, its database and every hospital reckon the same, to the millisecond.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

YEAR: Final = timedelta(days=365, hours=5, minutes=49, seconds=12)
RENEWAL_YEARS: Final = 5
REMIND_YEARS: Final = 2
USE_YEARS: Final = 30
MOST_YEARS: Final = 100
NAMES: Final = ("remind_years", "renewal_years", "use_years")


@dataclass(frozen=True)
class Periods:
    """What a network settled, or a hospital for itself, in whole years since the yes.

    remind_years: then the patient is shown what was chosen; no answer keeps the choice.
    renewal_years: then data recorded later do not count until the patient is asked again and says
    yes. use_years: then the yes itself ends.
    """

    remind_years: int = REMIND_YEARS
    renewal_years: int = RENEWAL_YEARS
    use_years: int = USE_YEARS

    @property
    def remind(self) -> timedelta:
        return self.remind_years * YEAR

    @property
    def renewal(self) -> timedelta:
        return self.renewal_years * YEAR

    @property
    def use(self) -> timedelta:
        return self.use_years * YEAR


def is_period(value: object) -> bool:
    """Whether this can be a number of years: whole, from 1 to 100."""
    return type(value) is int and 1 <= value <= MOST_YEARS


def settled(values: Mapping[str, Any]) -> Periods:
    """The periods in the settings of a network. What is not named, or is no number of years, is as
    the design says: a mistake in a setting never makes a yes last longer."""
    return Periods(**{name: values[name] for name in NAMES if is_period(values.get(name))})
