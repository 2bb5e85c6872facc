"""What the hub keeps of evaluation rounds: the plan, its questions, its snapshots, what was said.

`round_question` and `round_part` are the worker's own book: they change while nobody may know how
a round goes, so their changes are told at the release and not before (docs/adr/0037).
"""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from federation.rounds import states
from studies.base import Base, Json, OrderedJson, UtcTime, new_id

ID = String(36)
SLUG = String(63)


def _one_of(column: str, words: Collection[str]) -> str:
    return f"{column} IN ({', '.join(repr(word) for word in sorted(words))})"


class EvaluationRound(Base):
    """One round of a working group, in a study.

    `plan` is all that is agreed (federation/rounds/plan.py); from the offer to the committee on it
    does not change, and `plan_sha256` is what the committee approves. `parent` is the round that a
    cause analysis or a measuring again belongs to; `previous` the round before in a series.
    """

    __tablename__ = "evaluation_round"
    __table_args__ = (
        CheckConstraint(_one_of("state", states.STATES), name="state_known"),
        CheckConstraint(_one_of("kind", states.KINDS), name="kind_known"),
        CheckConstraint("(kind = 'round') = (parent IS NULL)", name="part_has_parent"),
        CheckConstraint(
            "state NOT IN ('approved', 'running', 'ready', 'released', 'closed')"
            " OR (plan_sha256 IS NOT NULL AND decided_by IS NOT NULL)",
            name="approved_has_plan",
        ),
        CheckConstraint(
            "(state IN ('released', 'closed')) = (released_at IS NOT NULL)",
            name="released_has_moment",
        ),
        UniqueConstraint("group_id", "number", name="uq_evaluation_round_number"),
        Index("ix_evaluation_round_state", "state", "freeze_at"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    group_id: Mapped[str] = mapped_column(ForeignKey("working_group.id"), index=True)
    number: Mapped[int]
    network: Mapped[str] = mapped_column(ForeignKey("network.slug"))
    study: Mapped[str] = mapped_column(ForeignKey("study.slug"), index=True)
    kind: Mapped[str] = mapped_column(String(10), default="round")
    parent: Mapped[str | None] = mapped_column(ForeignKey("evaluation_round.id"), index=True)
    previous: Mapped[str | None] = mapped_column(ForeignKey("evaluation_round.id"))
    state: Mapped[str] = mapped_column(String(10))
    version: Mapped[int] = mapped_column(default=1)
    plan: Mapped[dict[str, Any]] = mapped_column(OrderedJson)
    plan_sha256: Mapped[str | None] = mapped_column(String(64))
    freeze_at: Mapped[datetime] = mapped_column(UtcTime)
    release_at: Mapped[datetime] = mapped_column(UtcTime)

    planned_by: Mapped[str] = mapped_column(String(64))
    planned_by_name: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    decided_by: Mapped[str | None] = mapped_column(String(64))
    decided_by_name: Mapped[str | None] = mapped_column(String(200))
    decided_at: Mapped[datetime | None] = mapped_column(UtcTime)
    why: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime | None] = mapped_column(UtcTime)
    released_at: Mapped[datetime | None] = mapped_column(UtcTime)


class RoundEvent(Base):
    """One thing that happened to a round. Only added to."""

    __tablename__ = "round_event"
    __table_args__ = (UniqueConstraint("round_id", "number", name="uq_round_event_number"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    round_id: Mapped[str] = mapped_column(ForeignKey("evaluation_round.id"))
    number: Mapped[int]
    kind: Mapped[str] = mapped_column(String(30))
    at: Mapped[datetime] = mapped_column(UtcTime)
    by: Mapped[str] = mapped_column(String(64))
    by_name: Mapped[str] = mapped_column(String(200), default="")
    facts: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)


class RoundPart(Base):
    """A hospital's part in a round. `why` is a public code (federation.query.refusals)."""

    __tablename__ = "round_part"
    __table_args__ = (CheckConstraint(_one_of("state", states.PARTS), name="state_known"),)

    round_id: Mapped[str] = mapped_column(ForeignKey("evaluation_round.id"), primary_key=True)
    site: Mapped[str] = mapped_column(ForeignKey("institution.slug"), primary_key=True)
    letter: Mapped[str] = mapped_column(String(3))
    state: Mapped[str] = mapped_column(String(10), default=states.IN)
    why: Mapped[str | None] = mapped_column(String(40))
    at: Mapped[datetime] = mapped_column(UtcTime)


class RoundQuestion(Base):
    """One question of a round for one roster of hospitals.

    When a hospital leaves, the questions that it was in are dropped, with what was answered, and
    put again to the others: the next `generation`. `sites` are its hospitals; `why` says for which
    code it ended without numbers.
    """

    __tablename__ = "round_question"
    __table_args__ = (
        CheckConstraint(_one_of("state", states.QUESTION_STATES), name="state_known"),
        UniqueConstraint(
            "round_id", "indicator", "role", "generation", name="uq_round_question_once"
        ),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    round_id: Mapped[str] = mapped_column(ForeignKey("evaluation_round.id"), index=True)
    indicator: Mapped[int]
    role: Mapped[str] = mapped_column(String(120))
    generation: Mapped[int] = mapped_column(default=0)
    sites: Mapped[list[str]] = mapped_column(Json)
    run_id: Mapped[str | None] = mapped_column(ForeignKey("run.id", ondelete="SET NULL"))
    state: Mapped[str] = mapped_column(String(10), default=states.WAITING)
    why: Mapped[str | None] = mapped_column(String(40))


class RoundSnapshot(Base):
    """The locked result of a round (federation/rounds/snapshot.py). Never changed; a cause
    analysis makes the next number."""

    __tablename__ = "round_snapshot"
    __table_args__ = (UniqueConstraint("round_id", "number", name="uq_round_snapshot_number"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    round_id: Mapped[str] = mapped_column(ForeignKey("evaluation_round.id"))
    number: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    body: Mapped[dict[str, Any]] = mapped_column(OrderedJson)
    made_at: Mapped[datetime] = mapped_column(UtcTime)


class RoundNote(Base):
    """What was said of a released round: a note, a cause, or help that one hospital offers to
    another. Only added to. `indicator` is its id in the snapshot, or None for the whole round."""

    __tablename__ = "round_note"
    __table_args__ = (CheckConstraint(_one_of("kind", states.NOTE_KINDS), name="kind_known"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    round_id: Mapped[str] = mapped_column(ForeignKey("evaluation_round.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10), default="note")
    indicator: Mapped[str | None] = mapped_column(String(63))
    text: Mapped[str] = mapped_column(Text)
    from_site: Mapped[str | None] = mapped_column(ForeignKey("institution.slug"))
    to_site: Mapped[str | None] = mapped_column(ForeignKey("institution.slug"))
    at: Mapped[datetime] = mapped_column(UtcTime)
    by: Mapped[str] = mapped_column(String(64))
    by_name: Mapped[str] = mapped_column(String(200), default="")


class RoundAction(Base):
    """What a group does about a finding, by whom, when it is due, and when it is measured again.

    `site`: the hospital it is about, None for all. `before` and `after` are rows of snapshots;
    `remeasured_in` the round that measured again.
    """

    __tablename__ = "round_action"
    __table_args__ = (
        CheckConstraint(_one_of("state", states.ACTION_STATES), name="state_known"),
        CheckConstraint(
            "state <> 'measuring' OR remeasured_in IS NOT NULL", name="measuring_has_round"
        ),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    round_id: Mapped[str] = mapped_column(ForeignKey("evaluation_round.id"), index=True)
    indicator: Mapped[str] = mapped_column(String(63))
    site: Mapped[str | None] = mapped_column(ForeignKey("institution.slug"))
    text: Mapped[str] = mapped_column(Text)
    cause: Mapped[str] = mapped_column(Text, default="")
    owner: Mapped[str] = mapped_column(String(200))
    due: Mapped[date] = mapped_column(Date)
    first: Mapped[str | None] = mapped_column(String(7))
    last: Mapped[str | None] = mapped_column(String(7))
    measure_at: Mapped[datetime | None] = mapped_column(UtcTime)
    state: Mapped[str] = mapped_column(String(10), default="open")
    version: Mapped[int] = mapped_column(default=1)
    remeasured_in: Mapped[str | None] = mapped_column(ForeignKey("evaluation_round.id"))
    before: Mapped[dict[str, Any] | None] = mapped_column(Json)
    after: Mapped[dict[str, Any] | None] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    created_by: Mapped[str] = mapped_column(String(64))
    created_by_name: Mapped[str] = mapped_column(String(200), default="")
    closed_at: Mapped[datetime | None] = mapped_column(UtcTime)
