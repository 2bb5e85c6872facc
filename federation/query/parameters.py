"""The types of parameters from which a method says, as data, what its analysis takes.

A parameter parses one JSON value against a codebook into a normalised JSON value, says which
variables it names, and describes itself as JSON schema, so that form, API, client and command line
share one definition.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from federation.query.codebook import Codebook, Variable, plain_number
from federation.query.cohort import Node
from federation.query.errors import BAD_VALUE, QueryError, at, did_you_mean, shown
from federation.query.formula import MAX_TEXT, parse_formula

Schema = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One named parameter. When it may be left out, `default` is what then applies.

    A parameter whose default is None also takes JSON null, which means the same as leaving it out.
    """

    name: str
    required: bool = True
    default: Any = None
    help_en: str = ""
    help_nl: str = ""

    def parse(self, value: Any, codebook: Codebook, where: str) -> Any:
        """Return the normalised JSON value, or raise QueryError with its place."""
        if value is None and not self.required and self.default is None:
            return None
        return self._parse(value, codebook, where)

    def json_schema(self, codebook: Codebook | None = None) -> Schema:
        """Return the JSON schema of the value; with a codebook it lists the allowed names."""
        schema = self._schema(codebook)
        if not self.required and self.default is None:
            schema = {"anyOf": [schema, {"type": "null"}]}
        if self.help_en:
            schema["description"] = self.help_en
        if not self.required and self.default is not None:
            schema["default"] = self.default
        return schema

    def variables(self, value: Any, codebook: Codebook) -> tuple[str, ...]:
        """Return the codebook variables that a normalised value names."""
        return ()

    def condition(self, value: Any, codebook: Codebook) -> Node | None:
        """Return the condition about patients that a normalised value is, if it is one."""
        return None

    def meaning(self, value: Any, codebook: Codebook) -> Any:
        """Return the same JSON for two normalised values that ask the same."""
        return value

    def check(self, values: Mapping[str, Any], codebook: Codebook, where: str) -> None:
        """Hold the value against those of the other parameters; QueryError when it does not fit."""

    def help(self, lang: str = "en") -> str:
        """Return the explanation in "nl" or else English."""
        return self.help_nl if lang == "nl" and self.help_nl else self.help_en

    def _parse(self, value: Any, codebook: Codebook, where: str) -> Any:
        raise NotImplementedError

    def _schema(self, codebook: Codebook | None) -> Schema:
        raise NotImplementedError


class Kind(Protocol):
    """What the query model needs to know of an analysis: its name and parameters.

    A kind whose parameters must fit each other also has `check(params, codebook, where)`, which
    raises QueryError; `params` are all parsed, and `where` is the analysis.
    """

    @property
    def kind(self) -> str:
        """Return the name used in `analysis.kind`."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Return the parameters in the order a form shows them."""


@dataclass(frozen=True, kw_only=True)
class _Choosing(Parameter):
    """Shared part of parameters that name variables: which ones are suitable."""

    types: tuple[str, ...] = ()  # empty: every type
    groupable: bool = False  # needs group labels: levels, cuts, or a small integer range

    def suits(self, variable: Variable) -> bool:
        """Tell whether this variable may be named here."""
        if self.types and variable.type not in self.types:
            return False
        return not self.groupable or variable.group_labels is not None

    def suitable(self, codebook: Codebook) -> tuple[str, ...]:
        """Return the names of the variables that may be named here, in codebook order."""
        return tuple(name for name, v in codebook.variables.items() if self.suits(v))

    def _name(self, value: object, codebook: Codebook, where: str) -> str:
        variable = codebook.variable(value, where)
        if not self.suits(variable):
            wanted = f"a variable of type {' or '.join(self.types)}" if self.types else "a variable"
            if self.groupable:
                wanted += " with levels or cuts"
            raise QueryError(
                BAD_VALUE,
                f"'{variable.name}' is of type {variable.type}; {self.name} needs {wanted}. "
                f"{_use_one_of(self.suitable(codebook))}",
                where,
            )
        return variable.name

    def _name_schema(self, codebook: Codebook | None) -> Schema:
        if codebook is None:
            return {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,62}$"}
        return {"type": "string", "enum": list(self.suitable(codebook))}


