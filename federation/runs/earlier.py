"""Answers that stand: the stored run whose result a question gets instead of a new one."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import Session

from federation.runs.models import Run
from federation.runs.states import COMPLETE, OPEN, RELEASED


def earlier_result(session: Session, run: Run, contexts: Sequence[str]) -> Run | None:
    """The run that answered this very question in this study under one of ``contexts``.

    It may still be open (then wait for it) or have ended; a run of another study, or of another
    question, is never taken, whatever a site says.
    """
    found = session.scalars(
        select(Run).where(
            Run.context.in_(contexts),
            Run.id != run.id,
            Run.study == run.study,
            Run.question_sha256 == run.question_sha256,
            _may_be_told(run),
        )
    ).all()
    released = [earlier for earlier in found if earlier.state in RELEASED]
    unfinished = [earlier for earlier in found if earlier.state == OPEN]
    return next(iter(released + unfinished), None)


def standing_result(session: Session, run: Run) -> Run | None:
    """The last released answer to this very question in this study, if there is one.

    When too few patients have changed for a new answer, it is the one that stands (disclosure.md
    W3). Nothing in it is new, so no site needs to be asked.
    """
    return session.scalars(
        select(Run)
        .where(
            Run.id != run.id,
            Run.study == run.study,
            Run.question_sha256 == run.question_sha256,
            Run.state == COMPLETE,
            _may_be_told(run),
        )
        .order_by(Run.finished_at.desc())
        .limit(1)
    ).first()


def _may_be_told(run: Run) -> ColumnElement[bool]:
    """Whose answers ``run`` may repeat: one that anybody sees never one that is under embargo."""
    return true() if run.embargoed else Run.embargoed.is_(False)
