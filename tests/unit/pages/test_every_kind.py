"""Every kind of analysis on the page: real answers of three hospitals, open and protected."""

from __future__ import annotations

import csv
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

import pytest
from answers import ASKED, BOOK, envelope, name_of
from flask import Flask

from federation.methods.registry import KINDS
from federation.query.terms import Terms
from registry.forms.query_form import kinds
from registry.pages.figures import DRAW, figure_of
from registry.pages.finding import SENTENCES, finding
from registry.pages.naming import Names
from registry.pages.tables import TABLES, tables_of
from registry.pages.tidy import to_csv
from registry.pages.warning_words import warning_words
from registry.translate import COOKIE

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(params=["nl", "en"])
def names(request: pytest.FixtureRequest, app: Flask) -> Any:
    """The codebook's names, inside a request in each language."""
    with app.test_request_context(headers={"Cookie": f"{COOKIE}={request.param}"}):
        yield Names(BOOK, request.param, {"a": "Maasoever", "b": "Dommeldal"})


@pytest.fixture(scope="module")
def app() -> Flask:
    return Flask("pages")


def test_no_kind_is_left_out() -> None:
    assert {asked["kind"] for asked in ASKED} == set(KINDS)
    assert set(SENTENCES) == set(TABLES) == set(DRAW) == set(KINDS)
    told = kinds()
    assert {code for code, _, _ in told} == set(KINDS)
    assert all(words and words != code and hint for code, words, hint in told)


@pytest.mark.parametrize("terms", [Terms.open_data(), Terms.strict()], ids=["open", "strict"])
@pytest.mark.parametrize("asked", ASKED, ids=name_of)
def test_finding_tables_and_picture(asked: dict[str, Any], terms: Terms, names: Names) -> None:
    made = envelope(asked, terms)
    query = {"title": "Een vraag", "analysis": asked}
    said = finding(made, query, names)
    assert said.endswith(".")
    assert not re.search(r"None|nan|%\(|\binf\b", said), said
    tables = tables_of(made, query, names)
    assert tables
    for table in tables:
        assert all(len(row) == len(table.heads) for row in table.rows)
        assert len({head.name for head in table.heads}) == len(table.heads)
        assert not any(re.search(r"None|nan|%\(", cell.text) for row in table.rows for cell in row)
    lines = [row for row in csv.reader(io.StringIO(to_csv(tables))) if row]
    assert len(lines) == sum(1 + len(table.rows) for table in tables)
    figure = figure_of(made, query, names)
    if (
        asked["kind"] == "standardise"
        and asked.get("formula") is None
        and terms.protection != "none"
    ):
        assert figure is None  # nobody's hospital, and no model to draw
        return
    assert figure is not None
    drawings = str(figure.drawings).split("</svg>")[:-1]
    assert len(drawings) == 2
    for drawing in drawings:
        root = ET.fromstring(drawing + "</svg>")  # noqa: S314
        assert not any("style" in element.attrib for element in root.iter())
        assert not re.search(r"\bnan\b|\binf\b|None", drawing)
        assert root.find(f"{SVG}title") is not None
    for warning in made["warnings"]:
        assert (warning_words(warning) != warning) == (names.language == "nl"), warning


