"""What the hub keeps of questionnaires: what was asked, and sealed bytes. Never an answer it can
read (ADR 0041)."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from consent.models import SHA256
from studies.base import Base, Json, UtcTime, new_id
from studies.models import ID

INSTRUMENT = String(20)
TIMEPOINT = String(8)
DAY = String(10)


class PromAsk(Base):
    """A hospital asks its patient to fill in a questionnaire, from day `opens` to day `closes`
    (ISO). `ended_at`: it asks no more."""

    __tablename__ = "prom_ask"

    subject_id: Mapped[str] = mapped_column(ForeignKey("consent_subject.id"), primary_key=True)
    instrument: Mapped[str] = mapped_column(INSTRUMENT, primary_key=True)
    timepoint: Mapped[str] = mapped_column(TIMEPOINT, primary_key=True)
    opens: Mapped[str] = mapped_column(DAY)
    closes: Mapped[str] = mapped_column(DAY)
    asked_at: Mapped[datetime] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)


class PromSealed(Base):
    """A questionnaire that a patient sent, sealed to the hospital's key. `sealed` is gone once the
    hospital said what became of it (`code`: why not, None when it has it)."""

    __tablename__ = "prom_sealed"
    __table_args__ = (
        Index("ix_prom_sealed_subject", "subject_id"),
        # Asked every few seconds, for each hospital: what waits, not all that ever was sent.
        Index(
            "ix_prom_sealed_waiting",
            "sealed_at",
            sqlite_where=text("taken_at IS NULL"),
            postgresql_where=text("taken_at IS NULL"),
        ),
        CheckConstraint("(sealed IS NULL) = (taken_at IS NOT NULL)", name="kept_until_taken"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    subject_id: Mapped[str] = mapped_column(ForeignKey("consent_subject.id"))
    instrument: Mapped[str] = mapped_column(INSTRUMENT)
    timepoint: Mapped[str] = mapped_column(TIMEPOINT)
    sealed: Mapped[str | None] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(SHA256)
    sealed_at: Mapped[datetime] = mapped_column(UtcTime)
    taken_at: Mapped[datetime | None] = mapped_column(UtcTime)
    code: Mapped[str | None] = mapped_column(String(40))


class PromOwn(Base):
    """A patient's own scores, made by the hospital and sealed with the secret of the patient's
    newest letter. One per patient; a newer one takes its place."""

    __tablename__ = "prom_own"

    subject_id: Mapped[str] = mapped_column(ForeignKey("consent_subject.id"), primary_key=True)
    letter: Mapped[str] = mapped_column(String(6))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    made_at: Mapped[datetime] = mapped_column(UtcTime)


class PromDraft(Base):
    """A questionnaire that is half filled in, sealed with the secret of the patient's letter, for
    seven days."""

    __tablename__ = "prom_draft"

    subject_id: Mapped[str] = mapped_column(ForeignKey("consent_subject.id"), primary_key=True)
    instrument: Mapped[str] = mapped_column(INSTRUMENT, primary_key=True)
    timepoint: Mapped[str] = mapped_column(TIMEPOINT, primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    updated_at: Mapped[datetime] = mapped_column(UtcTime)


class PromWording(Base):
    """A licensed wording that this network brought (federation.prom.wording). None is shipped."""

    __tablename__ = "prom_wording"

    instrument: Mapped[str] = mapped_column(INSTRUMENT, primary_key=True)
    language: Mapped[str] = mapped_column(String(2), primary_key=True)
    content: Mapped[dict[str, Any]] = mapped_column(Json)
    added_by: Mapped[str] = mapped_column(String(64))
    added_at: Mapped[datetime] = mapped_column(UtcTime)
