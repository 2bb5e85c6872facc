"""Questionnaires between a patient and the hospital: what is asked, what was sent, what arrived.

The hub knows that a questionnaire was asked and sent, never what was answered.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from consent.answered import fingerprint
from consent.closing import is_closed
from consent.encoding import unb64
from consent.errors import ConsentError
from consent.models import Invitation, Subject
from consent.models_people import Fact, FactCorrection
from consent.models_reports import PromAsk, PromDraft, PromOwn, PromSealed, PromWording
from consent.site_facts import Told, text
from studies.actor import Actor
from studies.events import announce

MOST_ASKED: Final = 40
MOST_AT_ONCE: Final = 50
"""Sealed questionnaires that travel with one consent list."""
MAX_SEALED: Final = 20_000
MAX_OWN: Final = 6_000
ANSWERED_BEFORE: Final = "answered_before"
"""What a hospital says that has an answer already: a hub put back from an older copy sent again."""
DRAFT_KEPT: Final = timedelta(days=7)
_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,19}")
_POINT: Final = re.compile(r"T0|[1-9][0-9]{0,2}m")
_WHY: Final = re.compile(r"[a-z][a-z_]{0,39}")

State = Literal["later", "open", "sent", "arrived", "refused", "closed"]


@dataclass(frozen=True)
class Asked:
    """One questionnaire for one patient. sent: the newest time that it was sent.

    state: `later` before it opens; `open`, also when what was sent could not be read at the
    hospital (`refused`) and it may be sent again; `sent`, sealed and on its way; `arrived` at the
    hospital; `closed`, the days are over.
    """

    ask: PromAsk
    sent: PromSealed | None
    state: State

    @property
    def may_answer(self) -> bool:
        return self.state in ("open", "refused")


def asked(session: Session, subject: Subject, today: date) -> list[Asked]:
    """Everything this patient's hospital asks or asked, in the order in which it opens."""
    newest: dict[tuple[str, str], PromSealed] = {}
    for each in session.scalars(
        select(PromSealed)
        .where(PromSealed.subject_id == subject.id)
        .order_by(PromSealed.sealed_at, PromSealed.taken_at.is_(None), PromSealed.id)
    ):
        newest[each.instrument, each.timepoint] = each
    rows = session.scalars(
        select(PromAsk)
        .where(PromAsk.subject_id == subject.id)
        .order_by(PromAsk.opens, PromAsk.instrument.desc())
    )
    found = []
    for ask in rows:
        sent = newest.get((ask.instrument, ask.timepoint))
        if ask.ended_at is None or sent is not None:
            found.append(Asked(ask, sent, _state(ask, sent, today)))
    return found


def _state(ask: PromAsk, sent: PromSealed | None, today: date) -> State:
    if sent is not None and sent.taken_at is None:
        return "sent"
    if sent is not None and sent.code in (None, ANSWERED_BEFORE):
        return "arrived"
    if ask.ended_at is not None or str(today) > ask.closes:
        return "closed"
    if str(today) < ask.opens:
        return "later"
    return "open" if sent is None else "refused"


def may_remind(session: Session, subject: Subject) -> bool:
    """Whether this patient's own page may remind them: not after "no more messages"."""
    stopped = session.scalars(
        select(Fact.id)
        .outerjoin(FactCorrection, FactCorrection.fact_id == Fact.id)
        .where(
            Fact.subject_id == subject.id,
            Fact.kind == "contact_stop",
            FactCorrection.fact_id.is_(None),
        )
        .limit(1)
    ).first()
    return stopped is None


