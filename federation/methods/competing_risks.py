"""Cumulative incidence of one kind of event where another may come first, and Gray's test.

Without protection the sites first name their event times (labelled), then everyone counts on the
union. Under protection the counts are on the public grid of survival curves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from federation.methods.base import Ask, CountTable, Finished, Mask, Released, Rows, Step, Sums
from federation.methods.competing_release import points, release_incidence
from federation.methods.curve_sets import curve_tables, first_counts, owners_of
from federation.methods.groups import Groups, groups_of
from federation.methods.sentences import behind, counted
from federation.methods.survival import table_of
from federation.methods.survival_plan import among, grid_times, joined_times, on_grid, outcome_known
from federation.query.parameters import LevelParam, NumbersParam, Parameter, VariableParam
from federation.query.refusals import Refused

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Prepared:
    """Complete rows: time (n,), code of the event (n,) and group (n,)."""

    complete: Mask
    time: npt.NDArray[np.float64]
    event: Ints
    group: Ints


class CompetingRisks:
    """Kind `competing_risks`."""

    kind = "competing_risks"
    hides_cells = True
    parameters: tuple[Parameter, ...] = (
        VariableParam(
            name="time",
            types=("duration", "number", "integer"),
            help_en="Time to the first event or to the end of follow-up.",
            help_nl="Tijd tot de eerste gebeurtenis of tot het einde van de follow-up.",
        ),
        VariableParam(
            name="event",
            types=("category",),
            help_en="What happened at that time: a category with a level for nothing yet.",
            help_nl="Wat er op dat moment gebeurde: een categorie met een waarde voor nog niets.",
        ),
        LevelParam(
            name="cause",
            of="event",
            help_en="The level of the event whose incidence is wanted.",
            help_nl="De waarde van de gebeurtenis waarvan de incidentie wordt gevraagd.",
        ),
        LevelParam(
            name="censored",
            of="event",
            required=False,
            help_en="The level for patients without an event; the first one unless said otherwise.",
            help_nl="De waarde voor patiënten zonder gebeurtenis; zonder keuze is dat de eerste.",
        ),
        VariableParam(
            name="by",
            required=False,
            groupable=True,
            help_en="One curve for each group of this variable, compared by Gray's test.",
            help_nl="Een curve per groep van deze variabele, vergeleken met de toets van Gray.",
        ),
        NumbersParam(
            name="at",
            required=False,
            low=0,
            high=1e6,
            help_en="Times to report, in the unit of the time variable.",
            help_nl="Tijdstippen om te rapporteren, in de eenheid van de tijdvariabele.",
        ),
    )
    bounded_rounds = 2

    def groups(self, ask: Ask) -> Groups:
        """The groups of `by`."""
        return groups_of(ask, ask.params["by"])

    def levels(self, ask: Ask) -> tuple[str, ...]:
        """Every level of the event, the one for censored too."""
        return ask.codebook.variables[ask.params["event"]].group_labels or ()

    def start(self, ask: Ask) -> Step:
        """Counts on the public grid, or first the event times. Refused NOT_IN_CATALOGUE when the
        cause is the level for censored, or a variable stands for two things."""
        names = [ask.params["time"], ask.params["event"], ask.params["by"]]
        twice = tuple(sorted({n for n in names if n is not None and names.count(n) > 1}))
        if twice or ask.params["cause"] == censored_level(ask):
            raise Refused("NOT_IN_CATALOGUE", twice or (ask.params["cause"],))
        if self.groups(ask).size * len(self.levels(ask)) > ask.terms.max_cells:
            raise Refused("TOO_FINE")
        grid = grid_times(ask, None)
        if grid is None:
            return Step("competing_risks.times", labelled=True)
        return Step("competing_risks.counts", {"times": grid.tolist(), "last": None})

    def _prepare(self, ask: Ask, rows: Rows) -> _Prepared:
        group = self.groups(ask).of(rows)
        complete = outcome_known(ask, rows) & (group >= 0)
        return _Prepared(
            complete,
            np.asarray(rows.column(ask.params["time"]).values[complete], dtype=np.float64),
            rows.column(ask.params["event"]).codes()[complete],
            group[complete],
        )

    def site(self, ask: Ask, step: Step, rows: Rows) -> Sums:
        """Event times and each group's last time; or counts per group, level and time.

        `events` (levels, K, T), zeros for the level of censored, and `leaving` (K, T + 1), int64,
        as in survival; `outcomes` (K, levels). Where a row is not a patient also patients (1,),
        patients.groups (K,) and patients.outcomes (K, levels), and under protection first.leaving
        (K, T + 1) and first.events (levels, K, T), see `first_counts`.
        """
        ready = self._prepare(ask, rows)
        groups, levels = self.groups(ask).size, self.levels(ask)
        happened = ready.event != levels.index(censored_level(ask))
        if step.labelled:
            last = np.full((1, groups), -1.0)
            np.maximum.at(last[0], ready.group, ready.time)
            return {"times": np.unique(ready.time[happened]), "last": last}
        times = np.asarray(step.params["times"], dtype=np.float64)
        moved = ready.time if step.params["last"] is not None else on_grid(ready.time, times)
        place = np.searchsorted(times, moved, side="right")
        line = ready.event * groups + ready.group
        shape = (len(levels), groups, times.size)
        cell = ready.group * len(levels) + ready.event
        sums: Sums = {
            "n": np.array([ready.group.size]),
            "missing": np.array([rows.n - ready.group.size]),
            "events": table_of(line[happened], place[happened] - 1, shape),
            "leaving": table_of(ready.group, place, (groups, times.size + 1)),
            "outcomes": table_of(ready.group, ready.event, (groups, len(levels))),
        }
        if not ask.per_patient:
            mine = rows.select(ready.complete)
            sums["patients"] = mine.patients_in(np.zeros(mine.n, dtype=np.int64), 1)
            sums["patients.groups"] = mine.patients_in(ready.group, groups)
            people = mine.patients_in(cell, groups * len(levels))
            sums["patients.outcomes"] = people.reshape(groups, len(levels))
            if ask.strict:
                owners = owners_of(mine)
                sums["first.leaving"] = first_counts(
                    ready.group, place, owners, (groups, times.size + 1)
                )
                counts = first_counts(
                    line[happened],
                    place[happened] - 1,
                    owners[happened],
                    (len(levels) * groups, times.size),
                )
                sums["first.events"] = counts.reshape(shape)
        return sums

    def combine(self, ask: Ask, step: Step, pooled: Sums) -> Step | Finished:
        """Join the event times, each group's last time and the asked times; then finish."""
        if not step.labelled:
            return Finished(pooled, dict(step.params))
        return Step("competing_risks.counts", joined_times(ask, pooled))

    def sets(self, ask: Ask, rows: Rows) -> list[tuple[str, Mask]]:
        """Complete cases, groups, and the patients with each outcome in each."""
        ready, groups = self._prepare(ask, rows), self.groups(ask)
        name = ask.params["event"]
        found: list[tuple[str, Mask]] = [("analysis", ready.complete)]
        for k, label in enumerate(groups.labels):
            prefix = "" if groups.by is None else f"{groups.by}={label},"
            if groups.by is not None:
                found.append((prefix[:-1], among(ready.complete, ready.group == k)))
            for code, level in enumerate(self.levels(ask)):
                inside = (ready.group == k) & (ready.event == code)
                found.append((f"{prefix}{name}={level}", among(ready.complete, inside)))
        return found

    def tables(self, ask: Ask, finished: Finished) -> list[CountTable]:
        """The total, the groups, and every outcome in each group, whichever cause is asked."""
        pooled, groups = finished.pooled, self.groups(ask)
        people = pooled.get("patients")
        made = [
            CountTable(
                "total",
                (),
                np.asarray(pooled["n"][0]),
                patients=None if people is None else np.asarray(people[0]),
            )
        ]
        counts, people = pooled["outcomes"], pooled.get("patients.outcomes")
        if groups.by is not None:
            whole = counts.sum(axis=1)
            own = pooled.get("patients.groups")
            made.append(CountTable("groups", groups.dims, whole, patients=own))
        else:
            counts, people = counts[0], None if people is None else people[0]
        dims = (*groups.dims, (ask.params["event"], self.levels(ask)))
        made.append(CountTable("outcomes", dims, counts, patients=people))
        return made + self._curves(ask, finished)

    def _curves(self, ask: Ask, finished: Finished) -> list[CountTable]:
        """What the points of each group's curve tell; see curve_sets."""
        times = np.asarray(finished.facts["times"], dtype=np.float64)
        made: list[CountTable] = []
        for k in range(self.groups(ask).size if ask.strict else 0):
            removed = finished.pooled["leaving"][k][1:]
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
        """Curves, asked times and the test; see competing_release."""
        cause = self.levels(ask).index(ask.params["cause"])
        censored = self.levels(ask).index(censored_level(ask))
        return release_incidence(ask, self.groups(ask), (cause, censored), finished, shown)

    def words(self, ask: Ask, lang: str) -> list[str]:
        """What leaves a hospital."""
        by, grid, event = ask.params["by"], ask.terms.time_grid_days, ask.params["event"]
        who = counted(ask, lang)
        if lang == "nl":
            per = f", per groep van {by}" if by else ""
            step = f"per {grid} dagen" if grid else "op elk tijdstip"
            said = [
                f"Het aantal gebeurtenissen van elke soort ({event}) en het aantal {who} in "
                f"follow-up, {step}{per}."
            ]
            if not grid:
                said.append("De tijdstippen van de gebeurtenissen, per ziekenhuis herkenbaar.")
            return [*said, *behind(ask, lang)]
        per = f", for each group of {by}" if by else ""
        step = f"in steps of {grid} days" if grid else "at every time"
        said = [
            f"The number of events of each kind ({event}) and of {who} in follow-up, {step}{per}."
        ]
        if not grid:
            said.append("The times of the events, recognisable by hospital.")
        return [*said, *behind(ask, lang)]


def censored_level(ask: Ask) -> str:
    """The level of patients without an event: the one that is named, else the first."""
    levels = ask.codebook.variables[ask.params["event"]].group_labels or ()
    return ask.params["censored"] or levels[0]


METHOD = CompetingRisks()
