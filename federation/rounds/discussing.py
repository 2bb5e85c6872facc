"""After the release: what the group says, what it does, by whom, until when, and measuring again.

Notes are only added to. An action changes by version; it is closed by a person, or by the
measurement that it planned, which says what was before and what is after.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from federation.indicators.asking import Period
from federation.query.errors import QueryError
from federation.rounds import states
from federation.rounds.errors import RoundError
from federation.rounds.events import happened, move
from federation.rounds.following import AGAIN, UNTIL_RELEASED, again_at, remeasure
from federation.rounds.models import EvaluationRound, RoundAction, RoundEvent, RoundNote
from federation.rounds.plan import month_end
from federation.rounds.planning import FURTHEST
from federation.rounds.reading import snapshot
from federation.rounds.snapshot import IndicatorFinding
from studies.actor import SYSTEM, Actor
from studies.days import local_day
from studies.free_text import check_day, lines, one_line

MOST_TEXT: Final = 2000
#: How many times a measurement that cannot be asked is tried again.
MOST_TIMES: Final = 60
#: What of a row is kept as before and after.
_KEPT: Final = ("n", "missing", "observed", "expected", "value", "low", "high", "median", "p80",
                "within", "outside", "rule", "signal", "hidden")  # fmt: skip


def say(
    session: Session,
    row: EvaluationRound,
    *,
    text: str,
    actor: Actor,
    now: datetime,
    indicator: str | None = None,
    kind: str = "note",
) -> RoundNote:
    """A note of the discussion, or (``kind`` "cause") what the group holds to be the cause.

    Raises RoundError NOT_RELEASED, NOT_OF_THIS_ROUND, or StudiesError for the text.
    """
    if indicator is not None:
        _finding(session, row, indicator)
    return _note(session, row, kind, text, actor, now, indicator=indicator)


def offer_help(
    session: Session,
    row: EvaluationRound,
    *,
    indicator: str,
    from_site: str,
    to_site: str,
    text: str,
    actor: Actor,
    now: datetime,
) -> RoundNote:
    """One hospital offers another to show how it works. Raises as ``say``."""
    _finding(session, row, indicator)
    known = {each.site for each in snapshot(session, row).hospitals}
    if from_site == to_site or not {from_site, to_site} <= known:
        raise RoundError("NOT_OF_THIS_ROUND")
    return _note(
        session,
        row,
        "help",
        text,
        actor,
        now,
        indicator=indicator,
        from_site=from_site,
        to_site=to_site,
    )


def _note(
    session: Session,
    row: EvaluationRound,
    kind: str,
    text: str,
    actor: Actor,
    now: datetime,
    **where: str | None,
) -> RoundNote:
    if row.state not in states.READABLE:
        raise RoundError("NOT_RELEASED")
    if kind not in states.NOTE_KINDS:
        raise RoundError("BAD_ROUND", "kind")
    made = RoundNote(
        round_id=row.id,
        kind=kind,
        text=lines(text, MOST_TEXT, now),
        at=now,
        by=actor.id,
        by_name=actor.name,
        **where,
    )
    session.add(made)
    session.flush()
    happened(session, row, "said", actor, now, kind=kind, **where)
    return made


def add_action(
    session: Session,
    row: EvaluationRound,
    *,
    indicator: str,
    text: str,
    owner: str,
    due: date,
    actor: Actor,
    now: datetime,
    site: str | None = None,
    cause: str = "",
    first: str | None = None,
    last: str | None = None,
    measure_at: datetime | None = None,
) -> RoundAction:
    """Something to do about a finding, by ``owner``, until ``due``.

    With ``first``, ``last`` and ``measure_at`` the hub measures again by itself at that moment over
    those months, and closes the action with before and after. Raises RoundError NOT_RELEASED,
    NOT_OF_THIS_ROUND, BAD_ACTION, or StudiesError for a text.
    """
    if row.state not in states.READABLE:
        raise RoundError("NOT_RELEASED")
    found = _finding(session, row, indicator)
    if site is not None and site not in {each.site for each in found.rows}:
        raise RoundError("NOT_OF_THIS_ROUND")
    given = _read(text, owner, due, cause, first, last, measure_at, now)
    made = RoundAction(
        round_id=row.id,
        indicator=indicator,
        site=site,
        before=_numbers(found, site),
        created_at=now,
        created_by=actor.id,
        created_by_name=actor.name,
        **given,
    )
    session.add(made)
    session.flush()
    _told(session, row, "action_added", made, actor, now)
    return made


def change_action(
    session: Session,
    action: RoundAction,
    *,
    version: int,
    text: str,
    owner: str,
    due: date,
    actor: Actor,
    now: datetime,
    cause: str = "",
    first: str | None = None,
    last: str | None = None,
    measure_at: datetime | None = None,
) -> RoundAction:
    """Another text, owner, day or measurement for an open action. Raises RoundError ROUND_CHANGED,
    ROUND_MOVED_ON, BAD_ACTION, or StudiesError for a text."""
    given = _read(text, owner, due, cause, first, last, measure_at, now)
    _step(session, action, version, "open", "open", **given)
    _told(session, _round(session, action), "action_changed", action, actor, now)
    return action


def close_action(
    session: Session, action: RoundAction, *, version: int, actor: Actor, now: datetime
) -> RoundAction:
    """Somebody says that it is done, without measuring again. Raises as ``change_action``."""
    _step(session, action, version, "open", "closed", closed_at=now)
    _told(session, _round(session, action), "action_closed", action, actor, now)
    return action


def cancel_action(
    session: Session, action: RoundAction, *, version: int, actor: Actor, now: datetime
) -> RoundAction:
    """It will not be done. Raises as ``change_action``."""
    _step(session, action, version, "open", "cancelled", closed_at=now)
    _told(session, _round(session, action), "action_cancelled", action, actor, now)
    return action


def close_round(session: Session, row: EvaluationRound, *, actor: Actor, now: datetime) -> None:
    """The group is done with a round. Raises RoundError ROUND_MOVED_ON."""
    move(session, row, states.CLOSED)
    happened(session, row, "closed", actor, now)


def get_action(session: Session, row: EvaluationRound, action_id: str) -> RoundAction:
    """An action of this round; RoundError ACTION_NOT_FOUND."""
    found = session.get(RoundAction, action_id)
    if found is None or found.round_id != row.id:
        raise RoundError("ACTION_NOT_FOUND")
    return found


def due_actions(session: Session, now: datetime) -> list[RoundAction]:
    """Open actions whose moment of measuring again has come."""
    wanted = select(RoundAction).where(
        RoundAction.state == "open",
        RoundAction.measure_at.is_not(None),
        RoundAction.measure_at <= now,
    )
    return list(session.scalars(wanted.order_by(RoundAction.measure_at, RoundAction.id)))


def begin_measuring(session: Session, action: RoundAction, now: datetime) -> EvaluationRound:
    """Measure again for an action; where another round asks exactly that, its numbers will do.

    Raises RoundError when it cannot be asked now.
    """
    row = _round(session, action)
    period = Period(action.first or "", action.last or "")
    made = _asks_the_same(session, row, action.indicator, period)
    if made is None:
        made = remeasure(session, row, indicator=action.indicator, period=period, now=now)
    _step(session, action, action.version, "open", "measuring", remeasured_in=made.id)
    _told(session, row, "action_measuring", action, SYSTEM, now)
    if made.state in states.READABLE:
        after_measuring(session, made, now)
    return made


def _asks_the_same(
    session: Session, row: EvaluationRound, indicator: str, period: Period
) -> EvaluationRound | None:
    """A round of the same study, approved or released, with this very definition and period, such
    as the next one of the series."""
    wanted = next(each for each in row.plan["indicators"] if each["id"] == indicator)
    found = session.scalars(
        select(EvaluationRound)
        .where(
            EvaluationRound.study == row.study,
            EvaluationRound.kind != "strata",
            EvaluationRound.state.in_(states.UNDER_EMBARGO | states.READABLE),
        )
        .order_by(EvaluationRound.release_at.desc())
    )
    for each in found:
        if each.plan["period"] == period.to_dict() and wanted in each.plan["indicators"]:
            return each
    return None


def put_off(
    session: Session, action: RoundAction, error: RoundError | QueryError, now: datetime
) -> None:
    """It could not be measured now: tried again in a day, MOST_TIMES; then the action stays open
    for people to close. Where it would tell a round before its moment, it waits for that moment,
    however often. Its history says why."""
    row = _round(session, action)
    waited = select(RoundEvent.facts).where(
        RoundEvent.round_id == row.id, RoundEvent.kind == "action_waits"
    )
    times = sum(
        facts.get("action") == action.id and facts.get("code") != UNTIL_RELEASED
        for facts in session.scalars(waited)
    )
    if error.code == UNTIL_RELEASED:
        action.measure_at = again_at(error, now)
    else:
        action.measure_at = now + AGAIN if times + 1 < MOST_TIMES else None
    session.flush()
    _told(session, row, "action_waits", action, SYSTEM, now, code=error.code)


def after_measuring(session: Session, measured: EvaluationRound, now: datetime) -> None:
    """A measurement is released: close the actions that waited for it, with before and after."""
    waiting = session.scalars(
        select(RoundAction).where(
            RoundAction.remeasured_in == measured.id, RoundAction.state == "measuring"
        )
    ).all()
    for action in waiting:
        found = _finding(session, measured, action.indicator)
        after = _numbers(found, action.site)
        _step(session, action, action.version, "measuring", "closed", after=after, closed_at=now)
        _told(session, _round(session, action), "action_closed", action, SYSTEM, now)


def _numbers(found: IndicatorFinding, site: str | None) -> dict[str, Any]:
    """The row of a hospital, or the network's, as it is kept beside an action."""
    source: Any = found.network
    if site is not None:
        source = next((each for each in found.rows if each.site == site), None)
    made = {name: getattr(source, name, None) for name in _KEPT}
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in made.items()
    }


