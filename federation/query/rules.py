"""Plausibility rules as they are written: a YAML file of conditions, read strictly.

    plausibility: oncomin/1
    year: incidence_date
    rules:
      sex_female_organ:
        severity: E
        text: {en: A female organ in a man, nl: Een vrouwelijk orgaan bij een man}
        source: domain.md 4.4
        when: {var: topography, between: [C51, C58]}
        require: {var: sex, in: [female, unknown]}

A condition is one of {all: […]}, {any: […]}, {not: …}, {var: NAME, in: […]}, {var: NAME, starts:
[…]}, {var: NAME, between: [LOW, HIGH]}, {var: NAME, known: true} and {compare: [TERM, OP, TERM]};
a term is the name of a variable, a number, `today`, {year_of: NAME}, {days: [FROM, TO]}, {add:
[TERM, TERM]} or {years: TERM}. Instead of `require` a rule may say {distinct: …}: no two rows of
one patient are the same tumour.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

from federation.query.builtin import beside
from federation.query.codebook import Codebook
from federation.query.conditions import (
    OPERATORS,
    Added,
    AnyOf,
    Compare,
    Condition,
    DaysBetween,
    Every,
    InCodes,
    InYears,
    Known,
    Named,
    Not,
    Number,
    Term,
    Today,
    YearOf,
    names_in,
)
from federation.query.errors import QueryError, check_keys
from federation.query.variables import NAME, Label, Variable
from federation.query.yaml_data import YamlError, load_yaml

Severity = Literal["E", "W"]
MAX_RULES: Final = 64  # one bit of a number each, per row
MAX_TEXT: Final = 300


class RuleError(ValueError):
    """A file of rules that cannot be used, in one sentence that names the place."""


@dataclass(frozen=True)
class Distinct:
    """Rows of one patient that agree in all of these are the same tumour twice.

    first: variables of which only the first letters of the code count. same: variables that count
    whole. groups: variables whose codes are put together; a code in no group stands for itself.
    """

    first: Mapping[str, int]
    same: tuple[str, ...]
    groups: Mapping[str, Mapping[str, tuple[tuple[int, int], ...]]]

    def names(self) -> frozenset[str]:
        return frozenset({*self.first, *self.same, *self.groups})


@dataclass(frozen=True)
class Rule:
    """One rule. `when` None: it is for every row. Severity E: a row that breaks it is never
    counted; W: it is counted all the same, and shown to the hospital."""

    name: str
    severity: Severity
    text: Label
    source: str
    when: Condition | None
    require: Condition | Distinct

    def names(self) -> frozenset[str]:
        """The variables without which the rule says nothing."""
        require = self.require
        names = require.names() if isinstance(require, Distinct) else names_in(require)
        return names if self.when is None else names | names_in(self.when)


@dataclass(frozen=True)
class RuleBook:
    """The rules for one codebook. `year`: the date by whose year broken rules are counted."""

    codebook: str
    year: str
    rules: tuple[Rule, ...]
    text: bytes


def shipped_rules(codebook: Codebook) -> RuleBook | None:
    """The rules that come with the built-in codebook of this name; None for any other."""
    return _shipped(codebook.id)


@cache
def _shipped(name: str) -> RuleBook | None:
    data = beside(name, "rules")
    return None if data is None else read_rules(data)


def read_rules(data: bytes) -> RuleBook:
    """Read a rules file. RuleError with the place and one sentence for anything unknown."""
    try:
        top = _table(load_yaml(data), "rules", ("plausibility", "year", "rules"))
    except YamlError as error:
        raise RuleError(f"plausibility rules: {error}") from None
    rules = top["rules"]
    if not isinstance(rules, dict) or not 1 <= len(rules) <= MAX_RULES:
        raise _bad("rules", f"name 1 to {MAX_RULES} rules")
    return RuleBook(
        codebook=_text(top["plausibility"], "plausibility"),
        year=_name(top["year"], "year"),
        rules=tuple(_rule(name, value) for name, value in rules.items()),
        text=data,
    )


def check_rule(rule: Rule, variables: Mapping[str, Variable], dates: Collection[str]) -> None:
    """RuleError when a rule names what is neither a variable nor a date that a hospital may have,
    a code of no level, or a thing of another kind than it needs."""
    for name in rule.names():
        if name not in variables and name not in dates:
            raise _bad(f"rules.{rule.name}", f"there is no variable '{name}'")
    conditions = [] if rule.when is None else [rule.when]
    if isinstance(rule.require, Distinct):
        whole = set(rule.require.names()) - set(variables)
        if whole:
            raise _bad(f"rules.{rule.name}", f"'{min(whole)}' cannot tell rows apart")
    else:
        conditions.append(rule.require)
    for condition in conditions:
        _check(condition, f"rules.{rule.name}", variables, dates)


def _check(
    part: Condition | Term, where: str, variables: Mapping[str, Variable], dates: Collection[str]
) -> None:
    match part:
        case InCodes(name, codes):
            variable = variables.get(name)
            if variable is None or variable.type != "category":
                raise _bad(where, f"'{name}' has no codes")
            unknown = codes - {level.code for level in variable.levels}
            if unknown:
                raise _bad(where, f"'{name}' has no level '{min(unknown)}'")
        case Named(name):
            if name not in dates and variables[name].type in ("category", "date"):
                raise _bad(where, f"'{name}' is not a number or a date")
        case YearOf(name) | DaysBetween(name):
            for each in names_in(part):
                if each not in dates:
                    raise _bad(where, f"'{each}' is not a date")
        case Every(items) | AnyOf(items):
            for item in items:
                _check(item, where, variables, dates)
        case Not(inner) | InYears(inner):
            _check(inner, where, variables, dates)
        case Compare(first, _, second) | Added(first, second):
            _check(first, where, variables, dates)
            _check(second, where, variables, dates)
        case Known() | Number() | Today():
            pass


def _rule(name: object, value: object) -> Rule:
    where = f"rules.{str(name)[:60]}"
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise _bad(where, "a name is small letters, digits and underscores")
    keys = ("severity", "text", "source", "when", "require", "distinct")
    table = _table(value, where, ("severity", "text"), keys)
    if table["severity"] not in ("E", "W"):
        raise _bad(f"{where}.severity", "write E or W")
    if ("require" in table) == ("distinct" in table):
        raise _bad(where, "write either require or distinct")
    texts = _table(table["text"], f"{where}.text", ("en", "nl"))
    require: Condition | Distinct
    if "distinct" in table:
        require = _distinct(table["distinct"], f"{where}.distinct")
    else:
        require = _condition(table["require"], f"{where}.require")
    return Rule(
        name=name,
        severity=table["severity"],
        text=Label(_text(texts["en"], f"{where}.text"), _text(texts["nl"], f"{where}.text")),
        source=_text(table.get("source", ""), f"{where}.source"),
        when=_condition(table["when"], f"{where}.when") if "when" in table else None,
        require=require,
    )


def _condition(value: object, where: str) -> Condition:
    if isinstance(value, dict) and len(value) == 1:
        ((key, inner),) = value.items()
        if key in ("all", "any"):
            items = tuple(
                _condition(item, f"{where}.{key}[{place}]")
                for place, item in enumerate(_list(inner, f"{where}.{key}"))
            )
            return Every(items) if key == "all" else AnyOf(items)
        if key == "not":
            return Not(_condition(inner, f"{where}.not"))
        if key == "compare":
            return _compare(inner, f"{where}.compare")
    if isinstance(value, dict) and len(value) == 2 and "var" in value:
        return _about(value, where)
    raise _bad(where, "this is not a condition")


def _about(value: Mapping[Any, Any], where: str) -> Condition:
    name = _name(value["var"], f"{where}.var")
    ((key, inner),) = ((k, v) for k, v in value.items() if k != "var")
    if key == "known" and isinstance(inner, bool):
        return Known(name, inner)
    if key == "in":
        return InCodes(name, codes=frozenset(_codes(inner, f"{where}.in")))
    if key == "starts":
        return InCodes(name, starts=tuple(_codes(inner, f"{where}.starts")))
    if key == "between":
        ends = _codes(inner, f"{where}.between")
        if len(ends) == 2:
            return InCodes(name, between=(ends[0], ends[1]))
    raise _bad(where, "write in, starts, between or known")


def _compare(value: object, where: str) -> Compare:
    parts = _list(value, where)
    if len(parts) != 3 or parts[1] not in OPERATORS:
        raise _bad(where, f"write [term, operator, term] with one of {' '.join(OPERATORS)}")
    return Compare(_term(parts[0], where), parts[1], _term(parts[2], where))


def _term(value: object, where: str) -> Term:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Number(float(value))
    if value == "today":
        return Today()
    if isinstance(value, str):
        return Named(_name(value, where))
    if isinstance(value, dict) and len(value) == 1:
        ((key, inner),) = value.items()
        if key == "year_of":
            return YearOf(_name(inner, where))
        if key == "years":
            return InYears(_term(inner, where))
        pair = inner if isinstance(inner, list) and len(inner) == 2 else None
        if key == "days" and pair is not None:
            return DaysBetween(_name(pair[0], where), _name(pair[1], where))
        if key == "add" and pair is not None:
            return Added(_term(pair[0], where), _term(pair[1], where))
    raise _bad(where, "this is not a term")


_RANGE = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")


def _distinct(value: object, where: str) -> Distinct:
    table = _table(value, where, (), ("first", "same", "groups"))
    first = _table(table.get("first", {}), f"{where}.first", None)
    for name, length in first.items():
        if type(length) is not int or not 1 <= length <= 80:
            raise _bad(f"{where}.first.{name}", "say how many letters count")
    groups = {
        _name(name, f"{where}.groups"): {
            group: tuple(_range(each, f"{where}.groups") for each in _list(ranges, where))
            for group, ranges in _table(found, f"{where}.groups.{name}", None).items()
        }
        for name, found in _table(table.get("groups", {}), f"{where}.groups", None).items()
    }
    same = tuple(_name(name, f"{where}.same") for name in table.get("same", []))
    return Distinct({_name(name, where): n for name, n in first.items()}, same, groups)


def _range(value: object, where: str) -> tuple[int, int]:
    found = _RANGE.fullmatch(str(value))
    if found is None:
        raise _bad(where, "write codes and ranges of codes, such as 8140-8149")
    return int(found[1]), int(found[2] or found[1])


def _table(
    value: object, where: str, needed: tuple[str, ...] | None, known: tuple[str, ...] | None = None
) -> dict[str, Any]:
    """A table with text keys; with all of `needed` and none that is not in `known`."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise _bad(where, "this must consist of named keys")
    if needed is not None:
        try:
            check_keys(value, known or needed, needed)
        except QueryError as error:
            raise _bad(where, error.message.rstrip(".")) from None
    return value


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise _bad(where, "this must be a list")
    return value


def _codes(value: object, where: str) -> list[str]:
    codes = _list(value, where)
    if not all(isinstance(code, str | int) and not isinstance(code, bool) for code in codes):
        raise _bad(where, "this must be a list of codes")
    return [str(code) for code in codes]


def _name(value: object, where: str) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise _bad(where, "name a variable of the codebook")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT or not all(map(str.isprintable, value)):
        raise _bad(where, f"a text of at most {MAX_TEXT} characters is needed")
    return value


def _bad(where: str, why: str) -> RuleError:
    return RuleError(f"plausibility rules: {where}: {why}.")
