"""A universe of invented patients that everybody can make from the codebook alone.

Two questions describe the same set, or one the sum of two others, when they do so here. Nothing in
it is about real patients: see federation.disclosure.recognition for what it is for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from federation.methods.base import Ask, Column, Method, Rows
from federation.methods.cohorts import cohort_mask
from federation.query.codebook import Codebook
from federation.query.variables import Variable

SIZE = 4096
"""Invented patients. With fewer than the independent answers of a site, sets look more alike than
they are, and their marks decide alone."""

_VARIABLES_IN_MEMORY = 256
_EPOCH_MONTHS = 1990 * 12
_MONTHS = 50 * 12
_LONGEST = 4000.0


def definitions(method: Method, ask: Ask) -> NDArray[np.uint8]:
    """Who of the universe is in each set of an answer, and in the cohort: 0 and 1, one row per
    label of `Method.sets` and the cohort last, SIZE columns."""
    person_time = ask.params.get("offset")
    columns = columns_of(ask.codebook, ask.query.variables(), person_time)
    inside = cohort_mask(ask.query.cohort, columns, SIZE)
    people = None if ask.per_patient else np.arange(SIZE, dtype=np.int64)
    rows = Rows(columns, SIZE, people).select(inside)
    places = np.flatnonzero(inside)
    members = [places[mask] for _, mask in method.sets(ask, rows)] + [places]
    found = np.zeros((len(members), SIZE), np.uint8)
    for row, there in zip(found, members, strict=True):
        row[there] = 1
    return found


def columns_of(
    codebook: Codebook, names: Iterable[str], person_time: str | None = None
) -> dict[str, Column]:
    """The invented values of these variables; nobody lacks one, for the marks tell who really does.

    `person_time`: the variable of which 0 counts as missing; the least value above it, which lies
    in the same class, stands there instead.
    """
    book = codebook.id.partition("/")[0]
    found = {}
    for name in names:
        variable = codebook.variables[name]
        values = _values_in(book, variable)
        if name == person_time:
            values = np.where(values > 0, values, values[values > 0].min(initial=np.inf))
        found[name] = Column(variable, values)
    return found


@lru_cache(maxsize=_VARIABLES_IN_MEMORY)
def _values_in(book: str, variable: Variable) -> NDArray[np.int16 | np.float64]:
    """Read only, because everybody gets the same array."""
    seed = hashlib.sha256(f"{book}:{variable.name}".encode()).digest()
    values = _values(variable, np.random.default_rng(int.from_bytes(seed[:16], "big")))
    values.flags.writeable = False
    return values


def _values(variable: Variable, chance: np.random.Generator) -> NDArray[np.int16 | np.float64]:
    if variable.type in ("category", "boolean"):
        return chance.integers(0, len(variable.group_labels or ()), SIZE).astype(np.int16)
    if variable.type == "date":
        months = _EPOCH_MONTHS + chance.integers(0, _MONTHS, SIZE)
        return (months // 12 * 12 if variable.resolution == "year" else months).astype(np.float64)
    # As many in each class of the codebook, however wide it is: a question is about classes, and a
    # set of which nobody is invented looks like any other such set.
    points, edges = _points(variable), np.array(variable.edges or (-np.inf, np.inf))
    starts = np.searchsorted(points, edges[:-1])
    sizes = np.diff(starts, append=len(points))
    chosen = chance.integers(0, len(starts), SIZE)
    return points[starts[chosen] + (chance.random(SIZE) * sizes[chosen]).astype(np.int64)]


def _points(variable: Variable) -> NDArray[np.float64]:
    """Values on, before and after every place at which a question may cut."""
    low = 0.0 if variable.min is None else variable.min
    high = max(low + 1, _LONGEST) if variable.max is None else variable.max
    edges = np.array(variable.edges or (low, high))
    between = (edges[:-1] + edges[1:]) / 2
    spread = np.linspace(low, high, 400)
    points = np.unique(np.concatenate((edges, between, spread)))
    if variable.type in ("integer", "duration"):
        points = np.unique(np.clip(np.rint(points), low, high))
    return points
