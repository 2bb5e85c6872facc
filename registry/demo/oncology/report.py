"""The finished round in the demo's report: its headline, its numbers beside the pooled ones."""

from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from federation.rounds.snapshot import Row
from registry.demo.comparing import Line, compare, largest_difference
from registry.demo.network import DemoNetwork
from registry.demo.oncology import pooled
from registry.demo.oncology.hospitals import QUARTER_OF_TROUBLE, TROUBLE
from registry.demo.oncology.rounds import Finished
from registry.demo.oncology.second_study import Second

TOLERANCE = 1e-5  # a share is released with six digits
NORMS = (7, 21, 28)


@dataclass(frozen=True)
class RoundReport:
    """A finished round and how far its numbers are from the pooled ones."""

    finished: Finished
    lines: list[Line]
    ratio: float
    names: dict[str, str]

    @classmethod
    def make(cls, finished: Finished, network: DemoNetwork) -> "RoundReport":
        """Lay every number that the round shows of access time beside pandas on all rows."""
        second = network.whole_second()
        lines, ratio = compare_access(finished.finding.rows, second)
        return cls(
            finished, lines, ratio, {each.site: each.name for each in finished.snapshot.hospitals}
        )

    @property
    def difference(self) -> float:
        return largest_difference(self.lines) if self.lines else float("inf")

    @property
    def holds(self) -> bool:
        """The numbers agree, the rule found the one hospital, and the action was measured."""
        return (
            self.difference <= TOLERANCE
            and self.ratio >= 2
            and self.finished.signals == [TROUBLE.hospital]
            and self.finished.action["state"] == "closed"
        )

    def to_dict(self) -> dict[str, Any]:
        """The round as JSON for `demo --json`."""
        made = self.finished
        return {
            "id": made.id,
            "address": made.address,
            "headline": dict(made.finding.headline),
            "signals": made.signals,
            "pooled_ratio": round(self.ratio, 3),
            "indicators": {each.id: each.code or each.status for each in made.snapshot.indicators},
            "action": made.action,
            "next": made.following,
            "compared": len(self.lines),
            "max_abs_diff": self.difference if self.lines else None,
            "seconds": round(made.seconds, 2),
            "holds": self.holds,
        }

    def show(self, out: Console) -> None:
        """Print the round for people."""
        made = self.finished
        out.rule("An evaluation round", align="left")
        out.print(str(made.snapshot.round.title["en"]), markup=False)
        out.print(f"[bold]{made.finding.headline['en']}[/bold]")
        table = Table(title="Access time per hospital", title_justify="left")
        for head in (
            "Hospital",
            "Patients",
            "Median, days",
            "Within 21 days",
            "Twice the others'?",
        ):
            table.add_column(head, justify="left" if head == "Hospital" else "right")
        for row in made.finding.rows:
            table.add_row(self.names[row.site], *_cells(row))
        out.print(table)
        before, after = made.action["before"], made.action["after"]
        out.print(
            f"{len(self.lines)} numbers compared with pandas on the pooled rows: largest "
            f"difference {self.difference:.1e}. Median of {self.names[TROUBLE.hospital]} over that "
            f"of all others pooled: {self.ratio:.2f}.\n"
            f"Action at {self.names[made.action['site']]}, measured again by itself: before "
            f"{_days(before['median'])}, signal {_yes(before['signal'])}; after "
            f"{_days(after['median'])}, signal {_yes(after['signal'])}. "
            f"{made.seconds:.1f} s. The page: {made.address}\n"
        )


def compare_access(rows: tuple[Row, ...], second: Second) -> tuple[list[Line], float]:
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


def _cells(row: Row) -> list[str]:
    if row.n is None:
        return ["not shown", "", "", ""]
    share = next((each["share"] for each in row.within if each["days"] == 21), None)
    return [
        str(row.n),
        _days(row.median),
        "hidden" if share is None else f"{share:.0%}",
        _yes(row.signal),
    ]


def _days(median: Any) -> str:
    if not median or median[0] is None:
        return "hidden"
    low, high = median
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _yes(value: bool | None) -> str:
    return "not known" if value is None else "yes" if value else "no"
