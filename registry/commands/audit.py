"""``oncokring audit``: check the chain, show its head, export its lines."""

from __future__ import annotations

import json

import click

from consent.verifying import LogBroken
from registry import audit as log
from registry.commands.opening import open_hub_database, operator
from registry.transaction import reading
from registry.whole_logs import look
from studies.events import announce


@click.group()
def audit() -> None:
    """Check and export the audit log."""


@audit.command()
@click.option("--known", metavar="SEQ:HASH", help="A head kept elsewhere; the log must contain it.")
def verify(known: str | None) -> None:
    """Check the audit log and the log of choices; exit code 1 when one of them is broken.

    The log of choices is also held against every head that was signed or that a hospital saw.
    Alarms that nobody has seen end with exit code 1 too; the auditor sees them at /audit/alarms.
    """
    with reading(open_hub_database()) as session:
        whole = look(session, None if known is None else _head(known))
        waiting = [
            f"{each.raised_at.isoformat(timespec='seconds')} {each.network} {each.kind} "
            f"{json.dumps(each.facts, sort_keys=True)}"
            for each in whole.alarms
        ]
    found = whole.audit
    if isinstance(found, log.Broken):
        raise click.ClickException(f"The audit log does not hold at line {found.seq}: {found.why}.")
    for each in whole.lists:
        raise click.ClickException(
            f"The {each.count} lists before number {each.seq} of {each.site} are not those "
            "that the audit log holds. Keep the database as it is and tell the network office."
        )
    for network, kept in whole.choices.items():
        if isinstance(kept, LogBroken):
            at = "its head" if kept.leaf is None else f"leaf {kept.leaf}"
            raise click.ClickException(
                f"The log of choices of {network} does not hold at {at}: {kept.why}. Stop the "
                "worker, keep the database as it is and tell the network office."
            )
    if waiting:
        for line in waiting:
            click.echo(line, err=True)
        raise click.ClickException(
            f"{len(waiting)} alarms that nobody has seen; the auditor can look at /audit/alarms."
        )
    click.echo(f"{found.seq}:{found.hash}")
    click.echo(
        f"All {found.seq} lines hold. Keep the printed head elsewhere and give it as --known next "
        "time, to find a log that was cut off or rewritten.",
        err=True,
    )


@audit.command()
@click.option("--after", default=0, help="Number of the last line you have.")
def export(after: int) -> None:
    """Print the lines as JSON, one per line; the export itself is audited."""
    with reading(open_hub_database()) as session:
        announce(
            session,
            actor=operator(),
            action="audit.exported",
            about="audit",
            facts={"after": after},
        )
        for line in log.lines(session, after):
            click.echo(json.dumps(log.as_json(line), ensure_ascii=False))


def _head(text: str) -> log.Head:
    seq, _, digest = text.partition(":")
    if not seq.isdigit() or len(digest) != 64:
        raise click.BadParameter("Give the head as SEQ:HASH, as printed by audit verify.")
    return log.Head(int(seq), digest)
