"""``oncokring receipt``: check a receipt of a choice, also where there is no hub."""

from __future__ import annotations

import os
from pathlib import Path

import click

from consent.receipt_check import Checked
from federation.protocol.encoding import parse_json
from federation.protocol.errors import ProtocolError
from federation.protocol.transparency import PublishedKey, keys_from
from registry.receipts.checking import MAX_BYTES, check
from registry.receipts.words import NAMES, said_in_words, sentence

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
NO_KEYS = (
    "There is nothing to check the signature with. Get the file with the hub's public keys, from "
    "the address /api/v1/keys of the hub or from your hospital, and give it with --keys."
)


@click.group()
def receipt() -> None:
    """Check receipts of choices."""


@receipt.command()
@click.argument("file", type=_FILE)
@click.option("--keys", type=_FILE, help="The hub's public keys, as from /api/v1/keys.")
def verify(file: Path, keys: Path | None) -> None:
    """Check the receipt FILE (.json or .jws) without asking the hub; exit code 1 if it fails.

    Without --keys the keys of the hub on this machine are used, if there is one.
    """
    found = _keys(keys)
    if not found:
        raise click.ClickException(NO_KEYS)
    with file.open("rb") as source:
        checked = check(source.read(MAX_BYTES + 1), found)
    for line in report(checked):
        click.echo(line)
    if not checked.holds:
        raise SystemExit(1)


def report(checked: Checked) -> list[str]:
    """What holds and what does not, in words."""
    lines = []
    for each in checked.checks:
        state = "holds" if each.holds else "DOES NOT HOLD"
        lines.append(f"{NAMES[each.name]}: {state}. {sentence(each)}")
    if checked.holds:
        lines += [f"  {line}" for line in said_in_words(checked.document, "en")]
        lines.append(
            "The receipt holds. It proves what was recorded then; whether it is still the latest, "
            "only the hub can say."
        )
    else:
        lines.append("The receipt does not hold: do not rely on it, and ask your hospital.")
    return lines


def _keys(path: Path | None) -> tuple[PublishedKey, ...]:
    if path is None:
        data = os.environ.get("ONCOKRING_DATA", "")
        path = Path(data) / "keys" / "history.json" if data else None
        if path is None or not path.exists():
            return ()
    try:
        return keys_from(parse_json(path.read_bytes()[: MAX_BYTES + 1], MAX_BYTES))
    except ProtocolError as error:
        raise click.ClickException(
            f"{path.name} is not a file with public keys. Get it from /api/v1/keys of the hub."
        ) from error
