"""``oncokring consent import``: what a hospital that cannot reach the hub sends as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from federation.query.files import read_at_most
from federation.runs.site_messages import MAX_IN_FILE, bodies_in, take_messages
from registry.commands.opening import now, open_hub_database, operator
from registry.transaction import unit_of_work
from studies.models import SiteNode

MAX_BYTES = 50_000_000


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def import_messages(file: Path) -> None:
    """Take in FILE, made by `oncokring site outbox --json`: signed messages of one hospital.

    Each is checked as if it had come by itself; what came before does nothing.
    """
    given = _read(file)
    with unit_of_work(open_hub_database(), operator()) as session:
        node = session.get(SiteNode, given["site"])
        if node is None:
            raise click.ClickException(
                "No program of this hospital is accepted here; see: oncokring network sites"
            )
        found = take_messages(session, node, bodies_in(given["messages"], MAX_IN_FILE), now())
    click.echo(json.dumps(dict(sorted(found.items()))))
    if found.get("foreign") or found.get("conflict") or found.get("gap"):
        raise click.ClickException(
            "Some messages were not taken in: they are not signed by this hospital's program, "
            "another one came under their number, or one before them is missing. Ask the hospital "
            "for a new file."
        )


def _read(file: Path) -> dict[str, Any]:
    try:
        data = read_at_most(file, MAX_BYTES)
        given = json.loads(data) if len(data) <= MAX_BYTES else None
    except (OSError, ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or set(given) != {"site", "messages"}:
        raise click.UsageError(f"{file.name} is not such a file; ask the hospital for it again.")
    if not isinstance(given["site"], str) or not isinstance(given["messages"], list):
        raise click.UsageError(f"{file.name} is not such a file; ask the hospital for it again.")
    return given
