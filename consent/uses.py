"""In which questions a patient's data could count: from what hospitals say they used, and when.

A hospital tells which question of which study used which state of consent, never who was in it.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent import standing
from consent.errors import ConsentError
from consent.items import with_parents
from consent.models import SnapshotRecord, Subject
from consent.models_people import Use
from consent.reading import request_for
from consent.rule import decide
from studies.models import Study


@dataclass(frozen=True)
class UseLine:
    """A question that could count this patient: they took part in its study at that moment."""

    query_id: str
    study: Study
    site: str
    at: datetime


def uses(session: Session, subject: Subject, limit: int = 100) -> tuple[UseLine, ...]:
    """The questions at this patient's hospital that could count them, newest first."""
    rows = session.execute(
        select(Use, Study, SnapshotRecord.issued)
        .join(Study, Study.slug == Use.study)
        .join(SnapshotRecord, (SnapshotRecord.site == Use.site) & (SnapshotRecord.seq == Use.seq))
        .where(Use.site == subject.site)
        .order_by(Use.at.desc())
    )
    found: list[UseLine] = []
    took_part: dict[tuple[str, datetime], bool] = {}
    for use, study, issued in rows:
        key = (study.slug, issued)
        if key not in took_part:
            took_part[key] = _took_part(session, subject, study, issued)
        if took_part[key]:
            found.append(UseLine(use.query_id, study, use.site, use.at))
        if len(found) == limit:
            break
    return tuple(found)


def _took_part(session: Session, subject: Subject, study: Study, at: datetime) -> bool:
    """Whether the patient was counted in the state of consent that was made at this moment."""
    said = standing.of_subjects(session, [subject.id], at, known_at=at).get(subject.id)
    if said is None:
        return False
    try:
        items = with_parents(study.requires)
    except ConsentError:
        return False
    return all(
        decide(
            request_for(subject, study.slug, item),
            said.choices,
            at,
            known_at=at,
            needs=said.needs,
        ).permit
        for item in items
    )
