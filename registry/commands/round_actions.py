"""``oncokring round action``: what a group does about a finding, and measuring again."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import click

from federation.rounds import discussing, reading
from federation.rounds.models import RoundAction
from federation.rounds.plan import iso, moment
from registry.commands.opening import now, open_hub_database, operator
from registry.transaction import reading as looking
from registry.transaction import unit_of_work

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")


@click.group()
def action() -> None:
    """Actions of a released round: by whom, until when, and measuring again."""


@action.command("list")
@click.argument("round_id", metavar="ROUND")
@JSON
def list_(round_id: str, as_json: bool) -> None:
    """The actions of a round."""
    with looking(open_hub_database()) as session:
        found = [shown(each) for each in reading.actions(session, reading.get(session, round_id))]
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    for each in found:
        click.echo(
            f"{each['id']}\t{each['state']}\tdue {each['due']}\t{each['owner']}\t"
            f"{each['indicator']}\t{each['text']}"
        )


@action.command()
@click.argument("round_id", metavar="ROUND")
@click.argument("indicator")
@click.option("--text", required=True, help="What is done.")
@click.option("--owner", required=True, help="Who sees to it.")
@click.option("--due", required=True, help="Until which day, as 2026-03-31.")
@click.option("--site", help="The hospital that it is about; all.")
@click.option("--cause", default="", help="What the group holds to be the cause.")
@click.option("--first", help="Measure again from this month on, as 2026-01.")
@click.option("--last", help="Measure again up to this month.")
@click.option("--measure-at", help="At which moment, as 2026-07-15T08:00:00Z.")
@JSON
def add(round_id: str, indicator: str, as_json: bool, **given: Any) -> None:
    """Add an action about INDICATOR to a released round."""
    by, at = operator(), now()
    given["due"] = _day(given["due"])
    if given["measure_at"] is not None:
        given["measure_at"] = moment(given["measure_at"])
    with unit_of_work(open_hub_database(), by) as session:
        row = reading.get(session, round_id)
        made = shown(
            discussing.add_action(session, row, indicator=indicator, actor=by, now=at, **given)
        )
    click.echo(json.dumps(made, ensure_ascii=False, indent=2) if as_json else made["id"])


@action.command()
@click.argument("round_id", metavar="ROUND")
@click.argument("action_id", metavar="ACTION")
@click.option("--cancelled", is_flag=True, help="It will not be done.")
def close(round_id: str, action_id: str, cancelled: bool) -> None:
    """Close an open action without measuring again."""
    by = operator()
    with unit_of_work(open_hub_database(), by) as session:
        found = discussing.get_action(session, reading.get(session, round_id), action_id)
        act = discussing.cancel_action if cancelled else discussing.close_action
        act(session, found, version=found.version, actor=by, now=now())
        click.echo(f"{found.id}\t{found.state}")


def shown(each: RoundAction) -> dict[str, Any]:
    """An action as JSON."""
    return {
        "id": each.id,
        "round": each.round_id,
        "indicator": each.indicator,
        "site": each.site,
        "text": each.text,
        "cause": each.cause,
        "owner": each.owner,
        "due": each.due.isoformat(),
        "first": each.first,
        "last": each.last,
        "measure_at": None if each.measure_at is None else iso(each.measure_at),
        "state": each.state,
        "version": each.version,
        "remeasured_in": each.remeasured_in,
        "before": each.before,
        "after": each.after,
        "closed_at": None if each.closed_at is None else iso(each.closed_at),
    }


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise click.UsageError("A day is written as 2026-03-31.") from error
