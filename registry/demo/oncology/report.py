"""The finished rounds in the demo's report: what they found, its numbers beside the pooled ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from federation.rounds.snapshot import IndicatorFinding, Row
from registry.demo.comparing import Line, compare, largest_difference
from registry.demo.network import DemoNetwork
from registry.demo.oncology import pooled
from registry.demo.oncology.hospitals import QUARTER_OF_TROUBLE, TROUBLE, YEAR
from registry.demo.oncology.outcomes import SHARES, care_rows, shares_of
from registry.demo.oncology.rounds import Finished
from registry.demo.oncology.second_study import Second

TOLERANCE = 1e-5  # a share is released with six digits
NORMS = (7, 21, 28)


@dataclass(frozen=True)
class RoundReport:
    """The finished rounds and how far their numbers are from the pooled ones.

    lines, outcomes: the numbers of access time and of the year's outcomes. ratio: the rule's, by
    hand, of the hospital that lagged behind.
    """

    finished: Finished
    lines: list[Line]
    outcomes: list[Line]
    ratio: float | None
    names: dict[str, str]

    @classmethod
    def make(cls, finished: Finished, network: DemoNetwork) -> "RoundReport":
        """Lay every number that the rounds show beside pandas on all rows."""
        second = network.whole_second()
        lines, ratio = compare_access(finished.finding.rows, second)
        return cls(
            finished,
            lines,
            compare_outcomes(finished.year.indicators, second),
            ratio,
            {each.site: each.name for each in finished.snapshot.hospitals},
        )

    @property
    def compared(self) -> list[Line]:
        """Every number of both rounds."""
        return [*self.lines, *self.outcomes]

    @property
    def difference(self) -> float:
        """The largest one; nought where nothing may be shown, which `shown` tells apart."""
        return largest_difference(self.compared) if self.compared else 0.0

    @property
    def lagging(self) -> Row:
        """The row of the hospital whose patients waited."""
        return next(row for row in self.finished.finding.rows if row.site == TROUBLE.hospital)

    @property
    def holds(self) -> bool:
        """Every number that is shown agrees, the rule says of the one hospital what it is, of no
        other that it stands out, and the action was measured. What few patients hide is no fault.
        """
        said = self.lagging.signal
        return (
            self.difference <= TOLERANCE
            and (said is None or said is (self.ratio is not None and self.ratio >= 2))
            and set(self.finished.signals) <= {TROUBLE.hospital}
            and self.finished.action["state"] == "closed"
        )

    def to_dict(self) -> dict[str, Any]:
        """The rounds as JSON for `demo --json`."""
        made = self.finished
        return {
            "id": made.id,
            "address": made.address,
            "headline": dict(made.finding.headline),
            "signals": made.signals,
            "median": _ends(self.lagging.median),
            "others": _ends((self.lagging.rule or {}).get("others")),
            "pooled_ratio": None if self.ratio is None else round(self.ratio, 3),
            "indicators": {each.id: each.code or each.status for each in made.snapshot.indicators},
            "year": {
                "id": made.year.round.id,
                "headlines": {each.id: dict(each.headline) for each in made.year.indicators},
                "indicators": {each.id: each.code or each.status for each in made.year.indicators},
                "compared": len(self.outcomes),
            },
            "action": made.action,
            "next": made.following,
            "compared": len(self.lines),
            "max_abs_diff": self.difference if self.compared else None,
            "seconds": round(made.seconds, 2),
            "holds": self.holds,
        }


def compare_access(rows: tuple[Row, ...], second: Second) -> tuple[list[Line], float | None]:
    """Every number shown of access time beside the pooled one, and the rule's ratio by hand."""
    table = pooled.tumour_rows(second)
    days = pooled.access_days(table, *QUARTER_OF_TROUBLE)
    ours, theirs = [], []
    for row in rows:
        own = days[days["site"] == row.site]["days"].dropna()
        shown = {each["days"]: each["share"] for each in row.within}
        ours.append(
            {
                "n": row.n,
                "median": row.median and [float(day or 0) for day in row.median],
                "within": {str(norm): shown.get(norm) for norm in NORMS},
            }
        )
        theirs.append(
            {
                "n": len(own),
                "median": float(own.sort_values().iloc[(len(own) - 1) // 2]) if len(own) else 0.0,
                "within": {
                    str(norm): float(f"{(own <= norm).mean():.6g}") if len(own) else 0.0
                    for norm in NORMS
                },
            }
        )
    there = {row.site for row in rows if row.n is not None}
    shown_any = any(row.n is not None for row in rows)
    lines = compare({"rows": ours}, {"rows": theirs}) if shown_any else []
    return lines, pooled.ratio_of_medians(days, TROUBLE.hospital, sorted(there))


def compare_outcomes(found: tuple[IndicatorFinding, ...], second: Second) -> list[Line]:
    """Every number of patients and share that the year shows, beside pandas on all rows."""
    table, lines = care_rows(second), []
    for indicator in found:
        counted = shares_of(table, SHARES[indicator.id], *YEAR)
        ours = {row.site: _counted(row) for row in indicator.rows}
        shown = {site: each for site, each in ours.items() if each is not None}
        if shown:
            theirs = {site: counted[site] for site in shown}
            lines += compare({indicator.id: shown}, {indicator.id: theirs})
    return lines


def _counted(row: Row) -> Mapping[str, Any] | None:
    if row.n is None:
        return None
    return {"n": row.n, "observed": row.observed, "value": row.value}


def _ends(interval: Any) -> list[float] | None:
    return None if not interval or interval[0] is None else [float(each) for each in interval]
