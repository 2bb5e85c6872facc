"""What a data manager is told of a file that was made in the usual wrong ways."""

from __future__ import annotations

from pathlib import Path

import pytest
from data_sources import MAPPING, ROWS, Csv, table

from federation.site.data.mapping import read_mapping
from federation.site.data.sentences import SENTENCES, sentence
from federation.site.errors import DataError


def said(folder: Path, change) -> tuple[str, str]:
    source = Csv(folder).make(ROWS)
    file = Csv(folder).file
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(DataError) as caught:
        table(read_mapping(MAPPING, source, folder, "m"))
    return caught.value.code, sentence(caught.value)


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (lambda text: text.replace(b",", b";"), "CSV_DELIMITER", "(;)"),
        (lambda text: text.replace(b",", b"\t"), "CSV_DELIMITER", "(tab)"),
        (lambda text: b"PK\x03\x04" + text, "SOURCE_WORKBOOK", "save the sheet as CSV"),
        (lambda text: b"\xd0\xcf\x11\xe0" + text, "SOURCE_WORKBOOK", "save the sheet as CSV"),
        (lambda text: text.replace(b"pid", b" Pid", 1), "COLUMN_MISSING", "There is ' Pid'"),
        (lambda text: text.replace(b"grade", b"stage"), "COLUMN_MISSING", "the mapping names."),
        (lambda text: text.replace(b"size", b"drug", 1), "COLUMN_TWICE", "'drug' is there twice"),
        (lambda text: text + b"p9,1\r\n", "CSV_RAGGED", "Record 6 has more or fewer"),
        (lambda text: text + b'p9,"1"x', "CSV_BROKEN", "stopped at line 7"),
        (lambda text: text.replace(b"p1", b"\xe9"), "SOURCE_ENCODING", "cp1252"),
        (lambda _: b"", "SOURCE_EMPTY", "is empty"),
    ],
)
def test_a_file_that_does_not_fit_is_a_sentence(tmp_path, change, code, words):
    found, text = said(tmp_path, change)

    assert (found, words in text) == (code, True), text


def test_a_folder_is_not_called_missing(tmp_path):
    Csv(tmp_path).file.mkdir()
    source = {"kind": "csv", "path": Csv(tmp_path).file.name}
    with pytest.raises(DataError) as caught:
        table(read_mapping(MAPPING, source, tmp_path, "m"))

    assert sentence(caught.value) == SENTENCES["SOURCE_FOLDER"]
