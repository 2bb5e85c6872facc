"""The CONSORT flow of a study: every box is a sum of counts, never typed.

Upper half from the screening counts (studies/recruitment/screening.py), lower half from counts per
arm and hospital. Boxes as in CONSORT 2025 (Hopewell S. et al., BMJ 2025;389:e081123, figure 1).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.days import local_month
from studies.errors import StudiesError
from studies.events import announce
from studies.models import Study
from studies.participants.models import ArmCount, Participant, StudyArm
from studies.reading import get_participation
from studies.recruitment import screening
from studies.recruitment.screening import MOST, Counts, CountsDiffer, Screening

ARM_FAULTS: Final[Mapping[str, tuple[str, str]]] = {
    "received_more": (
        "More received the treatment than were allocated to it.",
        "Er kregen er meer de behandeling dan eraan waren toegewezen.",
    ),
    "left_more": (
        "Lost and discontinued together are more than were allocated.",
        "Uit beeld en gestopt zijn samen meer dan er waren toegewezen.",
    ),
    "analysed_more": (
        "More were analysed than were allocated.",
        "Er zijn er meer geanalyseerd dan er waren toegewezen.",
    ),
    "allocated_differs": (
        "The arms together are not the number registered.",
        "De armen zijn samen niet het aantal dat is ingeschreven.",
    ),
    "participants_differ": (
        "The participants by pseudonym are not the number registered in the screening log.",
        "De deelnemers met een pseudoniem zijn niet het aantal dat in de screeningslijst staat.",
    ),
}


@dataclass(frozen=True)
class ArmCounts:
    """How many of an arm: allocated to it, received it, lost to follow-up, stopped, analysed."""

    allocated: int = 0
    received: int = 0
    lost: int = 0
    discontinued: int = 0
    analysed: int = 0

    def __add__(self, other: "ArmCounts") -> "ArmCounts":
        return ArmCounts(*(a + b for a, b in zip(self.values(), other.values(), strict=True)))

    def values(self) -> tuple[int, ...]:
        """The five numbers in order."""
        return tuple(getattr(self, each.name) for each in fields(self))


@dataclass(frozen=True)
class ArmFlow:
    """An arm in the flow."""

    code: str
    name_nl: str
    name_en: str
    counts: ArmCounts

    @property
    def not_received(self) -> int:
        """Allocated, and did not receive it."""
        return self.counts.allocated - self.counts.received

    @property
    def not_analysed(self) -> int:
        """Allocated, and not in the analysis."""
        return self.counts.allocated - self.counts.analysed

    def name(self, language: str) -> str:
        """The name in Dutch for "nl", in English otherwise."""
        return self.name_nl if language == "nl" else self.name_en


@dataclass(frozen=True)
class Flow:
    """The boxes of the diagram. faults: codes of :data:`ARM_FAULTS` that a reader should know.

    excluded: everyone screened who was not registered; it is `not_eligible` + `not_approached` +
    `declined` + `deciding` + `not_registered` (consented and not registered).
    participants: how many are on study by pseudonym, to compare `registered` with.
    """

    study: str
    institution: str | None
    total: Counts
    arms: tuple[ArmFlow, ...]
    participants: int
    faults: tuple[str, ...]

    @property
    def screened(self) -> int:
        """Assessed for eligibility."""
        return self.total.screened

    @property
    def excluded(self) -> int:
        """Screened, and not registered."""
        return self.total.screened - self.total.registered

    @property
    def registered(self) -> int:
        """Registered or randomised."""
        return self.total.registered

    @property
    def not_registered(self) -> int:
        """Consented, and not registered."""
        return self.total.consented - self.total.registered

    @property
    def reasons(self) -> tuple[tuple[str, int, tuple[tuple[str, int], ...]], ...]:
        """The parts of `excluded`: code, number, and the reasons with their numbers, most first."""
        parts: list[tuple[str, int, tuple[tuple[str, int], ...]]] = []
        for stage in screening.REASONS:
            given: Mapping[str, int] = getattr(self.total, stage)
            most = sorted(given.items(), key=lambda one: (-one[1], one[0]))
            parts.append((stage, sum(given.values()), tuple(one for one in most if one[1])))
        return (
            *parts,
            ("deciding", self.total.deciding, ()),
            ("not_registered", self.not_registered, ()),
        )


def flow(session: Session, study: Study, now: datetime, institution: str | None = None) -> Flow:
    """The flow of a study, or of one hospital of it."""
    counted = screening.counts(session, study.slug, now, institution=institution)
    newest = arm_counts(session, study.slug, institution)
    arms = tuple(
        ArmFlow(
            arm.code,
            arm.name_nl,
            arm.name_en,
            sum((each for (code, _), each in newest.items() if code == arm.code), ArmCounts()),
        )
        for arm in arms_of(session, study.slug)
    )
    came = _came(session, study.slug, institution, now)
    return Flow(
        study=study.slug,
        institution=institution,
        total=counted.total,
        arms=arms,
        participants=len(came),
        faults=_faults(counted, arms, came),
    )


def _faults(
    counted: Screening, arms: Sequence[ArmFlow], came: Sequence[tuple[str, str]]
) -> tuple[str, ...]:
    """Months that are not counted yet are no fault: what is compared is what both know of."""
    registered = counted.total.registered
    found = [code for arm in arms for code in arm_checks(arm.counts)]
    allocated = sum(arm.counts.allocated for arm in arms)
    known = (registered, len(came)) if came else (registered,)
    if arms and not min(known) <= allocated <= max(known):
        found.append("allocated_differs")
    months = {(each.institution, each.month) for each in counted.months}
    if came and sum(each in months for each in came) != registered:
        found.append("participants_differ")
    return tuple(dict.fromkeys(found))


def _came(
    session: Session, study: str, institution: str | None, now: datetime
) -> list[tuple[str, str]]:
    """Per participant the hospital that counts them and the month they came on study."""
    here = () if institution is None else (Participant.credited == institution,)
    rows = session.execute(
        select(Participant.credited, Participant.on_study).where(
            Participant.study == study,
            Participant.entered_wrongly.is_(False),
            Participant.on_study <= now,
            *here,
        )
    )
    return [
        (site, local_month(moment))
        for site, moment in rows
        if site is not None and moment is not None
    ]


def arm_checks(counts: ArmCounts) -> tuple[str, ...]:
    """What cannot be in the counts of an arm, as codes of :data:`ARM_FAULTS`."""
    found = []
    if counts.received > counts.allocated:
        found.append("received_more")
    if counts.lost + counts.discontinued > counts.allocated:
        found.append("left_more")
    if counts.analysed > counts.allocated:
        found.append("analysed_more")
    return tuple(found)


def arms_of(session: Session, study: str) -> list[StudyArm]:
    """The arms of a study in their order."""
    return list(
        session.scalars(
            select(StudyArm)
            .where(StudyArm.study == study)
            .order_by(StudyArm.position, StudyArm.code)
        )
    )


def arm_counts(
    session: Session, study: str, institution: str | None = None
) -> dict[tuple[str, str], ArmCounts]:
    """The newest counts by arm and hospital."""
    here = () if institution is None else (ArmCount.institution == institution,)
    rows = session.scalars(
        select(ArmCount).where(ArmCount.study == study, *here).order_by(ArmCount.version)
    )
    return {(row.arm, row.institution): ArmCounts(**row.counts) for row in rows}


def record_arm(
    session: Session,
    study: Study,
    institution: str,
    arm: str,
    counts: ArmCounts,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None = None,
) -> ArmCount:
    """Write down the counts of an arm at a hospital, in place of those before.

    expected: the version that was shown, 0 for none; None to skip that check. Raises StudiesError
    `not_found` (no part in the study, or no such arm), `bad_count`, `changed_meanwhile`;
    CountsDiffer when the counts cannot be.
    """
    get_participation(session, study.slug, institution)
    if session.get(StudyArm, (study.slug, arm)) is None:
        raise StudiesError("not_found")
    if any(isinstance(n, bool) or not 0 <= n <= MOST for n in counts.values()):
        raise StudiesError("bad_count")
    if faults := arm_checks(counts):
        raise CountsDiffer(faults)
    version = session.scalar(
        select(func.max(ArmCount.version)).where(
            ArmCount.study == study.slug,
            ArmCount.institution == institution,
            ArmCount.arm == arm,
        )
    )
    if expected is not None and expected != (version or 0):
        raise StudiesError("changed_meanwhile", versions=(expected, version or 0))
    row = ArmCount(
        study=study.slug,
        institution=institution,
        arm=arm,
        version=(version or 0) + 1,
        counts=_plain(counts),
        recorded_at=now,
        by=actor.id,
    )
    session.add(row)
    session.flush()
    announce(
        session,
        actor=actor,
        action="screening.arm_counted",
        about=f"study:{study.slug}",
        facts={"institution": institution, "arm": arm, "version": row.version},
    )
    return row


def _plain(counts: ArmCounts) -> dict[str, Any]:
    return {each.name: getattr(counts, each.name) for each in fields(counts)}
