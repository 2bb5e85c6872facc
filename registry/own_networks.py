"""In which networks somebody works, by the roles that they hold."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.access import INSIDE, reach
from studies.actor import Actor
from studies.models import Membership, Network, Study
from studies.periods import in_force


def networks_of(session: Session, actor: Actor, now: datetime) -> frozenset[str]:
    """Where the roles of somebody who works inside reach: of a study its network, of a hospital the
    networks that it is in now, of a group its own; of the whole hub every network."""
    reached = {kind: _reached(actor, INSIDE, kind) for kind in ("study", "site", "group")}
    if any(slugs is None for slugs in reached.values()):
        return frozenset(session.scalars(select(Network.slug)))
    studies, sites, groups = (reached[kind] or set() for kind in ("study", "site", "group"))
    found = set(session.scalars(select(Study.network).where(Study.slug.in_(studies))))
    found |= set(
        session.scalars(
            select(Membership.network).where(
                Membership.institution.in_(sites), in_force(Membership, now)
            )
        )
    )
    return frozenset(found | {key.partition(".")[0] for key in groups})


def announcing_in(session: Session, actor: Actor) -> frozenset[str]:
    """The networks that somebody may tell something: an administrator all, a coordinator those of
    their studies that are open. A draft does not count: it may be one's own proposal."""
    if "administrator@network" in actor.roles:
        return frozenset(session.scalars(select(Network.slug)))
    return coordinating_in(session, actor)


def coordinating_in(session: Session, actor: Actor) -> frozenset[str]:
    """The networks in which somebody coordinates a study that is open."""
    mine = reach(actor, "coordinator", "study")
    if mine is None:
        return frozenset(session.scalars(select(Network.slug)))
    return frozenset(
        session.scalars(select(Study.network).where(Study.slug.in_(mine), Study.state == "open"))
    )


def _reached(actor: Actor, roles: Iterable[str], kind: str) -> set[str] | None:
    """The slugs of `kind` that one of the roles reaches; None for the whole hub."""
    found: set[str] = set()
    for role in roles:
        slugs = reach(actor, role, kind)
        if slugs is None:
            return None
        found |= slugs
    return found
