"""``oncokring consent import``: what a hospital that cannot reach the hub sends as a file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from federation.query.files import read_at_most
from federation.runs.site_messages import MAX_IN_FILE, bodies_in, take_messages
from registry.commands.opening import now, open_hub_database, operator
from registry.transaction import unit_of_work
from studies.models import SiteNode

MAX_BYTES = 50_000_000
AT_ONCE = 100


def batched(bodies: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    """The messages in parts of at most `size`, in their order."""
    for first in range(0, len(bodies), size):
        yield bodies[first : first + size]


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def import_messages(file: Path) -> None:
    """Take in FILE, made by `oncokring site outbox --json`: signed messages of one hospital.

    Each is checked as if it had come by itself; what came before does nothing.
    """
    given = _read(file)
    factory, by, found = open_hub_database(), operator(), Counter[str]()
    for bodies in batched(bodies_in(given["messages"], MAX_IN_FILE), AT_ONCE):
        # In parts, so that patients do not wait behind a long file.
        with unit_of_work(factory, by) as session:
            node = session.get(SiteNode, given["site"])
            if node is None:
                raise click.ClickException(
                    "No program of this hospital is accepted here; see: oncokring network sites"
                )
            found.update(take_messages(session, node, bodies, now()))
        if found["gap"]:
            break
    click.echo(json.dumps({name: n for name, n in sorted(found.items()) if n}))
    if found["foreign"] or found["conflict"] or found["gap"]:
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
