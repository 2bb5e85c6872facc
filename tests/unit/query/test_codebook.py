from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.query.codebook import Codebook, Label, Level, load_codebook
from federation.query.errors import QueryError


def one(spec: object, **more: object) -> Codebook:
    return Codebook.from_dict({"codebook": "x/1", "variables": {"v": spec}, **more})


def test_the_reference_page_is_read_as_written(gbsg: Codebook) -> None:
    assert gbsg.id == "gbsg/1"
    assert (gbsg.unit, gbsg.key) == ("patient", "patient_id")
    assert list(gbsg.variables) == [
        *("age", "grade", "hormone", "pgr", "rfs_days", "relapse", "diagnosed")
    ]
    grade = gbsg.variables["grade"]
    assert grade.levels == (
        Level("1", Label("well")),
        Level("2", Label("moderate")),
        Level("3", Label("poor")),
    )
    assert grade.ordered
    assert gbsg.variables["diagnosed"].resolution == "month"


def test_a_step_cuts_at_round_numbers_and_no_bin_is_narrower(gbsg: Codebook) -> None:
    edges = gbsg.variables["age"].edges
    assert edges == (18, *range(25, 106, 5), 110)
    labels = gbsg.variables["age"].group_labels
    assert labels is not None
    assert labels[0] == "[18,25)"
    assert labels[4] == "[40,45)"
    assert labels[-1] == "[105,110]"


def test_a_decimal_step_cuts_exactly() -> None:
    cuts = one({"type": "number", "min": 0, "max": 1, "cuts": {"step": 0.1}}).variables["v"].cuts
    assert cuts == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def test_group_labels_by_type(gbsg: Codebook) -> None:
    labels = {name: v.group_labels for name, v in gbsg.variables.items()}
    assert labels["grade"] == ("1", "2", "3")
    assert labels["relapse"] == ("false", "true")
    assert labels["rfs_days"] is None
    assert labels["diagnosed"] is None
    assert labels["pgr"] is not None
    assert labels["pgr"][0] == "[0,20)"
    small = one({"type": "integer", "min": 0, "max": 40}).variables["v"]
    assert small.group_labels == tuple(str(i) for i in range(41))
    assert one({"type": "integer", "min": 0, "max": 41}).variables["v"].group_labels is None
    assert one({"type": "integer"}).variables["v"].edges is None


@pytest.mark.parametrize(
    ("levels", "codes", "labels"),
    [
        ({1: "well", 2: "poor"}, ("1", "2"), ("well", "poor")),
        (["a", 2, True], ("a", "2", "true"), ("a", "2", "true")),
        ({False: "x", "b": None}, ("false", "b"), ("x", "b")),
        ([{"code": "a", "label": "A"}, {"code": "b"}], ("a", "b"), ("A", "b")),
    ],
)
def test_levels_are_read_in_every_form(
    levels: object, codes: tuple[str, ...], labels: tuple[str, ...]
) -> None:
    found = one({"type": "category", "levels": levels}).variables["v"].levels
    assert tuple(level.code for level in found) == codes
    assert tuple(str(level.label) for level in found) == labels


def test_labels_in_two_languages() -> None:
    book = one(
        {
            "type": "category",
            "levels": {"a": {"nl": "aa", "en": "ay"}, "b": {"nl": "bee"}},
            "label": {"en": "letter", "nl": "letter (nl)"},
        }
    )
    variable = book.variables["v"]
    assert variable.label == "letter"
    assert variable.label.text("nl") == "letter (nl)"
    assert variable.label.text("de") == "letter"
    assert [level.label.text("nl") for level in variable.levels] == ["aa", "bee"]
    assert [level.label.text("en") for level in variable.levels] == ["ay", "bee"]
    assert Codebook.from_dict(book.to_dict()) == book


def test_labels_that_differ_in_dutch_are_not_equal() -> None:
    assert Label("a", "b") != Label("a", "c")
    assert Label("a", "b") == Label("a", "b")
    assert Label("a", "b") == "a"
    assert Label("a") != 1
    assert len({Label("a", "b"), Label("a", "c")}) == 2


def test_no_is_not_false(gbsg_yaml: bytes) -> None:
    assert load_codebook(gbsg_yaml.replace(b'"no":', b"no:")) == load_codebook(gbsg_yaml)


def test_survives_a_message_that_sorts_keys(gbsg: Codebook) -> None:
    travelled = Codebook.from_dict(json.loads(json.dumps(gbsg.to_dict(), sort_keys=True)))
    assert travelled == gbsg
    assert travelled.sha256 == gbsg.sha256
    assert hash(travelled) == hash(gbsg)
    assert travelled.variables["hormone"].group_labels == ("no", "yes")