def _read(
    text: str,
    owner: str,
    due: date,
    cause: str,
    first: str | None,
    last: str | None,
    measure_at: datetime | None,
    now: datetime,
) -> dict[str, Any]:
    check_day(due)
    if due > (now + FURTHEST).date():
        raise RoundError("BAD_ACTION")
    wanted = [part is not None for part in (first, last, measure_at)]
    if any(wanted):
        if not all(wanted) or first is None or last is None or measure_at is None:
            raise RoundError("BAD_ACTION")
        try:
            Period(first, last)
        except QueryError as error:
            raise RoundError("BAD_ACTION", error.message) from error
        if not now < measure_at <= now + FURTHEST:  # first: the ends of the calendar have no day
            raise RoundError("BAD_ACTION")
        if local_day(measure_at) < local_day(month_end(last)):
            raise RoundError("BAD_ACTION")
    return {
        "text": lines(text, MOST_TEXT, now),
        "owner": one_line(owner, 200, now),
        "due": due,
        "cause": lines(cause, MOST_TEXT, now) if cause.strip() else "",
        "first": first,
        "last": last,
        "measure_at": measure_at,
    }


def _finding(session: Session, row: EvaluationRound, indicator: str) -> IndicatorFinding:
    for each in snapshot(session, row).indicators:
        if each.id == indicator:
            return each
    raise RoundError("NOT_OF_THIS_ROUND")


def _round(session: Session, action: RoundAction) -> EvaluationRound:
    return session.get_one(EvaluationRound, action.round_id)


def _told(
    session: Session,
    row: EvaluationRound,
    kind: str,
    action: RoundAction,
    actor: Actor,
    now: datetime,
    **facts: str,
) -> None:
    about = {"action": action.id, "indicator": action.indicator}
    happened(session, row, kind, actor, now, **about, **facts)


def _step(
    session: Session, action: RoundAction, version: int, old: str, new: str, **values: Any
) -> None:
    """Change an action by one version; of two at once exactly one succeeds."""
    if action.version != version:
        raise RoundError("ROUND_CHANGED")
    done = session.execute(
        update(RoundAction)
        .where(
            RoundAction.id == action.id,
            RoundAction.version == version,
            RoundAction.state == old,
        )
        .values(state=new, version=version + 1, **values)
        .execution_options(synchronize_session=False)
    )
    if done.rowcount != 1:  # type: ignore[attr-defined]
        raise RoundError("ROUND_MOVED_ON")
    session.refresh(action)
