"""Gathers what the guards of a hospital's steps ask about, from the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from studies.days import local_day
from studies.hospitals.guards import SiteFacts
from studies.hospitals.models import (
    CommitteeDecision,
    Signature,
    SiteAnnex,
    SiteCondition,
    SiteMilestone,
    StudyDocument,
)
from studies.hospitals.pathway import Pathway, pathway
from studies.hospitals.steps import Taken, held_from, since_invited, taken
from studies.hospitals.verdict import last_words, verdict
from studies.hospitals.versions import VersionLine, in_use, version_lines
from studies.models import Network, Participation, Study
from studies.network import agreements

BOARD = "board"
COMMITTEE, CONTRACT = "committee", "contract"


def road_of_study(session: Session, study: Study) -> Pathway:
    """The road of a study's hospitals: that of its kind, as its network set it."""
    network = session.get(Network, study.network)
    left_out = () if network is None else network.pathways.get(study.kind, ())
    return pathway(study.kind, left_out)


def milestones_of(session: Session, part: Participation) -> dict[str, date]:
    """Per kind the day that was last written down for it."""
    rows = session.scalars(
        select(SiteMilestone)
        .where(SiteMilestone.participation_id == part.id)
        .order_by(SiteMilestone.number)
    )
    return {row.kind: row.day for row in rows}


def annexes_of(session: Session, part: Participation) -> list[SiteAnnex]:
    """What the departments were asked and said, by department."""
    return list(
        session.scalars(
            select(SiteAnnex)
            .where(SiteAnnex.participation_id == part.id)
            .order_by(SiteAnnex.department)
        )
    )


@dataclass(frozen=True)
class ConditionLine:
    """A condition of the contract or of the committee, and since when it is met, if it is."""

    source: str
    number: int
    words: str
    met: date | None
    met_by: str | None


def conditions_of(
    session: Session, part: Participation, decisions: Sequence[CommitteeDecision]
) -> tuple[ConditionLine, ...]:
    """The conditions of the last decision of each body, then those of the contract.

    A condition of a committee holds for every hospital; each meets it for itself. When a later
    decision says it in other words, it is open again. `number` counts the lines of one source.
    """
    rows = list(
        session.scalars(
            select(SiteCondition)
            .where(SiteCondition.participation_id == part.id)
            .order_by(SiteCondition.number)
        )
    )
    met = {row.words: row for row in rows if row.source == COMMITTEE}
    lines = []
    asked = [words for decision in decisions for words in decision.conditions]
    for number, words in enumerate(asked, start=1):
        row = met.get(words)
        met_on, met_by = (row.met, row.met_by) if row else (None, None)
        lines.append(ConditionLine(COMMITTEE, number, words, met_on, met_by))
    lines += [
        ConditionLine(CONTRACT, row.number, row.words, row.met, row.met_by)
        for row in rows
        if row.source == CONTRACT
    ]
    return tuple(lines)


def documents_of(session: Session, part: Participation) -> list[StudyDocument]:
    """The documents of the study and those of this hospital, newest last within a kind."""
    return list(
        session.scalars(
            select(StudyDocument)
            .where(
                StudyDocument.study == part.study,
                StudyDocument.institution.is_(None)
                | (StudyDocument.institution == part.institution),
            )
            .order_by(StudyDocument.kind, StudyDocument.valid_from, StudyDocument.uploaded_at)
        )
    )


def documents_of_study(session: Session, study: str) -> list[StudyDocument]:
    """The documents of a study that belong to no single hospital, newest last within a kind."""
    return list(
        session.scalars(
            select(StudyDocument)
            .where(StudyDocument.study == study, StudyDocument.institution.is_(None))
            .order_by(StudyDocument.kind, StudyDocument.valid_from, StudyDocument.uploaded_at)
        )
    )


def signatures_of(session: Session, documents: Sequence[StudyDocument]) -> list[Signature]:
    """The signatures under documents."""
    about = [f"document:{document.id}" for document in documents]
    return list(
        session.scalars(
            select(Signature).where(Signature.about.in_(about)).order_by(Signature.signed_at)
        )
    )


def is_valid(document: StudyDocument, day: date) -> bool:
    """Whether a document holds on a day."""
    return document.valid_from <= day and (
        document.valid_until is None or day <= document.valid_until
    )


def newest(
    documents: Sequence[StudyDocument], kind: str, institution: str | None
) -> StudyDocument | None:
    """The newest version of a kind of document."""
    found = [each for each in documents if (each.kind, each.institution) == (kind, institution)]
    return found[-1] if found else None


def signed(
    documents: Sequence[StudyDocument],
    signatures: Sequence[Signature],
    kind: str,
    institution: str,
    day: date,
) -> bool:
    """Whether the newest version of a document is valid and the board signed those very bytes."""
    document = newest(documents, kind, institution)
    if document is None or not is_valid(document, day):
        return False
    wanted = (f"document:{document.id}", document.sha256, institution, BOARD)
    return any(
        (each.about, each.sha256, each.institution, each.role) == wanted for each in signatures
    )


def facts_of(
    session: Session,
    part: Participation,
    now: datetime,
    *,
    steps: Sequence[Taken] | None = None,
    lines: Sequence[VersionLine] | None = None,
) -> SiteFacts:
    """What the guards ask about a hospital's part, on the day of `now`."""
    day = local_day(now)
    steps = taken(part.steps) if steps is None else steps
    lines = version_lines(session, part, day) if lines is None else lines
    round_ = since_invited(steps)
    documents = documents_of(session, part)
    signatures = signatures_of(session, documents)
    said = last_words(session, part.study)
    return SiteFacts(
        today=day,
        state=part.state,
        pathway=road_of_study(session, part.of_study),
        taken=frozenset(step.state for step in round_),
        held_from=held_from(round_),
        interest=part.interest,
        investigator=part.investigator,
        gcp_until=part.gcp_until,
        annexes={row.department: row.outcome for row in annexes_of(session, part)},
        vgo=signed(documents, signatures, "vgo", part.institution, day),
        contract=signed(documents, signatures, "contract", part.institution, day),
        decision=verdict(
            part.of_study.kind,
            part.of_study.asks_data,
            {row.body: row.outcome for row in said},
        ),
        conditions_open=sum(line.met is None for line in conditions_of(session, part, said)),
        milestones=milestones_of(session, part),
        in_force={line.kind: line.version for line in lines if line.in_force},
        in_use=in_use(lines),
        agreement=_agreement(session, part, now),
        archive_until=part.archive_until,
    )


def _agreement(session: Session, part: Participation, now: datetime) -> bool | None:
    study = part.of_study
    if not study.asks_data:
        return None
    return agreements.valid_for(session, study.network, part.institution, now)
