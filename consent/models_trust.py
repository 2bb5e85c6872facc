"""What the hub keeps so that others can check it: heads of the log, who saw them, disagreement."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from consent.models import SHA256
from studies.base import Base, Json, UtcTime, new_id
from studies.models import ID, SLUG


class TreeHead(Base):
    """A head of a network's log that the hub signed, with the signed bytes. Append-only."""

    __tablename__ = "consent_tree_head"

    network: Mapped[str] = mapped_column(ForeignKey("network.slug"), primary_key=True)
    size: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcTime, primary_key=True)
    root: Mapped[str] = mapped_column(SHA256)
    body: Mapped[bytes] = mapped_column(LargeBinary)


class Witness(Base):
    """A head as a hospital saw it with a snapshot, in the hospital's own signed words.
    Append-only."""

    __tablename__ = "consent_witness"

    site: Mapped[str] = mapped_column(ForeignKey("institution.slug"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    network: Mapped[str] = mapped_column(SLUG)
    size: Mapped[int]
    root: Mapped[str] = mapped_column(SHA256)
    at: Mapped[datetime] = mapped_column(UtcTime)
    body: Mapped[bytes] = mapped_column(LargeBinary)


class Alarm(Base):
    """Something that must not happen and did: two histories, a broken log, a yes without proof."""

    __tablename__ = "consent_alarm"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    network: Mapped[str] = mapped_column(SLUG)
    kind: Mapped[str] = mapped_column(String(40))
    facts: Mapped[dict[str, Any]] = mapped_column(Json)
    raised_at: Mapped[datetime] = mapped_column(UtcTime)
    seen_by: Mapped[str | None] = mapped_column(String(64))
    seen_at: Mapped[datetime | None] = mapped_column(UtcTime)


class TextDraft(Base):
    """A text that is being written. Two people approve it before it is published."""

    __tablename__ = "consent_text_draft"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    study: Mapped[str] = mapped_column(ForeignKey("study.slug"), index=True)
    content: Mapped[dict[str, Any]] = mapped_column(Json)
    change_class: Mapped[str] = mapped_column(String(12))
    widened: Mapped[list[str]] = mapped_column(Json)
    changes: Mapped[dict[str, str]] = mapped_column(Json)
    ethics_reference: Mapped[str] = mapped_column(String(100), default="")
    created_by: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    changed_at: Mapped[datetime] = mapped_column(UtcTime)
    approvals: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    published: Mapped[str | None] = mapped_column(SHA256)


class TextSuspension(Base):
    """Somebody asked to suspend a text; another person decided. `why`: for patients, by language.

    `suspends`: what was decided; False also while `decided_at` is empty, and when it was refused.
    """

    __tablename__ = "consent_text_suspension"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    text_version: Mapped[str] = mapped_column(ForeignKey("consent_text.id"), index=True)
    why: Mapped[dict[str, str]] = mapped_column(Json)
    asked_by: Mapped[str] = mapped_column(String(64))
    asked_at: Mapped[datetime] = mapped_column(UtcTime)
    decided_by: Mapped[str | None] = mapped_column(String(64))
    decided_at: Mapped[datetime | None] = mapped_column(UtcTime)
    suspends: Mapped[bool] = mapped_column(default=False)


class Erasure(Base):
    """The content of a leaf was erased because its time of keeping ended; the leaf itself stays.

    The database lets a row of consent_event or consent_mark go only when it is named here.
    `by`: the two people who decided it. Append-only.
    """

    __tablename__ = "consent_erasure"

    network: Mapped[str] = mapped_column(ForeignKey("network.slug"), primary_key=True)
    leaf: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    ground: Mapped[str] = mapped_column(String(40))
    by: Mapped[list[str]] = mapped_column(Json)
    at: Mapped[datetime] = mapped_column(UtcTime)


class NoConsentDecision(Base):
    """A decision that data of a study may be used without asking. Nobody counts by it; see
    consent/no_consent.py. `ground`: "a" or "b" of art. 7:458 BW; `reference`: of the approval."""

    __tablename__ = "consent_route"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    study: Mapped[str] = mapped_column(ForeignKey("study.slug"), index=True)
    ground: Mapped[str] = mapped_column(String(1))
    reason: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text)
    asked_by: Mapped[str] = mapped_column(String(64))
    asked_at: Mapped[datetime] = mapped_column(UtcTime)
    decided_by: Mapped[str | None] = mapped_column(String(64))
    decided_at: Mapped[datetime | None] = mapped_column(UtcTime)
    until: Mapped[datetime] = mapped_column(UtcTime)
    ended_by: Mapped[str | None] = mapped_column(String(64))
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
