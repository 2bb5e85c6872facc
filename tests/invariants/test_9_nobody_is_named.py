"""The hub stores nothing that identifies a patient (consent.md 3.6, 28; T16).

Everything in the hub's database, signed messages opened, is searched for what identifies people:
numbers that can be a BSN, dates of before this century's studies, e-mail and network addresses.
"""

import base64
import re
import sqlite3

import pytest

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
        *EMAIL.findall(text),
        *ADDRESS.findall(text),
    ]


def opened(blob: bytes) -> str:
    """The claims of a signed message; other bytes as they are."""
    parts = blob.split(b".")
    if len(parts) == 3 and parts[0].startswith(b"ey"):
        return base64.urlsafe_b64decode(parts[1] + b"=" * (-len(parts[1]) % 4)).decode()
    return blob.decode("latin-1")


def texts(database: sqlite3.Connection):
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


def test_nothing_in_the_hubs_database_identifies_anybody(watched):
    seen = 0
    found = set()
    with sqlite3.connect(watched.folder / "hub.sqlite") as database:
        for place, text in texts(database):
            seen += 1
            found |= {(place, what) for what in suspicious(text)}
    assert seen > 10_000
    assert found == set()


@pytest.mark.parametrize(
    "planted",
    [
        "patient 111222333 said",
        "born 12-03-1958",
        '{"born":"1958-03-12"}',
        "j.jansen@ziekenhuis.nl",
        "from 192.168.1.20 at noon",
    ],
)
def test_what_identifies_somebody_is_found(planted):
    assert suspicious(planted)


def test_what_is_of_the_hub_itself_is_not_taken_for_a_person():
    assert suspicious("2026-11-22T10:00:00Z 123456789 version 1.2.3 uuid 00123456-0000") == []
