"""Commands: make a study, let it begin and end. Hospitals' steps: studies/hospitals/moving.py."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.errors import StudiesError
from studies.events import announce
from studies.free_text import lines, one_line, optional_line
from studies.identifiers import check_identifiers
from studies.models import Network, Study, WorkingGroup
from studies.register.stages import STAGES
from studies.states import STUDY_DESIGNS, STUDY_KINDS, STUDY_PHASES, STUDY_STEPS
from studies.study_state import refresh, write_event

LONGEST_TITLE, LONGEST_TEXT = 200, 2000
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
    kind: str = "data",
    phase: str | None = None,
    design: str | None = None,
    identifiers: Mapping[str, str] | None = None,
    asks_data: bool = True,
    stages: Sequence[str] = (),
) -> Study:
    """A new study as a draft.

    Raises StudiesError `bad_name`, `name_taken`, `not_found` (network or group),
    `requirement_set_empty`, `bad_codebook`, `unknown_kind`, `unknown_code` (phase, design, stage),
    `bad_identifier`; `empty_text` (also for what is too long), `control_sign` and
    `points_at_somebody` for its words, which everybody reads. Whether the items of
    `requires` exist is checked where they are known (consent.items.with_parents); an unknown one
    counts nobody.
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
    if kind not in STUDY_KINDS:
        raise StudiesError("unknown_kind")
    if phase not in (None, *STUDY_PHASES) or design not in (None, *STUDY_DESIGNS):
        raise StudiesError("unknown_code")
    if not set(stages) <= set(STAGES):
        raise StudiesError("unknown_code")
    study = Study(
        slug=slug,
        network=network,
        title_nl=one_line(title_nl, LONGEST_TITLE, now),
        title_en=one_line(title_en, LONGEST_TITLE, now),
        question_nl=lines(question_nl, LONGEST_TEXT, now),
        question_en=lines(question_en, LONGEST_TEXT, now),
        purpose_nl=lines(purpose_nl, LONGEST_TEXT, now),
        purpose_en=lines(purpose_en, LONGEST_TEXT, now),
        group_id=None if group is None else _group_id(session, network, group),
        lead=lead,
        lead_name=optional_line(lead_name, LONGEST_TITLE, now),
        state="draft",
        codebook=_with_level_lists(codebook),
        codebook_id=codebook_id,
        requires=list(requires),
        output_by_site=output_by_site,
        created_at=now,
        kind=kind,
        phase=phase,
        design=design,
        identifiers=check_identifiers(identifiers or {}),
        asks_data=asks_data,
        stages=[stage for stage in STAGES if stage in stages],
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


def describe_study(
    session: Session,
    study: Study,
    *,
    phase: str | None,
    design: str | None,
    identifiers: Mapping[str, str],
    actor: Actor,
) -> Study:
    """Phase, design and numbers in public registers: all of it as it now is.

    Raises StudiesError `unknown_code`, `bad_identifier`.
    """
    if phase not in (None, *STUDY_PHASES) or design not in (None, *STUDY_DESIGNS):
        raise StudiesError("unknown_code")
    study.phase, study.design = phase, design
    study.identifiers = check_identifiers(identifiers)
    session.flush()
    announce(
        session,
        actor=actor,
        action="study.described",
        about=f"study:{study.slug}",
        facts={"phase": phase, "design": design, **study.identifiers},
    )
    return study


WORDS = ("title", "question", "purpose")


def word_study(
    session: Session, study: Study, words: Mapping[str, str], *, actor: Actor, now: datetime
) -> Study:
    """What an idea is called, wants to know and is for, in both languages: all of it as it now is.

    `words`: `title_nl`, `title_en` and so on. Only before the study runs: afterwards others have
    read it, and a patient may have agreed to it. Raises StudiesError `step_not_allowed`; as
    :func:`create_study` for the words.
    """
    if study.state != "draft":
        raise StudiesError("step_not_allowed")
    for word in WORDS:
        for tongue in ("nl", "en"):
            name = f"{word}_{tongue}"
            given = words.get(name, "")
            checked = (
                one_line(given, LONGEST_TITLE, now)
                if word == "title"
                else lines(given, LONGEST_TEXT, now)
            )
            setattr(study, name, checked)
    session.flush()
    announce(
        session,
        actor=actor,
        action="study.worded",
        about=f"study:{study.slug}",
        facts={"title_nl": study.title_nl, "title_en": study.title_en},
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


def move_study(session: Session, study: Study, to: str, *, actor: Actor, now: datetime) -> Study:
    """Let a study begin ("open"), as data access decided, or end it ("closed").

    Its state follows from that and from its hospitals. Raises StudiesError `step_not_allowed`.
    """
    if to not in STUDY_STEPS.get(study.state, frozenset()):
        raise StudiesError("step_not_allowed")
    kind = "opened" if to == "open" else "ended"
    write_event(session, study, kind, actor=actor, now=now)
    refresh(session, study)
    if study.state != to:
        raise StudiesError("step_not_allowed")
    announce(session, actor=actor, action=f"study.{to}", about=f"study:{study.slug}")
    return study
