"""Studies by hospitals: the state of every part, since when, what comes next and whose turn it is.

Made for a network of a thousand studies and a hundred hospitals: columns are selected, never a
whole study with its codebook, and only the parts of the page that is shown are read one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from studies.days import local_day
from studies.hospitals.models import SitePlan
from studies.hospitals.pathway import Step, pathway
from studies.models import (
    Institution,
    Network,
    Participation,
    Study,
    WorkingGroup,
)
from studies.register.grid_wish import Place, Wish, at_places, in_studies, places_of, studies_of
from studies.states import PARTICIPATION_STATES

PER_PAGE = 25
#: So many hospitals stand beside each other; a screen cannot hold more names.
PLACES_ACROSS = 20
LINES_PER_PAGE = 50
SORTS = ("title", "group", "waiting", "changed", "open")
LINE_SORTS = ("days", "study", "hospital", "state")
#: In these the clock of start-up runs.
START_UP = PARTICIPATION_STATES[: PARTICIPATION_STATES.index("open")]
WAITING = tuple(state for state in START_UP if state != "declined")


@dataclass(frozen=True)
class Cell:
    """A hospital's part in a study. `next` is the step that usually comes next, None
    at the end of the road; `planned` its planned day, `late` when that has passed."""

    study: str
    institution: str
    state: str
    since: datetime
    days: int
    next: Step | None
    planned: date | None
    late: bool


@dataclass(frozen=True)
class Row:
    """A study with its parts by hospital."""

    slug: str
    title_nl: str
    title_en: str
    kind: str
    state: str
    group_nl: str | None
    group_en: str | None
    cells: Mapping[str, Cell] = field(default_factory=dict)

    def title(self, language: str) -> str:
        """The title in Dutch for "nl", in English otherwise."""
        return self.title_nl if language == "nl" else self.title_en

    def group(self, language: str) -> str:
        """The working group's name, empty when the study has none."""
        return (self.group_nl if language == "nl" else self.group_en) or ""


@dataclass(frozen=True)
class Grid:
    """One page of studies by hospitals; `states`, `studies` and `hospitals` count everything that
    fits, `side` of `sides` is which hospitals stand beside each other."""

    places: tuple[Place, ...]
    rows: tuple[Row, ...]
    studies: int
    states: Mapping[str, int]
    page: int
    pages: int
    hospitals: int
    side: int
    sides: int

    @property
    def parts(self) -> int:
        """Parts of hospitals in all that fits."""
        return sum(self.states.values())


@dataclass(frozen=True)
class Line:
    """One part in a list: its study and hospital by name, and the part itself."""

    study: str
    title_nl: str
    title_en: str
    hospital: str
    cell: Cell

    def title(self, language: str) -> str:
        """The title in Dutch for "nl", in English otherwise."""
        return self.title_nl if language == "nl" else self.title_en


@dataclass(frozen=True)
class Lines:
    """One page of parts; `total` counts all that fit."""

    lines: tuple[Line, ...]
    total: int
    page: int
    pages: int


