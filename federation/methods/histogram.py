"""Histograms: how many patients in each class of the codebook, in all and by group.

Under protection thin classes are joined until each bar holds enough patients (rule O6, see bars).
All groups share the bars of the whole: those follow from the total alone, while bars of each
group's own would say where it is thin, and overlapping bars could be subtracted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from federation.methods.bars import Bar, Counted, limits, runs
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
from federation.methods.grouping import counts_by
from federation.methods.groups import Groups, groups_of
from federation.methods.release import Release, number, seen
from federation.query.parameters import Parameter, VariableParam
from federation.query.refusals import Refused
from federation.query.variables import Variable


class Histogram:
    """Kind `histogram`."""

    kind = "histogram"
    hides_cells = True
    parameters: tuple[Parameter, ...] = (
        VariableParam(
            name="variable",
            types=("integer", "number", "duration"),
            groupable=True,
            help_en="The number to draw; its bars are the classes of the codebook.",
            help_nl="Het getal om te tekenen; de balken zijn de klassen van het codeboek.",
        ),
        VariableParam(
            name="by",
            required=False,
            groupable=True,
            help_en="Also count each group of this variable, in the same bars.",
            help_nl="Tel ook elke groep van deze variabele, in dezelfde balken.",
        ),
    )
    bounded_rounds = 1

    def variable(self, ask: Ask) -> Variable:
        """The variable that is drawn."""
        return ask.codebook.variables[ask.params["variable"]]

    def groups(self, ask: Ask) -> Groups:
        """The groups of `by`."""
        return groups_of(ask, ask.params["by"])

    def start(self, ask: Ask) -> Step:
        """The only step. Refused TOO_FINE when groups by classes are too many cells."""
        if ask.params["by"] == ask.params["variable"]:
            raise Refused("NOT_IN_CATALOGUE", (ask.params["by"],))
        if self.groups(ask).size * len(_labels(self.variable(ask))) > ask.terms.max_cells:
            raise Refused("TOO_FINE")
        return Step("histogram.counts")

    def _codes(self, ask: Ask, rows: Rows) -> tuple[Array, Array]:
        """Group and class of each row, int64 (n,) each, both -1 where one is missing."""
        group = self.groups(ask).of(rows)
        place = rows.column(ask.params["variable"]).codes()
        known = (group >= 0) & (place >= 0)
        return np.where(known, group, -1), np.where(known, place, -1)

    def _runs(self, ask: Ask) -> tuple[Bar, ...]:
        """The bars that can come out: without protection nothing is joined."""
        classes = len(_labels(self.variable(ask)))
        if not ask.strict:
            return tuple((i, i) for i in range(classes))
        return runs(classes, ask.terms.hist.max_bins)

    def site(self, ask: Ask, step: Step, rows: Rows) -> Sums:
        """n, missing (1,) and cells (groups, classes), int64. Where a row is not a patient the
        different patients too: patients (1,), patients.groups (groups,), patients.classes
        (classes,), patients.cells (groups, classes), and patients.bars (1 + groups, bars that can
        come out), the first line for all groups together."""
        group, place = self._codes(ask, rows)
        groups, classes = self.groups(ask).size, len(_labels(self.variable(ask)))
        inside = group >= 0
        cell = np.where(inside, group * classes + place, -1)
        n = int(np.count_nonzero(inside))
        shape = (groups, classes)
        sums: Sums = {
            "n": np.array([n]),
            "missing": np.array([rows.n - n]),
            "cells": counts_by(cell[inside], groups * classes).reshape(shape),
        }
        if ask.per_patient:
            return sums
        sums["patients"] = rows.patients_in(np.where(inside, 0, -1), 1)
        sums["patients.groups"] = rows.patients_in(group, groups)
        sums["patients.classes"] = rows.patients_in(place, classes)
        sums["patients.cells"] = rows.patients_in(cell, groups * classes).reshape(shape)
        bars = []
        for low, high in self._runs(ask):
            mine = (place >= low) & (place <= high)
            whole = rows.patients_in(np.where(mine, 0, -1), 1)
            each = rows.patients_in(np.where(mine, group, -1), groups)
            bars.append(np.concatenate((whole, each)))
        sums["patients.bars"] = np.stack(bars, axis=1)
        return sums

    def combine(self, ask: Ask, step: Step, pooled: Sums) -> Finished:
        """One round is enough."""
        return Finished(pooled)

    def sets(self, ask: Ask, rows: Rows) -> list[tuple[str, Mask]]:
        """Complete cases, the classes, and with `by` the groups and each class of each group."""
        group, place = self._codes(ask, rows)
        groups, variable = self.groups(ask), self.variable(ask)
        names = [f"{variable.name}={label}" for label in _labels(variable)]
        found: list[tuple[str, Mask]] = [("analysis", group >= 0)]
        found += [(name, place == i) for i, name in enumerate(names)]
        if groups.by is not None:
            for k, level in enumerate(groups.labels):
                mine = group == k
                own = f"{groups.by}={level}"
                found.append((own, mine))
                found += [(f"{own},{name}", mine & (place == i)) for i, name in enumerate(names)]
        return found

    def tables(self, ask: Ask, finished: Finished) -> list[CountTable]:
        """The total, the classes, and with `by` the groups and the classes of each."""
        pooled, groups, variable = finished.pooled, self.groups(ask), self.variable(ask)
        total = pooled.get("patients")
        cells = pooled["cells"]
        own = ((variable.name, _labels(variable)),)
        made = [
            CountTable(
                "total",
                (),
                np.asarray(pooled["n"][0]),
                patients=None if total is None else np.asarray(total[0]),
            ),
            CountTable("classes", own, cells.sum(axis=0), patients=pooled.get("patients.classes")),
        ]
        if groups.by is not None:
            people = pooled.get("patients.groups")
            made.append(CountTable("groups", groups.dims, cells.sum(axis=1), patients=people))
            people = pooled.get("patients.cells")
            made.append(CountTable("cells", (*groups.dims, *own), cells, patients=people))
        return made

    def _bars(self, ask: Ask, pooled: Sums, shown: Mask) -> list[tuple[Bar, int]]:
        """The bars from left to right, each with its place among `_runs`.

        A bar grows until it may be released; what is left at the end joins the bars before it. When
        none is large enough there is one bar of everyone, which is the total.
        """
        possible = {bar: i for i, bar in enumerate(self._runs(ask))}
        if not ask.strict:
            return list(possible.items())
        rows = pooled["cells"].sum(axis=0)
        counted = Counted(rows, pooled.get("patients.classes", rows), shown)

        def large(bar: Bar) -> bool:
            people = int(rows[bar[0] : bar[1] + 1].sum())
            if "patients.bars" in pooled:
                people = int(pooled["patients.bars"][0, possible[bar]])
            return counted.is_large(bar, people, ask.terms.hist, ask.terms.t_cell)

        made: list[Bar] = []
        start = 0
        for end in sorted({bar[1] for bar in possible}):
            if large((start, end)):
                made.append((start, end))
                start = end + 1
        if start < rows.size:
            made.append((start, rows.size - 1))
            while len(made) > 1 and not large(made[-1]):
                last = made.pop()
                made[-1] = (made[-1][0], last[1])
        return [(bar, possible[bar]) for bar in made]

    def result(self, ask: Ask, finished: Finished, shown: Mapping[str, Mask]) -> Released:
        """`bins` of all together, and `groups` with bins of the same edges."""
        pooled, groups, variable = finished.pooled, self.groups(ask), self.variable(ask)
        cells = pooled["cells"]
        total = bool(seen(shown, "total"))
        bars = self._bars(ask, pooled, seen(shown, "classes", (cells.shape[1],)))
        release = Release(ask)
        people = pooled.get("patients")
        result: dict[str, Any] = {
            **release.counted(int(pooled["n"][0]), total, "n", _at(people, 0)),
            "missing": release.missing(int(pooled["missing"][0])),
            "variable": variable.name,
            "unit": variable.unit or None,
            "by": groups.by,
            "bins": [],
            "groups": [],
        }
        people = pooled.get("patients.bars")
        for i, (bar, place) in enumerate(bars):
            size = int(cells[:, bar[0] : bar[1] + 1].sum())
            result["bins"].append(
                {
                    **self._edges(ask, bar),
                    **release.counted(
                        size,
                        total,
                        f"bins[{i}]",
                        None if people is None else int(people[0, place]),
                    ),
                }
            )
        if groups.by is None:
            return release.done(result)
        group_seen = seen(shown, "groups", (groups.size,))
        cell_seen = seen(shown, "cells", cells.shape)
        for k, level in enumerate(groups.labels):
            where = f"groups[{k}]"
            whole = _at(pooled.get("patients.groups"), k)
            counts = release.counted(int(cells[k].sum()), bool(group_seen[k]), f"{where}.n", whole)
            made = []
            for i, (bar, place) in enumerate(bars):
                inside = slice(bar[0], bar[1] + 1)
                # A sum of cells that the table by group shows says nothing new.
                known = bool(cell_seen[k, inside].all() and group_seen[k])
                mine = None if people is None else int(people[k + 1, place])
                size = int(cells[k, inside].sum())
                entry = release.counted(size, known, f"{where}.bins[{i}]", mine)
                made.append({**self._edges(ask, bar), **entry})
            result["groups"].append({"level": level, **counts, "bins": made})
        return release.done(result)

    def _edges(self, ask: Ask, bar: Bar) -> dict[str, float | None]:
        """`low` and `high`; open at the outer ends where the terms say so."""
        variable = self.variable(ask)
        low, high = limits(variable, bar)
        is_open = ask.terms.hist.tails == "open"
        is_last = bar[1] == len(_labels(variable)) - 1
        return {
            "low": None if is_open and bar[0] == 0 else number(low),
            "high": None if is_open and is_last else number(high),
        }

    def words(self, ask: Ask, lang: str) -> list[str]:
        """What leaves a hospital."""
        groups, variable = self.groups(ask), self.variable(ask)
        name, many = variable.name, len(_labels(variable))
        if lang == "nl":
            per = f" en per groep van {groups.by}" if groups.by else ""
            return [
                f"Het aantal patiënten per klasse van {name} ({many} klassen){per}.",
                "Het aantal patiënten bij wie een van deze gegevens ontbreekt.",
            ]
        per = f" and for each group of {groups.by}" if groups.by else ""
        return [
            f"The number of patients in each class of {name} ({many} classes){per}.",
            "The number of patients for whom one of these is missing.",
        ]


def _labels(variable: Variable) -> tuple[str, ...]:
    return variable.group_labels or ()


def _at(values: Array | None, place: int) -> int | None:
    return None if values is None else int(values[place])


METHOD = Histogram()
