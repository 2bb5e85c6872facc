"""Means, spread and quantile intervals of numbers; shares of categories; by group or not.

Two rounds, so that squared deviations are taken from the pooled mean: the one-round sum of
squares loses digits when the mean is large against the spread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from federation.methods.base import (
    Array,
    Ask,
    CountTable,
    Finished,
    Mask,
    Released,
    Rows,
    Step,
    Sums,
)
from federation.methods.design import magnitude, origin, span
from federation.methods.dominance import above_shares, dominated, with_complement
from federation.methods.grouping import counts_by, fine_unit, sums_by
from federation.methods.quantiles import quantile_bins
from federation.methods.release import Release, seen
from federation.query.parameters import Parameter, VariableParam, VariablesParam
from federation.query.variables import Variable

PROBABILITIES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Plan:
    """What is described: variables, and the groups (one group labelled None without `by`)."""

    variables: tuple[Variable, ...]
    by: str | None
    labels: tuple[str | None, ...]

    @property
    def groups(self) -> int:
        return len(self.labels)

    @property
    def numeric(self) -> tuple[Variable, ...]:
        return tuple(v for v in self.variables if v.is_numeric)


def plan_of(ask: Ask) -> Plan:
    """Read the parameters."""
    by = ask.params["by"]
    labels: tuple[str | None, ...] = (None,)
    if by is not None:
        labels = ask.codebook.variables[by].group_labels or ()
    names = ask.params["variables"]
    return Plan(tuple(ask.codebook.variables[name] for name in names), by, labels)


class Describe:
    """Kind `describe`."""

    kind = "describe"
    hides_cells = True
    parameters: tuple[Parameter, ...] = (
        VariablesParam(
            name="variables",
            types=("integer", "number", "duration", "category", "boolean"),
            min=1,
            max=20,
            help_en="The variables to describe.",
            help_nl="De variabelen om te beschrijven.",
        ),
        VariableParam(
            name="by",
            required=False,
            groupable=True,
            help_en="Describe each group of this variable apart.",
            help_nl="Beschrijf elke groep van deze variabele apart.",
        ),
    )
    bounded_rounds = 2

    def start(self, ask: Ask) -> Step:
        """Counts and sums first."""
        return Step("describe.counts")

    def _groups(self, plan: Plan, rows: Rows) -> Array:
        """Group of each row, int64 (n,), -1 missing."""
        if plan.by is None:
            return np.zeros(rows.n, dtype=np.int64)
        return rows.column(plan.by).codes()

    def _usable(self, ask: Ask, plan: Plan, rows: Rows) -> Mask:
        """Rows that count at all. Under protection all variables must be known: otherwise
        the sets behind two variables would differ by a few patients."""
        usable = self._groups(plan, rows) >= 0
        if ask.strict:
            usable = usable & rows.complete([v.name for v in plan.variables])
        return np.asarray(usable)

    def site(self, ask: Ask, step: Step, rows: Rows) -> Sums:
        """Per variable V and group n.V, bins.V, sum.V of (x - origin) / span, and size.V, the
        sum of its absolute values; then off.V and square.V, deviations from the pooled mean.
        Under protection also weight.V, the sum of absolute values per group, and then above.V, the
        patients who make up much of it."""
        plan = plan_of(ask)
        usable = self._usable(ask, plan, rows)
        group = self._groups(plan, rows)
        sums: Sums = {}
        if step.name == "describe.counts":
            sums["n"] = np.array([np.count_nonzero(usable)])
            sums["missing"] = np.array([rows.n]) - sums["n"]
            sums["groups"] = counts_by(group[usable], plan.groups)
        for variable in plan.variables:
            column = rows.column(variable.name)
            known = usable & column.known
            mine = group[known]
            if step.name == "describe.counts":
                sums[f"n.{variable.name}"] = counts_by(mine, plan.groups)
                if variable.group_labels is not None:
                    sums[f"bins.{variable.name}"] = _bins(
                        column.codes()[known], mine, plan.groups, len(variable.group_labels)
                    )
            if not variable.is_numeric:
                continue
            values = column.values[known]
            if step.name == "describe.counts":
                moved = (values - origin(variable)) / span(variable)
                sums[f"sum.{variable.name}"] = sums_by(mine, moved, plan.groups)
                sums[f"size.{variable.name}"] = np.array([np.abs(moved).sum()])
                if ask.strict:
                    weight = np.abs(values) / magnitude(variable)
                    sums[f"weight.{variable.name}"] = sums_by(mine, weight, plan.groups)
            else:
                mean = np.asarray(step.params["means"][variable.name])
                off = (values - mean[mine]) / step.params["units"][variable.name]
                sums[f"off.{variable.name}"] = sums_by(mine, off, plan.groups)
                sums[f"square.{variable.name}"] = sums_by(mine, off**2, plan.groups)
                if ask.strict:
                    weight = np.abs(values) / magnitude(variable)
                    whole = np.asarray(step.params["counts"][f"weight.{variable.name}"])
                    sums[f"above.{variable.name}"] = above_shares(
                        weight, mine, whole, ask.terms.dominance
                    )
        return sums

    def combine(self, ask: Ask, step: Step, pooled: Sums) -> Step | Finished:
        """After the counts, ask for squared deviations from the pooled means."""
        plan = plan_of(ask)
        if step.name == "describe.counts":
            counts = {name: values.tolist() for name, values in pooled.items()}
            means, units = {}, {}
            for variable in plan.numeric:
                n = np.maximum(pooled[f"n.{variable.name}"], 1)
                shift = pooled[f"sum.{variable.name}"] / n
                means[variable.name] = (origin(variable) + span(variable) * shift).tolist()
                size = span(variable) * float(pooled[f"size.{variable.name}"][0]) / int(n.sum())
                units[variable.name] = fine_unit(size)
            if means:
                return Step("describe.spread", {"means": means, "units": units, "counts": counts})
            return Finished({}, {"counts": counts})
        return Finished(pooled, dict(step.params))

    def sets(self, ask: Ask, rows: Rows) -> list[tuple[str, Mask]]:
        """Complete cases, groups, and the levels of described categories."""
        plan = plan_of(ask)
        usable = self._usable(ask, plan, rows)
        group = self._groups(plan, rows)
        found: list[tuple[str, Mask]] = [("analysis", usable)]
        for k, label in enumerate(plan.labels):
            mine = usable & (group == k)
            prefix = f"{plan.by}={label}" if plan.by else ""
            if plan.by:
                found.append((prefix, mine))
            for variable in plan.variables:
                if variable.is_numeric:
                    continue
                codes = rows.column(variable.name).codes()
                for code, level in enumerate(variable.group_labels or ()):
                    name = f"{variable.name}={level}"
                    found.append((f"{prefix},{name}" if prefix else name, mine & (codes == code)))
        return found

    def tables(self, ask: Ask, finished: Finished) -> list[CountTable]:
        """The total, the groups, and one table for each described category."""
        plan = plan_of(ask)
        counts = finished.facts["counts"]
        made = [CountTable("total", (), np.asarray(counts["n"][0]))]
        dims: tuple[tuple[str, tuple[str, ...]], ...] = ()
        if plan.by is not None:
            dims = ((plan.by, tuple(str(label) for label in plan.labels)),)
            made.append(CountTable("groups", dims, np.asarray(counts["groups"])))
        for variable in plan.variables:
            if not variable.is_numeric:
                bins = np.asarray(counts[f"bins.{variable.name}"])
                own = (variable.name, variable.group_labels or ())
                table = bins if plan.by is not None else bins[0]
                made.append(CountTable(f"levels.{variable.name}", (*dims, own), table))
        return made

    def result(self, ask: Ask, finished: Finished, shown: Mapping[str, Mask]) -> Released:
        """`variables`: one entry each, with one entry per group under `groups`."""
        plan = plan_of(ask)
        counts = finished.facts["counts"]
        release = Release(ask)
        total = bool(seen(shown, "total"))
        made = [
            _Describing(ask, plan, finished, shown, release, i).entry()
            for i in range(len(plan.variables))
        ]
        if ask.strict and len(plan.variables) > 1:
            release.warnings.append(
                "Only patients with a value for every listed variable are described, so that "
                "every number is about the same patients."
            )
        return release.done(
            {
                "n": release.count(counts["n"][0], total, "n"),
                "missing": release.missing(counts["missing"][0]),
                "variables": made,
            }
        )

    def words(self, ask: Ask, lang: str) -> list[str]:
        """What leaves a hospital."""
        plan = plan_of(ask)
        numeric = ", ".join(v.name for v in plan.numeric)
        binned = ", ".join(v.name for v in plan.variables if v.group_labels is not None)
        if lang == "nl":
            said = [f"Het aantal patiënten met en zonder deze gegevens{_per(plan.by, lang)}."]
            if numeric:
                said.append(
                    f"De som, en daarna de som van gekwadrateerde afwijkingen, van {numeric}."
                )
            if binned:
                said.append(f"Het aantal patiënten per klasse van {binned}.")
            return said
        said = [f"The number of patients with and without these data{_per(plan.by, lang)}."]
        if numeric:
            said.append(f"The sum, and then the sum of squared deviations, of {numeric}.")
        if binned:
            said.append(f"The number of patients in each class of {binned}.")
        return said


def _per(by: str | None, lang: str) -> str:
    if by is None:
        return ""
    return f", per groep van {by}" if lang == "nl" else f", for each group of {by}"


def _bins(codes: Array, group: Array, groups: int, bins: int) -> Array:
    """Counts (groups, bins) of codes; a code of -1 (a value off the grid) is left out."""
    inside = codes >= 0
    flat = group[inside] * bins + codes[inside]
    return counts_by(flat, groups * bins).reshape(groups, bins)


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
        entry["n"] = self.release.count(n, visible, f"{where}.n")
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

    def _moments(self, k: int, n: int, visible: bool, where: str) -> dict[str, Any]:
        """Mean, standard deviation (n - 1), standard error and t interval."""
        from scipy import special

        names = ("mean", "sd", "se", "ci_low", "ci_high")
        name = self.variable.name
        mean = sd = se = low = high = None
        if n > 0:
            unit = self.finished.facts["units"][name]
            # The deviations do not add to exactly 0: their own mean corrects the rounded mean.
            off = float(self.finished.pooled[f"off.{name}"][k]) / n
            square = float(self.finished.pooled[f"square.{name}"][k])
            mean = self.finished.facts["means"][name][k] + off * unit
            if n > 1:
                sd = float(np.sqrt(max(square - n * off**2, 0.0) / (n - 1))) * unit
                se = sd / float(np.sqrt(n))
                half = float(special.stdtrit(n - 1, 0.975)) * se
                low, high = mean - half, mean + half
        if self.ask.strict and visible and not sd:
            # Everyone the same: the mean would be every single patient's value.
            self.release.hide(f"{where}.mean", "no_spread")
            return dict.fromkeys(names)
        if self.ask.strict and self._dominated()[k]:
            self.release.hide(f"{where}.mean", "dominance")
            return dict.fromkeys(names)
        if not visible:
            return dict.fromkeys(names)
        values = (mean, sd, se, low, high)
        return {key: self.release.sum(v) for key, v in zip(names, values, strict=True)}

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
        terms = self.ask.terms.quantile
        made: dict[str, Any] = {}
        for p, key in zip(PROBABILITIES, keys, strict=True):
            found = quantile_bins(
                bins, p, min_in_bin=terms.min_in_grid_bin, min_each_side=terms.min_each_side
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
        counts = self._counted("bins")[k]
        shape = (self.plan.groups, len(labels)) if self.plan.by else (len(labels),)
        mask = seen(self.shown, f"levels.{self.variable.name}", shape).reshape(-1, len(labels))[k]
        made = []
        for i, label in enumerate(labels):
            count = self.release.count(counts[i], bool(mask[i]), f"{where}.levels[{i}]")
            share = None if count is None or not visible or n == 0 else count / n
            made.append({"level": label, "n": count, "share": self.release.sum(share)})
        return made


METHOD = Describe()
