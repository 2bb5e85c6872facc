"""Commands: make a study, open it, and take a hospital through the steps of taking part."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.errors import StudiesError
from studies.events import announce
from studies.models import Network, Participation, ParticipationStep, Study, WorkingGroup
from studies.reading import list_institutions
from studies.states import NOTE_CODES, PARTICIPATION_STEPS, STUDY_STEPS

_SLUG = re.compile(r"[a-z][a-z0-9-]{0,62}")


def create_study(
    session: Session,
    *,
    slug: str,
    network: str,
    title_nl: str,
    title_en: str,
    question_nl: str,
    question_en: str,
    purpose_nl: str,
    purpose_en: str,
    codebook: Mapping[str, Any],
    requires: Sequence[str],
    actor: Actor,
    now: datetime,
    group: str | None = None,
    lead: str | None = None,
    lead_name: str = "",
    output_by_site: bool = False,
) -> Study:
    """A new study as a draft.

    Raises StudiesError `bad_name`, `name_taken`, `not_found` (network or group),
    `requirement_set_empty`, `bad_codebook`. Whether the items of `requires` exist is checked
    where they are known (consent.items.with_parents); an unknown one counts nobody.
    """
    if not _SLUG.fullmatch(slug):
        raise StudiesError("bad_name")
    if session.get(Study, slug) is not None:
        raise StudiesError("name_taken")
    if session.get(Network, network) is None:
        raise StudiesError("not_found")
    if not requires:
        raise StudiesError("requirement_set_empty")
    codebook_id = codebook.get("codebook")
    variables = codebook.get("variables")
    if not isinstance(codebook_id, str) or not isinstance(variables, Mapping) or not variables:
        raise StudiesError("bad_codebook")
    study = Study(
        slug=slug,
        network=network,
        title_nl=title_nl,
        title_en=title_en,
        question_nl=question_nl,
        question_en=question_en,
        purpose_nl=purpose_nl,
        purpose_en=purpose_en,
        group_id=None if group is None else _group_id(session, network, group),
        lead=lead,
        lead_name=lead_name,
        state="draft",
        codebook=_with_level_lists(codebook),
        codebook_id=codebook_id,
        requires=list(requires),
        output_by_site=output_by_site,
        created_at=now,
    )
    session.add(study)
    session.flush()
    announce(
        session,
        actor=actor,
        action="study.created",
        about=f"study:{slug}",
        facts={"codebook": codebook_id, "requires": len(study.requires)},
    )
    return study


def _with_level_lists(codebook: Mapping[str, Any]) -> dict[str, Any]:
    """The codebook with levels as lists: their order says which one is the reference, and a
    mapping loses it wherever JSON is written with sorted keys.
    """
    return {**codebook, "variables": {n: _listed(v) for n, v in codebook["variables"].items()}}


def _listed(variable: object) -> dict[str, Any]:
    if not isinstance(variable, Mapping):
        raise StudiesError("bad_codebook")
    levels = variable.get("levels")
    if not isinstance(levels, Mapping):
        return dict(variable)
    return {
        **variable,
        "levels": [{"code": _code(code), "label": label} for code, label in levels.items()],
    }


def _code(code: object) -> str:
    # YAML reads an unquoted true as a truth value; a codebook means the word.
    return str(code).lower() if isinstance(code, bool) else str(code)


def _group_id(session: Session, network: str, slug: str) -> str:
    found = session.scalars(
        select(WorkingGroup.id).where(WorkingGroup.network == network, WorkingGroup.slug == slug)
    ).first()
    if found is None:
        raise StudiesError("not_found")
    return found


def move_study(session: Session, study: Study, to: str, *, actor: Actor) -> Study:
    """Open or close a study. Raises StudiesError `step_not_allowed`."""
    if to not in STUDY_STEPS.get(study.state, frozenset()):
        raise StudiesError("step_not_allowed")
    study.state = to
    session.flush()
    announce(session, actor=actor, action=f"study.{to}", about=f"study:{study.slug}")
    return study


def invite_institution(
    session: Session,
    study: Study,
    institution: str,
    *,
    actor: Actor,
    now: datetime,
    contact: str = "",
    at: datetime | None = None,
) -> Participation:
    """Invite a member of the study's network to take part.

    Raises StudiesError `not_a_member`, `name_taken` when it takes part already, `in_the_future`.
    """
    moment = now if at is None else at
    if moment > now:
        raise StudiesError("in_the_future")
    members = {member.slug for member in list_institutions(session, study.network, now)}
    if institution not in members:
        raise StudiesError("not_a_member")
    if any(part.institution == institution for part in study.participations):
        raise StudiesError("name_taken")
    part = Participation(
        study=study.slug, institution=institution, state="invited", since=moment, contact=contact
    )
    study.participations.append(part)
    session.flush()
    _write_step(session, part, moment, now, actor, None)
    return part


def move_participation(
    session: Session,
    part: Participation,
    to: str,
    *,
    actor: Actor,
    now: datetime,
    note_code: str | None = None,
    at: datetime | None = None,
) -> Participation:
    """Take the next step with a hospital; `at` may lie back, never before the last step.

    Raises StudiesError `step_not_allowed`, `unknown_note`, `in_the_future`, `before_last_step`.
    """
    moment = now if at is None else at
    if to not in PARTICIPATION_STEPS.get(part.state, frozenset()):
        raise StudiesError("step_not_allowed")
    if note_code is not None and note_code not in NOTE_CODES:
        raise StudiesError("unknown_note")
    if moment > now:
        raise StudiesError("in_the_future")
    if moment < part.since:
        raise StudiesError("before_last_step")
    part.state, part.since, part.note_code = to, moment, note_code
    session.flush()
    _write_step(session, part, moment, now, actor, note_code)
    return part


def _write_step(
    session: Session,
    part: Participation,
    at: datetime,
    now: datetime,
    actor: Actor,
    note_code: str | None,
) -> None:
    count = session.scalar(
        select(func.count())
        .select_from(ParticipationStep)
        .where(ParticipationStep.participation_id == part.id)
    )
    step = ParticipationStep(
        participation_id=part.id,
        number=(count or 0) + 1,
        state=part.state,
        at=at,
        recorded_at=now,
        by=actor.id,
        note_code=note_code,
    )
    part.steps.append(step)
    session.flush()
    announce(
        session,
        actor=actor,
        action=f"participation.{part.state}",
        about=f"study:{part.study}",
        facts={"institution": part.institution, "number": step.number, "note": note_code},
    )
