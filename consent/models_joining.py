"""Which participant of a study is which opaque subject of a hospital: kept apart from both."""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from studies.base import Base, UtcTime, new_id
from studies.models import ID


class ParticipantLink(Base):
    """This participant is the patient of a letter. One subject is in a study at most once.

    After a hand-over there is one for each hospital that has a letter of its own for the patient.
    Neither side is an identity: the pseudonym is the study's, the subject a handle of the hospital.
    """

    __tablename__ = "participant_link"
    __table_args__ = (UniqueConstraint("study", "subject_id"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    participant_id: Mapped[str] = mapped_column(ForeignKey("participant.id"), index=True)
    subject_id: Mapped[str] = mapped_column(ForeignKey("consent_subject.id"))
    study: Mapped[str] = mapped_column(ForeignKey("study.slug"))
    linked_at: Mapped[datetime] = mapped_column(UtcTime)
