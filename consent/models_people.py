"""What the hub keeps of who may speak for a patient, and of how they come in. Never an identity."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from consent.models import SHA256
from studies.base import Base, Json, UtcTime, new_id
from studies.models import ID, SLUG

PARTY = String(40)
FACT_KINDS = ("age_class", "representative", "death", "contact_stop", "closed")


class Party(Base):
    """Someone whose yes is needed, from when until when. The newest row of a party counts.

    `party` is "self" or an opaque id made by the hospital; `role` parent, guardian, curator,
    mentor, authorised, partner or self. Append-only.
    """

    __tablename__ = "consent_party"
    __table_args__ = (Index("ix_consent_party_subject", "subject_id", "party", "recorded_at"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    subject_id: Mapped[str] = mapped_column(ForeignKey("consent_subject.id"))
    party: Mapped[str] = mapped_column(PARTY)
    role: Mapped[str] = mapped_column(String(20))
    valid_from: Mapped[datetime] = mapped_column(UtcTime)
    valid_until: Mapped[datetime | None] = mapped_column(UtcTime)
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)


class Fact(Base):
    """Something the hospital told about its patient: age class, death, no more messages.

    Append-only; `value` holds codes, never a date of birth. `number` is that of the site's message.
    """

    __tablename__ = "consent_fact"
    __table_args__ = (
        CheckConstraint(f"kind IN ({', '.join(map(repr, FACT_KINDS))})", name="kind"),
        Index("ix_consent_fact_subject", "subject_id", "kind", "recorded_at"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    subject_id: Mapped[str] = mapped_column(ForeignKey("consent_subject.id"))
    kind: Mapped[str] = mapped_column(String(16))
    value: Mapped[dict[str, Any]] = mapped_column(Json)
    effective_at: Mapped[datetime] = mapped_column(UtcTime)
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)
    number: Mapped[int]


class FactCorrection(Base):
    """The hospital that told a fact says that it was a mistake: from `recorded_at` on it does not
    hold. What was said in between stays as the fact left it. `number`: of the site's message.
    Append-only."""

    __tablename__ = "consent_fact_correction"

    fact_id: Mapped[str] = mapped_column(ForeignKey("consent_fact.id"), primary_key=True)
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)
    number: Mapped[int]


class SiteMessage(Base):
    """A message of a site as it came, numbered by the site, and what came of it. Append-only."""

    __tablename__ = "consent_site_message"

    site: Mapped[str] = mapped_column(ForeignKey("institution.slug"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(20))
    body: Mapped[bytes] = mapped_column(LargeBinary)
    code: Mapped[str | None] = mapped_column(String(40))
    received_at: Mapped[datetime] = mapped_column(UtcTime)


class LinkCode(Base):
    """A short code with which a patient takes a choice to another hospital. One use, 15 minutes."""

    __tablename__ = "consent_link_code"

    lookup: Mapped[str] = mapped_column(SHA256, primary_key=True)
    subject_id: Mapped[str] = mapped_column(ForeignKey("consent_subject.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    expires_at: Mapped[datetime] = mapped_column(UtcTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcTime)


class Link(Base):
    """This subject is the same person as the others with this `link`; the patient said so."""

    __tablename__ = "consent_link"
    __table_args__ = (UniqueConstraint("link", "subject_id"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    link: Mapped[str] = mapped_column(ID, index=True)
    subject_id: Mapped[str] = mapped_column(ForeignKey("consent_subject.id"), index=True)
    linked_at: Mapped[datetime] = mapped_column(UtcTime)
    unlinked_at: Mapped[datetime | None] = mapped_column(UtcTime)


class Passkey(Base):
    """A patient's passkey. `enrolled` is the proof made with the letter that the key is theirs."""

    __tablename__ = "consent_passkey"

    credential_id: Mapped[str] = mapped_column(String(400), primary_key=True)
    subject_id: Mapped[str] = mapped_column(ForeignKey("consent_subject.id"), index=True)
    party: Mapped[str] = mapped_column(PARTY, default="self")
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(default=0)
    enrolled: Mapped[dict[str, Any]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcTime)
    removed_at: Mapped[datetime | None] = mapped_column(UtcTime)


class Draft(Base):
    """A form that is half filled in, encrypted, for seven days. It is never counted."""

    __tablename__ = "consent_draft"

    subject_id: Mapped[str] = mapped_column(ForeignKey("consent_subject.id"), primary_key=True)
    party: Mapped[str] = mapped_column(PARTY, primary_key=True)
    study: Mapped[str] = mapped_column(SLUG, primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    updated_at: Mapped[datetime] = mapped_column(UtcTime)


class DestroyOrder(Base):
    """A patient asked to destroy what can be destroyed; the hospital says what came of it.

    Until `grace_until` the patient may take it back (`cancelled_at`).
    """

    __tablename__ = "consent_destroy_order"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    subject_id: Mapped[str] = mapped_column(ForeignKey("consent_subject.id"), index=True)
    receipt_id: Mapped[str] = mapped_column(ForeignKey("consent_receipt.id"))
    study: Mapped[str] = mapped_column(SLUG)
    what: Mapped[list[str]] = mapped_column(Json)
    ordered_at: Mapped[datetime] = mapped_column(UtcTime)
    grace_until: Mapped[datetime] = mapped_column(UtcTime)
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcTime)
    outcome: Mapped[str | None] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(40))
    reported_at: Mapped[datetime | None] = mapped_column(UtcTime)


class Use(Base):
    """A hospital said that a question counted patients of a study; `band` is roughly how many."""

    __tablename__ = "consent_use"

    site: Mapped[str] = mapped_column(ForeignKey("institution.slug"), primary_key=True)
    query_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    study: Mapped[str] = mapped_column(ForeignKey("study.slug"))
    seq: Mapped[int]
    band: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime] = mapped_column(UtcTime)


class TextSeen(Base):
    """That this speaker read what changed in a text which asks nothing again (consent.md 3.7)."""

    __tablename__ = "consent_text_seen"

    subject_id: Mapped[str] = mapped_column(ForeignKey("consent_subject.id"), primary_key=True)
    party: Mapped[str] = mapped_column(String(40), primary_key=True)
    text_version: Mapped[str] = mapped_column(ForeignKey("consent_text.id"), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime)


class ChoiceSeen(Base):
    """That this speaker said, when reminded, that what they chose about a study is still right. It
    is no answer, and renews nothing."""

    __tablename__ = "consent_choice_seen"

    subject_id: Mapped[str] = mapped_column(ForeignKey("consent_subject.id"), primary_key=True)
    party: Mapped[str] = mapped_column(PARTY, primary_key=True)
    study: Mapped[str] = mapped_column(ForeignKey("study.slug"), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime, primary_key=True)
