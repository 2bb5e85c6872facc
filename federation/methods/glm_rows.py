"""From a site's rows to those of a generalised linear model: outcome, exposure, scaled columns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from federation.methods.base import Ask, Mask, Rows, Sums
from federation.methods.design import Design, origin, span
from federation.methods.glm import BINOMIAL, GAUSSIAN, POISSON, GlmRows
from federation.methods.model_groups import above_sums, outcome_sums, size_sums
from federation.methods.model_rules import column_sums, person_sums
from federation.methods.outcome import Outcome
from federation.query.variables import Variable

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Whole numbers below it are counted, not sorted.
_SMALL: Final = 1 << 16

NUMERIC: Final = ("integer", "number", "duration")


def is_binary(variable: Variable) -> bool:
    """Whether the variable says yes or no: boolean, two levels, or a whole number 0 or 1."""
    if variable.type == "boolean":
        return True
    if variable.type == "category":
        return len(variable.levels) == 2
    return variable.type == "integer" and (variable.min, variable.max) == (0, 1)


def suits_family(variable: Variable, family: str) -> bool:
    """Whether the variable can be the outcome: yes or no for binomial, a number for gaussian,
    a number from 0 or yes and no for poisson."""
    if family == BINOMIAL:
        return is_binary(variable)
    numeric = variable.type in NUMERIC
    if family == GAUSSIAN:
        return numeric
    return is_binary(variable) or (numeric and not (variable.max is not None and variable.max < 0))


@dataclass(frozen=True)
class GlmPlan:
    """What is fitted: family, terms, outcome, and for poisson the variable with person-time.

    `told`: the outcome where a condition says it; `response` is then its label.
    """

    family: str
    design: Design
    response: str
    exposure: str | None = None
    told: Outcome | None = None

    @property
    def binary(self) -> bool:
        """Whether the outcome is yes or no."""
        return self.told is not None or is_binary(self.outcome)

    @property
    def outcome(self) -> Variable:
        """The variable of the outcome, where one says it."""
        return self.design.codebook.variables[self.response]

    @property
    def counts_events(self) -> bool:
        """Whether the outcome is yes or no, or a count: above 0 then says that it happened."""
        return self.binary or self.family != GAUSSIAN

    @property
    def names(self) -> tuple[str, ...]:
        """The coefficients' public names, the intercept first."""
        return ("(intercept)", *self.design.names)

    def values(self, rows: Rows) -> Floats:
        """The outcome as numbers, (n,): 1 for the second of two levels; nan where missing.

        A negative count is missing.
        """
        if self.told is not None:
            return self.told.values(rows)
        column = rows.column(self.response)
        if column.variable.type in ("category", "boolean"):
            codes = column.codes()
            return np.where(codes >= 0, codes, np.nan).astype(np.float64)
        values = np.asarray(column.values, dtype=np.float64)
        if self.family == GAUSSIAN:
            return values
        return np.where(values >= 0, values, np.nan)  # nan fails the comparison

    def complete(self, rows: Rows) -> Mask:
        """Rows with an outcome, every term and a positive exposure, bool (n,)."""
        known = self.design.complete(rows) & ~np.isnan(self.values(rows))
        if self.exposure is not None:
            known &= rows.column(self.exposure).values > 0
        return np.asarray(known)

    @property
    def response_origin(self) -> float:
        """A public value near the outcome."""
        return 0.0 if self.family != GAUSSIAN else origin(self.outcome)

    @property
    def response_reach(self) -> float:
        """A power of two about as wide as the outcome's range."""
        return 1.0 if self.family != GAUSSIAN else span(self.outcome)


@dataclass(frozen=True)
class GlmBasis:
    """Complete rows; `columns` (1 + p, n), ones and the raw columns; `y`, `exposure` (n,)."""

    rows: Rows
    columns: Floats
    y: Floats
    exposure: Floats | None

    @property
    def matrix(self) -> Floats:
        """The raw columns, (n, p)."""
        return self.columns[1:].T


def _key(what: str, plan: GlmPlan) -> tuple[Any, ...]:
    return ("glm", what, plan.family, plan.design.names, plan.response, plan.exposure)


def _complete_rows(plan: GlmPlan, rows: Rows) -> Rows:
    known = plan.complete(rows)
    return rows if known.all() else rows.select(known)


def basis(plan: GlmPlan, rows: Rows) -> GlmBasis:
    """Made once for the steps before the rounds."""
    key = _key("basis", plan)
    if key not in rows.cache:
        kept = _complete_rows(plan, rows)
        exposure = None if plan.exposure is None else kept.column(plan.exposure).values
        columns = np.empty((1 + plan.design.size, kept.n))
        columns[0] = 1.0
        plan.design.matrix(kept, out=columns[1:])
        rows.cache[key] = GlmBasis(kept, columns, plan.values(kept), exposure)
    return rows.cache[key]  # type: ignore[no-any-return]


