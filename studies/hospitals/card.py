"""All that a page shows about one hospital in one study, read in one go. Nothing here writes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from studies.days import local_day
from studies.hospitals.amendments import LIVE, MayEnrol, may_enrol
from studies.hospitals.facts import (
    ConditionLine,
    annexes_of,
    conditions_of,
    documents_of,
    facts_of,
    is_valid,
    milestones_of,
    newest,
    signatures_of,
)
from studies.hospitals.guards import Button, SiteFacts, buttons, missing
from studies.hospitals.models import (
    CommitteeDecision,
    Signature,
    SiteAnnex,
    SitePlan,
    StudyDocument,
)
from studies.hospitals.pathway import Pathway, Step
from studies.hospitals.steps import Taken, since_invited, taken
from studies.hospitals.verdict import last_words, that_counts
from studies.hospitals.versions import VersionLine, version_lines
from studies.models import Participation, Study
from studies.reading import get_participation

Place = Literal["done", "now", "ahead", "passed"]


@dataclass(frozen=True)
class BarStep:
    """A step of the bar: planned and actual day. `passed`: the road went on without it."""

    step: Step
    place: Place
    planned: date | None
    actual: date | None


@dataclass(frozen=True)
class NextTask:
    """What somebody has to do next: in words, whose it is (a role), and the step that it is for."""

    code: str
    words_nl: str
    words_en: str
    owner: str
    step: Step | None

    def words(self, language: str) -> str:
        """The task in Dutch for "nl", in English otherwise."""
        return self.words_nl if language == "nl" else self.words_en


@dataclass(frozen=True)
class DocumentLine:
    """A document with who signed it; `valid` today, `newest` of its kind."""

    document: StudyDocument
    signatures: tuple[Signature, ...]
    valid: bool
    newest: bool


@dataclass(frozen=True)
class SiteCard:
    """One hospital in one study. `version` goes into a form, and comes back as `expected`."""

    study: Study
    part: Participation
    version: int
    step: Step
    days_in_state: int
    bar: tuple[BarStep, ...]
    buttons: tuple[Button, ...]
    task: NextTask | None
    milestones: Mapping[str, date]
    annexes: tuple[SiteAnnex, ...]
    conditions: tuple[ConditionLine, ...]
    decision: CommitteeDecision | None
    documents: tuple[DocumentLine, ...]
    versions: tuple[VersionLine, ...]
    may_enrol: MayEnrol
    history: tuple[Taken, ...]
    pathway: Pathway

    @property
    def amendment_pending(self) -> bool:
        """Whether the hospital still has to take a version into use."""
        return self.part.state in LIVE and any(line.pending for line in self.versions)


def site_card(session: Session, study: str, institution: str, now: datetime) -> SiteCard:
    """The card of a hospital in a study. Raises StudiesError `not_found`."""
    part = get_participation(session, study, institution)
    steps = taken(part.steps)
    lines = version_lines(session, part, local_day(now))
    facts = facts_of(session, part, now, steps=steps, lines=lines)
    said = last_words(session, study)
    return SiteCard(
        study=part.of_study,
        part=part,
        version=part.version,
        step=facts.pathway.step(part.state),
        days_in_state=max(0, (now - part.since).days),
        bar=_bar(session, part, facts, steps),
        buttons=buttons(facts),
        task=next_task(facts),
        milestones=milestones_of(session, part),
        annexes=tuple(annexes_of(session, part)),
        conditions=conditions_of(session, part, said),
        decision=that_counts(said),
        documents=_documents(session, part, local_day(now)),
        versions=lines,
        may_enrol=may_enrol(session, part, now),
        history=steps,
        pathway=facts.pathway,
    )


def next_task(facts: SiteFacts) -> NextTask | None:
    """What has to be done next: the first thing that the next step misses, or the step itself.

    Of VGO and contract either may come first: what can be signed today goes before what must wait.
    """
    forward = facts.pathway.forward(facts.state)
    if forward is None:
        return None
    ahead = [s for s in facts.pathway.next_from(facts.state) if s.code not in facts.taken]
    if forward.code in facts.taken and facts.state != "on_hold":
        forward = next(s for s in ahead if s.owner != "board" and s.code != "declined")
    pair = [step for step in ahead if step.owner == "board"]
    ways = [(step, missing(step, facts)) for step in (pair or [forward])]
    for step, unmet in ways:
        if not unmet:
            words = f"Zet de stap: {step.name_nl}.", f"Take the step: {step.name_en}."
            return NextTask(step.code, *words, step.owner, step)
    step, unmet = ways[0]
    return NextTask(unmet[0].code, unmet[0].words_nl, unmet[0].words_en, unmet[0].owner, step)


def _bar(
    session: Session, part: Participation, facts: SiteFacts, steps: tuple[Taken, ...]
) -> tuple[BarStep, ...]:
    plans = session.scalars(select(SitePlan).where(SitePlan.participation_id == part.id))
    planned = {plan.step: plan.planned for plan in plans}
    reached = {step.state: local_day(step.at) for step in since_invited(steps)}
    line = []
    for step in facts.pathway.steps:
        place: Place = "ahead"
        if step.code == part.state:
            place = "now"
        elif step.code in reached:
            place = "done"
        elif not facts.pathway.leads(part.state, step.code):
            place = "passed"
        line.append(BarStep(step, place, planned.get(step.code), reached.get(step.code)))
    return tuple(line)


def _documents(session: Session, part: Participation, day: date) -> tuple[DocumentLine, ...]:
    documents = documents_of(session, part)
    signatures = signatures_of(session, documents)
    return tuple(
        DocumentLine(
            document,
            tuple(each for each in signatures if each.about == f"document:{document.id}"),
            is_valid(document, day),
            newest(documents, document.kind, document.institution) is document,
        )
        for document in documents
    )
