"""A hospital's patients per quarter: counted, expected, and followed one after another in time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from federation.methods import cusum
from federation.methods.base import Ask, Rows, Sums
from federation.methods.glm import BINOMIAL, mean_of
from federation.methods.glm_rows import scaled
from federation.methods.grouping import counts_by, sums_by
from federation.methods.model_groups import group_codes, group_labels
from federation.methods.model_rules import person_sums
from federation.methods.trend_plan import Plan
from federation.methods.waiting_time_days import CAP, days_of, patients_once

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def crude_sums(ask: Ask, plan: Plan, rows: Rows) -> Sums:
    """n, missing and positive, and the patients behind them where a row is none."""
    kept = rows.select(plan.complete(rows))
    positive = plan.outcome.values(kept) > 0
    return {
        "n": np.array([kept.n]),
        "missing": np.array([rows.n - kept.n]),
        "positive": np.array([np.count_nonzero(positive)]),
        **person_sums(ask, kept, positive),
    }


def quarter_sums(ask: Ask, plan: Plan, rows: Rows, model: Mapping[str, Any] | None) -> Sums:
    """`crude_sums`, and per quarter: quarters, yes (Q,), expected where there is a `model`, and
    days (Q, CAP + 1) of the waiting time. Where a row is not a patient also the patients:
    patients.quarters (Q,), patients.cells (Q, 2) without and with the outcome, patients.days by the
    first day of each in the quarter. With a formula with groups, under protection: mix (Q, groups),
    the patients of each."""
    kept = rows.select(plan.complete(rows))
    place, yes = plan.places(kept), plan.outcome.values(kept) > 0
    sums = crude_sums(ask, plan, rows)
    sums["quarters"] = counts_by(place, plan.size)
    sums["yes"] = counts_by(place[yes], plan.size)
    if model is not None and "null" in model:
        sums["expected"] = sums_by(place, risks(plan, rows, model), plan.size)
    if ask.strict and group_labels(plan.model.design):
        sums["mix"] = _mix(plan, kept, place)
    if not ask.per_patient:
        sums["patients.quarters"] = kept.patients_in(place, plan.size)
        cells = kept.patients_in(2 * place + yes, 2 * plan.size)
        sums["patients.cells"] = cells.reshape(plan.size, 2)
    if plan.waiting is not None:
        shape, cell = (plan.size, CAP + 1), _day_cells(plan, kept)
        sums["days"] = counts_by(cell[cell >= 0], plan.size * (CAP + 1)).reshape(shape)
        if not ask.per_patient:
            once = patients_once(kept, cell, CAP + 1, plan.size * (CAP + 1))
            sums["patients.days"] = once.reshape(shape)
    return sums


def quarter_cells(ask: Ask, plan: Plan, rows: Rows) -> Ints:
    """Per quarter those without and with the outcome: rows, or patients where those are fewer;
    int64 (Q, 2)."""
    kept = rows.select(plan.complete(rows))
    cell = 2 * plan.places(kept) + (plan.outcome.values(kept) > 0)
    counts = counts_by(cell, 2 * plan.size)
    if not ask.per_patient:
        counts = np.minimum(counts, kept.patients_in(cell, 2 * plan.size))
    return counts.reshape(plan.size, 2)


def _mix(plan: Plan, kept: Rows, place: Ints) -> Ints:
    """Patients per quarter and group of the model, int64 (Q, groups); see model_groups."""
    labels = group_labels(plan.model.design)
    found = []
    for key, codes in group_codes(plan.model.design, kept).items():
        size = len(labels[key])
        cells = kept.patients_in(place * size + codes, plan.size * size)
        found.append(cells.reshape(plan.size, size))
    return np.concatenate(found, axis=1)


def _day_cells(plan: Plan, kept: Rows) -> Ints:
    days = np.minimum(days_of(kept, str(plan.waiting)), CAP)  # all known, as the outcome is
    return np.asarray(plan.places(kept) * (CAP + 1) + days.astype(np.int64), dtype=np.int64)


def risks(plan: Plan, rows: Rows, model: Mapping[str, Any]) -> Floats:
    """The probability that the pooled model gives each complete row, (complete,)."""
    null = float(model["null"])
    if "newton" not in model:
        return mean_of(BINOMIAL, np.full(int(np.count_nonzero(plan.complete(rows))), null))
    ready = scaled(plan.model, model, rows)
    eta = ready.predictor(0, ready.n, np.asarray(model["newton"]["beta"])) + null
    return mean_of(BINOMIAL, eta)


def cusum_peaks(ask: Ask, plan: Plan, rows: Rows, model: Mapping[str, Any]) -> list[float | None]:
    """The highest CUSUM within each quarter, None without patients; see cusum.py.

    Under protection the highest that is made of t_cell patients or more, None where none is: of
    three in a row its value says what became of each. For that its ratio is a fixed number as well.
    In order of the date to the day where this hospital has it, else of the month; of one day or
    month in the order of the data.
    """
    kept = rows.select(plan.complete(rows))
    when = kept.times.get(plan.date)
    if when is None:
        when = kept.column(plan.date).values
    order = np.argsort(when, kind="stable")
    outcome = (plan.outcome.values(kept) > 0).astype(np.float64)
    ratio = float(ask.params["cusum_ratio"])
    path = cusum.sums(cusum.weights(outcome[order], risks(plan, rows, model)[order], ratio))
    if ask.strict:
        people = None if ask.per_patient else np.asarray(kept.people)[order]
        behind = cusum.patients_behind(path, people)
        path = np.where(behind < ask.terms.t_cell, -np.inf, path)
    found = cusum.highest(path, plan.places(kept)[order], plan.size)
    return [None if np.isnan(value) else float(value) for value in found]
