"""Which analyses a hospital's data can answer: per kind, and per indicator that is shipped."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from federation.indicators.catalogue import needs, shipped
from federation.methods.registry import KINDS
from federation.query.builtin import beside, builtin_codebook
from federation.query.codebook import Codebook
from federation.query.variables import Label
from federation.query.yaml_data import load_yaml


@dataclass(frozen=True)
class Answerable:
    """One analysis. missing: what would have to be there first; empty when it can be answered."""

    name: str
    label: Label
    missing: tuple[str, ...]


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
    """The shipped indicators of a built-in codebook; none for any other. items: what the mapping
    gives beside the codebook's variables. missing: names of variables, or of what would make
    them."""
    book = builtin_codebook(codebook.whole.id)
    if book is None or book.sha256 != codebook.whole.sha256:
        return []
    made_from = _made_from(book.id)
    return [
        Answerable(each.id, each.text, _missing(needs(each), made_from, filled, items))
        for each in shipped().values()
        if each.codebook == book.id
    ]


def _missing(
    needed: Collection[str],
    made_from: Mapping[str, tuple[str, ...]],
    filled: Collection[str],
    items: Collection[str],
) -> tuple[str, ...]:
    missing: dict[str, None] = {}
    for name in needed:
        if name in filled:
            continue
        sources = made_from.get(name, ())
        lacking = [each for each in sources if each not in items and each not in filled]
        missing |= dict.fromkeys(lacking or [name])
    return tuple(missing)


@cache
def _made_from(name: str) -> Mapping[str, tuple[str, ...]]:
    """What a hospital has to have for a variable that is derived."""
    data = beside(name, "sources")
    value: dict[str, Any] = {"from": {}} if data is None else load_yaml(data)
    return {key: tuple(names) for key, names in value["from"].items()}
