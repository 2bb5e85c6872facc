"""The sets of patients that a model's answer describes, for the history auditor."""

from __future__ import annotations

import numpy as np

from federation.methods.base import Mask, Rows
from federation.methods.design import Design
from federation.methods.model_groups import group_codes, group_labels


def model_sets(
    design: Design,
    rows: Rows,
    complete: Mask,
    event: tuple[str, Mask] | None = None,
    *,
    shares: bool = True,
) -> list[tuple[str, Mask]]:
    """Complete cases, those with the outcome, each possible pair of 0/1 columns, and each group of
    model_groups; with `shares` also who has the outcome in each group.

    `complete` bool (n,); `event` is the outcome's name and who had it (n,), when it is yes or no.
    """
    found: list[tuple[str, Mask]] = [("analysis", complete)]
    if event is not None:
        found.append((event[0], complete & event[1]))
    kept = rows.select(complete)
    labels = group_labels(design)
    for key, codes in group_codes(design, kept).items():
        for code, label in enumerate(labels[key]):
            mask = complete.copy()
            mask[complete] = codes == code
            found.append((label, mask))
            if event is not None and shares:
                found.append((f"{label},{event[0]}", mask & event[1]))
    dummies = design.matrix(kept)[:, list(design.dummies)] == 1.0
    for a, i in enumerate(design.dummies):
        for b, j in enumerate(design.dummies[:a]):
            if not design.exclusive(i, j):
                mask = np.zeros(rows.n, dtype=bool)
                mask[complete] = dummies[:, a] & dummies[:, b]
                found.append((f"{design.names[j]},{design.names[i]}", mask))
    return found
