"""The patients of one question: consent first, then the cohort, then nothing else of them.

Rows of patients who do not consent are dropped before the cohort is even evaluated, and columns
that the question does not name are never taken along.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from federation.disclosure.auditor import NamedSet
from federation.disclosure.looking import COHORT
from federation.methods.base import Column, Rows
from federation.query.refusals import Refused
from federation.site.checks import Question
from federation.site.cohort import cohort_mask
from federation.site.consenting import Consenting
from federation.site.data import DataStore, Table
from federation.site.slots import Slots

Places = NDArray[np.int64]


@dataclass(frozen=True)
class Selection:
    """`rows`: consenting patients in the cohort. `places`: where they stand in `table`.
    `outside`: consenting patients who are not in the cohort."""

    table: Table
    rows: Rows
    places: Places
    outside: Places


@dataclass(frozen=True)
class Counted:
    """Which sets of patients an answer of this site would describe.

    contributes: False when there are too few for this hospital; it then sends zeros. n: patients
    with complete data. named: bitmaps, the analysis set first; empty when nothing is charged.
    population: whom the auditor compares the cohort with. The hashes change whenever the sets do.
    """

    contributes: bool
    n: int
    named: tuple[NamedSet, ...]
    population: int
    sets_sha256: str
    analysis_sha256: str


def select(question: Question, store: DataStore, consenting: Consenting) -> Selection:
    """Read the data, join consent and cohort. Raises DataError and Refused."""
    query, codebook = question.ask.query, question.ask.codebook
    table = store.table(codebook)
    if table.repeated:
        # The same patient, or the same tumour, twice: the hospital has to look at it.
        raise Refused("DATA_MISMATCH")
    permitted = np.flatnonzero(consenting.mask(table, question.study.slug, question.study.requires))
    columns = {
        name: Column(codebook.variables[name], table.columns[name][permitted])
        for name in query.variables()
    }
    inside = cohort_mask(query.cohort, columns, len(permitted))
    people = None if table.people is None else table.people[permitted]
    rows = Rows(columns, len(permitted), people).select(inside)
    return Selection(table, rows, permitted[inside], permitted[~inside])


def count_sets(question: Question, selection: Selection, slots: Slots) -> Counted:
    """The sets behind an answer, as bitmaps over slots where they will be charged."""
    ask, rows, table = question.ask, selection.rows, selection.table
    masks = question.method.sets(ask, rows)
    n = _patients(rows, masks[0][1])
    if not ask.strict:
        exact = _sha256(table.version.encode(), selection.places.tobytes())
        return Counted(True, n, (), 0, exact, exact)
    if n < ask.terms.t_cohort_site:
        return Counted(False, 0, (), 0, _sha256(b"too few"), _sha256(b"too few"))
    named = (
        *((label, slots.bitmap(table, selection.places[mask])) for label, mask in masks),
        (COHORT, slots.bitmap(table, selection.places)),
    )
    analysis = named[0][1]
    outside = slots.bitmap(table, selection.outside)
    return Counted(
        contributes=True,
        n=n,
        named=named,
        # Rule G6 is about the cohort: patients in it with incomplete data are not "outside".
        population=analysis | outside,
        sets_sha256=_sha256(*(f"{label}\0{bits:x}".encode() for label, bits in named)),
        analysis_sha256=_sha256(f"{analysis:x}".encode()),
    )


def _patients(rows: Rows, mask: NDArray[np.bool_]) -> int:
    """How many patients are behind the rows where `mask` holds."""
    return int(rows.patients_in(np.where(mask, 0, -1), 1)[0])


def _sha256(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
