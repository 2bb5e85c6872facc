"""Fitting a generalised linear model over sites, step by step: counts, spread, rounds, last check.

Any kind that needs such a fit runs these steps under its own `prefix`, with the site half and the
hub half in one place as everywhere (ADR 0006). The first point shares its step with the spread, the
last one with the check: a step costs more than the arithmetic in it (ADR 0044).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from federation.methods.base import Ask, Finished, Rows, Step, Sums
from federation.methods.cox_score import pack_symmetric, unpack_symmetric
from federation.methods.glm import (
    BINOMIAL,
    GAUSSIAN,
    POISSON,
    GlmRows,
    LocalSums,
    check_local,
    check_pooled,
    local_sums,
    meat,
    null_predictor,
    null_sums,
    residual_shares,
    squares_of,
    start_weight,
)
from federation.methods.glm_leverage import heavy_sums
from federation.methods.glm_rows import (
    GlmPlan,
    count_sums,
    dominance_sums,
    in_units,
    scaled,
)
from federation.methods.grouping import fine_unit
from federation.methods.leverage import check_heavy
from federation.methods.model_groups import check_above, check_outcomes, totals_of
from federation.methods.model_rules import (
    Columns,
    centre_columns,
    check_richness,
    column_scale,
)
from federation.methods.newton import MOST_ROUNDS, Newton, inverse
from federation.query.refusals import Refused

Floats = npt.NDArray[np.float64]

ROUNDS = 2 * MOST_ROUNDS + 4
"""The most steps that a fit can take."""

_PERFECT: Final = 1e-6
"""When a linear model leaves less than this part of the outcome's squares, the difference of two
sums no longer says how much it leaves, and a round has to add it up."""

_OF_POINTS: Final = ("information", "rest")
"""What is carried from point to point and belongs to none."""


@dataclass(frozen=True)
class GlmFit:
    """One fit. Steps are named `prefix.counts`, `.spread`, `.score`, `.residual` and `.check`.

    `robust` asks for the sums behind robust standard errors as well. `only_scales`: a kind that
    fits in a way of its own needs no more than the first two steps.
    """

    ask: Ask
    plan: GlmPlan
    prefix: str
    robust: bool = False
    only_scales: bool = False

    def start(self) -> Step:
        """Counts first: nothing is fitted before the model is known to be small enough."""
        return Step(f"{self.prefix}.counts")

    def site(self, step: Step, rows: Rows) -> Sums:
        """The sums of one step. Raises Refused MODEL_UNSTABLE by rules O4, O8 and O9."""
        name = step.name.removeprefix(f"{self.prefix}.")
        if name == "counts":
            return count_sums(self.ask, self.plan, rows)
        if name == "spread":
            return self._spread(step, rows)
        return self._point(step, rows, name)

    def combine(self, step: Step, pooled: Sums) -> Step | Finished:
        """The next step, or the end of the fit with everything about it in `facts`.

        facts: `counts`; once fitted also `newton` (state), `kept`, `centre`, `unit`, `scale`,
        `null`, `covariance` (inverse information) in scaled units, and y_centre, y_unit and y_scale
        for gaussian.
        pooled: `meat` when robust errors are asked for.
        """
        name = step.name.removeprefix(f"{self.prefix}.")
        if name == "counts":
            return self._after_counts(pooled)
        if name == "spread":
            return self._after_spread(step, pooled)
        if name == "check" and Newton.from_json(step.params["newton"]).done:
            return self._finished(step.params, pooled)
        return self._after_point(step, pooled, checked=name == "check")

    def _spread(self, step: Step, rows: Rows) -> Sums:
        """Squared deviations in squared units; and in the same units the sums at the null model."""
        family, ready = self.plan.family, in_units(self.plan, step.params, rows)
        if self.only_scales:
            sums: Sums = {"square": squares_of(ready)[1:]}
        else:
            found, squares = null_sums(family, ready, step.params["null"])
            self._guard(found, ready, step)
            sums = {**found.sums(), "square": squares[1:]}
        if family == GAUSSIAN:
            sums["response"] = np.array([ready.y @ ready.y])
        return sums

    def _point(self, step: Step, rows: Rows, name: str) -> Sums:
        """The sums at one point. In a check also whether one patient carries too much (O4, O8), and
        the middle of the sandwich."""
        family, ready = self.plan.family, scaled(self.plan, step.params, rows)
        beta, null = np.asarray(step.params["newton"]["beta"]), step.params["null"]
        # That of a linear model is the same everywhere: one step sums it.
        information = name == "score" or (name == "check" and family != GAUSSIAN)
        found = local_sums(family, ready, beta, null, information=information)
        self._guard(found, ready, step)
        sums = found.sums(information=information)
        if name == "check" and self.ask.strict:
            covariance, terms = np.asarray(step.params["covariance"]), self.ask.terms
            outcome, most = None, found.heaviest
            if family == GAUSSIAN:
                outcome = residual_shares(ready, beta, step.params["rest"])
            sums.update(heavy_sums(family, ready, beta, null, covariance, most, terms, outcome))
            if not self.plan.binary:
                sums.update(dominance_sums(self.ask, self.plan, step.params["sizes"], rows))
        if name == "check" and self.robust:
            sums["meat"] = pack_symmetric(meat(family, ready, beta, null))
        return sums

    def _guard(self, found: LocalSums, ready: GlmRows, step: Step) -> None:
        if self.ask.strict and ready.n:
            start = start_weight(self.plan.family, ready, step.params["null"])
            check_local(found, self.plan.family, start, self.ask.terms.iter)

    def _after_counts(self, pooled: Sums) -> Step | Finished:
        plan = self.plan
        n = int(pooled["n"][0])
        counts = counts_of(pooled)
        if self.ask.strict:
            self._check_counts(pooled, counts)
        if n == 0 or (plan.family != GAUSSIAN and not 0 < counts["positive"]):
            return Finished({}, {"counts": counts})
        if plan.family == BINOMIAL and counts["positive"] == n:
            return Finished({}, {"counts": counts})
        columns = centre_columns(plan.design, pooled, n)
        total, size = pooled["response"].tolist()
        exposure = float(pooled["exposure"][0]) if plan.exposure is not None else float(n)
        params: dict[str, Any] = {
            "counts": counts,
            "kept": list(columns.kept),
            "centre": columns.centre.tolist(),
            "unit": columns.unit.tolist(),
            "total": total,
            "null": null_predictor(plan.family, n, total, exposure),
            "newton": Newton.start(1 + len(columns.kept)).to_json(),
        }
        if plan.family == GAUSSIAN:
            reach = plan.response_reach
            params["y_centre"] = plan.response_origin + reach * total / n
            params["y_unit"] = fine_unit(reach * size / n)
        if self.ask.strict and not plan.binary:
            params["sizes"] = totals_of(pooled)
        if plan.family == POISSON:
            params["fixed"] = pooled["fixed"].tolist()
        return Step(f"{self.prefix}.spread", params)

    def _check_counts(self, pooled: Sums, counts: Mapping[str, Any]) -> None:
        """Refused MODEL_TOO_RICH by rule O7."""
        plan, terms = self.plan, self.ask.terms.model
        people, events = counts.get("patients", counts["n"]), _events(plan, counts)
        check_richness(plan.design, pooled, people, events, terms, intercept=True)
        if plan.counts_events:
            check_outcomes(plan.design, pooled, terms, binary=plan.binary)

    def _after_spread(self, step: Step, pooled: Sums) -> Step | Finished:
        n, columns = step.params["counts"]["n"], _columns(step.params)
        scale = column_scale(self.plan.design, columns, pooled["square"], n)
        params = {**step.params, "scale": scale.tolist()}
        y_share = 1.0
        if self.plan.family == GAUSSIAN:
            spread = step.params["y_unit"] * float(np.sqrt(pooled["response"][0] / n))
            if self.ask.strict and not spread > 0:
                raise Refused("MODEL_UNSTABLE")
            params["y_scale"] = spread if spread > 0 else 1.0
            y_share = step.params["y_unit"] / params["y_scale"]
        first = Step(f"{self.prefix}.score", params)
        if self.only_scales or pooled["runaway"][0]:
            return first  # sums that are too large in fine units may fit in those of the spread
        share = np.concatenate(([1.0], columns.unit / scale))
        information = unpack_symmetric(pooled["information"], share.size)
        found: Sums = {
            **pooled,
            "loglik": pooled["loglik"] * y_share**2,
            "score": pooled["score"] * share * y_share,
            "information": pack_symmetric(information * np.outer(share, share)),
        }
        return self._after_point(first, found, checked=False)

    def _after_point(self, step: Step, pooled: Sums, *, checked: bool) -> Step | Finished:
        params = dict(step.params)
        newton = Newton.from_json(params["newton"])
        most = most_rounds(self.ask)
        loglik = float(pooled["loglik"][0]) if pooled["runaway"][0] == 0 else -np.inf
        if newton.worse(loglik):
            return self._again(params, newton.halve(most))
        family, n = self.plan.family, params["counts"]["n"]
        if self.ask.strict:
            start = 0.25 * n if family == BINOMIAL else params["total"]
            check_pooled(pooled["weights"], family, start, self.ask.terms.iter)
        packed = pooled["information"] if "information" in pooled else params["information"]
        information = unpack_symmetric(np.asarray(packed), 1 + len(params["kept"]))
        names = ("(intercept)", *(self.plan.design.names[i] for i in params["kept"]))
        newton = newton.accept(loglik, pooled["score"], information, names, most)
        params.update(newton=newton.to_json(), covariance=inverse(information).tolist())
        near = newton.near
        if family == GAUSSIAN:
            change = np.asarray(newton.step)
            gain = change @ pooled["score"] - 0.5 * change @ information @ change
            params.update(information=np.asarray(packed).tolist(), rest=-2.0 * (loglik + gain))
            near = params["rest"] > _PERFECT * -2.0 * loglik
        checks = self.ask.strict or self.robust
        if newton.done and (checked or not checks):
            return self._finished(params, pooled)
        if checks and (newton.done or near):
            return Step(f"{self.prefix}.check", params)
        return self._again(params, newton)

    def _again(self, params: Mapping[str, Any], newton: Newton) -> Step:
        """A step for the sums at the point of `newton`."""
        name = "residual" if "information" in params else "score"
        return Step(f"{self.prefix}.{name}", {**params, "newton": newton.to_json()})

    def _finished(self, params: Mapping[str, Any], pooled: Sums) -> Finished:
        if self.ask.strict:
            check_heavy(pooled, self.ask.terms)
            check_above(pooled)
        facts = {name: value for name, value in params.items() if name not in _OF_POINTS}
        return Finished({"meat": pooled["meat"]} if self.robust else {}, facts)


def counts_of(pooled: Sums) -> dict[str, Any]:
    """The pooled counts as JSON: n, missing; positive; patients and patients_by_event."""
    counts: dict[str, Any] = {"n": int(pooled["n"][0]), "missing": int(pooled["missing"][0])}
    for name in ("positive", "patients"):
        if name in pooled:
            counts[name] = int(pooled[name][0])
    if "patients_by_event" in pooled:
        counts["patients_by_event"] = pooled["patients_by_event"].tolist()
    return counts


def _events(plan: GlmPlan, counts: Mapping[str, Any]) -> int:
    """Patients with the rarer outcome; with any event where it is a count; all for a measure."""
    if not plan.counts_events:
        return int(counts.get("patients", counts["n"]))
    without, with_event = counts.get(
        "patients_by_event", (counts["n"] - counts["positive"], counts["positive"])
    )
    return int(min(without, with_event) if plan.binary else with_event)


def _columns(params: Mapping[str, Any]) -> Columns:
    return Columns(
        tuple(params["kept"]),
        np.asarray(params["centre"], dtype=np.float64),
        np.asarray(params["unit"], dtype=np.float64),
    )


def most_rounds(ask: Ask) -> int:
    """How often the likelihood may be evaluated."""
    return min(ask.terms.iter.max_rounds, MOST_ROUNDS)


@dataclass(frozen=True)
class Coefficients:
    """Estimates (k,) and covariance (k, k) on the variables' own scale, the intercept first.

    `kept` are the indices of the design's columns behind the others. `dispersion` is sigma squared
    of a linear model, else 1; `deviance` and `loglik` are those of statsmodels.
    """

    kept: tuple[int, ...]
    estimate: Floats
    covariance: Floats
    dispersion: float
    deviance: float
    loglik: float
    df_resid: int


def coefficients(plan: GlmPlan, finished: Finished) -> Coefficients:
    """The fitted model in raw units, robust where the sums for it are there."""
    facts = finished.facts
    kept = tuple(facts["kept"])
    n, k = facts["counts"]["n"], 1 + len(kept)
    to_raw = plan.design.to_raw(kept, np.asarray(facts["centre"]), np.asarray(facts["scale"]))
    y_scale = facts.get("y_scale", 1.0)
    estimate = y_scale * (to_raw @ np.asarray(facts["newton"]["beta"]))
    estimate[0] += facts.get("y_centre", facts["null"])
    covariance = np.asarray(facts["covariance"])
    loglik = facts["newton"]["loglik"]
    dispersion, deviance = 1.0, -2.0 * loglik
    if plan.family == GAUSSIAN:
        deviance = y_scale**2 * -2.0 * loglik
        dispersion = deviance / (n - k) if n > k else float("nan")
        with np.errstate(divide="ignore"):
            loglik = float(-n / 2 * (np.log(2 * np.pi * deviance / n) + 1))
    elif plan.family == POISSON:
        factorials, saturated = facts["fixed"]
        deviance, loglik = 2.0 * (saturated - loglik), loglik - factorials
    if "meat" in finished.pooled:
        middle = unpack_symmetric(finished.pooled["meat"], k)
        covariance = y_scale**2 * (covariance @ middle @ covariance)
    else:
        covariance = dispersion * covariance
    return Coefficients(
        kept, estimate, to_raw @ covariance @ to_raw.T, dispersion, deviance, loglik, n - k
    )
