"""From observed and expected to the released answer, pooled or of one hospital."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from federation.methods.base import Ask, Finished, Mask, Released
from federation.methods.funnel import (
    LEVEL95,
    LEVEL998,
    RARE,
    WINSORISED,
    Limits,
    Spread,
    may_rank,
    outside,
    rank_word,
    ratio_limits,
    share_interval,
    widened_limits,
)
from federation.methods.glm_fit import coefficients
from federation.methods.glm_release import released_counts, released_terms
from federation.methods.glm_rows import GlmPlan
from federation.methods.release import Release
from federation.methods.shrinkage import shrunken
from federation.query.refusals import Refused


def release_pooled(
    ask: Ask, plan: GlmPlan, finished: Finished, shown: Mapping[str, Mask]
) -> Released:
    """The expected model, the totals, and how far hospitals differ beyond chance."""
    release = Release(ask)
    facts = finished.facts
    result = _counts(release, facts["counts"], shown)
    result["limits"] = _limits_name(ask, facts)
    result["terms"] = _terms(release, plan, finished)
    newton = facts.get("newton")
    result["loglik"] = None if newton is None else release.loglik(newton["loglik"])
    result["rounds"] = 0 if newton is None else newton["rounds"]
    spread = Spread(0, None, 0.0, None)
    if "spread" in facts:
        spread = Spread.from_json(facts["spread"])
    else:
        release.warnings.append(
            "Nothing to compare: too few patients with the outcome, or without it."
        )
    if not ask.strict:
        result["hospitals"] = spread.hospitals
    known = spread.phi is not None
    result["overdispersion"] = {
        "phi": release.coefficient(spread.phi),
        "tau2": release.coefficient(spread.tau2) if known else None,
        "winsorised": 0.0 if ask.strict else WINSORISED,
    }
    result["rankability"] = {
        "value": release.coefficient(spread.rankability),
        "word": rank_word(spread.rankability),
        "may_rank": may_rank(spread.rankability),
    }
    if known and not result["rankability"]["may_rank"]:
        release.warnings.append(
            "Hospitals may not be ranked: less than 75% of the differences between them is more "
            "than chance."
        )
    for i, name in enumerate(plan.design.names):
        if "kept" in facts and i not in facts["kept"]:
            release.warnings.append(f"{name} was left out: no patient has this level.")
    return release.done(result)


def _counts(
    release: Release, counts: Mapping[str, Any], shown: Mapping[str, Mask]
) -> dict[str, Any]:
    """n, patients where a row is none, missing, observed."""
    made = released_counts(release, counts, shown, binary=True)
    made["observed"] = made.pop("events")
    for entry in release.hidden:
        if entry["where"] == "events":
            entry["where"] = "observed"
    return made


def _limits_name(ask: Ask, facts: Mapping[str, Any]) -> str:
    """How the limits of all hospitals are made: by Poisson where a model gives the expected number
    of a rare outcome. Without a pooled share, as where too few had it, there are no limits."""
    if ask.params["formula"] is None or ("null" in facts and _share(facts) > RARE):
        return "binomial"
    return "poisson"


def _share(facts: Mapping[str, Any]) -> float:
    """The share of all patients in the model who had the outcome."""
    return 1.0 / (1.0 + float(np.exp(-facts["null"])))


def _terms(release: Release, plan: GlmPlan, finished: Finished) -> list[dict[str, Any]]:
    """The terms of the expected model; none without a formula or a fit."""
    if "covariance" not in finished.facts:
        return []
    fitted = coefficients(plan, finished)
    kept = {i: at + 1 for at, i in enumerate(fitted.kept)}
    places = [0, *(kept.get(i) for i in range(plan.design.size))]
    return released_terms(release, plan.names, places, fitted.estimate, fitted.covariance)


def release_own(ask: Ask, finished: Finished, shown: Mapping[str, Mask]) -> Released:
    """One hospital: its ratio, the limits that chance allows, and whether it lies outside them.

    Where observed is hidden the limits still stand: they follow from expected alone.
    """
    release = Release(ask)
    facts = finished.facts
    result = _counts(release, facts["counts"], shown)
    visible = result["n"] is not None
    expected = facts.get("expected") if visible else None
    if facts.get("expected") is not None and not visible:
        release.hide("expected", "small_cell")
    if visible and facts.get("mix_hidden"):
        release.hide("expected", "small_cell")
        release.hide("ratio", "small_cell")
    observed = result["observed"]
    if ask.strict and observed is None and facts["in_model"] and facts.get("expected") is not None:
        raise Refused("SMALL_GROUP")  # its expected number would tell; see standardise.py
    limits = {level: _limits(ask, facts, expected, level) for level in (LEVEL95, LEVEL998)}
    result["expected"] = release.sum(expected)
    result["limits"] = _limits_name(ask, facts)
    ratio = z = None
    if expected and observed is not None:
        ratio = observed / expected
        z = (observed - expected) / math.sqrt(facts["variance"])
    elif expected:
        release.hide("ratio", "small_cell")
    result["ratio"] = release.sum(ratio)
    result["z"] = release.sum(z)
    widened = {}
    if expected and facts.get("tau2"):
        own = facts["variance"] / expected**2
        widened = {v: widened_limits(own, facts["tau2"], v) for v in (LEVEL95, LEVEL998)}
    for name, level in (("95", LEVEL95), ("998", LEVEL998)):
        result[f"limits{name}"] = _pair(release, limits[level])
        result[f"limits{name}_widened"] = _pair(release, widened.get(level))
    result.update(_beside(release, facts, ratio, expected, observed))
    result["outside"] = None if ratio is None else outside(ratio, limits[LEVEL95], limits[LEVEL998])
    return release.done(result)


def _beside(
    release: Release,
    facts: Mapping[str, Any],
    ratio: float | None,
    expected: float | None,
    observed: int | None,
) -> dict[str, Any]:
    """What follows from a shown observed number, and nothing where it is hidden: the variance by
    chance, the ratio pulled towards all hospitals, the plain share with its exact interval.

    With observed, expected, z and the widened limits, which stand beside them, every one of these
    can be worked out: they tell nothing more (ADR 0038).
    """
    made: dict[str, Any] = {"variance": None, "shrunken": None}
    if ratio is not None and expected:
        made["variance"] = release.sum(facts["variance"])
        level = shrunken(ratio, facts["variance"] / expected**2, facts.get("tau2") or 0.0)
        if level is not None:
            values = {"ratio": level.value, "low": level.low, "high": level.high}
            made["shrunken"] = {name: release.sum(value) for name, value in values.items()}
    n = facts["counts"]["n"]
    known = observed is not None and n > 0
    made["share"] = release.sum(observed / n) if observed is not None and n > 0 else None
    low, high = (share_interval(observed or 0, n) if known else None) or (None, None)
    return {**made, "share_low": release.sum(low), "share_high": release.sum(high)}


def _limits(
    ask: Ask, facts: Mapping[str, Any], expected: float | None, level: float
) -> Limits | None:
    """Limits of observed / expected."""
    if not expected:
        return None
    rare = _limits_name(ask, facts) == "poisson"
    return ratio_limits(facts["counts"]["n"], expected, level, rare=rare)


def _pair(release: Release, limits: Limits | None) -> list[float | None]:
    low, high = limits or (None, None)
    return [release.sum(low), release.sum(high)]
