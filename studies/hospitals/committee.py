"""What a committee decided about a study, and its conditions.

METC, CCMO, CTIS and a reviewer of other research decide elsewhere: their letter is written down
here with its number and the document itself, by somebody of the study who did not propose it. Data
access decides here, by its committee, and never somebody about what they proposed themselves. What
takes a yes away, a no or a withdrawal from outside, anybody of the study writes down, at once and
without waiting for paper. All bodies together: studies/hospitals/verdict.py.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.days import local_day
from studies.errors import StudiesError
from studies.events import announce
from studies.free_text import check_day, one_line, sha256_of
from studies.hospitals.models import CommitteeDecision, StudyDocument, StudyEvent
from studies.hospitals.verdict import DATA_ACCESS, POSITIVE
from studies.models import Study
from studies.study_state import refresh

# body -> name, and the kinds of study that it decides about.
BODIES: Final[Mapping[str, tuple[str, frozenset[str]]]] = {
    "metc": ("METC", frozenset({"wmo"})),
    "ccmo": ("CCMO", frozenset({"wmo"})),
    "ctis": ("CTIS", frozenset({"wmo"})),
    "nwmo": ("nWMO", frozenset({"nwmo", "data"})),
    "data_access": ("Datatoegang", frozenset({"data", "nwmo", "wmo"})),
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
    """Write down a decision; the last one of its body counts. `conditions` only with that outcome.

    Whoever calls it sees to it that a person has a role for this study, and for data access signed
    in afresh. Raises StudiesError `unknown_code` (body, outcome, or a body that does not decide
    about this kind of study), `empty_text` (reference, or an outcome with conditions without any),
    `control_sign`, `points_at_somebody`, `in_the_future`, `too_long_ago`, `not_found` (document),
    `wrong_role` (data access), `own_proposal`, `letter_needed` (a yes from outside that a person
    writes down without it).
    """
    if body not in BODIES or outcome not in OUTCOMES or study.kind not in BODIES[body][1]:
        raise StudiesError("unknown_code")
    words = [
        one_line(text[:MAX_CONDITION], MAX_CONDITION, now) for text in conditions if text.strip()
    ]
    number = " ".join(reference.split())[:60]
    if not number or bool(words) != (outcome == "conditions"):
        raise StudiesError("empty_text")
    if decided_on > local_day(now):
        raise StudiesError("in_the_future")
    check_day(decided_on)
    _check_writer(session, study, body, outcome, actor)
    letter = None if document_id is None else session.get(StudyDocument, document_id)
    if document_id is not None and (letter is None or letter.study != study.slug):
        raise StudiesError("not_found")
    # The hub's own seeds are invented and have no letter; a person holds it in their hands.
    if body != DATA_ACCESS and outcome in POSITIVE and actor.kind != "system":
        if letter is None or (letter.kind, letter.institution) != ("decision", None):
            raise StudiesError("letter_needed")
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
            "conditions_sha256": sha256_of(*words) if words else None,
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


def proposers(
    session: Session, study: str, kinds: Sequence[str] = ("proposed", "joint")
) -> frozenset[str]:
    """Who proposed a study or made it a joint one: data access is not decided by them."""
    return frozenset(
        session.scalars(
            select(StudyEvent.by).where(StudyEvent.study == study, StudyEvent.kind.in_(kinds))
        )
    )


def _check_writer(session: Session, study: Study, body: str, outcome: str, actor: Actor) -> None:
    if body == DATA_ACCESS:
        if not {f"committee@study:{study.slug}", "committee@network"} & actor.roles:
            raise StudiesError("wrong_role")
        if actor.id in proposers(session, study.slug):
            raise StudiesError("own_proposal")
    elif outcome in POSITIVE and actor.kind != "system":
        # Whoever made it a joint study is a second person already, and may hold the letter.
        if actor.id in proposers(session, study.slug, ("proposed",)):
            raise StudiesError("own_proposal")
