"""What waits for somebody, worked out from the registry as it is now. Nothing is kept of it but
what no record shows (`settle`).

The list is the one of the Dutch start-up: CTIS notices within 15 days (Regulation (EU) 536/2014,
articles 36 and 37), annexes, feasibility after 14 days, a state that nobody confirmed for 90, no
inclusion 60 days after opening, certificates, contracts and agreements that end, versions not in
use, recruitment behind the plan, and half a year open without anybody.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from studies.actor import Actor
from studies.days import local_day
from studies.errors import StudiesError
from studies.events import announce
from studies.hospitals.amendments import LIVE
from studies.hospitals.departments import DEPARTMENTS
from studies.hospitals.documents import KINDS as DOCUMENT_KINDS
from studies.hospitals.models import (
    SiteAnnex,
    SiteMilestone,
    SiteVersion,
    StudyDocument,
    StudyVersion,
)
from studies.hospitals.pathway import BY_CODE
from studies.hospitals.versions import VERSION_KINDS, in_force
from studies.models import Participation, Study
from studies.models_inbox import ReminderDone
from studies.network.models import Agreement
from studies.participants.models import AccrualPlan, Participant
from studies.recruitment.accrual import planned_on, plans_of, whole_plan
from studies.reminder_words import KINDS, Kind

ANSWER_DAYS: Final = 14
CONFIRM_DAYS: Final = 90
NOBODY_DAYS, LATE_NOBODY_DAYS, CLOSE_DAYS = 60, 90, 180
ENDS_DAYS, ADOPT_DAYS = 60, 14
CTR_DAYS, CTR_OLD_DAYS = 15, 60
#: Below this share of what was planned, when at least so many were planned.
BEHIND_SHARE, BEHIND_LEAST = 0.8, 5.0
_AT_WORK: Final = frozenset(BY_CODE) - {"invited", "declined", "feasibility", "closed"}
_OVER: Final = frozenset({"closed_to_accrual", "follow_up_done", "closed"})


@dataclass(frozen=True)
class Reminder:
    """Something that waits. `key` is the same as long as it is the same thing that waits.

    `day` is the day it was or is due, or since when; `late` says that it has passed. `detail` is in
    both languages, English first. `institution` "" for the study as a whole.
    """

    key: str
    code: str
    study: str
    title: tuple[str, str]
    institution: str
    place: str
    day: date
    late: bool
    detail: tuple[str, str] = ("", "")

    @property
    def kind(self) -> Kind:
        """What kind of thing it is."""
        return KINDS[self.code]

    def words(self, language: str, day: str) -> str:
        """What is to be done, in a sentence; `day` as the page writes it."""
        place = self.place or self.title[language == "nl"]
        return self.kind.words(language) % {
            "place": place,
            "study": self.title[language == "nl"],
            "day": day,
            "detail": self.detail[language == "nl"],
        }


@dataclass
class _Books:
    """All rows that reminders look at, read in one query for each table."""

    today: date
    parts: Sequence[Participation]
    answered: frozenset[str]
    annexes: Mapping[str, list[SiteAnnex]]
    versions: Mapping[str, list[StudyVersion]]
    adopted: frozenset[tuple[str, str]]
    documents: Sequence[StudyDocument]
    joined: Mapping[tuple[str, str], int]
    first: Mapping[str, date]
    planned: frozenset[str]
    by_study: Mapping[str, list[Participation]] = field(default_factory=dict)


def reminders(
    session: Session, reach: frozenset[str] | None, now: datetime
) -> tuple[Reminder, ...]:
    """What waits in these studies (None: all of them), the longest overdue first."""
    books = _read(session, reach, now)
    found = [*_of_parts(books), *_of_documents(books), *_of_studies(session, books)]
    found += _of_agreements(session, books)
    done = set(session.scalars(select(ReminderDone.key)))
    return in_order(each for each in found if each.key not in done)


def in_order(found: Iterable[Reminder]) -> tuple[Reminder, ...]:
    """Reminders as a list shows them, the longest overdue first."""
    return tuple(sorted(found, key=lambda each: (not each.late, each.day, each.key)))


def settle(session: Session, key: str, *, actor: Actor, now: datetime) -> None:
    """Say that somebody saw to it outside the registry. A second time changes nothing.

    Raises StudiesError `unknown_code` for a reminder that is settled by its own record.
    """
    code, _, about = key.partition(":")
    if code not in KINDS or not KINDS[code].settle or len(key) > 200:
        raise StudiesError("unknown_code")
    if session.get(ReminderDone, key) is not None:
        return
    session.add(ReminderDone(key=key, by=actor.id, at=now))
    session.flush()
    study = about.partition(":")[0]
    announce(
        session,
        actor=actor,
        action="reminder.settled",
        about=f"study:{study}",
        facts={"code": code},
    )


# -- reading --------------------------------------------------------------------------------------


def _read(session: Session, reach: frozenset[str] | None, now: datetime) -> _Books:
    wanted = select(Participation).options(
        joinedload(Participation.of_study),
        joinedload(Participation.of_institution),
        selectinload(Participation.steps),
    )
    if reach is not None:
        wanted = wanted.where(Participation.study.in_(reach))
    parts = session.scalars(wanted).all()
    studies = {part.study for part in parts}
    by_study: dict[str, list[Participation]] = {}
    for part in parts:
        by_study.setdefault(part.study, []).append(part)
    annexes: dict[str, list[SiteAnnex]] = {}
    for annex in session.scalars(select(SiteAnnex).where(SiteAnnex.received.is_(None))):
        annexes.setdefault(annex.participation_id, []).append(annex)
    versions: dict[str, list[StudyVersion]] = {}
    for version in session.scalars(
        select(StudyVersion).order_by(StudyVersion.in_force_from, StudyVersion.made_at)
    ):
        versions.setdefault(version.study, []).append(version)
    on = (Participant.entered_wrongly.is_(False), Participant.on_study <= now)
    counted = session.execute(
        select(
            Participant.study, Participant.credited, func.count(), func.min(Participant.on_study)
        )
        .where(*on)
        .group_by(Participant.study, Participant.credited)
    ).all()
    first: dict[str, date] = {}
    for study, _, _, moment in counted:
        if moment is not None:
            day = local_day(moment)
            first[study] = min(first.get(study, day), day)
    return _Books(
        today=local_day(now),
        parts=parts,
        answered=frozenset(
            session.scalars(
                select(SiteMilestone.participation_id).where(
                    SiteMilestone.kind == "questionnaire_answered"
                )
            )
        ),
        annexes=annexes,
        versions=versions,
        adopted=frozenset(
            (row.participation_id, row.version_id) for row in session.scalars(select(SiteVersion))
        ),
        documents=[
            row
            for row in session.scalars(
                select(StudyDocument).order_by(StudyDocument.valid_from, StudyDocument.uploaded_at)
            )
            if row.study in studies
        ],
        joined={(study, site or ""): n for study, site, n, _ in counted},
        first=first,
        planned=frozenset(session.scalars(select(AccrualPlan.study).distinct())),
        by_study=by_study,
    )


# -- a hospital's part ----------------------------------------------------------------------------


def _of_parts(books: _Books) -> Iterator[Reminder]:
    for part in books.parts:
        yield from _waits_for_word(books, part)
        yield from _ends(books, part)
        if part.state in LIVE:
            yield from _amendments(books, part)
        if part.state == "open":
            yield from _nobody(books, part)


def _waits_for_word(books: _Books, part: Participation) -> Iterator[Reminder]:
    since, today = local_day(part.since), books.today
    if part.state == "invited" and part.interest is None:
        due = part.answer_due or since + timedelta(days=ANSWER_DAYS)
        if due < today:
            yield _of(part, "unanswered", f"{since}", due, late=True)
    elif part.state == "feasibility" and part.id not in books.answered:
        due = since + timedelta(days=ANSWER_DAYS)
        if due < today:
            yield _of(part, "feasibility", f"{since}", due, late=True)
    elif BY_CODE[part.state].remind_days is not None:
        last = max(since, local_day(part.confirmed_at) if part.confirmed_at else since)
        if last + timedelta(days=CONFIRM_DAYS) < today:
            yield _of(part, "confirm", f"{last}", last, late=True)
    if part.state in _AT_WORK:
        for annex in books.annexes.get(part.id, ()):
            due = annex.due or annex.requested + timedelta(days=ANSWER_DAYS)
            if due < today:
                name = DEPARTMENTS[annex.department]
                about = f"{annex.department}:{annex.requested}"
                yield _of(part, "annex", about, due, late=True, detail=name)


def _ends(books: _Books, part: Participation) -> Iterator[Reminder]:
    if part.state not in _AT_WORK:
        return
    for code, until in (("gcp", part.gcp_until), ("insurance", part.insurance_until)):
        if until is not None and until <= books.today + timedelta(days=ENDS_DAYS):
            yield _of(part, code, f"{until}", until, late=until < books.today)


def _amendments(books: _Books, part: Participation) -> Iterator[Reminder]:
    versions = books.versions.get(part.study, [])
    current = {each.id for each in in_force(versions, books.today).values()}
    for each in versions:
        ahead = each.in_force_from > books.today
        if (part.id, each.id) in books.adopted or not (ahead or each.id in current):
            continue
        if each.adopt_by <= books.today + timedelta(days=ADOPT_DAYS):
            words = VERSION_KINDS[each.kind]
            detail = (f"{words[0].lower()} {each.version}", f"{words[1].lower()} {each.version}")
            late = each.adopt_by < books.today
            yield _of(part, "amendment", each.id, each.adopt_by, late=late, detail=detail)


def _nobody(books: _Books, part: Participation) -> Iterator[Reminder]:
    since = local_day(part.since)
    days = (books.today - since).days
    if books.joined.get((part.study, part.institution), 0) or days < NOBODY_DAYS:
        return
    code = "close_zero" if days >= CLOSE_DAYS else "no_inclusion"
    yield _of(part, code, f"{since}", since, late=days >= LATE_NOBODY_DAYS)


# -- a study as a whole ---------------------------------------------------------------------------


def _of_documents(books: _Books) -> Iterator[Reminder]:
    newest = {(row.study, row.institution, row.kind): row for row in books.documents}
    places = {(part.study, part.institution): part for part in books.parts}
    for (study, institution, kind), row in newest.items():
        until = row.valid_until
        if until is None or until > books.today + timedelta(days=ENDS_DAYS):
            continue
        part = places.get((study, institution or ""))
        if part is not None and part.state in ("declined", "closed"):
            continue
        whole = books.by_study[study][0].of_study
        if part is None and whole.state == "closed":
            continue
        named = DOCUMENT_KINDS[kind][:2]
        given = _of_study(whole, "document", row.id, until, late=until < books.today, detail=named)
        yield (
            given
            if part is None
            else _of(part, "document", row.id, until, late=given.late, detail=named)
        )


def _of_studies(session: Session, books: _Books) -> Iterator[Reminder]:
    for slug, parts in books.by_study.items():
        study = parts[0].of_study
        if study.state != "closed" and slug in books.planned:
            yield from _behind(session, books, study)
        if study.kind == "wmo" and "eu_ct" in study.identifiers:
            yield from _notices(books, study, parts)


def _behind(session: Session, books: _Books, study: Study) -> Iterator[Reminder]:
    plan = whole_plan(plans_of(session, study.slug))
    planned = planned_on(plan, books.today)
    n = sum(count for (slug, _), count in books.joined.items() if slug == study.slug)
    if planned >= BEHIND_LEAST and n < BEHIND_SHARE * planned:
        # One for each month, so that a study that stays behind is heard of again.
        detail = (f"{n} of {planned:.0f}", f"{n} van de {planned:.0f}")
        about = f"{books.today:%Y-%m}"
        yield _of_study(study, "behind", about, books.today, late=True, detail=detail)


def _notices(books: _Books, study: Study, parts: Iterable[Participation]) -> Iterator[Reminder]:
    """CTIS: start, first participant, temporary halt, end of recruitment; 15 days each."""
    states = [part for part in parts if part.state != "declined"]
    opened = [local_day(step.at) for part in states for step in part.steps if step.state == "open"]
    ever = [part for part in states if any(step.state == "open" for step in part.steps)]
    events: dict[str, date] = {}
    if opened:
        events["ctr_start"] = min(opened)
    if study.slug in books.first:
        events["ctr_first"] = books.first[study.slug]
    last = max((local_day(part.since) for part in ever), default=None)
    if ever and last is not None:
        if all(part.state in _OVER for part in ever) and len(ever) == len(states):
            events["ctr_end"] = last
        elif not any(part.state == "open" for part in ever) and any(
            part.state == "on_hold" for part in ever
        ):
            events["ctr_halt"] = last
    for code, day in events.items():
        due = day + timedelta(days=CTR_DAYS)
        if day + timedelta(days=CTR_OLD_DAYS) >= books.today:
            yield _of_study(study, code, f"{day}", due, late=due < books.today)


def _of_agreements(session: Session, books: _Books) -> Iterator[Reminder]:
    """The newest version of each kind that ends soon and was signed by somebody."""
    limit = books.today + timedelta(days=ENDS_DAYS)
    rows = session.scalars(
        select(Agreement)
        .where(Agreement.network.in_({part.of_study.network for part in books.parts}))
        .options(selectinload(Agreement.signatures))
        .order_by(Agreement.since, Agreement.version)
    )
    for row in {(each.network, each.kind): each for each in rows}.values():
        until = local_day(row.until) if row.until else None
        held = any(signature.withdrawn_at is None for signature in row.signatures)
        if until is None or until > limit or not held:
            continue
        name = (f"{row.title_en} {row.version}", f"{row.title_nl} {row.version}")
        yield Reminder(
            f"agreement:{row.id}", "agreement", "", name, "", "", until, until < books.today, name
        )


def _of(
    part: Participation,
    code: str,
    about: str,
    day: date,
    *,
    late: bool,
    detail: tuple[str, str] = ("", ""),
) -> Reminder:
    study = part.of_study
    return Reminder(
        f"{code}:{part.study}:{part.institution}:{about}",
        code,
        part.study,
        (study.title_en, study.title_nl),
        part.institution,
        part.of_institution.name,
        day,
        late,
        detail,
    )


def _of_study(
    study: Study,
    code: str,
    about: str,
    day: date,
    *,
    late: bool,
    detail: tuple[str, str] = ("", ""),
) -> Reminder:
    title = (study.title_en, study.title_nl)
    return Reminder(
        f"{code}:{study.slug}::{about}", code, study.slug, title, "", "", day, late, detail
    )
