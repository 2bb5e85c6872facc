"""The sets of patients that a model's answer describes, for the history auditor."""

from __future__ import annotations

from federation.methods.base import Mask, Rows
from federation.methods.design import Design


def model_sets(
    design: Design, rows: Rows, complete: Mask, event: tuple[str, Mask] | None = None
) -> list[tuple[str, Mask]]:
    """Complete cases, those with the outcome, and every group that check_richness counts: each
    level, each possible pair of 0/1 columns, each combination of levels that interact.

    `complete` bool (n,); `event` is the outcome's name and who had it, when it is yes or no.
    """
    found: list[tuple[str, Mask]] = [("analysis", complete)]
    if event is not None:
        name, had = event
        found.append((name, complete & had))
    levels: dict[tuple[str, str], Mask] = {}
    for name in design.factors:
        codes = rows.column(name).codes()
        for code, label in enumerate(design.codebook.variables[name].group_labels or ()):
            levels[name, label] = complete & (codes == code)
            found.append((f"{name}={label}", levels[name, label]))
    for name in design.saturated:
        codes = design.value_codes(name, rows.select(complete))
        for code, label in enumerate(design.value_labels(name)):
            mask = complete.copy()
            mask[complete] = codes == code
            found.append((f"{name}={label}", mask))
    masks = {}
    for i in design.dummies:
        mask = complete.copy()
        for part in design.columns[i].parts:
            mask &= levels[part.variable, part.level or ""]
        masks[i] = mask
    for a in design.dummies:
        for b in design.dummies:
            if b < a and not design.exclusive(a, b):
                found.append((f"{design.names[b]},{design.names[a]}", masks[a] & masks[b]))
    for one, other in design.crossed:
        for (variable, level), mask in levels.items():
            for (second, against), beside in levels.items():
                if (variable, second) == (one, other):
                    found.append((f"{one}={level},{other}={against}", mask & beside))
    return found
