"""Commands and questions of the results library: what came out of the network's studies."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.errors import StudiesError
from studies.events import announce
from studies.models import Study
from studies.register.models import StudyResult

# DOI handbook 2.2: a prefix of a directory and a registrant, a slash, and a name.
_DOI = re.compile(r"10\.\d{4,9}(\.\d+)*/[^\s<>\"']{1,180}")
_BEFORE = re.compile(r"^(https?://(dx\.)?doi\.org/|doi:)\s*", re.IGNORECASE)
LONGEST = 4_000


@dataclass(frozen=True)
class Outcome:
    """What is written down of a result. doi: as people paste it, also with its address."""

    title_nl: str
    title_en: str
    text_nl: str
    text_en: str
    published_on: date
    doi: str = ""
    run_id: str | None = None


def read_doi(text: str) -> str | None:
    """The DOI in what was pasted, None for nothing. Raises StudiesError `bad_doi`."""
    found = _BEFORE.sub("", text.strip())
    if not found:
        return None
    if not _DOI.fullmatch(found):
        raise StudiesError("bad_doi")
    return found.lower()


def publish_result(
    session: Session, study: Study, outcome: Outcome, *, actor: Actor, now: datetime
) -> StudyResult:
    """A new result of a study, at once in the public library.

    Raises StudiesError `empty_text` (a title or text is missing), `bad_doi`, `in_the_future`,
    `not_found` for a study that is still being prepared.
    """
    if study.state == "draft":
        raise StudiesError("not_found")
    last = session.scalar(
        select(func.max(StudyResult.number)).where(StudyResult.study == study.slug)
    )
    made = StudyResult(study=study.slug, number=(last or 0) + 1, written_at=now, by=actor.id)
    _write(made, outcome, now)
    session.add(made)
    session.flush()
    _announce(session, actor, "study.result_published", made)
    return made


def correct_result(
    session: Session,
    result: StudyResult,
    outcome: Outcome,
    *,
    actor: Actor,
    now: datetime,
    expected: int,
) -> StudyResult:
    """Put a result right. Raises as :func:`publish_result`, and `changed_meanwhile`."""
    if result.version != expected:
        raise StudiesError("changed_meanwhile", versions=(expected, result.version))
    _write(result, outcome, now)
    result.version += 1
    result.written_at, result.by = now, actor.id
    session.flush()
    _announce(session, actor, "study.result_corrected", result)
    return result


def withdraw_result(
    session: Session, result: StudyResult, *, actor: Actor, now: datetime
) -> StudyResult:
    """Take a result back: it stays in the library, marked. A second time changes nothing."""
    if result.withdrawn_at is None:
        result.withdrawn_at = now
        session.flush()
        _announce(session, actor, "study.result_withdrawn", result)
    return result


def get_result(session: Session, study: str, number: int) -> StudyResult:
    """One result. Raises StudiesError `not_found`."""
    found = session.scalars(
        select(StudyResult).where(StudyResult.study == study, StudyResult.number == number)
    ).first()
    if found is None:
        raise StudiesError("not_found")
    return found


def list_results(
    session: Session, *, study: str | None = None, limit: int = 200
) -> Sequence[StudyResult]:
    """Results, newest first; of one study when it is named."""
    wanted = select(StudyResult).order_by(
        StudyResult.published_on.desc(), StudyResult.study, StudyResult.number.desc()
    )
    if study is not None:
        wanted = wanted.where(StudyResult.study == study)
    return session.scalars(wanted.limit(limit)).all()


def _write(result: StudyResult, outcome: Outcome, now: datetime) -> None:
    texts = (outcome.title_nl, outcome.title_en, outcome.text_nl, outcome.text_en)
    if not all(text.strip() for text in texts) or any(len(text) > LONGEST for text in texts):
        raise StudiesError("empty_text")
    if outcome.published_on > now.date():
        raise StudiesError("in_the_future")
    result.title_nl, result.title_en, result.text_nl, result.text_en = (t.strip() for t in texts)
    result.title_nl, result.title_en = result.title_nl[:200], result.title_en[:200]
    result.doi, result.run_id = read_doi(outcome.doi), outcome.run_id
    result.published_on = outcome.published_on


def _announce(session: Session, actor: Actor, action: str, result: StudyResult) -> None:
    announce(
        session,
        actor=actor,
        action=action,
        about=f"study:{result.study}",
        facts={"result": result.number, "version": result.version},
    )
