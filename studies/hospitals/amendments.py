"""Amendments: new versions that a hospital has not taken into use, and what they hold up.

A hospital goes on with the older version until the day by which it should have changed; after that
day it enrols nobody new. Who takes part already is not touched by it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from studies.days import local_day
from studies.hospitals.versions import VersionLine, version_lines
from studies.models import Participation

LIVE: Final = frozenset({"approved", "initiated", "open", "on_hold", "closed_to_accrual"})
WHY: Final = {
    "study_not_open": ("The study is not open.", "De studie is niet open."),
    "site_not_open": (
        "The hospital is not open for new participants.",
        "Het ziekenhuis is niet open voor nieuwe deelnemers.",
    ),
    "amendment_overdue": (
        "The hospital should have taken a new version into use, and did not yet.",
        "Het ziekenhuis had een nieuwe versie in gebruik moeten nemen. Dat is nog niet gebeurd.",
    ),
}


@dataclass(frozen=True)
class MayEnrol:
    """Whether a hospital may enrol somebody new; if not, `why` is a code of WHY."""

    why: str | None = None

    def __bool__(self) -> bool:
        return self.why is None

    def words(self, language: str) -> str:
        """Why not, in Dutch for "nl", in English otherwise; empty when it may."""
        return "" if self.why is None else WHY[self.why][language == "nl"]


def pending(session: Session, part: Participation, now: datetime) -> tuple[VersionLine, ...]:
    """The versions that a hospital still has to take into use; none when it takes no part."""
    if part.state not in LIVE:
        return ()
    return tuple(line for line in version_lines(session, part, local_day(now)) if line.pending)


def may_enrol(session: Session, part: Participation, now: datetime) -> MayEnrol:
    """Whether somebody new may be enrolled at this hospital now."""
    if part.of_study.state != "open":
        return MayEnrol("study_not_open")
    if part.state != "open":
        return MayEnrol("site_not_open")
    if any(line.overdue for line in pending(session, part, now)):
        return MayEnrol("amendment_overdue")
    return MayEnrol()
