"""Recruitment of a study: how many, against the plan, how fast, and when it will be complete.

A participant counts once, on the day they came on study, for the hospital where that was. Counts
per study and hospital are the study's own administration, kept at the hub by pseudonym, and no
result of a hospital's data; coordinators see them as they are. No page for the public shows any.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import accumulate, pairwise
from typing import Any, Final
from zlib import crc32

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from studies.actor import Actor
from studies.days import local_day
from studies.errors import StudiesError
from studies.events import announce
from studies.hospitals import open_time
from studies.hospitals.models import SitePlan
from studies.models import Institution, Participation, Study
from studies.participants.models import AccrualPlan, Participant
from studies.recruitment.forecast import Forecast, Recruiting, forecast

_STILL_TO_OPEN: Final = frozenset({*open_time.BEFORE_OPEN, "on_hold"})
MOST: Final = 100_000


@dataclass(frozen=True)
class SiteAccrual:
    """One hospital. `rate`: participants per month open (365.25 / 12 days), None before opening.

    planned: what the plan expected by now, None without a plan of its own. months: open without
    holds. expected: what the forecast takes as its rate, None without a forecast.
    """

    institution: str
    name: str
    state: str
    n: int
    target: int | None
    planned: float | None
    opened: date | None
    months: float
    rate: float | None
    first: date | None
    last: date | None
    expected: float | None


@dataclass(frozen=True)
class Accrual:
    """Recruitment of a study as known at `as_of`.

    curve: each day on which somebody came in, with how many there were then. plan: days with the
    cumulative number that was planned. rate: participants per month in which at least one hospital
    was open; rate_per_site: per open month of a hospital. no_forecast: why there is none:
    "no_target", "target_reached", "nobody_open", "nobody_yet".
    """

    study: str
    as_of: date
    n: int
    target: int | None
    planned: float | None
    curve: tuple[tuple[date, int], ...]
    plan: tuple[tuple[date, int], ...]
    rate: float | None
    rate_per_site: float | None
    first: date | None
    last: date | None
    sites: tuple[SiteAccrual, ...]
    forecast: Forecast | None
    no_forecast: str | None


def accrual(session: Session, study: Study, now: datetime) -> Accrual:
    """Everything about the recruitment of a study, hospitals by name."""
    today = local_day(now)
    days = _days_by_site(session, study.slug, now)
    plans = plans_of(session, study.slug)
    parts = _parts(session, study.slug)
    ends = [plan.days()[-1][0] for plan in plans.values()]
    whole = whole_plan(plans)
    target = whole[-1][1] if whole else None
    n = sum(len(each) for each in days.values())
    planned = _planned_openings(session, study.slug)
    found, why = _forecast(study, parts, planned, days, n, target, now, max(ends, default=None))
    expected = dict(zip(parts, found.rates, strict=True)) if found else {}
    periods = {site: open_time.open_stays(part, now) for site, part in parts.items()}
    every = sorted(day for each in days.values() for day in each)
    site_months = sum(open_time.months(each, now) for each in periods.values())
    return Accrual(
        study=study.slug,
        as_of=today,
        n=n,
        target=target,
        planned=planned_on(whole, today) if whole else None,
        curve=tuple(dict(zip(every, accumulate(1 for _ in every), strict=True)).items()),
        plan=whole,
        rate=_per(n, _any_open(periods.values(), now)),
        rate_per_site=_per(n, site_months),
        first=every[0] if every else None,
        last=every[-1] if every else None,
        sites=tuple(
            _site(part, days.get(site, []), plans.get(site), periods[site], expected.get(site), now)
            for site, part in parts.items()
        ),
        forecast=found,
        no_forecast=why,
    )


def _site(
    part: Participation,
    days: Sequence[date],
    plan: AccrualPlan | None,
    periods: Sequence[open_time.Stay],
    expected: float | None,
    now: datetime,
) -> SiteAccrual:
    months = open_time.months(periods, now)
    return SiteAccrual(
        institution=part.institution,
        name=part.of_institution.name,
        state=part.state,
        n=len(days),
        target=plan.target if plan else None,
        planned=planned_on(plan.days(), local_day(now)) if plan else None,
        opened=local_day(periods[0].since) if periods else None,
        months=months,
        rate=_per(len(days), months),
        first=days[0] if days else None,
        last=days[-1] if days else None,
        expected=expected,
    )


def _per(n: int, months: float) -> float | None:
    return n / months if months > 0 else None


def _any_open(periods: Iterable[Sequence[open_time.Stay]], now: datetime) -> float:
    """Months in which at least one hospital was open: overlapping times count once."""
    spans = sorted((stay.since, stay.until or now) for each in periods for stay in each)
    total, reached = timedelta(0), None
    for since, until in spans:
        start = since if reached is None else max(since, reached)
        total += max(until - start, timedelta(0))
        reached = until if reached is None else max(reached, until)
    return total / open_time.MONTH


def _parts(session: Session, study: str) -> dict[str, Participation]:
    rows = session.scalars(
        select(Participation)
        .join(Institution, Institution.slug == Participation.institution)
        .where(Participation.study == study)
        .options(selectinload(Participation.steps), selectinload(Participation.of_institution))
        .order_by(Institution.name, Institution.slug)
    )
    return {part.institution: part for part in rows}


def _days_by_site(session: Session, study: str, now: datetime) -> dict[str, list[date]]:
    """Per credited hospital the days on which participants came on study, in order."""
    rows = session.execute(
        select(Participant.credited, Participant.on_study)
        .where(
            Participant.study == study,
            Participant.entered_wrongly.is_(False),
            Participant.on_study <= now,
        )
        .order_by(Participant.on_study, Participant.id)
    )
    found: dict[str, list[date]] = {}
    for site, moment in rows:
        if site is not None and moment is not None:
            found.setdefault(site, []).append(local_day(moment))
    return found


def _forecast(
    study: Study,
    parts: Mapping[str, Participation],
    planned: Mapping[str, date],
    days: Mapping[str, Sequence[date]],
    n: int,
    target: int | None,
    now: datetime,
    planned_end: date | None,
) -> tuple[Forecast | None, str | None]:
    if target is None:
        return None, "no_target"
    if n >= target:
        return None, "target_reached"
    sites = [
        Recruiting(
            n=len(days.get(site, ())),
            months=open_time.months(open_time.open_stays(part, now), now),
            opens_in=_opens_in(part, planned.get(part.id), local_day(now)),
        )
        for site, part in parts.items()
    ]
    if all(site.opens_in is None for site in sites):
        return None, "nobody_open"
    found = forecast(
        sites,
        recruited=n,
        target=target,
        today=local_day(now),
        seed=crc32(f"{study.slug} {local_day(now)} {n} {target}".encode()),
        planned_end=planned_end,
    )
    return found, None if found else "nobody_yet"


def _opens_in(part: Participation, planned: date | None, today: date) -> float | None:
    """In how many months a hospital recruits; None for one that is not open and names no day."""
    if part.state == open_time.OPEN:
        return 0.0
    if planned is None or part.state not in _STILL_TO_OPEN:
        return None
    return max((planned - today) / open_time.MONTH, 0.0)


def _planned_openings(session: Session, study: str) -> dict[str, date]:
    """Per hospital's part the day on which it plans to open."""
    rows = session.execute(
        select(SitePlan.participation_id, SitePlan.planned)
        .join(Participation, Participation.id == SitePlan.participation_id)
        .where(Participation.study == study, SitePlan.step == open_time.OPEN)
    )
    return {part: day for part, day in rows}


