"""Marks: the same set is recognised by all hospitals together, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

from federation.disclosure.marks import (
    BITS,
    WORDS,
    Known,
    mark_of,
    mark_text,
    pooled_marks,
    sums_of,
)
from federation.disclosure.nesting import Range, ReleasedSet

CHANCE = np.random.default_rng(5)
NUMBERS = CHANCE.integers(0, 1 << BITS, (4, 50, WORDS))  # hospital, patient


def mark(*patients):
    """The pooled mark of the same patients' numbers at four hospitals."""
    parts = [
        tuple(int(word) for word in here[list(patients)].sum(axis=0) % (1 << BITS))
        for here in NUMBERS
    ]
    return pooled_marks(sum(sums_of([part], 1) for part in parts))[0]


def cell(name, level, table="t", **more):
    return ReleasedSet(
        sites=frozenset("abc"),
        known=frozenset({name}),
        ranges={},
        levels={name: frozenset({level})},
        other=frozenset(),
        n=None,
        table=table,
        **more,
    )


def test_a_mark_reads_back_and_does_not_overflow():
    found = mark(*range(50))
    assert mark_of(mark_text(found)) == found
    assert all(0 <= word < 1 << BITS for word in found)
    most = sums_of([((1 << BITS) - 1,) * WORDS], 1) * 1000  # a thousand hospitals
    assert pooled_marks(most) == (((1000 * ((1 << BITS) - 1)) % (1 << BITS),) * WORDS,)


@pytest.mark.parametrize(
    ("patients", "told"),
    [
        (range(20), True),  # asked before
        ((), True),  # nobody
        (range(30), True),  # two earlier ones together
        (range(25, 30), True),  # one earlier one without another
        (range(19), False),
        (range(21), False),
        (range(15, 30), False),
    ],
)
def test_what_is_told(patients, told):
    known = Known([(mark(*range(20)), None), (mark(*range(20, 30)), None)])
    known.add([(mark(*range(20, 25)), None), (mark(*range(20)), None)])
    assert known.tells(mark(*patients)) is told


def test_cells_of_one_table_together():
    """Three of four stages; the fourth has patients, too, and another table the same numbers."""
    slices = [range(0, 5), range(5, 15), range(15, 30), range(30, 50)]
    stages = [cell("stage", level) for level in "abcd"]
    known = Known(zip([mark(*part) for part in slices], stages, strict=True))
    known.add([(mark(*range(7)), cell("sex", "f", table="other"))])
    wanted = ReleasedSet(
        sites=frozenset("abc"),
        known=frozenset({"age", "stage"}),
        ranges={},
        levels={"stage": frozenset("abc")},
        other=frozenset(),
        n=None,
    )
    assert known.tells(mark(*range(30)), wanted)
    assert not known.tells(mark(*range(30)))  # nobody says what it is
    assert not known.tells(mark(*range(29)), wanted)  # one has no age
    narrower = ReleasedSet(
        frozenset("abc"), frozenset(), {"age": Range(low=60)}, wanted.levels, frozenset(), None
    )
    assert not known.tells(mark(*range(30)), narrower)


def test_of_one_definition_the_last_mark_counts():
    """Somebody withdrew and the same table was answered again."""
    known = Known(
        [(mark(*range(20)), cell("stage", "a")), (mark(*range(20, 40)), cell("stage", "b"))]
    )
    known.add([(mark(*range(10)), cell("stage", "a"))])
    both = ReleasedSet(
        frozenset("abc"), frozenset(), {}, {"stage": frozenset("ab")}, frozenset(), None
    )
    assert known.tells(mark(*range(10), *range(20, 40)), both)


def test_nothing_is_known_at_first():
    assert not Known().tells(mark(1, 2))
