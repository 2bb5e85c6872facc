"""The division of care: which institution gives which treatment of which tumours, from when on.

Rare tumours are divided by expertise; the map says where, and who did it before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.errors import StudiesError
from studies.events import announce
from studies.models import Institution, Membership
from studies.network.models import Expertise
from studies.network.tumours import read_tumour
from studies.network.words import TREATMENTS
from studies.periods import check_period, end, holds, in_force


@dataclass(frozen=True)
class ExpertiseLine:
    """One line of the map: a treatment of a tumour, and the institutions that give it."""

    tumour: str
    treatment: str
    places: tuple[tuple[Institution, Expertise], ...]


def declare_expertise(
    session: Session,
    *,
    network: str,
    institution: str,
    tumour: str,
    treatment: str,
    since: datetime,
    actor: Actor,
    until: datetime | None = None,
    source: str = "",
) -> Expertise:
    """Write down that an institution gives a treatment of a tumour from a day on.

    Raises StudiesError `bad_tumour`, `unknown_code`, `bad_period`, `not_a_member`, `name_taken`
    when the same stands there already for then.
    """
    written = str(read_tumour(tumour))
    if treatment not in TREATMENTS:
        raise StudiesError("unknown_code")
    check_period(since, until)
    member = select(Membership.id).where(
        Membership.network == network,
        Membership.institution == institution,
        in_force(Membership, since),
    )
    if session.scalar(member.limit(1)) is None:
        raise StudiesError("not_a_member")
    same = select(Expertise.id).where(
        Expertise.network == network,
        Expertise.institution == institution,
        Expertise.tumour == written,
        Expertise.treatment == treatment,
        in_force(Expertise, since),
    )
    if session.scalar(same.limit(1)) is not None:
        raise StudiesError("name_taken")
    made = Expertise(
        network=network,
        institution=institution,
        tumour=written,
        treatment=treatment,
        since=since,
        until=until,
        source=source,
    )
    session.add(made)
    session.flush()
    _announce(session, actor, "expertise.declared", made)
    return made


def end_expertise(session: Session, line: Expertise, *, at: datetime, actor: Actor) -> None:
    """End an institution's place in the division. Raises StudiesError `bad_period`."""
    end(line, at)
    session.flush()
    _announce(session, actor, "expertise.ended", line)


def expertise_map(
    session: Session, network: str, at: datetime, institutions: Sequence[str] | None = None
) -> list[ExpertiseLine]:
    """The map at a moment by tumour and treatment; `institutions`: only these of them."""
    rows = session.execute(
        select(Institution, Expertise)
        .join(Expertise, Expertise.institution == Institution.slug)
        .where(Expertise.network == network)
        .order_by(Expertise.tumour, Expertise.treatment, Institution.name)
    ).all()
    lines: dict[tuple[str, str], list[tuple[Institution, Expertise]]] = {}
    for institution, line in rows:
        if institutions is not None and institution.slug not in institutions:
            continue
        if holds(line, at):
            lines.setdefault((line.tumour, line.treatment), []).append((institution, line))
    return [ExpertiseLine(*key, tuple(places)) for key, places in lines.items()]


def _announce(session: Session, actor: Actor, action: str, line: Expertise) -> None:
    announce(
        session,
        actor=actor,
        action=action,
        about=f"institution:{line.institution}",
        facts={"network": line.network, "tumour": line.tumour, "treatment": line.treatment},
    )