# -- plans ------------------------------------------------------------------------------------


def plans_of(session: Session, study: str) -> dict[str | None, AccrualPlan]:
    """The newest plan of the study (under None) and of each hospital that has one."""
    rows = session.scalars(
        select(AccrualPlan).where(AccrualPlan.study == study).order_by(AccrualPlan.number)
    )
    return {plan.institution: plan for plan in rows}


def set_plan(
    session: Session,
    study: Study,
    stages: Sequence[tuple[date, int]],
    *,
    actor: Actor,
    now: datetime,
    institution: str | None = None,
) -> AccrualPlan:
    """Plan recruitment: days with the cumulative number by then, the last one being the target.

    Two stages, a begin with 0 and an end, make a linear plan. institution: of one hospital only.
    An earlier plan stays in the history. Raises StudiesError `bad_plan` (less than two stages, days
    or numbers that do not rise, a begin other than 0, above 100,000), `not_found`.
    """
    days = [day for day, _ in stages]
    numbers = [number for _, number in stages]
    rising = all(a < b for a, b in pairwise(days)) and all(a <= b for a, b in pairwise(numbers))
    if len(stages) < 2 or not rising or numbers[0] != 0 or not 0 < numbers[-1] <= MOST:
        raise StudiesError("bad_plan")
    if institution is not None and institution not in _parts(session, study.slug):
        raise StudiesError("not_found")
    last = session.scalar(
        select(func.max(AccrualPlan.number)).where(AccrualPlan.study == study.slug)
    )
    plan = AccrualPlan(
        study=study.slug,
        institution=institution,
        number=(last or 0) + 1,
        shape="linear" if len(stages) == 2 else "staged",
        stages=[[day.isoformat(), number] for day, number in stages],
        recorded_at=now,
        by=actor.id,
    )
    session.add(plan)
    session.flush()
    announce(
        session,
        actor=actor,
        action="accrual.planned",
        about=f"study:{study.slug}",
        facts={"institution": institution, "target": plan.target, "number": plan.number},
    )
    return plan


def planned_on(stages: Sequence[tuple[date, int]], day: date) -> float:
    """The cumulative number that was planned by a day: evenly between two stages."""
    if not stages or day <= stages[0][0]:
        return 0.0
    for (start, low), (end, high) in pairwise(stages):
        if day <= end:
            return low + (high - low) * ((day - start) / (end - start))
    return float(stages[-1][1])


def whole_plan(plans: Mapping[str | None, AccrualPlan]) -> tuple[tuple[date, int], ...]:
    """The study's own plan, or else what the plans of its hospitals add up to."""
    if None in plans:
        return plans[None].days()
    each = [plan.days() for plan in plans.values()]
    days = sorted({day for stages in each for day, _ in stages})
    return tuple((day, round(sum(planned_on(stages, day) for stages in each))) for day in days)


# -- lists -----------------------------------------------------------------------------------------


def totals(session: Session, studies: Iterable[str], now: datetime) -> dict[str, dict[str, Any]]:
    """For lists: per study how many there are and the last inclusion, in one query."""
    rows = session.execute(
        select(Participant.study, func.count(), func.max(Participant.on_study))
        .where(
            Participant.study.in_(list(studies)),
            Participant.entered_wrongly.is_(False),
            Participant.on_study <= now,
        )
        .group_by(Participant.study)
    )
    return {study: {"n": n, "last": local_day(last)} for study, n, last in rows if last is not None}
