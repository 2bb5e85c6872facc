"""The patients of one question: consent first, then the cohort, then nothing else of them.

Rows of patients who do not consent are dropped before the cohort is even evaluated, and columns
that the question does not name are never taken along.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from operator import or_
from typing import Final

import numpy as np
from numpy.typing import NDArray

from federation.disclosure.auditor import Auditor, Judgement, NamedSet
from federation.disclosure.looking import COHORT
from federation.methods.base import Column, Rows
from federation.methods.cohorts import cohort_mask
from federation.query.refusals import Refused
from federation.site.checks import Question, adds_nobody_without
from federation.site.choices.consenting import Consenting
from federation.site.data.columns import DataStore, Table
from federation.site.history.slots import Slots

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

    Where a row is not a patient, `named` are sets of rows, and `behind` in the same order the sets
    of patients who have those rows, by the slots that questions about patients use: such an answer
    tells both numbers. `rows`: the rows the cohort is compared with. `kept_back`: the sets of a
    hospital that does not contribute, of which the others may answer.
    """

    contributes: bool
    n: int
    named: tuple[NamedSet, ...]
    population: int
    sets_sha256: str
    analysis_sha256: str
    behind: tuple[NamedSet, ...] = ()
    rows: int = 0
    kept_back: tuple[NamedSet, ...] = ()

    @property
    def charged(self) -> tuple[NamedSet, ...]:
        """Every set that the ledger keeps."""
        return (*self.named, *self.behind)

    @property
    def silent(self) -> Counted:
        """The same of a hospital that may not answer this beside what it answered before: it stays
        out (federation/site/alone.py)."""
        return replace(STAYS_OUT, kept_back=self.charged)

    def least(self, place: int) -> int:
        """How many rows, or patients behind them, a set has: the fewer of the two."""
        sets = [self.named[place], *(self.behind[place : place + 1])]
        return min(bitmap.bit_count() for _, bitmap in sets)


def nobody(why: bytes) -> Counted:
    """A hospital that takes part with zeros under its masks; `why` only tells two reasons apart."""
    return Counted(False, 0, (), 0, _sha256(why), _sha256(why))


def judged(auditor: Auditor, counted: Counted, t_complement: int) -> Judgement:
    """The auditor's judgement of the sets, in order of `named`: of rows and of the patients behind
    them the stricter one. Nothing is remembered."""
    if not counted.behind:
        return auditor.judge(counted.named, counted.population, t_complement)
    found = auditor.judge(counted.charged, counted.rows, t_complement)
    half = len(counted.named)
    outside = (counted.population & ~counted.behind[0][1]).bit_count()
    return replace(
        found,
        flagged=tuple(map(or_, found.flagged[:half], found.flagged[half:])),
        bound=tuple(map(min, found.bound[:half], found.bound[half:])),
        told=tuple(map(or_, found.told[:half], found.told[half:])),
        complement_flagged=found.complement_flagged or 0 < outside < t_complement,
        complement_bound=min(found.complement_bound, outside),
    )


def select(question: Question, store: DataStore, consenting: Consenting) -> Selection:
    """Read the data, join consent and cohort. Raises DataError and Refused."""
    query, codebook = question.ask.query, question.ask.codebook
    table = store.table(codebook)
    if table.repeated:
        # The same patient, or the same tumour, twice: the hospital has to look at it.
        raise Refused("DATA_MISMATCH")
    permitted = np.flatnonzero(consenting.mask(table, question.study.slug, question.study.requires))
    if not set(query.variables()) <= set(table.columns) and adds_nobody_without(question.ask):
        return _nobody_has_it(question, table)
    columns = {
        name: Column(codebook.variables[name], table.columns[name][permitted])
        for name in query.variables()
    }
    inside = cohort_mask(query.cohort, columns, len(permitted))
    people = None if table.people is None else table.people[permitted]
    times = {name: days[permitted] for name, days in table.times.items() if name in columns}
    rows = Rows(columns, len(permitted), people, times=times).select(inside)
    return Selection(table, rows, permitted[inside], permitted[~inside])


def _nobody_has_it(question: Question, table: Table) -> Selection:
    """No rows at all, with an empty column for each variable, also for one that is not recorded."""
    none, variables = np.zeros(0, np.int64), question.ask.codebook.variables
    coded = ("category", "boolean")
    columns = {
        name: Column(
            variables[name], np.zeros(0, np.int16 if variables[name].type in coded else np.float64)
        )
        for name in question.ask.query.variables()
    }
    people = None if table.people is None else none
    times = {name: np.zeros(0) for name in table.times if name in columns}
    return Selection(table, Rows(columns, 0, people, times=times), none, none)


def count_sets(question: Question, selection: Selection, slots: Slots) -> Counted:
    """The sets behind an answer, as bitmaps over slots where they will be charged."""
    ask, rows, table = question.ask, selection.rows, selection.table
    masks = question.method.sets(ask, rows)
    n = _patients(rows, masks[0][1])
    if not ask.strict:
        exact = _sha256(table.version.encode(), selection.places.tobytes())
        return Counted(True, n, (), 0, exact, exact)
    places = [(label, selection.places[mask]) for label, mask in masks]
    places.append((COHORT, selection.places))
    named = tuple((label, slots.bitmap(table, rows)) for label, rows in places)
    analysis = named[0][1]
    # Rule G6 is about the cohort: patients in it with incomplete data are not "outside".
    population = analysis | slots.bitmap(table, selection.outside)
    behind: tuple[NamedSet, ...] = ()
    rows_here = population
    if table.people is not None:
        behind = tuple((f"{name} of patients", slots.people(table, rows)) for name, rows in places)
        population = behind[0][1] | slots.people(table, selection.outside)
    if n < ask.terms.t_cohort_site:
        return replace(nobody(b"too few"), kept_back=(*named, *behind))
    return Counted(
        contributes=True,
        n=n,
        named=named,
        population=population,
        behind=behind,
        rows=rows_here,
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


STAYS_OUT: Final = nobody(b"stays out")
"""What the ledger and the journal know of a hospital that stays out."""
