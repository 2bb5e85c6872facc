"""``oncokring consent route``: decisions to use data without asking. Kept and shown; nobody counts.

Two people of a committee or a board prove themselves, as for a text for patients.
"""

from __future__ import annotations

import json
from datetime import date, datetime, time
from typing import Any

import click
from sqlalchemy.orm import Session

from consent import no_consent
from consent.errors import ConsentError
from consent.models_trust import NoConsentDecision
from registry.commands.consent_text import prove
from registry.commands.opening import now, open_hub_database, operator
from registry.text_roles import may_approve, names_of
from registry.transaction import reading, unit_of_work
from studies.actor import Actor
from studies.days import ZONE
from studies.models import Network, Study

NAME = click.option("--as", "name", required=True, help="Name of your account.")


@click.group()
def route() -> None:
    """Decisions to use data without asking: kept and shown; nobody counts by them."""


@route.command()
@click.argument("network")
@click.argument("state", type=click.Choice(["on", "off"]))
def switch(network: str, state: str) -> None:
    """Let a NETWORK record such decisions, or not any more; it starts off."""
    by = operator()
    with unit_of_work(open_hub_database(), by) as session:
        found = session.get(Network, network)
        if found is None:
            raise click.ClickException("There is no network with this name.")
        no_consent.switch(session, found, on=state == "on", actor=by)


@route.command("list")
@click.argument("study")
@click.option("--json", "as_json", is_flag=True)
def list_(study: str, as_json: bool) -> None:
    """What was proposed and decided for a STUDY, newest first."""
    with reading(open_hub_database()) as session:
        _study(session, study)
        rows = [_row(session, each) for each in no_consent.decisions(session, study)]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for row in rows:
        people = ", ".join(name for name in (row["asked_by"], row["decided_by"]) if name)
        click.echo(
            f"{row['id']}\t{row['state']}\tground {row['ground']}\tuntil {row['until'][:10]}"
            f"\t{people}\t{row['reference']}\t{row['reason']}"
        )
    click.echo("Nobody counts without a yes, whatever stands here.", err=True)


@route.command()
@click.argument("study")
@click.option("--ground", type=click.Choice(no_consent.GROUNDS), required=True)
@click.option("--reason", required=True, help="Why asking is not possible, or not to be expected.")
@click.option("--reference", required=True, help="Of the approval by the committee.")
@click.option("--until", required=True, metavar="YYYY-MM-DD", help="Its last day.")
@NAME
def propose(study: str, ground: str, reason: str, reference: str, until: str, name: str) -> None:
    """Propose a decision for a STUDY; prints its id.

    Another person of a committee or board decides.
    """
    last = _day(until)
    factory = open_hub_database()
    by = prove(factory, name)
    with unit_of_work(factory, by) as session:
        found = _study(session, study)
        _check(session, by, study, name)
        made = no_consent.propose(
            session,
            found,
            ground=ground,
            reason=reason,
            reference=reference,
            until=last,
            actor=by,
            now=now(),
        )
        click.echo(made.id)


@route.command()
@click.argument("decision")
@NAME
def decide(decision: str, name: str) -> None:
    """Decide what somebody else proposed."""
    _act(decision, name, ends=False)


@route.command()
@click.argument("decision")
@NAME
def end(decision: str, name: str) -> None:
    """End a decision, or take a proposal back."""
    _act(decision, name, ends=True)


def _act(decision: str, name: str, *, ends: bool) -> None:
    factory = open_hub_database()
    by = prove(factory, name)
    with unit_of_work(factory, by) as session:
        found = no_consent.find(session, decision)
        _check(session, by, found.study, name)
        act = no_consent.end if ends else no_consent.decide
        act(session, found, actor=by, now=now())
        click.echo(no_consent.state_of(session, found, now()))


def _study(session: Session, study: str) -> Study:
    found = session.get(Study, study)
    if found is None:
        raise ConsentError("study_not_found")
    return found


def _check(session: Session, by: Actor, study: str, name: str) -> None:
    if not may_approve(session, by, study):
        raise click.ClickException(
            f"{name} is in no committee of {study} and in no board of its hospitals."
        )


def _row(session: Session, found: NoConsentDecision) -> dict[str, Any]:
    people = names_of(session, [each for each in (found.asked_by, found.decided_by) if each])
    return {
        "id": found.id,
        "state": no_consent.state_of(session, found, now()),
        "ground": found.ground,
        "reason": found.reason,
        "reference": found.reference,
        "asked_by": people[found.asked_by],
        "decided_by": people.get(found.decided_by or ""),
        "until": found.until.astimezone(ZONE).isoformat(timespec="seconds"),
    }


def _day(text: str) -> datetime:
    """The last moment of a Dutch day."""
    try:
        return datetime.combine(date.fromisoformat(text), time(23, 59, 59), ZONE)
    except ValueError:
        raise click.BadParameter("a day is written as 2027-05-31", param_hint="--until") from None