def send(
    session: Session,
    subject: Subject,
    asked_for: Asked,
    *,
    number: str,
    sealed: str,
    actor: Actor,
    now: datetime,
) -> PromSealed:
    """Keep a sealed questionnaire until the hospital has it; its draft is forgotten.

    number: of the statement inside; the same one again changes nothing. ConsentError
    `questionnaire_not_open` where it is not asked now, or was sent before.
    """
    before = session.get(PromSealed, number)
    if before is not None and before.subject_id == subject.id:
        return before
    # Two tabs at once: the second waits here, and then sees what the first sent.
    session.execute(select(Subject.id).where(Subject.id == subject.id).with_for_update()).one()
    waits = session.scalar(
        select(func.count())
        .select_from(PromSealed)
        .where(
            PromSealed.subject_id == subject.id,
            PromSealed.instrument == asked_for.ask.instrument,
            PromSealed.timepoint == asked_for.ask.timepoint,
            PromSealed.code.is_(None),
        )
    )
    if before is not None or waits or not asked_for.may_answer or len(sealed) > MAX_SEALED:
        raise ConsentError("questionnaire_not_open")
    row = PromSealed(
        id=number,
        subject_id=subject.id,
        instrument=asked_for.ask.instrument,
        timepoint=asked_for.ask.timepoint,
        sealed=sealed,
        sha256=fingerprint(sealed),
        sealed_at=now,
    )
    session.add(row)
    forget_draft(session, subject, asked_for.ask)
    session.flush()
    announce(
        session,
        actor=actor,
        action="prom.sent",
        about=f"subject:{subject.id}",
        facts={"instrument": row.instrument, "timepoint": row.timepoint, "sha256": row.sha256},
    )
    return row


def keep_draft(
    session: Session, subject: Subject, ask: PromAsk, sealed: bytes, now: datetime
) -> None:
    """Keep a half-filled questionnaire, sealed by the caller for the patient alone."""
    forget_old(session, now)
    row = session.get(PromDraft, (subject.id, ask.instrument, ask.timepoint))
    if row is None:
        row = PromDraft(subject_id=subject.id, instrument=ask.instrument, timepoint=ask.timepoint)
        session.add(row)
    row.sealed, row.updated_at = sealed, now
    session.flush()


def draft(session: Session, subject: Subject, ask: PromAsk, now: datetime) -> bytes | None:
    """The sealed draft of a questionnaire, while it is kept."""
    row = session.get(PromDraft, (subject.id, ask.instrument, ask.timepoint))
    return None if row is None or now - row.updated_at > DRAFT_KEPT else row.sealed


def forget_draft(session: Session, subject: Subject, ask: PromAsk) -> None:
    """Throw a draft away."""
    session.execute(
        delete(PromDraft).where(
            PromDraft.subject_id == subject.id,
            PromDraft.instrument == ask.instrument,
            PromDraft.timepoint == ask.timepoint,
        )
    )


def forget_old(session: Session, now: datetime) -> None:
    """Delete the drafts that have had their seven days; the worker does it too."""
    session.execute(delete(PromDraft).where(PromDraft.updated_at < now - DRAFT_KEPT))


def waiting(session: Session, site: str) -> list[list[str]]:
    """The sealed questionnaires that this hospital does not have yet, the oldest first: number and
    bytes."""
    rows = session.execute(
        select(PromSealed.id, PromSealed.sealed)
        .join(Subject, Subject.id == PromSealed.subject_id)
        .where(Subject.site == site, PromSealed.taken_at.is_(None))
        .order_by(PromSealed.sealed_at, PromSealed.id)
        .limit(MOST_AT_ONCE)
    )
    return [[number, str(sealed)] for number, sealed in rows]


def some_wait(session: Session, site: str) -> bool:
    """Whether a hospital has something to take."""
    found = session.scalars(
        select(PromSealed.id)
        .join(Subject, Subject.id == PromSealed.subject_id)
        .where(Subject.site == site, PromSealed.taken_at.is_(None))
        .limit(1)
    ).first()
    return found is not None


