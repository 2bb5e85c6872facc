from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from federation.query.codebook import Codebook
from federation.query.errors import QueryError
from federation.query.parameters import (
    BoolParam,
    ChoiceParam,
    FormulaParam,
    NumberParam,
    NumbersParam,
    Parameter,
    StrataParam,
    VariableParam,
    VariablesParam,
    parse_parameters,
)

PARAMETERS: dict[str, Parameter] = {
    "time": VariableParam(name="time", types=("duration",), help_en="Time.", help_nl="Tijd."),
    "by": VariableParam(name="by", groupable=True, required=False),
    "many": VariablesParam(name="many", min=0, max=2, groupable=True, required=False, default=[]),
    "at": NumbersParam(name="at", required=False, low=1, high=100, max_items=3),
    "days": NumbersParam(name="days", whole=True),
    "grid": NumberParam(name="grid", whole=True, required=False, low=1, high=365),
    "share": NumberParam(name="share", high=1, required=False, default=0.5),
    "ties": ChoiceParam(name="ties", choices=("efron", "breslow"), required=False, default="efron"),
    "formula": FormulaParam(name="formula", two_sided=False),
    "strata": StrataParam(name="strata", default="site", help_en="Own baseline per what."),
    "robust": BoolParam(name="robust"),
}

GOOD: list[tuple[str, Any, Any, tuple[str, ...]]] = [
    ("time", "rfs_days", "rfs_days", ("rfs_days",)),
    ("by", "hormone", "hormone", ("hormone",)),
    ("by", None, None, ()),
    ("many", [], [], ()),
    ("many", ["grade", "age"], ["grade", "age"], ("grade", "age")),
    ("at", [30, 10.0, 30], [10, 30], ()),
    ("at", None, None, ()),
    ("days", [0], [0], ()),
    ("grid", 30, 30, ()),
    ("grid", None, None, ()),
    ("share", 0.25, 0.25, ()),
    ("ties", "breslow", "breslow", ()),
    ("formula", "C(grade)+age", "grade + age", ("grade", "age")),
    ("strata", "site", "site", ()),
    ("strata", None, None, ()),
    ("strata", "grade", "grade", ("grade",)),
    ("robust", True, True, ()),
]
BAD: list[tuple[str, Any, str, str]] = [
    ("time", "age", "BAD_VALUE", "needs a variable of type duration. Use one of: rfs_days"),
    ("time", None, "UNKNOWN_VARIABLE", "has no variable"),
    ("time", "rfs_day", "UNKNOWN_VARIABLE", "Did you mean 'rfs_days'"),
    ("by", "rfs_days", "BAD_VALUE", "with levels or cuts"),
    ("many", ["grade", "grade"], "BAD_VALUE", "twice"),
    ("many", ["grade", "age", "pgr"], "BAD_VALUE", "0 to 2 variables"),
    ("many", {"grade": 1}, "BAD_VALUE", "0 to 2 variables"),
    ("many", None, "BAD_VALUE", "0 to 2 variables"),
    ("at", [], "BAD_VALUE", "1 to 3 numbers"),
    ("at", [1, 2, 3, 4], "BAD_VALUE", "1 to 3 numbers"),
    ("at", [0], "BAD_VALUE", "between 1 and 100"),
    ("at", ["1"], "BAD_VALUE", "needs a number"),
    ("at", [True], "BAD_VALUE", "needs a number"),
    ("at", [float("nan")], "BAD_VALUE", "between 1 and 100"),
    ("days", [1.5], "BAD_VALUE", "whole number"),
    ("days", None, "BAD_VALUE", "list"),
    ("grid", 30.5, "BAD_VALUE", "whole number"),
    ("grid", 366, "BAD_VALUE", "between 1 and 365"),
    ("share", None, "BAD_VALUE", "needs a number"),
    ("ties", "exact", "BAD_VALUE", "not possible for ties"),
    ("ties", ["efron"], "BAD_VALUE", "not possible for ties"),
    ("formula", "relapse ~ age", "BAD_FORMULA", "Only the right side"),
    ("strata", "rfs_days", "BAD_VALUE", "with levels or cuts"),
    ("robust", "true", "BAD_VALUE", "true or false"),
    ("robust", None, "BAD_VALUE", "true or false"),
]


@pytest.mark.parametrize(("name", "value", "normal", "variables"), GOOD, ids=str)
def test_normalises(
    gbsg: Codebook, name: str, value: Any, normal: Any, variables: tuple[str, ...]
) -> None:
    parameter = PARAMETERS[name]
    assert parameter.parse(value, gbsg, name) == normal
    assert parameter.variables(normal, gbsg) == variables
    for codebook in (None, gbsg):
        schema = parameter.json_schema(codebook)
        assert jsonschema_rs.is_valid(schema, normal), schema


@pytest.mark.parametrize(("name", "value", "code", "said"), BAD, ids=str)
def test_refuses(gbsg: Codebook, name: str, value: Any, code: str, said: str) -> None:
    with pytest.raises(QueryError, match=said) as caught:
        PARAMETERS[name].parse(value, gbsg, f"analysis.{name}")
    assert caught.value.code == code
    assert caught.value.where.startswith(f"analysis.{name}")


@pytest.mark.parametrize(
    "bad", [b for b in BAD if b[0] != "formula" and "nan" not in str(b)], ids=str
)
def test_the_schema_refuses_the_same(gbsg: Codebook, bad: tuple[str, Any, str, str]) -> None:
    name, value, _, _ = bad
    assert not jsonschema_rs.is_valid(PARAMETERS[name].json_schema(gbsg), value)


def test_one_value_stands_for_a_list_of_one(gbsg: Codebook) -> None:
    assert PARAMETERS["many"].parse("grade", gbsg, "x") == ["grade"]
    assert PARAMETERS["at"].parse(5, gbsg, "x") == [5]


def test_defaults_are_filled_in(gbsg: Codebook) -> None:
    chosen = [PARAMETERS[name] for name in ("time", "by", "strata", "robust")]
    assert parse_parameters({"time": "rfs_days"}, chosen, gbsg, "analysis") == {
        "time": "rfs_days",
        "by": None,
        "strata": "site",
        "robust": False,
    }
    with pytest.raises(QueryError, match="'time' is missing") as caught:
        parse_parameters({}, chosen, gbsg, "analysis")
    assert caught.value.where == "analysis"


def test_help_in_two_languages() -> None:
    assert PARAMETERS["time"].help("nl") == "Tijd."
    assert PARAMETERS["time"].help() == "Time."
    assert PARAMETERS["strata"].help("nl") == "Own baseline per what."
    assert PARAMETERS["time"].json_schema()["description"] == "Time."


def test_nothing_suits_says_so() -> None:
    book = Codebook.from_dict({"codebook": "x/1", "variables": {"v": {"type": "boolean"}}})
    with pytest.raises(QueryError, match="Nothing is allowed here"):
        PARAMETERS["time"].parse("v", book, "x")


def test_a_parameter_without_a_reader_is_a_programming_error(gbsg: Codebook) -> None:
    with pytest.raises(NotImplementedError):
        Parameter(name="x").parse(1, gbsg, "x")
    with pytest.raises(NotImplementedError):
        Parameter(name="x").json_schema()
    assert Parameter(name="x").variables(1, gbsg) == ()
