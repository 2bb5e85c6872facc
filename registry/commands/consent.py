"""``oncokring consent``: words for patients, files from hospitals, erasing after the term."""

from __future__ import annotations

import click

from registry.commands.consent_erase import erase
from registry.commands.consent_import import import_messages
from registry.commands.consent_route import route
from registry.commands.consent_text import text
from registry.commands.consent_years import years


@click.group()
def consent() -> None:
    """The words patients read, what hospitals send by file, evidence that may go."""


consent.add_command(erase)
consent.add_command(import_messages)
consent.add_command(route)
consent.add_command(text)
consent.add_command(years)