def take_asks(told: Told, content: Mapping[str, Any]) -> None:
    """Everything a hospital asks of one patient now; what it names no more is not asked any more.
    ConsentError `closed`."""
    subject = told.subject(content["handle"])
    if is_closed(told.session, subject.id):
        raise ConsentError("closed")
    wanted = _asks(content["asks"])
    for row in told.session.scalars(select(PromAsk).where(PromAsk.subject_id == subject.id)):
        days = wanted.pop((row.instrument, row.timepoint), None)
        if days is None:
            row.ended_at = row.ended_at or told.now
        else:
            (row.opens, row.closes), row.ended_at = days, None
    for (instrument, point), (opens, closes) in wanted.items():
        told.session.add(
            PromAsk(
                subject_id=subject.id,
                instrument=instrument,
                timepoint=point,
                opens=opens,
                closes=closes,
                asked_at=told.now,
            )
        )
    told.session.flush()


def _asks(value: object) -> dict[tuple[str, str], tuple[str, str]]:
    if not isinstance(value, list) or len(value) > MOST_ASKED:
        raise ValueError("asks are a list")
    found = {}
    for each in value:
        instrument, point, *days = map(text, each)
        opens, closes = (str(date.fromisoformat(day)) for day in days)
        if not _CODE.fullmatch(instrument) or not _POINT.fullmatch(point) or closes < opens:
            raise ValueError("an ask has a questionnaire, a time point and two days")
        found[instrument, point] = (opens, closes)
    return found


def take_taken(told: Told, content: Mapping[str, Any]) -> None:
    """What became of sealed questionnaires at the hospital: their bytes go. Those of another
    hospital, and unknown numbers, are left as they are."""
    value = content["taken"]
    if not isinstance(value, list) or len(value) > 2 * MOST_AT_ONCE:
        raise ValueError("what was taken is a list")
    codes: dict[str, str | None] = {}
    for number, code in value:
        if code is not None and not _WHY.fullmatch(text(code)):
            raise ValueError("a reason is a code")
        codes[text(number)] = code
    rows: Sequence[PromSealed] = told.session.scalars(
        select(PromSealed)
        .join(Subject, Subject.id == PromSealed.subject_id)
        .where(
            Subject.site == told.site,
            PromSealed.id.in_(codes),
            PromSealed.taken_at.is_(None),
        )
    ).all()
    for row in rows:
        row.sealed, row.taken_at, row.code = None, told.now, codes[row.id]
    told.session.flush()


def take_own(told: Told, content: Mapping[str, Any]) -> None:
    """A patient's own scores, sealed at the hospital with the secret of the patient's letter.
    ConsentError `letter_not_found` for a letter of somebody else, or of a representative."""
    subject, letter = told.subject(content["handle"]), text(content["letter"])
    found = told.session.get(Invitation, letter)
    if found is None or (found.subject_id, found.party) != (subject.id, "self"):
        raise ConsentError("letter_not_found")
    sealed = unb64(content["sealed"], MAX_OWN)
    row = told.session.get(PromOwn, subject.id)
    if row is None:
        row = PromOwn(subject_id=subject.id)
        told.session.add(row)
    row.letter, row.sealed, row.made_at = letter, sealed, told.now
    told.session.flush()


def own(session: Session, subject: Subject) -> PromOwn | None:
    """What the hospital sealed for this patient alone."""
    return session.get(PromOwn, subject.id)


def keep_wording(
    session: Session,
    instrument: str,
    language: str,
    content: Mapping[str, Any] | None,
    *,
    actor: Actor,
    now: datetime,
) -> None:
    """Show this licensed wording from now on, or with None numbers only. `content` is checked by
    the caller (federation.prom.wording)."""
    row = session.get(PromWording, (instrument, language))
    if content is None:
        if row is not None:
            session.delete(row)
    else:
        if row is None:
            row = PromWording(instrument=instrument, language=language)
            session.add(row)
        row.content, row.added_by, row.added_at = dict(content), actor.id, now
    session.flush()
    announce(
        session,
        actor=actor,
        action="prom.worded" if content is not None else "prom.unworded",
        about=f"questionnaire:{instrument}",
        facts={
            "language": language,
            "licence": None if content is None else str(content["licence"])[:200],
        },
    )


def wordings(session: Session) -> Sequence[PromWording]:
    """The wordings that are shown."""
    return session.scalars(
        select(PromWording).order_by(PromWording.instrument, PromWording.language)
    ).all()
