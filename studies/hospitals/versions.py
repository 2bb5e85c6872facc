"""Versions of protocol, consent form and information: which is in force, and which a hospital uses.

What a version is called and from when is the study's; since when a hospital uses it is the
hospital's, and one of its people signs for it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.days import local_day
from studies.errors import StudiesError
from studies.events import announce
from studies.hospitals.change import begin_change
from studies.hospitals.models import SiteVersion, StudyDocument, StudyVersion
from studies.models import Participation, Study

VERSION_KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "protocol": ("Protocol", "Protocol"),
    "consent": ("Consent form", "Toestemmingsformulier"),
    "information": ("Information for patients", "Informatie voor patiënten"),
}
_NAME: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,19}")


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


def publish_version(
    session: Session,
    study: Study,
    *,
    kind: str,
    version: str,
    in_force_from: date,
    adopt_by: date,
    actor: Actor,
    now: datetime,
    document_id: str | None = None,
) -> StudyVersion:
    """A version of protocol, consent form or information, in force from a day on.

    From then no hospital opens on an older one; hospitals that are open take it into use by
    `adopt_by`, and enrol nobody new after that day until they did. Raises StudiesError
    `unknown_code`, `bad_document` (the version's name), `document_exists`, `bad_period` when it
    would come into force before an earlier one or end its time before it begins, `not_found`.
    """
    if kind not in VERSION_KINDS:
        raise StudiesError("unknown_code")
    if not _NAME.fullmatch(version):
        raise StudiesError("bad_document")
    earlier = [each for each in list_versions(session, study.slug) if each.kind == kind]
    if any(each.version == version for each in earlier):
        raise StudiesError("document_exists")
    if adopt_by < in_force_from or any(each.in_force_from >= in_force_from for each in earlier):
        raise StudiesError("bad_period")
    if document_id is not None:
        document = session.get(StudyDocument, document_id)
        if document is None or document.study != study.slug:
            raise StudiesError("not_found")
    made = StudyVersion(
        study=study.slug,
        kind=kind,
        version=version,
        in_force_from=in_force_from,
        adopt_by=adopt_by,
        document_id=document_id,
        made_at=now,
        made_by=actor.id,
    )
    session.add(made)
    session.flush()
    announce(
        session,
        actor=actor,
        action="study.version_published",
        about=f"study:{study.slug}",
        facts={
            "kind": kind,
            "version": version,
            "in_force_from": in_force_from.isoformat(),
            "adopt_by": adopt_by.isoformat(),
        },
    )
    return made


def adopt_version(
    session: Session,
    part: Participation,
    version_id: str,
    *,
    in_use_since: date,
    actor: Actor,
    now: datetime,
    expected: int | None = None,
) -> SiteVersion:
    """Sign for a hospital that it uses a version since a day: what an amendment waits for.

    Raises StudiesError `changed_meanwhile`, `not_found`, `already_signed`, `in_the_future`,
    `bad_period` for a day before the version came into force.
    """
    begin_change(session, part, expected)
    version = session.get(StudyVersion, version_id)
    if version is None or version.study != part.study:
        raise StudiesError("not_found")
    if session.get(SiteVersion, (part.id, version_id)) is not None:
        raise StudiesError("already_signed")
    if in_use_since > local_day(now):
        raise StudiesError("in_the_future")
    if in_use_since < version.in_force_from:
        raise StudiesError("bad_period")
    adopted = SiteVersion(
        participation_id=part.id,
        version_id=version_id,
        in_use_since=in_use_since,
        recorded_at=now,
        by=actor.id,
    )
    session.add(adopted)
    session.flush()
    announce(
        session,
        actor=actor,
        action="participation.version_adopted",
        about=f"study:{part.study}",
        facts={
            "institution": part.institution,
            "kind": version.kind,
            "version": version.version,
            "since": in_use_since.isoformat(),
        },
    )
    return adopted
