"""Tests that compare groups, from their moments or from counts at ascending values.

Each answers None when there is nothing to compare. scipy is imported where it is used: only the
hub gets here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from federation.methods.moments import Moments

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

Test = dict[str, float | int | None]


def welch(first: Moments, second: Moments) -> Test | None:
    """Welch's t of two groups (Biometrika 1947;34:28), with the difference first minus second."""
    from scipy import special

    if first.mean is None or second.mean is None or min(first.n, second.n) < 2:
        return None
    parts = [group.squares / (group.n - 1) / group.n for group in (first, second)]
    variance = sum(parts)
    if not variance > 0:
        return None
    df = variance**2 / sum(
        part**2 / (group.n - 1) for part, group in zip(parts, (first, second), strict=True)
    )
    se = float(np.sqrt(variance))
    difference = first.mean - second.mean
    statistic = difference / se
    half = float(special.stdtrit(df, 0.975)) * se
    return {
        "statistic": statistic,
        "df": df,
        "p": 2.0 * float(special.stdtr(df, -abs(statistic))),
        "difference": difference,
        "ci_low": difference - half,
        "ci_high": difference + half,
    }


def anova(groups: Sequence[Moments]) -> Test | None:
    """One-way analysis of variance of the groups that hold anybody."""
    from scipy import special

    used = [group for group in groups if group.n > 0]
    n = np.array([group.n for group in used], dtype=np.float64)
    means = np.array([group.mean for group in used], dtype=np.float64)
    df, df_resid = len(used) - 1, int(n.sum()) - len(used)
    within = sum(group.squares for group in used)
    if df < 1 or df_resid < 1 or not within > 0:
        return None
    between = float(np.sum(n * (means - np.sum(n * means) / n.sum()) ** 2))
    statistic = (between / df) / (within / df_resid)
    return {
        "statistic": statistic,
        "df": df,
        "df_resid": df_resid,
        "p": float(special.fdtrc(df, df_resid, statistic)),
    }


def _midranks(counts: Ints) -> Floats:
    """The rank that everyone at each value shares, float (values,); `counts` int (K, values)."""
    tied = counts.sum(axis=0).astype(np.float64)
    return np.asarray(np.cumsum(tied) - (tied - 1.0) / 2.0)


def _ties(counts: Ints) -> float:
    """1 - sum (t^3 - t) / (N^3 - N) over the values' numbers t; 0 when all are the same."""
    tied = counts.sum(axis=0).astype(np.float64)
    n = float(tied.sum())
    return 1.0 - float(np.sum(tied**3 - tied)) / (n**3 - n)


def mann_whitney(counts: Ints) -> Test | None:
    """U of the first of two groups, from counts (2, values) at ascending values.

    Normal approximation, two-sided, corrected for ties and continuity (Hollander, Wolfe and
    Chicken, 2014, section 4.1).
    """
    from scipy import special

    sizes = counts.sum(axis=1).astype(np.float64)
    first, second = sizes.tolist()
    if first == 0 or second == 0:
        return None
    n = first + second
    u = float(np.sum(counts[0] * _midranks(counts))) - first * (first + 1.0) / 2.0
    variance = first * second * (n + 1.0) / 12.0 * _ties(counts)
    if not variance > 0:
        return None
    middle = first * second / 2.0
    z = (abs(u - middle) - 0.5) / float(np.sqrt(variance))
    return {"statistic": u, "p": min(float(special.erfc(z / np.sqrt(2.0))), 1.0)}


def kruskal(counts: Ints) -> Test | None:
    """Kruskal-Wallis H corrected for ties, from counts (K, values); empty groups do not count."""
    from scipy import special

    used = counts[counts.sum(axis=1) > 0]
    if len(used) < 2:
        return None
    sizes = used.sum(axis=1).astype(np.float64)
    n = float(sizes.sum())
    ties = _ties(used)
    if not ties > 0:
        return None
    # Ranks from their mean, so that no digits are lost when the groups are alike.
    off = (used * (_midranks(used) - (n + 1.0) / 2.0)).sum(axis=1)
    statistic = 12.0 / (n * (n + 1.0)) * float(np.sum(off**2 / sizes)) / ties
    df = len(used) - 1
    return {"statistic": statistic, "df": df, "p": float(special.chdtrc(df, statistic))}
