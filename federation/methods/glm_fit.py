"""Fitting a generalised linear model over sites, step by step: counts, spread, rounds, last check.

Any kind that needs such a fit runs these steps under its own `prefix`, with the site half and the
hub half in one place as everywhere (ADR 0006).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from federation.methods.base import Ask, Finished, Rows, Step, Sums
from federation.methods.cox_score import pack_symmetric, unpack_symmetric
from federation.methods.glm import (
    BINOMIAL,
    GAUSSIAN,
    POISSON,
    check_local,
    check_pooled,
    leverages,
    local_sums,
    meat,
    null_predictor,
    residual_shares,
    start_weight,
)
from federation.methods.glm_rows import (
    GlmPlan,
    count_sums,
    deviation_sums,
    dominance_sums,
    scaled,
)
from federation.methods.grouping import fine_unit
from federation.methods.leverage import check_heavy, check_leverage
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


@dataclass(frozen=True)
class GlmFit:
    """One fit. Steps are named `prefix.counts`, `.spread`, `.score`, `.residual` and `.check`.

    `robust` asks for the sums behind robust standard errors as well.
    """

    ask: Ask
    plan: GlmPlan
    prefix: str
    robust: bool = False

    def start(self) -> Step:
        """Counts first: nothing is fitted before the model is known to be small enough."""
        return Step(f"{self.prefix}.counts")

    def site(self, step: Step, rows: Rows) -> Sums:
        """The sums of one step. Raises Refused MODEL_UNSTABLE by rules O4, O8 and O9."""
        name = step.name.removeprefix(f"{self.prefix}.")
        if name == "counts":
            return count_sums(self.ask, self.plan, rows)
        if name == "spread":
            return deviation_sums(self.plan, _columns(step.params), step.params, rows)
        if name == "check":
            return self._check(step, rows)
        return self._score(step, rows, information=name == "score")

    def combine(self, step: Step, pooled: Sums) -> Step | Finished:
        """The next step, or the end of the fit with everything about it in `facts`.

        facts: `counts`; once fitted also `newton` (state), `kept`, `centre`, `scale`, `null`,
        `covariance` (inverse information) in scaled units, and y_centre and y_scale for gaussian.
        pooled: `meat` when robust errors are asked for.
        """
        name = step.name.removeprefix(f"{self.prefix}.")
        if name == "counts":
            return self._after_counts(pooled)
        if name == "spread":
            return self._after_spread(step, pooled)
        if name == "check":
            if self.ask.strict:
                check_heavy(pooled, self.ask.terms)
                check_above(pooled)
            return Finished(pooled, dict(step.params))
        return self._after_round(step, pooled, first=name == "score")

    def _score(self, step: Step, rows: Rows, *, information: bool) -> Sums:
        ready = scaled(self.plan, step.params, rows)
        beta, null = np.asarray(step.params["newton"]["beta"]), step.params["null"]
        found = local_sums(self.plan.family, ready, beta, null, information=information)
        if self.ask.strict and ready.n:
            start = start_weight(self.plan.family, ready, null)
            check_local(found, self.plan.family, start, self.ask.terms.iter)
        return found.sums(information=information)

    def _check(self, step: Step, rows: Rows) -> Sums:
        """Whether one patient carries too much (O4, O8), and the middle of the sandwich."""
        ready = scaled(self.plan, step.params, rows)
        beta, null = np.asarray(step.params["newton"]["beta"]), step.params["null"]
        sums: Sums = {}
        if self.ask.strict:
            covariance = np.asarray(step.params["covariance"])
            shares = leverages(self.plan.family, ready, beta, null, covariance)
            outcome = None
            if self.plan.family == GAUSSIAN:
                rest = -2.0 * step.params["newton"]["loglik"]
                outcome = residual_shares(ready, beta, rest)
            sums = check_leverage(shares, ready.columns.T, ready.people, self.ask.terms, outcome)
            if not self.plan.binary:
                sums.update(dominance_sums(self.ask, self.plan, step.params["sizes"], rows))
        if self.robust:
            sums["meat"] = pack_symmetric(meat(self.plan.family, ready, beta, null))
        return sums

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

    def _after_spread(self, step: Step, pooled: Sums) -> Step:
        n = step.params["counts"]["n"]
        scale = column_scale(self.plan.design, _columns(step.params), pooled["square"], n)
        params = {**step.params, "scale": scale.tolist()}
        if self.plan.family == GAUSSIAN:
            spread = step.params["y_unit"] * float(np.sqrt(pooled["response"][0] / n))
            if self.ask.strict and not spread > 0:
                raise Refused("MODEL_UNSTABLE")
            params["y_scale"] = spread if spread > 0 else 1.0
        return Step(f"{self.prefix}.score", params)

    def _after_round(self, step: Step, pooled: Sums, *, first: bool) -> Step | Finished:
        params = dict(step.params)
        newton = Newton.from_json(params["newton"])
        most = most_rounds(self.ask)
        loglik = float(pooled["loglik"][0]) if pooled["runaway"][0] == 0 else -np.inf
        if newton.worse(loglik):
            return Step(step.name, {**params, "newton": newton.halve(most).to_json()})
        family, n = self.plan.family, params["counts"]["n"]
        if self.ask.strict:
            start = 0.25 * n if family == BINOMIAL else params["total"]
            check_pooled(pooled["weights"], family, start, self.ask.terms.iter)
        packed = pooled["information"] if first else np.asarray(params["information"])
        information = unpack_symmetric(packed, 1 + len(params["kept"]))
        names = ("(intercept)", *(self.plan.design.names[i] for i in params["kept"]))
        newton = newton.accept(loglik, pooled["score"], information, names, most)
        params["newton"] = newton.to_json()
        if not newton.done:
            if family != GAUSSIAN:
                return Step(f"{self.prefix}.score", params)
            # The information of a linear model is the same everywhere: one round sums it.
            return Step(f"{self.prefix}.residual", {**params, "information": packed.tolist()})
        params.pop("information", None)
        params["covariance"] = inverse(information).tolist()
        if self.ask.strict or self.robust:
            return Step(f"{self.prefix}.check", params)
        return Finished({}, params)


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
