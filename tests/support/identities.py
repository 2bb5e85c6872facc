"""Looking for what identifies people in everything a database holds, signed messages opened."""

import base64
import re
import sqlite3
from collections.abc import Iterator

DATE = re.compile(r"(?<!\d)(?:\d{4}-\d{2}-\d{2}|\d{2}[-/.]\d{2}[-/.]\d{4})(?!\d)")
EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[a-z]{2,}", re.IGNORECASE)
ADDRESS = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")
NINE = re.compile(r"(?<![\w.])\d{9}(?![\w.])")
OLDEST = 2015  # the network is of 2016; what is older can only be about a person


def is_bsn(digits: str) -> bool:
    """The eleven-test of Dutch citizen service numbers."""
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    total = sum(w * int(d) for w, d in zip(weights, digits, strict=True))
    return total % 11 == 0 and digits != "000000000"


def year_of(date: str) -> int:
    return int(re.findall(r"\d{4}", date)[0])


def suspicious(text: str) -> list[str]:
    """Everything in a text that may identify somebody."""
    return [
        *(number for number in NINE.findall(text) if is_bsn(number)),
        *(date for date in DATE.findall(text) if year_of(date) < OLDEST),
        *(EMAIL.findall(text) if "@" in text else ()),
        *ADDRESS.findall(text),
    ]


def opened(blob: bytes) -> str:
    """The claims of a signed message; other bytes as they are."""
    parts = blob.split(b".")
    if len(parts) == 3 and parts[0].startswith(b"ey"):
        return base64.urlsafe_b64decode(parts[1] + b"=" * (-len(parts[1]) % 4)).decode()
    return blob.decode("latin-1")


def texts(database: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Every text and every blob, with its table and column."""
    tables = [n for (n,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in tables:
        rows = database.execute(f'SELECT * FROM "{table}"')
        names = [column[0] for column in rows.description]
        for row in rows:
            for name, value in zip(names, row, strict=True):
                if isinstance(value, str):
                    yield f"{table}.{name}", value
                elif isinstance(value, bytes) and len(value) > 40:
                    yield f"{table}.{name}", opened(value)
