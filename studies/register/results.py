"""Commands and questions of the results library: what came out of the network's studies."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.days import local_day
from studies.errors import StudiesError
from studies.events import announce
from studies.free_text import check_day, lines, one_line, sha256_of
from studies.models import Study
from studies.register.models import StudyResult

# DOI handbook 2.2: a prefix of a directory and a registrant, a slash, and a name.
_DOI = re.compile(r"10\.\d{4,9}(\.\d+)*/[^\s<>\"']{1,180}")
_BEFORE = re.compile(r"^(https?://(dx\.)?doi\.org/|doi:)\s*", re.IGNORECASE)
LONGEST, LONGEST_TITLE = 4_000, 200


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

    Raises StudiesError `empty_text` (a title or text is missing or too long), `control_sign`,
    `points_at_somebody`, `bad_doi`, `in_the_future`, `too_long_ago`, `not_found` for a study that
    is still being prepared.
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
    # The database lets one of two through that saw the same version (studies/hospitals/change.py).
    _check(outcome, now)
    session.flush()
    found = session.execute(
        update(StudyResult)
        .where(StudyResult.id == result.id, StudyResult.version == expected)
        .values(version=expected + 1)
        .execution_options(synchronize_session=False)
    )
    changed = getattr(found, "rowcount", 0)
    session.refresh(result)
    if not changed:
        raise StudiesError("changed_meanwhile", versions=(expected, result.version))
    _write(result, outcome, now)
    result.written_at, result.by = now, actor.id
    session.flush()
    _announce(session, actor, "study.result_corrected", result)
    return result


def withdraw_result(
    session: Session, result: StudyResult, *, actor: Actor, now: datetime
) -> StudyResult:
    """Take a result back: it stays in the library, marked. A second time changes nothing."""
    session.flush()
    session.refresh(result, with_for_update=True)  # of two at once, the second sees the first
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


def _check(outcome: Outcome, now: datetime) -> Mapping[str, Any]:
    """What is written of an outcome, or the refusal."""
    if outcome.published_on > local_day(now):
        raise StudiesError("in_the_future")
    check_day(outcome.published_on)
    return {
        "title_nl": one_line(outcome.title_nl, LONGEST_TITLE, now),
        "title_en": one_line(outcome.title_en, LONGEST_TITLE, now),
        "text_nl": lines(outcome.text_nl, LONGEST, now),
        "text_en": lines(outcome.text_en, LONGEST, now),
        "doi": read_doi(outcome.doi),
        "run_id": outcome.run_id,
        "published_on": outcome.published_on,
    }


def _write(result: StudyResult, outcome: Outcome, now: datetime) -> None:
    for name, value in _check(outcome, now).items():
        setattr(result, name, value)


def texts_sha256(result: StudyResult) -> str:
    """SHA-256 over the texts as they were published (studies.free_text.sha256_of)."""
    return sha256_of(
        result.title_nl, result.title_en, result.text_nl, result.text_en, result.doi or ""
    )


def _announce(session: Session, actor: Actor, action: str, result: StudyResult) -> None:
    announce(
        session,
        actor=actor,
        action=action,
        about=f"study:{result.study}",
        facts={
            "result": result.number,
            "version": result.version,
            "texts_sha256": texts_sha256(result),
        },
    )
