"""``oncokring prom``: the wording of questionnaires, where this network has a licence for it."""

from __future__ import annotations

from pathlib import Path

import click

from consent.reporting import keep_wording, wordings
from federation.prom.instruments import INSTRUMENTS
from federation.prom.wording import read_wording
from federation.query.yaml_data import YamlError, load_yaml
from registry.commands.opening import now, open_hub_database, operator
from registry.transaction import reading, unit_of_work

MAX_BYTES = 100_000


@click.group()
def prom() -> None:
    """Questionnaires that patients fill in: their wording, where there is a licence for it."""


@prom.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def wording(file: Path) -> None:
    """Show patients the questions of FILE from now on, instead of their numbers alone.

    The program ships no wording: FILE is yours, and so is the licence that it names.
    """
    if file.stat().st_size > MAX_BYTES:
        raise click.UsageError("The file is larger than any wording; check it.")
    try:
        found = read_wording(load_yaml(file.read_bytes()))
    except (ValueError, YamlError) as error:
        raise click.UsageError(f"{file.name}: {error}") from error
    by = operator()
    with unit_of_work(open_hub_database(), by) as session:
        keep_wording(
            session, found.instrument, found.language, found.to_dict(), actor=by, now=now()
        )
    click.echo(f"{found.instrument}\t{found.language}\t{found.licence}")


@prom.command("wording-end")
@click.argument("instrument", type=click.Choice(list(INSTRUMENTS)))
@click.argument("language", type=click.Choice(["nl", "en"]))
def wording_end(instrument: str, language: str) -> None:
    """Show numbers again instead of the wording of INSTRUMENT in LANGUAGE: a licence ended."""
    by = operator()
    with unit_of_work(open_hub_database(), by) as session:
        keep_wording(session, instrument, language, None, actor=by, now=now())


@prom.command("wordings")
def list_wordings() -> None:
    """List the wordings that are shown, each with its licence."""
    with reading(open_hub_database()) as session:
        for each in wordings(session):
            click.echo(f"{each.instrument}\t{each.language}\t{each.content['licence']}")
