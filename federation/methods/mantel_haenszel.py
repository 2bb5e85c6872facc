"""The common odds ratio of two-by-two tables, one per hospital or per level of a variable.

Each hospital sends its terms of the Mantel-Haenszel sums, never its table. The test of homogeneity
holds every table against the one expected under the pooled odds ratio, and so takes a second round.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from federation.methods.count import cell_names
from federation.methods.grouping import counts_by
from federation.methods.groups import Dims, Groups, cell_index, every_group
from federation.methods.mantel_haenszel_release import release_odds_ratio
from federation.methods.mantel_haenszel_sums import (
    common_odds_ratio,
    homogeneity_sums,
    table_sums,
)
from federation.methods.sentences import behind, counted, left_out
from federation.query.parameters import Parameter, StrataParam, VariableParam
from federation.query.refusals import Refused
from federation.query.variables import Variable


class TwoLevelParam(VariableParam):
    """A variable of exactly two groups; the second one is the exposure or the outcome."""

    def suits(self, variable: Variable) -> bool:
        """Tell whether there are two groups."""
        return len(variable.group_labels or ()) == 2


class MantelHaenszel:
    """Kind `mantel_haenszel`."""

    kind = "mantel_haenszel"
    hides_cells = True
    parameters: tuple[Parameter, ...] = (
        TwoLevelParam(
            name="outcome",
            groupable=True,
            help_en="A variable of two levels; the last one is the outcome.",
            help_nl="Een variabele met twee waarden; de laatste is de uitkomst.",
        ),
        TwoLevelParam(
            name="exposure",
            groupable=True,
            help_en="A variable of two levels; the last one is the exposure.",
            help_nl="Een variabele met twee waarden; de laatste is de blootstelling.",
        ),
        StrataParam(
            name="strata",
            default="site",
            help_en="One table for each hospital (site), for each level of a variable, or null.",
            help_nl="Een tabel per ziekenhuis (site), per waarde van een variabele, of null.",
        ),
    )
    bounded_rounds = 2

    def dims(self, ask: Ask) -> Dims:
        """Exposure and outcome, first level first."""
        return tuple(dim for groups in self._groups(ask) for dim in groups.dims)

    def _groups(self, ask: Ask) -> list[Groups]:
        names = (ask.params["exposure"], ask.params["outcome"])
        return [every_group(ask.codebook.variables[name]) for name in names]

    def _strata(self, ask: Ask) -> tuple[str, ...]:
        """Levels that are strata over all hospitals; one when the hospitals are the strata."""
        strata = ask.params["strata"]
        if strata in (None, "site"):
            return ("all",)
        return ask.codebook.variables[strata].group_labels or ()

    def start(self, ask: Ask) -> Step:
        """Tables first. Refused NOT_IN_CATALOGUE when one variable stands for two things, TOO_FINE
        for too many strata."""
        names = [ask.params["outcome"], ask.params["exposure"], ask.params["strata"]]
        twice = tuple(sorted({name for name in names if names.count(name) > 1}))
        if twice:
            raise Refused("NOT_IN_CATALOGUE", twice)
        if 4 * len(self._strata(ask)) > ask.terms.max_cells:
            raise Refused("TOO_FINE")
        return Step("mantel_haenszel.tables")

    def _codes(self, ask: Ask, rows: Rows) -> tuple[Array, Array]:
        """Stratum and cell (exposure * 2 + outcome) of each row, int64, -1 where one is missing."""
        cell = cell_index(rows, self._groups(ask))
        stratum = np.zeros(rows.n, dtype=np.int64)
        if ask.params["strata"] not in (None, "site"):
            stratum = rows.column(ask.params["strata"]).codes()
        known = (cell >= 0) & (stratum >= 0)
        return np.where(known, stratum, -1), np.where(known, cell, -1)

    def _tables(self, ask: Ask, rows: Rows) -> Array:
        """Counts (strata, 2, 2) by exposure and outcome."""
        stratum, cell = self._codes(ask, rows)
        inside = cell >= 0
        size = len(self._strata(ask))
        return counts_by((stratum * 4 + cell)[inside], size * 4).reshape(size, 2, 2)

    def site(self, ask: Ask, step: Step, rows: Rows) -> Sums:
        """First n, missing (1,), cells (2, 2) and tables (strata, 2, 2), int64; with strata by
        hospital the terms of `table_sums` instead of tables; where a row is not a patient also
        patients (1,), patients.cells (2, 2), patients.strata. Then `homogeneity_sums`."""
        tables = self._tables(ask, rows)
        by_site = ask.params["strata"] == "site"
        if step.name == "mantel_haenszel.homogeneity":
            return homogeneity_sums(tables, step.params["odds_ratio"])
        n = int(tables.sum())
        sums: Sums = {
            "n": np.array([n]),
            "missing": np.array([rows.n - n]),
            "cells": tables.sum(axis=0),
        }
        sums |= table_sums(tables) if by_site else {"tables": tables}
        if not ask.per_patient:
            stratum, cell = self._codes(ask, rows)
            sums["patients"] = rows.patients_in(np.where(cell >= 0, 0, -1), 1)
            sums["patients.cells"] = rows.patients_in(cell, 4).reshape(2, 2)
            sums["patients.strata"] = rows.patients_in(stratum, len(self._strata(ask)))
        return sums

    def combine(self, ask: Ask, step: Step, pooled: Sums) -> Step | Finished:
        """With strata by hospital, ask for homogeneity under the pooled odds ratio if it exists."""
        if step.name == "mantel_haenszel.homogeneity":
            homogeneity = {name: values.tolist() for name, values in pooled.items()}
            return Finished(pooled, {**step.params, "homogeneity": homogeneity})
        counts = {name: values.tolist() for name, values in pooled.items()}
        if "tables" in pooled:
            tables = pooled["tables"]
            sums = table_sums(tables)
            ratio = common_odds_ratio(sums)
            facts: dict[str, Any] = {
                "counts": {**counts, **{name: values.tolist() for name, values in sums.items()}}
            }
            if ratio is not None:
                found = homogeneity_sums(tables, ratio)
                facts["homogeneity"] = {name: values.tolist() for name, values in found.items()}
            return Finished(pooled, facts)
        ratio = common_odds_ratio(pooled)
        if ratio is None:
            return Finished(pooled, {"counts": counts})
        return Step("mantel_haenszel.homogeneity", {"odds_ratio": ratio, "counts": counts})

    def sets(self, ask: Ask, rows: Rows) -> list[tuple[str, Mask]]:
        """Complete cases, the four cells, and the levels of a strata variable."""
        stratum, cell = self._codes(ask, rows)
        found: list[tuple[str, Mask]] = [("analysis", cell >= 0)]
        found += [(name, cell == i) for i, name in enumerate(cell_names(self.dims(ask)))]
        if ask.params["strata"] not in (None, "site"):
            labels = self._strata(ask)
            found += [(f"{ask.params['strata']}={s}", stratum == i) for i, s in enumerate(labels)]
        return found

    def tables(self, ask: Ask, finished: Finished) -> list[CountTable]:
        """The total, the four cells, and the strata of a variable."""
        counts = {name: np.asarray(values) for name, values in finished.facts["counts"].items()}
        people = counts.get("patients")
        made = [
            CountTable("total", (), counts["n"][0], patients=None if people is None else people[0]),
            CountTable(
                "cells", self.dims(ask), counts["cells"], patients=counts.get("patients.cells")
            ),
        ]
        if ask.params["strata"] not in (None, "site"):
            made.append(
                CountTable(
                    "strata",
                    ((ask.params["strata"], self._strata(ask)),),
                    counts["tables"].sum(axis=(1, 2)),
                    patients=counts.get("patients.strata"),
                )
            )
        return made

    def result(self, ask: Ask, finished: Finished, shown: Mapping[str, Mask]) -> Released:
        """Cells, odds ratio and tests; see mantel_haenszel_release."""
        return release_odds_ratio(ask, self.dims(ask), finished, shown)

    def words(self, ask: Ask, lang: str) -> list[str]:
        """What leaves a hospital."""
        (exposure, _), (outcome, _) = self.dims(ask)
        strata = ask.params["strata"]
        variable = strata not in (None, "site")
        who = counted(ask, lang)
        if lang == "nl":
            per = f", per groep van {strata}" if variable else ""
            said = [f"Het aantal {who} per combinatie van {exposure} en {outcome}{per}."]
            sums = (
                "De bijdrage van het ziekenhuis aan de sommen van Mantel en Haenszel, en daarna"
                " het verschil tussen zijn tabel en de verwachte."
            )
        else:
            per = f", for each group of {strata}" if variable else ""
            said = [f"The number of {who} for each combination of {exposure} and {outcome}{per}."]
            sums = (
                "The hospital's part of the Mantel-Haenszel sums, and then the difference between "
                "its table and the expected one."
            )
        said.append(left_out(ask, lang))
        if strata == "site":
            said.append(sums)
        return [*said, *behind(ask, lang)]


METHOD = MantelHaenszel()
