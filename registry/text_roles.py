"""Who writes and who approves the texts for patients of a study."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.access import reach, reaches, reaches_any
from registry.accounts.models import Account
from studies.actor import Actor
from studies.models import Participation
from studies.states import PARTICIPATION_ENDED

WRITERS = frozenset({"coordinator"})
APPROVERS = frozenset({"committee", "board"})


def may_read(session: Session, actor: Actor, study: str, roles: Collection[str]) -> bool:
    """Whether one of `roles` reaches the texts of this study.

    Coordinator and committee hold their role for the study; a board holds it for its hospital, and
    reaches the studies that the hospital takes part in.
    """
    if reaches_any(actor, set(roles) - {"board"}, "study", study):
        return True
    return "board" in roles and _board_reaches(session, actor, study)


def may_approve(session: Session, actor: Actor, study: str) -> bool:
    """Whether this person may approve a text of this study."""
    return may_read(session, actor, study, APPROVERS)


def _board_reaches(session: Session, actor: Actor, study: str) -> bool:
    if reaches(actor, "board", "study", study):
        return True
    hospitals = reach(actor, "board", "site") or frozenset()
    taking_part = session.scalars(
        select(Participation.institution).where(
            Participation.study == study, Participation.state.not_in(PARTICIPATION_ENDED)
        )
    )
    return not hospitals.isdisjoint(taking_part)


def names_of(session: Session, people: Collection[str]) -> dict[str, str]:
    """Account ids with the names that others see; what is no account id stands for itself."""
    found = session.execute(
        select(Account.id, Account.display_name).where(Account.id.in_(list(people)))
    )
    return {person: person for person in people} | {id_: name for id_, name in found}
