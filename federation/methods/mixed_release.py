"""From a finished mixed model to the released coefficients and variances."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from federation.methods.base import Ask, Finished, Mask, Released
from federation.methods.glm_rows import GlmPlan
from federation.methods.mixed_profile import Profile
from federation.methods.release import Release, seen
from federation.methods.survival_curve import Z95

_NUMBERS = ("estimate", "se", "z", "p", "ci_low", "ci_high")
_FEW_HOSPITALS = 5


def release_mixed(
    ask: Ask, plan: GlmPlan, finished: Finished, shown: Mapping[str, Mask]
) -> Released:
    """The answer of kind `mixed`."""
    release = Release(ask)
    facts = finished.facts
    counts = facts["counts"]
    visible = bool(seen(shown, "total"))
    result: dict[str, Any] = {"n": release.count(counts["n"], visible, "n")}
    if "patients" in counts:
        result["patients"] = release.count(counts["patients"], visible, "patients")
    result["missing"] = release.missing(counts["missing"])
    result["method"] = "reml" if ask.params["reml"] else "ml"
    if "best" not in facts:
        release.warnings.append(
            "Nothing was fitted: a hospital's own level needs patients in at least two hospitals, "
            "and more than one patient in one of them."
        )
        blank: dict[str, Any] = {
            "terms": [{"term": name, **dict.fromkeys(_NUMBERS)} for name in plan.names],
            "variance": {"between": None, "residual": None},
            "icc": None,
            "loglik": None,
            "between_test": {"chi2": None, "p": None},
            "rounds": 0,
            "converged": False,
        }
        return release.done({**result, **blank})
    best = Profile.from_json(facts["best"])
    spread = facts["y_scale"]
    residual = best.residual * spread**2
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
    if counts["hospitals"] < _FEW_HOSPITALS:
        release.warnings.append(
            "The variance between hospitals is known poorly from fewer than five hospitals."
        )
    return release.done(result)


def _terms(
    release: Release, plan: GlmPlan, facts: Mapping[str, Any], best: Profile
) -> list[dict[str, Any]]:
    """Estimates on the variables' own scale, Wald tests with the normal, 95% intervals."""
    from scipy import special

    kept = facts["kept"]
    to_raw = plan.design.to_raw(kept, np.asarray(facts["centre"]), np.asarray(facts["scale"]))
    estimates = facts["y_scale"] * (to_raw @ best.beta)
    estimates[0] += facts["y_centre"]
    variances = best.residual * np.einsum("ij,jk,ik->i", to_raw, best.inverse, to_raw)
    errors = facts["y_scale"] * np.sqrt(variances)
    made = []
    for i, name in enumerate(plan.names):
        if i and i - 1 not in kept:
            made.append({"term": name, **dict.fromkeys(_NUMBERS)})
            continue
        at = 1 + kept.index(i - 1) if i else 0
        estimate, se = float(estimates[at]), float(errors[at])
        z = estimate / se
        p = float(special.erfc(abs(z) / math.sqrt(2.0)))
        values = (estimate, se, z, p, estimate - Z95 * se, estimate + Z95 * se)
        numbers = {k: release.coefficient(v) for k, v in zip(_NUMBERS, values, strict=True)}
        made.append({"term": name, **numbers})
    return made


def _loglik(ask: Ask, facts: Mapping[str, Any], profile: Profile) -> float:
    """The log likelihood of the outcome in its own unit."""
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
