"""Whether a generalised linear model leans on too few patients of one hospital (rule O8)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from federation.methods.base import Sums
from federation.methods.glm import GlmRows, leverages
from federation.methods.leverage import check_leverage, is_light
from federation.query.terms import Terms

Floats = npt.NDArray[np.float64]


def heavy_sums(
    family: str,
    rows: GlmRows,
    beta: Floats,
    null: float,
    covariance: Floats,
    heaviest: float,
    terms: Terms,
    outcome: Floats | None,
) -> Sums:
    """What `check_leverage` says of the rows at `beta`; Refused MODEL_UNSTABLE as it does.

    `covariance` (p, p) is the inverse of the pooled information, `heaviest` the largest weight of a
    row, `outcome` (n,) what a row's outcome adds to its share. Among many patients no row can come
    near the limits, which is known without working out a leverage: |x_k| is at most m_k in all
    rows, so w x'Cx is at most max(w) m'|C|m.
    """
    if rows.people is None:
        largest = heaviest * float(rows.reach @ np.abs(covariance) @ rows.reach)
        added = 0.0 if outcome is None else float(outcome.max(initial=0.0))
        if is_light(largest, added, terms):
            return {"heavy": np.array([0]), "heavy_share": np.array([0.0])}
    shares = leverages(family, rows, beta, null, covariance)
    return check_leverage(shares, rows.columns.T, rows.people, terms, outcome)
