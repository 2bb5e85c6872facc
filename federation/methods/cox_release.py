"""From a finished Cox fit to the released coefficients and tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from federation.methods.base import Ask, Finished, Mask, Released
from federation.methods.concordance import concordance_counts
from federation.methods.release import Release, seen
from federation.methods.survival_curve import Z95

_NUMBERS = ("estimate", "se", "z", "p", "ci_low", "ci_high", "exp", "exp_low", "exp_high")


def release_cox(
    ask: Ask, names: tuple[str, ...], finished: Finished, shown: Mapping[str, Mask]
) -> Released:
    """The answer of kind `cox`; `names` are all terms, fitted or not."""
    release = Release(ask)
    facts = finished.facts
    counts = facts["counts"]
    events_seen = bool(seen(shown, "events", (2,)).all())
    result: dict[str, Any] = {
        "n": release.count(counts["n"], bool(seen(shown, "total")), "n"),
        "missing": release.missing(counts["missing"]),
        "events": release.count(counts["events"], events_seen, "events"),
        "ties": ask.params["ties"],
        "strata": ask.params["strata"],
    }
    if "newton" not in facts:
        release.warnings.append("Nothing was fitted: no patient had the event.")
        blank: dict[str, Any] = {
            "terms": [{"term": name, **dict.fromkeys(_NUMBERS)} for name in names],
            "loglik": None,
            "loglik_null": None,
            "lr": {"chi2": None, "df": None, "p": None},
            "concordance": None,
            "rounds": 0,
            "converged": False,
        }
        return release.done({**result, **blank})
    newton = facts["newton"]
    result["terms"] = _terms(release, names, facts)
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


def _terms(
    release: Release, names: tuple[str, ...], facts: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Estimates on the variables' own scale, Wald tests and 95% intervals."""
    from scipy import special

    scale = np.asarray(facts["scale"])
    estimates = np.asarray(facts["newton"]["beta"]) / scale
    errors = np.sqrt(np.diag(np.asarray(facts["covariance"]))) / scale
    made = []
    for i, name in enumerate(names):
        if i not in facts["kept"]:
            made.append({"term": name, **dict.fromkeys(_NUMBERS)})
            continue
        at = facts["kept"].index(i)
        estimate, se = float(estimates[at]), float(errors[at])
        z = estimate / se
        low, high = estimate - Z95 * se, estimate + Z95 * se
        with np.errstate(over="ignore"):
            ratios = np.exp([estimate, low, high]).tolist()
        # erfc keeps p values far below the smallest step of 1 - cdf.
        p = float(special.erfc(abs(z) / np.sqrt(2.0)))
        values = (estimate, se, z, p, low, high, *ratios)
        numbers = {k: release.coefficient(v) for k, v in zip(_NUMBERS, values, strict=True)}
        made.append({"term": name, **numbers})
    return made


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
    if "checked" in pooled:
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
