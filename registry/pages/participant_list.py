"""A page of the participants of a study: of a hospital, in a state, with signs in their number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from registry.pages.shell import whole
from studies.participants.models import Participant
from studies.participants.states import STATES

PER_PAGE: Final = 50
LONGEST: Final = 64
#: Beside the states: those that count nowhere, which a coordinator may look for.
MISTAKES: Final = "mistakes"


@dataclass(frozen=True)
class Wish:
    """What the reader wants to see; what no participant can have is as nothing asked."""

    hospital: str = ""
    state: str = ""
    number: str = ""
    page: int = 1

    @property
    def narrows(self) -> bool:
        return bool(self.hospital or self.state or self.number)


@dataclass(frozen=True)
class Found:
    """One page of participants by number. `places` and `states` say what there is to choose."""

    lines: tuple[Participant, ...]
    total: int
    page: int
    pages: int
    all: int
    places: tuple[str, ...]
    states: tuple[tuple[str, int], ...]


def read_wish(args: Mapping[str, str]) -> Wish:
    """The wish of an address."""
    state = args.get("state", "")
    return Wish(
        hospital=args.get("hospital", "")[:LONGEST],
        state=state if state in STATES or state == MISTAKES else "",
        number=args.get("number", "").strip()[:LONGEST].upper(),
        page=max(whole(args.get("page", "")) or 1, 1),
    )


def find(session: Session, study: str, wish: Wish) -> Found:
    """The participants that fit, by number; a page past the last is the last."""
    mine = Participant.study == study
    counted = Participant.entered_wrongly.is_(False)
    states = {
        state: count
        for state, count in session.execute(
            select(Participant.state, func.count()).where(mine, counted).group_by(Participant.state)
        )
    }
    mistakes = session.scalar(select(func.count()).where(mine, ~counted)) or 0
    places = {
        place
        for pair in session.execute(
            select(Participant.site, Participant.offered_to).where(mine).distinct()
        )
        for place in pair
        if place is not None
    }
    where: list[ColumnElement[bool]] = [mine, ~counted if wish.state == MISTAKES else counted]
    if wish.state in STATES:
        where.append(Participant.state == wish.state)
    if wish.hospital in places:
        where.append(
            or_(Participant.site == wish.hospital, Participant.offered_to == wish.hospital)
        )
    if wish.number:
        where.append(Participant.pseudonym.contains(wish.number, autoescape=True))
    total = session.scalar(select(func.count()).select_from(Participant).where(*where)) or 0
    pages = max(1, -(-total // PER_PAGE))
    page = min(wish.page, pages)
    rows = session.scalars(
        select(Participant)
        .where(*where)
        .order_by(Participant.pseudonym)
        .offset((page - 1) * PER_PAGE)
        .limit(PER_PAGE)
    )
    choices = [(state, states[state]) for state in STATES if state in states]
    if mistakes:
        choices.append((MISTAKES, mistakes))
    return Found(
        lines=tuple(rows),
        total=total,
        page=page,
        pages=pages,
        all=sum(states.values()),
        places=tuple(sorted(places)),
        states=tuple(choices),
    )
