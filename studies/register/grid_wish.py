"""Which studies and hospitals somebody wants to see: the filters of the grid, as questions to the
database. Only names are read here, never a study with its codebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, or_, select
from sqlalchemy.orm import Session

from studies.models import (
    Institution,
    Membership,
    Network,
    Participation,
    Study,
    WorkingGroup,
)

MOST_WORDS = 8


@dataclass(frozen=True)
class Wish:
    """What somebody wants to see. `reach`: the studies that are theirs, None for all.

    Empty text means no wish. `state`: studies with a part in it; `network`: only its members of
    now; `descending` turns the order round.
    """

    reach: frozenset[str] | None = None
    group: str = ""
    state: str = ""
    hospital: str = ""
    network: str = ""
    kind: str = ""
    words: str = ""
    sort: str = "title"
    descending: bool = False
    page: int = 1
    side: int = 1

    @property
    def narrowed(self) -> bool:
        """Whether anything but order and page was asked."""
        return any((self.group, self.state, self.hospital, self.network, self.kind, self.words))


@dataclass(frozen=True)
class Place:
    """A hospital of the grid."""

    slug: str
    name: str


@dataclass(frozen=True)
class Choices:
    """What the filters offer, as slug (or id) and names: groups, hospitals, networks."""

    groups: tuple[tuple[str, str, str], ...]
    hospitals: tuple[Place, ...]
    networks: tuple[tuple[str, str], ...]


def choices(session: Session, reach: frozenset[str] | None) -> Choices:
    """What can be chosen in the filters, among the studies that are somebody's own."""
    mine = [] if reach is None else [Study.slug.in_(reach)]
    groups = session.execute(
        select(WorkingGroup.id, WorkingGroup.name_nl, WorkingGroup.name_en)
        .where(exists().where(Study.group_id == WorkingGroup.id, *mine))
        .order_by(WorkingGroup.name_nl)
    )
    of_mine = [] if reach is None else [Participation.study.in_(reach)]
    hospitals = session.execute(
        select(Institution.slug, Institution.name)
        .where(exists().where(Participation.institution == Institution.slug, *of_mine))
        .order_by(Institution.name)
    )
    places = tuple(Place(row.slug, row.name) for row in hospitals)
    return Choices(
        tuple((row.id, row.name_nl, row.name_en) for row in groups),
        places,
        tuple(_networks(session, [place.slug for place in places])),
    )


def _networks(session: Session, hospitals: Sequence[str]) -> list[tuple[str, str]]:
    found = session.execute(
        select(Network.slug, Network.name)
        .where(
            exists().where(
                Membership.network == Network.slug, Membership.institution.in_(hospitals)
            )
        )
        .order_by(Network.name)
    )
    return [(row.slug, row.name) for row in found]


def of_reach(wish: Wish) -> list[ColumnElement[bool]]:
    return [] if wish.reach is None else [Study.slug.in_(wish.reach)]


def of_study(wish: Wish) -> list[ColumnElement[bool]]:
    """What a wish asks of the study itself."""
    asked: list[ColumnElement[bool]] = []
    if wish.group:
        asked.append(Study.group_id == wish.group)
    if wish.kind:
        asked.append(Study.kind == wish.kind)
    for word in wish.words.split()[:MOST_WORDS]:
        like = f"%{_escaped(word)}%"
        asked.append(
            or_(
                *(
                    column.ilike(like, escape="\\")
                    for column in (Study.title_nl, Study.title_en, Study.slug, Study.lead_name)
                )
            )
        )
    return asked


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def places_of(session: Session, wish: Wish, now: datetime) -> list[Place]:
    """The hospitals that have a part in these studies, of a network or alone when asked."""
    part = exists().where(Participation.institution == Institution.slug)
    if wish.reach is not None:
        part = part.where(Participation.study.in_(wish.reach))
    wanted = select(Institution.slug, Institution.name).where(part)
    if wish.hospital:
        wanted = wanted.where(Institution.slug == wish.hospital)
    if wish.network:
        wanted = wanted.where(
            exists().where(
                Membership.institution == Institution.slug,
                Membership.network == wish.network,
                Membership.since <= now,
                or_(Membership.until.is_(None), Membership.until > now),
            )
        )
    found = session.execute(wanted.order_by(Institution.name, Institution.slug))
    return [Place(row.slug, row.name) for row in found]


def studies_of(wish: Wish, places: Sequence[str]) -> Select[Any]:
    """The slugs of all studies that fit."""
    wanted = select(Study.slug).where(*of_reach(wish), *of_study(wish))
    if wish.state or wish.hospital or wish.network:
        part = exists().where(Participation.study == Study.slug, *at_places(wish, places))
        wanted = wanted.where(part.where(Participation.state == wish.state) if wish.state else part)
    return wanted


def at_places(wish: Wish, places: Sequence[str]) -> list[ColumnElement[bool]]:
    """That a part is of one of these hospitals; says nothing when it cannot be of another."""
    return [Participation.institution.in_(places)] if wish.hospital or wish.network else []


def in_studies(wish: Wish, places: Sequence[str]) -> list[ColumnElement[bool]]:
    """That a part is of a study that fits, without looking at studies when all of them do."""
    if wish.reach is None and not wish.narrowed:
        return []
    return [Participation.study.in_(studies_of(wish, places))]
