"""Spreadsheets as people save them: what can be read is read, the rest is refused with its line."""

from __future__ import annotations

import pytest

from studies.exchange.reading_csv import LONGEST, MOST_ROWS, FileError, read_file

HEAD = "studie;ziekenhuis;stand;datum;contact\n"
LINE = "proef;Máxima MC;Open;3-2-2026;bureau\n"


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        ((HEAD + LINE).encode(), "UTF-8"),
        ((HEAD + LINE).encode("utf-8-sig"), "UTF-8"),
        ((HEAD + LINE).encode("utf-16"), "UTF-16"),
        ((HEAD + LINE).encode("cp1252"), "Windows-1252"),
        ((HEAD + LINE).replace(";", ",").encode(), "UTF-8"),
        ((HEAD + LINE).replace(";", "\t").replace("\n", "\r\n").encode(), "UTF-8"),
        (("\n\n" + HEAD + "\n;;;;\n" + LINE).encode(), "UTF-8"),
    ],
)
def test_the_same_table_is_read_however_it_was_saved(body: bytes, encoding: str) -> None:
    found = read_file(body)
    (row,) = found.rows
    assert (row.study, row.hospital, row.state, row.date, row.contact, row.short) == (
        "proef",
        "Máxima MC",
        "Open",
        "3-2-2026",
        "bureau",
        False,
    )
    assert found.encoding == encoding


def test_columns_stand_in_any_order_and_others_are_named() -> None:
    found = read_file(b"Notes,DATE,hospital,Status,study\nx,2026-01-01,H,open,s\ny,2026-01-02,H\n")
    assert found.ignored == ("Notes",)
    assert [(row.line, row.study, row.state, row.short) for row in found.rows] == [
        (2, "s", "open", False),
        (3, "", "", True),
    ]


def test_quotes_and_what_our_own_export_put_in_front_are_taken_away() -> None:
    body = (HEAD + "\"een; twee\";'=H;'gewoon;1-1-2026;'+31\n").encode()
    (row,) = read_file(body).rows
    assert (row.study, row.hospital, row.state, row.contact) == (
        "een; twee",
        "=H",
        "'gewoon",
        "+31",
    )


@pytest.mark.parametrize(
    ("body", "code", "line"),
    [
        (b"", "empty", 0),
        (b"  \n \n", "empty", 0),
        (b";;;\n;;\n", "empty", 0),
        (b"PK\x03\x04rest", "a_workbook", 0),
        (b"\xd0\xcf\x11\xe0rest", "a_workbook", 0),
        (b"studie\x00;x", "not_text", 0),
        (HEAD.encode() + b"a;b;c;d\nx;\x81\x8d;y;z\n", "broken_encoding", 3),
        (b"\xff\xfeA", "broken_encoding", 0),
        (b"a;b;c\n1;2;3\n", "no_columns", 0),
        (b"study;hospital;date\n", "no_columns", 0),
        (b"study;studie;hospital;state;date\n", "column_twice", 0),
        (HEAD.encode() + b'a;"b;c;d\n', "broken_quotes", 2),
        (HEAD.encode() + b'a;"b"x;c;d\n', "broken_quotes", 2),
        (HEAD.encode() + b"a;b;" + b"c" * (LONGEST + 1) + b";d\n", "too_long", 2),
        (HEAD.encode() + b"a;b;c;d;e\n" * (MOST_ROWS + 1), "too_many_rows", 0),
        (HEAD.encode() + b"a" * 200_000, "broken_quotes", 2),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(body: bytes, code: str, line: int) -> None:
    with pytest.raises(FileError) as refused:
        read_file(body)
    assert (refused.value.code, refused.value.line) == (code, line)
