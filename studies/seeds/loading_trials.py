"""Writing a seed's invented studies with all their hospitals, through the commands for each.

A hospital's way is taken over as something that happened before the hub knew
(studies.hospitals.moving.take_over), so the order of its steps is checked like any other.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.hospitals.committee import decide
from studies.hospitals.moving import take_over
from studies.models import Study
from studies.seeds.shape import NetworkSeed, TrialSeed
from studies.study_state import write_event
from studies.taking_part import create_study

#: A requirement set is never empty; no query asks about these studies.
REQUIRES: Final = ("use.record", "study.join")
#: How long an invented investigator's certificate is good for, in days from today.
GCP_DAYS: Final = 500
_BODY: Final[Mapping[str, str]] = {"wmo": "metc", "nwmo": "nwmo"}


def add_trials(
    session: Session,
    seed: NetworkSeed,
    actor: Actor,
    now: datetime,
    codebook: Mapping[str, Any],
) -> int:
    """Write the seed's invented studies that are not there yet; how many were written."""
    there = set(session.scalars(select(Study.slug).where(Study.network == seed.slug)))
    new = [trial for trial in seed.trials if trial.slug not in there]
    for trial in new:
        _add_trial(session, seed.slug, trial, actor, now, codebook)
    return len(new)


def _add_trial(
    session: Session,
    network: str,
    trial: TrialSeed,
    actor: Actor,
    now: datetime,
    codebook: Mapping[str, Any],
) -> None:
    proposed = now - timedelta(days=trial.proposed)
    study = create_study(
        session,
        slug=trial.slug,
        network=network,
        title_nl=trial.title_nl,
        title_en=trial.title_en,
        question_nl=trial.question_nl,
        question_en=trial.question_en,
        purpose_nl=trial.purpose_nl,
        purpose_en=trial.purpose_en,
        codebook=codebook,
        requires=REQUIRES,
        actor=actor,
        now=proposed,
        group=trial.group,
        lead=trial.lead,
        lead_name=trial.lead_name,
        kind=trial.kind,
        phase=trial.phase,
        design=trial.design,
        asks_data=False,
        stages=trial.stages,
    )
    for kind in ("proposed", "joint"):
        write_event(session, study, kind, actor=actor, now=now, at=proposed)
    if trial.decided is not None:
        _decide(session, study, trial, actor=actor, now=now)
    histories = {
        part.institution: [(state, now - timedelta(days=ago)) for state, ago in part.steps]
        for part in trial.parts
    }
    taken = take_over(session, study, histories, actor=actor, now=now)
    named = {part.institution: part for part in trial.parts}
    for part in taken:
        states = {state for state, _ in named[part.institution].steps}
        part.interest = True if "feasibility" in states else None
        if "local_review" in states or "approved" in states:
            part.investigator = named[part.institution].investigator
            part.gcp_until = (now + timedelta(days=GCP_DAYS)).date()
    session.flush()


def _decide(
    session: Session, study: Study, trial: TrialSeed, *, actor: Actor, now: datetime
) -> None:
    """Data access let it begin, or its committee said yes; an invented decision says it is one."""
    on = now - timedelta(days=trial.decided or 0)
    if trial.kind == "data":
        write_event(session, study, "opened", actor=actor, now=now, at=on)
        return
    decide(
        session,
        study,
        body=_BODY[trial.kind],
        outcome="positive",
        reference="verzonnen / invented",
        decided_on=on.date(),
        actor=actor,
        now=now,
    )
