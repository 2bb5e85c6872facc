"""Questions about rounds; nothing here writes, and nothing here tells what is not released."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from federation.rounds import states
from federation.rounds.errors import RoundError
from federation.rounds.models import EvaluationRound, RoundAction, RoundEvent, RoundNote, RoundPart
from federation.rounds.releasing import newest
from federation.rounds.snapshot import Snapshot
from studies.models import WorkingGroup


def get(session: Session, round_id: str) -> EvaluationRound:
    """The round with this id; RoundError ROUND_NOT_FOUND."""
    found = session.get(EvaluationRound, round_id)
    if found is None:
        raise RoundError("ROUND_NOT_FOUND")
    return found


def visible(
    session: Session,
    *,
    groups: Collection[str] | None = frozenset(),
    studies: Collection[str] | None = frozenset(),
    sites: Collection[str] | None = frozenset(),
    kinds: Collection[str] = ("round",),
) -> list[EvaluationRound]:
    """The rounds of these groups ("network.slug"), of these studies, or that these hospitals are
    in, the newest release first. None for any of them means all."""
    wanted = select(EvaluationRound).where(EvaluationRound.kind.in_(kinds))
    if None not in (groups, studies, sites):
        key = WorkingGroup.network + "." + WorkingGroup.slug
        of_groups = select(WorkingGroup.id).where(key.in_(groups or ()))
        of_sites = select(RoundPart.round_id).where(RoundPart.site.in_(sites or ()))
        wanted = wanted.where(
            or_(
                EvaluationRound.group_id.in_(of_groups),
                EvaluationRound.study.in_(studies or ()),
                EvaluationRound.id.in_(of_sites),
            )
        )
    return list(
        session.scalars(
            wanted.order_by(EvaluationRound.release_at.desc(), EvaluationRound.number.desc())
        )
    )


def told(row: EvaluationRound) -> str:
    """The state of a round as people may know it."""
    return states.told(row.state)


def sites_of(session: Session, row: EvaluationRound) -> list[str]:
    """The hospitals that the round's plan names."""
    return [str(site) for site in row.plan["sites"]]


def snapshot(session: Session, row: EvaluationRound) -> Snapshot:
    """What the round found, with what was added last. RoundError NOT_RELEASED before the release,
    whoever asks."""
    home = row if row.kind != "strata" else session.get_one(EvaluationRound, row.parent)
    found = newest(session, home) if row.state in states.READABLE else None
    if found is None:
        raise RoundError("NOT_RELEASED")
    return found


def events(session: Session, row: EvaluationRound) -> list[RoundEvent]:
    """What happened to a round, the oldest first."""
    found = select(RoundEvent).where(RoundEvent.round_id == row.id).order_by(RoundEvent.number)
    return list(session.scalars(found))


def notes(session: Session, row: EvaluationRound) -> list[RoundNote]:
    """What was said of a round, the oldest first."""
    found = select(RoundNote).where(RoundNote.round_id == row.id)
    return list(session.scalars(found.order_by(RoundNote.at, RoundNote.id)))


def actions(session: Session, row: EvaluationRound) -> list[RoundAction]:
    """The actions of a round, the one that is due first."""
    found = select(RoundAction).where(RoundAction.round_id == row.id)
    return list(session.scalars(found.order_by(RoundAction.due, RoundAction.id)))


def additions(session: Session, row: EvaluationRound) -> list[EvaluationRound]:
    """The cause analyses and measurings of a round, in order."""
    found = select(EvaluationRound).where(EvaluationRound.parent == row.id)
    return list(session.scalars(found.order_by(EvaluationRound.number)))


def series(session: Session, row: EvaluationRound) -> list[EvaluationRound]:
    """The rounds before this one in its series, the newest first."""
    found = []
    while row.previous is not None:
        row = session.get_one(EvaluationRound, row.previous)
        found.append(row)
    return found
