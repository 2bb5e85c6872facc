"""Reads the definition of an indicator and says of each wrong field what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from federation.indicators.fields import (
    MAX_LAY,
    MAX_SOURCE,
    MAX_TEXT,
    bad,
    given_values,
    read_choice,
    read_days,
    read_label,
    read_list,
    read_text,
)
from federation.indicators.measures import BETTER, FIELDS, ROLE_VARIABLES
from federation.indicators.target import Target
from federation.query.builtin import builtin_codebook
from federation.query.builtin import names as builtin_names
from federation.query.codebook import Codebook
from federation.query.cohort import Leaf, Node, parse_cohort
from federation.query.errors import (
    NOT_IN_CATALOGUE,
    QueryError,
    at,
    check_keys,
    did_you_mean,
    shown,
)
from federation.query.formula import parse_formula
from federation.query.variables import NAME, Label, Variable, number_text

MAX_EXCLUSIONS: Final = 10
MAX_NORMS: Final = 3
MAX_TIMES: Final = 5
MAX_TARGETS: Final = 20
MAX_STRATA: Final = 6
MOST_LEVELS: Final = 12
"""A stratum has at most so many groups: more would only hold hidden numbers."""

_ALWAYS: Final = (
    "id",
    "version",
    "text",
    "lay",
    "codebook",
    "unit",
    "role",
    "measure",
    "cohort",
    "date",
    "better",
    "source",
)
_OPTIONAL: Final = ("exclusions", "targets", "strata", "owner")
_BY_MEASURE: Final = tuple(
    dict.fromkeys(key for must, may in FIELDS.values() for key in (*must, *may))
)
_OWNER: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\.[a-z0-9][a-z0-9-]{0,62}")
_DURATIONS: Final = ("duration",)
_NUMBERS: Final = ("integer", "number", "duration")
_GROUPS: Final = ("category", "boolean")

Given = Mapping[str, Any]


@dataclass(frozen=True)
class Exclusion:
    """Rows that are taken out of the cohort; how many is asked apart."""

    text: Label
    when: Node


def read_fields(obj: object, codebook: Codebook | None) -> dict[str, Any]:
    """The fields of an Indicator, all of them checked; see `Indicator.from_dict`."""
    given = given_values(obj, (*_ALWAYS, *_OPTIONAL, *_BY_MEASURE), _ALWAYS)
    measure = read_choice(given["measure"], FIELDS, "measure")
    _check_fields(given, measure)
    book = _codebook(given["codebook"], codebook)
    view = book.at(given["unit"])
    role = read_choice(given["role"], ROLE_VARIABLES, "role")
    needed = ROLE_VARIABLES[role]
    if needed is not None:
        view.variable(needed, "role")
    numerator = _condition(given["numerator"], view, "numerator") if "numerator" in given else None
    if measure == "difference":
        _check_yes_or_no(numerator, view)
    norms = _norms(given, view) if measure == "time" else ()
    times = _times(given.get("at"))
    return dict(
        id=_id(given["id"]),
        version=_version(given["version"]),
        text=read_label(given["text"], MAX_TEXT, "text"),
        lay=read_label(given["lay"], MAX_LAY, "lay"),
        codebook=book.id,
        unit=view.unit,
        role=role,
        measure=measure,
        date=_date_variable(given["date"], view),
        better=read_choice(given["better"], BETTER, "better"),
        source=read_text(given["source"], MAX_SOURCE, "source"),
        cohort=parse_cohort(given["cohort"], view),
        exclusions=_exclusions(given.get("exclusions", []), view),
        numerator=numerator,
        time=_named(given, "time", view, _DURATIONS),
        norms=norms,
        event=_named(given, "event", view, ("boolean",)),
        at=times,
        variable=_variable(given, measure, view),
        baseline=_named(given, "baseline", view, _NUMBERS),
        exposure=_named(given, "exposure", view, ("boolean",)),
        case_mix=_case_mix(given.get("case_mix"), view),
        targets=_targets(given.get("targets", []), measure, norms, times),
        strata=_strata(given.get("strata", []), view),
        owner=_owner(given.get("owner")),
    )


def _check_fields(given: Given, measure: str) -> None:
    must, may = FIELDS[measure]
    for key in must:
        if key not in given:
            raise bad(f"An indicator of measure {measure} needs '{key}'. Add it.", key)
    for key in _BY_MEASURE:
        if key in given and key not in (*must, *may):
            raise bad(f"'{key}' does not go with measure {measure}. Remove it.", key)


def _codebook(value: object, codebook: Codebook | None) -> Codebook:
    if codebook is not None:
        if value != codebook.id:
            raise bad(
                f"The definition is written for codebook '{shown(value)}', and this is "
                f"'{codebook.id}'. Check the variables, then name this codebook.",
                "codebook",
            )
        return codebook.whole
    found = builtin_codebook(value) if isinstance(value, str) else None
    if found is None:
        hint = did_you_mean(shown(value), builtin_names())
        raise bad(f"'{shown(value)}' is not a codebook of the program. {hint}", "codebook")
    return found


def _id(value: object) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise bad("An id is small letters, digits and underscores, starting with a letter.", "id")
    return value


def _version(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 9999:
        raise bad("A version is a whole number from 1. A change makes the next one.", "version")
    return value


def _owner(value: object) -> str | None:
    if value is not None and (not isinstance(value, str) or not _OWNER.fullmatch(value)):
        raise bad("The owner is a working group as network.group, or null.", "owner")
    return value


def _condition(value: object, view: Codebook, where: str) -> Node:
    node = parse_cohort(value, view, where)
    if not node.variables():
        raise bad("This condition holds for everybody. Name at least one variable.", where)
    return node


def _exclusions(value: object, view: Codebook) -> tuple[Exclusion, ...]:
    found = []
    for i, each in enumerate(read_list(value, MAX_EXCLUSIONS, "exclusions")):
        where = at("exclusions", i)
        given = check_keys(each, ("text", "when"), ("text", "when"), where)
        text = read_label(given["text"], MAX_TEXT, at(where, "text"))
        found.append(Exclusion(text, _condition(given["when"], view, at(where, "when"))))
    return tuple(found)


def _date_variable(value: object, view: Codebook) -> str:
    found = view.variable(value, "date")
    if found.type != "date" or found.resolution != "month":
        dates = [
            name
            for name, each in view.variables.items()
            if each.type == "date" and each.resolution == "month"
        ]
        raise bad(f"'{found.name}' is not a month. {did_you_mean(found.name, dates)}", "date")
    return found.name


def _of_type(value: object, view: Codebook, types: tuple[str, ...], where: str) -> Variable:
    found = view.variable(value, where)
    if found.type not in types:
        suited = [name for name, each in view.variables.items() if each.type in types]
        raise bad(
            f"'{found.name}' is of type {found.type}; {where} needs {' or '.join(types)}. "
            f"{did_you_mean(found.name, suited)}",
            where,
        )
    return found


def _named(given: Given, key: str, view: Codebook, types: tuple[str, ...]) -> str | None:
    return _of_type(given[key], view, types, key).name if key in given else None


def _variable(given: Given, measure: str, view: Codebook) -> str | None:
    if "variable" not in given:
        return None
    if measure == "mean":
        return _named(given, "variable", view, _NUMBERS)
    found = _of_type(given["variable"], view, (*_GROUPS, "integer"), "variable")
    if found.group_labels is None:
        raise bad(f"'{found.name}' has no groups to count by. Name another.", "variable")
    return found.name


def _norms(given: Given, view: Codebook) -> tuple[int, ...]:
    cuts = _of_type(given["time"], view, _DURATIONS, "time").cuts
    found = read_days(given["norms"], MAX_NORMS, "norms")
    for i, each in enumerate(found):
        if each not in cuts:
            allowed = ", ".join(number_text(cut) for cut in cuts) or "none"
            raise QueryError(
                NOT_IN_CATALOGUE,
                f"'{given['time']}' has no cut-point at {each} days. It has: {allowed}.",
                at("norms", i),
            )
    return found


def _times(value: object) -> tuple[int, ...]:
    return () if value is None else read_days(value, MAX_TIMES, "at")


def _case_mix(value: object, view: Codebook) -> str | None:
    return None if value is None else str(parse_formula(value, view, False, "case_mix"))


def _check_yes_or_no(numerator: Node | None, view: Codebook) -> None:
    """The two groups of a difference are counted in one table, so what is counted is a variable."""
    if (
        not isinstance(numerator, Leaf)
        or view.variables[numerator.var].type != "boolean"
        or numerator.op != "="
        or numerator.value is not True
    ):
        raise bad(
            "For a difference, what is counted is one yes/no variable: "
            "{var: …, op: =, value: true}.",
            "numerator",
        )


def _strata(value: object, view: Codebook) -> tuple[str, ...]:
    found = []
    for i, each in enumerate(read_list(value, MAX_STRATA, "strata")):
        where = at("strata", i)
        name = _of_type(each, view, _GROUPS, where).name
        if len(view.variables[name].group_labels or ()) > MOST_LEVELS:
            raise bad(f"'{name}' has more than {MOST_LEVELS} groups. Name another.", where)
        if name in found:
            raise bad(f"'{name}' stands here twice. Remove one.", where)
        found.append(name)
    return tuple(found)


def _targets(
    value: object, measure: str, norms: tuple[int, ...], times: tuple[int, ...]
) -> tuple[Target, ...]:
    items = read_list(value, MAX_TARGETS, "targets")
    return tuple(
        Target.from_dict(each, measure, norms, times, at("targets", i))
        for i, each in enumerate(items)
    )
