from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema_rs
import pytest

from federation.methods.registry import KINDS
from federation.query.codebook import Codebook
from federation.query.errors import QueryError
from federation.query.model import Query, parse_query
from federation.query.schema import json_schema

# the reference page's own example
EXAMPLE: dict[str, Any] = {
    "version": 1,
    "study": "hormone-therapy",
    "title": "Recurrence-free survival by hormone therapy",
    "purpose": "why this is asked, in a sentence a patient can read",
    "codebook": "gbsg/1",
    "sites": "all",
    "cohort": {
        "all": [
            {"var": "age", "op": ">=", "value": 40},
            {"not": {"var": "grade", "op": "in", "value": ["1"]}},
        ]
    },
    "analysis": {
        "kind": "survival",
        "time": "rfs_days",
        "event": "relapse",
        "by": "hormone",
        "at": [365, 1095, 1825],
    },
    "output": "pooled",
}


def parse(obj: object, codebook: Codebook) -> Query:
    return parse_query(obj, codebook, KINDS)


def changed(**more: Any) -> dict[str, Any]:
    return {**copy.deepcopy(EXAMPLE), **more}


def test_the_example_is_read(gbsg: Codebook) -> None:
    query = parse(EXAMPLE, gbsg)
    assert query.kind == "survival"
    assert query.params["at"] == [365, 1095, 1825]
    assert query.variables() == ("age", "grade", "hormone", "relapse", "rfs_days")
    assert parse(query.to_dict(), gbsg) == query
    assert hash(parse(json.loads(json.dumps(query.to_dict())), gbsg)) == hash(query)


def test_only_what_cannot_be_guessed_is_needed(gbsg: Codebook) -> None:
    query = parse({"version": 1, "codebook": "gbsg/1", "analysis": {"kind": "count"}}, gbsg)
    assert (query.sites, query.output, query.study) == ("all", "pooled", "")
    assert query.cohort.to_dict() == {}
    assert query.variables() == ()


def test_two_spellings_are_one_question(gbsg: Codebook) -> None:
    first = parse(EXAMPLE, gbsg)
    other = changed(title="Other words", purpose="x", study="another-study", sites="all")
    other["cohort"]["all"].reverse()
    other["analysis"]["at"] = [1825, 365, 1095, 365]
    other["analysis"]["strata"] = None
    second = parse(other, gbsg)
    assert second.question_sha256 == first.question_sha256
    assert second.sha256 != first.sha256


@pytest.mark.parametrize(
    "change",
    [
        {"sites": ["a", "b"]},
        {"output": "by_site"},
        {"cohort": {}},
        {"analysis": {**EXAMPLE["analysis"], "by": None}},
        {"analysis": {"kind": "count"}},
    ],
    ids=str,
)
def test_another_question_has_another_hash(gbsg: Codebook, change: dict[str, Any]) -> None:
    assert parse(changed(**change), gbsg).question_sha256 != parse(EXAMPLE, gbsg).question_sha256


def test_sites_are_a_set(gbsg: Codebook) -> None:
    assert parse(changed(sites=["b", "a", "b"]), gbsg).sites == ("a", "b")


def test_a_query_cannot_be_changed_after_it_was_checked(gbsg: Codebook) -> None:
    mine = changed()
    query = parse(mine, gbsg)
    before = query.sha256
    mine["analysis"]["by"] = "grade"
    query.to_dict()["analysis"]["at"].append(1)
    with pytest.raises(TypeError):
        query.params["by"] = "grade"  # type: ignore[index]
    assert query.sha256 == before


@pytest.mark.parametrize("key", ["requires", "consent", "requirement_set", "items"])
def test_t02_a_request_cannot_bring_its_own_requirements(gbsg: Codebook, key: str) -> None:
    """A hospital takes what a patient must have agreed to from its own agreement with the study."""
    with pytest.raises(QueryError) as refused:
        parse(changed(**{key: ["use.record"]}), gbsg)
    assert refused.value.code == "UNKNOWN_KEY"


