"""``oncokring round note|cause|notes|history``: what is said of a released round, and its steps."""

from __future__ import annotations

import json
from typing import Any

import click

from federation.rounds import discussing, following, reading, states
from federation.rounds.plan import iso, moment
from registry.commands.opening import now, open_hub_database, operator
from registry.transaction import reading as looking
from registry.transaction import unit_of_work

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")


@click.command()
@click.argument("round_id", metavar="ROUND")
@click.argument("text")
@click.option("--indicator", help="What it is about; the whole round.")
@click.option("--kind", type=click.Choice(list(states.NOTE_KINDS)), default="note")
@click.option("--from-site", help="With help: which hospital offers it.")
@click.option("--to-site", help="With help: to which hospital.")
def note(
    round_id: str,
    text: str,
    indicator: str | None,
    kind: str,
    from_site: str | None,
    to_site: str | None,
) -> None:
    """Write down TEXT: a note, a cause that was found, or help of one hospital for another.

    Everybody of the round reads it. Call hospitals by their letter, unless the round shows names.
    """
    if kind == "help" and not (indicator and from_site and to_site):
        raise click.UsageError("Help needs --indicator, --from-site and --to-site.")
    by, at = operator(), now()
    with unit_of_work(open_hub_database(), by) as session:
        row = reading.get(session, round_id)
        if kind == "help":
            made = discussing.offer_help(
                session,
                row,
                indicator=indicator or "",
                from_site=from_site or "",
                to_site=to_site or "",
                text=text,
                actor=by,
                now=at,
            )
        else:
            made = discussing.say(
                session, row, text=text, indicator=indicator, kind=kind, actor=by, now=at
            )
        click.echo(f"{made.id}\t{made.kind}")


@click.command()
@click.argument("round_id", metavar="ROUND")
@JSON
def notes(round_id: str, as_json: bool) -> None:
    """What was said of a round, the oldest first."""
    with looking(open_hub_database()) as session:
        found = [
            {
                "id": each.id,
                "kind": each.kind,
                "indicator": each.indicator,
                "from_site": each.from_site,
                "to_site": each.to_site,
                "at": iso(each.at),
                "by": each.by_name or each.by,
                "text": each.text,
            }
            for each in reading.notes(session, reading.get(session, round_id))
        ]
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    for row in found:
        click.echo(f"{row['at']}\t{row['kind']}\t{row['indicator'] or '-'}\t{row['text']}")


@click.command()
@click.argument("round_id", metavar="ROUND")
@click.argument("indicator")
@click.option("--by", "variables", multiple=True, required=True, help="A group of its definition.")
@click.option("--release-at", required=True, help="When everybody sees it: 2026-04-01T08:00:00Z.")
def cause(round_id: str, indicator: str, variables: tuple[str, ...], release_at: str) -> None:
    """Ask INDICATOR by groups of patients, to find where a difference comes from."""
    by, at = operator(), now()
    with unit_of_work(open_hub_database(), by) as session:
        made = following.ask_cause(
            session,
            reading.get(session, round_id),
            indicator=indicator,
            variables=variables,
            release_at=moment(release_at),
            actor=by,
            now=at,
        )
        click.echo(f"{made.id}\t{reading.told(made)}\trelease {iso(made.release_at)}")


@click.command()
@click.argument("round_id", metavar="ROUND")
@JSON
def history(round_id: str, as_json: bool) -> None:
    """What happened to a round, the oldest first; also what was put off, and why."""
    with looking(open_hub_database()) as session:
        found: list[dict[str, Any]] = [
            {
                "at": iso(each.at),
                "what": each.kind,
                "by": each.by_name or each.by,
                "facts": each.facts,
            }
            for each in reading.events(session, reading.get(session, round_id))
        ]
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    for row in found:
        facts = ", ".join(f"{name} {value}" for name, value in row["facts"].items())
        click.echo(f"{row['at']}\t{row['what']}\t{row['by']}\t{facts}")
