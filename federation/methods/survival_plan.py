"""What a survival question needs to know before any row is read, and its rows as counts.

Kaplan-Meier and Cox share the outcome parameters, the time grid and the meaning of a stratum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from federation.methods.base import Ask, Mask, Rows, Sums
from federation.query.parameters import Parameter, VariableParam
from federation.query.refusals import Refused
from federation.query.variables import Variable

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_DAYS = {"day": 1.0, "week": 7.0, "month": 30.4375, "year": 365.25}


class EventParam(VariableParam):
    """A variable that says whether the event was seen: boolean, or a whole number 0 or 1."""

    def suits(self, variable: Variable) -> bool:
        """Tell whether level 1 of two means that the event was seen."""
        if variable.type == "integer":
            return variable.min == 0 and variable.max == 1
        return super().suits(variable)


OUTCOME: tuple[Parameter, ...] = (
    VariableParam(
        name="time",
        types=("duration", "number", "integer"),
        help_en="Time to the event or to the end of follow-up.",
        help_nl="Tijd tot de gebeurtenis of tot het einde van de follow-up.",
    ),
    EventParam(
        name="event",
        types=("boolean",),
        help_en="Whether the event was seen at that time.",
        help_nl="Of de gebeurtenis op dat moment is gezien.",
    ),
)


def days_per_unit(variable: Variable) -> float:
    """Days in one unit of a time variable; an unknown unit counts as days."""
    return _DAYS.get(variable.unit.strip().lower().removesuffix("s"), 1.0)


def grid_times(ask: Ask, grid_days: float | None) -> Floats | None:
    """The public time grid under protection, ascending in the variable's own unit; else None.

    Steps of g = max(time_grid_days, grid_days) days from 0 to the codebook's maximum. Refused
    TOO_FINE for a finer grid than allowed; NOT_IN_CATALOGUE when the codebook sets no maximum,
    because the grid may not follow the data.
    """
    finest = ask.terms.time_grid_days
    if grid_days is not None and grid_days < finest:
        raise Refused("TOO_FINE")
    step = max(float(finest), float(grid_days or 0))
    if step <= 0:
        return None
    variable = ask.codebook.variables[ask.params["time"]]
    if variable.max is None:
        raise Refused("NOT_IN_CATALOGUE", (variable.name,))
    per_unit = days_per_unit(variable)
    steps = max(math.ceil(variable.max * per_unit / step - 1e-9), 0)
    if steps > 5000:
        raise Refused("TOO_FINE")
    return np.arange(steps + 1, dtype=np.float64) * (step / per_unit)


@dataclass(frozen=True)
class Outcome:
    """Time (n,) float and event (n,) bool of complete rows."""

    time: Floats
    event: Mask


def outcome_known(ask: Ask, rows: Rows) -> Mask:
    """Rows with a time of 0 or more and a known event."""
    time = rows.column(ask.params["time"])
    with np.errstate(invalid="ignore"):
        usable = rows.complete(groups=(ask.params["event"],)) & (time.values >= 0)
    return np.asarray(usable)


def outcome(ask: Ask, rows: Rows) -> Outcome:
    """The outcome of rows that `outcome_known` lets through."""
    time = np.asarray(rows.column(ask.params["time"]).values, dtype=np.float64)
    return Outcome(time, rows.column(ask.params["event"]).codes() == 1)


def on_grid(time: Floats, grid: Floats) -> Floats:
    """Each time moved up to the next grid time (ceil(t / g) g)."""
    place = np.searchsorted(grid, time, side="left")
    return np.asarray(grid[np.minimum(place, grid.size - 1)])


def stratum_labels(ask: Ask) -> tuple[str, ...]:
    """Labels of the strata that span sites: one without strata or with strata by site."""
    strata = ask.params["strata"]
    if strata in (None, "site"):
        return ("all",)
    return ask.codebook.variables[strata].group_labels or ()


def stratum_codes(ask: Ask, rows: Rows) -> Ints:
    """Stratum of each row, int64 (n,), -1 missing; all 0 without a strata variable."""
    strata = ask.params["strata"]
    if strata in (None, "site"):
        return np.zeros(rows.n, dtype=np.int64)
    return rows.column(strata).codes()


def among(complete: Mask, inside: Mask) -> Mask:
    """A mask over the complete rows as a mask over all rows."""
    mask = complete.copy()
    mask[complete] = inside
    return mask


def joined_times(ask: Ask, pooled: Sums) -> dict[str, list[float]]:
    """Parameters of a step on exact times: all event times, each group's last time and the asked
    times together, and the last times by themselves. `pooled` has `times` and, per site, `last`."""
    last = pooled["last"].max(axis=0, initial=-1.0)
    asked = np.asarray(ask.params["at"] or [], dtype=np.float64)
    times = np.unique(np.concatenate((pooled["times"], asked, np.maximum(last, 0.0))))
    return {"times": times.tolist(), "last": last.tolist()}


def last_followed(exact: float | None, times: Floats, leaving: Ints) -> float:
    """The last time anybody was followed: exact where sent, else the last grid time in use.

    `leaving` (T + 1,) counts who leaves before the first and at each of the T `times`.
    """
    if exact is not None:
        return exact
    used = np.flatnonzero(leaving[1:])
    return float(times[used[-1]]) if used.size else 0.0