def test_yaml_json_and_file_agree(gbsg: Codebook, gbsg_yaml: bytes, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_bytes(gbsg_yaml)
    assert load_codebook(tmp_path / "c.yaml") == gbsg
    assert load_codebook(b"\xef\xbb\xbf\n " + json.dumps(gbsg.to_dict()).encode()) == gbsg


def test_yaml_in_braces_is_yaml_and_broken_json_is_told_as_json(gbsg_yaml: bytes) -> None:
    braces = b"{codebook: x/1, variables: {v: {type: boolean}}}"
    assert load_codebook(braces).id == "x/1"
    with pytest.raises(QueryError, match="not valid JSON at line 1, column 9"):
        load_codebook(b'{"a": 1 "b": 2}')


def test_the_hash_follows_the_order_of_levels() -> None:
    forward = one({"type": "category", "levels": ["a", "b"]})
    backward = one({"type": "category", "levels": ["b", "a"]})
    assert forward.sha256 != backward.sha256


@pytest.mark.parametrize(
    ("spec", "where", "said"),
    [
        ("integer", "variables.v", "at least a type"),
        ({}, "variables.v.type", "The type is one of"),
        ({"type": ["integer"]}, "variables.v.type", "The type is one of"),
        ({"type": "integer", "levels": ["a"]}, "variables.v", "no key 'levels'"),
        ({"type": "integer", "mim": 1}, "variables.v", "Did you mean 'min'"),
        ({"type": "integer", "min": "1"}, "variables.v.min", "A number is needed"),
        ({"type": "integer", "min": True}, "variables.v.min", "A number is needed"),
        ({"type": "integer", "min": 1.5}, "variables.v.min", "whole numbers"),
        ({"type": "number", "max": 1e13}, "variables.v.max", "between -1e12"),
        ({"type": "number", "max": float("nan")}, "variables.v.max", "between -1e12"),
        ({"type": "number", "min": 2, "max": 2}, "variables.v", "less than max"),
        ({"type": "number", "min": 0, "cuts": [1]}, "variables.v", "needs min and max"),
        ({"type": "number", "min": 0, "max": 9, "cuts": []}, "variables.v.cuts", "1 to 500"),
        ({"type": "number", "min": 0, "max": 9, "cuts": "1"}, "variables.v.cuts", "1 to 500"),
        ({"type": "number", "min": 0, "max": 9, "cuts": [2, 2]}, "variables.v.cuts", "go up"),
        ({"type": "number", "min": 0, "max": 9, "cuts": [10]}, "variables.v.cuts", "between"),
        ({"type": "number", "min": 0, "max": 9, "cuts": ["x"]}, "variables.v.cuts[0]", "number"),
        (
            {"type": "number", "min": 0, "max": 9, "cuts": {"step": 0}},
            "variables.v.cuts.step",
            "more than 0",
        ),
        (
            {"type": "number", "min": 0, "max": 9, "cuts": {"step": 1e-6}},
            "variables.v.cuts.step",
            "wider step",
        ),
        ({"type": "number", "min": 0, "max": 9, "cuts": {}}, "variables.v.cuts", "'step'"),
        ({"type": "category"}, "variables.v.levels", "1 to 1000 levels"),
        ({"type": "category", "levels": []}, "variables.v.levels", "1 to 1000 levels"),
        ({"type": "category", "levels": ["a", "a"]}, "variables.v.levels", "twice"),
        ({"type": "category", "levels": ["1", 1]}, "variables.v.levels", "twice"),
        ({"type": "category", "levels": [1.5]}, "variables.v.levels[0]", "between quotes"),
        ({"type": "category", "levels": ["a\nb"]}, "variables.v.levels[0]", "text of 1 to 80"),
        ({"type": "category", "levels": [" a"]}, "variables.v.levels[0]", "no spaces"),
        ({"type": "category", "levels": [{"label": "x"}]}, "variables.v.levels[0]", "'code'"),
        ({"type": "category", "levels": ["a"], "ordered": "yes"}, "variables.v.ordered", "true"),
        ({"type": "date", "resolution": "day"}, "variables.v.resolution", "month or year"),
        ({"type": "date", "resolution": []}, "variables.v.resolution", "month or year"),
        ({"type": "boolean", "label": 3}, "variables.v.label", "text"),
        ({"type": "boolean", "label": {}}, "variables.v.label", "en, nl or both"),
        ({"type": "boolean", "label": {"fr": "x"}}, "variables.v.label", "no key 'fr'"),
        ({"type": "boolean", "label": "a\x00b"}, "variables.v.label", "text"),
        ({"type": "integer", "unit": 3}, "variables.v.unit", "text"),
    ],
    ids=str,
)
def test_a_wrong_variable_is_refused_at_its_place(spec: object, where: str, said: str) -> None:
    with pytest.raises(QueryError, match=said) as caught:
        one(spec)
    assert caught.value.code == "BAD_CODEBOOK"
    assert caught.value.where == where


@pytest.mark.parametrize(
    ("obj", "where"),
    [
        ([], ""),
        ({"codebook": "x/1"}, ""),
        ({"codebook": "x", "variables": {"v": {"type": "boolean"}}}, "codebook"),
        ({"codebook": "x/1", "variables": {}}, "variables"),
        ({"codebook": "x/1", "variables": []}, "variables"),
        ({"codebook": "x/1", "variables": {"V": {"type": "boolean"}}}, "variables.V"),
        ({"codebook": "x/1", "variables": {1: {"type": "boolean"}}}, "variables.1"),
        ({"codebook": "x/1", "variables": {"v": {"type": "boolean"}}, "key": ""}, "key"),
        ({"codebook": "x/1", "variables": {"v": {"type": "boolean"}}, "key": "v"}, "variables.v"),
        ({"codebook": "x/1", "variables": {"v": {"type": "boolean"}}, "unit": 1}, "unit"),
        ({"codebook": "x/1", "variables": {"v": {"type": "boolean"}}, "variable": {}}, ""),
    ],
    ids=str,
)
def test_a_wrong_codebook_is_refused(obj: object, where: str) -> None:
    with pytest.raises(QueryError) as caught:
        Codebook.from_dict(obj)
    assert caught.value.code == "BAD_CODEBOOK"
    assert caught.value.where == where


@pytest.mark.parametrize(
    "data",
    [
        b"codebook: &a x/1\nvariables: *a",
        b"codebook: x/1\ncodebook: x/1",
        b"{" * 100,
        b'{"codebook": "x/1", "codebook": "y/1"}',
        b"{" + b" " * 1_000_000,
        "codebook: gbsg/1".encode("utf-16"),
        b"\x00\x01\x02",
        b"",
    ],
    ids=lambda data: str(data[:20]),
)
def test_a_hostile_file_ends_in_a_codebook_error(data: bytes) -> None:
    with pytest.raises(QueryError) as caught:
        load_codebook(data)
    assert caught.value.code == "BAD_CODEBOOK"


@given(st.binary(max_size=300))
def test_any_bytes_give_a_codebook_or_a_codebook_error(data: bytes) -> None:
    with suppress(QueryError):
        load_codebook(data)


def test_an_unknown_variable_names_the_nearest(gbsg: Codebook) -> None:
    with pytest.raises(QueryError, match="Did you mean 'hormone'") as caught:
        gbsg.variable("hormon", "here")
    assert caught.value.to_dict() == {
        "code": "UNKNOWN_VARIABLE",
        "where": "here",
        "message": caught.value.message,
    }
    with pytest.raises(QueryError, match=r"\['age'\]"):
        gbsg.variable(["age"])


UNITS = {
    "codebook": "u/1",
    "units": {"treatment": "tumour", "patient": None, "tumour": "patient", "prom": "patient"},
    "variables": {
        "sex": {"type": "category", "levels": ["m", "f"], "sensitive": False},
        "stage": {"type": "category", "levels": ["I", "II"], "per": "tumour"},
        "dose": {"type": "number", "min": 0, "max": 9, "knots": [1, 3.5, 9], "per": "treatment"},
        "score": {"type": "integer", "min": 0, "max": 9, "per": "prom"},
    },
}


def test_a_codebook_without_new_keys_is_written_as_before(gbsg: Codebook) -> None:
    """Agreed codebooks are known by their fingerprint."""
    assert list(gbsg.to_dict()) == ["codebook", "unit", "key", "variables"]
    assert gbsg.sha256 == "6ed44967ec6f16bf88cefb8689a21add5447341bf98f5d08bb674e36af785fe3"
    assert not any(
        {"sensitive", "knots", "per"} & set(v) for v in gbsg.to_dict()["variables"].values()
    )
    assert gbsg.at("patient") is gbsg
    assert dict(gbsg.units) == {"patient": None}


def test_each_unit_sees_its_own_variables_and_those_above() -> None:
    book = Codebook.from_dict(UNITS)
    assert list(book.units) == ["patient", "prom", "tumour", "treatment"]
    seen = {unit: list(book.at(unit).variables) for unit in book.units}
    assert seen == {
        "patient": ["sex"],
        "prom": ["sex", "score"],
        "tumour": ["sex", "stage"],
        "treatment": ["sex", "stage", "dose"],
    }
    view = book.at("tumour")
    assert (view.unit, view.whole, view.at("prom")) == ("tumour", book, book.at("prom"))


def test_a_view_travels_as_the_whole_codebook() -> None:
    book = Codebook.from_dict(UNITS)
    view = book.at("treatment")
    assert view.sha256 == book.sha256
    assert Codebook.from_dict(json.loads(json.dumps(view.to_dict(), sort_keys=True))) == book
    assert book.variables["dose"].knots == (1.0, 3.5, 9.0)
    assert (book.variables["sex"].sensitive, book.variables["stage"].sensitive) == (False, True)


def test_a_variable_of_a_lower_unit_says_how_to_ask_for_it() -> None:
    with pytest.raises(QueryError, match='"unit": "tumour"') as caught:
        Codebook.from_dict(UNITS).at("patient").variable("stage", "cohort.var")
    assert (caught.value.code, caught.value.where) == ("NOT_IN_CATALOGUE", "cohort.var")


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(QueryError, match="Did you mean 'tumour'") as caught:
        Codebook.from_dict(UNITS).at("tumor")
    assert (caught.value.code, caught.value.where) == ("BAD_VALUE", "unit")


@pytest.mark.parametrize(
    ("more", "where", "said"),
    [
        ({"units": {}}, "units", "Give 1 to 10 units"),
        ({"units": ["patient"]}, "units", "Give 1 to 10 units"),
        ({"units": {"Patient": None}}, "units.Patient", "small letters"),
        ({"units": {"patient": None, "tumour": "person"}}, "units.tumour", "not to 'person'"),
        ({"units": {"patient": None, "tumour": ["a"]}}, "units.tumour", "belongs to another"),
        ({"units": {"patient": None, "tumour": "tumour"}}, "units.tumour", "belongs to another"),
        ({"units": {"tumour": None}, "unit": "tumour"}, "units", "patient. Consent"),
        ({"units": {"patient": None, "tumour": None}}, "units", "Exactly one"),
        ({"units": {"patient": None, "a": "b", "b": "a"}}, "units.a", "in a circle"),
        ({"units": {"patient": None}, "unit": "tumour"}, "unit", "not one of the units"),
        ({"units": {f"u{n}": None for n in range(11)}}, "units", "Give 1 to 10 units"),
    ],
)
def test_units_that_make_no_sense_are_refused(
    more: dict[str, object], where: str, said: str
) -> None:
    with pytest.raises(QueryError, match=said) as caught:
        one({"type": "boolean"}, **more)
    assert (caught.value.code, caught.value.where) == ("BAD_CODEBOOK", where)


@pytest.mark.parametrize(
    ("spec", "where", "said"),
    [
        ({"type": "boolean", "per": "tumour"}, "variables.v.per", "not one of"),
        ({"type": "boolean", "per": 1}, "variables.v.per", "A text"),
        ({"type": "boolean", "sensitive": "no"}, "variables.v.sensitive", "true or false"),
        ({"type": "boolean", "knots": [1, 2, 3]}, "variables.v", "no key 'knots'"),
        ({"type": "number", "knots": [1, 2]}, "variables.v.knots", "3 to 7 knots"),
        ({"type": "number", "knots": list(range(8))}, "variables.v.knots", "3 to 7 knots"),
        ({"type": "number", "knots": "1 2 3"}, "variables.v.knots", "3 to 7 knots"),
        ({"type": "number", "knots": [1, 2, "3"]}, "variables.v.knots[2]", "A number"),
        ({"type": "number", "knots": [1, 2, 2]}, "variables.v.knots", "must go up"),
        ({"type": "number", "min": 2, "knots": [1, 2, 3]}, "variables.v.knots", "between min"),
        ({"type": "number", "max": 2, "knots": [1, 2, 3]}, "variables.v.knots", "between min"),
    ],
)
def test_wrong_new_keys_are_refused(spec: object, where: str, said: str) -> None:
    with pytest.raises(QueryError, match=said) as caught:
        one(spec)
    assert (caught.value.code, caught.value.where) == ("BAD_CODEBOOK", where)
