"""Sentences that people type for others: cleaned, and refused when they could hold a patient.

The registry never holds who a patient is (ADR 0030). A name cannot be told from
a word, but a number of eight digits, such as a hospital's or a citizen service number, can, and so
can a date of birth.
"""

import re
import unicodedata
from datetime import date, datetime
from hashlib import sha256
from typing import Final

from studies.errors import StudiesError

_BREAKS: Final = "\n\t"
_SIGNS: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Categories of Unicode that steer a screen, a mail or a file, and say nothing to a reader."""
# Registers of trials and papers write eight digits and more behind letters of their own.
_LONG: Final = re.compile(r"(?<![0-9])(?<!NCT)(?<!ISRCTN)(?<!PMC)(?<!CTR)[0-9]{8,}")
_DAY: Final = re.compile(r"(?<![0-9])([0-9]{1,2})[-/. ]([0-9]{1,2})[-/. ]([0-9]{4})(?![0-9])")
_YEAR_FIRST: Final = re.compile(r"(?<![0-9])([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})(?![0-9])")
_YOUNGEST: Final = 12
"""A date longer ago than so many years may be somebody's birth; a meeting or a paper is later."""
EARLIEST: Final = date(1990, 1, 1)
LATEST: Final = date(2100, 12, 31)
"""No day that is written down here lies before or after: a typing error does."""


def one_line(text: str, most: int, now: datetime) -> str:
    """A title or name, on one line.

    Raises StudiesError `empty_text` for nothing or more than `most` signs, `control_sign`,
    `points_at_somebody`.
    """
    return _checked(" ".join(text.split()), most, now, "")


def lines(text: str, most: int, now: datetime) -> str:
    """A text of more lines. Raises as :func:`one_line`."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    return _checked(plain, most, now, _BREAKS)


def optional_line(text: str, most: int, now: datetime) -> str:
    """As :func:`one_line`; nothing typed is fine, and comes back as an empty text."""
    return one_line(text, most, now) if text.split() else ""


def check_day(day: date) -> None:
    """Raises StudiesError `too_long_ago` for a day that a typing error put in the past."""
    if day < EARLIEST:
        raise StudiesError("too_long_ago")


def sha256_of(*texts: str) -> str:
    """SHA-256 over texts as they were written, so that the audit log says which they were and holds
    none of them."""
    return sha256("\0".join(texts).encode()).hexdigest()


def points_at_somebody(text: str, now: datetime) -> bool:
    """Whether a text holds a long number or what may be a date of birth."""
    if _LONG.search(text):
        return True
    days = [(d, m, y) for d, m, y in _DAY.findall(text)]
    days += [(d, m, y) for y, m, d in _YEAR_FIRST.findall(text)]
    return any(
        1900 <= int(y) <= now.year - _YOUNGEST and 1 <= int(m) <= 12 and 1 <= int(d) <= 31
        for d, m, y in days
    )


def _checked(text: str, most: int, now: datetime, breaks: str) -> str:
    if not text or len(text) > most:
        raise StudiesError("empty_text")
    if any(sign not in breaks and unicodedata.category(sign) in _SIGNS for sign in text):
        raise StudiesError("control_sign")
    if points_at_somebody(text, now):
        raise StudiesError("points_at_somebody")
    return text