def grid(
    session: Session,
    wish: Wish,
    now: datetime,
    *,
    language: str = "nl",
    per_page: int = PER_PAGE,
    across: int | None = PLACES_ACROSS,
) -> Grid:
    """The page of studies that a wish asks for. A page past the end is the last one.

    across: so many hospitals beside each other, the ones of `wish.side`; None for all of them.
    """
    places = places_of(session, wish, now)
    slugs = [place.slug for place in places]
    wanted = studies_of(wish, slugs)
    total = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
    pages = max(1, -(-total // per_page))
    page = min(max(wish.page, 1), pages)
    found = session.execute(
        _ordered(wanted, wish, slugs, language).limit(per_page).offset((page - 1) * per_page)
    ).all()
    wide = across or max(len(places), 1)
    sides = max(1, -(-len(places) // wide))
    side = min(max(wish.side, 1), sides)
    shown = places[(side - 1) * wide : side * wide]
    here = [place.slug for place in shown] if sides > 1 or wish.hospital or wish.network else None
    cells = _cells(session, [row.slug for row in found], here, now)
    rows = tuple(
        Row(
            row.slug,
            row.title_nl,
            row.title_en,
            row.kind,
            row.state,
            row.group_nl,
            row.group_en,
            cells.get(row.slug, {}),
        )
        for row in found
    )
    return Grid(
        tuple(shown),
        rows,
        total,
        _states(session, wish, slugs),
        page,
        pages,
        len(places),
        side,
        sides,
    )


def lines(
    session: Session,
    wish: Wish,
    now: datetime,
    *,
    language: str = "nl",
    per_page: int | None = None,
) -> Lines:
    """The same parts one by one; a wish for a state leaves only the parts that are in it."""
    size = per_page or LINES_PER_PAGE
    slugs = [place.slug for place in places_of(session, wish, now)]
    title = Study.title_nl if language == "nl" else Study.title_en
    parts = [*in_studies(wish, slugs), *at_places(wish, slugs)]
    if wish.state:
        parts.append(Participation.state == wish.state)
    total = session.scalar(select(func.count()).select_from(Participation).where(*parts)) or 0
    base = (
        select(*_PART, Study.title_nl, Study.title_en, Institution.name)
        .join(Study, Study.slug == Participation.study)
        .join(Institution, Institution.slug == Participation.institution)
        .where(*parts)
    )
    pages = max(1, -(-total // size))
    page = min(max(wish.page, 1), pages)
    order: dict[str, list[Any]] = {
        "days": [Participation.since, title],
        "study": [func.lower(title), Institution.name],
        "hospital": [Institution.name, func.lower(title)],
        "state": [_RANK, Participation.since],
    }
    first, *rest = order.get(wish.sort, order["days"])
    ordered = base.order_by(
        first.desc() if wish.descending else first, *rest, Participation.study, Institution.slug
    )
    found = session.execute(ordered.limit(size).offset((page - 1) * size)).all()
    planned, left_out = _planned(session, [row.id for row in found]), _left_out(session)
    return Lines(
        tuple(
            Line(
                row.study, row.title_nl, row.title_en, row.name, _cell(row, planned, left_out, now)
            )
            for row in found
        ),
        total,
        page,
        pages,
    )


_PART = (
    Participation.id,
    Participation.study,
    Participation.institution,
    Participation.state,
    Participation.since,
    Study.kind,
    Study.network,
)
_RANK = case(
    {state: rank for rank, state in enumerate(PARTICIPATION_STATES)}, value=Participation.state
)


# What studies are put in order by: worked out over their parts in these states, or in all.
_MEASURES: Mapping[str, tuple[Any, Sequence[str]]] = {
    "open": (func.count(), ("open",)),
    "changed": (func.max(Participation.since), ()),
    "waiting": (func.min(Participation.since), WAITING),
}


def _ordered(wanted: Select[Any], wish: Wish, places: Sequence[str], language: str) -> Select[Any]:
    title = func.lower(Study.title_nl if language == "nl" else Study.title_en)
    group = WorkingGroup.name_nl if language == "nl" else WorkingGroup.name_en
    shown: Any = (
        select(
            Study.slug,
            Study.title_nl,
            Study.title_en,
            Study.kind,
            Study.state,
            WorkingGroup.name_nl.label("group_nl"),
            WorkingGroup.name_en.label("group_en"),
        )
        .outerjoin(WorkingGroup, WorkingGroup.id == Study.group_id)
        .where(Study.slug.in_(wanted))
    )
    first: Any = func.lower(group) if wish.sort == "group" else title
    if wish.sort in _MEASURES:
        measured, states = _MEASURES[wish.sort]
        held = [Participation.state.in_(states)] if states else []
        found = (
            select(Participation.study, measured.label("measure"))
            .where(*at_places(wish, places), *held)
            .group_by(Participation.study)
            .subquery()
        )
        shown = shown.outerjoin(found, found.c.study == Study.slug)
        first = found.c.measure
    # The most hospitals, the newest change and the longest wait come first; a title from A.
    turned = wish.descending != (wish.sort in ("changed", "open"))
    ordered: Select[Any] = shown.order_by(
        first.is_(None), first.desc() if turned else first.asc(), title, Study.slug
    )
    return ordered


def _cells(
    session: Session, studies: Sequence[str], places: Sequence[str] | None, now: datetime
) -> dict[str, dict[str, Cell]]:
    here = [] if places is None else [Participation.institution.in_(places)]
    found = session.execute(
        select(*_PART)
        .join(Study, Study.slug == Participation.study)
        .where(Participation.study.in_(studies), *here)
    ).all()
    planned, left_out = _planned(session, [row.id for row in found]), _left_out(session)
    cells: dict[str, dict[str, Cell]] = {slug: {} for slug in studies}
    for row in found:
        cells[row.study][row.institution] = _cell(row, planned, left_out, now)
    return cells


def _left_out(session: Session) -> dict[str, Mapping[str, Sequence[str]]]:
    """Per network and kind of study the steps that its road does without."""
    return {slug: gone for slug, gone in session.execute(select(Network.slug, Network.pathways))}


def _planned(session: Session, parts: Sequence[str]) -> dict[tuple[str, str], date]:
    if not parts:
        return {}
    found = session.execute(
        select(SitePlan.participation_id, SitePlan.step, SitePlan.planned).where(
            SitePlan.participation_id.in_(parts)
        )
    )
    return {(row.participation_id, row.step): row.planned for row in found}


def _cell(
    row: Any,
    planned: Mapping[tuple[str, str], date],
    left_out: Mapping[str, Mapping[str, Sequence[str]]],
    now: datetime,
) -> Cell:
    road = pathway(row.kind, left_out.get(row.network, {}).get(row.kind, ()))
    following = road.forward(row.state)
    if row.state == "open" and (row.id, following and following.code) not in planned:
        following = None  # taking part asks for nothing until somebody plans the end of it
    day = planned.get((row.id, following.code)) if following else None
    return Cell(
        row.study,
        row.institution,
        row.state,
        row.since,
        max((now - row.since).days, 0),
        following,
        day,
        day is not None and day < local_day(now),
    )


def _states(session: Session, wish: Wish, places: Sequence[str]) -> dict[str, int]:
    """How many parts are in each state, in all studies that fit."""
    counted = (
        select(Participation.state, func.count())
        .where(*in_studies(wish, places), *at_places(wish, places))
        .group_by(Participation.state)
    )
    found = {state: number for state, number in session.execute(counted)}
    return {state: found[state] for state in PARTICIPATION_STATES if state in found}
