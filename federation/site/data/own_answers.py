"""`from: own_answers` in a mapping: the questionnaires that this program took for its hospital.

They lie in site.sqlite, not in the hospital's source. A mapping that says no more than that gets
every item under its own name; what it says itself goes first.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from federation.prom.instruments import INSTRUMENTS
from federation.site.data.source_options import SourceOptions
from federation.site.data.sources import BLOCK_ROWS, Block, places
from federation.site.errors import DataError
from federation.site.store_prom import OWN_COLUMNS

_LOCK_SECONDS: Final = 2.0
_THERE: Final = "SELECT 1 FROM sqlite_master WHERE type = 'view' AND name = 'own_answers'"
_VERSION: Final = (
    "SELECT date('now'), count(*), coalesce(sum(completed = 'true'), 0) FROM own_answers"
)
_ROWS: Final = "SELECT * FROM own_answers ORDER BY id"  # its columns are OWN_COLUMNS, in that order


def filled_in(table: dict[str, Any]) -> dict[str, Any]:
    """The table of a mapping with what it does not say of the patients' own answers."""
    items: dict[str, Any] = {
        "key": "id",
        "parent": "patient",
        "prom_instrument": "instrument",
        "prom_timepoint": "timepoint",
        "prom_version": "version",
        "prom_date": {"column": "date", "format": "%Y-%m-%d"},
        "prom_due": "due",
        "prom_completed": "completed",
    }
    items |= {item.code: item.code for each in INSTRUMENTS.values() for item in each.items}
    return {**items, **table}


class OwnAnswers:
    """The view own_answers of a site's database; no rows where the site was never started."""

    def __init__(self, options: SourceOptions) -> None:
        self._path = options.own_answers

    def version(self) -> str:
        """Changes from day to day, and when a questionnaire is asked no more."""
        return "/".join(str(part) for row in self._rows(_VERSION) for part in row)

    def header(self) -> list[str]:
        return list(OWN_COLUMNS)

    def blocks(self, columns: Sequence[str]) -> Iterator[Block]:
        wanted = places(self.header(), columns)
        found = list(self._rows(_ROWS))
        for start in range(0, len(found), BLOCK_ROWS):
            made = list(zip(*found[start : start + BLOCK_ROWS], strict=True))
            yield [made[place] for place in wanted]

    def _rows(self, statement: str) -> Iterator[Any]:
        if not self._path.is_file():
            return
        database = _opened(self._path)
        try:
            if database.execute(_THERE).fetchone() is not None:
                yield from database.execute(statement)
        except sqlite3.Error:
            raise DataError("SOURCE_UNREADABLE") from None
        finally:
            database.close()


def _opened(path: Path) -> sqlite3.Connection:
    try:
        address = f"file:{quote(str(path.resolve()))}?mode=ro"
        database = sqlite3.connect(address, uri=True, timeout=_LOCK_SECONDS)
        database.execute("PRAGMA query_only = ON")
        return database
    except sqlite3.Error:
        raise DataError("SOURCE_UNREADABLE") from None
