"""A patient's choices are closed when the hospital told of a death: no yes comes after it.

A death entered by mistake is corrected by the hospital that entered it, in a message of its own
(consent/site_facts.py); nobody at the hub can. What was said in between stays without force.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent.models_people import Fact, FactCorrection

CLOSED: Final = "closed"


@dataclass(frozen=True)
class Closed:
    """From when until when nothing could be said yes to; None: still."""

    since: datetime
    until: datetime | None

    def shuts(self, recorded_at: datetime) -> bool:
        """Whether a yes that was written down then falls in it."""
        return self.since <= recorded_at and (self.until is None or recorded_at < self.until)


def closed_times(
    session: Session, subjects: Any, now: datetime, known_at: datetime | None = None
) -> Mapping[str, list[Closed]]:
    """By subject every time in which the choices were closed, by what was known at `now`."""
    told = select(Fact.subject_id, Fact.effective_at, FactCorrection.recorded_at).join(
        FactCorrection, FactCorrection.fact_id == Fact.id, isouter=True
    )
    seen = now if known_at is None else min(now, known_at)
    rows = session.execute(
        told.where(Fact.kind == CLOSED, Fact.subject_id.in_(subjects), Fact.recorded_at <= seen)
    )
    found: dict[str, list[Closed]] = {}
    for subject, since, until in rows:
        ended = until if until is not None and until <= seen else None
        found.setdefault(subject, []).append(Closed(since, ended))
    return found


def is_closed(session: Session, subject_id: str) -> bool:
    """Whether no yes can be given now, whatever any clock says."""
    open_fact = (
        select(Fact.id)
        .join(FactCorrection, FactCorrection.fact_id == Fact.id, isouter=True)
        .where(
            Fact.subject_id == subject_id,
            Fact.kind == CLOSED,
            FactCorrection.fact_id.is_(None),
        )
    )
    return session.scalar(open_fact.limit(1)) is not None
