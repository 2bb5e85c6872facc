"""What belongs to a hospital's part in a study: dates, annexes, conditions, documents, signatures,
and what belongs to the study as a whole: versions in force, decisions, how it came to be.

Rows of `participation_step`, `committee_decision`, `study_event`, `site_milestone` and `signature`
are never changed; the database refuses it (revision 0013).
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, ForeignKey, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from studies.base import Base, Json, OrderedJson, UtcTime, new_id
from studies.models import ID

PERSON = String(64)


class SitePlan(Base):
    """The day on which a step of a hospital is planned."""

    __tablename__ = "site_plan"

    participation_id: Mapped[str] = mapped_column(ForeignKey("participation.id"), primary_key=True)
    step: Mapped[str] = mapped_column(String(20), primary_key=True)
    planned: Mapped[date] = mapped_column(Date)
    set_by: Mapped[str] = mapped_column(PERSON)
    set_at: Mapped[datetime] = mapped_column(UtcTime)


class SiteMilestone(Base):
    """Something that happened within a step, such as the initiation visit; the last row of a kind
    counts (studies/hospitals/pathway.py, MILESTONES)."""

    __tablename__ = "site_milestone"
    __table_args__ = (UniqueConstraint("participation_id", "number"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    participation_id: Mapped[str] = mapped_column(ForeignKey("participation.id"))
    number: Mapped[int]
    kind: Mapped[str] = mapped_column(String(30))
    day: Mapped[date] = mapped_column(Date)
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)
    by: Mapped[str] = mapped_column(PERSON)
    note_code: Mapped[str | None] = mapped_column(String(40))


class SiteAnnex(Base):
    """What a supporting department says about doing the study; `outcome` is "ok" or "not_ok"."""

    __tablename__ = "site_annex"

    participation_id: Mapped[str] = mapped_column(ForeignKey("participation.id"), primary_key=True)
    department: Mapped[str] = mapped_column(String(20), primary_key=True)
    requested: Mapped[date] = mapped_column(Date)
    due: Mapped[date | None] = mapped_column(Date)
    received: Mapped[date | None] = mapped_column(Date)
    outcome: Mapped[str | None] = mapped_column(String(6))
    document_id: Mapped[str | None] = mapped_column(ForeignKey("study_document.id"))


class SiteCondition(Base):
    """A suspensive condition of the contract, or one of the committee: met or not yet."""

    __tablename__ = "site_condition"
    __table_args__ = (UniqueConstraint("participation_id", "source", "number"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    participation_id: Mapped[str] = mapped_column(ForeignKey("participation.id"))
    source: Mapped[str] = mapped_column(String(10))
    number: Mapped[int]
    words: Mapped[str] = mapped_column(String(300))
    met: Mapped[date | None] = mapped_column(Date)
    met_by: Mapped[str | None] = mapped_column(PERSON)


class DocumentBody(Base):
    """The bytes of a document, once for each content."""

    __tablename__ = "document_body"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)


class StudyDocument(Base):
    """A version of a document of a study, or of one hospital's part in it (`institution`)."""

    __tablename__ = "study_document"
    __table_args__ = (UniqueConstraint("study", "institution", "kind", "version"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    study: Mapped[str] = mapped_column(ForeignKey("study.slug"), index=True)
    institution: Mapped[str | None] = mapped_column(ForeignKey("institution.slug"))
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(200))
    version: Mapped[str] = mapped_column(String(20))
    valid_from: Mapped[date] = mapped_column(Date)
    valid_until: Mapped[date | None] = mapped_column(Date)
    sha256: Mapped[str] = mapped_column(ForeignKey("document_body.sha256"))
    size: Mapped[int]
    uploaded_at: Mapped[datetime] = mapped_column(UtcTime)
    uploaded_by: Mapped[str] = mapped_column(PERSON)


class Signature(Base):
    """Who signed what, in which role, when; `sha256` is of the very bytes that were signed.

    `about` names it: `document:<id>`, `agreement:<id>`. For `institution`, when it binds one.
    """

    __tablename__ = "signature"
    __table_args__ = (UniqueConstraint("about", "sha256", "institution", "signed_by"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    about: Mapped[str] = mapped_column(String(80), index=True)
    sha256: Mapped[str] = mapped_column(String(64))
    institution: Mapped[str | None] = mapped_column(ForeignKey("institution.slug"), index=True)
    role: Mapped[str] = mapped_column(String(20))
    signed_by: Mapped[str] = mapped_column(PERSON)
    name: Mapped[str] = mapped_column(String(200))
    signed_at: Mapped[datetime] = mapped_column(UtcTime)


class StudyVersion(Base):
    """A version of protocol, consent form or information that is in force from a day on; hospitals
    take it into use until `adopt_by`, after which they enrol nobody on the older one."""

    __tablename__ = "study_version"
    __table_args__ = (UniqueConstraint("study", "kind", "version"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    study: Mapped[str] = mapped_column(ForeignKey("study.slug"), index=True)
    kind: Mapped[str] = mapped_column(String(12))
    version: Mapped[str] = mapped_column(String(20))
    in_force_from: Mapped[date] = mapped_column(Date)
    adopt_by: Mapped[date] = mapped_column(Date)
    document_id: Mapped[str | None] = mapped_column(ForeignKey("study_document.id"))
    made_at: Mapped[datetime] = mapped_column(UtcTime)
    made_by: Mapped[str] = mapped_column(PERSON)


class SiteVersion(Base):
    """Since when a hospital uses a version, and who signed for that."""

    __tablename__ = "site_version"

    participation_id: Mapped[str] = mapped_column(ForeignKey("participation.id"), primary_key=True)
    version_id: Mapped[str] = mapped_column(ForeignKey("study_version.id"), primary_key=True)
    in_use_since: Mapped[date] = mapped_column(Date)
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)
    by: Mapped[str] = mapped_column(PERSON)


class CommitteeDecision(Base):
    """What a committee decided about a study; of each body its last row counts."""

    __tablename__ = "committee_decision"
    __table_args__ = (UniqueConstraint("study", "number"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    study: Mapped[str] = mapped_column(ForeignKey("study.slug"))
    number: Mapped[int]
    body: Mapped[str] = mapped_column(String(12))
    reference: Mapped[str] = mapped_column(String(60))
    outcome: Mapped[str] = mapped_column(String(10))
    conditions: Mapped[list[str]] = mapped_column(Json, default=list)
    decided_on: Mapped[date] = mapped_column(Date)
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)
    by: Mapped[str] = mapped_column(PERSON)
    document_id: Mapped[str | None] = mapped_column(ForeignKey("study_document.id"))


class StudyEvent(Base):
    """A step of the study as a whole: proposed, joint, ended (studies/study_state.py)."""

    __tablename__ = "study_event"
    __table_args__ = (UniqueConstraint("study", "number"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    study: Mapped[str] = mapped_column(ForeignKey("study.slug"))
    number: Mapped[int]
    kind: Mapped[str] = mapped_column(String(12))
    at: Mapped[datetime] = mapped_column(UtcTime)
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)
    by: Mapped[str] = mapped_column(PERSON)
    note_code: Mapped[str | None] = mapped_column(String(40))


class StudyFeasibility(Base):
    """A question that counts how many patients there would be (`run_id`, federation.runs), and
    what of its answer was released to the group. `numbers`: institution or "total" -> patients,
    null where the hospitals hide it; `cells` the same by what the question split them by.
    `asked_in` is the study whose patients are counted, when the hub put the question for this
    idea (federation/runs/feasibility.py); `code` says why such a question gave nothing."""

    __tablename__ = "study_feasibility"

    study: Mapped[str] = mapped_column(ForeignKey("study.slug"), primary_key=True)
    run_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    asked_at: Mapped[datetime] = mapped_column(UtcTime)
    asked_by: Mapped[str] = mapped_column(PERSON)
    numbers: Mapped[dict[str, Any] | None] = mapped_column(Json)
    words_nl: Mapped[str] = mapped_column(Text, default="")
    words_en: Mapped[str] = mapped_column(Text, default="")
    released_at: Mapped[datetime | None] = mapped_column(UtcTime)
    released_by: Mapped[str | None] = mapped_column(PERSON)
    asked_in: Mapped[str | None] = mapped_column(String(63))
    cells: Mapped[list[dict[str, Any]] | None] = mapped_column(OrderedJson)
    code: Mapped[str | None] = mapped_column(String(40))
