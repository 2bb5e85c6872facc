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


def histogram(table: Table) -> Any:
    return np.histogram(table["age"], bins=np.arange(15, 115, 5))


def compare(table: Table) -> Any:
    from scipy import stats

    one, other = (table.loc[table["treated"] == level, "size"] for level in (0, 1))
    return stats.ttest_ind(one, other, equal_var=False), stats.mannwhitneyu(one, other)


def competing_risks(table: Table) -> Any:
    from lifelines import AalenJohansenFitter

    days = np.ceil(table["days"] / 30) * 30
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for level in (0, 1):
            mine = table["treated"] == level
            AalenJohansenFitter(seed=1, calculate_variance=False).fit(
                days[mine], table["ending"][mine], event_of_interest=1
            )


def mantel_haenszel(table: Table) -> Any:
    from statsmodels.stats.contingency_tables import StratifiedTable

    found = StratifiedTable.from_data("event", "treated", "site", table)
    return found.oddsratio_pooled, found.test_equal_odds()


def _design(table: Table, names: str, *, stages: bool = True) -> Any:
    columns = [np.ones(len(table)), *(table[name].to_numpy(float) for name in names.split())]
    if stages:
        columns += [(table["stage"] == level).to_numpy(float) for level in (2, 3, 4)]
    return np.column_stack(columns)


def linear(table: Table) -> Any:
    import statsmodels.api as sm

    return sm.OLS(table["size"].to_numpy(), _design(table, "age treated")).fit().summary2()


def logistic(table: Table) -> Any:
    import statsmodels.api as sm

    design = _design(table, "age size marker treated sex")
    return sm.GLM(table["event"].to_numpy(), design, family=sm.families.Binomial()).fit()


def poisson(table: Table) -> Any:
    import statsmodels.api as sm

    family = sm.families.Poisson()
    design = _design(table, "age size treated")
    return sm.GLM(
        table["visits"].to_numpy(), design, family=family, exposure=table["days"].to_numpy()
    ).fit()


def mixed(table: Table) -> Any:
    import statsmodels.api as sm

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sm.MixedLM(
            table["size"].to_numpy(), _design(table, "age treated"), groups=table["site"]
        ).fit()


def standardise(table: Table) -> Any:
    import statsmodels.api as sm

    design = _design(table, "age size")
    fit = sm.GLM(table["event"].to_numpy(), design, family=sm.families.Binomial()).fit()
    expected = pd.Series(fit.predict(design)).groupby(table["site"].to_numpy()).sum()
    return table.groupby("site")["event"].sum() / expected


POOLED: Mapping[str, Callable[[Table], Any]] = {
    "count": count,
    "describe": describe,
    "histogram": histogram,
    "compare": compare,
    "survival": survival,
    "competing risks": competing_risks,
    "mantel-haenszel": mantel_haenszel,
    "linear": linear,
    "logistic": logistic,
    "poisson": poisson,
    "mixed": mixed,
    "standardise": standardise,
    "cox": cox,
}
#: Rows beyond which a library needs more memory or time than a bench machine has.
MOST_ROWS: Mapping[str, int] = {
    "competing risks": 20_000,
    "linear": 3_000_000,
    "logistic": 2_000_000,
    "poisson": 2_000_000,
    "mixed": 2_000_000,
    "standardise": 2_000_000,
}
