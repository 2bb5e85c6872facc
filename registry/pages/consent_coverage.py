"""How many patients of each hospital said yes, no or nothing yet: rounded, once a week.

Numbers below ten are never shown and the rest are rounded to ten, each for itself and without a
total. They are those of the last Monday, so that nobody sees a number jump when one known patient
has just answered. Only in a network's first two weeks they are those of now.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import current_app
from markupsafe import Markup
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consent.items import ITEMS, with_parents
from consent.models import ConsentEvent, Invitation, Subject
from consent.renewing import periods_of
from consent.rounding import LEAST, rounded
from consent.rule import ANY, Scope, decide, renewed_until
from consent.standing import at_site
from registry.pages.figure import Figure, both
from registry.pictures.answers import AnswerLine, AnswerWords, answers
from registry.translate import day, number
from registry.translate import translate as _
from studies.days import week_began
from studies.models import Institution, Participation, Study


@dataclass(frozen=True)
class Row:
    """One hospital. A number is a multiple of ten, or None for fewer than ten, also for none.

    again: of those who said yes, who have to be asked again: new data of them do not count.
    """

    hospital: str
    yes: int | None
    no: int | None
    silent: int | None
    again: int | None


@dataclass(frozen=True)
class Coverage:
    """The hospitals of a study by name, and the moment the numbers are of."""

    at: datetime
    rows: tuple[Row, ...]


def coverage(session: Session, study: Study, now: datetime) -> Coverage:
    """The coverage of a study as its coordinator may see it now.

    What is of a moment that has passed is worked out once by each process: it does not change.
    """
    at = _moment(session, study.network, now)
    kept: dict[str, Coverage] = current_app.extensions.setdefault("oncokring_answers", {})
    there = kept.get(study.slug)
    if there is None or there.at != at:
        there = kept[study.slug] = _worked_out(session, study, at)
    return there


def _worked_out(session: Session, study: Study, at: datetime) -> Coverage:
    hospitals = session.execute(
        select(Institution.slug, Institution.name)
        .join(Participation, Participation.institution == Institution.slug)
        .where(Participation.study == study.slug)
        .order_by(Institution.name)
    ).all()
    rows = tuple(_row(session, study, slug, name, at) for slug, name in hospitals)
    return Coverage(at, rows)


def figure(found: Coverage) -> Figure | None:
    """Bars per hospital; None when there is no hospital."""
    if not found.rows:
        return None
    lines = [AnswerLine(row.hospital, (row.yes, row.no, row.silent)) for row in found.rows]
    words = AnswerWords(
        title=_("Answers per hospital"),
        description=_(
            "Bars of patients who said yes, no or nothing yet. The table has the numbers."
        ),
        heads=(_("Yes"), _("No"), _("No answer")),
        hidden=f"<{LEAST}",
    )
    drawn = both(lambda shape: answers(lines, words=words, shape=shape, writer=number))
    caption = _(
        "Numbers of %(day)s, rounded to ten. Fewer than ten is never shown.", day=day(found.at)
    )
    return Figure(words.title, caption, Markup(drawn))  # noqa: S704 - the drawings escape


def shown(count: int | None) -> str:
    """A number of the table."""
    return f"<{LEAST}" if count is None else number(count)


def _moment(session: Session, network: str, now: datetime) -> datetime:
    monday = week_began(now)
    first = session.scalar(
        select(func.min(ConsentEvent.recorded_at)).where(ConsentEvent.network == network)
    )
    if first is not None and first <= week_began(monday - timedelta(days=1)):
        return monday
    # Worked out at most six times an hour: it reads every answer of the study.
    return now.replace(minute=now.minute // 10 * 10, second=0, microsecond=0)


def _row(session: Session, study: Study, site: str, name: str, at: datetime) -> Row:
    asked = _asked(session, study.slug, site, at)
    permitted, due = _permitted(session, study, site, at)
    yes = asked & permitted
    # A no that no later yes took back.
    no = (asked & _denied(session, study, site, at)) - yes
    counts = (len(yes), len(no), len(asked - yes - no), len(yes & due))
    return Row(name, *(rounded(count) for count in counts))


def _asked(session: Session, study: str, site: str, at: datetime) -> set[str]:
    letters = session.execute(
        select(Invitation.subject_id, Invitation.studies)
        .join(Subject, Subject.id == Invitation.subject_id)
        .where(Subject.site == site, Invitation.created_at <= at)
    )
    asked = {subject for subject, studies in letters if study in studies}
    answered = session.scalars(
        select(ConsentEvent.subject_id)
        .where(
            ConsentEvent.site.in_((site, ANY)),
            ConsentEvent.study.in_((study, ANY)),
            ConsentEvent.recorded_at <= at,
        )
        .join(Subject, Subject.id == ConsentEvent.subject_id)
        .where(Subject.site == site)
        .distinct()
    )
    return asked | set(answered)


def _permitted(
    session: Session, study: Study, site: str, at: datetime
) -> tuple[set[str], set[str]]:
    """Who counts, and who of them counts with data of before a renewal that passed."""
    renewal = periods_of(session, study.network).renewal
    requests = [
        Scope(study.network, site, item, study.slug, ITEMS[item].category)
        for item in with_parents(study.requires)
    ]
    permitted, due = set(), set()
    for subject, standing in at_site(session, site, at, at).items():
        found = [
            decide(request, standing.choices, at, known_at=at, needs=standing.needs)
            for request in requests
        ]
        if not all(each.permit for each in found):
            continue
        permitted.add(subject)
        ends = [renewed_until(each, renewal) for each in found]
        if any(end is not None and end <= at for end in ends):
            due.add(subject)
    return permitted, due


def _denied(session: Session, study: Study, site: str, at: datetime) -> set[str]:
    event = ConsentEvent
    return set(
        session.scalars(
            select(event.subject_id)
            .join(Subject, Subject.id == event.subject_id)
            .where(
                Subject.site == site,
                event.study.in_((study.slug, ANY)),
                event.item.in_((*with_parents(study.requires), ANY)),
                event.kind.in_(("refused", "withdrawn", "objected")),
                event.recorded_at <= at,
            )
            .distinct()
        )
    )
