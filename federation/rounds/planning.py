"""From a wish to an approved plan: plan, change, offer, approve, refuse, cancel.

Every function takes a Session, may flush and never commits; each act is one event of the round, one
line of the audit log. ``version`` is the one that the caller saw: ROUND_CHANGED when it is not the
present one, so that nobody approves what somebody else changed meanwhile.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from federation.indicators.asking import Period
from federation.indicators.definition import Indicator
from federation.indicators.owning import of_group
from federation.indicators.wording import check_words
from federation.methods.registry import parse
from federation.query.codebook import Codebook
from federation.query.errors import QueryError
from federation.rounds import states
from federation.rounds.coverage import Covers, coverage
from federation.rounds.errors import RoundError
from federation.rounds.events import happened
from federation.rounds.models import EvaluationRound, RoundEvent, RoundPart, RoundQuestion
from federation.rounds.plan import MONTHS, MOST_REPEATS, Plan, Wish, key_of, month_end
from federation.runs import embargo, matching, planned
from federation.runs.models import Run
from federation.runs.same_numbers import Asked
from federation.runs.service import DECIDERS
from federation.runs.states import FINAL
from studies.actor import Actor
from studies.free_text import lines, one_line
from studies.models import SiteNode, Study, WorkingGroup
from studies.network.groups import find_group
from studies.reading import open_sites

MOST_INDICATORS: Final = 40
LEAST_HOSPITALS: Final = 3
MOST_TITLE: Final = 200
MOST_PURPOSE: Final = 2000
FURTHEST: Final = timedelta(days=366 * 10)
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def plan(session: Session, wish: Wish, *, actor: Actor, now: datetime) -> EvaluationRound:
    """A draft of a round. Raises RoundError, QueryError (a definition) or StudiesError (a text)."""
    made, group = read_wish(session, wish, now)
    row = EvaluationRound(
        group_id=group.id,
        number=next_number(session, group.id),
        network=group.network,
        study=made.study,
        kind="round",
        state=states.DRAFT,
        plan=made.to_dict(),
        freeze_at=made.freeze_at,
        release_at=made.release_at,
        planned_by=actor.id,
        planned_by_name=actor.name,
        created_at=now,
    )
    session.add(row)
    session.flush()
    happened(session, row, "planned", actor, now, study=row.study, number=row.number)
    return row


def change(
    session: Session,
    row: EvaluationRound,
    wish: Wish,
    *,
    version: int,
    actor: Actor,
    now: datetime,
) -> EvaluationRound:
    """Another plan for a draft, in the same study. Raises as ``plan``, ROUND_CHANGED,
    ROUND_MOVED_ON."""
    made, group = read_wish(session, wish, now)
    if group.id != row.group_id:
        raise RoundError("GROUP_NOT_FOUND")
    if made.study != row.study:
        raise RoundError("BAD_ROUND", "study")
    if row.state != states.DRAFT:
        raise RoundError("ROUND_MOVED_ON")
    _step(
        session,
        row,
        version,
        states.DRAFT,
        states.DRAFT,
        plan=made.to_dict(),
        study=made.study,
        freeze_at=made.freeze_at,
        release_at=made.release_at,
        planned_by=actor.id,
        planned_by_name=actor.name,
    )
    happened(session, row, "changed", actor, now)
    return row


def offer(
    session: Session, row: EvaluationRound, *, version: int, actor: Actor, now: datetime
) -> EvaluationRound:
    """Freeze the plan and lay it before the committee. Raises RoundError ROUND_CHANGED,
    ROUND_MOVED_ON, or what would stop the round now (NO_BOARD_FORM, BAD_MOMENTS, …)."""
    made = plan_of(session, row)
    _check_now(session, made, now)
    _step(session, row, version, states.DRAFT, states.OFFERED, plan_sha256=made.sha256, why=None)
    happened(session, row, "offered", actor, now, plan=made.sha256)
    return row


def approve(
    session: Session, row: EvaluationRound, *, version: int, actor: Actor, now: datetime
) -> EvaluationRound:
    """The committee says yes to the frozen plan, once for all its questions.

    From here on nobody else is told what those questions give. Raises RoundError NOT_ALLOWED_HERE,
    OWN_ROUND, ROUND_CHANGED, ROUND_MOVED_ON, SAME_UNDER_EMBARGO, BEING_ASKED, or what would stop
    the round now.
    """
    check_decider(session, row, actor)
    made = plan_of(session, row)
    if row.plan_sha256 is not None and made.sha256 != row.plan_sha256:
        raise RoundError("ROUND_CHANGED")
    _check_now(session, made, now)
    _step(
        session,
        row,
        version,
        states.OFFERED,
        states.APPROVED,
        decided_by=actor.id,
        decided_by_name=actor.name,
        decided_at=now,
    )
    hold_questions(session, row, made, now)
    draw_letters(session, row, made.sites, now)
    happened(session, row, "approved", actor, now, plan=made.sha256)
    return row


def refuse(
    session: Session, row: EvaluationRound, *, version: int, why: str, actor: Actor, now: datetime
) -> EvaluationRound:
    """The committee says no; it is a draft again, with the reason. Raises as ``approve``."""
    check_decider(session, row, actor)
    said = lines(why, MOST_PURPOSE, now)
    _step(session, row, version, states.OFFERED, states.DRAFT, plan_sha256=None, why=said)
    happened(session, row, "refused", actor, now)
    return row


def cancel(
    session: Session, row: EvaluationRound, *, version: int, actor: Actor, now: datetime
) -> EvaluationRound:
    """Stop a round that is not released; what was answered is removed unseen.

    Raises RoundError ROUND_MOVED_ON, ROUND_CHANGED.
    """
    if states.CANCELLED not in states.TRANSITIONS[row.state]:
        raise RoundError("ROUND_MOVED_ON")
    _step(session, row, version, row.state, states.CANCELLED)
    with embargo.looking_under(session):
        for question in session.scalars(
            select(RoundQuestion).where(RoundQuestion.round_id == row.id)
        ):
            run = None if question.run_id is None else session.get(Run, question.run_id)
            if run is not None:
                planned.forget(session, run, now)
                planned.tell(session, run)
            question.state = states.DROPPED
    embargo.free(session, row.id, now)
    matching.tell(session, row.id)
    happened(session, row, "cancelled", actor, now)
    return row


def check_decider(session: Session, row: EvaluationRound, actor: Actor) -> None:
    """RoundError NOT_ALLOWED_HERE or OWN_ROUND unless the actor is of the study's committee and
    had no hand in the plan: neither planned nor changed nor offered it."""
    if actor.kind != "user" or not actor.roles & DECIDERS:
        raise RoundError("NOT_ALLOWED_HERE")
    written = select(RoundEvent.id).where(
        RoundEvent.round_id == row.id,
        RoundEvent.by == actor.id,
        RoundEvent.kind.in_(("planned", "changed", "offered")),
    )
    if actor.id == row.planned_by or session.scalar(written.limit(1)) is not None:
        raise RoundError("OWN_ROUND")


def plan_of(session: Session, row: EvaluationRound) -> Plan:
    """The plan of a stored round."""
    return Plan.from_dict(row.plan, Codebook.from_dict(session.get_one(Study, row.study).codebook))


def covers(session: Session, made: Plan) -> list[Covers]:
    """Who can answer what of a plan; shown before anybody approves it."""
    return coverage(session, session.get_one(Study, made.study), made.indicators, made.sites)


def read_wish(session: Session, wish: Wish, now: datetime) -> tuple[Plan, WorkingGroup]:
    """The plan that a wish means, checked. RoundError, QueryError with its place, StudiesError."""
    group = find_group(session, wish.group)
    if group is None:
        raise RoundError("GROUP_NOT_FOUND")
    study = session.get(Study, wish.study)
    if study is None or study.network != group.network:
        raise RoundError("BAD_ROUND", "study")
    codebook = Codebook.from_dict(study.codebook)
    title = {language: one_line(wish.title[language], MOST_TITLE, now) for language in ("nl", "en")}
    purpose = lines(wish.purpose or title["en"], MOST_PURPOSE, now)
    indicators = tuple(
        _indicator(session, group, each, codebook, at, now)
        for at, each in enumerate(wish.indicators)
    )
    if not indicators:
        raise RoundError("NO_INDICATORS")
    if len(indicators) > MOST_INDICATORS:
        raise RoundError("TOO_MANY_INDICATORS")
    if len({each.id for each in indicators}) < len(indicators):
        raise RoundError("INDICATOR_TWICE")
    made = Plan(
        group=wish.group,
        study=study.slug,
        title=title,
        purpose=purpose,
        codebook_sha256=codebook.sha256,
        indicators=indicators,
        period=Period(wish.first, wish.last),
        sites=tuple(sorted(set(wish.sites))),
        freeze_at=wish.freeze_at,
        release_at=wish.release_at,
        names=wish.names,
        repeats=wish.repeats,
    )
    _check(session, made, study, codebook, now)
    return made, group


def _check(session: Session, made: Plan, study: Study, codebook: Codebook, now: datetime) -> None:
    taking_part = set(open_sites(session, study.slug))
    if unknown := sorted(set(made.sites) - taking_part):
        raise RoundError("UNKNOWN_HOSPITAL", ", ".join(each[:63] for each in unknown[:5]))
    if len(made.sites) < LEAST_HOSPITALS:
        raise RoundError("TOO_FEW_HOSPITALS")
    if made.freeze_at < month_end(made.period.last) - timedelta(
        hours=2
    ):  # months end here, not UTC
        raise RoundError("BAD_MOMENTS")
    if made.release_at <= made.freeze_at or made.release_at > now + FURTHEST:
        raise RoundError("BAD_MOMENTS")
    repeats = made.repeats
    if repeats is not None and not (
        repeats.every in MONTHS
        and 1 <= repeats.count <= MOST_REPEATS
        and made.freeze_at < repeats.until <= now + FURTHEST
    ):
        raise RoundError("BAD_REPEATS")
    for place in range(len(made.indicators)):
        for question in made.every(place, codebook, made.sites):
            parse(question.query, codebook)


def _check_now(session: Session, made: Plan, now: datetime) -> None:
    """What must hold when a plan is offered and again when it is approved."""
    study = session.get_one(Study, made.study)
    codebook = Codebook.from_dict(study.codebook)
    if codebook.sha256 != made.codebook_sha256:
        raise RoundError("ROUND_CHANGED", "codebook")
    _check(session, made, study, codebook, now)
    if made.release_at <= now:
        raise RoundError("BAD_MOMENTS")
    nodes = session.scalars(select(SiteNode).where(SiteNode.institution.in_(made.sites))).all()
    strict = [node for node in nodes if (node.terms or {}).get("protection") != "none"]
    if not study.output_by_site or (strict and study.delivery != "hub"):
        raise RoundError("NO_OWN_RESULTS")
    if unsigned := sorted(node.institution for node in strict if node.form_id is None):
        raise RoundError("NO_BOARD_FORM", ", ".join(unsigned))


def hold_questions(
    session: Session, row: EvaluationRound, made: Plan, now: datetime, *, beside: bool = False
) -> None:
    """Keep back every question that the plan's indicators can become, so that nobody else is told.

    Raises RoundError SAME_UNDER_EMBARGO (with `until`) when another round that is not released
    holds one of them or what it tells, BEING_ASKED when somebody is being answered one now.
    `beside`: then go on, because nobody is there to try again; what is being asked ends with
    UNDER_EMBARGO, unless it is told before.
    """
    codebook = Codebook.from_dict(session.get_one(Study, row.study).codebook)
    queries, asked = [], []
    for place in range(len(made.indicators)):
        # What only a cause analysis asks tells no more than the whole does, until it is asked; and
        # many indicators leave out the same patients, whose number is no finding.
        now_asked = {key_of(each) for each in made.asked(place, codebook, made.sites)}
        now_asked.discard("excluded")
        for question in made.every(place, codebook, made.sites):
            query = parse(question.query, codebook)
            queries.append(query)
            if key_of(question) in now_asked:
                asked.append(Asked(query, codebook, frozenset(made.sites), planned=True))
    if others := embargo.holding(session, queries, asked, of=row.id):
        until = session.scalar(
            select(func.max(EvaluationRound.release_at)).where(EvaluationRound.id.in_(others))
        )
        raise RoundError("SAME_UNDER_EMBARGO", until=until)
    being_asked = select(Run.id).where(
        Run.question_sha256.in_({query.question_sha256 for query in queries}),
        Run.state.not_in(FINAL),
        Run.embargoed.is_(False),
    )
    if not beside and session.scalar(being_asked.limit(1)) is not None:
        raise RoundError("BEING_ASKED")
    embargo.keep_back(session, row.id, queries, asked, now)


def draw_letters(
    session: Session, row: EvaluationRound, sites: Sequence[str], now: datetime
) -> None:
    """A letter for each hospital, at random and anew for this round."""
    letters = [letter_of(place) for place in range(len(sites))]
    random.SystemRandom().shuffle(letters)
    session.add_all(
        RoundPart(round_id=row.id, site=site, letter=letter, at=now)
        for site, letter in zip(sorted(sites), letters, strict=True)
    )
    session.flush()


def letter_of(place: int) -> str:
    """A … Z, AA, AB …"""
    first, last = divmod(place, len(_LETTERS))
    return (_LETTERS[first - 1] if first else "") + _LETTERS[last]


def _indicator(
    session: Session,
    group: WorkingGroup,
    given: str | Mapping[str, Any],
    codebook: Codebook,
    place: int,
    now: datetime,
) -> Indicator:
    if isinstance(given, str):
        found = of_group(session, group, given)
        if found is None:
            raise RoundError("UNKNOWN_INDICATOR", given[:63])
        return found
    try:
        made = Indicator.from_dict(given, codebook)
    except QueryError as error:
        raise QueryError(error.code, error.message, f"indicators[{place}].{error.where}") from error
    check_words(made, now)
    return made


def next_number(session: Session, group_id: str) -> int:
    """The number of a group's next round."""
    last = session.scalar(
        select(func.max(EvaluationRound.number)).where(EvaluationRound.group_id == group_id)
    )
    return (last or 0) + 1


def _step(
    session: Session, row: EvaluationRound, version: int, old: str, new: str, **values: Any
) -> None:
    """Move the round by one version; of two who try at once exactly one succeeds."""
    if row.version != version:
        raise RoundError("ROUND_CHANGED")
    done = session.execute(
        update(EvaluationRound)
        .where(
            EvaluationRound.id == row.id,
            EvaluationRound.version == version,
            EvaluationRound.state == old,
        )
        .values(state=new, version=version + 1, **values)
        .execution_options(synchronize_session=False)
    )
    if done.rowcount != 1:  # type: ignore[attr-defined]
        raise RoundError("ROUND_MOVED_ON")
    session.refresh(row)
