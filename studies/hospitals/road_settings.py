"""Command: which steps of the road a network leaves out, per kind of study."""

from collections.abc import Collection

from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.events import announce
from studies.hospitals.pathway import BY_CODE, Pathway, pathway
from studies.models import Network


def leave_out(
    session: Session, network: Network, kind: str, steps: Collection[str], *, actor: Actor
) -> Pathway:
    """Leave steps out of the road of a kind of study in a network; the road as it then is.

    A hospital that stands in such a step goes on from there. Raises StudiesError `unknown_kind`,
    `unknown_step`, `step_needed`.
    """
    road = pathway(kind, steps)
    ordered = sorted(steps, key=lambda code: BY_CODE[code].number)
    network.pathways = {**network.pathways, kind: ordered}
    session.flush()
    announce(
        session,
        actor=actor,
        action="network.road_changed",
        about=f"network:{network.slug}",
        facts={"kind": kind, "left_out": ", ".join(ordered) or None},
    )
    return road
