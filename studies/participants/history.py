"""What happened to a participant, as events that only grow, and what they add up to at any moment.

Dates may lie back, and may be put right; the order of states never changes by it. Where somebody
stood on a day is always worked out from the events, and what stands on the participant's own row is
the same sum, kept for searching.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.errors import StudiesError
from studies.events import announce
from studies.free_text import check_day
from studies.participants.models import Participant, ParticipantEvent
from studies.participants.states import REASONS, after_leaving

LATE: Final = timedelta(days=14)
"""What is written down later than this after it happened needs a reason."""
MOVES: Final = ("state", "left", "taken_over")
"""Kinds of events whose dates keep the order in which they were written down."""

UNDATED: Final = frozenset({"redated", "entered_wrongly", "linked", "unlinked"})
"""Kinds of events that are of when they were written down."""


@dataclass(frozen=True)
class Standing:
    """What the events up to a moment add up to; `state` None when there was nobody yet."""

    state: str | None = None
    since: datetime | None = None
    site: str | None = None
    on_study: datetime | None = None
    credited: str | None = None
    arm: str | None = None
    offered_to: str | None = None
    milestones: Mapping[str, datetime] = field(default_factory=dict)
    left: tuple[tuple[str, datetime], ...] = ()
    entered_wrongly: bool = False


def dated(
    events: Sequence[ParticipantEvent], known_at: datetime | None = None
) -> list[tuple[datetime, ParticipantEvent]]:
    """The events with the dates that stand, by date; dates put right are worked in.

    known_at: by what was written down then.
    """
    known = [one for one in events if known_at is None or one.recorded_at <= known_at]
    dates = {one.number: one.at for one in known if one.kind != "redated"}
    for one in sorted(known, key=lambda one: one.number):
        if one.kind == "redated" and one.refers in dates:
            dates[one.refers] = one.at
    left = [(dates[one.number], one) for one in known if one.number in dates]
    return sorted(left, key=lambda pair: (pair[0], pair[1].number))


def fold(
    events: Sequence[ParticipantEvent],
    moment: datetime | None = None,
    known_at: datetime | None = None,
) -> Standing:
    """Where a participant stood at a moment: the events up to then, in order of their dates.

    known_at: by what was written down then; None for all that is known now.
    """
    now: dict[str, Any] = {}
    milestones: dict[str, datetime] = {}
    left: list[tuple[str, datetime]] = []
    for at, one in dated(events, known_at):
        if one.kind == "entered_wrongly":
            now["entered_wrongly"] = True
        if moment is not None and at > moment:
            continue
        if one.kind == "state":
            now |= {"state": one.value, "since": at}
            now.setdefault("site", one.site)
            if one.value == "on-study":
                now |= {"on_study": at, "credited": now["site"]}
        elif one.kind == "left":
            after = after_leaving(str(now.get("state")), one.value)
            if after != now.get("state"):
                now |= {"state": after, "since": at}
            left.append((one.value, at))
        elif one.kind == "milestone":
            milestones[one.value] = at
        elif one.kind == "arm":
            now["arm"] = one.value
        elif one.kind == "taken_over":
            now["site"] = one.value
    offered = _offered(events, moment, known_at)
    return Standing(**now, offered_to=offered, milestones=milestones, left=tuple(left))


def _offered(
    events: Sequence[ParticipantEvent], moment: datetime | None, known_at: datetime | None
) -> str | None:
    """To which hospital somebody is offered. An offer is of when it was written down, whatever the
    date from which the other hospital then takes over."""
    offered = None
    for one in sorted(events, key=lambda one: one.number):
        if any(limit is not None and one.recorded_at > limit for limit in (moment, known_at)):
            continue
        if one.kind in ("offered", "not_taken", "taken_over"):
            offered = one.value if one.kind == "offered" else None
    return offered


def state_on(
    participant: Participant, moment: datetime, known_at: datetime | None = None
) -> Standing:
    """Where a participant stood at any past moment."""
    return fold(participant.events, moment, known_at)


def check_moment(at: datetime, now: datetime, reason: str | None) -> None:
    """Raise StudiesError `in_the_future`, `reason_needed` (older than :data:`LATE`),
    `unknown_code`."""
    if at > now:
        raise StudiesError("in_the_future")
    check_day(at.date())
    if reason is not None and reason not in REASONS:
        raise StudiesError("unknown_code")
    if now - at > LATE and reason is None:
        raise StudiesError("reason_needed")


@dataclass
class Writing:
    """One act on a participant: its events, then one announcement."""

    session: Session
    participant: Participant
    actor: Actor
    now: datetime

    @classmethod
    def on(
        cls,
        session: Session,
        participant: Participant,
        actor: Actor,
        now: datetime,
        expected: int | None,
    ) -> "Writing":
        """On a participant as it is now, locked; `changed_meanwhile` when it is not as shown.

        Raises StudiesError `has_left` for one who was entered wrongly.
        """
        session.flush()
        session.refresh(participant, with_for_update=True)
        session.refresh(participant, ["events"])
        if expected is not None and expected != participant.version:
            raise StudiesError("changed_meanwhile", versions=(expected, participant.version))
        if participant.entered_wrongly:
            raise StudiesError("has_left")
        return cls(session, participant, actor, now)

    def moment(self, at: datetime | None, reason: str | None, *, ordered: bool = False) -> datetime:
        """When it happened, checked; `ordered`: not before the last change of state or hospital."""
        moment = self.now if at is None else at
        check_moment(moment, self.now, reason)
        moves = [at for at, one in dated(self.participant.events) if one.kind in MOVES]
        if ordered and moves and moment < moves[-1]:
            raise StudiesError("before_last_step")
        return moment

    def write(
        self,
        kind: str,
        value: str,
        at: datetime,
        *,
        reason: str | None = None,
        refers: int | None = None,
        evidence: Mapping[str, Any] | None = None,
    ) -> ParticipantEvent:
        """Append an event, at the hospital where the participant is."""
        event = ParticipantEvent(
            participant_id=self.participant.id,
            number=len(self.participant.events) + 1,
            kind=kind,
            value=value,
            site=self.participant.site,
            at=at,
            recorded_at=self.now,
            by=self.actor.id,
            reason=reason,
            refers=refers,
            evidence=None if evidence is None else dict(evidence),
        )
        self.participant.events.append(event)
        return event

    def done(self, action: str) -> Participant:
        """Work out what the events add up to, and say what happened."""
        participant, said = self.participant, self.participant.events[-1]
        now = fold(participant.events)
        participant.state = str(now.state)
        participant.since = now.since or participant.since
        participant.site = now.site or participant.site
        participant.on_study, participant.credited = now.on_study, now.credited
        participant.arm, participant.offered_to = now.arm, now.offered_to
        participant.entered_wrongly = now.entered_wrongly
        participant.version = len(participant.events)
        self.session.flush()
        announce(
            self.session,
            actor=self.actor,
            action=action,
            about=f"participant:{participant.id}",
            facts={"study": participant.study, "site": participant.site, "what": said.value},
        )
        return participant
