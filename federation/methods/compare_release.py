"""From the pooled sums of a comparison to the released groups and tests.

A test speaks about every group, so it is released only when every group is: with one of them hidden
it would be an equation for that one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from federation.methods.base import Ask, Finished, Mask, Released
from federation.methods.count import pearson
from federation.methods.dominance import dominated, with_complement
from federation.methods.group_tests import anova, kruskal, mann_whitney, welch
from federation.methods.groups import Groups
from federation.methods.moments import Moments, moments, moments_entry
from federation.methods.release import Release, number, seen
from federation.query.variables import Variable

Counts = dict[str, npt.NDArray[Any]]

_WHOLE = ("df", "df_resid")  # degrees of freedom that are whole numbers stay as they are


def release_numbers(
    ask: Ask, variable: Variable, groups: Groups, finished: Finished, shown: Mapping[str, Mask]
) -> Released:
    """The answer for a number, for masks `shown` of the tables total and groups."""
    release = Release(ask)
    facts = finished.facts
    counts = _counts(finished)
    sizes = counts["cells"][:, 0]
    visible = seen(shown, "groups", (groups.size,))
    heavy = np.zeros(groups.size, dtype=bool)
    if ask.strict:
        above = np.asarray(facts["spread"][f"above.{variable.name}"])
        heavy = with_complement(dominated(above), visible, sizes)
    found = [
        moments(
            int(sizes[k]),
            facts["means"][k],
            facts["unit"],
            facts["spread"][f"off.{variable.name}"][k],
            facts["spread"][f"square.{variable.name}"][k],
        )
        for k in range(groups.size)
    ]
    people = counts.get("patients.groups")
    entries = []
    for k, level in enumerate(groups.labels):
        where = f"groups[{k}]"
        whose = None if people is None else int(people[k])
        entry: dict[str, Any] = {
            "level": level,
            **release.counted(int(sizes[k]), bool(visible[k]), f"{where}.n", whose),
        }
        if heavy[k]:
            release.hide(f"{where}.mean", "dominance")
        entry |= moments_entry(
            release, found[k], ask.strict, bool(visible[k] and not heavy[k]), where
        )
        entries.append(entry)
    reason = _reason(ask, visible, heavy, found)
    two = groups.size == 2
    result = {
        **_top(release, counts, bool(seen(shown, "total"))),
        "variable": variable.name,
        "unit": variable.unit or None,
        "by": groups.by,
        "type": "numeric",
        "groups": entries,
    }
    name = "welch_t" if two else "anova"
    result[name] = _released(release, name, reason, lambda: welch(*found) if two else anova(found))
    name = "mann_whitney" if two else "kruskal"
    ranks, on = _at_values(ask, groups, finished, counts)
    # Ranks do not follow from sums: only a hidden group stands in their way.
    reason = None if visible.all() else "small_cell"
    if ranks is None:
        reason = reason or "no_cuts"
        ranks = np.zeros((groups.size, 0), dtype=np.int64)
    test = _released(release, name, reason, lambda: mann_whitney(ranks) if two else kruskal(ranks))
    result[name] = None if test is None else {**test, "on": on}
    return release.done(result)


def release_levels(
    ask: Ask, groups: Groups, levels: Groups, finished: Finished, shown: Mapping[str, Mask]
) -> Released:
    """The answer for a category, for masks `shown` of the tables total, groups and cells."""
    release = Release(ask)
    counts = _counts(finished)
    cells = counts["cells"]
    visible = seen(shown, "groups", (groups.size,))
    cell_seen = seen(shown, "cells", cells.shape)
    people, whose = counts.get("patients.groups"), counts.get("patients.cells")
    result = {
        **_top(release, counts, bool(seen(shown, "total"))),
        "variable": levels.by,
        "by": groups.by,
        "type": "categorical",
        "groups": [
            {
                "level": level,
                **release.counted(
                    int(cells[k].sum()),
                    bool(visible[k]),
                    f"groups[{k}].n",
                    None if people is None else int(people[k]),
                ),
            }
            for k, level in enumerate(groups.labels)
        ],
        "cells": [
            {
                "by": {groups.by: group, levels.by: level},
                **release.counted(
                    int(cells.flat[i]),
                    bool(cell_seen.flat[i]),
                    f"cells[{i}]",
                    None if whose is None else int(whose.flat[i]),
                ),
            }
            for i, (group, level) in enumerate(itertools.product(groups.labels, levels.labels))
        ],
    }
    reason = None if cell_seen.all() else "small_cell"
    result["chi2"] = _released(release, "chi2", reason, lambda: _chi2(cells))
    return release.done(result)


def _counts(finished: Finished) -> Counts:
    return {name: np.asarray(values) for name, values in finished.facts["counts"].items()}


def _top(release: Release, counts: Counts, total: bool) -> dict[str, Any]:
    people = counts.get("patients")
    whose = None if people is None else int(people[0])
    return {
        **release.counted(int(counts["n"][0]), total, "n", whose),
        "missing": release.missing(int(counts["missing"][0])),
    }


def _reason(ask: Ask, visible: Mask, heavy: Mask, found: list[Moments]) -> str | None:
    """Why a test of means is held back, if it is."""
    if not visible.all():
        return "small_cell"
    if heavy.any():
        return "dominance"
    if ask.strict and not all(group.sd for group in found):
        return "no_spread"
    return None


def _released(
    release: Release, name: str, reason: str | None, test: Callable[[], Mapping[str, Any] | None]
) -> dict[str, Any] | None:
    if reason is not None:
        release.hide(name, reason)
        return None
    found = test()
    if found is None:
        release.warnings.append(f"No {name}: too few groups, or everyone has the same value.")
        return None
    return _rounded(release, found)


def _rounded(release: Release, found: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in found.items():
        if isinstance(value, dict):
            made[key] = _rounded(release, value)
        elif key in _WHOLE and isinstance(value, int):
            made[key] = value
        else:
            made[key] = release.coefficient(number(value))
    return made


def _at_values(
    ask: Ask, groups: Groups, finished: Finished, counts: Counts
) -> tuple[npt.NDArray[np.int64] | None, str]:
    """Counts (groups, values) at ascending values, None without classes; and what those are."""
    if ask.strict:
        return counts.get("bins"), "classes"
    pooled = finished.pooled
    values, place = np.unique(pooled["value"], return_inverse=True)
    table = np.zeros((groups.size, values.size), dtype=np.int64)
    np.add.at(table, (pooled["group"].astype(np.int64), place.reshape(-1)), pooled["count"])
    return table, "values"


def _chi2(cells: npt.NDArray[np.int64]) -> dict[str, Any] | None:
    """Pearson's test with its number under the same key as in the other tests."""
    found = pearson(cells)
    if found is None:
        return None
    made = {"statistic": found.pop("chi2"), **found}
    if "yates" in made:
        made["yates"] = {"statistic": made["yates"].pop("chi2"), **made["yates"]}
    return made
