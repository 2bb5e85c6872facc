"""Comparing hospitals with what chance allows: funnel limits, overdispersion and rankability.

Pure functions over one number per hospital. A standardised ratio is observed / expected. Sources:
D. Spiegelhalter, Funnel plots for comparing institutional performance, Statistics in Medicine 24
(2005) 1185-1202, for limits, winsorised overdispersion and the additive model; H. Lingsma and
others, Comparing and ranking hospitals based on outcome, QJM 103 (2010) 99-108, for rankability;
J. Higgins and S. Thompson, Quantifying heterogeneity, Statistics in Medicine 21 (2002) 1539-1558,
for the typical variance where a median is not to be had.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Limits = tuple[float, float]

LEVEL95: Final = 0.95
LEVEL998: Final = 0.998
WINSORISED: Final = 0.10
"""Share of hospitals pulled in at each end before the spread is judged."""
RARE: Final = 0.05
"""Up to this share of all patients an event is rare: Poisson overstates the spread of a number of
events by 2.6% at most."""
MODERATE: Final = 0.50
HIGH: Final = 0.75
"""Below this rankability hospitals may not be ranked: most of the order would be chance."""


def poisson_limits(expected: float, level: float) -> Limits | None:
    """Exact limits of observed / expected when events come as Poisson with mean `expected`.

    chi2inv(a/2, 2E) / 2E and chi2inv(1 - a/2, 2(E + 1)) / 2E, a = 1 - level; None without any
    expected event.
    """
    from scipy import special

    if not expected > 0:
        return None
    tail = (1.0 - level) / 2.0
    # gammaincinv(k, q) = chi2inv(q, 2k) / 2
    low = float(special.gammaincinv(expected, tail)) / expected
    high = float(special.gammainccinv(expected + 1.0, tail)) / expected
    return low, high


def binomial_limits(n: int, share: float, level: float) -> Limits | None:
    """Limits of a proportion of n patients when each has the event with probability `share`.

    The exact binomial quantile, interpolated to the wanted tail (Spiegelhalter 2005, appendix
    A.1.1); None without patients or when `share` is 0 or 1.
    """
    if n < 1 or not 0.0 < share < 1.0:
        return None
    tail = (1.0 - level) / 2.0
    return _binomial_quantile(n, share, tail), _binomial_quantile(n, share, 1.0 - tail)


def _binomial_quantile(n: int, share: float, q: float) -> float:
    """The q quantile of the proportion, straight between the steps of the distribution."""
    from scipy import stats

    r = float(stats.binom.ppf(q, n, share))
    below, here = float(stats.binom.cdf(r - 1.0, n, share)), float(stats.binom.cdf(r, n, share))
    over = (here - q) / (here - below)
    return float(min(max((r - over) / n, 0.0), 1.0))


def ratio_limits(n: int, expected: float, level: float, *, rare: bool) -> Limits | None:
    """Limits of observed / expected of n patients who were expected to have `expected` events.

    `rare` (a share of all patients of at most RARE): Poisson, as for standardised ratios
    everywhere. Else binomial with the share expected / n: Poisson would let a hospital have more
    events than patients, and call far too few of them chance. A sum of Bernoullis with different
    chances spreads no wider than the binomial (W. Hoeffding, Annals of Mathematical Statistics 27
    (1956) 713-721). None where nothing, or everything, is expected.
    """
    if rare or not expected > 0:
        return poisson_limits(expected, level)
    share = expected / n
    found = binomial_limits(n, share, level)
    return None if found is None else (found[0] / share, found[1] / share)


def ratio_limits_at(expected: float, share: float, level: float, *, rare: bool) -> Limits | None:
    """`ratio_limits` of the whole number of patients of whom `share` comes nearest to `expected`:
    for the lines of a picture."""
    if rare:
        return poisson_limits(expected, level)
    n = max(round(expected / share), 1)
    return ratio_limits(n, n * share, level, rare=False)


def binomial_range(n: int, share: float, level: float) -> tuple[int, int]:
    """The numbers of n patients between which chance alone leaves at least `level`, both included.
    "With 100 patients and 3% the 95% range is 0 to 7" stands beside every funnel."""
    from scipy import stats

    tail = (1.0 - level) / 2.0
    return int(stats.binom.ppf(tail, n, share)), int(stats.binom.ppf(1.0 - tail, n, share))


def arcsine_limits(n: int, share: float, level: float, between: float = 0.0) -> Limits | None:
    """Limits of a proportion of n patients on the scale on which its spread does not depend on it.

    sin(asin(sqrt p) -+ z sqrt(1 / 4n + between))^2, as FunnelPlotR draws them; `between` is the
    additional variance of `arcsine_spread`. None without patients or when `share` is no share.
    """
    from scipy import special

    if n < 1 or not 0.0 <= share <= 1.0:
        return None
    width = float(special.ndtri(0.5 + level / 2.0)) * math.sqrt(1.0 / (4.0 * n) + between)
    middle = math.asin(math.sqrt(share))
    low, high = max(middle - width, 0.0), min(middle + width, math.pi / 2.0)
    return math.sin(low) ** 2, math.sin(high) ** 2


def arcsine_spread(observed: Floats, n: Floats) -> Spread:
    """How far proportions `observed` / `n` (k,) differ on that scale, beyond chance; the variance
    within a hospital is 1 / 4n. All hospitals together are the target."""
    share = float(observed.sum() / n.sum())
    apart = np.arcsin(np.sqrt(observed / n)) - math.asin(math.sqrt(share))
    variance = 1.0 / (4.0 * n)
    return spread_of(apart / np.sqrt(variance), variance)


def share_interval(observed: int, n: int, level: float = LEVEL95) -> Limits | None:
    """Exact interval of a share (C. Clopper and E. Pearson, Biometrika 26 (1934) 404-413)."""
    from scipy import special

    if n < 1:
        return None
    tail = (1.0 - level) / 2.0
    low = float(special.betaincinv(observed, n - observed + 1, tail)) if observed else 0.0
    missed = n - observed
    high = float(special.betaincinv(observed + 1, missed, 1.0 - tail)) if missed else 1.0
    return low, high


def widened_limits(within: float, between: float, level: float) -> Limits:
    """Limits of a ratio when hospitals differ beyond chance: 1 +- z sqrt(s^2 + tau^2), the
    additive model of Spiegelhalter (2005); the lower one is at least 0."""
    from scipy import special

    width = float(special.ndtri(0.5 + level / 2.0)) * float(np.sqrt(within + between))
    return max(0.0, 1.0 - width), 1.0 + width


def winsorised(z: Floats, share: float = WINSORISED) -> Floats:
    """`z` with the outer `share` at each end pulled in to the quantile there (linear, as R's)."""
    if z.size == 0:
        return z
    low, high = np.quantile(z, [share, 1.0 - share])
    return np.asarray(np.clip(z, low, high))


def dispersion(squares: float, hospitals: int) -> float | None:
    """phi: the mean of z squared over the hospitals; 1 is what chance gives. None without any."""
    return squares / hospitals if hospitals > 0 else None


def added_variance(phi: float, hospitals: int, weight: float, weight_squares: float) -> float:
    """tau squared, the variance between hospitals beyond chance, by the method of moments.

    max(0, (k phi - (k - 1)) / (sum w - sum w^2 / sum w)) for k hospitals with weights w, the
    inverse variances within; `weight` is sum w, `weight_squares` sum w^2. 0 for one hospital.
    """
    if hospitals < 2 or not weight > 0:
        return 0.0
    room = weight - weight_squares / weight
    excess = hospitals * phi - (hospitals - 1)
    return max(0.0, excess / room) if room > 0 else 0.0


def typical_variance(hospitals: int, weight: float, weight_squares: float) -> float | None:
    """Within-hospital variance of a typical hospital: (k - 1) sum w / ((sum w)^2 - sum w^2)."""
    room = weight**2 - weight_squares
    return (hospitals - 1) * weight / room if hospitals > 1 and room > 0 else None


def rankability(between: float, within: float | None) -> float | None:
    """Share of the differences between hospitals that is not chance: tau^2 / (tau^2 + s^2)."""
    if within is None or not between + within > 0:
        return None
    return between / (between + within)


Rank = Literal["low", "moderate", "high"]


def rank_word(value: float | None) -> Rank | None:
    """low below 50%, moderate to 75%, high above: only then may hospitals be ranked."""
    if value is None:
        return None
    return "low" if value < MODERATE else "moderate" if value <= HIGH else "high"


def may_rank(value: float | None) -> bool:
    """Whether an order of hospitals would say more than chance does."""
    return value is not None and value > HIGH


def rank_reason(value: float | None, lang: str) -> str | None:
    """Why no order of hospitals is shown, as a sentence in "nl" or else English; None where one
    may be."""
    if may_rank(value):
        return None
    if value is None:
        if lang == "nl":
            return (
                "Er is geen volgorde: uit deze gegevens blijkt niet hoeveel van de verschillen "
                "meer is dan toeval."
            )
        return (
            "There is no order: these data do not tell how much of the differences is more than "
            "chance."
        )
    share, least = math.floor(100 * value), round(100 * HIGH)
    if lang == "nl":
        return (
            f"Er is geen volgorde: {share}% van de verschillen is meer dan toeval, en daarvoor is "
            f"meer dan {least}% nodig. Een volgorde zou vooral toeval laten zien."
        )
    return (
        f"There is no order: {share}% of the differences is more than chance, and more than "
        f"{least}% is needed. An order would mostly show chance."
    )


@dataclass(frozen=True)
class Spread:
    """How far hospitals differ: phi, tau squared, rankability, and from how many hospitals."""

    hospitals: int
    phi: float | None
    tau2: float
    rankability: float | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, obj: Mapping[str, Any]) -> Spread:
        return cls(obj["hospitals"], obj["phi"], obj["tau2"], obj["rankability"])


