"""The same four questions answered by lifelines and scipy on all consenting rows together.

Each function returns the answer in the shape of the released result, so that the two can be
laid beside each other, number by number. A hospital network could never run this: it needs
every patient's row in one place. The demo can, because the GBSG data are public.
"""

import itertools
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from registry.demo.patients import Patient

Rows = Mapping[str, Sequence[Patient]]  # hospital -> its consenting patients

NUMERIC: Mapping[str, Callable[[Patient], float]] = {
    "age": lambda p: p.age,
    "tumour_size": lambda p: p.tumour_mm,
    "nodes": lambda p: p.nodes,
}
CATEGORIES: Mapping[str, tuple[tuple[str, ...], Callable[[Patient], str]]] = {
    "grade": (("1", "2", "3"), lambda p: str(p.grade)),
    "hormone": (("no", "yes"), lambda p: "yes" if p.hormone else "no"),
}


def everyone(rows: Rows) -> list[Patient]:
    """All patients of all hospitals."""
    return [patient for patients in rows.values() for patient in patients]


def count(rows: Rows, by: Sequence[str]) -> dict[str, Any]:
    """Cells, total and Pearson's chi-square (scipy.stats.chi2_contingency)."""
    from scipy import stats

    patients = everyone(rows)
    levels = [CATEGORIES[name][0] for name in by]
    table = np.zeros([len(labels) for labels in levels], int)
    for patient in patients:
        place = tuple(
            labels.index(CATEGORIES[name][1](patient))
            for name, labels in zip(by, levels, strict=True)
        )
        table[place] += 1
    made: dict[str, Any] = {
        "n": len(patients),
        "total": len(patients),
        "cells": [
            {"by": dict(zip(by, labels, strict=True)), "n": int(n)}
            for labels, n in zip(itertools.product(*levels), table.ravel(), strict=True)
        ],
    }
    if len(by) == 2:
        test = stats.chi2_contingency(table, correction=False)
        smaller = min(table.shape) - 1
        made["test"] = {
            "chi2": float(test.statistic),
            "df": int(test.dof),
            "p": float(test.pvalue),
            "cramers_v": math.sqrt(float(test.statistic) / (len(patients) * smaller)),
        }
    return made


def describe(rows: Rows, names: Sequence[str]) -> dict[str, Any]:
    """Mean, spread, t interval and quartiles of each variable (numpy and scipy.stats)."""
    from scipy import stats

    patients = everyone(rows)
    entries = []
    for name in names:
        values = np.array([NUMERIC[name](p) for p in patients], float)
        se = float(stats.sem(values))
        low, high = stats.t.interval(0.95, len(values) - 1, loc=values.mean(), scale=se)
        entries.append(
            {
                "variable": name,
                "groups": [
                    {
                        "level": None,
                        "n": len(values),
                        "mean": float(values.mean()),
                        "sd": float(values.std(ddof=1)),
                        "se": se,
                        "ci_low": float(low),
                        "ci_high": float(high),
                        "quantiles": {
                            key: float(np.quantile(values, float(key), method="inverted_cdf"))
                            for key in ("0.25", "0.5", "0.75")
                        },
                    }
                ],
            }
        )
    return {"n": len(patients), "variables": entries}


def on_grid(days: Sequence[int], grid: int) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Days rounded up to the public grid."""
    return np.ceil(np.array(days, float) / grid) * grid


def survival(
    rows: Rows, by: str, published: Mapping[str, Sequence[float]], grid: int
) -> dict[str, Any]:
    """Kaplan-Meier per group at the published times, and the log-rank test (lifelines).

    `published`: per group the times at which the network's curve has a point. `grid` in days;
    0 takes the exact times.
    """
    from lifelines import KaplanMeierFitter
    from lifelines.statistics import multivariate_logrank_test

    patients = everyone(rows)
    levels, level_of = CATEGORIES[by]
    groups = []
    for level in levels:
        mine = [p for p in patients if level_of(p) == level]
        days = [p.rfs_days for p in mine]
        times = on_grid(days, grid) if grid else np.array(days, float)
        curve = KaplanMeierFitter().fit(times, [p.relapse for p in mine])
        band = curve.confidence_interval_survival_function_
        points = []
        for t in published[level]:
            low, high = (float(v) for v in band.iloc[band.index.searchsorted(t, "right") - 1])
            points.append(
                {
                    "t": t,
                    "at_risk": int((times > t).sum()) if t else len(mine),
                    "s": float(curve.predict(t)),
                    "low": low if t else 1.0,
                    "high": high if t else 1.0,
                }
            )
        groups.append(
            {
                "level": level,
                "n": len(mine),
                "events": sum(p.relapse for p in mine),
                "curve": points,
            }
        )
    days = [p.rfs_days for p in patients]
    test = multivariate_logrank_test(
        on_grid(days, grid) if grid else np.array(days, float),
        [level_of(p) for p in patients],
        [p.relapse for p in patients],
    )
    return {
        "n": len(patients),
        "groups": groups,
        "logrank": {"chi2": float(test.test_statistic), "df": 1, "p": float(test.p_value)},
    }


def cox(rows: Rows, terms: Mapping[str, Callable[[Patient], float]]) -> dict[str, Any]:
    """Cox regression stratified by hospital, Efron ties (lifelines CoxPHFitter)."""
    import pandas as pd
    from lifelines import CoxPHFitter

    table = pd.DataFrame(
        [
            {
                **{name: float(value(p)) for name, value in terms.items()},
                "days": p.rfs_days,
                "event": p.relapse,
                "site": slug,
            }
            for slug, patients in rows.items()
            for p in patients
        ]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = CoxPHFitter().fit(
            table,
            "days",
            "event",
            strata=["site"],
            fit_options={"precision": 1e-12, "max_steps": 100},
        )
    summary = fit.summary
    test = fit.log_likelihood_ratio_test()
    return {
        "n": len(table),
        "events": int(table["event"].sum()),
        "terms": [
            {
                "term": name,
                "estimate": float(row["coef"]),
                "se": float(row["se(coef)"]),
                "z": float(row["z"]),
                "p": float(row["p"]),
                "ci_low": float(row["coef lower 95%"]),
                "ci_high": float(row["coef upper 95%"]),
                "exp": float(row["exp(coef)"]),
            }
            for name, row in ((name, summary.loc[name]) for name in terms)
        ],
        "loglik": float(fit.log_likelihood_),
        "lr": {"chi2": float(test.test_statistic), "df": len(terms), "p": float(test.p_value)},
        "concordance": float(fit.concordance_index_),
    }
