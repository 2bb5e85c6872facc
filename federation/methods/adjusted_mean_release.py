"""From a fitted linear model to the released answer of `adjusted_mean`: pooled, or one hospital."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from federation.methods.base import Ask, Finished, Mask, Released
from federation.methods.funnel import LEVEL95, LEVEL998
from federation.methods.glm_fit import coefficients
from federation.methods.glm_release import released_counts, released_terms
from federation.methods.glm_rows import GlmPlan
from federation.methods.release import Release
from federation.query.refusals import Refused

COMPARED = ("expected", "difference", "se", "ci_low", "ci_high")


def release_pooled(
    ask: Ask, plan: GlmPlan, finished: Finished, shown: Mapping[str, Mask]
) -> Released:
    """The mean of all, the spread about what is expected, and what the expected mean allows for."""
    release = Release(ask)
    facts = finished.facts
    result = released_counts(release, facts["counts"], shown, binary=False)
    visible = result["n"] is not None
    if "y_centre" not in facts:
        release.warnings.append(
            "Nothing to compare: no patient has a value for everything that is asked."
        )
    result["mean"] = release.sum(facts.get("y_centre")) if visible else None
    sigma, terms, rounds = facts.get("sigma"), [], 0
    if "covariance" in facts:
        fitted = coefficients(plan, finished)
        sigma = math.sqrt(fitted.dispersion) if fitted.df_resid > 0 else None
        kept = {i: at + 1 for at, i in enumerate(fitted.kept)}
        places = [0, *(kept.get(i) for i in range(plan.design.size))]
        rounds = facts["newton"]["rounds"]
        terms = released_terms(
            release,
            plan.names,
            places,
            fitted.estimate,
            fitted.covariance,
            df=fitted.df_resid,
            ratio=False,
        )
        for i, name in enumerate(plan.design.names):
            if i not in kept:
                release.warnings.append(f"{name} was left out: no patient has this level.")
    result["sigma"] = release.sum(sigma) if visible else None
    return release.done({**result, "terms": terms, "rounds": rounds})


def release_own(ask: Ask, finished: Finished, shown: Mapping[str, Mask]) -> Released:
    """One hospital: its mean, the expected one, and whether the two differ by more than chance.

    Chance is that of n patients about their expected values; the interval is Student's t.
    """
    release = Release(ask)
    facts = finished.facts
    result = released_counts(release, facts["counts"], shown, binary=False)
    visible = result["n"] is not None and facts["visible"]
    if ask.strict and facts["told"] and not visible:
        raise Refused("SMALL_GROUP")  # it is in the model: its difference would follow
    result["mean"] = release.sum(facts["mean"]) if visible else None
    if not visible and result["n"] != 0:
        release.hide("mean", facts["why"] or "small_cell")
    result.update(dict.fromkeys(COMPARED), outside=None)
    if "expected" in facts:
        result.update(_compared(release, facts))
    elif visible and not facts["told"]:
        release.hide("expected", "small_cell")
    return release.done(result)


def _compared(release: Release, facts: Mapping[str, Any]) -> dict[str, Any]:
    from scipy import special

    difference = facts["mean"] - facts["expected"]
    found: dict[str, Any] = {
        "expected": release.sum(facts["expected"]),
        "difference": release.sum(difference),
    }
    sigma, freedom = facts["sigma"], facts["freedom"]
    if not sigma or freedom < 1:
        return found
    se = sigma / math.sqrt(facts["counts"]["n"])
    inner, outer = (
        float(special.stdtrit(freedom, 0.5 + level / 2.0)) for level in (LEVEL95, LEVEL998)
    )
    found["se"] = release.sum(se)
    found["ci_low"] = release.sum(difference - inner * se)
    found["ci_high"] = release.sum(difference + inner * se)
    apart = abs(difference) / se
    found["outside"] = 998 if apart > outer else 95 if apart > inner else 0
    return found
