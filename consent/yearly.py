"""A network's year in choices: how many were asked, answered and stopped, in rounded numbers."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consent.models import ConsentEvent, Invitation, Subject
from consent.rounding import rounded


@dataclass(frozen=True)
class YearOfChoices:
    """Patients, each hospital's counted for itself; rounded to ten, None for fewer than ten.

    invited: got a letter in the year; answered: said something in it; stopped: took a choice back
    in it. No total can be made of them, and none is given.
    """

    invited: int | None
    answered: int | None
    stopped: int | None


def year_of_choices(
    session: Session, network: str, since: datetime, until: datetime
) -> YearOfChoices:
    """What patients of a network did from `since` up to `until`."""
    letters = (
        select(func.count(func.distinct(Invitation.subject_id)))
        .join(Subject, Subject.id == Invitation.subject_id)
        .where(
            Subject.network == network,
            Invitation.created_at >= since,
            Invitation.created_at < until,
        )
    )
    said = select(func.count(func.distinct(ConsentEvent.subject_id))).where(
        ConsentEvent.network == network,
        ConsentEvent.recorded_at >= since,
        ConsentEvent.recorded_at < until,
    )
    return YearOfChoices(
        rounded(session.scalar(letters)),
        rounded(session.scalar(said)),
        rounded(session.scalar(said.where(ConsentEvent.kind == "withdrawn"))),
    )
