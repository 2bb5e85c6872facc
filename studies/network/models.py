"""Who works together, and by which agreement: subnetworks, people, boards, agreements, expertise,
and what a working group decided.

Everything here has a period (`since`, `until`) or is only added to, so that the state on any past
date can be read. No patient is ever in here; `invented` marks a person of a demonstration.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from studies.base import Base, Json, UtcTime, new_id
from studies.network.words import AGREEMENT_KINDS, OFFICES, SUBNETWORK_ROLES, TREATMENTS

ID = String(36)
SLUG = String(63)


def _one_of(column: str, words: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(word) for word in words)})"


class Subnetwork(Base):
    """A part of a network, such as EMBRAZE and CONCORD in Zuidwest."""

    __tablename__ = "subnetwork"
    __table_args__ = (UniqueConstraint("network", "slug"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    network: Mapped[str] = mapped_column(ForeignKey("network.slug"))
    slug: Mapped[str] = mapped_column(SLUG)
    name: Mapped[str] = mapped_column(String(200))
    region_nl: Mapped[str] = mapped_column(String(200), default="")
    region_en: Mapped[str] = mapped_column(String(200), default="")
    since: Mapped[datetime] = mapped_column(UtcTime)
    until: Mapped[datetime | None] = mapped_column(UtcTime)


class SubnetworkMember(Base):
    """An institution's time in a subnetwork; it may be in several at once."""

    __tablename__ = "subnetwork_member"
    __table_args__ = (
        UniqueConstraint("subnetwork_id", "institution", "since"),
        CheckConstraint(_one_of("role", tuple(SUBNETWORK_ROLES)), name="role"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    subnetwork_id: Mapped[str] = mapped_column(ForeignKey("subnetwork.id"))
    institution: Mapped[str] = mapped_column(ForeignKey("institution.slug"), index=True)
    role: Mapped[str] = mapped_column(String(10), default="member")
    since: Mapped[datetime] = mapped_column(UtcTime)
    until: Mapped[datetime | None] = mapped_column(UtcTime)


class Professional(Base):
    """A person in a professional role; where they sit is in group seats and offices."""

    __tablename__ = "professional"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(200), index=True)
    invented: Mapped[bool] = mapped_column(default=False)


class Office(Base):
    """A person's time on a hospital's board, or as observer for a client council or GP circle."""

    __tablename__ = "office"
    __table_args__ = (
        UniqueConstraint("kind", "professional", "network", "institution", "since"),
        CheckConstraint(_one_of("kind", tuple(OFFICES)), name="kind"),
        CheckConstraint("kind <> 'board' OR institution IS NOT NULL", name="board_of_somebody"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(20))
    professional: Mapped[str] = mapped_column(ForeignKey("professional.id"))
    network: Mapped[str | None] = mapped_column(ForeignKey("network.slug"), index=True)
    institution: Mapped[str | None] = mapped_column(ForeignKey("institution.slug"), index=True)
    since: Mapped[datetime] = mapped_column(UtcTime)
    until: Mapped[datetime | None] = mapped_column(UtcTime)

    person: Mapped[Professional] = relationship()


class Agreement(Base):
    """One version of an agreement of a network, with the time in which it can be in force."""

    __tablename__ = "agreement"
    __table_args__ = (
        UniqueConstraint("network", "kind", "version"),
        CheckConstraint(_one_of("kind", tuple(AGREEMENT_KINDS)), name="kind"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    network: Mapped[str] = mapped_column(ForeignKey("network.slug"))
    kind: Mapped[str] = mapped_column(String(20))
    version: Mapped[str] = mapped_column(String(40))
    title_nl: Mapped[str] = mapped_column(String(200))
    title_en: Mapped[str] = mapped_column(String(200))
    since: Mapped[datetime] = mapped_column(UtcTime)
    until: Mapped[datetime | None] = mapped_column(UtcTime)
    sha256: Mapped[str | None] = mapped_column(String(64))

    signatures: Mapped[list["AgreementSignature"]] = relationship(
        order_by="AgreementSignature.signed_at"
    )


class AgreementSignature(Base):
    """An institution's signature under an agreement, by whom; withdrawn at most once."""

    __tablename__ = "agreement_signature"
    __table_args__ = (
        UniqueConstraint("agreement_id", "institution", "signed_at"),
        # One that stands per institution, so that withdrawing it leaves none in force.
        Index(
            "ix_agreement_signature_standing",
            "agreement_id",
            "institution",
            unique=True,
            sqlite_where=text("withdrawn_at IS NULL"),
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    agreement_id: Mapped[str] = mapped_column(ForeignKey("agreement.id"))
    institution: Mapped[str] = mapped_column(ForeignKey("institution.slug"), index=True)
    signed_at: Mapped[datetime] = mapped_column(UtcTime)
    signatory: Mapped[str] = mapped_column(String(200))
    by: Mapped[str] = mapped_column(String(64))
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcTime)
    withdrawn_by: Mapped[str | None] = mapped_column(String(64))


class Expertise(Base):
    """An institution's place in the division of care: this treatment of these tumours, then."""

    __tablename__ = "expertise"
    __table_args__ = (
        UniqueConstraint("network", "institution", "tumour", "treatment", "since"),
        CheckConstraint(_one_of("treatment", tuple(TREATMENTS)), name="treatment"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    network: Mapped[str] = mapped_column(ForeignKey("network.slug"))
    institution: Mapped[str] = mapped_column(ForeignKey("institution.slug"), index=True)
    tumour: Mapped[str] = mapped_column(String(100))
    treatment: Mapped[str] = mapped_column(String(20))
    since: Mapped[datetime] = mapped_column(UtcTime)
    until: Mapped[datetime | None] = mapped_column(UtcTime)
    source: Mapped[str] = mapped_column(String(200), default="")


class WorkingGroupName(Base):
    """A name that a working group has from a day on; never changed. The last one is also in
    `working_group`; there are none for a group that was never called otherwise."""

    __tablename__ = "working_group_name"
    __table_args__ = (UniqueConstraint("group_id", "number"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    group_id: Mapped[str] = mapped_column(ForeignKey("working_group.id"))
    number: Mapped[int]
    name_nl: Mapped[str] = mapped_column(String(200))
    name_en: Mapped[str] = mapped_column(String(200))
    since: Mapped[datetime] = mapped_column(UtcTime)
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)
    by: Mapped[str] = mapped_column(String(64))


class GroupMeeting(Base):
    """A meeting of a working group: its agenda, and once held a copy of the state that never
    changes again (`frozen`, with the SHA-256 of its canonical JSON)."""

    __tablename__ = "group_meeting"
    __table_args__ = (UniqueConstraint("group_id", "held_on"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    group_id: Mapped[str] = mapped_column(ForeignKey("working_group.id"))
    held_on: Mapped[datetime] = mapped_column(UtcTime)
    agenda: Mapped[list[str]] = mapped_column(Json)
    frozen: Mapped[dict[str, Any] | None] = mapped_column(Json)
    sha256: Mapped[str | None] = mapped_column(String(64))
    frozen_at: Mapped[datetime | None] = mapped_column(UtcTime)
    frozen_by: Mapped[str | None] = mapped_column(String(64))


class GroupDecision(Base):
    """One line in a group's decision log, never changed; a later line may replace it.

    `links` names studies and queries: [{"kind": "study", "id": "hormone-therapy"}].
    """

    __tablename__ = "group_decision"
    __table_args__ = (UniqueConstraint("group_id", "number"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    group_id: Mapped[str] = mapped_column(ForeignKey("working_group.id"))
    number: Mapped[int]
    at: Mapped[datetime] = mapped_column(UtcTime)
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)
    by: Mapped[str] = mapped_column(String(64))
    text: Mapped[str] = mapped_column(Text)
    links: Mapped[list[dict[str, str]]] = mapped_column(Json)
    replaces: Mapped[int | None]
