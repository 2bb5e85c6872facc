"""From numbers per quarter to the released trend, of all hospitals together or of one.

A quarter's number with the outcome stands there only when those with and those without it are
enough, and when no other number tells it (rule O14): the total of the year may be known, so one
hidden quarter hides another. The difference that adds up over the quarters tells every number it is
made of. So it stands before the first hidden quarter and from the last one on, where it tells no
more than the total does.

A formula may hold a term that follows the time. What the model expects over its quarters adds up to
what was observed there in all of whom it was made. So nobody with a hidden quarter is among them
(trend.py); and of all hospitals together no expected number stands beside a hidden quarter.

With a formula that has levels the expected number of a quarter can be solved for how many have a
level (ADR 0038). So it stands only where every level has enough patients in that quarter, and where
the total less the other quarters does not tell it either; and so does the difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from federation.methods.base import Ask, CountTable, Finished, Mask, Released
from federation.methods.glm_release import count_tables
from federation.methods.quantiles import quantile_bins
from federation.methods.release import Release, seen
from federation.methods.trend_plan import Plan
from federation.query.refusals import Refused

Ints = npt.NDArray[np.int64]


def tables_of(ask: Ask, plan: Plan, finished: Finished) -> list[CountTable]:
    """The total, with and without the outcome; the quarters; and those with it and those without
    in tables of their own, as the shares of a benchmark are not held to rule O3."""
    counts, sums = finished.facts["counts"], finished.pooled
    total, events = count_tables(counts, binary=True)
    people = sums.get("patients.quarters")
    cells = sums.get("patients.cells")
    yes, no = sums["yes"], sums["quarters"] - sums["yes"]
    name, _, level = plan.yes.partition("=")
    return [
        total,
        replace(events, dims=((name, (plan.no.partition("=")[2], level)),)),
        CountTable("quarters", ((plan.date, plan.quarters),), sums["quarters"], patients=people),
        CountTable(
            "yes",
            ((plan.date, tuple(f"{quarter},{plan.yes}" for quarter in plan.quarters)),),
            yes,
            patients=None if cells is None else cells[:, 1],
        ),
        CountTable(
            "no",
            ((plan.date, tuple(f"{quarter},{plan.no}" for quarter in plan.quarters)),),
            no,
            patients=None if cells is None else cells[:, 0],
        ),
    ]


def told_of(plan: Plan, shown: Mapping[str, Mask]) -> tuple[Mask, Mask, bool]:
    """By the gate's masks: the quarters of which the patients are shown, those of which the
    outcome is, too, and whether its total is."""
    size = (plan.size,)
    in_all = bool(np.all(seen(shown, "events", (2,))))
    quarters = seen(shown, "quarters", size) & bool(np.all(seen(shown, "total")))
    outcome = quarters & seen(shown, "yes", size) & seen(shown, "no", size) & in_all
    return quarters, np.asarray(outcome), in_all


def release(ask: Ask, plan: Plan, finished: Finished, shown: Mapping[str, Mask]) -> Released:
    """`quarters`, one entry each in order of time."""
    made = Release(ask)
    facts, sums = finished.facts, finished.pooled
    counts = facts["counts"]
    total = bool(np.all(seen(shown, "total")))
    quarters, outcome, with_outcome = told_of(plan, shown)
    adjusted = ask.strict and ask.params["formula"] is not None
    hides = not (outcome.all() if adjusted else with_outcome)
    if ask.strict and facts.get("in_model") and hides:
        raise Refused("SMALL_GROUP")  # its expected number would tell; see standardise.py
    expected = sums.get("expected")
    if adjusted and "in_model" not in facts and hides:
        expected = None
    if adjusted and expected is None:
        made.hide("expected", "small_cell")
    mix = sums.get("mix")
    told = quarters if mix is None else _mix_told(ask, mix, quarters, sums["quarters"])
    stands = _vlad_stands(ask, outcome & told) & with_outcome & bool(told.any())
    vlad = None if expected is None else np.round(np.cumsum(expected - sums["yes"]), 9) + 0.0
    entries = []
    for i, quarter in enumerate(plan.quarters):
        where, n = f"quarters[{i}]", int(sums["quarters"][i])
        people = sums.get("patients.quarters")
        entry: dict[str, Any] = {"quarter": quarter}
        behind = None if people is None else int(people[i])
        entry |= made.counted(n, bool(quarters[i]), f"{where}.n", behind)
        entry["observed"] = made.count(int(sums["yes"][i]), bool(outcome[i]), f"{where}.observed")
        entry["share"] = made.sum(sums["yes"][i] / n) if outcome[i] and n else None
        known = expected is not None and bool(told[i])
        if expected is not None and quarters[i] and not told[i]:
            made.hide(f"{where}.expected", "small_cell")
        entry["expected"] = made.sum(float(expected[i])) if known and expected is not None else None
        entry["vlad"] = made.sum(float(vlad[i])) if vlad is not None and stands[i] else None
        entry["median"] = _median(ask, sums, i) if quarters[i] else None
        entry["cusum"] = _cusum(ask, facts, i) if outcome[i] else None
        entries.append(entry)
    if not stands.all() and vlad is not None:
        made.hide("vlad", "small_cell")
    people_in_all = counts.get("patients")
    return made.done(
        {
            **made.counted(counts["n"], total, "n", people_in_all),
            "missing": made.missing(counts["missing"]),
            "date": plan.date,
            "variable": plan.waiting,
            "within": ask.params["within"],
            "quarters": entries,
        }
    )


def _mix_told(ask: Ask, mix: Ints, quarters: Mask, n: Ints) -> Mask:
    """Per quarter whether its expected number says too little of how many have a level.

    `mix` (Q, levels) are patients. While what is hidden together has a level of few, or is one
    quarter alone, the quarter with the fewest patients is hidden as well.
    """
    least = ask.terms.t_cell
    told = quarters & (mix.min(axis=1) >= least)
    while told.any() and not told.all():
        together = mix[~told].sum(axis=0)
        if np.count_nonzero(~told) > 1 and together.min() >= least:
            break
        shown = np.flatnonzero(told)
        told[shown[np.argmin(n[shown])]] = False
    return np.asarray(told)


def _vlad_stands(ask: Ask, known: Mask) -> Mask:
    """Per quarter whether the sum up to it may be shown; see the module docstring. `known`: where
    observed and expected stand."""
    stands = np.ones(known.size, dtype=bool)
    hidden = np.flatnonzero(~known)
    if ask.strict and hidden.size:
        stands[hidden[0] : hidden[-1]] = False
    return stands


def _median(ask: Ask, sums: Mapping[str, Any], place: int) -> list[int] | None:
    """The days between which the median of a quarter lies; both the same on open data."""
    if "days" not in sums:
        return None
    terms, people = ask.terms.quantile, sums.get("patients.days")
    found = quantile_bins(
        np.asarray(sums["days"][place]),
        0.5,
        min_in_bin=terms.min_in_grid_bin if ask.strict else 1,
        min_each_side=terms.min_each_side if ask.strict else 0,
        patients=None if people is None else np.asarray(people[place]),
        once=True,
    )
    return None if found is None else [int(found[0]), int(found[1])]


def _cusum(ask: Ask, facts: Mapping[str, Any], place: int) -> dict[str, Any] | None:
    """The quarter's highest value, to one decimal under protection, and whether that signals: the
    value behind it would be found by asking with one limit after another."""
    peaks = facts.get("cusum")
    if peaks is None:
        return None
    if peaks[place] is None:  # of few patients only, or of none
        return {"max": None, "signal": False} if ask.strict else None
    highest = round(float(peaks[place]), 1) if ask.strict else float(peaks[place])
    return {"max": highest, "signal": highest > float(ask.params["cusum_h"])}
