"""``oncokring grid``: where the hospitals stand in their studies, and taking over a spreadsheet."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from sqlalchemy import select

from registry.commands.opening import now, open_hub_database, operator
from registry.transaction import reading, unit_of_work
from studies.days import local_day
from studies.errors import StudiesError
from studies.exchange import importing
from studies.exchange.exporting import Sheet, to_csv
from studies.exchange.reading_csv import FileError, read_file
from studies.hospitals.pathway import BY_CODE
from studies.hospitals.steps import taken
from studies.models import Participation
from studies.reading import get_study
from studies.register import grid as grids
from studies.register.grid_wish import Wish
from studies.states import PARTICIPATION_STATES

_MOST = 1_000


@click.group()
def grid() -> None:
    """Where the hospitals stand in their studies, and taking over a spreadsheet."""


@grid.command()
@click.option("--state", type=click.Choice(PARTICIPATION_STATES), help="Only parts in this state.")
@click.option("--hospital", default="", help="Only this hospital, by its short name.")
@click.option("--words", default="", help="Only studies with these words in the title.")
@click.option("--sort", type=click.Choice(grids.LINE_SORTS), default="days", show_default=True)
def show(state: str | None, hospital: str, words: str, sort: str) -> None:
    """List the hospitals' parts: state, days in it, what comes next and whose turn it is."""
    wish = Wish(state=state or "", hospital=hospital, words=words, sort=sort)
    with reading(open_hub_database()) as session:
        found = grids.lines(session, wish, now(), language="en", per_page=_MOST)
        for line in found.lines:
            cell = line.cell
            following = "-" if cell.next is None else f"{cell.next.code} ({cell.next.owner})"
            late = "late" if cell.late else ""
            click.echo(
                f"{line.study}\t{cell.institution}\t{cell.state}\t{cell.days}\t{following}\t{late}"
            )
    if found.total > len(found.lines):
        click.echo(f"{found.total - len(found.lines)} more; narrow the choice.", err=True)


@grid.command()
@click.argument("study")
def steps(study: str) -> None:
    """Print every step of the hospitals in STUDY as CSV; `take-over` reads such a file."""
    with reading(open_hub_database()) as session:
        try:
            get_study(session, study)
        except StudiesError as error:
            raise click.ClickException(error.message) from error
        parts = session.scalars(
            select(Participation)
            .where(Participation.study == study)
            .order_by(Participation.institution)
        )
        rows = tuple(
            (
                study,
                part.institution,
                BY_CODE[step.state].code,
                local_day(step.at),
                part.contact,
            )
            for part in parts
            for step in taken(part.steps)
        )
    sheet = Sheet("steps", ("study", "hospital", "state", "date", "contact"), rows)
    sys.stdout.buffer.write(to_csv(sheet))
    sys.stdout.flush()


@grid.command("take-over")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--write", "writes", is_flag=True, help="Write it; without this it is only judged.")
def take_over(file: Path, writes: bool) -> None:
    """Judge the CSV in FILE line by line; with --write take over what is right in it."""
    try:
        rows = read_file(file.read_bytes()).rows
    except FileError as error:
        where = f" in line {error.line}" if error.line else ""
        raise click.ClickException(f"{error.code}{where}: {error.value or file.name}") from error
    moment = now()
    with unit_of_work(open_hub_database(), operator()) as session:
        found = importing.plan(session, rows, moment)
        for problem in found.problems:
            click.echo(f"line {problem.line}: {problem.code} {problem.value}".rstrip(), err=True)
        count = len(found.parts)
        if writes:
            try:
                importing.write(session, found, actor=operator(), now=moment, most=count)
            except StudiesError as error:
                raise click.ClickException(error.message) from error
    done = "taken over" if writes else "would come in"
    click.echo(f"{len(rows)} lines: {count} hospitals {done}, {found.same} lines known already")
    if found.problems:
        sys.exit(1)
