"""Mail to professionals: where to, what waits to be sent, and what each person was told.

The outbox is a table, so that a mail is there or not together with what it belongs to, and outlives
any program. Nothing in it is about a patient.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from studies.base import Base, Json, UtcTime, new_id

#: waiting -> handing (to the mail server, from just before its text goes) -> sent.
#: unsure: the program ended while handing it over; failed: the server will not have it.
STATES = ("waiting", "handing", "sent", "unsure", "failed")


class MailAddress(Base):
    """Where somebody gets the daily mail, in which language; no row, no mail.

    Before `confirmed_at` it gets nothing but the `code` that confirms it.
    """

    __tablename__ = "mail_address"

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), primary_key=True)
    address: Mapped[str] = mapped_column(String(254))
    language: Mapped[str] = mapped_column(String(2))
    set_at: Mapped[datetime] = mapped_column(UtcTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    code: Mapped[str | None] = mapped_column(String(6))
    code_at: Mapped[datetime | None] = mapped_column(UtcTime)
    tries: Mapped[int] = mapped_column(default=0, server_default="0")


class Mail(Base):
    """One mail. A person gets at most one of a kind on a day; `keys` is what it tells them."""

    __tablename__ = "mail"
    __table_args__ = (
        UniqueConstraint("account_id", "kind", "day"),
        CheckConstraint(
            "state IN ('waiting', 'handing', 'sent', 'unsure', 'failed')", name="state"
        ),
        Index("ix_mail_state", "state", "next_at"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"))
    kind: Mapped[str] = mapped_column(String(20))
    day: Mapped[date] = mapped_column(Date)
    address: Mapped[str] = mapped_column(String(254))
    subject: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    keys: Mapped[list[str]] = mapped_column(Json)
    state: Mapped[str] = mapped_column(String(8), default="waiting")
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime] = mapped_column(UtcTime)
    made_at: Mapped[datetime] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    why: Mapped[str | None] = mapped_column(String(40))


class MailTold(Base):
    """What a person was told by a mail that was certainly sent."""

    __tablename__ = "mail_told"

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime)
