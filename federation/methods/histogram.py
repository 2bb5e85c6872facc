"""Histograms: how many patients in each class of the codebook, in all and by group.

Under protection thin classes are joined until each bar holds enough patients (rule O6). All groups
share the bars of the whole. Those follow from the total alone and say nothing about a group; bars
of each group's own would say where it is thin, and overlapping bars could be subtracted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from federation.methods.bars import Bar, Classes, classes_of, is_cleared, merged, runs
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
from federation.methods.sentences import behind, counted, left_out
from federation.query.parameters import Parameter, VariableParam
from federation.query.refusals import Refused


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

    def classes(self, ask: Ask) -> Classes:
        """The classes that are counted: at most hist.max_bins."""
        variable = ask.codebook.variables[ask.params["variable"]]
        return classes_of(variable, ask.terms.hist.max_bins)

    def groups(self, ask: Ask) -> Groups:
        """The groups of `by`."""
        return groups_of(ask, ask.params["by"])

    def start(self, ask: Ask) -> Step:
        """The only step. Refused TOO_FINE when groups by bars are too many cells."""
        if ask.params["by"] == ask.params["variable"]:
            raise Refused("NOT_IN_CATALOGUE", (ask.params["by"],))
        if self.groups(ask).size * self.classes(ask).count > ask.terms.max_cells:
            raise Refused("TOO_FINE")
        return Step("histogram.counts")

    def _codes(self, ask: Ask, rows: Rows) -> tuple[Array, Array]:
        """Group and class of each row, int64 (n,) each, both -1 where one is missing."""
        group = self.groups(ask).of(rows)
        place = self.classes(ask).codes(rows.column(ask.params["variable"]).codes())
        known = (group >= 0) & (place >= 0)
        return np.where(known, group, -1), np.where(known, place, -1)

    def site(self, ask: Ask, step: Step, rows: Rows) -> Sums:
        """n, missing (1,) and cells (groups, classes), int64. Where a row is not a patient also
        patients (1,), patients.groups (groups,) and patients.bars (1 + groups, runs of classes),
        the first line for all groups together: a patient in two classes of a bar counts once."""
        group, place = self._codes(ask, rows)
        groups, classes = self.groups(ask).size, self.classes(ask).count
        inside = group >= 0
        cell = group * classes + place
        n = int(np.count_nonzero(inside))
        sums: Sums = {
            "n": np.array([n]),
            "missing": np.array([rows.n - n]),
            "cells": counts_by(cell[inside], groups * classes).reshape(groups, classes),
        }
        if not ask.per_patient:
            sums["patients"] = rows.patients_in(np.where(inside, 0, -1), 1)
            sums["patients.groups"] = rows.patients_in(group, groups)
            bars = []
            for low, high in self._bars_counted(ask, classes):
                mine = (place >= low) & (place <= high)
                whole = rows.patients_in(np.where(mine, 0, -1), 1)
                bars.append(
                    np.concatenate((whole, rows.patients_in(np.where(mine, group, -1), groups)))
                )
            sums["patients.bars"] = np.stack(bars, axis=1)
        return sums

    def _bars_counted(self, ask: Ask, classes: int) -> tuple[Bar, ...]:
        """The bars that can come out: without protection nothing is joined."""
        return runs(classes) if ask.strict else tuple((i, i) for i in range(classes))

    def combine(self, ask: Ask, step: Step, pooled: Sums) -> Finished:
        """One round is enough."""
        return Finished(pooled)

    def sets(self, ask: Ask, rows: Rows) -> list[tuple[str, Mask]]:
        """Complete cases and the classes; with `by` the groups and each class of each group, which
        the classes of all together are made of."""
        group, place = self._codes(ask, rows)
        groups, labels = self.groups(ask), self.classes(ask).labels()
        name = ask.params["variable"]
        found: list[tuple[str, Mask]] = [("analysis", group >= 0)]
        if groups.by is None:
            found += [(f"{name}={label}", place == i) for i, label in enumerate(labels)]
        else:
            for k, level in enumerate(groups.labels):
                mine = group == k
                found.append((f"{groups.by}={level}", mine))
                found += [
                    (f"{groups.by}={level},{name}={label}", mine & (place == i))
                    for i, label in enumerate(labels)
                ]
        return found

    def settle(
        self, ask: Ask, finished: Finished, hidden: frozenset[str]
    ) -> tuple[Finished, frozenset[str]]:
        """Join classes into bars, and name the bars to hide for the sake of their classes.

        `hidden` are labels of sets, of single classes. A group's bar is hidden when its classes in
        that group do not clear it, and all of a group's bars when the group is hidden.
        """
        classes, groups = self.classes(ask), self.groups(ask)
        own = f"{classes.variable.name}="
        labels = classes.labels()
        bars = self._merge(ask, finished.pooled, hidden)
        found: set[str] = set()
        for k, level in enumerate(groups.labels if groups.by is not None else ()):
            name = f"{groups.by}={level}"
            cells = self._sizes(ask, finished.pooled, k)
            if name in hidden:
                found.add(name)
            mine = [f"{name},{own}{label}" in hidden for label in labels]
            found |= {
                f"{name},{own}{classes.label(bar)}"
                for bar in bars
                if name in hidden or not is_cleared(bar, cells, mine, ask.terms.t_cell)
            }
        return dataclasses.replace(finished, facts={"bars": bars}), frozenset(found)

    def _merge(self, ask: Ask, pooled: Sums, hidden: frozenset[str]) -> tuple[Bar, ...]:
        classes = self.classes(ask)
        if not ask.strict:
            return tuple((i, i) for i in range(classes.count))
        needed = max(ask.terms.hist.min_bin, ask.terms.t_cell)
        size = self._sizes(ask, pooled, None)
        unsafe = self._held_back(ask, pooled, hidden)
        return merged(
            classes.count,
            lambda bar: size(bar) >= needed and is_cleared(bar, size, unsafe, ask.terms.t_cell),
        )

    def _held_back(self, ask: Ask, pooled: Sums, hidden: frozenset[str]) -> list[bool]:
        """Which classes of all groups together the auditors hold back.

        With `by` they spoke about each group's part: one large part that may be combined with
        anything is enough for the whole, and small parts say nothing.
        """
        classes, groups = self.classes(ask), self.groups(ask)
        own = [f"{classes.variable.name}={label}" for label in classes.labels()]
        if groups.by is None:
            return [label in hidden for label in own]
        sizes = [self._sizes(ask, pooled, k) for k in range(groups.size)]
        found = []
        for i, label in enumerate(own):
            large = [
                f"{groups.by}={level},{label}" in hidden
                for level, size in zip(groups.labels, sizes, strict=True)
                if size((i, i)) >= ask.terms.t_cell
            ]
            found.append(bool(large) and all(large))
        return found

    def _sizes(self, ask: Ask, pooled: Sums, group: int | None) -> Callable[[Bar], int]:
        """The rows, or patients if they are fewer, in a bar of one group or of all together."""
        cells = pooled["cells"].sum(axis=0) if group is None else pooled["cells"][group]
        line = 0 if group is None else group + 1
        place = {bar: i for i, bar in enumerate(self._bars_counted(ask, cells.size))}

        def size(bar: Bar) -> int:
            rows = int(cells[bar[0] : bar[1] + 1].sum())
            if ask.per_patient:
                return rows
            return min(rows, int(pooled["patients.bars"][line, place[bar]]))

        return size

    def _bars(self, ask: Ask, finished: Finished) -> tuple[Bar, ...]:
        if "bars" not in finished.facts:
            finished, _ = self.settle(ask, finished, frozenset())
        return tuple(finished.facts["bars"])

    def _patients(self, ask: Ask, finished: Finished, bars: tuple[Bar, ...]) -> Array | None:
        """Different patients in each bar, (1 + groups, bars)."""
        if ask.per_patient:
            return None
        place = {bar: i for i, bar in enumerate(self._bars_counted(ask, self.classes(ask).count))}
        return np.asarray(finished.pooled["patients.bars"][:, [place[bar] for bar in bars]])

    def tables(self, ask: Ask, finished: Finished) -> list[CountTable]:
        """The total, the bars, and with `by` the groups and the bars of each."""
        pooled, groups, classes = finished.pooled, self.groups(ask), self.classes(ask)
        bars = self._bars(ask, finished)
        counts = _joined(pooled["cells"], bars)
        people = self._patients(ask, finished, bars)
        total = None if people is None else np.asarray(pooled["patients"][0])
        own = ((ask.params["variable"], tuple(classes.label(bar) for bar in bars)),)
        made = [
            CountTable("total", (), np.asarray(pooled["n"][0]), patients=total),
            CountTable(
                "bins", own, counts.sum(axis=0), patients=None if people is None else people[0]
            ),
        ]
        if groups.by is not None:
            made.append(
                CountTable(
                    "groups",
                    groups.dims,
                    pooled["cells"].sum(axis=1),
                    patients=pooled.get("patients.groups"),
                )
            )
            made.append(
                CountTable(
                    "cells",
                    (*groups.dims, *own),
                    counts,
                    patients=None if people is None else people[1:],
                )
            )
        return made

    def result(self, ask: Ask, finished: Finished, shown: Mapping[str, Mask]) -> Released:
        """`bins` of all together, and `groups` with bins of the same edges."""
        pooled, groups, classes = finished.pooled, self.groups(ask), self.classes(ask)
        bars = self._bars(ask, finished)
        counts = _joined(pooled["cells"], bars)
        people = self._patients(ask, finished, bars)
        variable = classes.variable
        release = Release(ask)

        def bins(numbers: Array, whose: Array | None, mask: Mask, where: str) -> list[Any]:
            made = []
            for i, bar in enumerate(bars):
                low, high = (number(edge) for edge in classes.limits(bar))
                if ask.terms.hist.tails == "open":
                    low, high = (None if i == 0 else low), (None if i == len(bars) - 1 else high)
                place = f"{where}[{i}]"
                entry: dict[str, Any] = {"low": low, "high": high}
                entry |= release.counted(int(numbers[i]), bool(mask[i]), place, _at(whose, i))
                made.append(entry)
            return made

        whole = release.counted(
            int(pooled["n"][0]), bool(seen(shown, "total")), "n", _at(pooled.get("patients"), 0)
        )
        result: dict[str, Any] = {
            **whole,
            "missing": release.missing(int(pooled["missing"][0])),
            "variable": variable.name,
            "unit": variable.unit or None,
            "by": groups.by,
            "bins": bins(
                counts.sum(axis=0),
                None if people is None else people[0],
                seen(shown, "bins", (len(bars),)),
                "bins",
            ),
            "groups": [],
        }
        if groups.by is not None:
            group_seen = seen(shown, "groups", (groups.size,))
            cell_seen = seen(shown, "cells", counts.shape)
            sizes = pooled["cells"].sum(axis=1)
            for k, level in enumerate(groups.labels):
                where = f"groups[{k}]"
                entry: dict[str, Any] = {"level": level}
                entry |= release.counted(
                    int(sizes[k]),
                    bool(group_seen[k]),
                    f"{where}.n",
                    _at(pooled.get("patients.groups"), k),
                )
                mine = None if people is None else people[k + 1]
                entry["bins"] = bins(counts[k], mine, cell_seen[k], f"{where}.bins")
                result["groups"].append(entry)
        return release.done(result)

    def words(self, ask: Ask, lang: str) -> list[str]:
        """What leaves a hospital."""
        classes, groups = self.classes(ask), self.groups(ask)
        name, many = classes.variable.name, classes.count
        who = counted(ask, lang)
        if lang == "nl":
            per = f" en per groep van {groups.by}" if groups.by else ""
            said = f"Het aantal {who} per klasse van {name} ({many} klassen){per}."
        else:
            per = f" and for each group of {groups.by}" if groups.by else ""
            said = f"The number of {who} in each class of {name} ({many} classes){per}."
        return [said, left_out(ask, lang), *behind(ask, lang)]


def _joined(cells: Array, bars: tuple[Bar, ...]) -> Array:
    """Counts (groups, bars) from those of the classes."""
    return np.stack([cells[:, low : high + 1].sum(axis=1) for low, high in bars], axis=1)


def _at(values: Array | None, place: int) -> int | None:
    return None if values is None else int(values[place])


METHOD = Histogram()
