"""The search for the variance ratio: a state that travels in a step, with no choice left open.

A fixed public row of ratios first, all in one round; then the root of the derivative inside the
best interval by Chandrupatla's method (Advances in Engineering Software 28 (1997) 145-149), which
never leaves its interval. Hub and sites run the same lines on the same pooled sums.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

from federation.methods.mixed_profile import Profile
from federation.query.refusals import Refused

FIRST: Final = (0.0, 0.01, 0.1, 1.0, 10.0, 1e3, 1e8)
MOST_ROUNDS: Final = 40
TOLERANCE: Final = 1e-10  # on log(1 + m rho), m the mean size of a hospital
_LAST_BIT: Final = 1e-13


@dataclass(frozen=True)
class Search:
    """Where the search stands, on the scale u = log(1 + m rho).

    `mean_size` is m. `a` was tried last; the root lies between `a` and `b`; `c` is the point
    before, if any; each is (u, derivative in u). `next` is to be tried next.
    """

    mean_size: float
    a: tuple[float, float]
    b: tuple[float, float]
    c: tuple[float, float] | None
    next: float

    @property
    def ratio(self) -> float:
        """The ratio to be tried next."""
        return math.expm1(self.next) / self.mean_size

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, obj: Mapping[str, Any]) -> Search:
        c = obj["c"]
        return cls(
            obj["mean_size"],
            (obj["a"][0], obj["a"][1]),
            (obj["b"][0], obj["b"][1]),
            None if c is None else (c[0], c[1]),
            obj["next"],
        )

    def take(self, profile: Profile) -> Search | None:
        """Take the profile at `ratio`; None when it is the maximum."""
        here = _point(profile, self.mean_size, self.next)
        if (here[1] > 0) == (self.a[1] > 0):
            a, b, c = here, self.b, self.a
        else:
            a, b, c = here, self.a, self.b
        width = abs(b[0] - a[0])
        # How far a straight line from b puts the root away from a.
        away = abs(a[1] * width / (a[1] - b[1])) if a[1] != b[1] else 0.0
        if a[1] == 0.0 or away < TOLERANCE or width < TOLERANCE:
            return None
        return Search(self.mean_size, a, b, c, a[0] + _share(a, b, c) * (b[0] - a[0]))


def _share(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    """How far from a towards b to try: inverse quadratic where that is safe, else halfway."""
    xi = (a[0] - b[0]) / (c[0] - b[0])
    phi = (a[1] - b[1]) / (c[1] - b[1]) if c[1] != b[1] else math.inf
    safe = c[1] != a[1] and phi**2 < xi and (1.0 - phi) ** 2 < 1.0 - xi
    if safe:
        share = a[1] / (b[1] - a[1]) * c[1] / (b[1] - c[1]) + (c[0] - a[0]) / (b[0] - a[0]) * a[
            1
        ] / (c[1] - a[1]) * b[1] / (c[1] - b[1])
    else:
        share = 0.5
    least = min(0.5, (TOLERANCE / 4 + _LAST_BIT * abs(a[0])) / abs(b[0] - a[0]))
    return min(max(share, least), 1.0 - least)


def _point(profile: Profile, mean_size: float, u: float) -> tuple[float, float]:
    """(u, derivative of the log likelihood in u)."""
    return u, profile.slope * math.exp(u) / mean_size


def begin(tried: Sequence[Profile], mean_size: float) -> Search | None:
    """The search after the first row; None when the maximum lies at ratio 0.

    Refused MODEL_UNSTABLE when the likelihood still rises at the largest ratio: within hospitals
    nothing varies.
    """
    if tried[-1].slope > 0:
        raise Refused("MODEL_UNSTABLE")
    rising = [(low, high) for low, high in pairwise(tried) if low.slope > 0 >= high.slope]
    if not rising:
        return None
    low, high = max(rising, key=lambda pair: max(pair[0].loglik, pair[1].loglik))
    a, b = (_point(p, mean_size, math.log1p(mean_size * p.ratio)) for p in (low, high))
    return Search(mean_size, a, b, None, (a[0] + b[0]) / 2.0)
