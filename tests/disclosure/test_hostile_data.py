"""Data files from somebody who wishes the hospital ill; limits as in test_hostile_files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from spoilt import DATA, Site, good, site

__all__ = ["good", "site"]


def _line_without_end(path: Path) -> None:
    """A gigabyte that takes no room on the disk and holds no line feed."""
    with path.open("wb") as file:
        file.write(b"nr,leeftijd,graad,datum\n")
        file.truncate(1 << 30)


CSV: dict[str, bytes | Callable[[Path], None]] = {
    "a field of ten megabytes": DATA + b"P99," + b"x" * 10_000_000 + b",1,01-02-2020\n",
    "a quote that never closes": DATA + b'P99,"40\n' + DATA * 2_000,
    "a line of a gigabyte": _line_without_end,
    "NUL": DATA + b"P9\x009,40,1,01-02-2020\n" * 3 + b"\x00" * 5_000_000,
    "a header of a hundred thousand columns": b",".join(b"c%d" % n for n in range(100_000)) + b"\n",
    "a column twice": b"nr,leeftijd,graad,graad,datum\n1,2,3,4,5\n",
    "UTF-16": DATA.decode().encode("utf-16"),
    "nothing": b"",
    "only a header": b"nr;leeftijd;graad;datum\n",
    "lines that are longer and longer": DATA + b"".join(b"," * n + b"\n" for n in range(2_000)),
    "a folder": lambda path: path.mkdir(),
    "a pipe that nobody writes to": os.mkfifo,
    "a link to a device that never ends": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("name", CSV)
def test_spoilt_data_end_in_a_sentence(site: Site, name: str) -> None:
    file, made = site.path / "data.csv", CSV[name]
    file.unlink()
    if isinstance(made, bytes):
        file.write_bytes(made)
    else:
        made(file)
    site.refused()


def _parquet(path: Path, statement: str) -> None:
    import duckdb

    with duckdb.connect() as memory:
        memory.execute(f"COPY ({statement}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")


PARQUET = ('kind = "csv"\npath = "data.csv"', 'kind = "parquet"\npath = "data.parquet"')
# 100 MB of the same letter take a few kB in the file.
BOMB = (
    "SELECT 'P' || i AS nr, {} AS leeftijd, 1 AS graad, '01-02-2020' AS datum FROM range({}) t(i)"
)


@pytest.mark.parametrize(
    "statement",
    [
        BOMB.format("repeat('9', 100000000)", 1),
        BOMB.format("repeat('9', 1000000)", 200),
        BOMB.format("repeat('9', 100000)", 10_000),
    ],
)
def test_a_compressed_bomb_in_parquet_stays_small(site: Site, statement: str) -> None:
    """The reader cuts what is longer than any value; it has no meaning then, and is shown so."""
    _parquet(site.path / "data.parquet", statement)
    assert (site.path / "data.parquet").stat().st_size < 1_000_000
    site.replace("site.toml", *PARQUET)
    ended = site.check("--json")
    assert ended.code == 0, ended
    assert len(ended.out) < 100_000
    report = json.loads(ended.out)[0]
    age = next(found for found in report["variables"] if found["name"] == "age")
    assert (age["filled"], age["unmapped"]) == (0, report["rows"])


@pytest.mark.parametrize(
    "data", [b"", b"PAR1", b"PAR1" + b"\xff" * 5_000_000 + b"PAR1", b"PAR1\x00" * 1000]
)
def test_broken_parquet_ends_in_a_sentence(site: Site, data: bytes) -> None:
    site.write("data.parquet", data)
    site.replace("site.toml", *PARQUET)
    site.refused()


VIEWS = {
    "text of a gigabyte": "SELECT 'P1' nr, hex(zeroblob(450000000)) leeftijd, 1 graad, 'x' datum",
    "a function that reads files": "SELECT readfile('/etc/group') nr, 1 leeftijd, 1 graad, 1 datum",
    "a function that loads code": "SELECT load_extension('x') nr, 1 leeftijd, 1 graad, 1 datum",
    "a table function": "SELECT name nr, 1 leeftijd, 1 graad, 1 datum FROM pragma_database_list",
    "a column too few": "SELECT 1 nr, 2 leeftijd, 3 graad",
}


def _view(site: Site, select: str) -> None:
    import sqlite3

    database = sqlite3.connect(site.path / "data.sqlite")
    database.execute(f"CREATE VIEW t AS {select}")
    database.close()
    new = 'kind = "sqlite"\npath = "data.sqlite"\ntables = ["t"]'
    site.replace("site.toml", 'kind = "csv"\npath = "data.csv"', new)


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_that_grows_ends_in_a_sentence(site: Site, name: str) -> None:
    _view(site, VIEWS[name])
    site.refused()


def test_a_view_of_long_texts_stays_small(site: Site) -> None:
    rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)"
    _view(site, f"{rows} SELECT i nr, hex(zeroblob(450000)) leeftijd, 1 graad, 'x' datum FROM n")
    ended = site.check("--json")
    assert ended.code == 0, ended
    assert json.loads(ended.out)[0]["rows"] == 400
