"""Reads reference figures from a CSV file: every line is right, or the file is refused whole.

Columns, in any order, in English or Dutch: indicator, region, first, last (months as 2024-01, or a
year in both), and n, observed, value, low, high. A share may be given by n and observed, by value,
or by both when they agree.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from federation.indicators.definition import Indicator
from federation.methods.funnel import share_interval
from federation.query.errors import did_you_mean, shown
from federation.rounds.errors import RoundError
from studies.exchange.reading_csv import FileError, decode, lines_of

MOST_ROWS: Final = 5_000
MAX_BYTES: Final = 2_000_000
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "indicator": ("indicator",),
    "region": ("region", "regio"),
    "first": ("first", "van", "from"),
    "last": ("last", "tot en met", "to"),
    "n": ("n", "aantal", "noemer"),
    "observed": ("observed", "teller", "waargenomen"),
    "value": ("value", "waarde"),
    "low": ("low", "laag"),
    "high": ("high", "hoog"),
}
NEEDED: Final = ("indicator", "region", "first", "last")
_YEAR: Final = re.compile(r"(19|20|21)[0-9]{2}")
_MONTH: Final = re.compile(r"(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])")
_WHOLE: Final = re.compile(r"[0-9]{1,9}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,9}([.,][0-9]{1,9})?")
#: What `value` may be, by measure: shares and survival from 0 to 1, the others from 0.
_SHARES: Final = frozenset({"share", "survival"})
#: A share from n and observed and a given one may differ by rounding.
_ROUNDING: Final = 0.0051


@dataclass(frozen=True)
class Figure:
    """One line, checked; see federation/rounds/benchmark_models.py."""

    line: int
    indicator: str
    region: str
    first: str
    last: str
    n: int | None
    observed: int | None
    value: float
    low: float | None
    high: float | None


def read(body: bytes, known: Mapping[str, Indicator]) -> tuple[Figure, ...]:
    """The figures of a file. Raises RoundError BAD_BENCHMARK, which names line and column."""
    if len(body) > MAX_BYTES:
        raise _bad(f"the file is larger than {MAX_BYTES // 1_000_000} MB")
    try:
        text, _ = decode(body)
        lines = list(lines_of(text))
    except FileError as error:
        raise _bad(f"the file cannot be read: {error.code.replace('_', ' ')}", error.line) from None
    if not lines:
        raise _bad("the file is empty")
    if len(lines) > MOST_ROWS + 1:
        raise _bad(f"the file has more than {MOST_ROWS} lines")
    places = _places(lines[0][1])
    found = [_figure(line, _cells(cells, places), known) for line, cells in lines[1:]]
    if not found:
        raise _bad("there is no line below the names of the columns")
    _check_once(found)
    return tuple(found)


def _places(head: Collection[str]) -> dict[str, int]:
    called = {word: name for name, words in COLUMNS.items() for word in words}
    places: dict[str, int] = {}
    for at, word in enumerate(head):
        name = called.get(word.casefold())
        if name is None:
            raise _bad(
                f"there is a column '{shown(word)}' that is not known. "
                f"{did_you_mean(shown(word), called)}",
                1,
            )
        if name in places:
            raise _bad(f"the column '{name}' stands there twice", 1)
        places[name] = at
    for name in NEEDED:
        if name not in places:
            raise _bad(f"the column '{name}' is missing", 1)
    return places


def _cells(cells: list[str], places: Mapping[str, int]) -> dict[str, str]:
    return {name: cells[at] if at < len(cells) else "" for name, at in places.items()}


def _figure(line: int, cells: Mapping[str, str], known: Mapping[str, Indicator]) -> Figure:
    indicator = known.get(cells["indicator"])
    if indicator is None:
        word = shown(cells["indicator"])
        raise _bad(f"there is no indicator '{word}'. {did_you_mean(word, known)}", line)
    region = cells["region"]
    if not region or len(region) > 120 or not region.isprintable():
        raise _bad("'region' must be a text of at most 120 letters", line)
    first, last = _month(cells["first"], "01", line), _month(cells["last"], "12", line)
    if first > last:
        raise _bad("'first' is later than 'last'", line)
    n, observed = _whole(cells, "n", line), _whole(cells, "observed", line)
    value, low, high = (_number(cells, name, line) for name in ("value", "low", "high"))
    if observed is not None and (n is None or observed > n):
        raise _bad("'observed' needs an 'n' that is at least as large", line)
    if observed is not None and n and indicator.measure in _SHARES:
        share = observed / n
        if value is not None and abs(value - share) > _ROUNDING:
            raise _bad("'value' is not 'observed' divided by 'n'", line)
        value = share
        if low is None and high is None:
            low, high = share_interval(observed, n) or (None, None)
    if value is None and indicator.measure == "volume" and n is not None:
        value = float(n)
    if value is None:
        raise _bad("there is no 'value', and it does not follow from 'n' and 'observed'", line)
    _check_value(indicator, (value, low, high), line)
    return Figure(line, indicator.id, region, first, last, n, observed, value, low, high)


def _check_value(
    indicator: Indicator, values: tuple[float, float | None, float | None], line: int
) -> None:
    value, low, high = values
    given = [each for each in values if each is not None]
    if indicator.measure in _SHARES and not all(0 <= each <= 1 for each in given):
        raise _bad("a share is written from 0 to 1, so 0.85 and not 85", line)
    if indicator.measure in ("time", "volume") and min(given) < 0:
        raise _bad("a number of days or patients is not below 0", line)
    if (low is not None and low > value) or (high is not None and high < value):
        raise _bad("'value' does not lie between 'low' and 'high'", line)


def _check_once(found: Collection[Figure]) -> None:
    seen: dict[tuple[str, str, str, str], int] = {}
    for each in found:
        key = (each.indicator, each.region, each.first, each.last)
        if key in seen:
            raise _bad(f"this figure stands on line {seen[key]} as well", each.line)
        seen[key] = each.line


def _month(cell: str, month: str, line: int) -> str:
    if _YEAR.fullmatch(cell):
        return f"{cell}-{month}"
    if not _MONTH.fullmatch(cell):
        raise _bad("write a month as 2024-01, or a year as 2024", line)
    return cell


def _whole(cells: Mapping[str, str], name: str, line: int) -> int | None:
    cell = cells.get(name, "")
    if not cell:
        return None
    if not _WHOLE.fullmatch(cell):
        raise _bad(f"'{name}' is a whole number without signs or dots", line)
    return int(cell)


def _number(cells: Mapping[str, str], name: str, line: int) -> float | None:
    cell = cells.get(name, "")
    if not cell:
        return None
    if not _NUMBER.fullmatch(cell):
        raise _bad(f"'{name}' is a number such as 0.85 or 0,85", line)
    value = float(cell.replace(",", "."))
    return value if math.isfinite(value) else None


def _bad(why: str, line: int = 0) -> RoundError:
    return RoundError("BAD_BENCHMARK", f"line {line}: {why}" if line else why)
