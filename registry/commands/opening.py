"""What the hub's commands share: the database of the settings, and who is acting."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime

import click

from migrations import run as migrations
from registry import settings
from registry.database import SessionFactory, check_durable, engine_of, open_database
from studies.actor import Actor


def open_hub_database() -> SessionFactory:
    """The database that the environment names; stops with a sentence when it is not up to date."""
    factory = open_database(settings.database_url_from_environ())
    try:
        check_durable(engine_of(factory))
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    if not migrations.at_head(engine_of(factory)):
        raise click.ClickException(
            "The database is not up to date with this version. Run: oncokring migrate"
        )
    return factory


def operator() -> Actor:
    """The person at the keyboard of the server, as the audit log names them."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "unknown"
    return Actor(
        kind="system", id=f"cli:{name}"[:64], roles=frozenset({"administrator"}), name=name
    )


def now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)
