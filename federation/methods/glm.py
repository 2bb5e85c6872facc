"""Generalised linear models with their canonical links: one site's sums, and what bounds them.

Linear (gaussian, identity), logistic (binomial, logit) and Poisson (log) regression. The link is
canonical, so Newton's method is iteratively reweighted least squares and its information is the
expected one: score X'(y - mu), information X'WX with W the variance function at mu. McCullagh and
Nelder (1989), sections 2.2 and 2.5. The fit starts at the null model, which follows from pooled
counts; every coefficient on top of it starts at 0 (disclosure.md section 4.6).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from federation.methods.base import Sums
from federation.methods.cox_score import pack_symmetric
from federation.query.refusals import Refused
from federation.query.terms import IterTerms

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

GAUSSIAN: Final = "gaussian"
BINOMIAL: Final = "binomial"
POISSON: Final = "poisson"
FAMILIES: Final = (GAUSSIAN, BINOMIAL, POISSON)

# Rows per block: the columns of a block and their weighted copy stay in cache.
_BLOCK = 4096
# A sum beyond this no longer fits the sites' fixed point once sixteen of them are added.
_LARGEST_SUM = 2.0**55
# exp() of more is no float any more; beyond it nothing changes in the last digit.
_LARGEST_EXPONENT = 700.0


@dataclass(frozen=True)
class GlmRows:
    """Complete rows of one site, ready for every round.

    `columns` (p, n): one line per coefficient, the ones of the intercept first, then centred and
    scaled columns. `y` (n,). `offset` (n,) is added to every linear predictor; None for no offset.
    `people` (n,) int64 says which rows are of one patient; None when a row is a patient.
    """

    columns: Floats
    y: Floats
    offset: Floats | None = None
    people: Ints | None = None

    @property
    def n(self) -> int:
        """The number of rows."""
        return self.y.size

    @cached_property
    def exposure(self) -> float:
        """The sum of exp(offset), or of 1 for each row without one."""
        return float(self.n if self.offset is None else np.exp(self.offset).sum())

    @cached_property
    def reach(self) -> Floats:
        """The largest magnitude in each column, (p,); 0 without rows."""
        return np.array([max(c.max(initial=0.0), -c.min(initial=0.0)) for c in self.columns])

    def predictor(self, low: int, high: int, beta: Floats) -> Floats:
        """The linear predictor of rows `low` to `high`."""
        eta = beta @ self.columns[:, low:high]
        return np.asarray(eta if self.offset is None else eta + self.offset[low:high])


def null_predictor(family: str, n: int, total: float, exposure: float) -> float:
    """The intercept of the model without terms, from pooled sums.

    `total` is the sum of y over n rows, `exposure` that of exp(offset). 0 for gaussian, whose y is
    centred. Needs 0 < total (and total < n for binomial).
    """
    if family == GAUSSIAN:
        return 0.0
    if family == BINOMIAL:
        return math.log(total / (n - total))
    return math.log(total / exposure)


@dataclass(frozen=True)
class LocalSums:
    """One site's sums at one point.

    `loglik` leaves out what does not depend on the coefficients; `score` (p,), `information`
    (p, p). `weight` and `square` are the sums of the weights W and of their squares. Two numbers
    never leave the site: `largest`, the largest |linear predictor|, for Poisson on top of the null
    model because rates have units; and `heaviest`, the largest weight of a row.
    """

    loglik: float
    score: Floats
    information: Floats
    weight: float
    square: float
    largest: float
    heaviest: float = 1.0

    def sums(self, *, information: bool = True) -> Sums:
        """As they travel; all 0 with `runaway` 1 where a number outgrew the fixed point."""
        made: Sums = {
            "loglik": np.array([self.loglik]),
            "score": self.score,
            "weights": np.array([self.weight, self.square]),
        }
        if information:
            made["information"] = pack_symmetric(self.information)
        small = all(np.all(np.abs(array) < _LARGEST_SUM) for array in made.values())
        if not small:  # also for nan
            made = {name: np.zeros_like(array) for name, array in made.items()}
        made["runaway"] = np.array([int(not small)])
        return made


def local_sums(
    family: str, rows: GlmRows, beta: Floats, null: float, *, information: bool = True
) -> LocalSums:
    """Log likelihood, score and information of one site at `beta` (p,) on top of `null`."""
    p = beta.size
    loglik, weight, square, largest, heaviest = 0.0, 0.0, 0.0, 0.0, 0.0
    score, total = np.zeros(p), np.zeros((p, p))
    room = np.empty((p, min(_BLOCK, rows.n)))
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for low in range(0, rows.n, _BLOCK):
            high = min(low + _BLOCK, rows.n)
            x, y = rows.columns[:, low:high], rows.y[low:high]
            eta = beta @ x
            if family != POISSON:
                eta += null
            largest = max(largest, float(eta.max()), -float(eta.min()))
            if family == POISSON:
                eta += null if rows.offset is None else rows.offset[low:high] + null
            part, residual, w = _family_block(family, eta, y)
            loglik += part
            score += x @ residual
            if w is None:
                weight += high - low
                square += high - low
                heaviest = 1.0
            else:
                weight += float(w.sum())
                square += float(w @ w)
                heaviest = max(heaviest, float(w.max()))
            if information:
                weighted = x if w is None else np.multiply(x, w, out=room[:, : high - low])
                total += weighted @ x.T
    return LocalSums(loglik, score, total, weight, square, largest, heaviest)


def _family_block(family: str, eta: Floats, y: Floats) -> tuple[float, Floats, Floats | None]:
    """Log likelihood, y - mu (n,) and weights (n,; None for all 1) at linear predictors `eta`,
    which it may overwrite."""
    if family == GAUSSIAN:
        residual = y - eta
        return -0.5 * float(residual @ residual), residual, None
    if family == POISSON:
        loglik = float(y @ eta)
        mu = np.exp(eta, out=eta)
        return loglik - float(mu.sum()), y - mu, mu
    # With s = 2y - 1 and z = s eta a row has the likelihood 1 / (1 + exp(-z)). Its complement
    # a = 1 / (1 + exp(z)) keeps its digits in both tails: y - mu is s a, the weight a a exp(z).
    side = 2.0 * y - 1.0
    z = np.multiply(eta, side, out=eta)
    odds = np.exp(np.minimum(z, _LARGEST_EXPONENT))
    rest = 1.0 + odds
    np.reciprocal(rest, out=rest)
    loglik = float(np.minimum(z, _LARGEST_EXPONENT).sum() + np.log(rest).sum())
    odds *= rest
    odds *= rest
    return loglik, np.multiply(side, rest, out=side), odds


def null_sums(family: str, rows: GlmRows, null: float) -> tuple[LocalSums, Floats]:
    """`local_sums` at the null model, and the sum of squares of each column (p,).

    All rows have one mean there, or one times their exposure: no row needs an exponential, and
    without exposure the information is the columns' products times one weight.
    """
    if rows.offset is not None:
        at_null = local_sums(POISSON, rows, np.zeros(rows.columns.shape[0]), null)
        return at_null, squares_of(rows)
    mean, weight = _of_null(family, null)
    products = np.zeros((rows.columns.shape[0],) * 2)
    with_y = np.zeros(rows.columns.shape[0])
    for low in range(0, rows.n, _BLOCK):
        x = rows.columns[:, low : low + _BLOCK]
        products += x @ x.T
        with_y += x @ rows.y[low : low + _BLOCK]
    total, n = float(rows.y.sum()), rows.n
    loglik = {
        GAUSSIAN: -0.5 * float(rows.y @ rows.y),
        BINOMIAL: null * total - n * math.log1p(math.exp(-abs(null))) - n * max(null, 0.0),
        POISSON: null * total - n * mean,
    }[family]
    found = LocalSums(
        loglik=loglik,
        score=with_y - mean * products[0],  # the first column is the intercept's
        information=weight * products,
        weight=n * weight,
        square=n * weight**2,
        largest=abs(null) if family == BINOMIAL and n else 0.0,
        heaviest=weight,
    )
    return found, np.diag(products).copy()


def _of_null(family: str, null: float) -> tuple[float, float]:
    """Mean and weight of a row at the null model."""
    if family == GAUSSIAN:
        return 0.0, 1.0
    if family == POISSON:
        return math.exp(null), math.exp(null)
    e = math.exp(-abs(null))
    return (1.0 if null >= 0 else e) / (1.0 + e), e / (1.0 + e) ** 2


def squares_of(rows: GlmRows) -> Floats:
    """The sum of squares of each column, (p,)."""
    return np.array([column @ column for column in rows.columns])


def mean_of(family: str, eta: Floats) -> Floats:
    """mu (n,) at linear predictors `eta` (n,), the offset included."""
    with np.errstate(over="ignore"):
        if family == GAUSSIAN:
            return eta
        return np.exp(eta) if family == POISSON else 1.0 / (1.0 + np.exp(-eta))


def weights_of(family: str, eta: Floats) -> Floats:
    """The weights W (n,) at linear predictors `eta` (n,): the variance function at the mean."""
    if family == BINOMIAL:
        e = np.exp(-np.abs(eta))
        return np.asarray(e / (1.0 + e) ** 2)
    return np.ones_like(eta) if family == GAUSSIAN else np.exp(eta)


def start_weight(family: str, rows: GlmRows, null: float) -> float:
    """The weight that a site's rows would have if the model said nothing about any of them.

    A quarter for each row of a logistic model, the null model's mean for a Poisson one.
    """
    if family == BINOMIAL:
        return 0.25 * rows.n
    if family == GAUSSIAN or rows.offset is None:
        return float(rows.n) * (1.0 if family == GAUSSIAN else math.exp(null))
    return rows.exposure * math.exp(null)


def check_local(found: LocalSums, family: str, start: float, terms: IterTerms) -> None:
    """Refused MODEL_UNSTABLE when this site's rows are pushed to a corner (rule O9).

    A linear predictor too far out; or weights that rest on a few rows (their effective number
    below `min_ess`) while next to nothing is left of the weight at the `start`. One of the two
    alone also happens in honest fits at a small hospital. A linear model has no weights.
    """
    if family == GAUSSIAN:
        return
    few = found.weight**2 < terms.min_ess * found.square
    little = found.weight < terms.min_rel_info * start
    if not found.largest <= terms.max_abs_eta or (few and little):  # nan fails, too
        raise Refused("MODEL_UNSTABLE")


def check_pooled(weights: Floats, family: str, start: float, terms: IterTerms) -> None:
    """Refused MODEL_UNSTABLE when all rows together rest on few, or tell little (rule O9).

    `weights` are the pooled sums of the weights and of their squares, `start` the weight at the
    null model (binomial: a quarter of the number of rows).
    """
    if family == GAUSSIAN:
        return
    total, square = weights.tolist()
    if total**2 < terms.min_ess * square or total < terms.min_rel_info * start:
        raise Refused("MODEL_UNSTABLE")


def leverages(family: str, rows: GlmRows, beta: Floats, null: float, covariance: Floats) -> Floats:
    """The leverage w x'Cx of each row, (n,); C is the inverse (p, p) of the pooled information."""
    shares = np.empty(rows.n)
    for low in range(0, rows.n, _BLOCK):
        high = min(low + _BLOCK, rows.n)
        x = rows.columns[:, low:high]
        share = np.einsum("ij,ij->j", covariance @ x, x)
        if family != GAUSSIAN:
            share *= weights_of(family, rows.predictor(low, high, beta) + null)
        shares[low:high] = share
    return shares


