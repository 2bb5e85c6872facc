"""From idea to joint study: a group proposes, patients are counted, and the network takes it up.

The count is a federated question that gives numbers only (federation.runs); here is kept which one,
and what of its answer was released to the group. Who proposed it does not take it up alone.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import distinct, exists, func, select
from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.errors import StudiesError
from studies.events import announce
from studies.hospitals.committee import proposers
from studies.hospitals.models import CommitteeDecision, StudyEvent, StudyFeasibility
from studies.models import Participation, Study
from studies.study_state import facts_of, write_event

TOTAL = "total"
#: So many ideas of one person wait at once; each gives its proposer a role (registry).
MOST_IDEAS: Final = 10


def propose(session: Session, study: Study, *, actor: Actor, now: datetime) -> Study:
    """The group proposes the study.

    Raises StudiesError `step_not_allowed` when it was already, `too_many_ideas` when MOST_IDEAS of
    this person are still drafts about which no committee said anything.
    """
    if facts_of(session, study).events:
        raise StudiesError("step_not_allowed")
    decided = exists().where(CommitteeDecision.study == Study.slug)
    ideas = session.scalar(
        select(func.count(distinct(Study.slug)))
        .join(StudyEvent, StudyEvent.study == Study.slug)
        .where(
            StudyEvent.kind == "proposed",
            StudyEvent.by == actor.id,
            Study.state == "draft",
            ~decided,
        )
    )
    if (ideas or 0) >= MOST_IDEAS:
        raise StudiesError("too_many_ideas")
    write_event(session, study, "proposed", actor=actor, now=now)
    _announce(session, actor, "study.proposed", study, None)
    return study


def ask_count(
    session: Session, study: Study, run_id: str, *, actor: Actor, now: datetime
) -> StudyFeasibility:
    """Note which question counts the patients. Raises StudiesError `bad_name`, `name_taken`."""
    if not 1 <= len(run_id) <= 36:
        raise StudiesError("bad_name")
    if session.get(StudyFeasibility, (study.slug, run_id)) is not None:
        raise StudiesError("name_taken")
    asked = StudyFeasibility(study=study.slug, run_id=run_id, asked_at=now, asked_by=actor.id)
    session.add(asked)
    session.flush()
    _announce(session, actor, "study.count_asked", study, run_id)
    return asked


def release_count(
    session: Session,
    study: Study,
    run_id: str,
    numbers: Mapping[str, int | None],
    *,
    actor: Actor,
    now: datetime,
    words_nl: str = "",
    words_en: str = "",
) -> StudyFeasibility:
    """Release to the group what the hospitals released: per institution and in total, None where
    the answer hides it. Once; what a group saw is not changed under its hands.

    Raises StudiesError `not_found`, `step_not_allowed` (released before), `bad_count`.
    """
    asked = session.get(StudyFeasibility, (study.slug, run_id))
    if asked is None:
        raise StudiesError("not_found")
    if asked.released_at is not None:
        raise StudiesError("step_not_allowed")
    if TOTAL not in numbers or any(
        number is not None and (isinstance(number, bool) or number < 0)
        for number in numbers.values()
    ):
        raise StudiesError("bad_count")
    asked.numbers, asked.released_at, asked.released_by = dict(numbers), now, actor.id
    asked.words_nl, asked.words_en = " ".join(words_nl.split()), " ".join(words_en.split())
    for part in session.scalars(select(Participation).where(Participation.study == study.slug)):
        if part.institution in numbers and part.feasibility_run is None:
            part.feasibility_run = run_id
    session.flush()
    _announce(session, actor, "study.count_released", study, run_id)
    # The parts that were told of it changed as well.
    _announce(session, actor, "participation.count_released", study, run_id)
    return asked


def make_joint(session: Session, study: Study, *, actor: Actor, now: datetime) -> Study:
    """Make an idea a joint study, after its count was released.

    Raises StudiesError `step_not_allowed` (not proposed, or joint already), `count_missing`,
    `own_proposal`.
    """
    events = facts_of(session, study).events
    if "proposed" not in events or "joint" in events:
        raise StudiesError("step_not_allowed")
    if not any(asked.released_at for asked in list_counts(session, study.slug)):
        raise StudiesError("count_missing")
    if actor.id in proposers(session, study.slug):
        raise StudiesError("own_proposal")
    write_event(session, study, "joint", actor=actor, now=now)
    _announce(session, actor, "study.joint", study, None)
    return study


def list_counts(session: Session, study: str) -> list[StudyFeasibility]:
    """The counts that were asked for a study, the newest last."""
    return list(
        session.scalars(
            select(StudyFeasibility)
            .where(StudyFeasibility.study == study)
            .order_by(StudyFeasibility.asked_at, StudyFeasibility.run_id)
        )
    )


def _announce(
    session: Session, actor: Actor, action: str, study: Study, run_id: str | None
) -> None:
    announce(
        session,
        actor=actor,
        action=action,
        about=f"study:{study.slug}",
        facts={"count": run_id} if run_id else None,
    )
