"""``oncokring result``: on the researcher's own computer, check by which consent a result was
counted, and open sealed results of single hospitals."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from federation.client.origin import WHY as WHY_NOT
from federation.client.origin import check_origin
from federation.client.results import ResultError, open_results
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import BoxKey, key_id
from federation.query.errors import QueryError
from federation.query.json_data import load_json
from registry.trial.tables import show

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_MAX_BYTES = 64 * 1024 * 1024


@click.group()
def result() -> None:
    """Check results, and open those of single hospitals that are sealed for a study."""


@result.group()
def key() -> None:
    """The study's key for sealed results."""


@key.command()
@click.argument("file", type=click.Path(path_type=Path))
def new(file: Path) -> None:
    """Make a key in FILE, readable by you only, and print its public half.

    Give the public half to the network office and to every hospital of the study. Who loses FILE
    cannot open the results; who copies it can.
    """
    made = BoxKey.generate()
    try:
        made.save(file)
    except FileExistsError as error:
        raise click.UsageError(f"{file.name} is there already; choose another name.") from error
    except OSError as error:
        raise click.UsageError(f"{file.name} cannot be written; choose another folder.") from error
    _print_key(made)


@key.command("show")
@click.argument("file", type=_FILE)
def show_(file: Path) -> None:
    """Print the public half of the key in FILE."""
    _print_key(_key(file))


@result.command("open")
@click.argument("answer", type=_FILE, metavar="RESULT.json")
@click.option("--key", "key_file", type=_FILE, required=True, help="The file with the study's key.")
@click.option("--peers", type=_FILE, help="The network's list of hospitals' public keys.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
def open_(answer: Path, key_file: Path, peers: Path | None, as_json: bool) -> None:
    """Open RESULT.json, the answer as downloaded from the hub, with the study's key.

    With --peers the signature of each hospital is checked; without it nobody knows who wrote what
    is inside.
    """
    signers = None if peers is None else _signers(peers)
    try:
        opened = open_results(_object(answer), _key(key_file), signers)
    except ResultError as error:
        raise click.ClickException(str(error)) from error
    if signers is None:
        click.echo("Who wrote these results was not checked: give --peers.", err=True)
    if as_json:
        click.echo(json.dumps(opened, indent=2, ensure_ascii=False))
        return
    plain = bool(os.environ.get("NO_COLOR")) or not sys.stdout.isatty()
    show(Console(no_color=plain, highlight=False), opened, str(opened.get("analysis", "")))


@result.command()
@click.argument("answer", type=_FILE, metavar="RESULT.json")
@click.option(
    "--peers", type=_FILE, required=True, help="The network's list of hospitals' public keys."
)
def verify(answer: Path, peers: Path) -> None:
    """Check by which consent each hospital counted in RESULT.json; exit code 1 if it fails.

    Compares what the hub says with the hospitals' own signed words: number of the list of choices,
    head of the log of choices, items a patient had to agree to, question, and who took part.
    """
    known = _object(peers)
    _signers(peers)
    try:
        found = check_origin(_object(answer), known)
    except ResultError as error:
        raise click.ClickException(str(error)) from error
    for each in found:
        if not each.holds:
            click.echo(f"{each.site}: DOES NOT HOLD. {WHY_NOT[each.why]}.")
            continue
        log = each.log
        head = "no log" if log is None else f"log of {log['size']} entries, root {log['root']}"
        items = ", ".join(each.requires)
        click.echo(f"{each.site}: holds. List {each.snapshot}; {head}; requires {items}.")
    if not all(each.holds for each in found):
        click.echo("The result does not hold: do not rely on it, and tell the hospitals.")
        raise SystemExit(1)
    click.echo("What the result says of consent is what every hospital signed.")


def _print_key(made: BoxKey) -> None:
    click.echo(made.public)
    click.echo(f"Its short name is {key_id(made.public)}; compare it by phone.", err=True)


def _key(file: Path) -> BoxKey:
    try:
        return BoxKey.load(file)
    except PermissionError as error:
        raise click.ClickException(
            f"{file.name} may be read by others; run: chmod 600 {file.name}"
        ) from error
    except (OSError, ProtocolError) as error:
        raise click.ClickException(f"{file.name} does not hold a key for results.") from error


def _signers(file: Path) -> dict[str, str]:
    found = {}
    for site, keys in _object(file).items():
        try:
            key_id(keys["sign"])
        except (ProtocolError, TypeError, KeyError) as error:
            raise click.UsageError(
                f"{file.name} is not the list that 'oncokring network peers' prints."
            ) from error
        found[site] = keys["sign"]
    return found


def _object(file: Path) -> Mapping[str, Any]:
    try:
        with file.open("rb") as opened:
            value = load_json(opened.read(_MAX_BYTES + 1), _MAX_BYTES)
    except OSError as error:
        raise click.UsageError(f"{file.name} cannot be read.") from error
    except QueryError as error:
        raise click.UsageError(f"{file.name}: {error.message}") from error
    if not isinstance(value, dict):
        raise click.UsageError(f"{file.name} must hold one JSON object.")
    return value
