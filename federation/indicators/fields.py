"""Reads the plain fields that definitions, targets and forms have in common."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, Final

from federation.query.errors import BAD_VALUE, QueryError, at, check_keys, did_you_mean, shown
from federation.query.variables import Label, number_text

MAX_TEXT: Final = 200
MAX_LAY: Final = 1000
MAX_SOURCE: Final = 500


def bad(message: str, where: str) -> QueryError:
    """The error of a field that cannot be used."""
    return QueryError(BAD_VALUE, message, where)


def given_values(obj: object, keys: Iterable[str], must: Iterable[str], where: str = "") -> Any:
    """The keys that have a value; null is the same as leaving out. QueryError when one is missing
    that must be there, or one is there that nobody knows."""
    must = tuple(must)
    given = check_keys(obj, keys, must, where)
    for key in must:
        if given[key] is None:
            raise bad(f"The key '{key}' has no value. Give it one.", at(where, key))
    return {key: value for key, value in given.items() if value is not None}


def read_choice(value: object, known: Iterable[str], where: str) -> str:
    """One of a few fixed words."""
    names = tuple(known)
    if not isinstance(value, str) or value not in names:
        raise bad(
            f"'{shown(value)}' is not possible for {where}. {did_you_mean(shown(value), names)}",
            where,
        )
    return value


def read_text(value: object, longest: int, where: str) -> str:
    """A text on one line that says something."""
    if (
        not isinstance(value, str)
        or not value.strip()
        or len(value) > longest
        or not value.isprintable()
    ):
        raise bad(f"A text of 1 to {longest} characters on one line is needed.", where)
    return value


def read_label(value: object, longest: int, where: str) -> Label:
    """A text in English and in Dutch."""
    texts = check_keys(value, ("en", "nl"), ("en", "nl"), where)
    english = read_text(texts["en"], longest, at(where, "en"))
    return Label(english, read_text(texts["nl"], longest, at(where, "nl")))


def read_list(value: object, longest: int, where: str) -> list[Any]:
    """A list that is not too long."""
    if not isinstance(value, list) or len(value) > longest:
        raise bad(f"A list of at most {longest} is needed.", where)
    return value


def read_days(value: object, longest: int, where: str) -> tuple[int, ...]:
    """Numbers of days in ascending order, at least one."""
    items = read_list(value, longest, where)
    for i, each in enumerate(items):
        if isinstance(each, bool) or not isinstance(each, int) or not 1 <= each <= 20_000:
            raise bad("A whole number of days is needed, at least 1.", at(where, i))
    if not items or sorted(set(items)) != items:
        raise bad("Give the days in ascending order, each once, at least one.", where)
    return tuple(items)


def read_day(value: object, where: str) -> str:
    """A day of the calendar as YYYY-MM-DD."""
    if isinstance(value, str):
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            pass
    raise bad("Write the day as text like 2026-01-31.", where)


def read_number(value: object, low: float, high: float, where: str) -> float:
    """A number with its bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise bad(f"A number from {number_text(low)} to {number_text(high)} is needed.", where)
    return float(value)
