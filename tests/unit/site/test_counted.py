"""Answers about rows that are no patients are judged by rows and by the patients behind them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from mapped_tables import BOOK, Given, given

from federation.disclosure.auditor import Auditor
from federation.site.data.columns import Table
from federation.site.history.slots import Slots
from federation.site.selection import Counted, judged
from federation.site.store import open_store

__all__ = ["given"]

MAPPING = """
version: 2
codebook: u/1
tables:
  patient: {key: pid}
  tumour: {key: eid}
"""
T = 10


@pytest.fixture
def slots(tmp_path: Path) -> Iterator[Slots]:
    database = open_store(tmp_path / "site.sqlite")
    yield Slots(database)
    database.close()


@pytest.fixture
def tables(given: Given) -> tuple[Table, Table]:
    """60 patients with a tumour each; the first has twelve."""
    rows = [(f"p{n:02}", f"p{n:02}t{t}") for n in range(60) for t in range(12 if n == 0 else 1)]
    text = "pid,eid\n" + "".join(f"{patient},{tumour}\n" for patient, tumour in rows)
    table = given(MAPPING, {"flat": text})
    return table("patient"), table("tumour")


def counted(slots: Slots, table: Table, rows: np.ndarray) -> Counted:
    """An answer that describes these rows, all of them with complete data."""
    behind = ()
    everyone = slots.bitmap(table, np.arange(table.n))
    population = everyone
    if table.people is not None:
        behind = (("analysis of patients", slots.people(table, rows)),)
        population = slots.people(table, np.arange(table.n))
    named = (("analysis", slots.bitmap(table, rows)),)
    return Counted(True, len(rows), named, population, "", "", behind, everyone)


def test_many_rows_of_one_patient_are_one_patient(
    slots: Slots, tables: tuple[Table, Table]
) -> None:
    """Two answers that differ in twelve tumours of one patient give that patient away."""
    _, tumour = tables
    auditor = Auditor(T, 1)
    auditor.add(counted(slots, tumour, np.arange(71)).charged)
    without = counted(slots, tumour, np.arange(12, 71))

    assert auditor.judge(without.named, without.rows, 0).ok  # by rows alone all seems well
    assert judged(auditor, without, 0).flagged == (True,)


def test_questions_about_patients_and_about_tumours_are_held_against_each_other(
    slots: Slots, tables: tuple[Table, Table]
) -> None:
    patient, tumour = tables
    auditor = Auditor(T, 1)
    auditor.add(counted(slots, patient, np.arange(60)).charged)
    without_last = counted(slots, tumour, np.arange(70))

    assert judged(auditor, without_last, 0).flagged == (True,)
    assert judged(auditor, counted(slots, tumour, np.arange(60)), 0).flagged == (False,)


def test_the_patients_left_out_are_counted_as_patients(
    slots: Slots, tables: tuple[Table, Table]
) -> None:
    """The twelve tumours that are left out belong to one patient."""
    _, tumour = tables
    found = judged(Auditor(T, 1), counted(slots, tumour, np.arange(12, 71)), T)

    assert (found.complement_flagged, found.complement_bound) == (True, 1)


def test_a_question_about_patients_is_judged_as_before(
    slots: Slots, tables: tuple[Table, Table]
) -> None:
    patient, _ = tables
    asked = counted(slots, patient, np.arange(45))
    auditor = Auditor(T, 1)

    assert judged(auditor, asked, T) == auditor.judge(asked.named, asked.population, T)
    assert asked.charged == asked.named
    assert asked.least(0) == 45
    assert BOOK.unit == "patient"


def test_the_fewer_of_rows_and_patients_counts(slots: Slots, tables: tuple[Table, Table]) -> None:
    _, tumour = tables

    assert counted(slots, tumour, np.arange(14)).least(0) == 3
