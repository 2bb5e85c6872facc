"""Released rounds of a small hospital taken together, so that it is compared and never left out.

Only numbers that were shown are added, so no question is asked and nothing hidden follows: a round
in which the hospital's number is hidden ends the row of rounds. For the reader's own hospital, or
where every one of the rounds has names: letters are drawn anew for each round, and numbers of two
rounds together, less those of one, would tell which letter was whose before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from federation.methods.funnel import (
    LEVEL95,
    LEVEL998,
    RARE,
    Limits,
    outside,
    ratio_limits,
    share_interval,
)
from federation.rounds.snapshot import IndicatorFinding, Row, Snapshot

LEAST: Final = 50
"""Patients from which on a hospital's rounds stand by themselves."""


@dataclass(frozen=True)
class Together:
    """A hospital's share over several rounds, months `first` to `last` included.

    `expected`, `ratio` and the limits are None where one of the rounds shows no expected number.
    `enough`: whether there are LEAST patients; with fewer it is all there is.
    """

    first: str
    last: str
    rounds: int
    n: int
    observed: int
    share: float
    low: float
    high: float
    expected: float | None
    ratio: float | None
    limits95: Limits | None
    limits998: Limits | None
    outside: int | None
    enough: bool


def may_join(snapshots: Iterable[Snapshot], site: str, own: Iterable[str]) -> bool:
    """Whether a reader of the hospitals `own` may see these rounds of `site` together."""
    return site in set(own) or all(each.round.names for each in snapshots)


def together(snapshots: Sequence[Snapshot], indicator: str, site: str) -> Together | None:
    """The last rounds of one hospital, the newest first in `snapshots`, back until there are LEAST
    patients. None for an indicator that is no share, and where the newest round stands by itself:
    it has enough patients, its number is hidden, or nothing before it can be added."""
    joined: list[tuple[Snapshot, Row]] = []
    for each in snapshots:
        finding = _finding(each, indicator)
        row = _row(finding, site)
        if finding is None or row is None or row.n is None or row.observed is None:
            break
        if joined and not _follows(each, joined[-1][0], indicator):
            break
        joined.append((each, row))
        if sum(part.n or 0 for _, part in joined) >= LEAST:
            break
    if len(joined) < 2:
        return None
    return _made(joined, case_mix=_has_case_mix(joined[0][0], indicator))


def _made(joined: Sequence[tuple[Snapshot, Row]], *, case_mix: bool) -> Together:
    rows = [row for _, row in joined]
    n, observed = (
        sum(part or 0 for part in parts) for parts in zip(*map(_counts, rows), strict=True)
    )
    low, high = share_interval(observed, n) or (0.0, 1.0)
    each = [row.expected for row in rows]
    expected = None if None in each else sum(part or 0.0 for part in each)
    ratio = observed / expected if expected else None
    pairs = [_limits(n, expected, level, case_mix=case_mix) for level in (LEVEL95, LEVEL998)]
    return Together(
        first=joined[-1][0].round.period["first"],
        last=joined[0][0].round.period["last"],
        rounds=len(joined),
        n=n,
        observed=observed,
        share=observed / n,
        low=low,
        high=high,
        expected=expected,
        ratio=ratio,
        limits95=pairs[0],
        limits998=pairs[1],
        outside=None if ratio is None else outside(ratio, pairs[0], pairs[1]),
        enough=n >= LEAST,
    )


def _counts(row: Row) -> tuple[int | None, int | None]:
    return row.n, row.observed


def _limits(n: int, expected: float | None, level: float, *, case_mix: bool) -> Limits | None:
    """As a single round has them: Poisson with case mix where few have it, else binomial."""
    if not expected:
        return None
    return ratio_limits(n, expected, level, rare=case_mix and expected / n <= RARE)


def _finding(snapshot: Snapshot, indicator: str) -> IndicatorFinding | None:
    """The indicator where it is a share that was shown."""
    for each in snapshot.indicators:
        if each.id == indicator and each.status == "shown":
            return each if each.definition.get("measure") == "share" else None
    return None


def _row(finding: IndicatorFinding | None, site: str) -> Row | None:
    rows = () if finding is None else finding.rows
    return next((row for row in rows if row.site == site), None)


def _has_case_mix(snapshot: Snapshot, indicator: str) -> bool:
    finding = _finding(snapshot, indicator)
    return finding is not None and finding.definition.get("case_mix") is not None


def _follows(earlier: Snapshot, later: Snapshot, indicator: str) -> bool:
    """Whether one round ends where the next begins, and both count by the same definition."""
    before, after = _finding(earlier, indicator), _finding(later, indicator)
    same = before is not None and after is not None and before.version == after.version
    return same and _month(earlier.round.period["last"]) + 1 == _month(later.round.period["first"])


def _month(text: str) -> int:
    year, _, month = text.partition("-")
    return 12 * int(year) + int(month) - 1


def words(found: Together, lang: str) -> str:
    """What it says, in "nl" or else English."""

    def percent(share: float) -> str:
        text = f"{100 * share:.1f}%"
        return text.replace(".", ",") if lang == "nl" else text

    low, high = percent(found.low), percent(found.high)
    counted = (percent(found.share), found.observed, found.n, low, high)
    if lang == "nl":
        said = (
            "Dit ziekenhuis heeft weinig patiënten per ronde. Van {first} tot en met {last}, "
            "{rounds} rondes samen: {counted[0]} ({counted[1]} van {counted[2]}, 95%-interval "
            "{counted[3]} tot {counted[4]})."
        )
        few = " Ook samen zijn het er weinig: het toeval weegt zwaar."
    else:
        said = (
            "This hospital has few patients in a round. From {first} to {last}, {rounds} rounds "
            "together: {counted[0]} ({counted[1]} of {counted[2]}, 95% interval {counted[3]} to "
            "{counted[4]})."
        )
        few = " Together they are still few: chance weighs heavily."
    text = said.format(first=found.first, last=found.last, rounds=found.rounds, counted=counted)
    return text if found.enough else text + few
