"""No hidden number follows from what is shown: checked by solving for it.

The oracle knows everything an outsider could: the shown cells of the table, every cell that the
gate shows of each margin when that is asked as a question of its own, and that counts are not
negative. It is written in the cells of the full table only, unlike the gate's own audit.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import OptimizeResult, linprog

from federation.disclosure.gate import decide
from federation.methods.base import CountTable
from federation.query.terms import Terms

STRICT = Terms.strict()
T = STRICT.t_cell

Counts = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# skewed to small numbers, where the work is
CELLS = st.one_of(st.integers(0, 12), st.integers(0, 40), st.integers(10, 200))


def table(counts: Counts) -> CountTable:
    dims = tuple((f"v{i}", tuple(map(str, range(k)))) for i, k in enumerate(counts.shape))
    return CountTable("t", dims, counts)


def shown_of(counts: Counts) -> Mask:
    return np.asarray(decide([table(counts)], STRICT)["t"])


def knowledge(counts: Counts) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Everything shown, as equations over the cells of the full table."""
    rows, sums = [], []
    where = np.arange(counts.size).reshape(counts.shape)
    for size in range(counts.ndim + 1):
        for kept in combinations(range(counts.ndim), size):
            others = tuple(axis for axis in range(counts.ndim) if axis not in kept)
            margin = np.asarray(counts.sum(axis=others))
            shown = shown_of(margin)
            for index in np.argwhere(shown).tolist():
                part: list[int | slice] = [slice(None)] * counts.ndim
                for axis, at in zip(kept, index, strict=True):
                    part[axis] = at
                row = np.zeros(counts.size)
                row[where[tuple(part)].ravel()] = 1.0
                rows.append(row)
                sums.append(float(margin[tuple(index)]))
    return np.array(rows).reshape(-1, counts.size), np.array(sums)


def spans(counts: Counts, cells: list[int]) -> list[float]:
    """How far the possible values of each cell reach, given all that is shown."""
    rows, sums = knowledge(counts)
    found = []
    for cell in cells:
        aim = np.zeros(counts.size)
        aim[cell] = 1.0
        ends = []
        for sign in (1.0, -1.0):
            more = {"A_eq": rows, "b_eq": sums} if len(rows) else {}
            solved = linprog(sign * aim, bounds=(0, 1e5), method="highs", **more)
            assert solved.success
            ends.append(sign * solved.fun)
        found.append(ends[1] - ends[0])
    return found


def check(counts: Counts) -> None:
    shown = shown_of(counts)
    assert not shown[counts < T].any()
    hidden = np.flatnonzero(~shown.ravel()).tolist()
    if not shown.any():
        return  # nothing is given away; what the margins alone imply is not this table's doing
    small = counts.ravel() < T
    for cell, span in zip(hidden, spans(counts, hidden), strict=True):
        assert span >= 1 - 1e-6, "a hidden cell can be calculated"
        if small[cell]:
            assert span >= T - 1e-6, "a small cell is known too closely"


@given(arrays(np.int64, st.tuples(st.integers(1, 8)), elements=CELLS))
def test_one_dimension(counts: Counts) -> None:
    check(counts)


@settings(max_examples=150)
@given(arrays(np.int64, st.tuples(st.integers(2, 5), st.integers(2, 5)), elements=CELLS))
def test_two_dimensions(counts: Counts) -> None:
    check(counts)


@settings(max_examples=25)
@given(arrays(np.int64, st.tuples(*[st.integers(2, 3)] * 3), elements=CELLS))
def test_three_dimensions(counts: Counts) -> None:
    check(counts)


@given(arrays(np.int64, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=CELLS))
def test_every_hidden_rest_is_large_or_the_line_is_hidden(counts: Counts) -> None:
    shown = shown_of(counts)
    for axis in (0, 1):
        margin = counts.sum(axis=1 - axis)
        public = shown_of(margin)
        for i, total in enumerate(margin):
            line, mask = np.take(counts, i, axis=axis), np.take(shown, i, axis=axis)
            rest = int(line[~mask].sum())
            if public[i] and not mask.all():
                assert rest >= T
                assert (~mask).sum() >= 2 or line.size == 1
            if total < T:
                assert not mask.any()


@given(arrays(np.int64, st.tuples(st.integers(1, 5), st.integers(1, 5)), elements=CELLS))
def test_the_same_table_always_hides_the_same(counts: Counts) -> None:
    assert (shown_of(counts) == shown_of(counts.copy())).all()


@given(
    arrays(np.int64, st.tuples(st.integers(1, 4), st.integers(1, 4)), elements=CELLS),
    st.integers(0, 9),
)
def test_small_numbers_are_hidden_alike(counts: Counts, other: int) -> None:
    """A table where one small cell has another small value hides that cell too."""
    small = np.argwhere(counts < T)
    if not len(small):
        return
    changed = counts.copy()
    changed[tuple(small[0])] = other
    assert not shown_of(changed)[tuple(small[0])]


def test_the_oracle_finds_what_a_naive_gate_gives_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oracle can fail: with primary suppression only, it says so."""
    counts = np.array([[30, 20, 50], [40, 5, 60], [70, 80, 90]])

    def naive(tables: list[CountTable], terms: Terms) -> dict[str, Mask]:
        return {each.name: np.asarray(each.counts >= terms.t_cell) for each in tables}

    monkeypatch.setitem(globals(), "decide", naive)
    with pytest.raises(AssertionError, match="can be calculated"):
        check(counts)


def test_when_the_solver_fails_more_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = np.array([[30, 20, 50], [40, 5, 60], [70, 80, 90]])
    usual = shown_of(counts)
    monkeypatch.setattr("scipy.optimize.linprog", lambda *_, **__: OptimizeResult(x=None))
    assert not shown_of(counts).any()
    assert usual.any()