def residual_shares(rows: GlmRows, beta: Floats, rest: float) -> Floats:
    """Each row's share (n,) of the pooled residual sum of squares `rest` of a linear model.

    Together with the leverage it is the leverage in the matrix of the terms with the outcome as one
    more column: an extreme outcome is as bad as an extreme term.
    """
    if rest <= 0:
        return np.zeros(rows.n)
    return np.asarray((rows.y - rows.predictor(0, rows.n, beta)) ** 2 / rest)


def meat(family: str, rows: GlmRows, beta: Floats, null: float) -> Floats:
    """The middle (p, p) of the sandwich: the sum of g g', g the sum of x (y - mu) per patient.

    White's HC0 when a row is a patient; otherwise clustered by patient (Liang and Zeger 1986),
    without a correction for small numbers.
    """
    p = beta.size
    total = np.zeros((p, p))
    if rows.n == 0:
        return total
    gradients = np.empty_like(rows.columns)
    for low in range(0, rows.n, _BLOCK):
        high = min(low + _BLOCK, rows.n)
        x = rows.columns[:, low:high]
        eta = rows.predictor(low, high, beta) + null
        gradients[:, low:high] = x * (rows.y[low:high] - mean_of(family, eta))
    if rows.people is not None:
        gradients = np.array([np.bincount(rows.people, g) for g in gradients])
    return np.asarray(gradients @ gradients.T)
