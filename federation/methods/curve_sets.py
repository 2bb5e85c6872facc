"""The sets behind the points of a released curve, so that the hub can hold them against others.

A point says how many are still at risk after it. Two curves of the same patients with points of
their own (another width of the grid, other groups) would tell the few who left between two of them:
the hub refuses the second one when two such numbers lie too close (rule O11 with H1-H5).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from federation.methods.base import Ask, CountTable, Rows
from federation.methods.grouping import counts_by
from federation.methods.survival_curve import merge_steps
from federation.query.variables import number_text

Ints = npt.NDArray[np.int64]
Dims = tuple[tuple[str, tuple[str, ...]], ...]


def owners_of(rows: Rows) -> Ints:
    """The patient of each row, int64 (n,); every row its own where rows are patients."""
    return np.arange(rows.n) if rows.people is None else rows.people


def first_counts(line: Ints, place: Ints, people: Ints, shape: tuple[int, int]) -> Ints:
    """Patients at the place of their first row in each line, int64 `shape` (lines, places).

    `line`, `place` and `people` int (n,) of rows that are not patients. A run of places holds at
    least as many different patients as this counts there, since each is counted once.
    """
    order = np.lexsort((place, people, line))
    line, place, people = line[order], place[order], people[order]
    is_first = np.ones(line.size, dtype=bool)
    is_first[1:] = (line[1:] != line[:-1]) | (people[1:] != people[:-1])
    flat = line[is_first] * shape[1] + place[is_first]
    return counts_by(flat, shape[0] * shape[1]).reshape(shape)


def published(ask: Ask, events: Ints, removed: Ints) -> list[int]:
    """Grid indices of the points of one group that the terms let through (rule O11).

    `events`, (T,) or (kinds, T), and `removed` (T,) count patients, or where a row is not one,
    patients at their first row: fewer than there are, on the safe side.
    """
    km = ask.terms.km
    return merge_steps(
        events,
        removed,
        min_removed=km.min_removed,
        min_events=km.min_events,
        min_left=km.min_at_risk_end,
    )


def curve_tables(
    ask: Ask, name: str, group: Dims, times: Sequence[float], left: Ints
) -> list[CountTable]:
    """Tables of one group's curve, none without protection; `group` fixes it by one label.

    `times` (points,) are those of the released points, `left` how many are at risk after each.
    Nothing here is shown. Where the terms let points lie closer than diff.t_diff patients, those
    are left out: the same curve asked again would be too close to itself.
    """
    if not ask.strict or len(group) >= ask.terms.max_dims:
        return []
    variable = ask.codebook.variables[ask.params["time"]]
    end = number_text(variable.max or 0.0)
    cells: list[tuple[str, int]] = []
    for t, n in zip(times, left.tolist(), strict=True):
        if n >= ask.terms.t_cell and (not cells or cells[-1][1] - n >= ask.terms.diff.t_diff):
            cells.append((f"({number_text(t)},{end}]", n))
    size = max(ask.terms.max_cells, 1)  # as many tables as their largest size makes necessary
    return [
        CountTable(
            f"{name}.{start}",
            (*group, (variable.name, tuple(label for label, _ in cells[start : start + size]))),
            np.array([n for _, n in cells[start : start + size]]).reshape(
                (*(1 for _ in group), -1)
            ),
            margins_public=False,
        )
        for start in range(0, len(cells), size)
    ]
