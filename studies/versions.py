"""Versions of protocol, consent form and information: which is in force, and which a hospital uses.

What a version is called and from when is the study's; since when a hospital uses it is the
hospital's, and one of its people signs for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from studies.models import Participation
from studies.models_sites import SiteVersion, StudyVersion

VERSION_KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "protocol": ("Protocol", "Protocol"),
    "consent": ("Consent form", "Toestemmingsformulier"),
    "information": ("Information for patients", "Informatie voor patiënten"),
}


@dataclass(frozen=True)
class VersionLine:
    """A version of a study as one hospital stands to it.

    `pending`: not in use there although it was published; `overdue`: the day by which the hospital
    should have taken it into use has passed. `replaced`: a newer one of its kind is in force.
    """

    id: str
    kind: str
    version: str
    in_force_from: date
    adopt_by: date
    in_use_since: date | None
    in_force: bool
    replaced: bool
    overdue: bool

    @property
    def pending(self) -> bool:
        """Whether the hospital still has to take this version into use."""
        return self.in_use_since is None and not self.replaced


def list_versions(session: Session, study: str) -> list[StudyVersion]:
    """All versions of a study, in the order in which they came into force."""
    return list(
        session.scalars(
            select(StudyVersion)
            .where(StudyVersion.study == study)
            .order_by(StudyVersion.kind, StudyVersion.in_force_from, StudyVersion.made_at)
        )
    )


def in_force(versions: Sequence[StudyVersion], day: date) -> dict[str, StudyVersion]:
    """Per kind the version in force on a day."""
    return {each.kind: each for each in versions if each.in_force_from <= day}


def version_lines(session: Session, part: Participation, day: date) -> tuple[VersionLine, ...]:
    """How a hospital stands to every version of its study on a day."""
    versions = list_versions(session, part.study)
    found = session.scalars(select(SiteVersion).where(SiteVersion.participation_id == part.id))
    used = {row.version_id: row.in_use_since for row in found if row.in_use_since <= day}
    now = in_force(versions, day)
    lines = []
    for each in versions:
        current = now.get(each.kind)
        replaced = current is not None and current is not each and each.in_force_from <= day
        lines.append(
            VersionLine(
                id=each.id,
                kind=each.kind,
                version=each.version,
                in_force_from=each.in_force_from,
                adopt_by=each.adopt_by,
                in_use_since=used.get(each.id),
                in_force=current is each,
                replaced=replaced,
                overdue=not replaced and each.id not in used and each.adopt_by < day,
            )
        )
    return tuple(lines)


def in_use(lines: Sequence[VersionLine]) -> dict[str, str]:
    """Per kind the version that the hospital uses: the newest that it took into use."""
    return {line.kind: line.version for line in lines if line.in_use_since is not None}
