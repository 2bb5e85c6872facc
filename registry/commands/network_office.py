"""What the commands of the network office share: days, words, people, and how they answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

import click
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from registry.commands.opening import now, open_hub_database, operator
from registry.transaction import unit_of_work
from studies.actor import Actor
from studies.days import local_day
from studies.errors import StudiesError
from studies.network.groups import add_professional
from studies.network.models import Professional

#: What the columns for names and sources hold.
_LONGEST = 200
DAY = click.DateTime(["%Y-%m-%d"])

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
new_option = click.option("--new", is_flag=True, help="Add PERSON, who is not known here yet.")
since_option = click.option("--since", type=DAY, help="The first day; today.")
until_option = click.option("--until", type=DAY, help="The day on which it has ended; none.")
on_option = click.option("--on", "on", type=DAY, help="The first day without; today.")


@dataclass(frozen=True)
class Told:
    """What a command did: `row` for programs, `words` for who typed it."""

    row: Mapping[str, Any]
    words: str


class Words(click.ParamType):
    """A name or a source: not empty, and not longer than is kept."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The words with single spaces between them."""
        plain = " ".join(str(value).split())
        if not 0 < len(plain) <= _LONGEST:
            self.fail(f"give 1 to {_LONGEST} characters.", param, ctx)
        return plain


def write(do: Callable[[Session, Actor], Told], as_json: bool) -> None:
    """Do something in one audited transaction: data to stdout, words to stderr.

    A refusal undoes all of it, is said in its own sentence and ends with exit code 2.
    """
    by = operator()
    try:
        with unit_of_work(open_hub_database(), by) as session:
            told = do(session, by)
    except StudiesError as error:
        raise click.UsageError(error.message) from error
    if as_json:
        click.echo(json.dumps(dict(told.row), ensure_ascii=False))
    else:
        click.echo("\t".join(_cell(value) for value in told.row.values()))
    click.echo(told.words, err=True)


def moment(day: datetime | None) -> datetime:
    """The beginning of a day in UTC, of today when none is given: what seeds and agreements count
    by. Today has begun here an hour or two before: until then it counts from now."""
    today, at = local_day(now()), now()
    begins = datetime.combine(day or today, time(), UTC)
    return min(begins, at) if begins.date() == today else begins


def end_moment(day: datetime | None) -> datetime | None:
    """The beginning of a day, None when none is given."""
    return None if day is None else moment(day)


def written(at: datetime | None) -> str | None:
    """A moment as the day that was typed."""
    return None if at is None else f"{at:%Y-%m-%d}"


def period_words(since: datetime, until: datetime | None) -> str:
    """From when, and until when if that is known."""
    return f"from {written(since)}" + ("" if until is None else f" until {written(until)}")


def check_nothing_later(
    session: Session,
    table: Any,
    since: datetime,
    *same: ColumnElement[bool],
    until: datetime | None = None,
) -> None:
    """Refuse a period that would run into a later one of the same: it would count twice."""
    wanted = select(table.since).where(*same, table.since > since).order_by(table.since)
    if until is not None:
        wanted = wanted.where(table.since < until)
    later = session.scalar(wanted.limit(1))
    if later is not None:
        raise click.UsageError(
            f"The same is there already from {written(later)} on, and would then be there twice."
            " Give a later first day."
        )


def person_called(session: Session, text: str, *, new: bool, actor: Actor) -> Professional:
    """The person of this name or id; with `new`, a person who is added now.

    Adding has to be asked for: otherwise a slip of the keyboard would make a second person.
    """
    if new:
        return add_professional(session, text, actor=actor)
    by_id = session.get(Professional, text)
    if by_id is not None:
        return by_id
    found = session.scalars(select(Professional).where(Professional.name == text)).all()
    if not found:
        raise click.UsageError(
            f"There is nobody called '{text}' in this hub. Check the name, or add them with --new."
        )
    if len(found) > 1:
        ids = ", ".join(each.id for each in found)
        raise click.UsageError(f"{len(found)} people are called '{text}'. Give one by id: {ids}")
    return found[0]


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return "" if value is None else str(value)