def _use_one_of(names: Iterable[str]) -> str:
    return did_you_mean("", names)


@dataclass(frozen=True, kw_only=True)
class VariableParam(_Choosing):
    """The name of one variable."""

    def _parse(self, value: Any, codebook: Codebook, where: str) -> str:
        return self._name(value, codebook, where)

    def _schema(self, codebook: Codebook | None) -> Schema:
        return self._name_schema(codebook)

    def variables(self, value: Any, codebook: Codebook) -> tuple[str, ...]:
        """Return the one variable, if any."""
        return () if value is None else (str(value),)


@dataclass(frozen=True, kw_only=True)
class VariablesParam(_Choosing):
    """A list of `min` to `max` different variables; one name stands for a list of one."""

    min: int = 1
    max: int = 20

    def _parse(self, value: Any, codebook: Codebook, where: str) -> list[str]:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not self.min <= len(items) <= self.max:
            raise QueryError(
                BAD_VALUE, f"{self.name} is a list of {self.min} to {self.max} variables.", where
            )
        names = [self._name(item, codebook, at(where, i)) for i, item in enumerate(items)]
        for i, name in enumerate(names):
            if name in names[:i]:
                raise QueryError(
                    BAD_VALUE, f"'{name}' stands here twice. Remove one.", at(where, i)
                )
        return names

    def _schema(self, codebook: Codebook | None) -> Schema:
        return {
            "type": "array",
            "items": self._name_schema(codebook),
            "minItems": self.min,
            "maxItems": self.max,
            "uniqueItems": True,
        }

    def variables(self, value: Any, codebook: Codebook) -> tuple[str, ...]:
        """Return the listed variables."""
        return tuple(value or ())


