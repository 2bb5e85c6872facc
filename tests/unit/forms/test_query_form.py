"""The question form: rows, parameters and pasted JSON become a question or a clear error."""

from __future__ import annotations

import json

import pytest
from werkzeug.datastructures import MultiDict

from federation.query.codebook import Codebook
from registry.forms import cohort_rows
from registry.forms.cohort_rows import Row, cohort, control, row_of_path, rows_of, usable
from registry.forms.query_form import (
    controls,
    from_fields,
    from_text,
    kinds,
    starting_values,
    unit_of,
    units,
)
from registry.pages.naming import Names
from studies.seeds.loading import shipped_codebook

BOOK = Codebook.from_dict(shipped_codebook("gbsg"))
NAMES = Names(BOOK, "nl")
GOOD = {
    "title": "Hoeveel",
    "purpose": "Om te tellen.",
    "kind": "survival",
    "param-time": "rfs_days",
    "param-event": "relapse",
    "param-by": "hormone",
    "param-at": "365; 1095",
    "asked": "all",
    "match": "all",
}


def form(**more: str | list[str]) -> MultiDict[str, str]:
    pairs = []
    for name, value in {**GOOD, **{k.replace("_", "-"): v for k, v in more.items()}}.items():
        pairs += [(name, each) for each in ([value] if isinstance(value, str) else value)]
    return MultiDict(pairs)


def test_a_filled_form_is_a_question() -> None:
    filled = from_fields(form(), "study", BOOK)
    assert filled.errors == {}
    assert filled.query is not None
    assert filled.query.params["at"] == [365, 1095]
    assert filled.made["sites"] == "all"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"title": " "}, "title"),
        ({"purpose": ""}, "purpose"),
        ({"kind": "magic"}, "kind"),
        ({"param_time": ""}, "param-time"),
        ({"param_at": "soon"}, "param-at"),
        ({"param_event": "age"}, "param-event"),
        ({"asked": "some"}, "site"),
    ],
)
def test_each_error_is_at_its_field(changed: dict[str, str], field: str) -> None:
    filled = from_fields(form(**changed), "study", BOOK)
    assert filled.query is None
    assert list(filled.errors) == [field]
    assert filled.errors[field].strip()


def test_errors_come_in_the_order_of_the_page() -> None:
    filled = from_fields(form(title="", purpose="", param_time="", asked="some"), "study", BOOK)
    assert list(filled.errors) == ["title", "purpose", "param-time", "site"]


def test_rows_become_a_cohort() -> None:
    rows = [
        Row("1", "grade", levels=("1", "3")),
        Row("2", "age", low="40", high="60"),
        Row("3", "relapse", levels=("true",)),
    ]
    made, errors = cohort(rows, BOOK, "all")
    assert errors == {}
    assert made == {
        "all": [
            {"var": "grade", "op": "in", "value": ["1", "3"]},
            {"var": "age", "op": ">=", "value": 40},
            {"var": "age", "op": "<", "value": 60},
            {"var": "relapse", "op": "in", "value": [True]},
        ]
    }
    either, _errors = cohort(rows[:2], BOOK, "any")
    assert [next(iter(part)) for part in either["any"]] == ["var", "all"]


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (Row("7", "grade"), "row-7-level"),
        (Row("7", "age"), "row-7-low"),
        (Row("7", "age", low="60", high="40"), "row-7-low"),
        (Row("7", "age", low="x"), "row-7-low"),
        (Row("7", "gone"), "row-7-var"),
    ],
)
def test_a_row_that_says_nothing_never_means_everybody(row: Row, field: str) -> None:
    made, errors = cohort([row], BOOK, "all")
    assert made == {}
    assert list(errors) == [field]


def test_rows_are_read_added_and_removed_by_their_own_key() -> None:
    rows = rows_of(
        form(row=["2", "5", "x"], row_2_var="age", row_5_var="grade", row_5_level=["1", "2"])
    )
    assert [(r.key, r.var, r.levels) for r in rows] == [
        ("2", "age", ()),
        ("5", "grade", ("1", "2")),
    ]
    more = cohort_rows.with_row(rows, "hormone")
    assert (more[-1].key, more[-1].var) == ("6", "hormone")
    assert [r.key for r in cohort_rows.without_row(more, "2")] == ["5", "6"]
    full = rows
    for _ in range(cohort_rows.MAX_ROWS + 5):
        full = cohort_rows.with_row(full, "age")
    assert len(full) == cohort_rows.MAX_ROWS


def test_an_error_deep_in_the_cohort_finds_its_row() -> None:
    rows = [Row("1", "grade", levels=("1",)), Row("2", "age", low="40", high="60")]
    made, _errors = cohort(rows, BOOK, "any")
    assert row_of_path("cohort.any[1].all[0].value", rows, made) == rows[1]
    assert row_of_path("cohort.any[9]", rows, made) is None


