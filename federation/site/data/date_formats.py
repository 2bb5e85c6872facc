"""Dates as a hospital writes them: %d %m %Y, with a time of day that is read and dropped.

A format without %d, or a day written 00, means some day of that month; without %m, or a month
written 00, some day of that year.
"""

import re
from calendar import monthrange
from collections.abc import Callable, Sequence
from datetime import date

Span = tuple[date, date]
"""The first and the last day that a text can mean."""

ISO_DATE = "%Y-%m-%d"
_FORMAT = re.compile(r"(?:%[dmYHMS]|[^%\\]){1,40}")
_PARTS = {
    "%d": r"(?P<d>[0-9]{1,2})",
    "%m": r"(?P<m>[0-9]{1,2})",
    "%Y": r"(?P<Y>[0-9]{4})",
    "%H": r"[0-9]{2}",
    "%M": r"[0-9]{2}",
    "%S": r"[0-9]{2}(?:\.[0-9]{1,9})?",
}


def wrong_format(value: object) -> str:
    """What is wrong with a date format; "" when nothing is."""
    if not isinstance(value, str) or not _FORMAT.fullmatch(value) or "%Y" not in value:
        return "must be a date format of %d, %m and %Y, such as '%d-%m-%Y'"
    if any(value.count(part) > 1 for part in _PARTS):
        return "names a part of the date twice; name it once"
    if "%d" in value and "%m" not in value:
        return "has a day without a month; add %m or leave %d out"
    return ""


def span_reader(formats: Sequence[str], precision: str = "day") -> Callable[[str], Span | None]:
    """Text -> the days it can mean, by the first format that fits; None when none does.

    `precision` "month" or "year" says that the data know no more than that, whatever is written.
    """
    patterns = [_pattern(form) for form in formats]

    def read(text: str) -> Span | None:
        for pattern in patterns:
            found = pattern.fullmatch(text)
            if found is not None:
                return _span(found.groupdict(), precision)
        return None

    return read


def day_reader(form: str) -> Callable[[str], date | None]:
    """Text -> date; the first day of the month or year where no more is written."""
    read = span_reader([form])

    def day(text: str) -> date | None:
        found = read(text)
        return None if found is None else found[0]

    return day


def _pattern(form: str) -> re.Pattern[str]:
    pieces = re.split(r"(%[dmYHMS])", form)
    return re.compile("".join(_PARTS.get(piece, re.escape(piece)) for piece in pieces))


def _span(parts: dict[str, str | None], precision: str) -> Span | None:
    year = int(parts["Y"] or 0)
    month = 0 if precision == "year" else int(parts.get("m") or 0)
    day = 0 if precision != "day" or not month else int(parts.get("d") or 0)
    try:
        if not month:
            return date(year, 1, 1), date(year, 12, 31)
        if not day:
            return date(year, month, 1), date(year, month, monthrange(year, month)[1])
        return date(year, month, day), date(year, month, day)
    except ValueError:
        return None
