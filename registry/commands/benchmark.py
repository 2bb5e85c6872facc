"""``oncokring benchmark``: reference figures of others beside our own, and ours for others."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click

from federation.query.files import read_at_most
from federation.rounds import benchmarks, exporting, reading, rolling_up
from federation.rounds.benchmark_csv import MAX_BYTES
from registry.commands.opening import now, open_hub_database, operator
from registry.transaction import reading as looking
from registry.transaction import unit_of_work

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_DAY = click.DateTime(["%Y-%m-%d"])


@click.group()
def benchmark() -> None:
    """Reference figures of others, and a round's figures for them."""


@benchmark.command("import")
@click.argument("network")
@click.argument("file", type=FILE)
@click.option("--source", required=True, help="Who published it, as it is shown.")
@click.option("--date", "published", type=_DAY, required=True, help="When it was published.")
@click.option("--link", default="", help="Where it can be read.")
def import_(network: str, file: Path, source: str, published: datetime, link: str) -> None:
    """Keep the figures of FILE (CSV): all lines, or none when one is wrong."""
    by, moment = operator(), now()
    body = read_at_most(file, MAX_BYTES + 1)
    with unit_of_work(open_hub_database(), by) as session:
        kept = benchmarks.import_file(
            session,
            network,
            body,
            source=source,
            published=published.date(),
            link=link,
            actor=by,
            now=moment,
        )
        click.echo(f"{kept.id}\t{kept.source}\t{kept.published}\t{len(kept.rows)} figures")


@benchmark.command("list")
@click.argument("network")
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
def list_(network: str, as_json: bool) -> None:
    """The files of NETWORK, the newest publication first."""
    with looking(open_hub_database()) as session:
        rows = [
            {
                "id": file.id,
                "source": file.source,
                "published": file.published.isoformat(),
                "figures": len(file.rows),
                "withdrawn": None if gone is None else gone.reason,
            }
            for file, gone in benchmarks.files(session, network)
        ]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for row in rows:
        state = f"{row['figures']} figures" if row["withdrawn"] is None else "withdrawn"
        click.echo(f"{row['id']}\t{row['source']}\t{row['published']}\t{state}")


@benchmark.command()
@click.argument("file_id", metavar="FILE")
@click.argument("reason")
def withdraw(file_id: str, reason: str) -> None:
    """Show the figures of an imported FILE nowhere any more, for this REASON."""
    by, moment = operator(), now()
    with unit_of_work(open_hub_database(), by) as session:
        benchmarks.withdraw(session, file_id, reason=reason, actor=by, now=moment)
    click.echo(f"{file_id}\twithdrawn")


@benchmark.command()
@click.argument("round_id", metavar="ROUND")
@click.option("--form", type=click.Choice(["json", "csv"]), default="json", show_default=True)
@click.option("--without", multiple=True, help="Leave this hospital out of every sum.")
@click.option("--hospitals", is_flag=True, help="Each hospital too, where names were agreed.")
@click.option("--language", type=click.Choice(["nl", "en"]), default="nl", show_default=True)
def export(
    round_id: str, form: str, without: tuple[str, ...], hospitals: bool, language: str
) -> None:
    """Print the regional figures of a released ROUND with their definitions."""
    with looking(open_hub_database()) as session:
        row = reading.get(session, round_id)
        snapshot = reading.snapshot(session, row)
        parts = rolling_up.parts_of(session, row.network, row.freeze_at)
    made = exporting.export(snapshot, parts, without=without, hospitals=hospitals)
    if form == "json":
        click.echo(json.dumps(made, ensure_ascii=False, indent=2))
    else:
        click.echo(exporting.as_csv(made, language), nl=False)
