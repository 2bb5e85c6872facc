"""The groups of patients that a model speaks of one by one: levels, and levels that interact.

A coefficient of a level, with the others, says the mean outcome of the patients who have it. So a
level is a cell like one of a table: it must hold enough patients, enough of them with the outcome
and without, and no one or two of them may make up most of a number that is added up.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from federation.methods.base import Mask, Rows, Sums
from federation.methods.design import Design, magnitude
from federation.methods.dominance import above_shares, dominated
from federation.methods.grouping import sums_by
from federation.methods.moments import per_patient
from federation.query.refusals import Refused
from federation.query.terms import DominanceTerms, ModelTerms
from federation.query.variables import Variable

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_ALL = ""  # the group of everybody


def group_labels(design: Design) -> dict[str, tuple[str, ...]]:
    """The groups by the term they belong to: `g` has `g=a`, `g=b`; `g:h` has `g=a,h=no`, …"""
    own = {name: design.labels_of(name) for name in (*design.factors, *design.saturated)}
    found = {name: tuple(f"{name}={label}" for label in labels) for name, labels in own.items()}
    for a, b in design.crossed:
        pairs = product(own[a], own[b])
        found[f"{a}:{b}"] = tuple(f"{a}={one},{b}={other}" for one, other in pairs)
    return found


def group_codes(design: Design, rows: Rows) -> dict[str, Ints]:
    """Which group each of the complete `rows` is in, int64 (n,) per key of `group_labels`."""
    names = (*design.factors, *design.saturated)
    place = ("groups", design.factors, design.saturated, design.crossed)
    if place not in rows.cache:
        found = {name: design.codes_of(name, rows).astype(np.int64) for name in names}
        for a, b in design.crossed:
            found[f"{a}:{b}"] = found[a] * len(design.labels_of(b)) + found[b]
        rows.cache[place] = found
    return rows.cache[place]  # type: ignore[no-any-return]


def has_groups(design: Design) -> bool:
    """Whether the model speaks of levels. Its expected numbers then follow from level counts, and
    can be solved for them where everything else in it moves nothing (ADR 0038)."""
    return bool(design.factors or design.saturated)


def fewest(design: Design, rows: Rows) -> int | None:
    """The patients in the smallest group of the complete `rows`, nought where a group has nobody;
    None where no term has groups."""
    labels = group_labels(design)
    found = [
        int(rows.patients_in(codes, len(labels[key])).min())
        for key, codes in group_codes(design, rows).items()
    ]
    return min(found, default=None)


def group_sums(design: Design, rows: Rows) -> Sums:
    """`levels.K` per key K of `group_labels`: the patients in each of its groups."""
    labels = group_labels(design)
    return {
        f"levels.{key}": rows.patients_in(codes, len(labels[key]))
        for key, codes in group_codes(design, rows).items()
    }


def outcome_sums(design: Design, rows: Rows, event: Mask) -> Sums:
    """`outcome.K` (groups, 2): the patients of each group without and with the event (n,)."""
    labels = group_labels(design)
    return {
        f"outcome.{key}": rows.patients_in(codes * 2 + event, 2 * len(labels[key])).reshape(-1, 2)
        for key, codes in group_codes(design, rows).items()
    }


def check_groups(design: Design, pooled: Sums, terms: ModelTerms) -> list[str]:
    """The terms with a group of too few patients."""
    small: list[str] = []
    for key, labels in group_labels(design).items():
        least = terms.min_dummy_pair if ":" in key else terms.min_dummy_level
        few = pooled[f"levels.{key}"] < least
        small += [_term(label, key) for label, hit in zip(labels, few, strict=True) if hit]
    return small


def check_outcomes(design: Design, pooled: Sums, terms: ModelTerms, *, binary: bool) -> None:
    """Refused MODEL_TOO_RICH names the terms with a group of which too few have the outcome.

    Or too few have not, where it is yes or no (`binary`). A table of term and outcome would hide
    such a cell, and the model would give it away: with the level alone it says the exact share.
    """
    small: list[str] = []
    for key, labels in group_labels(design).items():
        cells = pooled[f"outcome.{key}"]
        few = np.asarray((cells if binary else cells[:, 1:]) < terms.min_dummy_pair)
        small += [_term(label, key) for label, row in zip(labels, few, strict=True) if row.any()]
    if small:
        raise Refused("MODEL_TOO_RICH", tuple(dict.fromkeys(small)))


def _term(label: str, key: str) -> str:
    """`g[b]` for the group `g=b`; for an interaction the term as a whole."""
    name, _, level = label.partition("=")
    return key if ":" in key else f"{name}[{level}]"


def size_sums(design: Design, rows: Rows, y: Floats, outcome: Variable) -> Sums:
    """`sizes.K`: the sum of |y| in each group, and over everybody, as a share of its bound."""
    labels = group_labels(design)
    sizes = np.abs(y) / magnitude(outcome)
    sums: Sums = {f"sizes.{_ALL}": np.array([sizes.sum()])}
    for key, codes in group_codes(design, rows).items():
        sums[f"sizes.{key}"] = sums_by(codes, sizes, len(labels[key]))
    return sums


def above_sums(
    design: Design,
    rows: Rows,
    y: Floats,
    outcome: Variable,
    totals: Mapping[str, Any],
    terms: DominanceTerms,
) -> Sums:
    """`above.K` (3, groups): patients with a large share of a group's pooled `totals` (O4)."""
    sizes = np.abs(y) / magnitude(outcome)
    codes = {_ALL: np.zeros(rows.n, dtype=np.int64), **group_codes(design, rows)}
    sums: Sums = {}
    for key, code in codes.items():
        own, whose = per_patient(sizes, code, rows.people)
        sums[f"above.{key}"] = above_shares(own, whose, np.asarray(totals[key]), terms)
    return sums


def check_above(pooled: Sums) -> None:
    """Refused MODEL_UNSTABLE when one patient or two make up most of a group's numbers (O4)."""
    for name, counts in pooled.items():
        if name.startswith("above.") and dominated(counts).any():
            raise Refused("MODEL_UNSTABLE")


def totals_of(pooled: Sums) -> dict[str, list[float]]:
    """The pooled `sizes.K` as a parameter of later steps, by K."""
    prefix = "sizes."
    found = {name: values for name, values in pooled.items() if name.startswith(prefix)}
    return {name.removeprefix(prefix): values.tolist() for name, values in found.items()}
