"""What the hub keeps of a private match: what was asked, where it stands, the number shown at last.

No list stays: sealed replies are deleted when a match ends, and none of them could be opened here.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from studies.base import Base, Json, UtcTime, new_id

WAITING, OPEN, DONE, REFUSED = "waiting", "open", "done", "refused"


class PrivateMatch(Base):
    """One match of the patients of a study over these hospitals.

    `context` is the run id that the hospitals see, fresh for each attempt. `count`: the sum over
    all pairs, only where it may be shown; `hidden`: why not. `as_of`: when that was found, which is
    earlier than `finished_at` where an earlier number stands.
    """

    __tablename__ = "private_match"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'open', 'done', 'refused')", name="state_known"),
        CheckConstraint(
            "(state IN ('done', 'refused')) = (finished_at IS NOT NULL)", name="final_has_end"
        ),
        CheckConstraint(
            "state <> 'open' OR (context IS NOT NULL AND plan IS NOT NULL"
            " AND deadline IS NOT NULL)",
            name="open_has_plan",
        ),
        CheckConstraint(
            "(state = 'done') = ((count IS NULL) <> (hidden IS NULL))", name="done_has_answer"
        ),
        Index("ix_private_match_study", "study", "asked_at"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    study: Mapped[str] = mapped_column(ForeignKey("study.slug"))
    sites: Mapped[list[str]] = mapped_column(Json)
    approved_by: Mapped[str] = mapped_column(String(64))
    asked_at: Mapped[datetime] = mapped_column(UtcTime)
    state: Mapped[str] = mapped_column(String(8))
    context: Mapped[str | None] = mapped_column(String(36), unique=True)
    restarts: Mapped[int] = mapped_column(default=0)
    plan: Mapped[dict[str, Any] | None] = mapped_column(Json)
    deadline: Mapped[datetime | None] = mapped_column(UtcTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime)
    code: Mapped[str | None] = mapped_column(String(40))
    count: Mapped[int | None]
    hidden: Mapped[str | None] = mapped_column(String(40))
    as_of: Mapped[datetime | None] = mapped_column(UtcTime)


class MatchLease(Base):
    """Which worker drives a match until when; changes without anyone acting."""

    __tablename__ = "private_match_lease"

    match_id: Mapped[str] = mapped_column(
        String(36), ForeignKey("private_match.id", ondelete="CASCADE"), primary_key=True
    )
    owner: Mapped[str | None] = mapped_column(String(64))
    until: Mapped[datetime | None] = mapped_column(UtcTime)


class MatchReply(Base):
    """The bytes a site signed for one step, while the match is open."""

    __tablename__ = "private_match_reply"
    __table_args__ = (
        UniqueConstraint("match_id", "context", "step", "site", name="uq_private_match_reply_once"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    match_id: Mapped[str] = mapped_column(ForeignKey("private_match.id", ondelete="CASCADE"))
    context: Mapped[str] = mapped_column(String(36))
    step: Mapped[int]
    site: Mapped[str] = mapped_column(String(63))
    body: Mapped[bytes] = mapped_column(LargeBinary)
