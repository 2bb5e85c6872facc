"""When recruitment will be complete: a gamma-Poisson model over the hospitals. Pure.

Model of Anisimov and Fedorov (Statistics in Medicine 2007;26:4958-4975): hospital i recruits as a
Poisson process with its own rate, and the rates are a sample of one gamma distribution with shape
alpha and rate beta. A hospital that recruited n_i in t_i open months then has rate

    lambda_i | n_i, t_i  ~  Gamma(alpha + n_i, beta + t_i),   mean (alpha + n_i) / (beta + t_i),

and one that is still to open Gamma(alpha, beta). The time until the target is the time at which the
summed process has had `remaining` arrivals. Alpha and beta are estimated from all hospitals by the
marginal (negative binomial) likelihood. With few hospitals that estimate is itself uncertain, and
an interval that ignores it is too short; so the likelihood over a grid of (alpha, mean rate) is
carried along: each draw takes its own alpha and beta. The draws are seeded: the same figures always
give the same forecast.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

DRAWS: Final = 4_000
LOW, HIGH = 0.1, 0.9
"""The ends of the 80% interval."""
LONGEST: Final = 1_200.0
"""Months: beyond a hundred years no date is given."""
_DAYS: Final = 30.4375
_SHAPES: Final = np.exp(np.linspace(np.log(0.3), np.log(60.0), 32))
_MEANS: Final = 48
_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Recruiting:
    """One hospital: `n` recruited in `months` open; `opens_in` months from now, 0 when it is open.

    `opens_in` None: it will not recruit any more, but tells about the rates.
    """

    n: int
    months: float
    opens_in: float | None = 0.0


@dataclass(frozen=True)
class Forecast:
    """When the target is reached. Dates are None beyond a hundred years.

    median, low, high: of the distribution of the last day; between `low` and `high` lies 80%.
    chance: that it is reached by the planned last day, None without one. alpha, beta: the most
    likely ones, beta in months. rates: per hospital as given, expected participants per month.
    fan: for days ahead the number of participants expected, with 80% between low and high.
    """

    remaining: int
    median: date | None
    low: date | None
    high: date | None
    chance: float | None
    alpha: float
    beta: float
    rates: tuple[float, ...]
    fan: tuple[tuple[date, int, int, int], ...]
    draws: int


def forecast(
    sites: Sequence[Recruiting],
    *,
    recruited: int,
    target: int,
    today: date,
    seed: int,
    planned_end: date | None = None,
    draws: int = DRAWS,
) -> Forecast | None:
    """The forecast; None when the target is reached, or nobody recruits or ever recruited."""
    remaining = target - recruited
    seen = [site for site in sites if site.months > 0]
    going = [site for site in sites if site.opens_in is not None]
    if remaining <= 0 or not going or not seen or not any(site.n for site in seen):
        return None
    model = _Model.of(seen)
    random = np.random.default_rng(seed)
    alphas, betas = model.draw(random, draws)
    numbers = np.array([site.n for site in going], dtype=float)
    months = np.array([site.months for site in going])
    opens = np.array([site.opens_in for site in going], dtype=float)
    rates = random.gamma(alphas[:, None] + numbers) / (betas[:, None] + months)
    ends = _time_of(random.gamma(float(remaining), size=draws), rates, opens)
    low, median, high = (float(each) for each in np.quantile(ends, (LOW, 0.5, HIGH)))
    chance = None
    if planned_end is not None:
        chance = float(np.mean(ends <= (planned_end - today).days / _DAYS))
    return Forecast(
        remaining=remaining,
        median=_day(today, median),
        low=_day(today, low),
        high=_day(today, high),
        chance=chance,
        alpha=model.alpha,
        beta=model.beta,
        rates=tuple(model.rate(site) for site in sites),
        fan=_fan(random, rates, opens, recruited, today, min(high, 120.0)),
        draws=draws,
    )


@dataclass(frozen=True)
class _Model:
    """The likelihood over the grid: each point a pair (alpha, beta) with its weight."""

    alphas: _Floats
    betas: _Floats
    weights: _Floats

    @classmethod
    def of(cls, sites: Sequence[Recruiting]) -> "_Model":
        """Flat over log(alpha) between 0.3 and 60 and over log(mean rate) around the pooled one.

        Alpha 60 is rates that differ by 13%, alpha 0.3 by 180%.
        """
        numbers = np.array([site.n for site in sites])
        months = np.array([site.months for site in sites])
        pooled = numbers.sum() / months.sum()
        spread = min(3.0, 0.3 + 3.0 / np.sqrt(numbers.sum()) + 3.0 / np.sqrt(len(sites)))
        means = pooled * np.exp(np.linspace(-spread, spread, _MEANS))
        alphas, rates = (each.ravel() for each in np.meshgrid(_SHAPES, means, indexing="ij"))
        betas = alphas / rates
        likely = _rising(alphas, numbers)
        for n, t in zip(numbers, months, strict=True):
            likely += alphas * np.log(betas) - (alphas + n) * np.log(betas + t)
        weights = np.exp(likely - likely.max())
        return cls(alphas, betas, weights / weights.sum())

    @property
    def alpha(self) -> float:
        return float(self.alphas[self.weights.argmax()])

    @property
    def beta(self) -> float:
        return float(self.betas[self.weights.argmax()])

    def draw(self, random: np.random.Generator, draws: int) -> tuple[_Floats, _Floats]:
        chosen = random.choice(len(self.weights), size=draws, p=self.weights)
        return self.alphas[chosen], self.betas[chosen]

    def rate(self, site: Recruiting) -> float:
        """The expected rate of a hospital, (alpha + n) / (beta + t) over the grid."""
        each = (self.alphas + site.n) / (self.betas + site.months)
        return float(np.sum(self.weights * each))


def _rising(alphas: _Floats, numbers: NDArray[np.int_]) -> _Floats:
    """Sum over n of log Gamma(alpha + n) - log Gamma(alpha), which is a sum of logarithms."""
    most = int(numbers.max())
    shapes, place = np.unique(alphas, return_inverse=True)
    steps = np.log(shapes[:, None] + np.arange(most))
    upto = np.concatenate((np.zeros((len(shapes), 1)), np.cumsum(steps, axis=1)), axis=1)
    return np.asarray(upto[:, numbers].sum(axis=1)[place], dtype=float)


def _time_of(events: _Floats, rates: _Floats, opens: _Floats) -> _Floats:
    """Per draw when the summed process has used up `events` of intensity; hospitals open later.

    Between two openings the intensity grows evenly, so the time follows from the last opening
    before it.
    """
    order = np.argsort(opens)
    starts, steps = opens[order], rates[:, order]
    summed = np.cumsum(steps, axis=1)
    used = np.zeros(len(events))
    ends = np.full(len(events), np.nan)
    for number, start in enumerate(starts):
        rate = summed[:, number]
        until = starts[number + 1] if number + 1 < len(starts) else np.inf
        with np.errstate(divide="ignore"):
            there = start + (events - used) / rate
        reached = np.isnan(ends) & (there <= until)
        ends[reached] = there[reached]
        if np.isfinite(until):
            used = used + rate * (until - start)
    ends = np.nan_to_num(ends, nan=LONGEST * 2)
    return np.asarray(np.minimum(ends, LONGEST * 2), dtype=float)


def _fan(
    random: np.random.Generator,
    rates: _Floats,
    opens: _Floats,
    recruited: int,
    today: date,
    months: float,
) -> tuple[tuple[date, int, int, int], ...]:
    found = []
    for month in np.linspace(0.0, max(months, 1.0), 13)[1:]:
        expected = (rates * np.maximum(month - opens, 0.0)).sum(axis=1)
        counts = recruited + random.poisson(np.minimum(expected, 1e9))
        low, median, high = (
            int(each) for each in np.quantile(counts, (LOW, 0.5, HIGH), method="nearest")
        )
        found.append((today + timedelta(days=round(month * _DAYS)), low, median, high))
    return tuple(found)


def _day(today: date, months: float) -> date | None:
    if months >= LONGEST:
        return None
    return today + timedelta(days=int(np.ceil(months * _DAYS)))
