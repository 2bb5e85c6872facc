"""Rows that are no patients, as bits of the ledger: theirs, and those of the patients behind."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from mapped_tables import FLAT, FLAT_MAPPING, HANDLES, Given, given

from federation.query.codebook import Codebook, load_codebook
from federation.site.history.slots import Slots
from federation.site.store import open_store

__all__ = ["given"]


def codebook_of_one_unit() -> Codebook:
    return load_codebook(
        b"codebook: v/1\nunit: tumour\nvariables:\n  stage: {type: category, levels: [I, II]}\n"
    )


def test_rows_of_a_codebook_that_is_not_about_patients_say_whose_they_are(given: Given) -> None:
    mapping = (
        "codebook: v/1\nkey: pid\nvariables:\n  stage: {column: st, map: {i: I, I: I, ii: II}}\n"
    )
    table = given(mapping, {"flat": FLAT.replace("p3,", ",")}, codebook_of_one_unit())("tumour")

    assert table.repeated == 0
    assert table.people is not None
    same = table.people
    assert same[0] == same[2] != same[1]
    assert same[3] == -1


def test_the_patients_of_tumours_are_the_bits_that_questions_about_patients_use(
    given: Given, tmp_path: Path
) -> None:
    table = given(FLAT_MAPPING, {"flat": FLAT})
    tumour, patient = table("tumour"), table("patient")
    with closing(open_store(tmp_path / "site.sqlite")) as database:
        slots = Slots(database)
        everyone = slots.bitmap(patient, np.arange(3))
        first_two = np.array([0, 1])  # a tumour of p2 and one of p1

        assert slots.people(tumour, np.arange(4)) == everyone
        assert slots.people(tumour, np.array([0, 2])) == slots.bitmap(patient, np.array([0]))
        assert slots.people(tumour, first_two) == slots.bitmap(patient, first_two)
        assert slots.bitmap(tumour, np.arange(4)) & everyone == 0
        assert slots.bitmap(tumour, np.arange(4)).bit_count() == 4


def test_a_row_keeps_its_bit_wherever_it_stands_in_the_file(given: Given, tmp_path: Path) -> None:
    head, *lines = FLAT.splitlines()
    before = given(FLAT_MAPPING, {"flat": FLAT})("tumour")
    with closing(open_store(tmp_path / "site.sqlite")) as database:
        slots = Slots(database)
        one = slots.bitmap(before, np.array([0]))
        after = given(FLAT_MAPPING, {"flat": "\n".join([head, *lines[::-1]]) + "\n"})("tumour")

        assert slots.bitmap(after, np.array([3])) == one
        assert slots.bitmap(after, np.arange(4)).bit_count() == 4
        assert slots.erase(HANDLES.handle("p2"), ["tumour"]) == 2


@pytest.mark.parametrize(
    "mapping",
    [
        "codebook: v/1\nkey: pid\nvariables:\n  stage: {column: st, map: {i: I, ii: II}}\n",
        "version: 2\ncodebook: v/1\ntables:\n  tumour: {key: pid, stage: st}\n",
    ],
)
def test_rows_without_a_table_of_patients_have_patients_all_the_same(
    given: Given, tmp_path: Path, mapping: str
) -> None:
    tumour = given(mapping, {"flat": FLAT}, codebook_of_one_unit())("tumour")
    with closing(open_store(tmp_path / "site.sqlite")) as database:
        slots = Slots(database)

        assert slots.people(tumour, np.array([0, 2])).bit_count() == 1
        assert slots.people(tumour, np.arange(4)).bit_count() == 3
        assert slots.bitmap(tumour, np.arange(4)).bit_count() == 4
    assert tumour.repeated == 0
