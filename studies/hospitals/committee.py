"""What a committee decided about a study, and its conditions.

METC, CCMO and CTIS decide elsewhere; what they decided is written down with their number. Data
access decides here, and never somebody about what they proposed themselves.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.errors import StudiesError
from studies.events import announce
from studies.hospitals.models import CommitteeDecision, StudyDocument, StudyEvent
from studies.models import Study
from studies.study_state import refresh

# body -> name, and the kinds of study that it decides about.
BODIES: Final[Mapping[str, tuple[str, frozenset[str]]]] = {
    "metc": ("METC", frozenset({"wmo"})),
    "ccmo": ("CCMO", frozenset({"wmo"})),
    "ctis": ("CTIS", frozenset({"wmo"})),
    "nwmo": ("nWMO", frozenset({"nwmo", "data"})),
    "data_access": ("Datatoegang", frozenset({"data", "nwmo"})),
}
OUTCOMES: Final[Mapping[str, tuple[str, str]]] = {
    "positive": ("Positive", "Positief"),
    "conditions": ("Positive with conditions", "Positief met voorwaarden"),
    "negative": ("Negative", "Negatief"),
    "withdrawn": ("Approval withdrawn", "Goedkeuring ingetrokken"),
}
MAX_CONDITION: Final = 300


def decide(
    session: Session,
    study: Study,
    *,
    body: str,
    outcome: str,
    reference: str,
    decided_on: date,
    actor: Actor,
    now: datetime,
    conditions: Sequence[str] = (),
    document_id: str | None = None,
) -> CommitteeDecision:
    """Write down a decision; the last one counts. `conditions` only with that outcome.

    Raises StudiesError `unknown_code` (body, outcome, or a body that does not decide about this
    kind of study), `empty_text` (reference, or an outcome with conditions without any),
    `in_the_future`, `not_found` (document), `wrong_role` and `own_proposal` (data access).
    """
    if body not in BODIES or outcome not in OUTCOMES or study.kind not in BODIES[body][1]:
        raise StudiesError("unknown_code")
    words = [" ".join(text.split())[:MAX_CONDITION] for text in conditions]
    words = [text for text in words if text]
    number = " ".join(reference.split())[:60]
    if not number or bool(words) != (outcome == "conditions"):
        raise StudiesError("empty_text")
    if decided_on > now.date():
        raise StudiesError("in_the_future")
    if body == "data_access":
        _check_data_access(session, study, actor)
    if document_id is not None:
        document = session.get(StudyDocument, document_id)
        if document is None or document.study != study.slug:
            raise StudiesError("not_found")
    count = session.scalar(
        select(func.max(CommitteeDecision.number)).where(CommitteeDecision.study == study.slug)
    )
    decision = CommitteeDecision(
        study=study.slug,
        number=(count or 0) + 1,
        body=body,
        reference=number,
        outcome=outcome,
        conditions=words,
        decided_on=decided_on,
        recorded_at=now,
        by=actor.id,
        document_id=document_id,
    )
    session.add(decision)
    refresh(session, study)
    announce(
        session,
        actor=actor,
        action="study.decided",
        about=f"study:{study.slug}",
        facts={
            "body": body,
            "outcome": outcome,
            "reference": number,
            "decided_on": decided_on.isoformat(),
            "conditions": len(words),
        },
    )
    return decision


def list_decisions(session: Session, study: str) -> list[CommitteeDecision]:
    """Every decision about a study, the first one first."""
    return list(
        session.scalars(
            select(CommitteeDecision)
            .where(CommitteeDecision.study == study)
            .order_by(CommitteeDecision.number)
        )
    )


def proposers(session: Session, study: str) -> frozenset[str]:
    """Who proposed a study: they decide nothing about it."""
    return frozenset(
        session.scalars(
            select(StudyEvent.by).where(
                StudyEvent.study == study, StudyEvent.kind.in_(("proposed", "joint"))
            )
        )
    )


def _check_data_access(session: Session, study: Study, actor: Actor) -> None:
    if not {f"committee@study:{study.slug}", "committee@network"} & actor.roles:
        raise StudiesError("wrong_role")
    if actor.id in proposers(session, study.slug):
        raise StudiesError("own_proposal")
