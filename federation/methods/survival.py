"""Kaplan-Meier curves, restricted means and the log-rank test, exact over any split of patients.

Without protection the sites first name their event times (labelled), then everyone counts on
the union: the pooled curve itself. Under protection the counts are on a public grid of whole
steps from 0 and only their sum over hospitals is ever seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from federation.methods.base import Ask, CountTable, Finished, Mask, Released, Rows, Step, Sums
from federation.methods.cox_score import pack_symmetric
from federation.methods.curve_sets import curve_tables, first_counts, owners_of
from federation.methods.grouping import counts_by
from federation.methods.groups import Groups, groups_of
from federation.methods.logrank import logrank_sums
from federation.methods.sentences import behind, counted
from federation.methods.survival_plan import (
    OUTCOME,
    Outcome,
    among,
    grid_times,
    joined_times,
    on_grid,
    outcome,
    outcome_known,
    stratum_codes,
    stratum_labels,
)
from federation.methods.survival_release import points, release_survival
from federation.query.parameters import (
    NumberParam,
    NumbersParam,
    Parameter,
    StrataParam,
    VariableParam,
)

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Prepared:
    """Complete rows: outcome on the grid where there is one, group and stratum codes."""

    complete: Mask
    outcome: Outcome
    group: Ints
    stratum: Ints


class Survival:
    """Kind `survival`."""

    kind = "survival"
    hides_cells = True
    parameters: tuple[Parameter, ...] = (
        *OUTCOME,
        VariableParam(
            name="by",
            required=False,
            groupable=True,
            help_en="One curve for each group of this variable, compared by the log-rank test.",
            help_nl="Een curve per groep van deze variabele, vergeleken met de log-ranktoets.",
        ),
        NumbersParam(
            name="at",
            required=False,
            low=0,
            high=1e6,
            help_en="Times to report, in the unit of the time variable.",
            help_nl="Tijdstippen om te rapporteren, in de eenheid van de tijdvariabele.",
        ),
        NumberParam(
            name="grid_days",
            required=False,
            low=1,
            high=3650,
            help_en="Width of the time steps in days; the hospitals' own minimum applies.",
            help_nl="Breedte van de tijdstappen in dagen; het minimum van de ziekenhuizen geldt.",
        ),
        StrataParam(
            name="strata",
            default=None,
            help_en="Strata of the log-rank test: site (on exact times), a variable, or null.",
            help_nl="Strata van de log-ranktoets: site (op exacte tijden), een variabele, of null.",
        ),
    )
    bounded_rounds = 2

    def groups(self, ask: Ask) -> Groups:
        """The groups of `by`."""
        return groups_of(ask, ask.params["by"])

    def start(self, ask: Ask) -> Step:
        """Counts on the public grid, or first the event times."""
        grid = grid_times(ask, ask.params["grid_days"])
        if grid is None:
            return Step("survival.times", labelled=True)
        return Step("survival.counts", {"times": grid.tolist(), "last": None})

    def _prepare(self, ask: Ask, rows: Rows) -> _Prepared:
        group = self.groups(ask).of(rows)
        stratum = stratum_codes(ask, rows)
        complete = outcome_known(ask, rows) & (group >= 0) & (stratum >= 0)
        found = outcome(ask, rows.select(complete))
        return _Prepared(complete, found, group[complete], stratum[complete])

    def site(self, ask: Ask, step: Step, rows: Rows) -> Sums:
        """Event times and each group's last time; or counts per stratum, group and time.

        `events` (S, K, T) and `leaving` (S, K, T + 1), int64: bin j + 1 of `leaving` holds those
        who leave at time j or later but before time j + 1 (bin 0: before the first). With strata
        by site also the log-rank sums of the site's own exact risk sets. Where a row is not a
        patient also patients (1,), patients.groups (K,) and patients.events (K, 2), and under
        protection first.leaving (K, T + 1) and first.events (K, T), see `first_counts`.
        """
        ready = self._prepare(ask, rows)
        groups = self.groups(ask).size
        if step.labelled:
            last = np.full((1, groups), -1.0)
            np.maximum.at(last[0], ready.group, ready.outcome.time)
            return {"times": np.unique(ready.outcome.time[ready.outcome.event]), "last": last}
        times = np.asarray(step.params["times"], dtype=np.float64)
        strata = len(stratum_labels(ask))
        exact = ready.outcome.time
        moved = exact if step.params["last"] is not None else on_grid(exact, times)
        place = np.searchsorted(times, moved, side="right")
        line = ready.stratum * groups + ready.group
        dead = ready.outcome.event
        sums: Sums = {
            "n": np.array([ready.group.size]),
            "missing": np.array([rows.n - ready.group.size]),
            "events": table_of(line[dead], place[dead] - 1, (strata, groups, times.size)),
            "leaving": table_of(line, place, (strata, groups, times.size + 1)),
        }
        if not ask.per_patient:
            mine = rows.select(ready.complete)
            cell = ready.group * 2 + dead
            sums["patients"] = mine.patients_in(np.zeros(mine.n, dtype=np.int64), 1)
            sums["patients.groups"] = mine.patients_in(ready.group, groups)
            sums["patients.events"] = mine.patients_in(cell, 2 * groups).reshape(groups, 2)
            if ask.strict:
                owners = owners_of(mine)
                sums["first.leaving"] = first_counts(
                    ready.group, place, owners, (groups, times.size + 1)
                )
                sums["first.events"] = first_counts(
                    ready.group[dead], place[dead] - 1, owners[dead], (groups, times.size)
                )
        if ask.params["strata"] == "site":
            own = np.unique(exact[dead])
            place = np.searchsorted(own, exact, side="right")
            events = table_of(ready.group[dead], place[dead] - 1, (groups, own.size))
            leaving = table_of(ready.group, place, (groups, own.size + 1))
            found = logrank_sums(events, at_risk_of(leaving))
            sums["observed"] = found.observed
            sums["expected"] = found.expected
            sums["variance"] = pack_symmetric(found.variance)
        return sums

    def combine(self, ask: Ask, step: Step, pooled: Sums) -> Step | Finished:
        """Join the event times, each group's last time and the asked times; then finish."""
        if not step.labelled:
            return Finished(pooled, dict(step.params))
        return Step("survival.counts", joined_times(ask, pooled))

    def sets(self, ask: Ask, rows: Rows) -> list[tuple[str, Mask]]:
        """Complete cases, groups, and the patients without and with the event in each."""
        ready = self._prepare(ask, rows)
        by = ask.params["by"]
        found: list[tuple[str, Mask]] = [("analysis", ready.complete)]
        for k, label in enumerate(self.groups(ask).labels):
            inside = ready.group == k
            prefix = "" if by is None else f"{by}={label},"
            if by is not None:
                found.append((f"{by}={label}", among(ready.complete, inside)))
            for code, level in enumerate(self._outcomes(ask)):
                mine = inside & (ready.outcome.event == bool(code))
                name = f"{prefix}{ask.params['event']}={level}"
                found.append((name, among(ready.complete, mine)))
        return found

    def _outcomes(self, ask: Ask) -> tuple[str, ...]:
        """The two levels of the event, without and with."""
        return ask.codebook.variables[ask.params["event"]].group_labels or ()

    def tables(self, ask: Ask, finished: Finished) -> list[CountTable]:
        """The total, the groups, and who had the event in each group."""
        pooled = finished.pooled
        n = pooled["leaving"].sum(axis=(0, 2))
        events = pooled["events"].sum(axis=(0, 2))
        total, groups = pooled.get("patients"), pooled.get("patients.groups")
        people = pooled.get("patients.events")
        made = [
            CountTable(
                "total",
                (),
                np.asarray(n.sum()),
                patients=None if total is None else np.asarray(total[0]),
            )
        ]
        dims = self.groups(ask).dims
        split = np.stack([n - events, events], axis=1)
        if ask.params["by"] is None:
            split, people = split[0], None if people is None else people[0]
        else:
            made.append(CountTable("groups", dims, n, patients=groups))
        split_dims = (*dims, (ask.params["event"], self._outcomes(ask)))
        made.append(CountTable("events", split_dims, split, patients=people))
        return made + self._curves(ask, finished)

    def _curves(self, ask: Ask, finished: Finished) -> list[CountTable]:
        """What the points of each group's curve tell; see curve_sets."""
        times = np.asarray(finished.facts["times"], dtype=np.float64)
        made: list[CountTable] = []
        for k in range(self.groups(ask).size if ask.strict else 0):
            removed = finished.pooled["leaving"][:, k].sum(axis=0)[1:]
            kept = points(ask, finished.pooled, k)
            left = removed.sum() - np.cumsum(removed)
            made += curve_tables(
                ask,
                f"curve.{k}",
                self.groups(ask).only(k),
                times[kept].tolist(),
                left[kept],
            )
        return made

    def result(self, ask: Ask, finished: Finished, shown: Mapping[str, Mask]) -> Released:
        """Curves, medians, asked times and the test; see survival_release."""
        return release_survival(ask, self.groups(ask).labels, finished, shown)

    def words(self, ask: Ask, lang: str) -> list[str]:
        """What leaves a hospital."""
        by, strata, grid = ask.params["by"], ask.params["strata"], ask.terms.time_grid_days
        grid = max(grid, ask.params["grid_days"] or 0)
        who = counted(ask, lang)
        if lang == "nl":
            per = f", per groep van {by}" if by else ""
            step = f"per {grid} dagen" if grid else "op elk tijdstip"
            said = [f"Het aantal gebeurtenissen en het aantal {who} in follow-up, {step}{per}."]
            if strata == "site":
                said.append("De waargenomen en verwachte aantallen van de log-ranktoets.")
            if not grid:
                said.append("De tijdstippen van de gebeurtenissen, per ziekenhuis herkenbaar.")
            return [*said, *behind(ask, lang)]
        per = f", for each group of {by}" if by else ""
        step = f"in steps of {grid} days" if grid else "at every time"
        said = [f"The number of events and of {who} in follow-up, {step}{per}."]
        if strata == "site":
            said.append("The observed and expected numbers of the log-rank test.")
        if not grid:
            said.append("The times of the events, recognisable by hospital.")
        return [*said, *behind(ask, lang)]


def table_of(line: Ints, place: Ints, shape: tuple[int, ...]) -> Ints:
    """Counts of (line, place) pairs; `shape` ends in the number of places."""
    size = int(np.prod(shape))
    return counts_by(line * shape[-1] + place, size).reshape(shape)


def at_risk_of(leaving: Ints) -> Ints:
    """Numbers at risk just before each time, (..., T), from `leaving` (..., T + 1)."""
    return np.asarray(np.cumsum(leaving[..., ::-1], axis=-1)[..., ::-1][..., 1:])


METHOD = Survival()
