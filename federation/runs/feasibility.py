"""How many patients there would be for a study that is still an idea: a question that only counts.

Nobody agreed to an idea, so it has no patients of its own to count. It is asked in a study of the
network that is open, whose patients said yes, and whose committee lets ideas count there
(`Study.counts_ideas`). For a hospital that is a question of a study it agreed to: the same consent,
the same approval, the same look, gate and ledger. Only the kind is fixed here, and that whoever
proposed the idea does not approve it. What the hospitals release goes to the group by itself; what
they refuse is said with its code. ADR 0046.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from federation.query.model import MAX_PURPOSE, MAX_TITLE
from federation.runs import service
from federation.runs.models import Run
from federation.runs.states import FINAL, RELEASED
from studies.actor import SYSTEM, Actor
from studies.errors import StudiesError
from studies.hospitals import feasibility
from studies.hospitals.models import StudyFeasibility
from studies.models import Study

KIND: Final = "count"
#: What of a question is the asker's own; study, codebook and kind are settled here.
KEYS: Final = ("title", "purpose", "unit", "sites", "cohort", "output")


def ask(
    session: Session,
    idea: Study,
    basis: str,
    question: Mapping[str, Any],
    *,
    by: Actor,
    now: datetime,
) -> StudyFeasibility:
    """Put a question that counts patients of the study `basis` for `idea`, to be approved there.

    question: of a query (docs/reference/query-language.md) the keys of KEYS, and `by`: up to three
    variables. The same question of the same person that still waits is not put twice.
    Raises StudiesError `not_an_idea`, `ideas_not_counted`, `not_found`; RunError and QueryError as
    `service.submit`.
    """
    if not feasibility.may_be_counted(session, idea):
        raise StudiesError("not_an_idea")
    found = {study.slug: study for study in feasibility.counting_for(session, idea)}.get(basis)
    if found is None:
        raise StudiesError("ideas_not_counted")
    made = question_of(idea, found, question)
    run = service.submit(session, query=made, study=found.slug, by=by, now=now)
    there = session.get(StudyFeasibility, (idea.slug, run.id))
    if there is not None:
        return there
    return feasibility.ask_count(session, idea, run.id, actor=by, now=now, asked_in=found.slug)


def question_of(idea: Study, basis: Study, question: Mapping[str, Any]) -> dict[str, Any]:
    """The whole query, as it is put in the study `basis`; the idea says what for, where the asker
    does not."""
    made = {key: question[key] for key in KEYS if question.get(key)}
    return {
        "title": f"{idea.title_nl} / {idea.title_en}"[:MAX_TITLE],
        "purpose": f"{idea.purpose_nl} / {idea.purpose_en}"[:MAX_PURPOSE],
        **made,
        "version": 1,
        "study": basis.slug,
        "codebook": basis.codebook_id,
        "analysis": {"kind": KIND, "by": question.get("by") or []},
    }


def take_in(session: Session, now: datetime) -> int:
    """Release to the groups what was answered since, or say why there is nothing; how many."""
    taken = 0
    for slug, run_id in feasibility.unanswered(session):
        run = session.get(Run, run_id)
        if run is not None and run.state not in FINAL:
            continue
        # Of two workers at once the other one has it.
        kept = session.get(
            StudyFeasibility,
            (slug, run_id),
            with_for_update={"skip_locked": True},
            populate_existing=True,
        )
        if kept is None or kept.released_at is not None or kept.code is not None:
            continue
        idea = session.get_one(Study, slug)
        taken += 1
        if run is None or run.state not in RELEASED:
            code = "RUN_NOT_FOUND" if run is None else run.code or run.state.upper()
            feasibility.count_refused(session, idea, run_id, code, actor=SYSTEM)
            continue
        outcome = run.outcome or {}
        feasibility.release_count(
            session,
            idea,
            run_id,
            numbers_of(outcome),
            cells=cells_of(outcome),
            actor=SYSTEM,
            now=now,
        )
    return taken


def waits(session: Session) -> bool:
    """Whether an answer is there that `take_in` has not taken in. Reads only."""
    asked = [run_id for _study, run_id in feasibility.unanswered(session)]
    if not asked:
        return False
    unfinished = select(Run.id).where(Run.id.in_(asked), Run.state.not_in(FINAL))
    return len(set(session.scalars(unfinished))) < len(set(asked))


def numbers_of(outcome: Mapping[str, Any]) -> dict[str, int | None]:
    """What an answer that counts says: in total, and per hospital where it does; None is hidden."""
    numbers: dict[str, int | None] = {feasibility.TOTAL: _number(outcome.get("result"))}
    sites = outcome.get("by_site")
    if isinstance(sites, Mapping):
        numbers |= {
            site: _number(found.get("result", found))
            for site, found in sites.items()
            if isinstance(found, Mapping) and "code" not in found and "sealed" not in found
        }
    return numbers


def cells_of(outcome: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The cells of an answer with what is hidden as None; None where nothing was split."""
    result = outcome.get("result")
    cells = result.get("cells") if isinstance(result, Mapping) else None
    if not cells or not cells[0].get("by"):
        return None
    return [{"by": dict(cell["by"]), "n": _whole(cell.get("n"))} for cell in cells]


def _number(result: object) -> int | None:
    found = result.get("total", result.get("n")) if isinstance(result, Mapping) else None
    return _whole(found)


def _whole(found: object) -> int | None:
    return found if isinstance(found, int) and not isinstance(found, bool) else None
