"""A universe of invented patients that everybody can make from the codebook alone.

Two questions describe the same set, or one the sum of two others, when they do so here. Nothing in
it is about real patients: see federation.disclosure.recognition for what it is for.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from federation.methods.base import Ask, Column, Method, Rows
from federation.query.variables import Variable
from federation.site.cohort import cohort_mask

SIZE = 4096
"""Invented patients. With fewer than the independent answers of a site, sets look more alike than
they are, and their marks decide alone."""

_EPOCH_MONTHS = 1990 * 12
_MONTHS = 50 * 12
_LONGEST = 4000.0


def definitions(method: Method, ask: Ask) -> NDArray[np.uint8]:
    """Who of the universe is in each set of an answer, and in the cohort: 0 and 1, one row per
    label of `Method.sets` and the cohort last, SIZE columns."""
    columns = {name: _column(ask, name) for name in ask.query.variables()}
    inside = cohort_mask(ask.query.cohort, columns, SIZE)
    people = None if ask.per_patient else np.arange(SIZE, dtype=np.int64)
    rows = Rows(columns, SIZE, people).select(inside)
    places = np.flatnonzero(inside)
    members = [places[mask] for _, mask in method.sets(ask, rows)] + [places]
    found = np.zeros((len(members), SIZE), np.uint8)
    for row, there in zip(found, members, strict=True):
        row[there] = 1
    return found


def _column(ask: Ask, name: str) -> Column:
    """The invented values of a variable; nobody lacks one, for the marks tell who really does."""
    variable = ask.codebook.variables[name]
    book = ask.codebook.id.partition("/")[0]
    seed = hashlib.sha256(f"{book}:{name}".encode()).digest()
    chance = np.random.default_rng(int.from_bytes(seed[:16], "big"))
    values = _values(variable, chance)
    if name == ask.params.get("offset"):
        # A person-time of 0 counts as missing. The least one above it lies in the same class.
        values = np.where(values > 0, values, values[values > 0].min(initial=np.inf))
    return Column(variable, values)


def _values(variable: Variable, chance: np.random.Generator) -> NDArray[np.int16 | np.float64]:
    if variable.type in ("category", "boolean"):
        return chance.integers(0, len(variable.group_labels or ()), SIZE).astype(np.int16)
    if variable.type == "date":
        months = _EPOCH_MONTHS + chance.integers(0, _MONTHS, SIZE)
        return (months // 12 * 12 if variable.resolution == "year" else months).astype(np.float64)
    points = _points(variable)
    return points[chance.integers(0, len(points), SIZE)]


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
