"""From idea to joint study: a group proposes, patients are counted, and the network takes it up.

The count is a federated question that gives numbers only (federation/runs/feasibility.py); here is
kept which one, and what of its answer was released to the group. Who proposed it does not take it
up alone. Whose patients may be counted for ideas, the committee of their study says (ADR 0046).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import distinct, exists, func, select
from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.errors import StudiesError
from studies.events import announce
from studies.hospitals.committee import proposers
from studies.hospitals.models import CommitteeDecision, StudyEvent, StudyFeasibility
from studies.models import Participation, Study
from studies.study_state import derive, facts_of, write_event

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


def let_ideas_count(session: Session, study: Study, allowed: bool, *, actor: Actor) -> Study:
    """Say whether patients of this study may be counted for ideas of others, or no longer.

    Its data-access committee decides so, because its text for patients has to say it. Whoever
    calls it sees to a fresh sign-in. Raises StudiesError `wrong_role`, `own_proposal`,
    `asks_no_data`.
    """
    if not {f"committee@study:{study.slug}", "committee@network"} & actor.roles:
        raise StudiesError("wrong_role")
    if not study.asks_data:
        raise StudiesError("asks_no_data")
    if actor.id in proposers(session, study.slug):
        raise StudiesError("own_proposal")
    if study.counts_ideas != allowed:
        study.counts_ideas = allowed
        session.flush()
        said = "study.counts_ideas" if allowed else "study.counts_ideas_no_more"
        _announce(session, actor, said, study, None)
    return study


def counting_for(session: Session, idea: Study) -> list[Study]:
    """The studies whose patients may be counted for this idea: open, of its network, and with a
    committee that lets ideas count."""
    return list(
        session.scalars(
            select(Study)
            .where(
                Study.network == idea.network,
                Study.state == "open",
                Study.asks_data,
                Study.counts_ideas,
                Study.slug != idea.slug,
            )
            .order_by(Study.title_nl, Study.slug)
        )
    )


def may_be_counted(session: Session, idea: Study) -> bool:
    """Whether a study is still an idea: proposed, a draft, and no committee was against it."""
    facts = facts_of(session, idea)
    return "proposed" in facts.events and derive(facts) in ("idea", "feasibility", "joint")


def ask_count(
    session: Session,
    study: Study,
    run_id: str,
    *,
    actor: Actor,
    now: datetime,
    asked_in: str | None = None,
) -> StudyFeasibility:
    """Note which question counts the patients, and in which study the hub put it for this idea.

    Raises StudiesError `bad_name`, `name_taken`.
    """
    if not 1 <= len(run_id) <= 36:
        raise StudiesError("bad_name")
    if session.get(StudyFeasibility, (study.slug, run_id)) is not None:
        raise StudiesError("name_taken")
    asked = StudyFeasibility(
        study=study.slug, run_id=run_id, asked_at=now, asked_by=actor.id, asked_in=asked_in
    )
    session.add(asked)
    session.flush()
    _announce(session, actor, "study.count_asked", study, run_id)
    return asked


def count_refused(
    session: Session, study: Study, run_id: str, code: str, *, actor: Actor
) -> StudyFeasibility:
    """Note why a question gave no number. Raises StudiesError `not_found`, `step_not_allowed`."""
    asked = _waiting(session, study, run_id)
    asked.code = code[:40]
    session.flush()
    _announce(session, actor, "study.count_refused", study, run_id)
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
    cells: Sequence[Mapping[str, Any]] | None = None,
) -> StudyFeasibility:
    """Release to the group what the hospitals released: per institution and in total, None where
    the answer hides it, and what it was split by. Once; what a group saw is not changed under its
    hands.

    cells: [{"by": {variable: level}, "n": number or None}]. Raises StudiesError `not_found`,
    `step_not_allowed` (released or refused before), `bad_count`.
    """
    asked = _waiting(session, study, run_id)
    if TOTAL not in numbers or any(
        number is not None and (isinstance(number, bool) or number < 0)
        for number in numbers.values()
    ):
        raise StudiesError("bad_count")
    asked.numbers, asked.released_at, asked.released_by = dict(numbers), now, actor.id
    asked.words_nl, asked.words_en = " ".join(words_nl.split()), " ".join(words_en.split())
    asked.cells = None if cells is None else [dict(each) for each in cells]
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


def proposed_by(session: Session, run_id: str) -> frozenset[str]:
    """Who proposed an idea for which this question counts patients: they do not approve it."""
    ideas = ideas_of(session, run_id)
    return frozenset(person for idea in ideas for person in proposers(session, idea.slug))


def ideas_of(session: Session, run_id: str) -> list[Study]:
    """The ideas for which the hub put this question; none for a question of the study itself."""
    return list(
        session.scalars(
            select(Study)
            .join(StudyFeasibility, StudyFeasibility.study == Study.slug)
            .where(StudyFeasibility.run_id == run_id, StudyFeasibility.asked_in.is_not(None))
            .order_by(Study.slug)
        )
    )


def unanswered(session: Session) -> list[tuple[str, str]]:
    """(study, question) of the counts that the hub put for an idea and nobody heard of yet."""
    rows = session.execute(
        select(StudyFeasibility.study, StudyFeasibility.run_id)
        .where(
            StudyFeasibility.asked_in.is_not(None),
            StudyFeasibility.released_at.is_(None),
            StudyFeasibility.code.is_(None),
        )
        .order_by(StudyFeasibility.asked_at, StudyFeasibility.run_id)
    )
    return [(study, run_id) for study, run_id in rows]


def _waiting(session: Session, study: Study, run_id: str) -> StudyFeasibility:
    asked = session.get(StudyFeasibility, (study.slug, run_id))
    if asked is None:
        raise StudiesError("not_found")
    if asked.released_at is not None or asked.code is not None:
        raise StudiesError("step_not_allowed")
    return asked


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
