"""Tables as files: CSV and XLSX, written here so that no cell is ever a formula.

XLSX is a zip of a few XML parts (ECMA-376); text goes in as inline strings, which no program
calculates. In CSV, where a spreadsheet guesses, text that would start a formula gets an apostrophe
in front (OWASP, "CSV injection").
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from io import BytesIO, StringIO
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

Value = str | int | float | date | None
_RISKY: Final = ("=", "+", "-", "@", "\t", "\r")
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_NAME: Final = re.compile(r"[\[\]:*?/\\']")
_MOST_LETTERS: Final = 32_767
_DAY_ZERO: Final = date(1899, 12, 30)
CSV_TYPE: Final = "text/csv; charset=utf-8"
XLSX_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True)
class Sheet:
    """A table with a name: heads, and rows as long as they."""

    name: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


def to_csv(sheet: Sheet) -> bytes:
    """The table as CSV with semicolons and a byte order mark, which Excel here opens as it is."""
    out = StringIO(newline="")
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow([_safe(head) for head in sheet.heads])
    writer.writerows([_safe(value) for value in row] for row in sheet.rows)
    return out.getvalue().encode("utf-8-sig")


def _safe(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_RISKY) else value
    return value.isoformat() if isinstance(value, date) else str(value)


def to_xlsx(sheets: Sequence[Sheet]) -> bytes:
    """The tables as one workbook, a sheet each; the first row stays in sight and is bold.

    The same tables always give the same bytes: nothing of the clock or the machine is in it.
    """
    names = _names([sheet.name for sheet in sheets])
    parts = {
        "[Content_Types].xml": _types(len(sheets)),
        "_rels/.rels": _RELS,
        "xl/workbook.xml": _workbook(names),
        "xl/_rels/workbook.xml.rels": _workbook_rels(len(sheets)),
        "xl/styles.xml": _STYLES,
    }
    for number, sheet in enumerate(sheets, start=1):
        parts[f"xl/worksheets/sheet{number}.xml"] = _worksheet(sheet)
    out = BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content.encode(), ZIP_DEFLATED)
    return out.getvalue()


_XML: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_DOC: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACK: Final = "http://schemas.openxmlformats.org/package/2006"
_SPREADSHEET: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_RELS: Final = (
    f'{_XML}<Relationships xmlns="{_PACK}/relationships"><Relationship Id="rId1" '
    f'Type="{_DOC}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
)
# Style 1 is bold, style 2 a date.
_STYLES: Final = (
    f'{_XML}<styleSheet xmlns="{_MAIN}"><fonts count="2"><font><sz val="11"/><name val="Calibri"/>'
    '</font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts><fills count="2"><fill>'
    '<patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    '</fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border>'
    '</borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/>'
    '</cellStyleXfs><cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" '
    'xfId="0"/><xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/><xf '
    'numFmtId="14" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>"
)


def _types(sheets: int) -> str:
    overrides = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" '
        f'ContentType="{_SPREADSHEET}.worksheet+xml"/>'
        for n in range(1, sheets + 1)
    )
    return (
        f'{_XML}<Types xmlns="{_PACK}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/><Override '
        f'PartName="/xl/workbook.xml" ContentType="{_SPREADSHEET}.sheet.main+xml"/><Override '
        f'PartName="/xl/styles.xml" ContentType="{_SPREADSHEET}.styles+xml"/>{overrides}</Types>'
    )


def _workbook(names: Sequence[str]) -> str:
    sheets = "".join(
        f'<sheet name="{escape(name)}" sheetId="{n}" r:id="rId{n}"/>'
        for n, name in enumerate(names, start=1)
    )
    return f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_DOC}"><sheets>{sheets}</sheets></workbook>'


def _workbook_rels(sheets: int) -> str:
    found = "".join(
        f'<Relationship Id="rId{n}" Type="{_DOC}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in range(1, sheets + 1)
    )
    return (
        f'{_XML}<Relationships xmlns="{_PACK}/relationships">{found}<Relationship '
        f'Id="rId{sheets + 1}" Type="{_DOC}/styles" Target="styles.xml"/></Relationships>'
    )


def _worksheet(sheet: Sheet) -> str:
    widths = [len(head) for head in sheet.heads]
    for row in sheet.rows:
        widths = [max(w, min(len(str(v)), 60)) for w, v in zip(widths, row, strict=True)]
    columns = "".join(
        f'<col min="{n}" max="{n}" width="{width + 2}" customWidth="1"/>'
        for n, width in enumerate(widths, start=1)
    )
    head = _row(1, sheet.heads, style=1)
    body = "".join(_row(n, row) for n, row in enumerate(sheet.rows, start=2))
    return (
        f'{_XML}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0"><pane '
        'ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView>'
        f"</sheetViews><cols>{columns}</cols><sheetData>{head}{body}</sheetData></worksheet>"
    )


def _row(number: int, values: Iterable[Value], style: int = 0) -> str:
    cells = "".join(
        _cell(f"{_letters(column)}{number}", value, style) for column, value in enumerate(values)
    )
    return f'<row r="{number}">{cells}</row>'


def _cell(place: str, value: Value, style: int) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, date):
        return f'<c r="{place}" s="2"><v>{(value - _DAY_ZERO).days}</v></c>'
    if isinstance(value, int | float):
        return f'<c r="{place}"><v>{value}</v></c>'
    words = escape(_FORBIDDEN.sub("", value)[:_MOST_LETTERS], quote=False)
    marked = f' s="{style}"' if style else ""
    return f'<c r="{place}" t="inlineStr"{marked}><is><t xml:space="preserve">{words}</t></is></c>'


def _letters(column: int) -> str:
    """The name of a column: 0 is A, 26 is AA."""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def _names(wanted: Sequence[str]) -> list[str]:
    """Names that a workbook takes: at most 31 letters, none of []:*?/\\', and no two the same."""
    names: list[str] = []
    for name in wanted:
        clean = _NAME.sub(" ", _FORBIDDEN.sub("", name)).strip()[:31] or "Sheet"
        number = 2
        made = clean
        while made.casefold() in {each.casefold() for each in names}:
            made = f"{clean[:27]} {number}"
            number += 1
        names.append(made)
    return names
