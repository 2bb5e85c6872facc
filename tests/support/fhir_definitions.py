"""Holds a FHIR resource against the official definitions of its version.

`tests/support/fhir/r4.json` and `r5.json` are taken from HL7's StructureDefinitions (CC0): for each
element its cardinality, its types and the codes of a required binding. What is looked at: every
name is known, present where needed and not too often, of a fitting JSON type, a code of the list.
Not looked at: invariants (tested by hand beside it) and terminologies outside the definition.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "fhir"
PATTERNS = {
    "id": r"[A-Za-z0-9\-\.]{1,64}",
    "instant": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)",
    "dateTime": r"\d{4}(-\d\d(-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?)?|\d{4}-\d\d-\d\d",
    "date": r"\d{4}(-\d\d(-\d\d)?)?",
    "code": r"[^\s]+( [^\s]+)*",
    "uri": r"\S+",
    "url": r"\S+",
    "canonical": r"\S+",
    "string": r"(?s).*\S.*",
    "markdown": r"(?s).*\S.*",
    "base64Binary": r"[A-Za-z0-9+/]+={0,2}",
    "String": r"(?s).*\S.*",
}
NUMBERS = {"unsignedInt", "positiveInt", "integer", "decimal"}


@cache
def elements(version: str) -> dict[str, dict[str, Any]]:
    found = json.loads((FOLDER / f"{version}.json").read_text("utf-8"))["elements"]
    assert isinstance(found, dict)
    return found


def faults(resource: dict[str, Any], version: str) -> list[str]:
    """What in the resource is not as the definitions of `version` ("r4" or "r5") say."""
    told = dict(resource)
    return _faults(told, str(told.pop("resourceType")), version)


def _faults(value: dict[str, Any], path: str, version: str) -> list[str]:
    known = elements(version)
    children = {
        name.removeprefix(f"{path}."): element
        for name, element in known.items()
        if name.startswith(f"{path}.") and "." not in name.removeprefix(f"{path}.")
    }
    found = [] if children else [f"{path}: no such element or type"]
    seen = set()
    for name, inner in value.items():
        match = _element(name, children)
        if match is None:
            found.append(f"{path}.{name}: not in the definition")
            continue
        element, kind, base = match
        seen.add(base)
        many = element["max"] == "*"
        if isinstance(inner, list) is not many:
            found.append(f"{path}.{name}: {'a list' if many else 'one value'} is needed")
            continue
        values = inner if many else [inner]
        if not values:
            found.append(f"{path}.{name}: an empty list")
        for one in values:
            found += _value(one, element, kind, f"{path}.{name}", f"{path}.{base}", version)
    found += [
        f"{path}.{base}: is needed"
        for base, element in children.items()
        if element["min"] and base not in seen
    ]
    return found


def _element(name: str, children: dict[str, Any]) -> tuple[dict[str, Any], str, str] | None:
    if name in children:
        element = children[name]
        return element, (element["types"] or [""])[0], name
    for base, element in children.items():
        if not base.endswith("[x]"):
            continue
        for kind in element["types"]:
            if name == base[:-3] + kind[0].upper() + kind[1:]:
                return element, kind, base
    return None


def _value(
    value: Any, element: dict[str, Any], kind: str, shown: str, path: str, version: str
) -> list[str]:
    if "like" in element:
        return _faults(value, element["like"], version)
    if kind in ("BackboneElement", "Element"):
        return _faults(value, path, version)
    if kind == "Resource":
        return [f"{shown}: {fault}" for fault in faults(value, version)]
    if kind == "boolean":
        return [] if isinstance(value, bool) else [f"{shown}: not a boolean"]
    if kind in NUMBERS:
        right = isinstance(value, int) and not isinstance(value, bool)
        return [] if right else [f"{shown}: not a number"]
    if kind in PATTERNS:
        if not isinstance(value, str) or not re.fullmatch(PATTERNS[kind], value):
            return [f"{shown}: {value!r} is no {kind}"]
        codes = [code.split()[0] for code in element.get("codes", [])]
        if codes and value not in codes:
            return [f"{shown}: {value!r} is none of {codes}"]
        return []
    return _faults(value, kind, version)
