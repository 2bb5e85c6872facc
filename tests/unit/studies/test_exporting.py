"""Tables as files: a workbook that other programs read, and no cell that calculates anything."""

from __future__ import annotations

import csv
from datetime import date
from io import BytesIO, StringIO
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest

from studies.exchange.exporting import Sheet, to_csv, to_xlsx

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
RISKY = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x")')
SHEET = Sheet(
    "Studies [nu]: a/b",
    ("Naam", "Dag", "Aantal", "Tempo"),
    (
        ("Máxima & <MC>", date(2026, 3, 2), 5, 1.5),
        *((text, None, 0, None) for text in RISKY),
        ("bel\x07 en \x1f klaar", None, -3, -0.25),
    ),
)


def rows_of(book: bytes, number: int = 1) -> list[list[tuple[str | None, str | None]]]:
    """Per row the type and the value of each cell."""
    with ZipFile(BytesIO(book)) as archive:
        assert archive.testzip() is None
        root = ElementTree.fromstring(archive.read(f"xl/worksheets/sheet{number}.xml"))  # noqa: S314
    assert root.findall(f".//{MAIN}f") == [], "a formula"
    return [
        [(cell.get("t"), "".join(cell.itertext())) for cell in row]
        for row in root.iter(f"{MAIN}row")
    ]


def test_a_workbook_holds_the_table_and_no_formula() -> None:
    rows = rows_of(to_xlsx([SHEET]))
    assert [value for _kind, value in rows[0]] == ["Naam", "Dag", "Aantal", "Tempo"]
    assert rows[1] == [
        ("inlineStr", "Máxima & <MC>"),
        (None, "46083"),  # days since 30 December 1899
        (None, "5"),
        (None, "1.5"),
    ]
    # Line ends are one in XML; text that looks like a formula stays text.
    assert [row[0] for row in rows[2:-1]] == [
        ("inlineStr", text.replace("\r", "\n")) for text in RISKY
    ]
    assert rows[-1] == [("inlineStr", "bel en  klaar"), (None, "-3"), (None, "-0.25")]


def test_sheets_have_names_that_a_workbook_takes_and_bytes_do_not_change() -> None:
    twice = [SHEET, SHEET, Sheet("x" * 40, ("a",), ()), Sheet("", ("a",), ())]
    book = to_xlsx(twice)
    assert book == to_xlsx(twice)
    with ZipFile(BytesIO(book)) as archive:
        root = ElementTree.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314
    names = [sheet.get("name") or "" for sheet in root.iter(f"{MAIN}sheet")]
    assert names == ["Studies  nu   a b", "Studies  nu   a b 2", "x" * 31, "Sheet"]
    assert rows_of(book, 3) == [[("inlineStr", "a")]]


def test_the_columns_of_a_wide_table_are_named_on() -> None:
    wide = Sheet("w", tuple(f"h{n}" for n in range(60)), (tuple(range(60)),))
    with ZipFile(BytesIO(to_xlsx([wide]))) as archive:
        text = archive.read("xl/worksheets/sheet1.xml").decode()
    assert [place in text for place in ('r="Z1"', 'r="AA1"', 'r="BH2"')] == [True] * 3


@pytest.mark.parametrize("text", RISKY)
def test_csv_has_an_apostrophe_before_what_a_spreadsheet_would_calculate(text: str) -> None:
    body = to_csv(Sheet("s", ("a", "b"), ((text, date(2026, 3, 2)), ("gewoon; of", -1))))
    assert body.startswith(b"\xef\xbb\xbf")
    lines = list(csv.reader(StringIO(body.decode("utf-8-sig"), newline=""), delimiter=";"))
    assert lines == [["a", "b"], [f"'{text}", "2026-03-02"], ["gewoon; of", "-1"]]
