"""From a finished fit to released terms: estimate, standard error, test, interval, ratio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from federation.methods.base import Ask, CountTable, Finished, Mask, Released
from federation.methods.glm import BINOMIAL, GAUSSIAN
from federation.methods.glm_fit import Coefficients, coefficients
from federation.methods.glm_rows import GlmPlan
from federation.methods.release import Release, seen

Floats = npt.NDArray[np.float64]

NUMBERS: Final = ("estimate", "se", "z", "p", "ci_low", "ci_high", "exp", "exp_low", "exp_high")
Z95: Final = 1.959963984540054


def released_terms(
    release: Release,
    names: Sequence[str],
    places: Sequence[int | None],
    estimate: Floats,
    covariance: Floats,
    *,
    df: int | None = None,
    ratio: bool = True,
) -> list[dict[str, Any]]:
    """One entry per name; `places` say where its estimate (k,) stands, None when not fitted.

    Wald tests and 95% intervals from the normal distribution, or with `df` from Student's t.
    Without `ratio` there is no exp: the coefficients are differences.
    """
    from scipy import special

    errors = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    width = Z95
    if df is not None:
        width = float(special.stdtrit(df, 0.975)) if df > 0 else float("nan")
    made = []
    for name, at in zip(names, places, strict=True):
        if at is None:
            made.append({"term": name, **dict.fromkeys(NUMBERS)})
            continue
        value, se = float(estimate[at]), float(errors[at])
        statistic = value / se if se > 0 else float("nan")
        if df is None:
            # erfc keeps p values far below the smallest step of 1 - cdf.
            p = float(special.erfc(abs(statistic) / np.sqrt(2.0)))
        else:
            p = 2.0 * float(special.stdtr(df, -abs(statistic))) if df > 0 else float("nan")
        low, high = value - width * se, value + width * se
        with np.errstate(over="ignore"):
            ratios = np.exp([value, low, high]).tolist() if ratio else [None] * 3
        values = (value, se, statistic, p, low, high, *ratios)
        numbers = {k: release.coefficient(v) for k, v in zip(NUMBERS, values, strict=True)}
        made.append({"term": name, **numbers})
    return made


def count_tables(counts: Mapping[str, Any], *, binary: bool) -> list[CountTable]:
    """What the gate judges of a model: the total, and how many had a yes-or-no outcome.

    `counts` hold `n`, `positive` with a binary outcome, and where a row is not a patient also
    `patients` and `patients_by_event`.
    """
    n = counts["n"]
    people = np.asarray(counts["patients"]) if "patients" in counts else None
    tables = [CountTable("total", (), np.asarray(n), patients=people)]
    if binary:
        cells = np.array([n - counts["positive"], counts["positive"]])
        behind = counts.get("patients_by_event")
        dims = (("event", ("no", "yes")),)
        patients = None if behind is None else np.asarray(behind)
        tables.append(CountTable("events", dims, cells, patients=patients))
    return tables


def released_counts(
    release: Release, counts: Mapping[str, Any], shown: Mapping[str, Mask], *, binary: bool
) -> dict[str, Any]:
    """n, patients where a row is none, missing, and events of a yes-or-no outcome."""
    total = bool(seen(shown, "total"))
    made: dict[str, Any] = {"n": release.count(counts["n"], total, "n")}
    if "patients" in counts:
        made["patients"] = release.count(counts["patients"], total, "patients")
    made["missing"] = release.missing(counts["missing"])
    if binary:
        events = bool(seen(shown, "events", (2,)).all())
        made["events"] = release.count(counts["positive"], events, "events")
    return made


def release_regression(
    ask: Ask, plan: GlmPlan, finished: Finished, shown: Mapping[str, Mask], *, robust: bool
) -> Released:
    """The answer of kind `regression`."""
    release = Release(ask)
    counts = finished.facts["counts"]
    result = released_counts(release, counts, shown, binary=plan.binary)
    result.update(family=plan.family, robust=robust)
    linear = plan.family == GAUSSIAN
    if "covariance" not in finished.facts:
        release.warnings.append(_nothing(plan, counts))
        result["terms"] = [{"term": name, **dict.fromkeys(NUMBERS)} for name in plan.names]
        for name in ("loglik", "deviance", "aic", *(("r2", "sigma") if linear else ())):
            result[name] = None
        return release.done({**result, "df_resid": None, "rounds": 0, "converged": False})
    fitted = coefficients(plan, finished)
    kept = {i: at + 1 for at, i in enumerate(fitted.kept)}
    places = [0, *(kept.get(i) for i in range(plan.design.size))]
    result["terms"] = released_terms(
        release,
        plan.names,
        places,
        fitted.estimate,
        fitted.covariance,
        df=fitted.df_resid if linear and not robust else None,
        ratio=not linear,
    )
    result["loglik"] = release.loglik(fitted.loglik)
    result["deviance"] = release.loglik(fitted.deviance)
    result["aic"] = release.loglik(-2.0 * fitted.loglik + 2.0 * fitted.estimate.size)
    if linear:
        result["r2"] = release.coefficient(_r2(fitted, finished))
        result["sigma"] = release.coefficient(float(np.sqrt(fitted.dispersion)))
    result["df_resid"] = fitted.df_resid
    result["rounds"] = finished.facts["newton"]["rounds"]
    result["converged"] = True
    for i, name in enumerate(plan.design.names):
        if i not in kept:
            release.warnings.append(f"{name} was left out: no patient has this level.")
    return release.done(result)


def _r2(fitted: Coefficients, finished: Finished) -> float:
    total = finished.facts["counts"]["n"] * finished.facts["y_scale"] ** 2
    return float(1.0 - fitted.deviance / total)


def _nothing(plan: GlmPlan, counts: Mapping[str, Any]) -> str:
    if counts["n"] == 0:
        return "Nothing was fitted: no patient has a value for everything in the model."
    if plan.family == BINOMIAL and counts["positive"] > 0:
        return "Nothing was fitted: every patient had the outcome."
    return "Nothing was fitted: no patient had the outcome."
