"""How long start-up takes: days per step and hospital, medians, and open days lost. Nothing writes.

Days lost of a hospital: its opening minus the start of the study, which is the first opening of any
of its hospitals. A hospital that has not opened yet has lost the days until now.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from studies.days import local_day
from studies.hospitals import open_time
from studies.hospitals.open_time import BEFORE_OPEN
from studies.models import Institution, Participation, Study
from studies.states import PARTICIPATION_ENDED


@dataclass(frozen=True)
class StepTime:
    """How many days a hospital was in a state before it opened; `running` while it still is."""

    state: str
    days: int
    running: bool


@dataclass(frozen=True)
class SiteStartUp:
    """One hospital. `days` from the invitation to opening, None while it is not open.

    lost: open days lost, None for a hospital that takes no part. `ended`: it declined or closed
    without ever opening.
    """

    institution: str
    name: str
    state: str
    invited: date
    opened: date | None
    steps: tuple[StepTime, ...]
    days: int | None
    lost: int | None
    ended: bool


@dataclass(frozen=True)
class StepMedian:
    """The median of the days in a state over the `n` hospitals that have left it."""

    state: str
    days: float
    n: int


@dataclass(frozen=True)
class StartUp:
    """started: the day the first hospital opened, None before that. lost: of all together."""

    study: str
    started: date | None
    sites: tuple[SiteStartUp, ...]
    medians: tuple[StepMedian, ...]
    median_days: float | None
    lost: int


def delays(session: Session, study: Study, now: datetime) -> StartUp:
    """The start-up of every hospital of a study, by name."""
    parts = session.scalars(
        select(Participation)
        .join(Institution, Institution.slug == Participation.institution)
        .where(Participation.study == study.slug)
        .options(selectinload(Participation.steps), selectinload(Participation.of_institution))
        .order_by(Institution.name, Institution.slug)
    ).all()
    roads = [(part, open_time.stays(part, now)) for part in parts]
    openings = [stay.since for _, road in roads for stay in road if stay.state == open_time.OPEN]
    started = min(openings, default=None)
    sites = tuple(_site(part, road, started, now) for part, road in roads if road)
    whole = [site.days for site in sites if site.days is not None]
    return StartUp(
        study=study.slug,
        started=None if started is None else local_day(started),
        sites=sites,
        medians=_medians(sites),
        median_days=float(median(whole)) if whole else None,
        lost=sum(site.lost for site in sites if site.lost is not None),
    )


def _site(
    part: Participation,
    road: Sequence[open_time.Stay],
    started: datetime | None,
    now: datetime,
) -> SiteStartUp:
    opening = next((stay.since for stay in road if stay.state == open_time.OPEN), None)
    ended = opening is None and part.state in PARTICIPATION_ENDED
    first = road[0].since
    lost = None
    if started is not None and not ended:
        lost = _days((opening or now) - started)
    return SiteStartUp(
        institution=part.institution,
        name=part.of_institution.name,
        state=part.state,
        invited=local_day(first),
        opened=None if opening is None else local_day(opening),
        steps=_steps(road, opening, now),
        days=None if opening is None else _days(opening - first),
        lost=lost,
        ended=ended,
    )


def _steps(
    road: Sequence[open_time.Stay], opening: datetime | None, now: datetime
) -> tuple[StepTime, ...]:
    found: dict[str, StepTime] = {}
    for stay in road:
        if stay.state not in BEFORE_OPEN or (opening is not None and stay.since >= opening):
            continue
        before = found[stay.state].days if stay.state in found else 0
        days = before + round(stay.days(now))
        found[stay.state] = StepTime(stay.state, days, stay.until is None)
    return tuple(found[state] for state in BEFORE_OPEN if state in found)


def _medians(sites: Sequence[SiteStartUp]) -> tuple[StepMedian, ...]:
    found = []
    for state in BEFORE_OPEN:
        days = [
            step.days
            for site in sites
            for step in site.steps
            if step.state == state and not step.running
        ]
        if days:
            found.append(StepMedian(state, float(median(days)), len(days)))
    return tuple(found)


def _days(span: timedelta) -> int:
    return max(round(span / timedelta(days=1)), 0)
