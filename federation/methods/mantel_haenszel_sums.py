"""Terms of the Mantel-Haenszel odds ratio and its tests, as sums over strata.

A stratum is a table (2, 2): rows exposure no, yes; columns outcome no, yes. With a exposed with
outcome, b exposed without, c and d the same for the unexposed, and n their sum: R = ad / n,
S = bc / n, P = (a + d) / n, Q = (b + c) / n.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from federation.methods.base import Array, Sums

Floats = npt.NDArray[np.float64]


def _abcd(tables: Array) -> tuple[Floats, Floats, Floats, Floats]:
    cells = tables.astype(np.float64)
    return cells[:, 1, 1], cells[:, 1, 0], cells[:, 0, 1], cells[:, 0, 0]


def table_sums(tables: Array) -> Sums:
    """Each (1,): R, S, PR, PS + QR and QS for the variance of Robins, Breslow and Greenland
    (1986); a - E(a) as `excess` and `variance`, hypergeometric; `used`, strata in which both
    exposures and both outcomes occur. An empty stratum adds nothing."""
    a, b, c, d = _abcd(tables[tables.sum(axis=(1, 2)) > 0])
    n = a + b + c + d
    r, s, p, q = a * d / n, b * c / n, (a + d) / n, (b + c) / n
    rows, others = (a + b) * (c + d), (a + c) * (b + d)
    # With one patient there is no choice: variance 0, not 0/0.
    variance = np.where(n > 1, rows * others / (n**2 * np.maximum(n - 1.0, 1.0)), 0.0)
    informative = (rows > 0) & (others > 0)
    return {
        "r": np.array([r.sum()]),
        "s": np.array([s.sum()]),
        "pr": np.array([(p * r).sum()]),
        "ps_qr": np.array([(p * s + q * r).sum()]),
        "qs": np.array([(q * s).sum()]),
        "excess": np.array([(a - (a + b) * (a + c) / n).sum()]),
        "variance": np.array([variance.sum()]),
        "used": np.array([np.count_nonzero(informative)]),
    }


def common_odds_ratio(pooled: Sums) -> float | None:
    """Sum R / sum S; None unless it is a number above 0."""
    r, s = float(pooled["r"][0]), float(pooled["s"][0])
    return r / s if r > 0 and s > 0 else None


def log_variance(pooled: Sums) -> float:
    """Variance of the logarithm of the common odds ratio (Robins, Breslow and Greenland, 1986)."""
    r, s = float(pooled["r"][0]), float(pooled["s"][0])
    return (
        float(pooled["pr"][0]) / (2.0 * r**2)
        + float(pooled["ps_qr"][0]) / (2.0 * r * s)
        + float(pooled["qs"][0]) / (2.0 * s**2)
    )


def homogeneity_sums(tables: Array, ratio: float) -> Sums:
    """Each (1,): `squares`, sum of (a - A)^2 / V; `off`, sum of a - A; `spread`, sum of V.

    A is the number of exposed with the outcome that has odds ratio `ratio` with the same margins, V
    its variance (Breslow and Day, 1980, section 4.4). Only informative strata count.
    """
    a, b, c, d = _abcd(tables)
    used = ((a + b) * (c + d) > 0) & ((a + c) * (b + d) > 0)
    a, b, c, d = a[used], b[used], c[used], d[used]
    exposed, outcome, n = a + b, a + c, a + b + c + d
    # A (n - exposed - outcome + A) = ratio (exposed - A) (outcome - A); this form of the root has
    # no cancellation, and none where ratio is 1.
    middle = ratio * (exposed + outcome) + (n - exposed - outcome)
    square = 4.0 * ratio * (1.0 - ratio) * exposed * outcome
    expected = 2.0 * ratio * exposed * outcome / (middle + np.sqrt(middle**2 + square))
    cells = (expected, exposed - expected, outcome - expected, n - exposed - outcome + expected)
    variance = 1.0 / sum(1.0 / cell for cell in cells)
    return {
        "squares": np.array([((a - expected) ** 2 / variance).sum()]),
        "off": np.array([(a - expected).sum()]),
        "spread": np.array([np.sum(variance)]),
    }
