"""The finished rounds of the demo, printed for people."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from federation.rounds.snapshot import IndicatorFinding, Row, reason
from registry.demo.oncology.hospitals import TROUBLE
from registry.demo.oncology.report import RoundReport


def print_rounds(out: Console, report: RoundReport) -> None:
    """The year's outcomes, then the quarter with what the group did about it."""
    made = report.finished
    out.rule("An evaluation round of a year's outcomes", align="left")
    out.print(str(made.year.round.title["en"]), markup=False)
    for indicator in made.year.indicators:
        _print_share(out, indicator, report.names)
    out.rule("An evaluation round of a quarter", align="left")
    out.print(str(made.snapshot.round.title["en"]), markup=False)
    out.print(f"[bold]{made.finding.headline['en']}[/bold]")
    out.print(_access(report))
    before, after = made.action["before"], made.action["after"]
    out.print(
        f"{_compared(report)}{_ratio(report)}\n"
        f"Action at {report.names[made.action['site']]}, measured again by itself: before "
        f"{_measured(before)}; after {_measured(after)}. {made.seconds:.1f} s for both rounds. "
        f"The page: {made.address}\n"
    )


def _print_share(out: Console, indicator: IndicatorFinding, names: Mapping[str, str]) -> None:
    title = str(indicator.definition["text"]["en"])
    out.print(f"[bold]{title}.[/bold] {indicator.headline['en']}")
    if all(row.n is None for row in indicator.rows):
        whys = {row.hidden or indicator.code for row in indicator.rows}
        for why in sorted(each for each in whys if each):
            out.print(f"  {reason(why, 'en')}")
        return
    table = Table()
    heads = ("Hospital", "Patients", "With the outcome", "Share", "Expected", "Limits")
    for head in heads:
        table.add_column(head, justify="left" if head == "Hospital" else "right")
    for row in indicator.rows:
        table.add_row(names[row.site], *_shares(row))
    out.print(table)


def _shares(row: Row) -> list[str]:
    if row.n is None:
        return ["not shown", "", "", "", ""]
    return [
        str(row.n),
        "hidden" if row.observed is None else str(row.observed),
        "hidden" if row.value is None else f"{row.value:.1%}",
        "" if row.expected is None else f"{row.expected:.1f}",
        {None: "", 0: "inside", 95: "outside 95%", 998: "outside 99.8%"}[row.outside],
    ]


def _access(report: RoundReport) -> Table:
    table = Table(title="Access time per hospital", title_justify="left")
    heads = ("Hospital", "Patients", "Median, days", "All others", "Within 21 days", "Twice?")
    for head in heads:
        table.add_column(head, justify="left" if head == "Hospital" else "right")
    for row in report.finished.finding.rows:
        table.add_row(report.names[row.site], *_days_of(row))
    return table


def _days_of(row: Row) -> list[str]:
    if row.n is None:
        return ["not shown", "", "", "", ""]
    share = next((each["share"] for each in row.within if each["days"] == 21), None)
    return [
        str(row.n),
        _days(row.median),
        _days((row.rule or {}).get("others")),
        "hidden" if share is None else f"{share:.0%}",
        _yes(row.signal),
    ]


def _compared(report: RoundReport) -> str:
    if not report.compared:
        return "With so few patients no number may be shown, so there is nothing to compare."
    return (
        f"{len(report.compared)} numbers compared with pandas on the pooled rows: largest "
        f"difference {report.difference:.1e}."
    )


def _ratio(report: RoundReport) -> str:
    if report.ratio is None:
        return ""
    name = report.names[TROUBLE.hospital]
    return f" Median of {name} over that of all others pooled, by pandas: {report.ratio:.2f}."


def _measured(numbers: Mapping[str, Any]) -> str:
    if numbers["n"] is None:
        return "too few patients to show"
    return f"{_days(numbers['median'])}, twice the others: {_yes(numbers['signal'])}"


def _days(median: Any) -> str:
    if not median or median[0] is None:
        return "hidden"
    low, high = median
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _yes(value: bool | None) -> str:
    return "not known" if value is None else "yes" if value else "no"
