"""Counts, and cross-tables of up to three variables, with Pearson's chi-squared for two."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

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
from federation.methods.groups import Dims, Groups, cell_index, groups_of
from federation.methods.own import Labels
from federation.methods.release import Release, number, seen
from federation.methods.sentences import behind, counted, left_out
from federation.query.parameters import Parameter, VariablesParam
from federation.query.refusals import Refused


def pearson(counts: npt.NDArray[np.int64]) -> dict[str, Any] | None:
    """Pearson's chi-squared of a two-way table without continuity correction.

    Rows and columns nobody is in carry no information and are left out; None when fewer than
    two of either remain. With 2 by 2, `yates` holds the corrected test. `cramers_v` is
    sqrt(chi2 / (n min(r - 1, c - 1))).
    """
    from scipy import special

    table = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0].astype(np.float64)
    if min(table.shape) < 2:
        return None
    n = table.sum()
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    off = np.abs(table - expected)
    chi2 = float((off**2 / expected).sum())
    df = (table.shape[0] - 1) * (table.shape[1] - 1)
    test: dict[str, Any] = {
        "chi2": chi2,
        "df": df,
        "p": float(special.chdtrc(df, chi2)),
        "cramers_v": float(np.sqrt(chi2 / (n * (min(table.shape) - 1)))),
    }
    if table.shape == (2, 2):
        corrected = float(((off - np.minimum(0.5, off)) ** 2 / expected).sum())
        test["yates"] = {"chi2": corrected, "df": 1, "p": float(special.chdtrc(1, corrected))}
    return test


class Count:
    """Kind `count`: how many patients, by up to three variables."""

    kind = "count"
    hides_cells = True
    parameters: tuple[Parameter, ...] = (
        VariablesParam(
            name="by",
            required=False,
            default=[],
            groupable=True,
            min=0,
            max=3,
            help_en="Up to three variables to count by.",
            help_nl="Hooguit drie variabelen om op te splitsen.",
        ),
    )
    bounded_rounds = 1

    def _groups(self, ask: Ask) -> list[Groups]:
        return [groups_of(ask, name) for name in ask.params["by"]]

    def _dims(self, ask: Ask) -> Dims:
        return tuple(dim for groups in self._groups(ask) for dim in groups.dims)

    def start(self, ask: Ask) -> Step:
        """The only step. Refused TOO_FINE when the table has too many dimensions or cells."""
        shape = [len(labels) for _, labels in self._dims(ask)]
        if len(shape) > ask.terms.max_dims or np.prod(shape) > ask.terms.max_cells:
            raise Refused("TOO_FINE")
        return Step("count.cells")

    def site(self, ask: Ask, step: Step, rows: Rows) -> Sums:
        """n and missing (1,), and the cells in the shape of the table; all int64. Where a row is
        not a patient also the different patients: patients (1,) and patients.cells."""
        dims = self._dims(ask)
        index = cell_index(rows, self._groups(ask))
        shape = tuple(len(labels) for _, labels in dims)
        inside = index[index >= 0]
        cells = counts_by(inside, int(np.prod(shape)))
        sums = {
            "n": np.array([inside.size]),
            "missing": np.array([rows.n - inside.size]),
            "cells": cells.reshape(shape or (1,)),
        }
        if not ask.per_patient:
            people = rows.patients_in(index, int(np.prod(shape)))
            sums["patients"] = rows.patients_in(np.where(index >= 0, 0, -1), 1)
            sums["patients.cells"] = people.reshape(shape or (1,))
        return sums

    def combine(self, ask: Ask, step: Step, pooled: Sums) -> Finished:
        """One round is enough."""
        return Finished(pooled)

    def sets(self, ask: Ask, rows: Rows) -> list[tuple[str, Mask]]:
        """Complete cases, and every cell."""
        dims = self._dims(ask)
        index = cell_index(rows, self._groups(ask))
        found: list[tuple[str, Mask]] = [("analysis", index >= 0)]
        if dims:
            found += [(where, index == i) for i, where in enumerate(cell_names(dims))]
        return found

    def tables(self, ask: Ask, finished: Finished) -> list[CountTable]:
        """The total, and the cells when there is something to count by."""
        pooled, dims = finished.pooled, self._dims(ask)
        people = pooled.get("patients")
        made = [
            CountTable(
                "total",
                (),
                np.asarray(pooled["n"][0]),
                patients=None if people is None else np.asarray(people[0]),
            )
        ]
        if dims:
            made.append(
                CountTable("cells", dims, pooled["cells"], patients=pooled.get("patients.cells"))
            )
        return made

    def own_tables(self, ask: Ask, rows: Rows) -> Finished:
        """The counts here."""
        return Finished(self.site(ask, self.start(ask), rows))

    def shows(self, ask: Ask, finished: Finished, shown: Mapping[str, Mask]) -> list[Labels]:
        """Each cell that is shown."""
        dims = self._dims(ask)
        if not dims:
            return []
        visible = seen(shown, "cells", tuple(len(labels) for _, labels in dims)).ravel()
        return [(name,) for name, told in zip(cell_names(dims), visible, strict=True) if told]

    def result(self, ask: Ask, finished: Finished, shown: Mapping[str, Mask]) -> Released:
        """Cells in table order; `test` for two variables, from a table without hidden cells."""
        dims = self._dims(ask)
        counts: Array = finished.pooled["cells"]
        release = Release(ask)
        people, whose = finished.pooled.get("patients"), finished.pooled.get("patients.cells")
        whole = release.counted(
            int(finished.pooled["n"][0]),
            bool(seen(shown, "total")),
            "total",
            None if people is None else int(people[0]),
        )
        n = whole["n"]
        if n is None:
            release.hide("n", "small_cell")
        visible = seen(shown, "cells", counts.shape) if dims else seen(shown, "total", (1,))
        cells = []
        names = [name for name, _ in dims]
        labels = itertools.product(*(labels for _, labels in dims))
        for i, (label, value, seen_it) in enumerate(
            zip(labels, counts.ravel(), visible.ravel(), strict=True)
        ):
            mine = None if whose is None else int(whose.flat[i])
            cell = release.counted(int(value), bool(seen_it), f"cells[{i}]", mine)
            cells.append({"by": dict(zip(names, label, strict=True)), **cell})
        result: dict[str, Any] = {
            **whole,
            "missing": release.missing(int(finished.pooled["missing"][0])),
            "total": n,
            "cells": cells,
        }
        if len(dims) == 2:
            result["test"] = self._test(release, counts, bool(visible.all()))
        return release.done(result)

    def _test(self, release: Release, counts: Array, complete: bool) -> dict[str, Any] | None:
        if not complete:
            release.hide("test", "small_cell")
            return None
        test = pearson(counts)
        if test is None:
            release.warnings.append(
                "No test: fewer than two groups of one of the variables hold patients."
            )
            return None
        return _rounded(release, test)

    def words(self, ask: Ask, lang: str) -> list[str]:
        """What leaves a hospital."""
        names = ", ".join(name for name, _ in self._dims(ask))
        cells = int(np.prod([len(labels) for _, labels in self._dims(ask)]))
        who = counted(ask, lang)
        if lang == "nl":
            what = f"per combinatie van {names} ({cells} aantallen)" if names else "in totaal"
            said = [
                f"Het aantal {who} {what}.",
                left_out(ask, lang) if names else "Geen enkel ander gegeven.",
            ]
        else:
            what = f"for each combination of {names} ({cells} counts)" if names else "in all"
            said = [
                f"The number of {who} {what}.",
                left_out(ask, lang) if names else "Nothing else.",
            ]
        return [said[0], *behind(ask, lang), *said[1:]]


def cell_names(dims: Dims) -> list[str]:
    return [
        ",".join(f"{name}={label}" for (name, _), label in zip(dims, labels, strict=True))
        for labels in itertools.product(*(labels for _, labels in dims))
    ]


def _rounded(release: Release, test: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in test.items():
        if isinstance(value, dict):
            made[key] = _rounded(release, value)
        else:
            made[key] = value if key == "df" else release.coefficient(number(value))
    return made


METHOD = Count()
