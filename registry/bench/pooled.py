"""What a user would run if all rows could lie in one place: pandas, scipy, lifelines."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

Table: TypeAlias = Any  # a pandas DataFrame; pandas ships no types


def count(table: Table) -> Any:
    from scipy import stats

    return stats.chi2_contingency(pd.crosstab(table["stage"], table["sex"]), correction=False)


def describe(table: Table) -> Any:
    return table[["age", "size", "marker"]].describe()


def survival(table: Table) -> Any:
    from lifelines import KaplanMeierFitter
    from lifelines.statistics import multivariate_logrank_test

    days = np.ceil(table["days"] / 30) * 30
    for level in (0, 1):
        mine = table["treated"] == level
        KaplanMeierFitter().fit(days[mine], table["event"][mine])
    return multivariate_logrank_test(days, table["treated"], table["event"])


def cox(table: Table) -> Any:
    from lifelines import CoxPHFitter

    columns = table[["age", "size", "marker", "treated", "days", "event", "site"]].copy()
    for level in (2, 3, 4):
        columns[f"stage{level}"] = (table["stage"] == level).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CoxPHFitter().fit(columns, "days", "event", strata=["site"])


POOLED: Mapping[str, Callable[[Table], Any]] = {
    "count": count,
    "describe": describe,
    "survival": survival,
    "cox": cox,
}
