"""Which analyses a hospital's data can answer: per kind, and per named indicator of a codebook."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from federation.methods.registry import KINDS
from federation.query.builtin import beside
from federation.query.codebook import Codebook
from federation.query.variables import Label
from federation.query.yaml_data import load_yaml


@dataclass(frozen=True)
class Answerable:
    """One analysis. missing: what would have to be there first; empty when it can be answered."""

    name: str
    label: Label
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Indicators:
    """name -> (label, variables that are needed); and what a derived variable is made from."""

    needs: Mapping[str, tuple[Label, tuple[str, ...]]]
    made_from: Mapping[str, tuple[str, ...]]


def kinds(codebook: Codebook, filled: Collection[str]) -> list[Answerable]:
    """Each kind of analysis: answerable when, for some unit, every parameter that must be given can
    name a variable with values. missing: the parameters that cannot."""
    found = []
    for name, method in KINDS.items():
        lacking: list[tuple[str, ...]] = []
        for unit in codebook.units:
            variables = [v for n, v in codebook.at(unit).variables.items() if n in filled]
            lacking.append(
                tuple(
                    parameter.name
                    for parameter in method.parameters
                    if parameter.required
                    and (suits := getattr(parameter, "suits", None)) is not None
                    and not any(suits(variable) for variable in variables)
                )
                or (() if variables else ("variables",))
            )
        found.append(Answerable(name, Label(name), min(lacking, key=len)))
    return found


def indicators(
    codebook: Codebook, filled: Collection[str], items: Collection[str]
) -> list[Answerable]:
    """The named indicators of a built-in codebook; none for any other. items: what the mapping
    gives beside the codebook's variables. missing: names of variables, or of what would make
    them."""
    known = _shipped(codebook.id)
    return [
        Answerable(name, label, _missing(needs, known, codebook, filled, items))
        for name, (label, needs) in known.needs.items()
    ]


def _missing(
    needs: tuple[str, ...],
    known: Indicators,
    codebook: Codebook,
    filled: Collection[str],
    items: Collection[str],
) -> tuple[str, ...]:
    missing: dict[str, None] = {}
    for name in needs:
        if name in filled or name not in codebook.variables:
            continue
        sources = known.made_from.get(name, ())
        lacking = [each for each in sources if each not in items and each not in filled]
        missing |= dict.fromkeys(lacking or [name])
    return tuple(missing)


@cache
def _shipped(name: str) -> Indicators:
    data = beside(name, "indicators")
    value: dict[str, Any] = {"indicators": {}, "from": {}} if data is None else load_yaml(data)
    return Indicators(
        needs={
            key: (Label(each["text"]["en"], each["text"]["nl"]), tuple(each["needs"]))
            for key, each in value["indicators"].items()
        },
        made_from={key: tuple(names) for key, names in value["from"].items()},
    )
