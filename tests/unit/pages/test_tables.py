"""Numbers on the result page and in the file: one source, and a hidden one never looks like 0."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from federation.query.codebook import Codebook
from registry.pages.figures import figure_of, svg_of
from registry.pages.finding import finding
from registry.pages.naming import Names
from registry.pages.tables import tables_of
from registry.pages.tidy import Cell, Head, Table, to_csv
from registry.pages.warning_words import warning_words
from studies.seeds.loading import shipped_codebook

NAMES = Names(Codebook.from_dict(shipped_codebook("gbsg")), "nl")


def envelope(analysis: str, result: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "analysis": analysis,
        "result": result,
        "hidden": [],
        "provenance": {"policy": {"t_cell": 10}},
        **more,
    }


def query(kind: str, **params: Any) -> dict[str, Any]:
    return {"title": "Een vraag", "analysis": {"kind": kind, **params}}


COUNT = envelope(
    "count",
    {
        "n": 80,
        "missing": None,
        "total": 80,
        "cells": [{"by": {"hormone": "no"}, "n": 74}, {"by": {"hormone": "yes"}, "n": None}],
    },
    hidden=[{"where": "cells[1]", "why": "small_cell"}],
)
SURVIVAL = envelope(
    "survival",
    {
        "n": 200,
        "groups": [
            {
                "level": level,
                "n": 100,
                "events": 40,
                "median": median,
                "median_ci": [900, None],
                "curve": [{"t": 365, "at_risk": 80, "s": s, "low": s - 0.1, "high": s + 0.1}],
                "at": [
                    {"t": 365, "s": s, "se": 0.03, "low": s - 0.1, "high": s + 0.1, "at_risk": 80},
                    {"t": 1825, "s": None, "se": None, "low": None, "high": None, "at_risk": None},
                ],
            }
            for level, s, median in (("no", 0.8, 1500), ("yes", 0.9, None))
        ],
        "logrank": {"chi2": 10.4, "df": 1, "p": 0.0012},
    },
)
COX = envelope(
    "cox",
    {
        "n": 200,
        "events": None,
        "terms": [
            {
                "term": "hormone[yes]",
                "estimate": -0.4463,
                "se": 0.15,
                "p": 0.003,
                "ci_low": -0.755,
                "ci_high": -0.1625,
                "exp": 0.64,
            },
            {
                "term": "age",
                "estimate": 0.01,
                "se": 0.01,
                "p": 0.4,
                "ci_low": -0.01,
                "ci_high": 0.03,
                "exp": 1.01,
            },
        ],
        "lr": {"chi2": 12.0, "df": 2, "p": 0.0004},
        "loglik": -700.1,
        "concordance": None,
        "rounds": 5,
    },
)
DESCRIBE = envelope(
    "describe",
    {
        "n": 90,
        "variables": [
            {
                "variable": "age",
                "by": "hormone",
                "groups": [
                    {
                        "level": "no",
                        "n": 60,
                        "mean": 53.1,
                        "sd": 9.0,
                        "ci_low": 51.0,
                        "ci_high": 55.2,
                        "quantiles": {"0.25": [45, 50], "0.5": [50, 55], "0.75": None},
                    },
                    {
                        "level": "yes",
                        "n": 30,
                        "mean": 56.0,
                        "sd": 8.0,
                        "ci_low": 53.0,
                        "ci_high": 59.0,
                        "quantiles": {},
                    },
                ],
            },
            {
                "variable": "grade",
                "by": None,
                "groups": [
                    {
                        "level": None,
                        "n": 90,
                        "levels": [
                            {"level": "1", "n": None, "share": None},
                            {"level": "2", "n": 70, "share": 0.78},
                        ],
                    }
                ],
            },
        ],
    },
)
CASES = [
    (COUNT, query("count", by=["hormone"])),
    (SURVIVAL, query("survival", by="hormone")),
    (COX, query("cox")),
    (DESCRIBE, query("describe", variables=["age", "grade"], by="hormone")),
]


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


@pytest.mark.parametrize(("made", "asked"), CASES, ids=lambda case: case.get("analysis"))
def test_page_and_file_hold_the_same_rows(made: dict[str, Any], asked: dict[str, Any]) -> None:
    tables = tables_of(made, asked, NAMES)
    lines = [row for row in csv.reader(io.StringIO(to_csv(tables))) if row]
    assert len(lines) == sum(1 + len(table.rows) for table in tables)
    for table in tables:
        for row in table.rows:
            assert len(row) == len(table.heads)
            assert all(cell.text not in ("None", "nan") for cell in row)


def test_a_hidden_count_is_written_as_fewer_than_ten_everywhere() -> None:
    tables = tables_of(COUNT, CASES[0][1], NAMES)
    assert texts(tables[0])[1] == ["hormoontherapie", "<10", "–"]
    assert "yes,<10," in to_csv(tables)
    figure = figure_of(COUNT, CASES[0][1], NAMES)
    assert figure is not None
    assert "&lt;10" in str(figure.drawings)
    assert "gestippeld" in figure.caption


def test_a_hidden_total_gives_no_bound() -> None:
    hidden = envelope("count", {"n": None, "total": None, "cells": [], "missing": None})
    assert texts(tables_of(hidden, query("count"), NAMES)[0])[0][1] == "niet getoond"
    assert "verborgen" in finding(hidden, query("count"), NAMES)


def test_a_median_that_is_not_reached_is_not_called_hidden() -> None:
    rows = texts(tables_of(SURVIVAL, CASES[1][1], NAMES)[0])
    assert rows[0][3:] == ["1.500", "900 tot niet bereikt"]
    assert rows[1][3] == "niet bereikt"
    hidden = {**SURVIVAL, "hidden": [{"where": "groups[1].median", "why": "small_cell"}]}
    assert texts(tables_of(hidden, CASES[1][1], NAMES)[0])[1][3] == "niet getoond"


def test_findings_say_what_is_known_and_how_sure() -> None:
    said = [finding(made, asked, NAMES) for made, asked in CASES]
    assert said[0].startswith("80 patiënten passen bij deze vraag.")
    assert "Na 1 jaar had 80% van de groep" in said[1]
    assert "tegen 90%" in said[1]
    assert "zelden" in said[1]
    assert said[2].startswith("Hormoontherapie: de gebeurtenis komt 0,64 keer zo snel")
    assert "0,47 tot 0,85" in said[2]
    assert "53,1" in said[3]
    assert "56,0" in said[3]
    assert finding({"analysis": "count"}, CASES[0][1], NAMES) == ""


def test_pictures_of_results_are_files_too() -> None:
    for made, asked in CASES:
        svg = svg_of(made, asked, NAMES)
        assert svg is not None
        assert svg.startswith("<svg xmlns=")
        assert svg.count("</svg>") == 1
    empty = envelope("survival", {"n": 20, "groups": [{"level": "no", "curve": None}]})
    assert svg_of(empty, query("survival", by="hormone"), NAMES) is None


def test_a_cell_cannot_become_a_formula_in_a_spreadsheet() -> None:
    table = Table("x", (Head("a", "a", False),), ((Cell("=1+1", "=1+1", numeric=False),),))
    assert to_csv([table]).splitlines()[1] == "'=1+1"


def test_an_unknown_kind_still_shows_its_numbers() -> None:
    made = envelope("newcomer", {"n": 120, "deviance": 12.5})
    rows = texts(tables_of(made, query("newcomer"), NAMES)[0])
    assert ["n", "120"] in rows
    assert ["deviance", "12,500"] in rows


@pytest.mark.parametrize(
    ("english", "dutch"),
    [
        ("Hospitals with fewer than 10 eligible patients do not contribute.", "minder dan 10"),
        ("grade[3] was left out: no patient has this level.", "grade[3] is weggelaten"),
        ("Times are rounded up to the grid.", "afgerond"),
        ("Something new.", "Something new."),
    ],
)
def test_warnings_are_in_the_readers_language(english: str, dutch: str) -> None:
    assert dutch in warning_words(english)


@pytest.mark.parametrize(
    ("variable", "level", "words"),
    [
        ("grade", "3", "slecht gedifferentieerd"),
        ("relapse", True, "ja"),
        ("relapse", "false", "nee"),
        ("age", "[40,45)", "40 tot 44"),
        ("age", "[105,110]", "105 tot 110"),
        ("pgr", "[20,50)", "20 tot onder 50"),
        ("hormone", None, "iedereen"),
        ("hormone", "nieuw", "nieuw"),
    ],
)
def test_levels_in_words(variable: str, level: object, words: str) -> None:
    assert NAMES.level(variable, level) == words


def test_terms_in_words() -> None:
    assert NAMES.term("hormone[yes]") == "Hormoontherapie"
    assert NAMES.term("grade[3]") == "Graad: slecht gedifferentieerd"
    assert NAMES.term("age").endswith(", per jaar")
    assert " × " in NAMES.term("age:hormone[yes]")
    assert NAMES.term("(intercept)") == "Constante"
