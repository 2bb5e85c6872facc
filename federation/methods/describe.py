"""Means, spread and quantile intervals of numbers; shares of categories; by group or not.

Two rounds: counts and sums first, then squared deviations from the pooled means (see moments).
"""

from __future__ import annotations

from collections.abc import Mapping

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
from federation.methods.describe_plan import Plan, plan_of
from federation.methods.describe_release import release_description
from federation.methods.design import magnitude
from federation.methods.dominance import above_shares
from federation.methods.grouping import counts_by, sums_by
from federation.methods.moments import (
    centre,
    first_sums,
    per_patient,
    second_sums,
)
from federation.methods.sentences import behind, counted, heavy
from federation.query.parameters import Parameter, VariableParam, VariablesParam
from federation.query.variables import Variable


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

    def _usable(self, ask: Ask, plan: Plan, rows: Rows) -> Mask:
        """Rows that count at all. Under protection all variables must be known: otherwise
        the sets behind two variables would differ by a few patients."""
        usable = plan.split.of(rows) >= 0
        if ask.strict:
            usable = usable & rows.complete([v.name for v in plan.variables])
        return np.asarray(usable)

    def site(self, ask: Ask, step: Step, rows: Rows) -> Sums:
        """Per variable V and group n.V, bins.V, sum.V of (x - origin) / span, and size.V, the
        sum of its absolute values; then off.V and square.V, deviations from the pooled mean.
        Under protection also weight.V, the sum of absolute values per group, and then above.V, the
        patients who make up much of it. Where a row is not a patient also patients (1,),
        patients.groups, patients.n.V and patients.bins.V."""
        plan = plan_of(ask)
        usable = self._usable(ask, plan, rows)
        group = plan.split.of(rows)
        sums: Sums = {}
        if step.name == "describe.counts":
            sums["n"] = np.array([np.count_nonzero(usable)])
            sums["missing"] = np.array([rows.n]) - sums["n"]
            sums["groups"] = counts_by(group[usable], plan.groups)
            if not ask.per_patient:
                inside = np.where(usable, group, -1)
                sums["patients"] = rows.patients_in(np.where(usable, 0, -1), 1)
                sums["patients.groups"] = rows.patients_in(inside, plan.groups)
        for variable in plan.variables:
            column = rows.column(variable.name)
            known = usable & column.known
            mine = group[known]
            if step.name == "describe.counts":
                sums |= self._counts(ask, plan, rows, variable, np.where(known, group, -1))
            if variable.is_numeric:
                sums |= self._numbers(ask, step, plan, rows, variable, known, mine)
        return sums

    def _counts(self, ask: Ask, plan: Plan, rows: Rows, variable: Variable, group: Array) -> Sums:
        """Rows per group and class of one variable; `group` (n,) is -1 where it is missing."""
        name, labels = variable.name, variable.group_labels
        sums: Sums = {f"n.{name}": counts_by(group[group >= 0], plan.groups)}
        if not ask.per_patient:
            sums[f"patients.n.{name}"] = rows.patients_in(group, plan.groups)
        if labels is not None:
            code = rows.column(name).codes()
            cell = np.where((group >= 0) & (code >= 0), group * len(labels) + code, -1)
            size = plan.groups * len(labels)
            shape = (plan.groups, len(labels))
            sums[f"bins.{name}"] = counts_by(cell[cell >= 0], size).reshape(shape)
            if not ask.per_patient:
                sums[f"patients.bins.{name}"] = rows.patients_in(cell, size).reshape(shape)
        return sums

    def _numbers(
        self,
        ask: Ask,
        step: Step,
        plan: Plan,
        rows: Rows,
        variable: Variable,
        known: Mask,
        group: Array,
    ) -> Sums:
        """The sums of one number over its `known` rows (n,), which are in `group` (known,)."""
        name = variable.name
        values = rows.column(name).values[known]
        people = None if rows.people is None else rows.people[known]
        # Sizes of patients, not of rows: one patient's tumours weigh together.
        sizes, whose = per_patient(np.abs(values) / magnitude(variable), group, people)
        if step.name == "describe.counts":
            sums = first_sums(variable, values, group, plan.groups)
            if ask.strict:
                sums[f"weight.{name}"] = sums_by(whose, sizes, plan.groups)
            return sums
        means = np.asarray(step.params["means"][name])
        unit = step.params["units"][name]
        sums = second_sums(variable, values, group, plan.groups, means, unit)
        if ask.strict:
            whole = np.asarray(step.params["counts"][f"weight.{name}"])
            sums[f"above.{name}"] = above_shares(sizes, whose, whole, ask.terms.dominance)
        return sums

    def combine(self, ask: Ask, step: Step, pooled: Sums) -> Step | Finished:
        """After the counts, ask for squared deviations from the pooled means."""
        plan = plan_of(ask)
        if step.name == "describe.counts":
            counts = {name: values.tolist() for name, values in pooled.items()}
            means, units = {}, {}
            for variable in plan.numeric:
                n = pooled[f"n.{variable.name}"]
                means[variable.name], units[variable.name] = centre(variable, pooled, n)
            if means:
                return Step("describe.spread", {"means": means, "units": units, "counts": counts})
            return Finished({}, {"counts": counts})
        return Finished(pooled, dict(step.params))

    def sets(self, ask: Ask, rows: Rows) -> list[tuple[str, Mask]]:
        """Complete cases, groups, and the levels of described categories."""
        plan = plan_of(ask)
        usable = self._usable(ask, plan, rows)
        group = plan.split.of(rows)
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
        people = {
            name.removeprefix("patients."): np.asarray(values)
            for name, values in counts.items()
            if name.startswith("patients")
        }
        total = people.get("patients")
        made = [
            CountTable(
                "total",
                (),
                np.asarray(counts["n"][0]),
                patients=None if total is None else total[0],
            )
        ]
        dims = plan.split.dims
        if plan.by is not None:
            whole = np.asarray(counts["groups"])
            made.append(CountTable("groups", dims, whole, patients=people.get("groups")))
        for variable in plan.variables:
            if not variable.is_numeric:
                bins = np.asarray(counts[f"bins.{variable.name}"])
                own = (variable.name, variable.group_labels or ())
                whose = people.get(f"bins.{variable.name}")
                if plan.by is None:
                    bins, whose = bins[0], None if whose is None else whose[0]
                name = f"levels.{variable.name}"
                made.append(CountTable(name, (*dims, own), bins, patients=whose))
        return made

    def result(self, ask: Ask, finished: Finished, shown: Mapping[str, Mask]) -> Released:
        """`variables`: one entry each, with one entry per group under `groups`."""
        return release_description(ask, plan_of(ask), finished, shown)

    def words(self, ask: Ask, lang: str) -> list[str]:
        """What leaves a hospital."""
        plan = plan_of(ask)
        numeric = ", ".join(v.name for v in plan.numeric)
        binned = ", ".join(v.name for v in plan.variables if v.group_labels is not None)
        per, who = _per(plan.by, lang), counted(ask, lang)
        if lang == "nl":
            said = [f"Het aantal {who} met en zonder deze gegevens{per}."]
            sums = f"De som, en daarna de som van gekwadrateerde afwijkingen, van {numeric}."
            classes = f"Het aantal {who} per klasse van {binned}."
        else:
            said = [f"The number of {who} with and without these data{per}."]
            sums = f"The sum, and then the sum of squared deviations, of {numeric}."
            classes = f"The number of {who} in each class of {binned}."
        if numeric:
            said += [sums, *heavy(ask, numeric, lang)]
        if binned:
            said.append(classes)
        return [*said, *behind(ask, lang)]


def _per(by: str | None, lang: str) -> str:
    if by is None:
        return ""
    return f", per groep van {by}" if lang == "nl" else f", for each group of {by}"


METHOD = Describe()