@pytest.mark.parametrize("asked", ASKED, ids=name_of)
def test_a_result_with_everything_hidden(asked: dict[str, Any], names: Names) -> None:
    """Every number null: words, tables and no picture, and never a 0."""

    def hide(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {k: v if k in ("term", "by", "t") else hide(v) for k, v in value.items()}
        if isinstance(value, list):
            return [hide(v) for v in value]
        return None if isinstance(value, int | float) else value

    made = envelope(asked, Terms.strict())
    made["result"] = hide(made["result"])
    query = {"title": "Een vraag", "analysis": asked}
    assert finding(made, query, names)
    hidden = "niet getoond" if names.language == "nl" else "not shown"
    cells = [
        c for t in tables_of(made, query, names) for row in t.rows for c in row[1:] if c.numeric
    ]
    assert cells
    assert any(cell.text in ("<10", hidden) for cell in cells)
    assert not any(cell.text in ("0", "0.0", "0,0") for cell in cells)
    assert figure_of(made, query, names) is None or asked["kind"] in ("count", "compare")


def test_hospitals_stand_in_order_of_their_names_and_the_hidden_ones_too(names: Names) -> None:
    made = envelope(ASKED[-2], Terms.open_data())
    own = made["by_site"]
    own["c"] = {**own["c"], "observed": None, "ratio": None, "outside": None}
    for slug in ("a", "b"):
        own[slug] = {**own[slug], "outside": 0}
    own["z"] = {"status": "refused", "code": "SMALL_GROUP", "message": "Too few."}
    query = {"title": "Een vraag", "analysis": ASKED[-2]}
    table = tables_of(made, query, names)[0]
    assert [row[0].value for row in table.rows] == ["c", "b", "a", "z"]
    assert table.rows[0][5].text in ("niet getoond", "not shown")
    assert table.rows[0][2].text[0] == "0"  # the limits stand where observed is hidden
    figure = figure_of(made, query, names)
    assert figure is not None
    assert str(figure.drawings).count("<circle") == 2 * 2  # wide and phone


def test_answers_per_hospital_are_joined_under_each_table(names: Names) -> None:
    part = envelope(ASKED[0], Terms.strict())
    made = {
        **part,
        "result": {},
        "by_site": {
            "a": {**part["result"], "hidden": part["hidden"]},
            "b": part["result"],
            "c": {"sealed": "eyJ"},
        },
    }
    query = {"title": "Een vraag", "analysis": ASKED[0]}
    tables = tables_of(made, query, names)
    assert tables[0].heads[0].name == "hospital"
    assert {row[0].text for row in tables[0].rows} == {"Maasoever", "Dommeldal"}
    assert "3" in finding(made, query, names)
    assert figure_of(made, query, names) is None


@pytest.mark.parametrize(
    ("term", "nl", "en"),
    [
        ("age^2", "Leeftijd²", "Age²"),
        ("age^3:arm[yes]", "Leeftijd³ × Groep: nieuwe zorg", "Age³ × Arm: new care"),
        ("rcs(age)[2]", "Leeftijd, deel 2 van de kromme", "Age, curve part 2"),
    ],
)
def test_powers_and_curves_in_words(term: str, nl: str, en: str, names: Names) -> None:
    assert names.term(term) == {"nl": nl, "en": en}[names.language]


@pytest.mark.parametrize(
    ("low", "high", "last", "nl"),
    [
        (None, 40.0, False, "onder 40"),
        (80.0, None, True, "80 en meer"),
        (40.0, 50.0, False, "40 tot 49"),
        (40.0, 50.0, True, "40 tot 50"),
        (50.0, 50.0, False, "50"),
        (50.0, 51.0, False, "50"),
        (None, None, True, "alle waarden"),
    ],
)
def test_bars_in_words(low: Any, high: Any, last: bool, nl: str, app: Flask) -> None:
    with app.test_request_context(headers={"Cookie": f"{COOKIE}=nl"}):
        assert Names(BOOK, "nl").bar("age", low, high, last=last) == nl


def test_bars_of_whole_numbers_include_both_ends(app: Flask) -> None:
    with app.test_request_context(headers={"Cookie": f"{COOKIE}=nl"}):
        names = Names(BOOK, "nl")
        assert names.bar("score", 3.0, 5.0) == "3 tot 5"
        assert names.bar("score", None, 2.0) == "2 en minder"
        assert names.bar("score", 4.0, None) == "4 en meer"
        assert names.bar("size", 20.0, 40.0) == "20 tot onder 40"


def test_a_hidden_number_that_cannot_be_small_is_not_called_small(names: Names) -> None:
    """539 patients in three hidden groups: hidden because one is small, not because all are."""
    groups = [{"level": level, "n": None, "mean": None} for level in ("1", "2", "3")]
    result = {"n": 539, "variable": "age", "by": "grade", "type": "numeric", "groups": groups}
    asked = {"kind": "compare", "variable": "age", "by": "grade"}
    made = {"analysis": "compare", "hidden": [], "result": result}
    table = tables_of(made, {"title": "x", "analysis": asked}, names)[0]
    assert {row[1].text for row in table.rows} <= {"niet getoond", "not shown"}
    small = {**made, "result": {**result, "n": 15}}
    table = tables_of(small, {"title": "x", "analysis": asked}, names)[0]
    assert {row[1].text for row in table.rows} == {"<10"}