@pytest.mark.parametrize(
    ("obj", "code", "where", "said"),
    [
        ([], "BAD_VALUE", "", "An object"),
        ({}, "BAD_VALUE", "", "'version' is missing"),
        (changed(colour=1), "UNKNOWN_KEY", "", "no key 'colour'"),
        (changed(cohorts={}), "UNKNOWN_KEY", "", "Did you mean 'cohort'"),
        (changed(version=2), "BAD_VALUE", "version", "version 1 only"),
        (changed(version=True), "BAD_VALUE", "version", "version 1 only"),
        (changed(version=1.0), "BAD_VALUE", "version", "version 1 only"),
        (changed(study="a b"), "BAD_VALUE", "study", "short name"),
        (changed(study=None), "BAD_VALUE", "study", "short name"),
        (changed(study="../x"), "BAD_VALUE", "study", "short name"),
        (changed(title=1), "BAD_VALUE", "title", "300 characters"),
        (changed(title="x" * 301), "BAD_VALUE", "title", "300 characters"),
        (changed(purpose="a\x00b"), "BAD_VALUE", "purpose", "cannot be shown"),
        (changed(codebook="gbsg/2"), "BAD_VALUE", "codebook", "'gbsg/2'"),
        (changed(codebook=None), "BAD_VALUE", "codebook", "'None'"),
        (changed(sites=[]), "BAD_VALUE", "sites", "list of hospitals"),
        (changed(sites="some"), "BAD_VALUE", "sites", "list of hospitals"),
        (changed(sites=["a", "/b"]), "BAD_VALUE", "sites[1]", "'/b'"),
        (changed(sites=[["a"]]), "BAD_VALUE", "sites[0]", "short name"),
        (changed(output="raw"), "BAD_VALUE", "output", "pooled or by_site"),
        (changed(output=[]), "BAD_VALUE", "output", "pooled or by_site"),
        (changed(analysis=[]), "BAD_VALUE", "analysis", "needs a kind"),
        (changed(analysis={}), "BAD_VALUE", "analysis", "needs a kind"),
        (changed(analysis={"kind": "survivl"}), "UNKNOWN_KIND", "analysis.kind", "'survival'"),
        (changed(analysis={"kind": ["count"]}), "UNKNOWN_KIND", "analysis.kind", "no analysis"),
        (changed(analysis={"kind": "count", "bye": []}), "UNKNOWN_KEY", "analysis", "'by'"),
        (changed(analysis={"kind": "cox"}), "BAD_VALUE", "analysis", "is missing"),
        (
            changed(analysis={"kind": "count", "by": ["grade", "x"]}),
            "UNKNOWN_VARIABLE",
            "analysis.by[1]",
            "no variable 'x'",
        ),
        (
            changed(analysis={**EXAMPLE["analysis"], "output": ["xtx", "vcov"]}),
            "UNKNOWN_KEY",
            "analysis",
            "'output'",
        ),
        (
            changed(analysis={**EXAMPLE["analysis"], "start": [1, 2]}),
            "UNKNOWN_KEY",
            "analysis",
            "'start'",
        ),
    ],
    ids=lambda each: str(each)[-30:],
)
def test_refuses(gbsg: Codebook, obj: object, code: str, where: str, said: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(obj, gbsg)
    assert (caught.value.code, caught.value.where) == (code, where)
    assert said in caught.value.message


@pytest.mark.parametrize("with_codebook", [True, False])
def test_the_schema_accepts_what_is_read_and_names_what_exists(
    gbsg: Codebook, with_codebook: bool
) -> None:
    schema = json_schema(KINDS, gbsg if with_codebook else None)
    jsonschema_rs.meta.validate(schema)
    for obj in (EXAMPLE, parse(EXAMPLE, gbsg).to_dict(), changed(cohort={"all": []})):
        assert jsonschema_rs.is_valid(schema, obj)
    assert not jsonschema_rs.is_valid(schema, changed(colour=1))
    assert not jsonschema_rs.is_valid(schema, changed(analysis={"kind": "nothing"}))
    unknown = changed(cohort={"var": "agee", "op": ">=", "value": 40})
    assert jsonschema_rs.is_valid(schema, unknown) is not with_codebook


def test_the_schema_knows_which_comparisons_a_variable_has() -> None:
    book = Codebook.from_dict(
        {
            "codebook": "x/1",
            "variables": {
                "small": {"type": "integer", "min": 0, "max": 9},
                "cut": {"type": "number", "min": 0, "max": 9, "cuts": [5]},
                "free": {"type": "duration"},
            },
        }
    )
    validator = jsonschema_rs.validator_for(json_schema(KINDS, book))

    def accepts(var: str, op: str, value: object) -> bool:
        leaf = {"var": var, "op": op, "value": value}
        asked = {"version": 1, "codebook": "x/1", "cohort": leaf, "analysis": {"kind": "count"}}
        return bool(validator.is_valid(asked))

    assert accepts("small", "=", 3)
    assert accepts("small", "in", [1, 2])
    assert not accepts("small", "=", 3.5)
    assert accepts("cut", "<", 5)
    assert not accepts("cut", "<", 4)
    assert not accepts("cut", "=", 5)
    assert accepts("free", "<", 4)
    assert not accepts("free", "between", [1])


UNITS = Codebook.from_dict(
    {
        "codebook": "u/1",
        "units": {"patient": None, "tumour": "patient"},
        "variables": {
            "sex": {"type": "category", "levels": ["m", "f"]},
            "stage": {"type": "category", "levels": ["I", "II"], "per": "tumour"},
        },
    }
)


def asked(*by: str, **more: Any) -> dict[str, Any]:
    return {"version": 1, "codebook": "u/1", "analysis": {"kind": "count", "by": list(by)}, **more}


def test_a_query_about_tumours_uses_tumours_and_their_patients() -> None:
    query = parse(asked("sex", "stage", unit="tumour"), UNITS)
    assert query.unit == "tumour"
    assert query.to_dict()["unit"] == "tumour"
    assert parse(query.to_dict(), UNITS) == query
    assert parse(query.to_dict(), UNITS.at("patient")) == query


def test_the_usual_unit_is_not_written_so_that_old_hashes_stay() -> None:
    plain = parse(asked("sex"), UNITS)
    assert "unit" not in plain.to_dict()
    assert parse(asked("sex", unit="patient"), UNITS).sha256 == plain.sha256
    assert parse(asked("sex", unit="tumour"), UNITS).question_sha256 != plain.question_sha256


@pytest.mark.parametrize(
    ("obj", "code", "where"),
    [
        (asked("stage"), "NOT_IN_CATALOGUE", "analysis.by[0]"),
        (asked("sex", unit="treatment"), "BAD_VALUE", "unit"),
        (asked("sex", unit=1), "BAD_VALUE", "unit"),
        (asked("sex", unit=None), "BAD_VALUE", "unit"),
        (
            asked("sex", cohort={"var": "stage", "op": "=", "value": "I"}),
            "NOT_IN_CATALOGUE",
            "cohort.var",
        ),
    ],
)
def test_a_unit_that_does_not_fit_is_refused(obj: object, code: str, where: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(obj, UNITS)
    assert (caught.value.code, caught.value.where) == (code, where)


def test_the_schema_lists_the_units() -> None:
    schema = json_schema(KINDS, UNITS)
    valid = jsonschema_rs.validator_for(schema).is_valid
    assert valid(asked("sex", "stage", unit="tumour"))
    assert not valid(asked("sex", unit="treatment"))
