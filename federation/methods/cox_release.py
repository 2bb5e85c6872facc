"""From a finished Cox fit to the released coefficients and tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from federation.methods.base import Ask, Finished, Mask, Released
from federation.methods.concordance import concordance_counts
from federation.methods.design import Design
from federation.methods.glm_release import NUMBERS, released_counts, released_terms
from federation.methods.release import Release


def release_cox(
    ask: Ask, design: Design, finished: Finished, shown: Mapping[str, Mask]
) -> Released:
    """The answer of kind `cox`: every term of the `design`, fitted or not."""
    release = Release(ask)
    names, facts = design.names, finished.facts
    result = released_counts(release, facts["counts"], shown, binary=True)
    result.update(ties=ask.params["ties"], strata=ask.params["strata"])
    if "newton" not in facts:
        release.warnings.append("Nothing was fitted: no patient had the event.")
        blank: dict[str, Any] = {
            "terms": [{"term": name, **dict.fromkeys(NUMBERS)} for name in names],
            "loglik": None,
            "loglik_null": None,
            "lr": {"chi2": None, "df": None, "p": None},
            "concordance": None,
            "rounds": 0,
            "converged": False,
        }
        return release.done({**result, **blank})
    newton = facts["newton"]
    result["terms"] = _terms(release, design, facts)
    result["loglik"] = release.loglik(newton["loglik"])
    result["loglik_null"] = release.loglik(newton["loglik_null"])
    result["lr"] = _likelihood_ratio(release, newton, len(facts["kept"]))
    result["concordance"] = _concordance(release, finished)
    result["rounds"] = newton["rounds"]
    result["converged"] = True
    for i, name in enumerate(names):
        if i not in facts["kept"]:
            release.warnings.append(f"{name} was left out: no patient has this level.")
    if ask.strict and ask.params["strata"] != "site":
        release.warnings.append("Event times are rounded up to the time grid.")
    return release.done(result)


def _terms(release: Release, design: Design, facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Estimates on the variables' own scale, Wald tests and 95% intervals."""
    kept = list(facts["kept"])
    centre, scale = np.asarray(facts["centre"]), np.asarray(facts["scale"])
    to_raw = design.to_raw(kept, centre, scale, intercept=False)
    covariance = to_raw @ np.asarray(facts["covariance"]) @ to_raw.T
    places = [kept.index(i) if i in kept else None for i in range(design.size)]
    estimate = to_raw @ np.asarray(facts["newton"]["beta"])
    return released_terms(release, design.names, places, estimate, covariance)


def _likelihood_ratio(release: Release, newton: Mapping[str, Any], df: int) -> dict[str, Any]:
    from scipy import special

    # Rounding can leave a model without effect a hair below the null model.
    chi2 = max(2.0 * (newton["loglik"] - newton["loglik_null"]), 0.0)
    return {
        "chi2": release.coefficient(chi2),
        "df": df,
        "p": release.coefficient(float(special.chdtrc(df, chi2))),
    }


def _concordance(release: Release, finished: Finished) -> float | None:
    """Harrell's c within strata, ties counted half; None when no pair can be compared."""
    pooled = finished.pooled
    if "pairs" not in pooled and "event" not in pooled:
        release.hide("concordance", "grid")
        return None
    totals = np.zeros(3)
    if "pairs" in pooled:
        totals += pooled["pairs"]
    else:
        event = pooled["event"] == 1
        for code in np.unique(pooled["stratum"]):
            mine = pooled["stratum"] == code
            totals += concordance_counts(pooled["time"][mine], event[mine], pooled["risk"][mine])
    concordant, tied, pairs = totals.tolist()
    if pairs == 0:
        return None
    return release.coefficient((concordant + tied / 2) / pairs)
