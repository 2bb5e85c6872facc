"""Comparing groups: of a number by Welch's t or analysis of variance and by ranks, of a category
by chi-squared.

Numbers take two rounds (counts and sums, then squared deviations from the pooled group means).
Ranks come from counts per class of the codebook under protection; without it the hospitals name
their values in a third, labelled round, and the ranks are those of the joined rows.
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
from federation.methods.compare_release import release_levels, release_numbers
from federation.methods.design import magnitude
from federation.methods.dominance import above_shares
from federation.methods.grouping import counts_by, sums_by
from federation.methods.groups import Groups, groups_of
from federation.methods.moments import centre, first_sums, per_patient, second_sums
from federation.methods.sentences import behind, counted, heavy, left_out
from federation.query.parameters import Parameter, VariableParam
from federation.query.refusals import Refused
from federation.query.variables import Variable


class Compare:
    """Kind `compare`."""

    kind = "compare"
    hides_cells = True
    parameters: tuple[Parameter, ...] = (
        VariableParam(
            name="variable",
            types=("integer", "number", "duration", "category", "boolean"),
            help_en="What is compared: a number, or a category.",
            help_nl="Wat wordt vergeleken: een getal, of een categorie.",
        ),
        VariableParam(
            name="by",
            groupable=True,
            help_en="The groups that are compared.",
            help_nl="De groepen die worden vergeleken.",
        ),
    )
    bounded_rounds = 3

    def variable(self, ask: Ask) -> Variable:
        """What is compared."""
        return ask.codebook.variables[ask.params["variable"]]

    def groups(self, ask: Ask) -> Groups:
        """Between whom."""
        return groups_of(ask, ask.params["by"])

    def levels(self, ask: Ask) -> Groups:
        """The levels of a category that is compared; one without a name for a number."""
        return groups_of(ask, None if self.variable(ask).is_numeric else self.variable(ask).name)

    def start(self, ask: Ask) -> Step:
        """Counts and sums first. Refused NOT_IN_CATALOGUE for a variable compared by itself,
        TOO_FINE for too many cells."""
        if ask.params["by"] == ask.params["variable"]:
            raise Refused("NOT_IN_CATALOGUE", (ask.params["by"],))
        if self.groups(ask).size * self.levels(ask).size > ask.terms.max_cells:
            raise Refused("TOO_FINE")
        return Step("compare.counts")

    def _codes(self, ask: Ask, rows: Rows) -> tuple[Array, Array]:
        """Group and level of each row, int64 (n,) each, both -1 where one is missing."""
        group, level = self.groups(ask).of(rows), self.levels(ask).of(rows)
        known = (group >= 0) & (level >= 0) & rows.column(ask.params["variable"]).known
        return np.where(known, group, -1), np.where(known, level, -1)

    def site(self, ask: Ask, step: Step, rows: Rows) -> Sums:
        """First n, missing (1,), cells (groups, levels), and of a number the sums of `moments`,
        under protection also bins (groups, classes) and weight.V; where a row is not a patient
        patients (1,), patients.groups and patients.cells. Then the squared deviations and, under
        protection, above.V of `dominance`. Last, labelled: value, group, count of distinct pairs.
        """
        group, level = self._codes(ask, rows)
        inside = group >= 0
        groups, levels = self.groups(ask).size, self.levels(ask).size
        sums: Sums = {}
        if step.name == "compare.counts":
            cell = np.where(inside, group * levels + level, -1)
            n = int(np.count_nonzero(inside))
            sums["n"] = np.array([n])
            sums["missing"] = np.array([rows.n - n])
            sums["cells"] = counts_by(cell[inside], groups * levels).reshape(groups, levels)
            if not ask.per_patient:
                sums["patients"] = rows.patients_in(np.where(inside, 0, -1), 1)
                sums["patients.groups"] = rows.patients_in(group, groups)
                people = rows.patients_in(cell, groups * levels)
                sums["patients.cells"] = people.reshape(groups, levels)
        if self.variable(ask).is_numeric:
            sums |= self._numbers(ask, step, rows, group)
        return sums

    def _numbers(self, ask: Ask, step: Step, rows: Rows, group: Array) -> Sums:
        variable, groups = self.variable(ask), self.groups(ask).size
        column = rows.column(variable.name)
        inside = group >= 0
        values, mine = column.values[inside], group[inside]
        people = None if rows.people is None else rows.people[inside]
        if step.labelled:
            return _distinct(values, mine, groups)
        # Sizes of patients, not of rows: one patient's tumours weigh together.
        sizes, whose = per_patient(np.abs(values) / magnitude(variable), mine, people)
        if step.name == "compare.counts":
            sums = first_sums(variable, values, mine, groups)
            if ask.strict:
                sums[f"weight.{variable.name}"] = sums_by(whose, sizes, groups)
                labels = variable.group_labels
                if labels is not None:
                    code = column.codes()[inside]
                    known = code >= 0
                    flat = mine[known] * len(labels) + code[known]
                    bins = counts_by(flat, groups * len(labels))
                    sums["bins"] = bins.reshape(groups, len(labels))
            return sums
        means = np.asarray(step.params["means"])
        sums = second_sums(variable, values, mine, groups, means, step.params["unit"])
        if ask.strict:
            whole = np.asarray(step.params["counts"][f"weight.{variable.name}"])
            sums[f"above.{variable.name}"] = above_shares(sizes, whose, whole, ask.terms.dominance)
        return sums

    def combine(self, ask: Ask, step: Step, pooled: Sums) -> Step | Finished:
        """Counts, then deviations from the pooled means, then values where nothing is protected."""
        variable = self.variable(ask)
        made = {name: values.tolist() for name, values in pooled.items()}
        if not variable.is_numeric:
            return Finished({}, {"counts": made})
        if step.name == "compare.counts":
            means, unit = centre(variable, pooled, pooled["cells"][:, 0])
            return Step("compare.spread", {"means": means, "unit": unit, "counts": made})
        if step.name == "compare.spread":
            facts = {**step.params, "spread": made}
            return (
                Finished({}, facts) if ask.strict else Step("compare.values", facts, labelled=True)
            )
        return Finished(pooled, dict(step.params))

    def sets(self, ask: Ask, rows: Rows) -> list[tuple[str, Mask]]:
        """Complete cases, the groups, and of a category each level of each group."""
        group, level = self._codes(ask, rows)
        groups, levels = self.groups(ask), self.levels(ask)
        found: list[tuple[str, Mask]] = [("analysis", group >= 0)]
        for k, label in enumerate(groups.labels):
            own = f"{groups.by}={label}"
            found.append((own, group == k))
            if levels.by is not None:
                found += [
                    (f"{own},{levels.by}={name}", (group == k) & (level == i))
                    for i, name in enumerate(levels.labels)
                ]
        return found

    def tables(self, ask: Ask, finished: Finished) -> list[CountTable]:
        """The total, the groups, and of a category the cells."""
        counts = {name: np.asarray(values) for name, values in finished.facts["counts"].items()}
        groups, levels = self.groups(ask), self.levels(ask)
        people = counts.get("patients")
        made = [
            CountTable(
                "total",
                (),
                counts["n"][0],
                patients=None if people is None else people[0],
            ),
            CountTable(
                "groups",
                groups.dims,
                counts["cells"].sum(axis=1),
                patients=counts.get("patients.groups"),
            ),
        ]
        if levels.by is not None:
            made.append(
                CountTable(
                    "cells",
                    (*groups.dims, *levels.dims),
                    counts["cells"],
                    patients=counts.get("patients.cells"),
                )
            )
        return made

    def result(self, ask: Ask, finished: Finished, shown: Mapping[str, Mask]) -> Released:
        """Groups and tests; see compare_release."""
        if self.variable(ask).is_numeric:
            return release_numbers(ask, self.variable(ask), self.groups(ask), finished, shown)
        return release_levels(ask, self.groups(ask), self.levels(ask), finished, shown)

    def words(self, ask: Ask, lang: str) -> list[str]:
        """What leaves a hospital."""
        name, by = ask.params["variable"], ask.params["by"]
        numeric, classes = self.variable(ask).is_numeric, self.variable(ask).group_labels
        who = counted(ask, lang)
        nl = lang == "nl"
        if not numeric:
            said = [
                f"Het aantal {who} per combinatie van {by} en {name}."
                if nl
                else f"The number of {who} for each combination of {by} and {name}.",
                left_out(ask, lang),
            ]
            return [*said, *behind(ask, lang)]
        if nl:
            said = [
                f"Het aantal {who} met en zonder deze gegevens, per groep van {by}.",
                f"De som, en daarna de som van gekwadrateerde afwijkingen, van {name} per groep.",
            ]
            values = f"De waarden van {name} per groep, per ziekenhuis herkenbaar."
            bins = f"Het aantal {who} per klasse van {name} en groep van {by}."
        else:
            said = [
                f"The number of {who} with and without these data, for each group of {by}.",
                f"The sum, and then the sum of squared deviations, of {name} in each group.",
            ]
            values = f"The values of {name} in each group, recognisable by hospital."
            bins = f"The number of {who} in each class of {name} and group of {by}."
        said += heavy(ask, name, lang)
        if not ask.strict:
            said.append(values)
        elif classes is not None:
            said.append(bins)
        return [*said, *behind(ask, lang)]


def _distinct(values: Array, group: Array, groups: int) -> Sums:
    """Every value of each group once, with the number of rows that have it."""
    found = [np.unique(values[group == k], return_counts=True) for k in range(groups)]
    return {
        "group": np.repeat(np.arange(groups), [each.size for each, _ in found]),
        "value": np.concatenate([each for each, _ in found]),
        "count": np.concatenate([count for _, count in found]),
    }


METHOD = Compare()
