"""``oncokring migrate``: bring the database to a revision."""

from __future__ import annotations

import click

from migrations import run
from registry import settings
from registry.database import make_engine


@click.group(invoke_without_command=True)
@click.pass_context
def migrate(context: click.Context) -> None:
    """Bring the database up to date (the same as: migrate upgrade)."""
    if context.invoked_subcommand is None:
        context.invoke(upgrade, revision="head")


@migrate.command()
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Go forward to REVISION, by default the newest."""
    run.upgrade(settings.database_url_from_environ(), revision)
    click.echo("The database is up to date.", err=True)


@migrate.command()
@click.argument("revision")
def downgrade(revision: str) -> None:
    """Go back to REVISION; refused when that would delete consent or audit."""
    run.downgrade(settings.database_url_from_environ(), revision)
    click.echo(f"The database is at {revision}.", err=True)


@migrate.command()
def current() -> None:
    """Print the revision that the database has; nothing for an empty one. To go back to later."""
    engine = make_engine(settings.database_url_from_environ())
    try:
        click.echo(run.current(engine) or "")
    finally:
        engine.dispose()
