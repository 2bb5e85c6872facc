"""``oncokring consent erase``: erase evidence whose time of keeping is over, by two people."""

from __future__ import annotations

from datetime import datetime

import click
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consent.retention import Due, due, erase_due
from federation.runs.models import Run
from federation.runs.states import RELEASED
from registry.accounts import sign_in as signing
from registry.commands.opening import now, open_hub_database
from registry.database import SessionFactory
from registry.transaction import reading, unit_of_work
from studies.actor import Actor

ROLES = ("auditor", "administrator", "coordinator")


@click.command()
@click.argument("study")
@click.option("--by", "names", multiple=True, metavar="ACCOUNT", help="Two accounts that decide.")
def erase(study: str, names: tuple[str, ...]) -> None:
    """Erase content and salt of the choices about STUDY whose time of keeping is over.

    Without --by it only says what is due. With two accounts each is asked for password and
    one-time code. Leaves stay, so the log and all other receipts still hold.
    """
    factory = open_hub_database()
    with reading(factory) as session:
        found = due(session, study, now(), last_result(session, study))
    say(found)
    if not names or not found.leaves:
        return
    people = [_prove(factory, name) for name in names]
    with unit_of_work(factory, people[0]) as session:
        found = erase_due(
            session, study, by=people, now=now(), last_result=last_result(session, study)
        )
    click.echo(f"erased: {len(found.leaves)} leaves")


def say(found: Due) -> None:
    """What is due, in words."""
    click.echo(f"class {found.ground}, kept until {found.until.date().isoformat()}")
    click.echo(f"due: {len(found.leaves)} leaves; kept: {found.kept}")


def last_result(session: Session, study: str) -> datetime | None:
    """When the last result of a study was released."""
    return session.scalar(
        select(func.max(Run.finished_at)).where(Run.study == study, Run.state.in_(RELEASED))
    )


def _prove(factory: SessionFactory, name: str) -> Actor:
    password = click.prompt(f"Password of {name}", hide_input=True, err=True)
    code = click.prompt(f"One-time code of {name}", hide_input=True, err=True)
    arrived = signing.sign_in(
        factory, name=name, password=password, code=code, address="console", now=now()
    )
    signing.sign_out(factory, actor=arrived.actor, session_id=arrived.session_id)
    if not any(role in arrived.actor.roles for role in ROLES):
        raise click.ClickException(
            f"{name} is no auditor, administrator or coordinator, so cannot decide this."
        )
    return arrived.actor
