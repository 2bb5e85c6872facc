"""``oncokring consent``: the words patients read, and what hospitals send by file."""

from __future__ import annotations

import click

from registry.commands.consent_import import import_messages
from registry.commands.consent_text import text


@click.group()
def consent() -> None:
    """The words patients read, and what hospitals send by file."""


consent.add_command(import_messages)
consent.add_command(text)
