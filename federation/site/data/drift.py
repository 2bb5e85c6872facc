"""What a new reading of the data has changed since the last one, and what never changes but should.

Only a few numbers per variable are kept, in site.sqlite, and never leave the hospital.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from federation.query.variables import Variable
from federation.site.store import milliseconds, moment, transaction

POINTS = 10.0
STANDARD_ERRORS = 4.0
FEWEST_ROWS = 20
KEPT = 10

FILLED, MEAN, NO_EVENTS, FIRST_DAYS = "filled", "mean", "no_events", "first_days"


@dataclass(frozen=True)
class Summary:
    """One variable in one reading: rows, percent with a value, and of a number or yes/no (1/0) its
    mean and standard deviation (None where there are no two values)."""

    rows: int
    filled: float
    mean: float | None
    sd: float | None
    known: int


@dataclass(frozen=True)
class Drift:
    """What strikes in a variable. kind: `filled` (percent before and now), `mean` (before and now),
    `no_events` (a yes/no that is never yes) or `first_days` (a date that is always the first of a
    month); before and now are 0 for the last two."""

    variable: str
    kind: str
    before: float
    now: float


@dataclass(frozen=True)
class Extraction:
    """An earlier reading."""

    at: datetime
    version: str
    summaries: Mapping[str, Summary]


def summarise(variable: Variable, values: NDArray[Any]) -> Summary:
    """A reading of one variable."""
    n = len(values)
    coded = variable.type in ("category", "boolean")
    known = values[values >= 0] if coded else values[~np.isnan(values)]
    filled = 100.0 * len(known) / n if n else 0.0
    if variable.type == "category" or len(known) < 2:
        return Summary(n, filled, None, None, len(known))
    numbers = known.astype(np.float64)
    return Summary(n, filled, float(numbers.mean()), float(numbers.std(ddof=1)), len(known))


def compare(before: Mapping[str, Summary], now: Mapping[str, Summary]) -> list[Drift]:
    """Variables that changed by more than POINTS percent filled, or whose mean moved by more than
    STANDARD_ERRORS of the difference. Small readings are left alone."""
    found = []
    for name, after in now.items():
        earlier = before.get(name)
        if earlier is None or min(earlier.rows, after.rows) < FEWEST_ROWS:
            continue
        if abs(after.filled - earlier.filled) > POINTS:
            found.append(Drift(name, FILLED, earlier.filled, after.filled))
        elif _moved(earlier, after):
            found.append(Drift(name, MEAN, earlier.mean or 0.0, after.mean or 0.0))
    return found


def _moved(one: Summary, other: Summary) -> bool:
    if one.mean is None or other.mean is None or min(one.known, other.known) < FEWEST_ROWS:
        return False
    error = sqrt((one.sd or 0.0) ** 2 / one.known + (other.sd or 0.0) ** 2 / other.known)
    return abs(other.mean - one.mean) > STANDARD_ERRORS * error


def never(variables: Mapping[str, Variable], now: Mapping[str, Summary]) -> list[Drift]:
    """Yes/no variables with many values that are never yes."""
    return [
        Drift(name, NO_EVENTS, 0.0, 0.0)
        for name, summary in now.items()
        if variables[name].type == "boolean"
        and summary.known >= FEWEST_ROWS
        and summary.mean == 0.0
    ]


def last_before(database: sqlite3.Connection, subject: str, version: str) -> Extraction | None:
    """The last reading of the same mapping and codebook that was of other data."""
    row = database.execute(
        "SELECT at, version, summary FROM extraction WHERE subject = ? AND version != ?"
        " ORDER BY number DESC LIMIT 1",
        (subject, version),
    ).fetchone()
    if row is None:
        return None
    summaries = {name: Summary(**each) for name, each in json.loads(row[2]).items()}
    return Extraction(moment(row[0]), row[1], summaries)


def keep(
    database: sqlite3.Connection,
    subject: str,
    version: str,
    summaries: Mapping[str, Summary],
    now: datetime,
) -> None:
    """Keep a reading, unless it is of the same data as the last; the last KEPT are kept."""
    last = database.execute(
        "SELECT version FROM extraction WHERE subject = ? ORDER BY number DESC LIMIT 1", (subject,)
    ).fetchone()
    if last is not None and last[0] == version:
        return
    text = json.dumps({name: vars(summary) for name, summary in summaries.items()})
    with transaction(database):
        database.execute(
            "INSERT INTO extraction (subject, version, summary, at) VALUES (?, ?, ?, ?)",
            (subject, version, text, milliseconds(now)),
        )
        database.execute(
            "DELETE FROM extraction WHERE subject = ? AND number NOT IN"
            " (SELECT number FROM extraction WHERE subject = ? ORDER BY number DESC LIMIT ?)",
            (subject, subject, KEPT),
        )
