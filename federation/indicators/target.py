"""A target: the level that an indicator should reach, since when, and who says so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from federation.indicators.fields import (
    MAX_SOURCE,
    MAX_TEXT,
    bad,
    given_values,
    read_day,
    read_number,
    read_text,
)
from federation.query.errors import at
from federation.query.variables import plain_number

_MUST: Final = ("since", "set_by", "confirmed", "source")
_KEYS: Final = ("at_least", "at_most", "within", *_MUST)


@dataclass(frozen=True)
class Target:
    """An agreed or published level. `since` is a day, YYYY-MM-DD.

    Of a share, a time or a survival it is between 0 and 1; of a time `within` is the norm in days,
    of a survival the day it is about. Of a volume it is a number a year, of a mean a value.
    `confirmed` False says that nobody has checked it against its source.
    """

    since: str
    set_by: str
    source: str
    confirmed: bool
    at_least: float | None = None
    at_most: float | None = None
    within: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the target as it stands in a definition."""
        levels = {"at_least": self.at_least, "at_most": self.at_most, "within": self.within}
        return {
            **{key: plain_number(value) for key, value in levels.items() if value is not None},
            "since": self.since,
            "set_by": self.set_by,
            "confirmed": self.confirmed,
            "source": self.source,
        }

    def met(self, value: float) -> bool:
        """Tell whether a value reaches the level; one that equals it does."""
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )

    @classmethod
    def from_dict(
        cls,
        obj: object,
        measure: str,
        norms: Iterable[int] = (),
        times: Iterable[int] = (),
        where: str = "",
    ) -> Target:
        """Read a target of an indicator of this measure, with these norms or times.

        Raises QueryError with the wrong field.
        """
        if measure in ("mix", "difference"):
            raise bad(f"An indicator of measure {measure} has no target. Remove it.", where)
        given = given_values(obj, _KEYS, _MUST, where)
        if not isinstance(given["confirmed"], bool):
            raise bad("Write true or false.", at(where, "confirmed"))
        levels = [key for key in ("at_least", "at_most") if key in given]
        if not levels:
            raise bad("A target needs at_least or at_most. Add one.", where)
        high = 1.0 if measure in ("share", "time", "survival") else 1e6
        low = -1e6 if measure == "mean" else 0.0
        found = {key: read_number(given[key], low, high, at(where, key)) for key in levels}
        if len(found) == 2 and found["at_least"] > found["at_most"]:
            raise bad("at_least must not be more than at_most.", at(where, "at_least"))
        days = {"time": tuple(norms), "survival": tuple(times)}.get(measure)
        return cls(
            since=read_day(given["since"], at(where, "since")),
            set_by=read_text(given["set_by"], MAX_TEXT, at(where, "set_by")),
            source=read_text(given["source"], MAX_SOURCE, at(where, "source")),
            confirmed=given["confirmed"],
            at_least=found.get("at_least"),
            at_most=found.get("at_most"),
            within=_within(given.get("within"), measure, days, at(where, "within")),
        )


def _within(value: Any, measure: str, days: tuple[int, ...] | None, where: str) -> int | None:
    if days is None:
        if value is not None:
            raise bad(f"'within' does not go with measure {measure}. Remove it.", where)
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value not in days:
        listed = ", ".join(str(each) for each in days)
        raise bad(f"Say within which of the indicator's days: {listed}.", where)
    return value
