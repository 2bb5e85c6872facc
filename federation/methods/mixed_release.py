"""From a finished mixed model to the released coefficients and variances."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from federation.methods.base import Ask, Finished, Mask, Released
from federation.methods.glm_release import NUMBERS, released_counts, released_terms
from federation.methods.glm_rows import GlmPlan
from federation.methods.mixed_profile import Profile
from federation.methods.release import Release

_FEW_HOSPITALS = 5


def release_mixed(
    ask: Ask, plan: GlmPlan, finished: Finished, shown: Mapping[str, Mask]
) -> Released:
    """The answer of kind `mixed`."""
    release = Release(ask)
    facts = finished.facts
    result = released_counts(release, facts["counts"], shown, binary=False)
    result["method"] = "reml" if ask.params["reml"] else "ml"
    if "best" not in facts:
        release.warnings.append(
            "Nothing was fitted: a hospital's own level needs patients in at least two hospitals, "
            "and more than one patient in one of them."
        )
        blank: dict[str, Any] = {
            "terms": [{"term": name, **dict.fromkeys(NUMBERS)} for name in plan.names],
            "variance": {"between": None, "residual": None},
            "icc": None,
            "loglik": None,
            "between_test": {"chi2": None, "p": None},
            "rounds": 0,
            "converged": False,
        }
        return release.done({**result, **blank})
    best = Profile.from_json(facts["best"])
    residual = best.residual * facts["y_scale"] ** 2
    result["terms"] = _terms(release, plan, facts, best)
    result["variance"] = {
        "between": release.coefficient(best.ratio * residual),
        "residual": release.coefficient(residual),
    }
    result["icc"] = release.coefficient(best.ratio / (1.0 + best.ratio))
    result["loglik"] = release.loglik(_loglik(ask, facts, best))
    result["between_test"] = _between_test(release, facts, best)
    result["rounds"] = facts["rounds"]
    result["converged"] = True
    for i, name in enumerate(plan.design.names):
        if i not in facts["kept"]:
            release.warnings.append(f"{name} was left out: no patient has this level.")
    if best.ratio == 0.0:
        release.warnings.append(
            "No variance between hospitals was found: the estimate lies at its lower bound, 0."
        )
    if facts["counts"]["hospitals"] < _FEW_HOSPITALS:
        release.warnings.append(
            "The variance between hospitals is known poorly from fewer than five hospitals."
        )
    return release.done(result)


def _terms(
    release: Release, plan: GlmPlan, facts: Mapping[str, Any], best: Profile
) -> list[dict[str, Any]]:
    """Estimates on the variables' own scale, with tests and intervals from the normal."""
    kept = facts["kept"]
    to_raw = plan.design.to_raw(kept, np.asarray(facts["centre"]), np.asarray(facts["scale"]))
    estimate = facts["y_scale"] * (to_raw @ best.beta)
    estimate[0] += facts["y_centre"]
    covariance = facts["y_scale"] ** 2 * best.residual * (to_raw @ best.inverse @ to_raw.T)
    at = {i: place + 1 for place, i in enumerate(kept)}
    places = [0, *(at.get(i) for i in range(plan.design.size))]
    return released_terms(release, plan.names, places, estimate, covariance, ratio=False)


def _loglik(ask: Ask, facts: Mapping[str, Any], profile: Profile) -> float:
    """The log likelihood of the outcome in its own unit.

    With powers in the formula the columns are those of the distance to the middle of the range,
    which changes no determinant: the map to plain powers is triangular with ones.
    """
    n, q = int(facts["counts"]["n"]), 1 + len(facts["kept"])
    spread = math.log(facts["y_scale"])
    if not ask.params["reml"]:
        return profile.loglik - n * spread
    columns = sum(math.log(each) for each in facts["scale"])
    return profile.loglik - (n - q) * spread - columns


def _between_test(release: Release, facts: Mapping[str, Any], best: Profile) -> dict[str, Any]:
    """Likelihood ratio test against no variance between hospitals.

    The variance lies at the edge of its range there, so the p value is half that of one degree
    of freedom (S. Self and K.-Y. Liang, JASA 82 (1987) 605-610).
    """
    from scipy import special

    chi2 = max(2.0 * (best.loglik - float(facts["without"]["loglik"])), 0.0)
    p = 0.5 * float(special.chdtrc(1, chi2)) if chi2 > 0 else 1.0
    return {"chi2": release.coefficient(chi2), "p": release.coefficient(p)}
