"""`site check` says of how many records the days are known, and what it means when they are not."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from federation.query.codebook import load_codebook
from federation.site.cli import site as commands
from federation.site.data.checking import reports
from federation.site.data.dated import dated_sentences

FOLLOWED = """
codebook: f/1
dates: {patient: {first: seen, last: {from: seen, plus: followed}}}
variables:
  seen:     {type: date}
  followed: {type: duration, min: 0, max: 4000}
"""
SILENT = FOLLOWED.replace(FOLLOWED.splitlines()[2] + "\n", "")
MAPPING = b"""
codebook: f/1
key: nr
variables:
  seen: {column: gezien, format: "%Y-%m-%d"}
  followed: {column: dagen}
"""
UNMAPPED = MAPPING.replace(b'  seen: {column: gezien, format: "%Y-%m-%d"}\n', b"")
ROWS = "nr,gezien,dagen\np1,2020-02-03,10\np2,,10\np3,2020-02-03,\n"
WHOLE = "nr,gezien,dagen\np1,2020-02-03,10\np2,2020-02-04,10\n"


@pytest.mark.parametrize(
    ("book", "mapping", "rows", "known", "said"),
    [
        (FOLLOWED, MAPPING, WHOLE, (2, 2), "The days of every record are known"),
        (FOLLOWED, MAPPING, ROWS, (2, 1), "first day is known: 2 of 3, whose last day: 1"),
        (FOLLOWED, UNMAPPED, ROWS, (0, 0), "first day is known: 0 of 3, whose last day: 0"),
        (SILENT, MAPPING, ROWS, (0, 0), "The codebook does not say of which day a record is"),
    ],
)
def test_what_data_windows_can_rest_on(make_site, book, mapping, rows, known, said):
    codebook = load_codebook(book.encode())
    site = make_site(
        data=rows,
        mapping=mapping,
        studies={"onco": {"codebook": codebook, "requires": ["use.network"]}},
    )
    [report] = reports(site.path)
    [unit] = report.dates
    assert (unit.begin, unit.end) == known
    assert unit.named == (("seen", "followed") if book is FOLLOWED else ())
    [sentence] = dated_sentences(report.dates)
    assert said in sentence
    as_json = CliRunner().invoke(commands, ["check", str(site.path), "--json"])
    [told] = json.loads(as_json.stdout)
    assert told["dates"] == [unit.to_dict()]
    shown = CliRunner().invoke(commands, ["check", str(site.path)])
    assert " ".join(said.split()[:4]) in " ".join(shown.output.split())
