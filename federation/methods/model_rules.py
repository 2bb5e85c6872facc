"""Whether a model may be fitted at all: counts first, coefficients later (rule O7).

Every kind with a design matrix sends the same first sums: how many patients and events, the
centre and spread of each column, how many have each level, and each pair of 0/1 columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from federation.methods.base import Array, Ask, Mask, Rows, Sums
from federation.methods.cox_score import pack_symmetric, unpack_symmetric
from federation.methods.design import Design
from federation.methods.grouping import fine_unit
from federation.methods.model_groups import check_groups, group_sums
from federation.query.refusals import Refused
from federation.query.terms import ModelTerms

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def column_sums(design: Design, rows: Rows, matrix: Floats) -> Sums:
    """Sums of complete rows: `total` and `size` (p,) of (x - origin) / reach and its absolute
    value, the counts `levels.K` of model_groups, and `pairs`, the packed counts of each pair of
    0/1 columns. Both count patients, who may have several rows."""
    total, size = np.zeros(design.size), np.zeros(design.size)
    dummies = matrix[:, list(design.dummies)]
    ones = dummies.T @ dummies
    for j, column in enumerate(design.columns):  # a column at a time stays in cache
        if column.is_dummy:  # noughts and ones, about 0 and in units of 1
            place = design.dummies.index(j)
            total[j] = size[j] = ones[place, place]
            continue
        moved = matrix[:, j] - design.origin[j]
        total[j] = moved.sum() / design.reach[j]
        size[j] = np.abs(moved, out=moved).sum() / design.reach[j]
    sums: Sums = {"total": total, "size": size}
    sums.update(group_sums(design, rows))
    pairs = ones if rows.people is None else _pairs_of_patients(dummies, rows.people)
    sums["pairs"] = pack_symmetric(np.rint(pairs)).astype(np.int64)
    return sums


def _pairs_of_patients(dummies: Floats, people: Ints) -> Floats:
    """For each two of the 0/1 columns (n, d), how many patients have a row with both, (d, d)."""
    found = np.zeros((dummies.shape[1], dummies.shape[1]))
    if not people.size:
        return found
    order = np.argsort(people, kind="stable")
    first = np.flatnonzero(np.diff(people[order], prepend=people[order[0]] - 1))
    sorted_rows = dummies[order]
    for j in range(found.shape[0]):
        both = sorted_rows * sorted_rows[:, [j]]
        found[j] = np.maximum.reduceat(both, first, axis=0).sum(axis=0)
    return found


def person_sums(ask: Ask, rows: Rows, event: Mask | None) -> Sums:
    """Where a row is not a patient: `patients`, and (2,) `patients_by_event` without and with an
    event (bool (n,), None when the outcome is not yes or no). Otherwise nothing."""
    if ask.per_patient:
        return {}
    sums: Sums = {"patients": rows.patients_in(np.zeros(rows.n, dtype=np.int64), 1)}
    if event is not None:
        sums["patients_by_event"] = rows.patients_in(event.astype(np.int64), 2)
    return sums


@dataclass(frozen=True)
class Columns:
    """Pooled facts about the fitted columns, those of `kept`; each (kept,), in raw units.

    Columns of a level that nobody has are left out, as other packages do. `unit` is fine
    enough for the spread about `centre` to keep its digits in fixed point.
    """

    kept: tuple[int, ...]
    centre: Floats
    unit: Floats


def centre_columns(design: Design, pooled: Sums, n: int) -> Columns:
    """Mean of each column over n > 0 patients; Refused MODEL_TOO_RICH when none can be fitted."""
    empty = _empty_columns(design, pooled)
    kept = [i for i in range(design.size) if i not in empty]
    if not kept:
        raise Refused("MODEL_TOO_RICH", design.names)
    centre = design.origin + design.reach * pooled["total"] / n
    size = design.reach * pooled["size"] / n
    units = [fine_unit(float(size[i])) for i in kept]
    return Columns(tuple(kept), centre[kept], np.array(units))


def spread_sums(columns: Columns, matrix: Floats) -> Sums:
    """`square` (kept,): squared deviations from the centre in squared units."""
    square = np.zeros(len(columns.kept))
    for k, j in enumerate(columns.kept):
        moved = (matrix[:, j] - columns.centre[k]) / columns.unit[k]
        square[k] = moved @ moved
    return {"square": square}


def column_scale(design: Design, columns: Columns, square: Floats, n: int) -> Floats:
    """Standard deviation of each fitted column; Refused MODEL_TOO_RICH names constant ones."""
    deviation = columns.unit * np.sqrt(square / n)
    # The deviations of a constant are the rounding of its mean.
    noise = 1e-13 * np.maximum(np.abs(columns.centre), columns.unit)
    flat = [i for i, d, e in zip(columns.kept, deviation, noise, strict=True) if not d > e]
    if flat:
        raise Refused("MODEL_TOO_RICH", tuple(design.names[i] for i in flat))
    return np.asarray(deviation)


def _pair_counts(design: Design, pooled: Sums) -> Array:
    return unpack_symmetric(pooled["pairs"].astype(np.float64), len(design.dummies))


def _empty_columns(design: Design, pooled: Sums) -> set[int]:
    """Columns that are 0 for everyone because no patient has the level."""
    diagonal = np.diag(_pair_counts(design, pooled))
    empty = {i for i, count in zip(design.dummies, diagonal, strict=True) if count == 0}
    for i, column in enumerate(design.columns):
        for part in column.parts:
            if part.level is not None:
                labels = design.codebook.variables[part.variable].group_labels or ()
                counts = pooled[f"levels.{part.variable}"]
                if counts[labels.index(part.level)] == 0:
                    empty.add(i)
    return empty


def check_richness(
    design: Design, pooled: Sums, n: int, events: int, terms: ModelTerms, *, intercept: bool = False
) -> None:
    """Refused MODEL_TOO_RICH, naming terms and no counts, when the model asks too much (O7).

    Patients and events per parameter (an `intercept` is not one of them) and residual degrees of
    freedom concern every term. Their minimum need each level of a factor, the reference included,
    and each value of a number that is fitted value by value; each pair of 0/1 columns that can
    occur together; and each combination of levels of factors that interact, references included.
    """
    p = design.size
    freedom = n - p - int(intercept)
    if n < terms.n_per_param * p or events < terms.epv * p or freedom < terms.min_resid_df:
        raise Refused("MODEL_TOO_RICH", design.names)
    small = check_groups(design, pooled, terms)
    pairs = _pair_counts(design, pooled)
    for a, i in enumerate(design.dummies):
        for b, j in enumerate(design.dummies[: a + 1]):
            if not design.exclusive(i, j) and pairs[a, b] < terms.min_dummy_pair:
                small += [design.names[j], design.names[i]]
    if small:
        raise Refused("MODEL_TOO_RICH", tuple(dict.fromkeys(small)))
