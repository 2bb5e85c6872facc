"""A network's year in studies: what runs, what opened, who took part. Nothing here writes.

The figures are those that the network's yearly plan and the accreditation of comprehensive cancer
networks (OECI) ask for: running studies, studies opened, participants in studies, time from the
invitation to opening, and publications.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from statistics import median

from sqlalchemy import select
from sqlalchemy.orm import Session, defer, selectinload

from studies.days import beginning, local_day
from studies.errors import StudiesError
from studies.hospitals.open_time import Stay, stays
from studies.models import Institution, Participation, Study, WorkingGroup
from studies.network.directory import network_at
from studies.participants.models import Participant
from studies.register.models import StudyResult
from studies.study_state import RUNNING

FIRST_YEAR = 2000


@dataclass(frozen=True)
class YearLine:
    """A hospital or a working group in a year; `name` None for studies of no group.

    running: studies that ran at the end of it; opened: studies that opened in it for the first
    time; participants: who came on study in it; start_up: median days from the invitation to
    opening of what opened in it, None when nothing did.
    """

    slug: str | None
    name_nl: str | None
    name_en: str | None
    running: int
    opened: int
    participants: int
    start_up: float | None

    def name(self, language: str) -> str | None:
        """The name in Dutch for "nl", in English otherwise."""
        return self.name_nl if language == "nl" else self.name_en


@dataclass(frozen=True)
class YearOfStudies:
    """A network's year. `until` is its end, or now while it goes on (`complete` False).

    kinds: running studies by kind of study. A study or participant counts once in a total, however
    many hospitals took part.
    """

    network: str
    year: int
    until: datetime
    complete: bool
    running: int
    opened: int
    ended: int
    kinds: Mapping[str, int]
    participants: int
    publications: int
    start_up: float | None
    hospitals: tuple[YearLine, ...]
    groups: tuple[YearLine, ...]


@dataclass(frozen=True)
class _Road:
    """A hospital's part in a study with its stays, and whether and when it opened."""

    study: str
    institution: str
    stays: tuple[Stay, ...]

    def opened(self) -> datetime | None:
        return next((stay.since for stay in self.stays if stay.state == "open"), None)

    def state_at(self, moment: datetime) -> str | None:
        there = [stay for stay in self.stays if stay.since <= moment]
        return there[-1].state if there else None

    def start_up(self) -> float | None:
        first, opened = self.stays[0].since if self.stays else None, self.opened()
        return None if first is None or opened is None else (opened - first).days


def bounds(year: int, now: datetime) -> tuple[datetime, datetime]:
    """The beginning of a year and its end, or now when it goes on.

    Raises StudiesError `not_found` for a year before 2000 or one that has not begun.
    """
    if not FIRST_YEAR <= year <= local_day(now).year:
        raise StudiesError("not_found")
    return beginning(date(year, 1, 1)), min(beginning(date(year + 1, 1, 1)), now)


def years(session: Session, network: str, now: datetime) -> list[int]:
    """The years of which there is something to tell, newest first."""
    first = session.scalar(
        select(Participation.since)
        .join(Study, Study.slug == Participation.study)
        .where(Study.network == network)
        .order_by(Participation.since)
        .limit(1)
    )
    created = session.scalar(
        select(Study.created_at).where(Study.network == network).order_by(Study.created_at).limit(1)
    )
    known = [local_day(moment).year for moment in (first, created) if moment is not None]
    this = local_day(now).year
    return list(range(this, max(min(known, default=this), FIRST_YEAR) - 1, -1))


def year_of_studies(session: Session, network: str, year: int, now: datetime) -> YearOfStudies:
    """What the studies of a network did in a year.

    Raises StudiesError `not_found` for a network that there was not, or such a year.
    """
    since, until = bounds(year, now)
    members = [member.institution for member in network_at(session, network, until).members]
    studies = session.scalars(
        select(Study)
        .where(Study.network == network, Study.created_at <= until)
        .options(
            defer(Study.codebook),
            selectinload(Study.participations).selectinload(Participation.steps),
        )
    ).all()
    roads = [
        _Road(study.slug, part.institution, stays(part, until))
        for study in studies
        for part in study.participations
    ]
    people = session.scalars(
        select(Participant).where(
            Participant.study.in_([study.slug for study in studies]),
            Participant.on_study >= since,
            Participant.on_study < until,
            Participant.entered_wrongly.is_(False),
        )
    ).all()
    running = _running(roads, until)
    before = _running(roads, since)
    of_group = {study.slug: study.group_id for study in studies}
    groups = session.scalars(
        select(WorkingGroup).where(WorkingGroup.network == network).order_by(WorkingGroup.name_nl)
    ).all()
    published = session.scalars(
        select(StudyResult.id).where(
            StudyResult.study.in_(list(of_group)),
            StudyResult.doi.is_not(None),
            StudyResult.withdrawn_at.is_(None),
            StudyResult.published_on >= local_day(since),
            StudyResult.published_on < local_day(until),
        )
    ).all()
    return YearOfStudies(
        network=network,
        year=year,
        until=until,
        complete=local_day(now).year > year,
        running=len(running),
        opened=len(_opened(roads, since)),
        ended=len(before - running),
        kinds=dict(Counter(study.kind for study in studies if study.slug in running)),
        participants=len(people),
        publications=len(published),
        start_up=_start_up(roads, since),
        hospitals=tuple(_hospital(each, roads, people, since, until) for each in members),
        groups=tuple(
            _group(each, roads, people, of_group, since, until) for each in (*groups, None)
        ),
    )


def _hospital(
    institution: Institution,
    roads: Iterable[_Road],
    people: Iterable[Participant],
    since: datetime,
    until: datetime,
) -> YearLine:
    mine = [road for road in roads if road.institution == institution.slug]
    return YearLine(
        institution.slug,
        institution.name,
        institution.name,
        len(_running(mine, until)),
        len(_opened(mine, since)),
        sum(one.credited == institution.slug for one in people),
        _start_up(mine, since),
    )


def _group(
    group: WorkingGroup | None,
    roads: Iterable[_Road],
    people: Iterable[Participant],
    of_group: Mapping[str, str | None],
    since: datetime,
    until: datetime,
) -> YearLine:
    known = None if group is None else group.id
    mine = [road for road in roads if of_group[road.study] == known]
    return YearLine(
        None if group is None else group.slug,
        None if group is None else group.name_nl,
        None if group is None else group.name_en,
        len(_running(mine, until)),
        len(_opened(mine, since)),
        sum(of_group[one.study] == known for one in people),
        _start_up(mine, since),
    )


def _running(roads: Iterable[_Road], moment: datetime) -> set[str]:
    """Studies that ran at a moment: in at least one of these hospitals, begun and not closed."""
    return {road.study for road in roads if road.state_at(moment) in RUNNING}


def _opened(roads: Iterable[_Road], since: datetime) -> set[str]:
    """Studies that were open nowhere here before, and have opened since."""
    first: dict[str, datetime] = {}
    for road in roads:
        opened = road.opened()
        if opened is not None:
            first[road.study] = min(first.get(road.study, opened), opened)
    return {study for study, opened in first.items() if opened >= since}


def _start_up(roads: Iterable[_Road], since: datetime) -> float | None:
    days = [
        found
        for road in roads
        if (opened := road.opened()) is not None
        and opened >= since
        and (found := road.start_up()) is not None
    ]
    return float(median(days)) if days else None
