"""What the hub keeps of a run: the question, where it stands, each site's part, each site's bytes.

Invariants that the database itself keeps:
one reply per (run, context, step, site); a final state has an end time and an outcome, a state
that is not final has neither; an open run has a roster, a context and a deadline.
"""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    event,
    false,
    select,
)
from sqlalchemy.orm import (
    Mapped,
    ORMExecuteState,
    Session,
    mapped_column,
    with_loader_criteria,
)

from federation.runs.states import FINAL, OPEN, SITE_STATES, STATES
from studies.base import Base, Json, UtcTime, new_id


def _quoted(words: tuple[str, ...] | frozenset[str]) -> str:
    return ", ".join(f"'{word}'" for word in sorted(words))


class Run(Base):
    """One question put to the sites of a study.

    ``context`` is the run id that the sites see; a restart after a newer consent snapshot gets a
    fresh one, so that no mask and no journal entry is ever used twice.
    """

    __tablename__ = "run"
    __table_args__ = (
        CheckConstraint(f"state IN ({_quoted(STATES)})", name="state_known"),
        CheckConstraint(
            f"(state IN ({_quoted(FINAL)})) = (finished_at IS NOT NULL)", name="final_has_end"
        ),
        CheckConstraint(
            f"(state IN ({_quoted(FINAL)})) = (outcome IS NOT NULL)", name="final_has_outcome"
        ),
        CheckConstraint(
            f"state <> '{OPEN}' OR (context IS NOT NULL AND roster IS NOT NULL"
            " AND opened_at IS NOT NULL AND deadline IS NOT NULL)",
            name="open_has_roster",
        ),
        Index("ix_run_state", "state", "submitted_at"),
        Index("ix_run_question", "study", "question_sha256"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    study: Mapped[str] = mapped_column(String(63))
    kind: Mapped[str] = mapped_column(String(40))
    title: Mapped[str] = mapped_column(String(300))
    query: Mapped[dict[str, Any]] = mapped_column(Json)
    codebook: Mapped[dict[str, Any]] = mapped_column(Json)
    query_sha256: Mapped[str] = mapped_column(String(64))
    question_sha256: Mapped[str] = mapped_column(String(64))
    again: Mapped[bool] = mapped_column(default=False)

    state: Mapped[str] = mapped_column(String(16))
    submitted_by: Mapped[str] = mapped_column(String(64), index=True)
    submitted_by_name: Mapped[str] = mapped_column(String(200), default="")
    submitted_at: Mapped[datetime] = mapped_column(UtcTime)
    decided_by: Mapped[str | None] = mapped_column(String(64))
    decided_by_name: Mapped[str | None] = mapped_column(String(200))
    decided_at: Mapped[datetime | None] = mapped_column(UtcTime)

    context: Mapped[str | None] = mapped_column(String(36), unique=True)
    restarts: Mapped[int] = mapped_column(default=0)
    roster: Mapped[dict[str, Any] | None] = mapped_column(Json)
    terms: Mapped[dict[str, Any] | None] = mapped_column(Json)
    # How results of single hospitals come, fixed when the run opens: "sealed" or "hub".
    delivery: Mapped[str | None] = mapped_column(String(6))
    min_snapshots: Mapped[dict[str, Any] | None] = mapped_column(Json)
    opened_at: Mapped[datetime | None] = mapped_column(UtcTime)
    deadline: Mapped[datetime | None] = mapped_column(UtcTime)

    finished_at: Mapped[datetime | None] = mapped_column(UtcTime)
    code: Mapped[str | None] = mapped_column(String(40))
    outcome: Mapped[dict[str, Any] | None] = mapped_column(Json)
    # What later answers must keep a distance from (federation.disclosure.nesting).
    released_sets: Mapped[list[dict[str, Any]] | None] = mapped_column(Json)
    # The evaluation round it belongs to, and whether that is still to be released: then nobody
    # sees the run at all (federation.runs.embargo). `planned` is its place in the round, once.
    round_id: Mapped[str | None] = mapped_column(String(36), index=True)
    planned: Mapped[str | None] = mapped_column(String(36), unique=True, index=True)
    embargoed: Mapped[bool] = mapped_column(default=False, server_default=false())


#: In the info of a session that sees runs under embargo too (federation.runs.embargo.seeing).
SEEING: Final = "sees_runs_under_embargo"


@event.listens_for(Session, "do_orm_execute")
def _leave_out_runs_under_embargo(state: ORMExecuteState) -> None:
    """Here beside the table, so that nobody can read it without (federation/runs/embargo.py)."""
    # A refresh of a row that a session already has is not a new look.
    if state.is_select and not state.is_column_load and not state.session.info.get(SEEING):
        state.statement = state.statement.options(*_NOT_HELD)


class RunEmbargo(Base):
    """What a round asks, by its heart (federation.runs.embargo): nobody else is told it before the
    round is released. `about`: whose numbers, which and of when, so that they are not told by
    another heart either (federation.runs.same_numbers). `lifted_at`: when it was released or
    cancelled; `about` stays where it was told."""

    __tablename__ = "run_embargo"
    __table_args__ = (UniqueConstraint("round_id", "heart", name="uq_run_embargo_once"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    round_id: Mapped[str] = mapped_column(String(36))
    heart: Mapped[str] = mapped_column(String(64), index=True)
    about: Mapped[dict[str, Any] | None] = mapped_column(Json)
    since: Mapped[datetime] = mapped_column(UtcTime)
    lifted_at: Mapped[datetime | None] = mapped_column(UtcTime)


class RunProgress(Base):
    """Who drives an open run until when, and the step the sites are working on.

    A table of its own, because these rows change without anyone acting: they are not audited.
    """

    __tablename__ = "run_progress"
    __table_args__ = (
        CheckConstraint(
            "(lease_owner IS NULL) = (lease_until IS NULL)", name="lease_has_owner_and_end"
        ),
    )

    run_id: Mapped[str] = mapped_column(
        String(36), ForeignKey("run.id", ondelete="CASCADE"), primary_key=True
    )
    step: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[datetime | None] = mapped_column(UtcTime)


class RunSite(Base):
    """One site's part in a run: what was sent for the present step, and when it is sent again.

    ``message`` is kept so that a repeat is the same bytes, also after a restart of the hub.
    """

    __tablename__ = "run_site"
    __table_args__ = (
        CheckConstraint(f"state IN ({_quoted(SITE_STATES)})", name="state_known"),
        CheckConstraint("attempts >= 0", name="attempts_count"),
    )

    run_id: Mapped[str] = mapped_column(
        String(36), ForeignKey("run.id", ondelete="CASCADE"), primary_key=True
    )
    site: Mapped[str] = mapped_column(String(63), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    step: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    message: Mapped[bytes | None] = mapped_column(LargeBinary)
    message_expires: Mapped[datetime | None] = mapped_column(UtcTime)
    next_send_at: Mapped[datetime | None] = mapped_column(UtcTime)
    answered_at: Mapped[datetime | None] = mapped_column(UtcTime)
    code: Mapped[str | None] = mapped_column(String(40))


class RunReply(Base):
    """The bytes a site signed for one step, exactly as received. Never changed."""

    __tablename__ = "run_reply"
    __table_args__ = (
        UniqueConstraint("run_id", "context", "step", "site", name="uq_run_reply_once"),
        CheckConstraint("step >= 0", name="step_counts"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    run_id: Mapped[str] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"))
    context: Mapped[str] = mapped_column(String(36))
    step: Mapped[int]
    site: Mapped[str] = mapped_column(String(63))
    body: Mapped[bytes] = mapped_column(LargeBinary)
    sha256: Mapped[str] = mapped_column(String(64))
    received_at: Mapped[datetime] = mapped_column(UtcTime)


#: The table itself: a select of `Run` inside the criterion would get the criterion too.
_HELD = select(Run.__table__.c.id).where(Run.__table__.c.embargoed)
#: Also by another name in the same query, and also what belongs to a run, read without it.
_NOT_HELD = (
    with_loader_criteria(Run, lambda run: run.embargoed.is_(False), include_aliases=True),
    *(
        with_loader_criteria(part, lambda part: part.run_id.not_in(_HELD), include_aliases=True)
        for part in (RunProgress, RunSite, RunReply)
    ),
)
