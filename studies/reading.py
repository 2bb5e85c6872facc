"""Questions about networks, institutions, studies and who takes part. Nothing here writes."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from studies.errors import StudiesError
from studies.models import (
    Institution,
    Membership,
    Network,
    Participation,
    SiteNode,
    Study,
    WorkingGroup,
)
from studies.network.agreements import may_be_asked
from studies.periods import in_force


def list_networks(session: Session) -> list[Network]:
    """All networks by name."""
    return list(session.scalars(select(Network).order_by(Network.name, Network.slug)))


def list_institutions(session: Session, network: str, at: datetime) -> list[Institution]:
    """The members of a network at a moment, by name."""
    return list(
        session.scalars(
            select(Institution)
            .join(Membership, Membership.institution == Institution.slug)
            .where(Membership.network == network, in_force(Membership, at))
            .order_by(Institution.name, Institution.slug)
        )
    )


def list_groups(session: Session, network: str) -> list[WorkingGroup]:
    """The working groups of a network with their members, by Dutch name."""
    return list(
        session.scalars(
            select(WorkingGroup)
            .where(WorkingGroup.network == network)
            .options(selectinload(WorkingGroup.members))
            .order_by(WorkingGroup.name_nl, WorkingGroup.slug)
        )
    )


def list_studies(session: Session, *, states: Sequence[str] = ("open", "closed")) -> list[Study]:
    """Studies in one of `states` with who takes part, by slug; drafts only when asked for."""
    return list(
        session.scalars(
            select(Study)
            .where(Study.state.in_(states))
            .options(selectinload(Study.participations).selectinload(Participation.of_institution))
            .order_by(Study.slug)
        )
    )


def get_study(session: Session, slug: str) -> Study:
    """One study. Raises StudiesError `not_found`."""
    study = session.get(Study, slug)
    if study is None:
        raise StudiesError("not_found")
    return study


def get_participation(session: Session, study: str, institution: str) -> Participation:
    """A hospital's part in a study. Raises StudiesError `not_found`."""
    part = session.scalars(
        select(Participation).where(
            Participation.study == study, Participation.institution == institution
        )
    ).first()
    if part is None:
        raise StudiesError("not_found")
    return part


def open_sites(session: Session, study: str, at: datetime | None = None) -> list[str]:
    """Slugs of the hospitals that a query of this study may ask, sorted: open in it, and with every
    agreement that its network needs in force. None for a study that asks no data. `at`: the
    session's clock unless given.
    """
    parts = session.execute(
        select(Participation.institution, Study.network)
        .join(Study, Study.slug == Participation.study)
        .where(
            Study.slug == study,
            Study.state == "open",
            Study.asks_data,
            Participation.state == "open",
        )
    ).all()
    if not parts:
        return []
    moment = session.info.get("clock", _utc_now)() if at is None else at
    return may_be_asked(session, parts[0].network, [part.institution for part in parts], moment)


def list_nodes(session: Session) -> dict[str, SiteNode]:
    """The enrolled site programs by institution."""
    nodes = session.scalars(select(SiteNode))
    return {node.institution: node for node in sorted(nodes, key=lambda node: node.institution)}


def _utc_now() -> datetime:
    return datetime.now(UTC)
