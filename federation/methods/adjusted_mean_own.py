"""One hospital's part in `adjusted_mean`: what of it may be told, and what it is measured by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from federation.methods.base import Ask, Finished, Rows, Step
from federation.methods.dominance import above_shares, dominated
from federation.methods.glm_fit import coefficients
from federation.methods.glm_rows import GlmPlan, scaled
from federation.methods.model_groups import fewest
from federation.methods.model_rules import person_sums
from federation.methods.moments import per_patient

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class OwnMean:
    """n, missing and patients of one hospital, and its mean.

    `visible`: whether the mean may be shown; why not is "small_cell", "no_spread" or "dominance".
    `told`: whether its expected mean may be, too.
    """

    counts: Mapping[str, Any]
    mean: float | None
    visible: bool
    why: str
    told: bool


def in_model(ask: Ask, plan: GlmPlan, rows: Rows) -> bool:
    """Whether this hospital's patients shape the model; see adjusted_mean.py."""
    if not ask.strict or ask.query.output != "by_site":
        return True
    return own_mean(ask, plan, rows).told


def own_mean(ask: Ask, plan: GlmPlan, rows: Rows) -> OwnMean:
    """Made once per run."""
    key = ("adjusted_mean.own", ask.query.question_sha256, ask.strict)
    if key not in rows.cache:
        rows.cache[key] = _own_mean(ask, plan, rows)
    return rows.cache[key]  # type: ignore[no-any-return]


def _own_mean(ask: Ask, plan: GlmPlan, rows: Rows) -> OwnMean:
    kept = rows.select(plan.complete(rows))
    y = plan.values(kept)
    counts: dict[str, Any] = {"n": kept.n, "missing": rows.n - kept.n}
    for name, value in person_sums(ask, kept, None).items():
        counts[name] = int(value[0])
    if kept.n == 0:
        return OwnMean(counts, None, False, "small_cell", False)
    mean = float(y.mean())
    if not ask.strict:
        return OwnMean(counts, mean, True, "", True)
    why = ""
    if min(counts["n"], counts.get("patients", counts["n"])) < ask.terms.t_cell:
        why = "small_cell"
    elif not y.std() > 0:
        why = "no_spread"
    elif _heavy(ask, kept, y):
        why = "dominance"
    return OwnMean(counts, mean, not why, why, not why and _mix_may_be_told(ask, plan, kept))


def _mix_may_be_told(ask: Ask, plan: GlmPlan, kept: Rows) -> bool:
    """Whether the means of all terms here could be shown: no level of few patients, and nobody who
    makes up most of a number."""
    least = fewest(plan.design, kept)
    if least is not None and least < ask.terms.t_cell:
        return False
    apart = {*plan.design.factors, *plan.design.saturated}
    numbers = (name for name in plan.design.variables if name not in apart)
    return not any(_heavy(ask, kept, kept.column(name).values) for name in numbers)


def _heavy(ask: Ask, rows: Rows, values: Floats) -> bool:
    """Whether one patient or two make up most of the sum of |values| here (O4)."""
    place = np.zeros(rows.n, dtype=np.int64)
    sizes, whose = per_patient(np.abs(values), place, rows.people)
    above = above_shares(sizes, whose, np.array([sizes.sum()]), ask.terms.dominance)
    return bool(dominated(above)[0])


def own_facts(ask: Ask, plan: GlmPlan, step: Step, rows: Rows) -> dict[str, Any]:
    """What the release needs of one hospital. `step.params` are the pooled model."""
    own = own_mean(ask, plan, rows)
    facts: dict[str, Any] = {
        "own": True,
        "counts": dict(own.counts),
        "mean": own.mean,
        "visible": own.visible,
        "why": own.why,
        "told": own.told,
    }
    if "y_centre" not in step.params or not own.told:
        return facts
    if "newton" not in step.params:
        expected, sigma = step.params["y_centre"], step.params["sigma"]
        return {**facts, "expected": expected, "sigma": sigma, "freedom": step.params["freedom"]}
    ready = scaled(plan, step.params, rows)
    eta = ready.predictor(0, ready.n, np.asarray(step.params["newton"]["beta"]))
    fitted = coefficients(plan, Finished({}, dict(step.params)))
    sigma = float(np.sqrt(fitted.dispersion)) if fitted.df_resid > 0 else None
    expected = step.params["y_centre"] + step.params["y_scale"] * float(eta.mean())
    return {**facts, "expected": expected, "sigma": sigma, "freedom": fitted.df_resid}
