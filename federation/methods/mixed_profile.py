"""The profile likelihood of a random intercept per hospital, from sums over hospitals.

Model: y = X beta + b_hospital + e, Var(b) = tau^2, Var(e) = sigma^2, ratio rho = tau^2 / sigma^2.
Within one hospital of n patients V = sigma^2 (I + rho 11'), so that

    V^-1 = (I - rho / (1 + n rho) 11') / sigma^2   and   log|I + rho 11'| = log(1 + n rho),

and every term of the likelihood is a sum over hospitals for a given rho (N. Laird and J. Ware,
Biometrics 38 (1982) 963-974). beta and sigma^2 are solved for; only rho is searched for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from federation.methods.cox_score import pack_symmetric, unpack_symmetric
from federation.methods.newton import inverse
from federation.query.refusals import Refused

Floats = npt.NDArray[np.float64]

_PERFECT = 1e-13  # residual this small a part of the whole: nothing is left to be random


@dataclass(frozen=True)
class Hospital:
    """What one hospital works from, made once: the design Z with a column of ones in front, q
    columns, and the outcome behind it, split into spread within and the hospital's own sums."""

    n: int
    within: Floats  # (q + 1, q + 1) sums of products of deviations from the hospital's means
    between: Floats  # (q + 1, q + 1) products of the hospital's sums, divided by n


def hospital_of(matrix: Floats) -> Hospital:
    """`matrix` (n, q + 1): ones, the columns, the outcome, all scaled; also for no rows."""
    n, size = matrix.shape
    if n == 0:
        return Hospital(0, np.zeros((size, size)), np.zeros((size, size)))
    mean = matrix.mean(axis=0)
    moved = matrix - mean
    return Hospital(n, moved.T @ moved, n * np.outer(mean, mean))


def ratio_sums(hospital: Hospital, ratios: list[float]) -> dict[str, npt.NDArray[Any]]:
    """For each of r ratios: `products` (r, packed) = (X y)'(I + rho 11')^-1 (X y), its derivative
    `slopes`, `logdet` (r,) = log(1 + n rho) and its derivative `logdet_slope`."""
    n = hospital.n
    products, slopes = [], []
    for ratio in ratios:
        shrunk = 1.0 + n * ratio
        products.append(pack_symmetric(hospital.within + hospital.between / shrunk))
        slopes.append(pack_symmetric(-hospital.between * (n / shrunk**2)))
    at = np.asarray(ratios, dtype=np.float64)
    return {
        "products": np.array(products),
        "slopes": np.array(slopes),
        "logdet": np.log1p(n * at),
        "logdet_slope": n / (1.0 + n * at),
    }


def leverages(
    matrix: Floats, ratio: float, beta: Floats, covariance: Floats, rest: float
) -> tuple[Floats, Floats]:
    """Each row's share (n,) in the fit: its leverage in the least squares problem that is left
    after the hospital's intercept is partly taken out, x - (1 - 1/sqrt(1 + n rho)) mean (W. Fuller
    and G. Battese, Journal of Econometrics 2 (1974) 67-78); and its share (n,) of the residual sum
    of squares `rest`. Together they are the leverage in the matrix of the terms with the outcome.

    `matrix` (n, q + 1) with the outcome last; `covariance` (q, q) without sigma^2.
    """
    n = matrix.shape[0]
    if n == 0:
        return np.zeros(0), np.zeros(0)
    part = 1.0 - 1.0 / math.sqrt(1.0 + n * ratio)
    left = matrix - part * matrix.mean(axis=0)
    x, residual = left[:, :-1], left[:, -1] - left[:, :-1] @ beta
    return ((x @ covariance) * x).sum(axis=1), residual**2 / rest


@dataclass(frozen=True)
class Profile:
    """The likelihood at one ratio, and what maximises it there. `slope`: derivative in rho.

    `residual` is sigma^2; `inverse` is (X'V^-1X)^-1 without sigma^2; on the scaled columns.
    """

    ratio: float
    beta: Floats
    inverse: Floats
    residual: float
    loglik: float
    slope: float

    def to_json(self) -> dict[str, Any]:
        return {
            "ratio": self.ratio,
            "beta": self.beta.tolist(),
            "inverse": pack_symmetric(self.inverse).tolist(),
            "residual": self.residual,
            "loglik": self.loglik,
            "slope": self.slope,
        }

    @classmethod
    def from_json(cls, obj: Mapping[str, Any]) -> Profile:
        beta = np.asarray(obj["beta"], dtype=np.float64)
        packed = np.asarray(obj["inverse"], dtype=np.float64)
        return cls(
            float(obj["ratio"]),
            beta,
            unpack_symmetric(packed, beta.size),
            float(obj["residual"]),
            float(obj["loglik"]),
            float(obj["slope"]),
        )


def profiles(
    pooled: Mapping[str, npt.NDArray[Any]], ratios: list[float], n: int, q: int, *, reml: bool
) -> list[Profile]:
    """The profile at each ratio from the pooled `ratio_sums` of n patients and q coefficients.

    Restricted likelihood (REML) without the constant log|X'X|, as lme4 and statsmodels have it.
    Refused MODEL_UNSTABLE when nothing is left unexplained or a sum is not a number.
    """
    found = []
    for i, ratio in enumerate(ratios):
        whole = unpack_symmetric(pooled["products"][i], q + 1)
        change = unpack_symmetric(pooled["slopes"][i], q + 1)
        facts = (float(pooled["logdet"][i]), float(pooled["logdet_slope"][i]))
        found.append(_profile(ratio, whole, change, facts, n, q, reml))
    return found


def _profile(
    ratio: float,
    whole: Floats,
    change: Floats,
    logdet: tuple[float, float],
    n: int,
    q: int,
    reml: bool,
) -> Profile:
    if not (np.isfinite(whole).all() and np.isfinite(change).all()):
        raise Refused("MODEL_UNSTABLE")
    xx, xy, yy = whole[:q, :q], whole[:q, q], float(whole[q, q])
    turned = inverse(xx)
    beta = turned @ xy
    left = yy - float(xy @ beta)
    freedom = n - q if reml else n
    if freedom < 1 or not left > _PERFECT * yy:
        raise Refused("MODEL_UNSTABLE")
    left_slope = float(change[q, q] - 2.0 * beta @ change[:q, q] + beta @ change[:q, :q] @ beta)
    deviance = freedom * (math.log(2.0 * math.pi * left / freedom) + 1.0) + logdet[0]
    slope = freedom * left_slope / left + logdet[1]
    if reml:
        deviance += float(np.linalg.slogdet(xx)[1])
        slope += float(np.sum(turned * change[:q, :q]))
    return Profile(ratio, beta, turned, left / freedom, -deviance / 2.0, -slope / 2.0)
