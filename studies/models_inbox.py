"""What a coordinator is reminded of and was told: notices of the network, and what was settled.

Reminders themselves are worked out each time (studies/reminders.py), and are nowhere kept.
"""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from studies.base import Base, UtcTime, new_id
from studies.models import ID

PERSON = String(64)
KEY = String(200)


class ReminderDone(Base):
    """What no other record shows: that somebody saw to it outside the registry, such as a notice to
    the European portal. `key` is the reminder's."""

    __tablename__ = "reminder_done"

    key: Mapped[str] = mapped_column(KEY, primary_key=True)
    by: Mapped[str] = mapped_column(PERSON)
    at: Mapped[datetime] = mapped_column(UtcTime)


class Notice(Base):
    """An announcement to everybody who works in a network; taken back at most once."""

    __tablename__ = "notice"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    network: Mapped[str] = mapped_column(ForeignKey("network.slug"), index=True)
    title_nl: Mapped[str] = mapped_column(String(200))
    title_en: Mapped[str] = mapped_column(String(200))
    text_nl: Mapped[str] = mapped_column(Text)
    text_en: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(PERSON)
    name: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime] = mapped_column(UtcTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcTime)

    def title(self, language: str) -> str:
        """In Dutch for "nl", in English otherwise."""
        return self.title_nl if language == "nl" else self.title_en

    def text(self, language: str) -> str:
        """In Dutch for "nl", in English otherwise."""
        return self.text_nl if language == "nl" else self.text_en


class NoticeMark(Base):
    """That somebody read a notice, and whether they want to hear more of it (`interest`)."""

    __tablename__ = "notice_mark"

    notice_id: Mapped[str] = mapped_column(ForeignKey("notice.id"), primary_key=True)
    person: Mapped[str] = mapped_column(PERSON, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    read_at: Mapped[datetime] = mapped_column(UtcTime)
    interest: Mapped[bool] = mapped_column(default=False)