def _number(value: Any, name: str, low: float, high: float, whole: bool, where: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise QueryError(BAD_VALUE, f"{name} needs a number.", where)
    if not low <= value <= high:
        raise QueryError(
            BAD_VALUE,
            f"{name} lies between {plain_number(low)} and {plain_number(high)}.",
            where,
        )
    if whole and not float(value).is_integer():
        raise QueryError(BAD_VALUE, f"{name} needs a whole number.", where)
    return plain_number(value)


@dataclass(frozen=True, kw_only=True)
class NumberParam(Parameter):
    """One number from `low` to `high`."""

    low: float = 0
    high: float = 1e6
    whole: bool = False

    def _parse(self, value: Any, codebook: Codebook, where: str) -> int | float:
        return _number(value, self.name, self.low, self.high, self.whole, where)

    def _schema(self, codebook: Codebook | None) -> Schema:
        return {
            "type": "integer" if self.whole else "number",
            "minimum": self.low,
            "maximum": self.high,
        }


@dataclass(frozen=True, kw_only=True)
class NumbersParam(Parameter):
    """A list of 1 to `max_items` different numbers; normalised to ascending order."""

    low: float = 0
    high: float = 1e6
    whole: bool = False
    max_items: int = 50

    def _parse(self, value: Any, codebook: Codebook, where: str) -> list[int | float]:
        items = [value] if isinstance(value, int | float) else value
        if not isinstance(items, list) or not 1 <= len(items) <= self.max_items:
            raise QueryError(
                BAD_VALUE, f"{self.name} is a list of 1 to {self.max_items} numbers.", where
            )
        found = {
            _number(item, self.name, self.low, self.high, self.whole, at(where, i))
            for i, item in enumerate(items)
        }
        return sorted(found)

    def _schema(self, codebook: Codebook | None) -> Schema:
        return {
            "type": "array",
            "items": {
                "type": "integer" if self.whole else "number",
                "minimum": self.low,
                "maximum": self.high,
            },
            "minItems": 1,
            "maxItems": self.max_items,
        }


@dataclass(frozen=True, kw_only=True)
class ChoiceParam(Parameter):
    """One of a few fixed texts."""

    choices: tuple[str, ...]

    def _parse(self, value: Any, codebook: Codebook, where: str) -> str:
        if not isinstance(value, str) or value not in self.choices:
            raise QueryError(
                BAD_VALUE,
                f"'{shown(value)}' is not possible for {self.name}. "
                f"{did_you_mean(shown(value), self.choices)}",
                where,
            )
        return value

    def _schema(self, codebook: Codebook | None) -> Schema:
        return {"type": "string", "enum": list(self.choices)}


@dataclass(frozen=True, kw_only=True)
class FormulaParam(Parameter):
    """A model formula; `two_sided` when the outcome stands in it too."""

    two_sided: bool

    def _parse(self, value: Any, codebook: Codebook, where: str) -> str:
        return str(parse_formula(value, codebook, self.two_sided, where))

    def _schema(self, codebook: Codebook | None) -> Schema:
        return {"type": "string", "minLength": 1, "maxLength": MAX_TEXT}

    def variables(self, value: Any, codebook: Codebook) -> tuple[str, ...]:
        """Return the variables in the formula, the outcome first."""
        return () if value is None else parse_formula(value, codebook, self.two_sided).variables


@dataclass(frozen=True, kw_only=True)
class StrataParam(_Choosing):
    """What a model is stratified by: "site", a variable with group labels, or null for nothing."""

    groupable: bool = True
    required: bool = False

    def parse(self, value: Any, codebook: Codebook, where: str) -> Any:
        """Return "site", a variable's name or None; null means no strata whatever the default."""
        return None if value is None else self._parse(value, codebook, where)

    def json_schema(self, codebook: Codebook | None = None) -> Schema:
        """Return the JSON schema, which always allows null."""
        schema: Schema = {
            "anyOf": [{"const": "site"}, self._name_schema(codebook), {"type": "null"}],
            "default": self.default,
        }
        return {**schema, "description": self.help_en} if self.help_en else schema

    def _parse(self, value: Any, codebook: Codebook, where: str) -> str:
        return "site" if value == "site" else self._name(value, codebook, where)

    def variables(self, value: Any, codebook: Codebook) -> tuple[str, ...]:
        """Return the variable, unless the strata are the sites or nothing."""
        return () if value in (None, "site") else (str(value),)


@dataclass(frozen=True, kw_only=True)
class LevelParam(Parameter):
    """A level of the category that parameter `of` names; its code, as text or as a number."""

    of: str

    def check(self, values: Mapping[str, Any], codebook: Codebook, where: str) -> None:
        """Raise QueryError when the category has no such level."""
        value = values[self.name]
        levels = codebook.variables[values[self.of]].group_labels or ()
        if value is not None and value not in levels:
            raise QueryError(
                BAD_VALUE,
                f"'{values[self.of]}' has no level '{shown(value)}'. "
                f"{did_you_mean(shown(value), levels)}",
                where,
            )

    def _parse(self, value: Any, codebook: Codebook, where: str) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise QueryError(BAD_VALUE, f"{self.name} is the code of a level.", where)
        return str(value)

    def _schema(self, codebook: Codebook | None) -> Schema:
        return {"anyOf": [{"type": "string"}, {"type": "integer"}]}


@dataclass(frozen=True, kw_only=True)
class BoolParam(Parameter):
    """True or false."""

    required: bool = False
    default: Any = False

    def _parse(self, value: Any, codebook: Codebook, where: str) -> bool:
        if not isinstance(value, bool):
            raise QueryError(BAD_VALUE, f"{self.name} is true or false.", where)
        return value

    def _schema(self, codebook: Codebook | None) -> Schema:
        return {"type": "boolean"}


def parse_parameters(
    obj: Mapping[str, Any], parameters: Iterable[Parameter], codebook: Codebook, where: str
) -> dict[str, Any]:
    """Return every parameter's normalised value, defaults filled in.

    `obj` holds known names only (the caller checked). Raises QueryError for a missing required
    one, or a wrong value.
    """
    values: dict[str, Any] = {}
    parameters = tuple(parameters)
    for parameter in parameters:
        if parameter.name in obj:
            place = at(where, parameter.name)
            values[parameter.name] = parameter.parse(obj[parameter.name], codebook, place)
        elif parameter.required:
            raise QueryError(BAD_VALUE, f"'{parameter.name}' is missing. Add it.", where)
        else:
            values[parameter.name] = parameter.default
    for parameter in parameters:
        parameter.check(values, codebook, at(where, parameter.name))
    return values