def spread_of(z: Floats, variance: Floats) -> Spread:
    """From each hospital's z and within variance (k,): winsorised phi, median variance."""
    k = z.size
    phi = dispersion(float((winsorised(z) ** 2).sum()), k)
    if phi is None:
        return Spread(0, None, 0.0, None)
    weight = 1.0 / variance
    tau2 = added_variance(phi, k, float(weight.sum()), float((weight**2).sum()))
    return Spread(k, phi, tau2, rankability(tau2, float(np.median(variance))) if k > 1 else None)


def spread_of_sums(hospitals: int, squares: float, weight: float, weight_squares: float) -> Spread:
    """As `spread_of` from sums over the hospitals only: not winsorised, typical variance."""
    phi = dispersion(squares, hospitals)
    if phi is None:
        return Spread(0, None, 0.0, None)
    tau2 = added_variance(phi, hospitals, weight, weight_squares)
    within = typical_variance(hospitals, weight, weight_squares)
    return Spread(hospitals, phi, tau2, rankability(tau2, within))


def outside(ratio: float, limits95: Limits | None, limits998: Limits | None) -> int | None:
    """0 inside both limits, 95 outside the inner ones, 998 outside the outer ones too."""
    if limits95 is None or limits998 is None:
        return None
    if not limits998[0] <= ratio <= limits998[1]:
        return 998
    return 0 if limits95[0] <= ratio <= limits95[1] else 95
