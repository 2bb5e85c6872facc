"""`oncokring site prom …`: questionnaires that patients fill in for their own hospital."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import click

from federation.site.cli_consent import at_desk
from federation.site.cli_words import or_stop, print_json

_FOLDER = click.Path(path_type=Path)
_DIRECTORY = click.argument("directory", type=_FOLDER)
_BY = click.option("--by", required=True, help="Name of the person who does this.")
_NUMBER = click.option("--number", prompt="Patient number", help="Asked for without it.")
_DAY = click.DateTime(["%Y-%m-%d"])


@click.group()
def prom() -> None:
    """Questionnaires that patients fill in on their own page, for this hospital only."""


@prom.command("ask")
@_DIRECTORY
@_NUMBER
@click.option("--pathway", default="standard", show_default=True, help="As in prom.yaml.")
@click.option("--start", type=_DAY, required=True, help="Day of T0: first treatment, as a rule.")
@click.option("--instrument", "instruments", multiple=True, help="Only this one of the pathway.")
@click.option("--any-number", is_flag=True, help="Also when the number is not in the data.")
@_BY
def ask(
    directory: Path,
    number: str,
    pathway: str,
    start: datetime,
    instruments: tuple[str, ...],
    any_number: bool,
    by: str,
) -> None:
    """Ask a patient the questionnaires of a pathway, each in its own weeks. The hub is told with
    the next consent list; the patient sees it on the page that the letter opens."""
    from federation.site.prom.asking import Asking, planned

    wanted = or_stop(lambda: planned(directory, pathway, start.date(), instruments))
    with at_desk(directory, by) as desk:
        handle = desk.handle(number, any_number=any_number)
        with desk.act():
            asking = Asking(desk.database, desk.outbox, by)
            asking.ask(handle, number.strip(), wanted, datetime.now(UTC))
    print_json(
        [
            {
                "instrument": each.instrument,
                "timepoint": each.timepoint,
                "opens": str(each.opens),
                "closes": str(each.closes),
            }
            for each in wanted
        ]
    )


@prom.command("end")
@_DIRECTORY
@_NUMBER
@click.option("--forget", is_flag=True, help="Also destroy the answers that were kept here.")
@click.option("--any-number", is_flag=True, help="Also when the number is not in the data.")
@_BY
def end(directory: Path, number: str, forget: bool, any_number: bool, by: str) -> None:
    """Ask a patient nothing more."""
    from federation.site.prom.asking import Asking

    with at_desk(directory, by) as desk:
        handle = desk.handle(number, any_number=any_number)
        with desk.act():
            asking = Asking(desk.database, desk.outbox, by)
            count = asking.end(handle, datetime.now(UTC), forget=forget)
    print_json({"ended": count, "forgotten": forget})


@prom.command("list")
@_DIRECTORY
@click.option("--numbers", "with_numbers", is_flag=True, help="Line by line, with local numbers.")
def prom_list(directory: Path, with_numbers: bool) -> None:
    """Count what is due, received, late and missed per time point. It stays on this machine."""
    from federation.site.prom.asking import lines

    with at_desk(directory, "site") as desk:
        found = lines(desk.database, datetime.now(UTC).date())
    if with_numbers:
        print_json([each.to_dict(with_number=True) for each in found])
        return
    told = [each.to_dict(with_number=False) for each in found]
    counts = Counter((each["instrument"], each["timepoint"], each["state"]) for each in told)
    print_json(
        [
            {"instrument": instrument, "timepoint": point, "state": state, "patients": n}
            for (instrument, point, state), n in sorted(counts.items())
        ]
    )


@prom.command("export")
@_DIRECTORY
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_BY
def export(directory: Path, file: Path, by: str) -> None:
    """Write answers and scores to FILE (CSV) for the hospital's own systems. FILE holds data of
    patients: keep it where those belong."""
    from federation.site.prom.asking import note_export, received

    with at_desk(directory, by) as desk:
        rows = received(desk.database)
        with desk.act():
            note_export(desk.database, by, datetime.now(UTC))
    names = list(dict.fromkeys(name for row in rows for name in row))
    file.touch(0o600)
    file.chmod(0o600)
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, names or ["number"], restval="")
        writer.writeheader()
        writer.writerows(rows)
    print_json({"questionnaires": len(rows)})


COMMANDS = (prom,)
