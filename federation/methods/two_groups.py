"""Two groups and an outcome: the difference between their shares and the ratio, always both.

"40% fewer complications" may be 30 instead of 50 of a hundred, or 3 instead of 5. One number
without the other, or without how many patients there were, misleads; so nothing here gives one
alone. Sources: R. Newcombe, Interval estimation for the difference between independent proportions,
Statistics in Medicine 17 (1998) 873-890, method 10, for the difference; D. Katz and others,
Obtaining confidence intervals for the risk ratio in cohort studies, Biometrics 34 (1978) 469-474,
for the ratio.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_Z95 = 1.959963984540054

Interval = tuple[float, float]


@dataclass(frozen=True)
class TwoGroups:
    """`events` of `n` with something (exposed) and without it (other), and how they compare.

    The difference of shares is exposed less other, the ratio exposed over other; each with a 95%
    interval. The ratio and its interval are None where a group has no event: nothing then says
    how large it is.
    """

    events: int
    n: int
    other_events: int
    other_n: int
    difference: float
    difference_interval: Interval
    ratio: float | None
    ratio_interval: Interval | None

    @property
    def share(self) -> float:
        """Share with the outcome among the exposed."""
        return self.events / self.n

    @property
    def other_share(self) -> float:
        """Share with the outcome among the others."""
        return self.other_events / self.other_n

    @property
    def clear(self) -> bool:
        """Whether the difference is more than chance: its interval leaves out 0."""
        low, high = self.difference_interval
        return low > 0 or high < 0


def two_groups(events: int, n: int, other_events: int, other_n: int) -> TwoGroups | None:
    """Difference and ratio of `events` of `n` against `other_events` of `other_n`; None where a
    group has nobody. ValueError for numbers that cannot be."""
    if not (0 <= events <= n and 0 <= other_events <= other_n):
        raise ValueError("more events than patients")
    if not (n and other_n):
        return None
    share, other = events / n, other_events / other_n
    low, high = score_interval(events, n)
    other_low, other_high = score_interval(other_events, other_n)
    difference = share - other
    limits = (
        difference - math.hypot(share - low, other_high - other),
        difference + math.hypot(high - share, other - other_low),
    )
    ratio = ratio_interval = None
    if events and other_events:
        ratio = share / other
        width = _Z95 * math.sqrt(1 / events - 1 / n + 1 / other_events - 1 / other_n)
        ratio_interval = (ratio * math.exp(-width), ratio * math.exp(width))
    return TwoGroups(events, n, other_events, other_n, difference, limits, ratio, ratio_interval)


def score_interval(events: int, n: int) -> Interval:
    """Wilson's 95% interval of a share, which needs no correction at 0 and 1."""
    share, z2 = events / n, _Z95**2
    middle = share + z2 / (2 * n)
    half = _Z95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low, high = (middle - half) / (1 + z2 / n), (middle + half) / (1 + z2 / n)
    return (0.0 if events == 0 else low, 1.0 if events == n else high)


def words(found: TwoGroups, lang: str) -> str:
    """Both numbers in a sentence or three, in "nl" or else English, with patients and intervals."""
    say = _NL if lang == "nl" else _EN

    def written(value: float, digits: int = 1) -> str:
        text = f"{value:.{digits}f}".replace("-", "−")
        return text.replace(".", ",") if lang == "nl" else text

    low, high = (100 * limit for limit in found.difference_interval)
    said = [
        say["groups"].format(
            e=found.events,
            n=found.n,
            p=written(100 * found.share),
            oe=found.other_events,
            on=found.other_n,
            op=written(100 * found.other_share),
        ),
        say["difference"].format(
            d=written(100 * found.difference), low=written(low), high=written(high)
        ),
    ]
    if found.ratio is not None and found.ratio_interval is not None:
        apart = say["fewer" if found.ratio < 1 else "more"].format(
            r=written(100 * abs(1 - found.ratio))
        )
        low, high = found.ratio_interval
        numbers = {"r": written(found.ratio, 2), "low": written(low, 2), "high": written(high, 2)}
        said.append(say["ratio"].format(**numbers, apart=apart))
    if not found.clear:
        said.append(say["chance"])
    return " ".join(said)


_EN = {
    "groups": "With: {e} of {n} ({p}%). Without: {oe} of {on} ({op}%).",
    "difference": "The difference is {d} per 100 patients (95% interval {low} to {high}).",
    "ratio": "The share is {r} times that of the others (95% interval {low} to {high}): {apart}.",
    "fewer": "{r}% less",
    "more": "{r}% more",
    "chance": "This may well be chance.",
}
_NL = {
    "groups": "Met: {e} van {n} ({p}%). Zonder: {oe} van {on} ({op}%).",
    "difference": "Het verschil is {d} per 100 patiënten (95%-interval {low} tot {high}).",
    "ratio": "Het deel is {r} keer dat van de anderen (95%-interval {low} tot {high}): {apart}.",
    "fewer": "{r}% minder",
    "more": "{r}% meer",
    "chance": "Dit kan goed toeval zijn.",
}