def test_every_offered_row_gives_a_question_the_codebook_takes() -> None:
    for name in usable(BOOK):
        shown = control(Row("1", name), BOOK, NAMES)
        assert shown is not None
        if shown.kind == "levels":
            row = Row("1", name, levels=(shown.levels[0][0],))
        elif shown.kind == "bounds":
            row = Row("1", name, low=shown.bounds[1][0], high=shown.bounds[-1][0])
        else:
            row = Row("1", name, low="2020-01", high="2021-12")
        fields = {"row": "1", "row-1-var": name, "row-1-low": row.low, "row-1-high": row.high}
        filled_form = form()
        filled_form.update(fields)
        filled_form.setlist("row-1-level", list(row.levels))
        filled = from_fields(filled_form, "study", BOOK)
        assert filled.query is not None, (name, filled.errors)
    assert control(Row("1", "gone"), BOOK, NAMES) is None


def test_every_kind_has_words_and_controls_with_labels() -> None:
    for kind, name, why in kinds():
        assert name != kind
        assert why
        made = controls(kind, BOOK, NAMES)
        assert made
        assert all(each.label and each.hint for each in made)
        assert set(starting_values(kind)) <= {each.id for each in made}


def test_pasted_json_is_checked_and_keeps_its_study() -> None:
    good = {
        "version": 1,
        "codebook": BOOK.id,
        "title": "t",
        "purpose": "p",
        "analysis": {"kind": "count"},
    }
    filled = from_text(json.dumps(good), "study", BOOK)
    assert filled.errors == {}
    assert filled.query is not None
    assert filled.query.study == "study"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "Plak"),
        ("{", "JSON"),
        ("[1]", "JSON"),
        ('{"version": 1, "codebook": "gbsg/1", "analysis": {"kind": "cuont"}}', "count"),
        (
            '{"version": 1, "study": "other", "title": "t", "purpose": "p", "codebook": "gbsg/1", '
            '"analysis": {"kind": "count"}}',
            "andere studie",
        ),
        ('{"version": 1, "codebook": "gbsg/1", "analysis": {"kind": "count"}}', "title"),
        ('{"title": "' + "x" * 20_000 + '"}', "te lang"),
    ],
)
def test_pasted_json_with_an_error_says_what_to_do(text: str, says: str) -> None:
    filled = from_text(text, "study", BOOK)
    assert says in filled.errors["json"]


def test_formulas_tell_what_else_they_can_hold() -> None:
    found = {c.name: c for c in controls("regression", BOOK, NAMES)}
    assert "age + age^2" in found["formula"].hint
    assert "rcs(" not in found["formula"].hint  # no variable of this codebook has knots
    knots = Codebook.from_dict(
        {
            "codebook": "k/1",
            "variables": {
                "age": {"type": "integer", "min": 18, "max": 90, "knots": [30, 50, 70]},
                "died": {"type": "boolean"},
            },
        }
    )
    hint = next(c.hint for c in controls("cox", knots, Names(knots, "nl")) if c.name == "formula")
    assert "rcs(age)" in hint
    assert found["family"].options[0] == ("gaussian", "een getal (gaussian)")
    assert starting_values("mixed")["param-reml"] == "yes"


def test_levels_of_the_event_can_be_chosen_without_script() -> None:
    book = Codebook.from_dict(
        {
            "codebook": "c/1",
            "variables": {
                "t": {"type": "duration", "unit": "days", "min": 0, "max": 900},
                "what": {"type": "category", "levels": {"0": "nothing", "1": "back", "2": "dead"}},
                "why": {"type": "category", "levels": {"0": "none", "x": "other", "y": "more"}},
            },
        }
    )
    found = {c.name: c for c in controls("competing_risks", book, Names(book, "en"))}
    assert dict(found["cause"].options) == {
        "0": "What: nothing / Why: none",
        "1": "What: back",
        "2": "What: dead",
        "x": "Why: other",
        "y": "Why: more",
    }


def test_a_question_may_count_something_else_than_patients() -> None:
    book = Codebook.from_dict(
        {
            "codebook": "u/1",
            "unit": "patient",
            "units": {"patient": None, "tumour": "patient"},
            "variables": {
                "age": {"type": "integer", "min": 18, "max": 90, "cuts": {"step": 10}},
                "stage": {"type": "category", "levels": ["I", "II"], "per": "tumour"},
            },
        }
    )
    assert [code for code, _ in units(book)] == ["patient", "tumour"]
    assert units(BOOK) == []
    asked = form(kind="count", unit="tumour", param_by=["stage"])
    filled = from_fields(asked, "study", book)
    assert filled.errors == {}
    assert filled.made["unit"] == "tumour"
    patients = from_fields(form(kind="count", unit="", param_by=["age"]), "study", book)
    assert "unit" not in patients.made
    wrong = from_fields(form(kind="count", unit="patient", param_by=["stage"]), "study", book)
    assert list(wrong.errors) == ["param-by"]
    assert unit_of(form(unit="planet"), book) == "patient"


@pytest.mark.parametrize("kind", [code for code, _, _ in kinds()])
def test_every_parameter_has_a_label_in_words(kind: str) -> None:
    for each in controls(kind, BOOK, NAMES):
        assert each.label != each.name
        assert each.hint
        assert each.kind != "select" or each.options or kind == "competing_risks"
