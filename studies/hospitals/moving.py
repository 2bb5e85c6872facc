"""Commands: a hospital's way along the road of a study. Every one is a row that nobody changes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.days import local_day
from studies.errors import StudiesError
from studies.events import announce
from studies.free_text import check_day, optional_line
from studies.hospitals.change import begin_change
from studies.hospitals.facts import facts_of, road_of_study
from studies.hospitals.guards import missing
from studies.hospitals.pathway import Pathway
from studies.hospitals.steps import Taken, taken
from studies.models import Participation, ParticipationStep, Study
from studies.network import agreements
from studies.reading import list_institutions
from studies.states import NOTE_CODES
from studies.study_state import refresh

LONGEST_CONTACT = 200
TAKEN_OVER = "taken_over"


def invite(
    session: Session,
    study: Study,
    institution: str,
    *,
    actor: Actor,
    now: datetime,
    contact: str = "",
    at: datetime | None = None,
    reason: str | None = None,
) -> Participation:
    """Invite a member of the study's network to take part.

    Raises StudiesError `not_a_member`, `name_taken` when it takes part already, `in_the_future`,
    `unknown_note`, `reason_needed` for a day that lies back; `empty_text` (too long),
    `control_sign`, `points_at_somebody` for the contact.
    """
    moment = _moment(at, now, reason)
    words = optional_line(contact, LONGEST_CONTACT, now)
    members = {member.slug for member in list_institutions(session, study.network, now)}
    if institution not in members:
        raise StudiesError("not_a_member")
    if any(part.institution == institution for part in study.participations):
        raise StudiesError("name_taken")
    part = Participation(
        study=study.slug, institution=institution, state="invited", since=moment, contact=words
    )
    study.participations.append(part)
    session.flush()
    write_step(session, part, moment, now, actor, reason)
    return part


def move(
    session: Session,
    part: Participation,
    to: str,
    *,
    actor: Actor,
    now: datetime,
    at: datetime | None = None,
    reason: str | None = None,
    expected: int | None = None,
) -> Participation:
    """Take the next step with a hospital; `at` may lie back with a reason, never before the last.

    What the step asks for is judged by the day of `at`. Raises StudiesError `changed_meanwhile`,
    `step_not_allowed`, `not_ready` with the guards that are not met, `reason_needed`,
    `unknown_note`, `in_the_future`, `before_last_step`.
    """
    begin_change(session, part, expected)
    road = road_of_study(session, part.of_study)
    if not road.allows(part.state, to):
        raise StudiesError("step_not_allowed")
    step = road.step(to)
    if reason is None and part.state in step.reason_from:
        raise StudiesError("reason_needed")
    moment = _moment(at, now, reason)
    if moment < part.since:
        raise StudiesError("before_last_step")
    if unmet := missing(step, facts_of(session, part, moment)):
        raise StudiesError("not_ready", missing=tuple(guard.code for guard in unmet))
    part.state, part.since, part.note_code = to, moment, reason
    if to == "invited":
        part.interest = None
    session.flush()
    write_step(session, part, moment, now, actor, reason)
    refresh(session, part.of_study)
    return part


def decline(
    session: Session,
    part: Participation,
    reason: str,
    *,
    actor: Actor,
    now: datetime,
    at: datetime | None = None,
    expected: int | None = None,
) -> Participation:
    """Note that a hospital does not take part, and why; it may be invited again."""
    part = move(
        session, part, "declined", actor=actor, now=now, at=at, reason=reason, expected=expected
    )
    part.interest = False
    session.flush()
    return part


def correct(
    session: Session,
    part: Participation,
    number: int,
    *,
    reason: str,
    actor: Actor,
    now: datetime,
    at: datetime | None = None,
    expected: int | None = None,
) -> Participation:
    """Say that a step happened at another moment (`at`), or, without it, that it was a mistake.

    Only the last step can be a mistake, and never the invitation. The row of the step stays as it
    is. Raises StudiesError `changed_meanwhile`, `not_found`, `unknown_note`, `in_the_future`,
    `before_last_step` when the moment is not between the steps before and after,
    `step_not_allowed`, `not_ready` when what the step asks for was not there on that day; of a step
    that was taken over it was never asked.
    """
    begin_change(session, part, expected)
    steps = taken(part.steps)
    place = next((i for i, step in enumerate(steps) if step.number == number), None)
    if place is None:
        raise StudiesError("not_found")
    step = steps[place]
    if at is None and (place == 0 or place != len(steps) - 1):
        raise StudiesError("step_not_allowed")
    moment = step.at if at is None else _moment(at, now, reason)
    if reason not in NOTE_CODES:
        raise StudiesError("unknown_note")
    before = steps[place - 1].at if place else moment
    after = steps[place + 1].at if place + 1 < len(steps) else now
    if not before <= moment <= after:
        raise StudiesError("before_last_step")
    if at is not None and place and step.reason != TAKEN_OVER:
        _check_on_the_day(session, part, steps[:place], step.state, moment)
    _append(session, part, step.state, moment, now, actor, reason, number, at is None)
    last = taken(part.steps)[-1]
    part.state, part.since, part.note_code = last.state, last.at, last.reason
    session.flush()
    announce(
        session,
        actor=actor,
        action="participation.corrected",
        about=f"study:{part.study}",
        facts={
            "institution": part.institution,
            "number": number,
            "void": int(at is None),
            "note": reason,
        },
    )
    refresh(session, part.of_study)
    return part


def _check_on_the_day(
    session: Session, part: Participation, before: Sequence[Taken], to: str, moment: datetime
) -> None:
    facts = facts_of(session, part, moment, steps=before)
    facts = replace(facts, state=before[-1].state)
    step = road_of_study(session, part.of_study).step(to)
    if unmet := missing(step, facts):
        raise StudiesError("not_ready", missing=tuple(guard.code for guard in unmet))


def take_over(
    session: Session,
    study: Study,
    histories: Mapping[str, Sequence[tuple[str, datetime]]],
    *,
    actor: Actor,
    now: datetime,
    contacts: Mapping[str, str] | None = None,
) -> list[Participation]:
    """Write what happened before the hub knew: per institution its states and when they began.

    Each state must be reachable from the one before by the road, with or without the steps between;
    what a step asks for was judged elsewhere, and every step says so ("taken_over"). Only the
    agreement for queries is looked at, because data are asked at once. All or nothing.

    Raises StudiesError `not_a_member`, `name_taken`, `step_not_allowed`, `in_the_future`,
    `before_last_step`, `not_ready` (agreement); for a contact as :func:`invite`.
    """
    members = {member.slug for member in list_institutions(session, study.network, now)}
    there = {part.institution for part in study.participations}
    parts: list[Participation] = []
    road = road_of_study(session, study)
    for institution, history in histories.items():
        if institution not in members:
            raise StudiesError("not_a_member")
        if institution in there:
            raise StudiesError("name_taken")
        if not history:
            raise StudiesError("step_not_allowed")
        part = Participation(
            study=study.slug,
            institution=institution,
            state=history[0][0],
            since=history[0][1],
            contact=optional_line((contacts or {}).get(institution, ""), LONGEST_CONTACT, now),
            note_code=TAKEN_OVER,
        )
        study.participations.append(part)
        _replay(part, history, road, now, actor)
        parts.append(part)
    session.flush()
    for part in parts:
        _check_agreement(session, part, now)
    _announce_taken_over(session, study, parts, actor)
    refresh(session, study)
    return parts


def take_over_step(
    session: Session,
    part: Participation,
    to: str,
    *,
    actor: Actor,
    now: datetime,
    at: datetime,
    expected: int | None = None,
) -> Participation:
    """The same for a hospital that is in the study already: a later state that it has reached.

    Raises StudiesError `changed_meanwhile`, `step_not_allowed`, `in_the_future`,
    `before_last_step`, `not_ready` (agreement).
    """
    begin_change(session, part, expected)
    road = road_of_study(session, part.of_study)
    _replay(part, [(to, at)], road, now, actor)
    _check_agreement(session, part, now)
    session.flush()
    _announce_taken_over(session, part.of_study, [part], actor)
    refresh(session, part.of_study)
    return part


def _replay(
    part: Participation,
    history: Sequence[tuple[str, datetime]],
    road: Pathway,
    now: datetime,
    actor: Actor,
) -> None:
    for state, at in history:
        if at > now:
            raise StudiesError("in_the_future")
        if at < part.since:
            raise StudiesError("before_last_step")
        new = not part.steps
        if not road.has(state) or not (new or road.leads(part.state, state)):
            raise StudiesError("step_not_allowed")
        part.state, part.since, part.note_code = state, at, TAKEN_OVER
        part.steps.append(
            ParticipationStep(
                number=max((step.number for step in part.steps), default=0) + 1,
                state=state,
                at=at,
                recorded_at=now,
                by=actor.id,
                note_code=TAKEN_OVER,
            )
        )


def _check_agreement(session: Session, part: Participation, now: datetime) -> None:
    study = part.of_study
    if part.state != "open" or not study.asks_data:
        return
    if not agreements.valid_for(session, study.network, part.institution, now):
        raise StudiesError("not_ready", missing=("agreement",))


def _announce_taken_over(
    session: Session, study: Study, parts: Sequence[Participation], actor: Actor
) -> None:
    # One act, one line: which steps it wrote stands in the steps themselves, with who and when.
    one = parts[0] if len(parts) == 1 else None
    announce(
        session,
        actor=actor,
        action="participation.taken_over",
        about=f"study:{study.slug}",
        facts={
            "hospitals": len(parts),
            "institution": None if one is None else one.institution,
            "state": None if one is None else one.state,
        },
    )


def write_step(
    session: Session,
    part: Participation,
    at: datetime,
    now: datetime,
    actor: Actor,
    reason: str | None,
) -> None:
    """Append the step into the present state, and announce it by its name in the table."""
    step = _append(session, part, part.state, at, now, actor, reason, None, False)
    announce(
        session,
        actor=actor,
        action=f"participation.{part.state}",
        about=f"study:{part.study}",
        facts={"institution": part.institution, "number": step.number, "note": reason},
    )


def _append(
    session: Session,
    part: Participation,
    state: str,
    at: datetime,
    now: datetime,
    actor: Actor,
    reason: str | None,
    corrects: int | None,
    void: bool,
) -> ParticipationStep:
    step = ParticipationStep(
        participation_id=part.id,
        number=max((each.number for each in part.steps), default=0) + 1,
        state=state,
        at=at,
        recorded_at=now,
        by=actor.id,
        note_code=reason,
        corrects=corrects,
        void=void,
    )
    part.steps.append(step)
    session.flush()
    return step


def _moment(at: datetime | None, now: datetime, reason: str | None) -> datetime:
    if reason is not None and reason not in NOTE_CODES:
        raise StudiesError("unknown_note")
    moment = now if at is None else at
    if moment > now:
        raise StudiesError("in_the_future")
    check_day(moment.date())
    if reason is None and local_day(moment) < local_day(now):
        raise StudiesError("reason_needed")
    return moment
