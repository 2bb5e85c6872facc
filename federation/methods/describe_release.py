"""From the pooled sums of a description to its released entries, one per variable and group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from federation.methods.base import Ask, Finished, Mask, Released
from federation.methods.describe_plan import Plan
from federation.methods.dominance import dominated, with_complement
from federation.methods.moments import Moments, moments, moments_entry
from federation.methods.quantiles import quantile_bins
from federation.methods.release import Release, seen
from federation.query.variables import Variable

PROBABILITIES = (0.25, 0.5, 0.75)


def release_description(
    ask: Ask, plan: Plan, finished: Finished, shown: Mapping[str, Mask]
) -> Released:
    """The answer of kind `describe` for masks `shown` of total, groups and levels.V."""
    counts = finished.facts["counts"]
    release = Release(ask)
    total = bool(seen(shown, "total"))
    made = [
        _Describing(ask, plan, finished, shown, release, i).entry()
        for i in range(len(plan.variables))
    ]
    people = counts["patients"][0] if "patients" in counts else None
    if ask.strict and len(plan.variables) > 1:
        release.warnings.append(
            "Only patients with a value for every listed variable are described, so that "
            "every number is about the same patients."
        )
    return release.done(
        {
            **release.counted(counts["n"][0], total, "n", people),
            "missing": release.missing(counts["missing"][0]),
            "variables": made,
        }
    )


@dataclass(frozen=True)
class _Describing:
    """Builds the released entry of one variable."""

    ask: Ask
    plan: Plan
    finished: Finished
    shown: Mapping[str, Mask]
    release: Release
    index: int

    @property
    def variable(self) -> Variable:
        return self.plan.variables[self.index]

    def _counted(self, what: str) -> Any:
        return self.finished.facts["counts"][f"{what}.{self.variable.name}"]

    def _people(self, what: str, k: int) -> Any:
        """The different patients behind `_counted(what)[k]`; None where a row is a patient."""
        if self.ask.per_patient:
            return None
        return self._counted(f"patients.{what}")[k]

    def entry(self) -> dict[str, Any]:
        variable = self.variable
        groups = [self._group(k) for k in range(self.plan.groups)]
        return {
            "variable": variable.name,
            "type": variable.type,
            "unit": variable.unit or None,
            "by": self.plan.by,
            "groups": groups,
        }

    def _seen(self, k: int) -> bool:
        if self.plan.by is None:
            return bool(seen(self.shown, "total"))
        return bool(seen(self.shown, "groups", (self.plan.groups,))[k])

    def _group(self, k: int) -> dict[str, Any]:
        where = f"variables[{self.index}].groups[{k}]"
        n = int(self._counted("n")[k])
        visible = self._seen(k)
        whole = int(self.finished.facts["counts"]["groups"][k])
        entry: dict[str, Any] = {"level": self.plan.labels[k]}
        entry |= self.release.counted(n, visible, f"{where}.n", self._people("n", k))
        if self.ask.strict:
            # Incomplete patients are left out before the split: see `missing` of the result.
            self.release.hide(f"{where}.missing", "complete_cases")
            entry["missing"] = None
        else:
            entry["missing"] = whole - n
        if self.variable.is_numeric:
            entry.update(self._moments(k, n, visible, where))
            entry["quantiles"] = self._quantiles(k, visible, where)
        else:
            entry["levels"] = self._levels(k, n, visible, where)
        return entry

    def _moments(self, k: int, n: int, visible: bool, where: str) -> Mapping[str, Any]:
        """Mean, standard deviation (n - 1), standard error and t interval."""
        name = self.variable.name
        found = Moments(0)
        if n > 0:
            found = moments(
                n,
                self.finished.facts["means"][name][k],
                self.finished.facts["units"][name],
                float(self.finished.pooled[f"off.{name}"][k]),
                float(self.finished.pooled[f"square.{name}"][k]),
            )
        if self.ask.strict and found.sd and self._dominated()[k]:
            self.release.hide(f"{where}.mean", "dominance")
            visible = False
        return moments_entry(self.release, found, self.ask.strict, visible, where)

    def _dominated(self) -> Mask:
        """The groups whose sum is hidden for one patient's weight in it (O4)."""
        visible = np.array([self._seen(k) for k in range(self.plan.groups)])
        found = dominated(self.finished.pooled[f"above.{self.variable.name}"])
        return with_complement(found, visible, np.asarray(self._counted("n")))

    def _quantiles(self, k: int, visible: bool, where: str) -> dict[str, Any]:
        """Per probability the codebook interval [low, high] that holds it."""
        keys = [str(p) for p in PROBABILITIES]
        if not visible:
            return dict.fromkeys(keys)
        if self.variable.group_labels is None:
            self.release.hide(f"{where}.quantiles", "no_cuts")
            return dict.fromkeys(keys)
        edges = self.variable.edges
        bins = np.asarray(self._counted("bins")[k])
        people = self._people("bins", k)
        terms = self.ask.terms.quantile
        made: dict[str, Any] = {}
        for p, key in zip(PROBABILITIES, keys, strict=True):
            found = quantile_bins(
                bins,
                p,
                min_in_bin=terms.min_in_grid_bin,
                min_each_side=terms.min_each_side,
                patients=None if people is None else np.asarray(people),
            )
            if found is None:
                made[key] = None
                if bins.sum():
                    self.release.hide(f"{where}.quantiles.{key}", "small_cell")
            elif edges is not None:
                made[key] = [float(edges[found[0]]), float(edges[found[1] + 1])]
            else:
                start = float(self.variable.min or 0)
                made[key] = [start + found[0], start + found[1]]
        return made

    def _levels(self, k: int, n: int, visible: bool, where: str) -> list[dict[str, Any]]:
        labels = self.variable.group_labels or ()
        counts, people = self._counted("bins")[k], self._people("bins", k)
        shape = (self.plan.groups, len(labels)) if self.plan.by else (len(labels),)
        mask = seen(self.shown, f"levels.{self.variable.name}", shape).reshape(-1, len(labels))[k]
        made = []
        for i, label in enumerate(labels):
            mine = None if people is None else people[i]
            entry = self.release.counted(counts[i], bool(mask[i]), f"{where}.levels[{i}]", mine)
            count = entry["n"]
            share = None if count is None or not visible or n == 0 else count / n
            made.append({"level": label, **entry, "share": self.release.sum(share)})
        return made
