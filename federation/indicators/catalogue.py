"""The indicators that come with the program, and what each needs of a hospital."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Final

from federation.indicators.definition import Indicator
from federation.query.builtin import builtin_codebook
from federation.query.codebook import Codebook
from federation.query.errors import BAD_VALUE, QueryError
from federation.query.formula import parse_formula
from federation.query.json_data import load_json
from federation.query.yaml_data import YamlError, load_yaml

MAX_BYTES: Final = 50_000
MAX_DEPTH: Final = 20

_FOLDER: Final = resources.files("federation") / "indicators" / "shipped"


@cache
def shipped() -> Mapping[str, Indicator]:
    """The shipped indicators by id, in order of id. None of them has an owner: a group that wants
    another definition makes a version of its own."""
    files = sorted(file.name for file in _FOLDER.iterdir() if file.name.endswith(".yaml"))
    found = (read_definition((_FOLDER / name).read_bytes()) for name in files)
    return MappingProxyType({each.id: each for each in found})


def read_definition(data: bytes, codebook: Codebook | None = None) -> Indicator:
    """The definition in a file: YAML, or JSON when it begins with a brace. QueryError if wrong."""
    if len(data) > MAX_BYTES:
        raise QueryError(BAD_VALUE, f"A definition has at most {MAX_BYTES} bytes. Make it smaller.")
    if data.lstrip().startswith(b"{"):
        return Indicator.from_dict(load_json(data, MAX_BYTES, MAX_DEPTH), codebook)
    try:
        return Indicator.from_dict(load_yaml(data, MAX_BYTES, MAX_DEPTH), codebook)
    except YamlError as error:
        raise QueryError(BAD_VALUE, f"The definition cannot be read: {error}") from None


def needs(indicator: Indicator, codebook: Codebook | None = None) -> tuple[str, ...]:
    """The variables without which a hospital cannot answer, in the order of their use.

    Those of the strata are not among them: a cause is looked for where it can be.
    """
    book = builtin_codebook(indicator.codebook) if codebook is None else codebook
    if book is None or book.whole.id != indicator.codebook:
        raise QueryError(BAD_VALUE, f"Give the codebook {indicator.codebook}.", "codebook")
    names = [*indicator.cohort.variables(), indicator.role_variable, indicator.date]
    for exclusion in indicator.exclusions:
        names += exclusion.when.variables()
    if indicator.numerator is not None:
        names += indicator.numerator.variables()
    names += [indicator.time, indicator.event, indicator.variable]
    names += [indicator.exposure, indicator.baseline]
    if indicator.case_mix is not None:
        names += parse_formula(indicator.case_mix, book.at(indicator.unit), False).variables
    return tuple(dict.fromkeys(name for name in names if name is not None))
