"""What the hub keeps of who is in a study: pseudonyms with their steps, counts per month, plans.

No name, initials, date of birth or number of a person is ever in here, and nothing that a letter or
a hospital's handle could be found by: that link is kept apart (consent/models_joining.py). Every
table of history is append-only; the database itself refuses to change a participant's step.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from studies.base import Base, Json, UtcTime, new_id
from studies.models import ID, SLUG

EVENT_KINDS = (
    "milestone",
    "state",
    "left",
    "arm",
    "offered",
    "taken_over",
    "not_taken",
    "redated",
    "entered_wrongly",
    "linked",
    "unlinked",
)
PLAN_SHAPES = ("linear", "staged")
MONTH = String(7)


def _one_of(column: str, words: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(word) for word in words)})"


class StudyEnrolment(Base):
    """How a study names its participants: letters that every pseudonym begins with."""

    __tablename__ = "study_enrolment"

    study: Mapped[str] = mapped_column(ForeignKey("study.slug"), primary_key=True)
    prefix: Mapped[str] = mapped_column(String(8))
    set_at: Mapped[datetime] = mapped_column(UtcTime)


class StudyArm(Base):
    """One arm of a study."""

    __tablename__ = "study_arm"

    study: Mapped[str] = mapped_column(ForeignKey("study.slug"), primary_key=True)
    code: Mapped[str] = mapped_column(String(20), primary_key=True)
    position: Mapped[int] = mapped_column(default=0)
    name_nl: Mapped[str] = mapped_column(String(100))
    name_en: Mapped[str] = mapped_column(String(100))

    def name(self, language: str) -> str:
        """The name in Dutch for "nl", in English otherwise."""
        return self.name_nl if language == "nl" else self.name_en


class Participant(Base):
    """One participant of one study by pseudonym, and where the events have brought them.

    Everything but `study` and `pseudonym` is worked out from the events, kept here for searching.
    `on_study` is the day that counts for accrual and `credited` the hospital it counts for.
    `version`: how many events there are.
    """

    __tablename__ = "participant"
    __table_args__ = (
        UniqueConstraint("study", "pseudonym"),
        Index("ix_participant_study_site", "study", "site"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    study: Mapped[str] = mapped_column(ForeignKey("study.slug"))
    pseudonym: Mapped[str] = mapped_column(String(20))
    site: Mapped[str] = mapped_column(ForeignKey("institution.slug"))
    state: Mapped[str] = mapped_column(String(24))
    since: Mapped[datetime] = mapped_column(UtcTime)
    on_study: Mapped[datetime | None] = mapped_column(UtcTime)
    credited: Mapped[str | None] = mapped_column(ForeignKey("institution.slug"))
    arm: Mapped[str | None] = mapped_column(String(20))
    offered_to: Mapped[str | None] = mapped_column(ForeignKey("institution.slug"))
    entered_wrongly: Mapped[bool] = mapped_column(default=False)
    version: Mapped[int] = mapped_column(default=0)

    events: Mapped[list["ParticipantEvent"]] = relationship(order_by="ParticipantEvent.number")


class ParticipantEvent(Base):
    """One thing that happened to a participant, never changed: `at` may lie before `recorded_at`.

    `value`: the state, milestone, way of leaving, arm or hospital. `refers`: the number of the
    event whose date this one puts right. `evidence`: of a consent, how it was shown.
    """

    __tablename__ = "participant_event"
    __table_args__ = (
        UniqueConstraint("participant_id", "number"),
        CheckConstraint(_one_of("kind", EVENT_KINDS), name="kind"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    participant_id: Mapped[str] = mapped_column(ForeignKey("participant.id"))
    number: Mapped[int]
    kind: Mapped[str] = mapped_column(String(16))
    value: Mapped[str] = mapped_column(SLUG)
    site: Mapped[str] = mapped_column(ForeignKey("institution.slug"))
    at: Mapped[datetime] = mapped_column(UtcTime)
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)
    by: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str | None] = mapped_column(String(40))
    refers: Mapped[int | None]
    evidence: Mapped[dict[str, Any] | None] = mapped_column(Json)


class ScreeningCount(Base):
    """How many a hospital screened in a month; a correction is a new version."""

    __tablename__ = "screening_count"
    __table_args__ = (UniqueConstraint("study", "institution", "month", "version"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    study: Mapped[str] = mapped_column(ForeignKey("study.slug"))
    institution: Mapped[str] = mapped_column(ForeignKey("institution.slug"))
    month: Mapped[str] = mapped_column(MONTH)
    version: Mapped[int]
    counts: Mapped[dict[str, Any]] = mapped_column(Json)
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)
    by: Mapped[str] = mapped_column(String(64))


class ArmCount(Base):
    """How many of an arm a hospital has at each stage of CONSORT; a correction is a version."""

    __tablename__ = "arm_count"
    __table_args__ = (UniqueConstraint("study", "institution", "arm", "version"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    study: Mapped[str] = mapped_column(ForeignKey("study.slug"))
    institution: Mapped[str] = mapped_column(ForeignKey("institution.slug"))
    arm: Mapped[str] = mapped_column(String(20))
    version: Mapped[int]
    counts: Mapped[dict[str, Any]] = mapped_column(Json)
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)
    by: Mapped[str] = mapped_column(String(64))


class AccrualPlan(Base):
    """How many participants are planned by when: for a study, or for one hospital of it.

    `stages` are [day, cumulative number] in rising order; the last one is the target. A linear plan
    has two, its begin with 0 and its end. The newest `number` of a study and hospital counts.
    """

    __tablename__ = "accrual_plan"
    __table_args__ = (
        UniqueConstraint("study", "number"),
        CheckConstraint(_one_of("shape", PLAN_SHAPES), name="shape"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    study: Mapped[str] = mapped_column(ForeignKey("study.slug"))
    institution: Mapped[str | None] = mapped_column(ForeignKey("institution.slug"))
    number: Mapped[int]
    shape: Mapped[str] = mapped_column(String(6))
    stages: Mapped[list[list[Any]]] = mapped_column(Json)
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)
    by: Mapped[str] = mapped_column(String(64))

    @property
    def target(self) -> int:
        """The number of participants at the end of the plan."""
        return int(self.stages[-1][1])

    def days(self) -> tuple[tuple[date, int], ...]:
        """The stages as days and cumulative numbers."""
        return tuple((date.fromisoformat(day), int(number)) for day, number in self.stages)
