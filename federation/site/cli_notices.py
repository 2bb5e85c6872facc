"""`oncokring site notices …`: telling people by the hospital's own channel that a yes came in."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from federation.site.cli_consent import at_desk
from federation.site.cli_words import FAILED, print_json, until_interrupted

_FOLDER = click.Path(path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_DIRECTORY = click.argument("directory", type=_FOLDER)
_NOTICE = click.argument("notice", type=click.IntRange(1))
_BY = click.option("--by", required=True, help="Name of the person who does this.")
_FURTHER = click.option(
    "--numbers",
    type=_FILE,
    default=None,
    help="A file with further local numbers, one per line, of patients who are not in the data.",
)
_PROGRAM: Final = "site notices"


@click.group()
def notices() -> None:
    """Tell people by your own channel that a yes of theirs came in, and hear when it is not so."""


@notices.command("list")
@_DIRECTORY
@_FURTHER
@click.option("--told", is_flag=True, help="What was sent, instead of what waits.")
def list_notices(directory: Path, numbers: Path | None, told: bool) -> None:
    """Show whom to tell, with the local patient number."""
    from federation.site.choices.notices import tellings
    from federation.site.desk.telling import listed

    with at_desk(directory, "site") as desk:
        if told:
            print_json(list(tellings(desk.database)))
        else:
            print_json(listed(desk, _further(numbers)))


@notices.command("letters")
@_DIRECTORY
@click.option("--out", type=_FOLDER, required=True, help="Folder for the letters, ready to print.")
@_FURTHER
@_BY
def make_letters(directory: Path, out: Path, numbers: Path | None, by: str) -> None:
    """Make a letter for everybody who has to be told, once."""
    from federation.site.desk.telling import write_letters

    with at_desk(directory, by) as desk:
        print_json(write_letters(desk, out, _further(numbers), datetime.now(UTC)).to_dict())


@notices.command("send")
@_DIRECTORY
@_FURTHER
@click.option(
    "--every",
    type=click.IntRange(1, 24 * 60),
    default=None,
    metavar="MINUTES",
    help="Go on, and look so often.",
)
def send_notices(directory: Path, numbers: Path | None, every: int | None) -> None:
    """Run your own command of notices.toml once for everybody who has to be told."""
    if every is None:
        _send(directory, numbers, quiet=False)
        return

    def again_and_again() -> None:
        _send(directory, numbers, quiet=True)
        while True:
            time.sleep(every * 60)
            # It worked once: what goes wrong now, as a busy database, is said and tried again.
            with suppress(SystemExit):
                _send(directory, numbers, quiet=True)

    until_interrupted(again_and_again, lambda: None)


@notices.command("told")
@_DIRECTORY
@_NOTICE
@click.option("--how", type=click.Choice(["phone", "desk", "other"]), required=True)
@_BY
def was_told(directory: Path, notice: int, how: str, by: str) -> None:
    """Say that the person of NOTICE was told, or that what was begun did leave."""
    from federation.site.choices.notices import Tellings

    with at_desk(directory, by) as desk:
        with desk.act():
            found = Tellings(desk.database, by).told(notice, how, datetime.now(UTC))
        print_json({"told": list(found.numbers)})


@notices.command("again")
@_DIRECTORY
@_NOTICE
@click.option("--out", type=_FOLDER, default=None, help="Folder for the letter, made at once.")
@_FURTHER
@_BY
def tell_again(
    directory: Path, notice: int, out: Path | None, numbers: Path | None, by: str
) -> None:
    """Say that NOTICE did not arrive: it waits again, or its letter is made once more."""
    from federation.site.choices.notices import Tellings
    from federation.site.desk.telling import write_again

    now = datetime.now(UTC)
    with at_desk(directory, by) as desk:
        if out is not None:
            file = write_again(desk, notice, out, _further(numbers), now)
            print_json({"notice": notice, "file": file.name})
            return
        with desk.act():
            Tellings(desk.database, by).again(notice, now)
        print_json({"notice": notice, "state": "waits"})


@notices.command("wrong")
@_DIRECTORY
@_NOTICE
@_BY
def is_wrong(directory: Path, notice: int, by: str) -> None:
    """Say that the person of NOTICE did not say yes: it stops at once, and the letter ends."""
    from federation.site.desk.telling import not_theirs

    with at_desk(directory, by) as desk:
        with desk.act():
            found = not_theirs(desk, notice, datetime.now(UTC))
        print_json(found)
    click.echo(
        "Ask who else had the letter. Tell the network office: somebody may have used it, or the "
        "hub may have. A new letter (site invite) ends the old one at the hub too.",
        err=True,
    )


def _send(directory: Path, numbers: Path | None, *, quiet: bool) -> None:
    from federation.site.desk.telling import read_command, send_all

    with at_desk(directory, _PROGRAM) as desk:
        command = read_command(desk.directory.path)
        found = send_all(desk, command, _further(numbers), lambda: datetime.now(UTC))
    if not quiet or found.told or found.failed or found.unsure:
        print_json(found.to_dict())
    if not quiet and (found.failed or found.unsure):
        raise SystemExit(FAILED)


def _further(numbers: Path | None) -> list[str]:
    from federation.site.desk.inviting import read_numbers

    return [] if numbers is None else read_numbers(numbers)


COMMANDS = (notices,)
