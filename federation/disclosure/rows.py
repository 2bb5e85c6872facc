"""One row per kind of analysis: what is released and which rules stand in front of it.

Rule names are those of disclosure.md section 4.4. The reference page is printed from these rows,
and a test fails when a kind of analysis has no row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

# Rules that every answer passes, whatever the analysis.
COMMON: Final = ("G1", "G2", "G3", "G4", "G5", "G6", "O13", "H1-H5", "S1")


@dataclass(frozen=True)
class Row:
    """What one kind of analysis gives away, and what holds it back."""

    leaves_site: str
    released: str
    never_released: str
    rules: tuple[str, ...]


DISCLOSURE_ROWS: Final[Mapping[str, Row]] = MappingProxyType(
    {
        "count": Row(
            leaves_site="masked counts per cell",
            released="pooled counts per cell, their total, chi-square of a two-way table",
            never_released="a cell below the threshold, and any cell or total that gives it away",
            rules=("O1", "O2", "O3"),
        ),
        "describe": Row(
            leaves_site="masked number, sum and sum of squares per group; masked counts per bin",
            released="number, mean, standard deviation, interval of the mean; quantiles as bins",
            never_released="minimum, maximum, mode, an exact quantile, a value of one patient",
            rules=("O1", "O2", "O4", "O5"),
        ),
        "histogram": Row(
            leaves_site="masked counts per class of the codebook, and per group",
            released="pooled counts per bar of joined classes, the same bars for all groups",
            never_released="an edge that is not in the codebook, a bar with few patients, an end",
            rules=("O1", "O2", "O3", "O6"),
        ),
        "compare": Row(
            leaves_site="masked number, sum and sum of squares per group; masked counts per class",
            released="number, mean and interval per group; t or F, rank test, or chi-square",
            never_released="a test with a hidden group in it, a single value, a rank",
            rules=("O1", "O2", "O3", "O4"),
        ),
        "mantel_haenszel": Row(
            leaves_site="masked two-by-two counts; masked terms of the Mantel-Haenszel sums",
            released="pooled two-by-two table, common odds ratio, its interval and two tests",
            never_released="a hospital's table or odds ratio, a table with a small cell",
            rules=("O1", "O2", "O3"),
        ),
        "competing_risks": Row(
            leaves_site="masked events of each kind and censored per interval of the public grid",
            released="cumulative incidence in merged intervals, chosen times, Gray's test",
            never_released="an event time, an interval with few events of a kind, the curve's tail",
            rules=("O1", "O2", "O3", "O11"),
        ),
        "survival": Row(
            leaves_site="masked events and censored per interval of the public time grid",
            released="survival curve in merged intervals, median, chosen times, log-rank test",
            never_released="an event time, an interval with few removed, the tail of the curve",
            rules=("O1", "O2", "O10", "O11"),
        ),
        "regression": Row(
            leaves_site="masked counts; masked score, information and log-likelihood per round; "
            "how many patients weigh heavily",
            released="coefficient, standard error, interval and p per term; patients and events",
            never_released="X'X, covariance, residuals, fitted values, scores of a round",
            rules=("O1", "O4", "O7", "O8", "O9", "O12"),
        ),
        "cox": Row(
            leaves_site="masked score, information and log-likelihood, within hospitals",
            released="coefficient, standard error, interval and p per term; patients and events",
            never_released="covariance, residuals, fitted values, baseline hazard, event times",
            rules=("O1", "O7", "O8", "O9", "O10", "O12"),
        ),
        "mixed": Row(
            leaves_site="masked cross-products at trial ratios of the two variances; their slopes",
            released="coefficient, standard error, interval and p per term; variance between and "
            "within hospitals",
            never_released="a hospital's own level or size, covariance, residuals, fitted values",
            rules=("O1", "O7", "O8", "O12"),
        ),
        "adjusted_mean": Row(
            leaves_site="as a linear regression",
            released="the expected model's terms, mean and spread; by hospital mean, expected mean "
            "and their difference where that is allowed",
            never_released="expected mean of a hospital with few patients in a level; residuals",
            rules=("O1", "O4", "O7", "O8", "O9", "O12", "O14"),
        ),
        "waiting_time": Row(
            leaves_site="masked counts per day; by hospital first which norms it can show",
            released="patients per bar of days, median and 80th percentile as intervals, share "
            "within each norm; by hospital where that is allowed, with the rule of the median",
            never_released="a day of one patient, an exact quantile, a bar with few patients",
            rules=("O1", "O5", "O6", "O14"),
        ),
        "trend": Row(
            leaves_site="as a logistic regression; then masked counts per quarter, and per day",
            released="per quarter patients, outcomes, expected number, difference added up, median "
            "as an interval; by hospital where that is allowed, with the highest CUSUM",
            never_released="the order of patients, a patient's probability, the path of a CUSUM",
            rules=("O1", "O2", "O5", "O7", "O8", "O9", "O12", "O14"),
        ),
        "standardise": Row(
            leaves_site="as a logistic regression; then masked distance from the expected number, "
            "and weights",
            released="the expected model's terms, patients, outcomes, overdispersion, rankability; "
            "by hospital observed and expected where that is allowed",
            never_released="a patient's probability; one hospital's number in the pooled answer",
            rules=("O1", "O7", "O8", "O9", "O12", "O14"),
        ),
    }
)
