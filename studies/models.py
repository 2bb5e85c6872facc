"""Networks, institutions, working groups, studies and who takes part. No patient is ever in here.

People named here are professionals in their role. `invented` marks a person of a demonstration.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Date,
    Float,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from studies.base import Base, Json, OrderedJson, UtcTime, new_id
from studies.network.models import Professional, WorkingGroupName
from studies.states import INSTITUTION_KINDS, PARTICIPATION_STATES, STUDY_STATES

ID = String(36)
SLUG = String(63)


def _one_of(column: str, words: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(word) for word in words)})"


class Network(Base):
    """A regional oncology network: institutions that agreed to work by the same rules.

    `consent`: what it settled about consent (login_levels, renewal_years, remind_years,
    claim_years); what is not named is cautious. `needs`: the kinds of agreement that an institution
    must have in force before a query of this network may ask it (studies.network.agreements).
    `pathways`: per kind of study the steps of the road that it leaves out
    (studies/hospitals/pathway.py).
    """

    __tablename__ = "network"

    slug: Mapped[str] = mapped_column(SLUG, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    region_nl: Mapped[str] = mapped_column(String(200), default="")
    region_en: Mapped[str] = mapped_column(String(200), default="")
    source: Mapped[str] = mapped_column(Text, default="")
    consent: Mapped[dict[str, Any]] = mapped_column(Json, default=dict, server_default="{}")
    needs: Mapped[list[str]] = mapped_column(Json, default=lambda: ["queries"], server_default="[]")
    pathways: Mapped[dict[str, Any]] = mapped_column(Json, default=dict, server_default="{}")


class Institution(Base):
    """A hospital or institute. One may belong to several networks.

    `latitude` and `longitude` are those of its city, in degrees; `contact` is a desk, not a person.
    """

    __tablename__ = "institution"
    __table_args__ = (CheckConstraint(_one_of("kind", tuple(INSTITUTION_KINDS)), name="kind"),)

    slug: Mapped[str] = mapped_column(SLUG, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(20))
    city: Mapped[str] = mapped_column(String(100), default="")
    agb: Mapped[str | None] = mapped_column(String(8))
    phone: Mapped[str] = mapped_column(String(40), default="")
    contact: Mapped[str | None] = mapped_column(String(200))
    latitude: Mapped[float | None] = mapped_column(Float)
    longitude: Mapped[float | None] = mapped_column(Float)


class Membership(Base):
    """An institution's time in a network; no end means it still is a member."""

    __tablename__ = "membership"
    __table_args__ = (UniqueConstraint("network", "institution", "since"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    network: Mapped[str] = mapped_column(ForeignKey("network.slug"))
    institution: Mapped[str] = mapped_column(ForeignKey("institution.slug"), index=True)
    since: Mapped[datetime] = mapped_column(UtcTime)
    until: Mapped[datetime | None] = mapped_column(UtcTime)


class WorkingGroup(Base):
    """A tumour working group of a network.

    `tumours` are ICD-10 codes and ranges (studies.network.tumours); `expected` the disciplines that
    it wants at its table (studies.network.words). `version` counts the changes of the group, so
    that two who write at once do not undo each other. `names`: once it was called otherwise.
    """

    __tablename__ = "working_group"
    __table_args__ = (UniqueConstraint("network", "slug"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    network: Mapped[str] = mapped_column(ForeignKey("network.slug"))
    slug: Mapped[str] = mapped_column(SLUG)
    name_nl: Mapped[str] = mapped_column(String(200))
    name_en: Mapped[str] = mapped_column(String(200))
    tumours: Mapped[list[str]] = mapped_column(Json, default=list, server_default="[]")
    expected: Mapped[list[str]] = mapped_column(Json, default=list, server_default="[]")
    since: Mapped[datetime | None] = mapped_column(UtcTime)
    until: Mapped[datetime | None] = mapped_column(UtcTime)

    version: Mapped[int] = mapped_column(default=1, server_default="1")

    members: Mapped[list["WorkingGroupMember"]] = relationship(
        order_by="WorkingGroupMember.position", cascade="all, delete-orphan"
    )
    names: Mapped[list[WorkingGroupName]] = relationship(order_by=WorkingGroupName.number)

    @property
    def key(self) -> str:
        """What roles and addresses call it, unique over all networks: `oncozon.breast`."""
        return f"{self.network}.{self.slug}"

    def name(self, language: str, at: datetime | None = None) -> str:
        """The name in Dutch for "nl", in English otherwise; `at`: the one that it had then."""
        held: WorkingGroup | WorkingGroupName = self
        if at is not None and self.names:
            past = [each for each in self.names if each.since <= at]
            held = past[-1] if past else self.names[0]
        return held.name_nl if language == "nl" else held.name_en


class WorkingGroupMember(Base):
    """A person's seat in a working group: hospital and discipline both matter for who speaks for
    whom, and both belong to the seat's time, not to the person."""

    __tablename__ = "working_group_member"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    group_id: Mapped[str] = mapped_column(ForeignKey("working_group.id"), index=True)
    position: Mapped[int] = mapped_column(default=0)
    professional: Mapped[str] = mapped_column(ForeignKey("professional.id"), index=True)
    discipline: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(40), default="member")
    institution: Mapped[str | None] = mapped_column(ForeignKey("institution.slug"))
    since: Mapped[datetime] = mapped_column(UtcTime)
    until: Mapped[datetime | None] = mapped_column(UtcTime)

    person: Mapped[Professional] = relationship(lazy="joined")


class Study(Base):
    """A study: its question in plain words, what it may use, what a patient must have agreed to.

    `requires` is the requirement set (item codes, never empty); `codebook` the codebook as in
    query.md; `output_by_site` whether results may name hospitals where every policy allows it.
    Under protection `delivery` says how: "sealed" for the holder of `result_key`, or "hub" with the
    agreement `benchmark`. `terms`: thresholds of the study itself, in force where stricter.
    `consent`: its retention class (consent.retention). `kind` chooses the road of its hospitals
    (studies/hospitals/pathway.py); `asks_data` says whether queries are part of it; `identifiers`
    are numbers in public registers (studies/identifiers.py); `stages` says for how far a cancer it
    is, empty for any (studies/register/stages.py); `counts_ideas` says whether its committee lets
    patients be counted here for ideas of others (ADR 0046); `state` is worked out
    (studies/study_state.py), and kept here for questions only.
    """

    __tablename__ = "study"
    __table_args__ = (CheckConstraint(_one_of("state", STUDY_STATES), name="state"),)

    slug: Mapped[str] = mapped_column(SLUG, primary_key=True)
    network: Mapped[str] = mapped_column(ForeignKey("network.slug"), index=True)
    title_nl: Mapped[str] = mapped_column(String(200))
    title_en: Mapped[str] = mapped_column(String(200))
    question_nl: Mapped[str] = mapped_column(Text)
    question_en: Mapped[str] = mapped_column(Text)
    purpose_nl: Mapped[str] = mapped_column(Text)
    purpose_en: Mapped[str] = mapped_column(Text)
    group_id: Mapped[str | None] = mapped_column(ForeignKey("working_group.id"))
    lead: Mapped[str | None] = mapped_column(ForeignKey("institution.slug"))
    lead_name: Mapped[str] = mapped_column(String(200), default="")
    state: Mapped[str] = mapped_column(String(10), default="draft")
    codebook: Mapped[dict[str, Any]] = mapped_column(OrderedJson)
    codebook_id: Mapped[str] = mapped_column(String(80))
    requires: Mapped[list[str]] = mapped_column(Json)
    output_by_site: Mapped[bool] = mapped_column(default=False)
    delivery: Mapped[str | None] = mapped_column(String(6))
    result_key: Mapped[str | None] = mapped_column(String(43))
    benchmark: Mapped[str | None] = mapped_column(String(200))
    terms: Mapped[dict[str, Any] | None] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    consent: Mapped[dict[str, Any]] = mapped_column(Json, default=dict, server_default="{}")
    kind: Mapped[str] = mapped_column(String(10), default="data", server_default="data")
    asks_data: Mapped[bool] = mapped_column(default=True, server_default=true())
    phase: Mapped[str | None] = mapped_column(String(10))
    design: Mapped[str | None] = mapped_column(String(20))
    identifiers: Mapped[dict[str, str]] = mapped_column(Json, default=dict, server_default="{}")
    stages: Mapped[list[str]] = mapped_column(Json, default=list, server_default="[]")
    counts_ideas: Mapped[bool] = mapped_column(default=False, server_default=false())

    group: Mapped[WorkingGroup | None] = relationship()
    participations: Mapped[list["Participation"]] = relationship(
        order_by="Participation.institution", back_populates="of_study"
    )

    def title(self, language: str) -> str:
        """The title in Dutch for "nl", in English otherwise."""
        return self.title_nl if language == "nl" else self.title_en

    def question(self, language: str) -> str:
        """The lay question in Dutch for "nl", in English otherwise."""
        return self.question_nl if language == "nl" else self.question_en


class Participation(Base):
    """A hospital's part in a study: the state it is in now, since when.

    `version` counts every change to the part or to what belongs to it; a command that was shown an
    older one refuses. `state` and `since` are what the steps add up to, kept for questions.
    """

    __tablename__ = "participation"
    __table_args__ = (
        UniqueConstraint("study", "institution"),
        CheckConstraint(_one_of("state", PARTICIPATION_STATES), name="state"),
        Index("ix_participation_study_state", "study", "state", "since"),
        Index("ix_participation_since", "since"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    study: Mapped[str] = mapped_column(ForeignKey("study.slug"))
    institution: Mapped[str] = mapped_column(ForeignKey("institution.slug"), index=True)
    state: Mapped[str] = mapped_column(String(20), default="invited")
    since: Mapped[datetime] = mapped_column(UtcTime)
    contact: Mapped[str] = mapped_column(String(200), default="")
    note_code: Mapped[str | None] = mapped_column(String(40))
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    answer_due: Mapped[date | None] = mapped_column(Date)
    interest: Mapped[bool | None]
    investigator: Mapped[str] = mapped_column(String(200), default="", server_default=text("''"))
    gcp_until: Mapped[date | None] = mapped_column(Date)
    insurance_until: Mapped[date | None] = mapped_column(Date)
    expected_per_year: Mapped[int | None]
    feasibility_run: Mapped[str | None] = mapped_column(String(36))
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    archive_until: Mapped[date | None] = mapped_column(Date)

    of_study: Mapped[Study] = relationship(back_populates="participations")
    of_institution: Mapped[Institution] = relationship()
    steps: Mapped[list["ParticipationStep"]] = relationship(order_by="ParticipationStep.number")


class ParticipationStep(Base):
    """One step in a hospital's part, never changed: `at` may lie before `recorded_at`.

    With `corrects` it is about the step of that number: taken back (`void`), or at another `at`.
    """

    __tablename__ = "participation_step"
    __table_args__ = (UniqueConstraint("participation_id", "number"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    participation_id: Mapped[str] = mapped_column(ForeignKey("participation.id"))
    number: Mapped[int]
    state: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime] = mapped_column(UtcTime)
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)
    by: Mapped[str] = mapped_column(String(64))
    note_code: Mapped[str | None] = mapped_column(String(40))
    corrects: Mapped[int | None]
    void: Mapped[bool] = mapped_column(default=False, server_default=false())


class SiteNode(Base):
    """The program that answers for an institution: its public keys and what it last told us.

    `terms` are the thresholds of its policy (federation.query.terms), `policy_sha256` which file
    they came from; both None until the site has said so. `form_id` names the form by which its
    board allows results of this institution alone.
    """

    __tablename__ = "site_node"
    __table_args__ = (Index("ix_site_node_engine", "engine"),)

    institution: Mapped[str] = mapped_column(ForeignKey("institution.slug"), primary_key=True)
    sign_pub: Mapped[str] = mapped_column(String(64))
    box_pub: Mapped[str] = mapped_column(String(64))
    engine: Mapped[str] = mapped_column(String(20), default="embedded")
    terms: Mapped[dict[str, Any] | None] = mapped_column(Json)
    policy_sha256: Mapped[str | None] = mapped_column(String(64))
    form_id: Mapped[str | None] = mapped_column(String(100))
    software: Mapped[str] = mapped_column(String(80), default="")
    enrolled_at: Mapped[datetime] = mapped_column(UtcTime)
    last_seen: Mapped[datetime | None] = mapped_column(UtcTime)


class SiteCoverage(Base):
    """What a hospital last said about its data for a study (federation.query.coverage): a word per
    variable and a rounded count per plausibility rule. `as_of` is the day it was worked out."""

    __tablename__ = "site_coverage"

    institution: Mapped[str] = mapped_column(ForeignKey("institution.slug"), primary_key=True)
    study: Mapped[str] = mapped_column(ForeignKey("study.slug"), primary_key=True)
    codebook_sha256: Mapped[str] = mapped_column(String(64))
    as_of: Mapped[str] = mapped_column(String(10))
    variables: Mapped[dict[str, Any]] = mapped_column(Json)
    rules: Mapped[dict[str, Any]] = mapped_column(Json)
    received_at: Mapped[datetime] = mapped_column(UtcTime)