def count_sums(ask: Ask, plan: GlmPlan, rows: Rows) -> Sums:
    """n, missing, the columns' sums, and those of the outcome.

    `positive`: rows with an outcome above 0 (yes); `response` (2,): the sum of (y - origin) / reach
    and of its absolute value; `exposure`: the sum of person-time; `fixed` (2,) for poisson: the
    sums of log y! and of y log y - y, the parts of likelihood and deviance that never change.
    Under protection also what model_groups needs of the outcome.
    """
    base = basis(plan, rows)
    sums = column_sums(plan.design, base.rows, base.matrix)
    sums["n"] = np.array([base.rows.n])
    sums["missing"] = np.array([rows.n - base.rows.n])
    event = base.y > 0 if plan.counts_events else None
    if event is not None:
        sums["positive"] = np.array([np.count_nonzero(event)])
    moved = (base.y - plan.response_origin) / plan.response_reach
    sums["response"] = np.array([moved.sum(), np.abs(moved).sum()])
    if plan.exposure is not None and base.exposure is not None:
        sums["exposure"] = np.array([base.exposure.sum()])
    if plan.family == POISSON:
        sums["fixed"] = _fixed_parts(base.y)
    sums.update(person_sums(ask, base.rows, event))
    if ask.strict and event is not None:
        sums.update(outcome_sums(plan.design, base.rows, event))
    if ask.strict and not plan.binary:
        sums.update(size_sums(plan.design, base.rows, base.y, plan.outcome))
    return sums


def dominance_sums(ask: Ask, plan: GlmPlan, totals: Mapping[str, Any], rows: Rows) -> Sums:
    """How many patients have a large share of the pooled `totals` of the outcome (O4)."""
    kept = _complete_rows(plan, rows)
    terms = ask.terms.dominance
    return above_sums(plan.design, kept, plan.values(kept), plan.outcome, totals, terms)


def _fixed_parts(y: Floats) -> Floats:
    values, count = _values_of(y)
    factorials = np.array([math.lgamma(v + 1.0) for v in values.tolist()])
    entropy = np.where(values > 0, values * np.log(np.where(values > 0, values, 1.0)), 0.0)
    return np.array([float(count @ factorials), float(count @ (entropy - values))])


def _values_of(y: Floats) -> tuple[Floats, Ints]:
    """The different values from 0 (m,), and how many rows have each; counted where all are small
    whole numbers, which is several times faster than sorting."""
    if y.size and y.max() < _SMALL:
        whole = y.astype(np.int64)
        if np.array_equal(whole, y):
            count = np.bincount(whole)
            values = np.flatnonzero(count)
            return values.astype(np.float64), count[values].astype(np.int64)
    values, count = np.unique(y, return_counts=True)
    return values.astype(np.float64), count.astype(np.int64)


def in_units(plan: GlmPlan, params: Mapping[str, Any], rows: Rows) -> GlmRows:
    """The rows about the pooled centre in fine units, for the first point of a fit.

    `params` names the fitted columns (`kept`) with their `centre` and `unit`, and for gaussian
    `y_centre` and `y_unit`.
    """
    fixed = {name: params.get(name) for name in ("kept", "centre", "unit", "y_centre", "y_unit")}
    key = _key("units", plan)
    cached = rows.cache.get(key)
    if cached is not None and cached[0] == fixed:
        return cached[1]  # type: ignore[no-any-return]
    base = basis(plan, rows)
    rows.cache.pop(_key("basis", plan))  # its columns are moved in place
    columns = base.columns
    if len(params["kept"]) < plan.design.size:
        columns = columns[[0, *(1 + j for j in params["kept"])]]
    for k, (centre, unit) in enumerate(zip(params["centre"], params["unit"], strict=True)):
        columns[k + 1] -= centre
        if unit != 1.0:
            columns[k + 1] *= 1.0 / unit  # of a power of two this is exact
    y = base.y
    if plan.family == GAUSSIAN:
        y = (y - params["y_centre"]) / params["y_unit"]
    offset = None if base.exposure is None else np.log(base.exposure)
    people = base.rows.people
    if people is not None:  # numbers without gaps
        people = np.unique(people, return_inverse=True)[1].astype(np.int64)
    ready = GlmRows(columns, y, offset, people)
    rows.cache[key] = (fixed, ready)
    return ready


def scaled(plan: GlmPlan, params: Mapping[str, Any], rows: Rows) -> GlmRows:
    """The rows as every round uses them, columns with spread 1, made once.

    `params` are those of `in_units` with the columns' `scale`, and for gaussian `y_scale`.
    """
    fixed = {name: params.get(name) for name in ("kept", "centre", "scale", "y_centre", "y_scale")}
    key = _key("scaled", plan)
    cached = rows.cache.get(key)
    if cached is not None and cached[0] == fixed:
        return cached[1]  # type: ignore[no-any-return]
    moved = in_units(plan, params, rows)
    rows.cache.pop(_key("units", plan))  # scaled in place as well
    for k, (unit, scale) in enumerate(zip(params["unit"], params["scale"], strict=True)):
        moved.columns[k + 1] *= unit / scale
    y = moved.y
    if plan.family == GAUSSIAN:
        y = y * (params["y_unit"] / params["y_scale"])
    ready = replace(moved, y=y)
    rows.cache[key] = (fixed, ready)
    return ready
