"""What came out of studies: texts for people and where the paper is. No patient is ever in here."""

from datetime import date, datetime

from sqlalchemy import Date, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from studies.base import Base, UtcTime, new_id
from studies.models import ID, SLUG


class StudyResult(Base):
    """One outcome of a study in lay words, with its paper and the question it came from.

    `doi` as 10.1000/xyz; `run_id` the answered question whose figure belongs to it. `version`
    counts corrections; `withdrawn_at` when it was taken back, which stays visible.
    """

    __tablename__ = "study_result"
    __table_args__ = (UniqueConstraint("study", "number"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    study: Mapped[str] = mapped_column(ForeignKey("study.slug"))
    number: Mapped[int]
    version: Mapped[int] = mapped_column(default=1)
    title_nl: Mapped[str] = mapped_column(String(200))
    title_en: Mapped[str] = mapped_column(String(200))
    text_nl: Mapped[str] = mapped_column(Text)
    text_en: Mapped[str] = mapped_column(Text)
    doi: Mapped[str | None] = mapped_column(String(200))
    run_id: Mapped[str | None] = mapped_column(ID)
    published_on: Mapped[date] = mapped_column(Date)
    written_at: Mapped[datetime] = mapped_column(UtcTime)
    by: Mapped[str] = mapped_column(SLUG)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcTime)

    def title(self, language: str) -> str:
        """The title in Dutch for "nl", in English otherwise."""
        return self.title_nl if language == "nl" else self.title_en

    def text(self, language: str) -> str:
        """The lay text in Dutch for "nl", in English otherwise."""
        return self.text_nl if language == "nl" else self.text_en
