"""Slots: the same patient with the same values is the same bit, whatever else changes."""

import sqlite3

import numpy as np
import pytest

from federation.query.codebook import load_codebook
from federation.site.choices.pseudonyms import HandleMaker
from federation.site.data.columns import Table
from federation.site.history.slots import Slots
from federation.site.store import open_store, transaction

BOOK = """
codebook: {name}
variables:
  age: {{type: integer, min: 0, max: 120}}
  grade: {{type: category, levels: [{levels}]}}
"""
MAKER = HandleMaker(b"k" * 32, "net", "s")


def table(people, *, name="t/1", levels="a, b", without=(), version=None):
    """A table of (number, age, grade)."""
    book = load_codebook(BOOK.format(name=name, levels=levels).encode())
    codes = {level.code: i for i, level in enumerate(book.variables["grade"].levels)}
    columns = {
        "age": np.array([np.nan if p[1] is None else p[1] for p in people], float),
        "grade": np.array([codes.get(p[2], -1) for p in people], np.int16),
    }
    handles = MAKER.handles([p[0] for p in people])
    return Table(
        version=version or repr((people, name, levels, without)),
        codebook=book,
        n=len(people),
        columns={k: v for k, v in columns.items() if k not in without},
        handles=handles,
        keyed=np.array([p[0] != "" for p in people], np.bool_),
        repeated=len(people) - len(set(handles.tolist())),
        tallies={},
    )


@pytest.fixture
def database(tmp_path):
    found = open_store(tmp_path / "site.sqlite")
    yield found
    found.close()


@pytest.fixture
def slots(database):
    return Slots(database)


def everyone(slots, found):
    return slots.bitmap(found, np.arange(found.n))


PEOPLE = [("p1", 40, "a"), ("p2", 50, "b"), ("p3", None, None)]


def test_each_patient_is_a_bit(slots):
    found = table(PEOPLE)

    assert everyone(slots, found) == 0b111
    assert slots.bitmap(found, np.array([1])) == 0b010
    assert slots.bitmap(found, np.zeros(0, np.int64)) == 0


def test_order_of_the_file_does_not_matter(slots):
    everyone(slots, table(PEOPLE))

    assert slots.bitmap(table(PEOPLE[::-1]), np.array([0])) == 0b100


def test_a_restart_does_not_matter(slots, database):
    everyone(slots, table(PEOPLE))

    assert everyone(Slots(database), table(PEOPLE[1:])) == 0b110


@pytest.mark.parametrize("changed", [("p2", 51, "b"), ("p2", None, "b"), ("p2", 50, "a")])
def test_a_corrected_value_is_a_new_bit(slots, changed):
    everyone(slots, table(PEOPLE))

    assert everyone(slots, table([PEOPLE[0], changed, PEOPLE[2]])) == 0b1101


def test_a_value_put_back_is_not_the_old_bit(slots):
    """Once corrected, always another version: the order of events is not undone."""
    everyone(slots, table(PEOPLE))
    everyone(slots, table([PEOPLE[0], ("p2", 51, "b"), PEOPLE[2]]))

    assert everyone(slots, table(PEOPLE)) == 0b10101


def test_a_new_patient_is_a_new_bit_and_a_lost_one_keeps_the_old(slots):
    everyone(slots, table(PEOPLE))

    assert everyone(slots, table([*PEOPLE[1:], ("p4", 60, "a")])) == 0b1110


def test_a_new_variable_does_not_make_strangers(slots):
    everyone(slots, table(PEOPLE, without=("grade",)))

    assert everyone(slots, table(PEOPLE)) == 0b111
    assert everyone(slots, table([PEOPLE[0], ("p2", 50, "a"), PEOPLE[2]])) == 0b1101


def test_a_variable_that_goes_away_does_not_make_strangers(slots):
    everyone(slots, table(PEOPLE))

    assert everyone(slots, table(PEOPLE, without=("grade",))) == 0b111


def test_a_later_version_of_the_codebook_does_not_make_strangers(slots):
    """The same level at another place is the same value."""
    everyone(slots, table(PEOPLE))

    assert everyone(slots, table(PEOPLE, name="t/2", levels="c, b, a")) == 0b111


def test_another_codebook_is_about_the_same_patients(slots):
    everyone(slots, table(PEOPLE))

    assert everyone(slots, table([("p1", 99, "b"), *PEOPLE[1:]], name="other/1")) == 0b111


def test_two_rows_of_one_patient_are_two_bits(slots):
    found = table([("p1", 40, "a"), ("p1", 41, "a"), ("p2", 50, "b")])

    assert everyone(slots, found) == 0b111
    assert slots.bitmap(found, np.array([1])) == 0b010


def test_a_row_without_a_number_is_no_bit(slots):
    assert everyone(slots, table([("", 40, "a"), ("p2", 50, "b")])) == 0b1


def test_no_rows_are_no_bits(slots):
    assert everyone(slots, table([])) == 0
    assert everyone(slots, table(PEOPLE)) == 0b111


def test_minus_zero_is_zero(slots):
    everyone(slots, table([("p1", 0.0, "a")]))

    assert everyone(slots, table([("p1", -0.0, "a")], version="other")) == 0b1


def test_slots_hold_no_values(slots, database):
    everyone(slots, table(PEOPLE))

    dump = "\n".join(database.iterdump())
    assert "p1" not in dump
    assert isinstance(database, sqlite3.Connection)


def erase(slots, database, number):
    with transaction(database):
        return slots.erase(MAKER.handle(number))


def dump(database):
    return database.execute("SELECT handle FROM slot ORDER BY slot").fetchall()


def test_an_erased_patient_is_nobodys_bit_any_more(slots, database):
    everyone(slots, table(PEOPLE))
    everyone(slots, table([("p1", 41, "a"), *PEOPLE[1:]]))  # corrected: two slots
    before = dump(database)
    without = table(PEOPLE[1:])

    assert erase(slots, database, "p1") == 2
    after = dump(database)
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, True, True, False]
    assert (MAKER.handle("p1"),) not in after
    assert everyone(slots, without) == everyone(Slots(database), without) == 0b0110
    assert erase(slots, database, "p1") == 0
    for _, blob in database.execute("SELECT variable, hashes FROM slot_values"):
        assert np.frombuffer(blob, "<u8")[[0, 3]].tolist() == [0, 0]


def test_a_patient_who_comes_back_after_erasure_is_a_stranger(slots, database):
    everyone(slots, table(PEOPLE))
    erase(slots, database, "p1")

    assert everyone(slots, table(PEOPLE)) == 0b1110


def test_every_row_of_a_patient_is_erased(slots, database):
    twice = [("p1", 40, "a"), ("p2", 50, "b"), ("p1", 42, "b"), ("p1", 43, "b")]
    everyone(slots, table(twice))

    assert erase(slots, database, "p1") == 3
    assert everyone(slots, table([twice[1]])) == 0b10
    assert everyone(slots, table(twice)) == 0b1110010


def test_nobody_is_erased_who_was_never_there(slots, database):
    everyone(slots, table(PEOPLE))
    before = dump(database)

    assert erase(slots, database, "p9") == 0
    assert dump(database) == before


def test_a_hundred_thousand_patients(slots):
    people = [(f"p{n}", n % 90, "ab"[n % 2]) for n in range(100_000)]
    found = table(people, version="v1")

    assert everyone(slots, found) == (1 << 100_000) - 1
    moved = [
        (number, (age + 1) if place < 10 else age, grade)
        for place, (number, age, grade) in enumerate(people)
    ]
    assert (everyone(slots, table(moved, version="v2")) ^ ((1 << 100_000) - 1)).bit_count() == 20
