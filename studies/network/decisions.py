"""What a working group decides: its meetings, its log, and the state it saw when it decided.

The log is only added to; a later line may replace an earlier one, which stays readable. Freezing a
meeting keeps a copy of the group's state as it was then, with its SHA-256, so that everybody who
was there can show later what lay on the table.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.base import canonical_json
from studies.days import local_day
from studies.errors import StudiesError
from studies.events import announce
from studies.free_text import check_day, lines, one_line, sha256_of
from studies.models import WorkingGroup
from studies.network.models import GroupDecision, GroupMeeting

LINK_KINDS = ("study", "query")
MAX_TEXT = 2_000
#: Patient-related research is a standing item of each group's agenda (OECI, reference 1).
STANDING = ("Lopend onderzoek / running studies",)


def plan_meeting(
    session: Session,
    group: WorkingGroup,
    *,
    held_on: datetime,
    agenda: Iterable[str],
    actor: Actor,
) -> GroupMeeting:
    """A meeting with its agenda, the standing item first; the same day again changes the agenda.

    Raises StudiesError `meeting_frozen`, `too_long_ago`, `control_sign`, `points_at_somebody`.
    """
    check_day(local_day(held_on))
    points = [one_line(point[:200], 200, held_on) for point in agenda if point.strip()]
    found = session.scalars(
        select(GroupMeeting).where(
            GroupMeeting.group_id == group.id, GroupMeeting.held_on == held_on
        )
    ).first()
    if found is None:
        found = GroupMeeting(group_id=group.id, held_on=held_on, agenda=[])
        session.add(found)
    elif found.frozen is not None:
        raise StudiesError("meeting_frozen")
    found.agenda = list(dict.fromkeys([*STANDING, *points]))
    session.flush()
    _announce(session, actor, "group.meeting_planned", group, day=local_day(held_on).isoformat())
    return found


def record_decision(
    session: Session,
    group: WorkingGroup,
    *,
    text: str,
    at: datetime,
    actor: Actor,
    now: datetime,
    links: Sequence[tuple[str, str]] = (),
    replaces: int | None = None,
) -> GroupDecision:
    """One more line in a group's log. `links` are ("study" or "query", its name).

    Raises StudiesError `empty_text`, `control_sign`, `points_at_somebody`, `in_the_future`,
    `too_long_ago`, `unknown_code` (a kind of link), `not_found` when there is no line `replaces`.
    """
    plain = lines(text.strip()[:MAX_TEXT], MAX_TEXT, now)
    if at > now:
        raise StudiesError("in_the_future")
    check_day(at.date())
    if any(kind not in LINK_KINDS or not name for kind, name in links):
        raise StudiesError("unknown_code")
    last = session.scalar(
        select(func.max(GroupDecision.number)).where(GroupDecision.group_id == group.id)
    )
    number = (last or 0) + 1
    if replaces is not None and not 1 <= replaces < number:
        raise StudiesError("not_found")
    made = GroupDecision(
        group_id=group.id,
        number=number,
        at=at,
        recorded_at=now,
        by=actor.id,
        text=plain,
        links=[{"kind": kind, "id": name} for kind, name in links],
        replaces=replaces,
    )
    session.add(made)
    session.flush()
    said = sha256_of(plain)
    _announce(
        session, actor, "group.decided", group, number=number, replaces=replaces, text_sha256=said
    )
    return made


def freeze_meeting(
    session: Session,
    group: WorkingGroup,
    meeting: GroupMeeting,
    state: Mapping[str, Any],
    *,
    actor: Actor,
    now: datetime,
) -> GroupMeeting:
    """Keep `state` (plain data: what lay on the table) with a meeting, for good.

    Raises StudiesError `not_found` for another group's meeting, `meeting_frozen`.
    """
    if meeting.group_id != group.id:
        raise StudiesError("not_found")
    if meeting.frozen is not None:
        raise StudiesError("meeting_frozen")
    meeting.frozen = dict(state)
    meeting.sha256 = digest(meeting.frozen)
    meeting.frozen_at, meeting.frozen_by = now, actor.id
    session.flush()
    day = local_day(meeting.held_on).isoformat()
    _announce(session, actor, "group.meeting_frozen", group, day=day, sha256=meeting.sha256)
    return meeting


def digest(state: Mapping[str, Any]) -> str:
    """The SHA-256 of a state's canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical_json(dict(state)).encode()).hexdigest()


def meetings(session: Session, group: WorkingGroup) -> list[GroupMeeting]:
    """A group's meetings, latest first."""
    return list(
        session.scalars(
            select(GroupMeeting)
            .where(GroupMeeting.group_id == group.id)
            .order_by(GroupMeeting.held_on.desc())
        )
    )


def decisions(
    session: Session, group: WorkingGroup, at: datetime | None = None
) -> list[GroupDecision]:
    """A group's log, latest first; up to a moment when one is given."""
    wanted = select(GroupDecision).where(GroupDecision.group_id == group.id)
    if at is not None:
        wanted = wanted.where(GroupDecision.at <= at)
    return list(session.scalars(wanted.order_by(GroupDecision.number.desc())))


def _announce(
    session: Session, actor: Actor, action: str, group: WorkingGroup, **facts: str | int | None
) -> None:
    announce(session, actor=actor, action=action, about=f"group:{group.key}", facts=facts)
