"""Commands: who belongs to a network and to its subnetworks, from when until when."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.errors import StudiesError
from studies.events import Fact, announce
from studies.models import Institution, Membership, Network
from studies.network.models import Office, Professional, Subnetwork, SubnetworkMember
from studies.network.words import AGREEMENT_KINDS, OFFICES, SUBNETWORK_ROLES
from studies.periods import check_period, end, in_force
from studies.slugs import check_slug


def add_subnetwork(
    session: Session,
    *,
    network: str,
    slug: str,
    name: str,
    since: datetime,
    actor: Actor,
    region_nl: str = "",
    region_en: str = "",
) -> Subnetwork:
    """A new part of a network. Raises StudiesError `bad_name`, `not_found`, `name_taken`."""
    check_slug(slug)
    if session.get(Network, network) is None:
        raise StudiesError("not_found")
    if find_subnetwork(session, network, slug) is not None:
        raise StudiesError("name_taken")
    made = Subnetwork(
        network=network,
        slug=slug,
        name=name,
        region_nl=region_nl,
        region_en=region_en,
        since=since,
    )
    session.add(made)
    session.flush()
    _announce(session, actor, "network.subnetwork_added", network, subnetwork=slug)
    return made


def find_subnetwork(session: Session, network: str, slug: str) -> Subnetwork | None:
    """The subnetwork of this name, also one that has ended; None when there was none."""
    return session.scalars(
        select(Subnetwork).where(Subnetwork.network == network, Subnetwork.slug == slug)
    ).first()


def join_network(
    session: Session, network: str, institution: str, *, since: datetime, actor: Actor
) -> Membership:
    """Let an institution belong to a network from a day on.

    Raises StudiesError `not_found`, `name_taken` when it is a member then.
    """
    if session.get(Network, network) is None or session.get(Institution, institution) is None:
        raise StudiesError("not_found")
    if _membership(session, network, institution, since) is not None:
        raise StudiesError("name_taken")
    made = Membership(network=network, institution=institution, since=since)
    session.add(made)
    session.flush()
    _announce(session, actor, "network.joined", network, institution=institution)
    return made


def leave_network(
    session: Session, network: str, institution: str, *, at: datetime, actor: Actor
) -> None:
    """End an institution's membership, and with it that of the network's subnetworks.

    Raises StudiesError `not_a_member`, `bad_period`.
    """
    held = _membership(session, network, institution, at)
    if held is None:
        raise StudiesError("not_a_member")
    end(held, at)
    parts = session.scalars(
        select(SubnetworkMember)
        .join(Subnetwork, Subnetwork.id == SubnetworkMember.subnetwork_id)
        .where(
            Subnetwork.network == network,
            SubnetworkMember.institution == institution,
            in_force(SubnetworkMember, at),
        )
    )
    for part in parts:
        end(part, at)
    session.flush()
    _announce(session, actor, "network.left", network, institution=institution)


def join_subnetwork(
    session: Session,
    subnetwork: Subnetwork,
    institution: str,
    *,
    since: datetime,
    actor: Actor,
    role: str = "member",
) -> SubnetworkMember:
    """Let a member of the network belong to a part of it too; it may belong to several.

    Raises StudiesError `unknown_code`, `not_a_member`, `name_taken` when it is in this one then.
    """
    if role not in SUBNETWORK_ROLES:
        raise StudiesError("unknown_code")
    if _membership(session, subnetwork.network, institution, since) is None:
        raise StudiesError("not_a_member")
    if _part(session, subnetwork, institution, since) is not None:
        raise StudiesError("name_taken")
    made = SubnetworkMember(
        subnetwork_id=subnetwork.id, institution=institution, role=role, since=since
    )
    session.add(made)
    session.flush()
    facts: dict[str, Fact] = {"institution": institution, "subnetwork": subnetwork.slug}
    _announce(session, actor, "network.subnetwork_joined", subnetwork.network, **facts, role=role)
    return made


def leave_subnetwork(
    session: Session, subnetwork: Subnetwork, institution: str, *, at: datetime, actor: Actor
) -> None:
    """End an institution's time in a subnetwork. Raises StudiesError `not_a_member`,
    `bad_period`."""
    held = _part(session, subnetwork, institution, at)
    if held is None:
        raise StudiesError("not_a_member")
    end(held, at)
    session.flush()
    facts: dict[str, Fact] = {"institution": institution, "subnetwork": subnetwork.slug}
    _announce(session, actor, "network.subnetwork_left", subnetwork.network, **facts)


def need_agreements(session: Session, network: str, kinds: list[str], *, actor: Actor) -> Network:
    """Which kinds of agreement an institution must have in force before it is asked anything.

    An empty list asks without looking. Raises StudiesError `not_found`, `unknown_code`.
    """
    found = session.get(Network, network)
    if found is None:
        raise StudiesError("not_found")
    if not set(kinds) <= set(AGREEMENT_KINDS):
        raise StudiesError("unknown_code")
    found.needs = sorted(set(kinds))
    session.flush()
    _announce(session, actor, "network.needs", network, kinds=", ".join(found.needs) or None)
    return found


def take_office(
    session: Session,
    kind: str,
    person: Professional,
    *,
    since: datetime,
    actor: Actor,
    network: str | None = None,
    institution: str | None = None,
    until: datetime | None = None,
) -> Office:
    """Put a person on a hospital's board, or let them observe for a client council or GP circle.

    Raises StudiesError `unknown_code` (also a board of no institution), `bad_period`.
    """
    if kind not in OFFICES or (kind == "board" and institution is None):
        raise StudiesError("unknown_code")
    check_period(since, until)
    made = Office(
        kind=kind,
        professional=person.id,
        network=network,
        institution=institution,
        since=since,
        until=until,
    )
    session.add(made)
    session.flush()
    about = f"institution:{institution}" if institution else f"network:{network}"
    action = "institution.office_taken" if institution else "network.office_taken"
    announce(session, actor=actor, action=action, about=about, facts={"kind": kind})
    return made


def end_office(session: Session, office: Office, *, at: datetime, actor: Actor) -> None:
    """End somebody's time on a board or as observer; the days before stay as they were.

    Raises StudiesError `bad_period` when it does not hold at that moment.
    """
    end(office, at)
    session.flush()
    about = "institution" if office.institution else "network"
    announce(
        session,
        actor=actor,
        action=f"{about}.office_left",
        about=f"{about}:{office.institution or office.network}",
        facts={"kind": office.kind},
    )


def _membership(
    session: Session, network: str, institution: str, at: datetime
) -> Membership | None:
    return session.scalars(
        select(Membership).where(
            Membership.network == network,
            Membership.institution == institution,
            in_force(Membership, at),
        )
    ).first()


def _part(
    session: Session, subnetwork: Subnetwork, institution: str, at: datetime
) -> SubnetworkMember | None:
    return session.scalars(
        select(SubnetworkMember).where(
            SubnetworkMember.subnetwork_id == subnetwork.id,
            SubnetworkMember.institution == institution,
            in_force(SubnetworkMember, at),
        )
    ).first()


def _announce(session: Session, actor: Actor, action: str, network: str, **facts: Fact) -> None:
    announce(session, actor=actor, action=action, about=f"network:{network}", facts=facts)
