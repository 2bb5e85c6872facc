"""``oncokring indicator``: what can be measured, how it is defined, and which level was agreed."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy.orm import Session

from federation.disclosure.policy import Policy
from federation.indicators import owning
from federation.indicators.catalogue import MAX_BYTES, needs, read_definition, shipped
from federation.indicators.checking import check_askable, check_length
from federation.indicators.definition import Indicator
from federation.query.builtin import builtin_codebook, find_codebook
from federation.query.codebook import Codebook
from federation.query.errors import QueryError, did_you_mean
from registry.commands import network_office as office_desk
from registry.commands.network_office import Told
from registry.commands.opening import now, open_hub_database
from registry.transaction import reading
from studies.actor import Actor
from studies.days import local_day
from studies.models import WorkingGroup
from studies.network.groups import find_group

_of_group = click.option("--group", help="As this working group uses it, like oncozon.breast.")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def indicator() -> None:
    """What can be measured, how it is defined, and which level was agreed."""


@indicator.command("list")
@_of_group
@office_desk.as_json_option
def list_(group: str | None, as_json: bool) -> None:
    """List the indicators that came with the program, or those that a group uses."""
    used = _used(group)
    if as_json:
        click.echo(json.dumps([each.to_dict() for each in used.values()], ensure_ascii=False))
        return
    day = local_day(now()).isoformat()
    for each in used.values():
        target = each.target(day)
        level = "" if target is None else json.dumps(target.to_dict(), ensure_ascii=False)
        click.echo(f"{each.name}\t{each.measure}\t{each.role}\t{each.text}\t{level}")


@indicator.command()
@click.argument("name", metavar="INDICATOR")
@_of_group
def show(name: str, group: str | None) -> None:
    """Print the definition of INDICATOR as JSON, to read or to make a version of."""
    click.echo(json.dumps(_one(_used(group), name).to_dict(), indent=1, ensure_ascii=False))


@indicator.command()
@click.argument("file", type=_FILE)
@click.option("--codebook", help="A codebook that is not built in, as a file.")
def check(file: Path, codebook: str | None) -> None:
    """Check the definition in FILE: every field, and every question that it becomes."""
    found, book = _read(file, codebook)
    try:
        roles = check_askable(found, book)
        check_length(found, book, Policy.strict().max_filter_terms)
    except QueryError as error:
        raise click.ClickException(f"{file.name}: {error}") from error
    click.echo(f"{found.name}\t{found.sha256}")
    click.echo(f"A hospital needs: {', '.join(needs(found, book))}.", err=True)
    click.echo(f"It becomes these questions: {', '.join(roles)}.", err=True)


@indicator.command()
@click.argument("file", type=_FILE)
@click.option("--group", required=True, help="The working group that owns it.")
@click.option("--why", default="", help="Why the group wants it.")
@office_desk.as_json_option
def add(file: Path, group: str, why: str, as_json: bool) -> None:
    """Add the definition in FILE as the next version of a working group's own."""
    read, _book = _read(file, None)

    def do(session: Session, by: Actor) -> Told:
        found = _group(session, group)
        try:
            made = owning.add_version(session, found, read.to_dict(), why=why, actor=by, now=now())
        except QueryError as error:
            raise click.ClickException(f"{file.name}: {error}") from error
        row = {"group": found.key, "indicator": made.name, "sha256": made.sha256}
        return Told(row, f"{made.name} is a definition of {found.key}.")

    office_desk.write(do, as_json)


@indicator.command()
@click.argument("name", metavar="INDICATOR")
@click.option("--group", required=True, help="The working group that agreed on it.")
@click.option("--at-least", type=float, help="The level; of a share between 0 and 1.")
@click.option("--at-most", type=float, help="The level; of a share between 0 and 1.")
@click.option("--within", type=int, help="One of the indicator's norms, in days.")
@click.option("--source", required=True, help="Where the level comes from.")
@click.option("--confirmed/--not-confirmed", default=False, help="Somebody looked it up there.")
@click.option("--why", default="", help="Why the group chose it.")
@office_desk.since_option
@office_desk.as_json_option
def target(
    name: str,
    group: str,
    at_least: float | None,
    at_most: float | None,
    within: int | None,
    source: str,
    confirmed: bool,
    why: str,
    since: datetime | None,
    as_json: bool,
) -> None:
    """Record the level of INDICATOR that a working group agreed on, from a day on."""
    day = since.date() if since is not None else local_day(now())
    agreed: dict[str, Any] = {
        "at_least": at_least,
        "at_most": at_most,
        "within": within,
        "since": day.isoformat(),
        "source": source,
        "confirmed": confirmed,
    }

    def do(session: Session, by: Actor) -> Told:
        found = _group(session, group)
        _one(owning.all_of_group(session, found), name)
        try:
            made = owning.set_target(session, found, name, agreed, why=why, actor=by, now=now())
        except QueryError as error:
            raise click.UsageError(str(error)) from error
        row = {"group": found.key, "indicator": name, "number": made.number, **made.target}
        return Told(row, f"{found.key} agreed on a level of {name}.")

    office_desk.write(do, as_json)


def _used(group: str | None) -> dict[str, Indicator]:
    """What came with the program; with a group, what it uses."""
    if group is None:
        return dict(shipped())
    with reading(open_hub_database()) as session:
        return owning.all_of_group(session, _group(session, group))


def _one(used: dict[str, Indicator], name: str) -> Indicator:
    if name not in used:
        raise click.UsageError(f"There is no indicator '{name}'. {did_you_mean(name, used)}")
    return used[name]


def _group(session: Session, key: str) -> WorkingGroup:
    found = find_group(session, key)
    if found is None:
        raise click.UsageError(
            f"There is no working group '{key}'. Write it as network.group, like oncozon.breast."
        )
    return found


def _read(file: Path, codebook: str | None) -> tuple[Indicator, Codebook]:
    """The definition in a file, and the codebook that it is about."""
    try:
        given = None if codebook is None else find_codebook(codebook)
        with file.open("rb") as opened:
            found = read_definition(opened.read(MAX_BYTES + 1), given)
    except (QueryError, OSError) as error:
        raise click.ClickException(f"{file.name}: {error}") from error
    book = given or builtin_codebook(found.codebook)
    assert book is not None  # noqa: S101  it was read against it
    return found, book
