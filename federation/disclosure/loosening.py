"""The decision of a hospital to protect less than the default: by whom, why, until when.

Two persons of the hospital decide (first the data steward, then the privacy officer), for at most
twelve months (disclosure.md section 4.1, P4). No decision takes a value below its floor.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from federation.query.errors import did_you_mean, shown

MAX_NAME: Final = 100
MAX_REASON: Final = 500
_KEYS: Final = ("by", "reason", "decided", "until")
_DAY: Final = re.compile(r"2[0-9]{3}-[0-9]{2}-[0-9]{2}")


class PolicyError(ValueError):
    """A policy file that this program refuses to work with. `key` is "" for the whole file."""

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.key = key


@dataclass(frozen=True)
class Loosening:
    """One key that a hospital set looser than its default. `until` is the last day it holds."""

    key: str
    by: tuple[str, str]
    reason: str
    decided: date
    until: date

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as it stands in the policy file, without its key."""
        return {
            "by": list(self.by),
            "reason": self.reason,
            "decided": self.decided.isoformat(),
            "until": self.until.isoformat(),
        }

    def check(self, now: datetime) -> None:
        """Raise PolicyError unless the decision has been taken and has not ended; days are UTC."""
        today = now.astimezone(UTC).date()
        if today > self.until:
            raise PolicyError(
                f"The decision to loosen '{self.key}' ended on {self.until}. Decide again, or set "
                "the key back to its default.",
                self.key,
            )
        # a day's grace: it may be tomorrow already where the hospital is
        if self.decided > today + timedelta(days=1):
            raise PolicyError(
                f"The decision to loosen '{self.key}' is dated {self.decided}, which is still to "
                "come. Correct the date.",
                self.key,
            )


def read_loosenings(value: object, looser: Collection[str]) -> tuple[Loosening, ...]:
    """Read the key `loosened` of a policy file, in the order of its keys.

    `looser`: the keys whose value is looser than the default. Each needs an entry, and there may be
    no other. Raises PolicyError naming the key.
    """
    if not isinstance(value, Mapping):
        raise PolicyError(
            "The key 'loosened' must hold one key and its decision per line.", "loosened"
        )
    for key in value:
        if key not in looser:
            raise PolicyError(
                f"'loosened' names '{shown(key)}', which is not looser than its default. "
                f"{did_you_mean(shown(key), looser) if looser else 'Remove it.'}",
                shown(key),
            )
    for key in looser:
        if key not in value:
            raise PolicyError(
                f"The policy sets '{key}' looser than its default and names no decision for it. "
                f"Add it under 'loosened' with {', '.join(_KEYS)}; or choose the default.",
                key,
            )
    return tuple(_entry(key, value[key]) for key in looser)


def _entry(key: str, value: object) -> Loosening:
    where = f"loosened.{key}"
    if not isinstance(value, Mapping):
        raise PolicyError(f"'{where}' must hold the keys {', '.join(_KEYS)}.", where)
    for name in value:
        if name not in _KEYS:
            raise PolicyError(
                f"'{where}' has a key '{shown(name)}' that does not exist. "
                f"{did_you_mean(shown(name), _KEYS)}",
                where,
            )
    for name in _KEYS:
        if name not in value:
            raise PolicyError(f"'{where}' lacks the key '{name}'.", where)
    found = Loosening(
        key=key,
        by=_two_names(value["by"], where),
        reason=_text(value["reason"], MAX_REASON, f"{where}.reason"),
        decided=_day(value["decided"], f"{where}.decided"),
        until=_day(value["until"], f"{where}.until"),
    )
    if not found.decided <= found.until <= _a_year_after(found.decided):
        raise PolicyError(
            f"'{where}.until' must be a day after 'decided', at most twelve months later.", where
        )
    return found


def _two_names(value: object, where: str) -> tuple[str, str]:
    if not isinstance(value, list) or len(value) != 2:
        raise PolicyError(
            f"'{where}.by' must name two persons: the data steward and the privacy officer.", where
        )
    first, second = (_text(name, MAX_NAME, f"{where}.by") for name in value)
    if first.casefold() == second.casefold():
        raise PolicyError(f"'{where}.by' names one person twice. Two must decide.", where)
    return first, second


def _text(value: object, most: int, where: str) -> str:
    if isinstance(value, str):
        text = " ".join(value.split())
        if 2 <= len(text) <= most and text.isprintable():
            return text
    raise PolicyError(
        f"'{where}' must be a text of 2 to {most} characters.", where.rpartition(".")[0]
    )


def _day(value: object, where: str) -> date:
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise PolicyError(f"'{where}' must be a day such as 2027-03-31.", where.rpartition(".")[0])


def _a_year_after(day: date) -> date:
    try:
        return day.replace(year=day.year + 1)
    except ValueError:  # 29 February
        return day.replace(year=day.year + 1, day=28)
