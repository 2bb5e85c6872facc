"""Reads a CSV file as spreadsheets write it, whatever they did to it; no database, no judgement.

Excel on a Dutch computer writes semicolons and Windows-1252; others write commas or tabs, UTF-8
with or without a mark, or UTF-16. What cannot be read is refused with the line where it stands.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Final

MOST_ROWS: Final = 100_000
LONGEST: Final = 500
#: Column -> what it may be called in the first line.
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "study": ("study", "studie"),
    "hospital": ("hospital", "ziekenhuis", "institution", "instelling"),
    "state": ("state", "stand", "status", "step", "stap"),
    "date": ("date", "datum", "since", "sinds"),
    "contact": ("contact", "contactpersoon"),
}
NEEDED: Final = ("study", "hospital", "state", "date")


class FileError(Exception):
    """The file as a whole cannot be read; `code` says why, `value` and `line` where."""

    def __init__(self, code: str, value: str = "", line: int = 0) -> None:
        self.code, self.value, self.line = code, value, line
        super().__init__(f"{code} {value} {line}")


@dataclass(frozen=True)
class Row:
    """One line of the file, trimmed. `short`: it has fewer columns than the first line."""

    line: int
    study: str
    hospital: str
    state: str
    date: str
    contact: str = ""
    short: bool = False


@dataclass(frozen=True)
class File:
    """The rows of a file, how it was written, and the columns that nobody asked for."""

    rows: tuple[Row, ...]
    encoding: str
    ignored: tuple[str, ...]


def read_file(body: bytes) -> File:
    """The rows of a file. Raises FileError: `empty`, `a_workbook`, `not_text`, `broken_encoding`,
    `no_columns`, `column_twice`, `too_many_rows`, `broken_quotes`, `too_long`."""
    text, encoding = decode(body)
    lines = lines_of(text)
    try:
        _line, head = next(lines)
    except StopIteration:
        raise FileError("empty") from None
    places, ignored = _columns(head)
    rows = []
    for number, (line, cells) in enumerate(lines, start=1):
        if number > MOST_ROWS:
            raise FileError("too_many_rows", str(MOST_ROWS))
        cut = {name: cells[at] if at < len(cells) else "" for name, at in places.items()}
        for value in cut.values():
            if len(value) > LONGEST:
                raise FileError("too_long", str(LONGEST), line)
        rows.append(Row(line=line, short=max(places[n] for n in NEEDED) >= len(cells), **cut))
    return File(tuple(rows), encoding, ignored)


def decode(body: bytes) -> tuple[str, str]:
    """The text of a file and the name of how it was written."""
    if not body.strip():
        raise FileError("empty")
    if body[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
        raise FileError("a_workbook")
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return body.decode("utf-16"), "UTF-16"
        except UnicodeDecodeError:
            raise FileError("broken_encoding", "UTF-16") from None
    if b"\x00" in body:
        raise FileError("not_text")
    try:
        return body.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
    try:
        return body.decode("cp1252"), "Windows-1252"
    except UnicodeDecodeError:
        raise FileError("broken_encoding", "UTF-8", line) from None


def lines_of(text: str) -> Iterator[tuple[int, list[str]]]:
    """Lines that hold something, with their number in the file and their cells trimmed."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(";,\t", key=first.count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for cells in reader:
            trimmed = [_plain(cell) for cell in cells]
            if any(trimmed):
                yield reader.line_num, trimmed
    except csv.Error:
        raise FileError("broken_quotes", line=reader.line_num) from None


def _plain(cell: str) -> str:
    """A cell without spaces around it, and without the apostrophe that our own export puts before
    what a spreadsheet would take for a formula."""
    cell = " ".join(cell.split())
    return cell[1:] if cell[:1] == "'" and cell[1:2] in ("=", "+", "-", "@") else cell


def _columns(head: Sequence[str]) -> tuple[dict[str, int], tuple[str, ...]]:
    called = {word: name for name, words in COLUMNS.items() for word in words}
    places: dict[str, int] = {}
    ignored = []
    for at, word in enumerate(head):
        name = called.get(word.casefold())
        if name is None:
            ignored.append(word[:60])
        elif name in places:
            raise FileError("column_twice", word[:60])
        else:
            places[name] = at
    missing = [name for name in NEEDED if name not in places]
    if missing:
        raise FileError("no_columns", ", ".join(missing))
    return places, tuple(word for word in ignored if word)
