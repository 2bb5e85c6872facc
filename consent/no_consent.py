"""Decisions to use data without asking (art. 7:458 BW; consent.md 3.7): kept, shown, and no more.

One person of a committee or board proposes, another decides, with a ground, the reason, the
reference of the approval and an end. The route is off in every network that does not name it, and
**nobody counts by a decision**: no list, no rule and no program of a hospital reads this table. It
is kept so that it is known who decided what, before anybody builds more on it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent.errors import ConsentError
from consent.models_trust import NoConsentDecision
from studies.actor import Actor
from studies.events import announce
from studies.models import Network, Study

SETTING: Final = "no_consent_route"
GROUNDS: Final = ("a", "b")
"""a: asking is not reasonably possible, with safeguards. b: asking cannot reasonably be expected,
with data that name nobody."""
LONGEST: Final = timedelta(days=5 * 366)
MOST_WORDS: Final = 2_000


def is_on(session: Session, study: Study) -> bool:
    """Whether the network of this study allows such decisions at all."""
    return session.get_one(Network, study.network).consent.get(SETTING) is True


def switch(session: Session, network: Network, *, on: bool, actor: Actor) -> None:
    """Allow such decisions in a network, or not any more. What was decided stays on record."""
    network.consent = {**network.consent, SETTING: on}
    session.flush()
    announce(
        session,
        actor=actor,
        action="network.no_consent_route",
        about=f"network:{network.slug}",
        facts={"state": "on" if on else "off"},
    )


def propose(
    session: Session,
    study: Study,
    *,
    ground: str,
    reason: str,
    reference: str,
    until: datetime,
    actor: Actor,
    now: datetime,
) -> NoConsentDecision:
    """Propose a decision; it is none until another person decides.

    The caller checks that the actor may. Raises ConsentError `route_not_allowed` while the network
    has the route off, `route_incomplete` without ground, reason, reference or an end within five
    years.
    """
    if not is_on(session, study):
        raise ConsentError("route_not_allowed")
    words = (reason.strip(), reference.strip())
    if ground not in GROUNDS or not all(words) or len("".join(words)) > MOST_WORDS:
        raise ConsentError("route_incomplete")
    if not now < until <= now + LONGEST:
        raise ConsentError("route_incomplete")
    made = NoConsentDecision(
        study=study.slug,
        ground=ground,
        reason=words[0],
        reference=words[1],
        asked_by=actor.id,
        asked_at=now,
        until=until,
    )
    session.add(made)
    session.flush()
    _announce(session, made, actor, "consent.route_proposed")
    return made


def decide(session: Session, found: NoConsentDecision, *, actor: Actor, now: datetime) -> None:
    """Decide what somebody else proposed.

    Raises ConsentError `route_not_allowed`, `two_people_needed`, `route_decided`.
    """
    session.refresh(found, with_for_update=True)
    if not is_on(session, session.get_one(Study, found.study)):
        raise ConsentError("route_not_allowed")
    if found.decided_at is not None or found.ended_at is not None or found.until <= now:
        raise ConsentError("route_decided")
    if actor.id == found.asked_by:
        raise ConsentError("two_people_needed")
    found.decided_by, found.decided_at = actor.id, now
    session.flush()
    _announce(session, found, actor, "consent.route_decided")


def end(session: Session, found: NoConsentDecision, *, actor: Actor, now: datetime) -> None:
    """End a decision, or take a proposal back: one person is enough. Raises `route_decided` for
    one that has ended."""
    session.refresh(found, with_for_update=True)
    if found.ended_at is not None:
        raise ConsentError("route_decided")
    found.ended_by, found.ended_at = actor.id, now
    session.flush()
    _announce(session, found, actor, "consent.route_ended")


def find(session: Session, number: str) -> NoConsentDecision:
    """ConsentError `route_not_found` when there is none with this number."""
    found = session.get(NoConsentDecision, number)
    if found is None:
        raise ConsentError("route_not_found")
    return found


def decisions(session: Session, study: str) -> Sequence[NoConsentDecision]:
    """Everything that was proposed or decided about a study, newest first."""
    return session.scalars(
        select(NoConsentDecision)
        .where(NoConsentDecision.study == study)
        .order_by(NoConsentDecision.asked_at.desc(), NoConsentDecision.id)
    ).all()


def in_force(session: Session, study: str, now: datetime) -> NoConsentDecision | None:
    """The newest decision that holds now; None when there is none, or the network has the route
    off."""
    found = (
        each for each in decisions(session, study) if state_of(session, each, now) == "decided"
    )
    return next(found, None)


def proposed(session: Session, now: datetime) -> Sequence[NoConsentDecision]:
    """What waits for a second person, in all studies, the oldest first."""
    rows = session.scalars(
        select(NoConsentDecision)
        .where(NoConsentDecision.decided_at.is_(None), NoConsentDecision.ended_at.is_(None))
        .order_by(NoConsentDecision.asked_at, NoConsentDecision.id)
    )
    return [each for each in rows if state_of(session, each, now) == "proposed"]


def state_of(session: Session, found: NoConsentDecision, now: datetime) -> str:
    """One of: off (the network has the route off), ended, proposed, decided."""
    if not is_on(session, session.get_one(Study, found.study)):
        return "off"
    if found.ended_at is not None or found.until <= now:
        return "ended"
    return "proposed" if found.decided_at is None else "decided"


def _announce(session: Session, about: NoConsentDecision, actor: Actor, action: str) -> None:
    announce(
        session,
        actor=actor,
        action=action,
        about=f"study:{about.study}",
        facts={"decision": about.id, "ground": about.ground},
    )
