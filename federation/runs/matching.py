"""Private matches as evaluation rounds ask for them: ask, see what came of it, say what is linked.

The worker does the rest (match_worker.py). What may be shown of a sum is decided here once, when it
comes in (ADR 0039); a number that may not be shown is not kept.
"""

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from consent.models import Subject
from consent.models_people import Link
from federation.query.terms import Terms
from federation.runs.counted_once import Found, counted_once
from federation.runs.errors import RunError
from federation.runs.match_models import DONE, OPEN, REFUSED, WAITING, MatchLease, PrivateMatch
from federation.runs.models import RunEmbargo
from studies.actor import SYSTEM, Actor
from studies.events import account_later, announce
from studies.models import Study
from studies.reading import open_sites

MOST_RESTARTS: Final = 2


def ask(
    session: Session,
    *,
    study: str,
    sites: Collection[str],
    approved_by: str,
    actor: Actor,
    now: datetime,
    round_id: str | None = None,
) -> str:
    """Ask how many patients of a study these hospitals share; the id of the match.

    One that is under way, or whose answer still stands, is not asked again. approved_by: who on
    the committee approved the plan in which this stands. round_id: the round that asks; how the
    match ends is told at its release (`tell`). Raises RunError STUDY_NOT_FOUND, NO_SITES.
    """
    if session.get(Study, study) is None:
        raise RunError("STUDY_NOT_FOUND")
    wanted = sorted(set(sites))
    if not wanted or not set(wanted) <= set(open_sites(session, study)):
        raise RunError("NO_SITES")
    stands = now - timedelta(days=Terms.strict().diff.replay_days)
    for row in _of(session, study):
        if row.sites == wanted and (
            row.state in (WAITING, OPEN)
            or (row.state == DONE and row.finished_at is not None and row.finished_at > stands)
        ):
            _keep_back(session, row, round_id, now)
            return row.id
    row = PrivateMatch(
        study=study, sites=wanted, approved_by=approved_by, asked_at=now, state=WAITING
    )
    session.add(row)
    session.flush()
    session.add(MatchLease(match_id=row.id))
    _keep_back(session, row, round_id, now)
    session.flush()
    announce(
        session,
        actor=actor,
        action="match.asked",
        about=f"match:{row.id}",
        facts={"study": study, "sites": len(wanted)},
    )
    return row.id


def _keep_back(session: Session, row: PrivateMatch, round_id: str | None, now: datetime) -> None:
    """Nobody is told how a match goes before this round is released, as of its runs (ADR 0037)."""
    if round_id is not None and row.state in (WAITING, OPEN):
        session.add(RunEmbargo(round_id=round_id, heart=_heart(row.id), since=now))


def _heart(match_id: str) -> str:
    return f"match:{match_id}"


def silently(session: Session, row: PrivateMatch) -> bool:
    """Whether a round under embargo waits for this match: then what happens to it is told later."""
    standing = select(RunEmbargo.id).where(
        RunEmbargo.heart == _heart(row.id), RunEmbargo.lifted_at.is_(None)
    )
    held = session.scalar(standing.limit(1)) is not None
    if held:
        account_later(session, "private_match")
    return held


def tell(session: Session, round_id: str) -> None:
    """Write the audit line of the match that a round kept back; for its release or its end without
    one, after the embargo is lifted. One under way is told of when it ends."""
    kept = select(RunEmbargo.heart).where(
        RunEmbargo.round_id == round_id, RunEmbargo.heart.startswith(_heart(""))
    )
    for heart in session.scalars(kept):
        match_id = heart.removeprefix(_heart(""))
        # One that ends now waits for this, or this for it: one of the two writes the line.
        row = session.get(PrivateMatch, match_id, with_for_update=True, populate_existing=True)
        if row is not None and row.state in (DONE, REFUSED) and not silently(session, row):
            _say_finished(session, row)


def _say_finished(session: Session, row: PrivateMatch) -> None:
    announce(
        session,
        actor=SYSTEM,
        action="match.finished",
        about=f"match:{row.id}",
        facts={"study": row.study, "code": row.code},
    )


def found(session: Session, match_id: str) -> Found:
    """What became of a match. Raises RunError RUN_NOT_FOUND."""
    row = session.get(PrivateMatch, match_id)
    if row is None:
        raise RunError("RUN_NOT_FOUND")
    if row.state == REFUSED:
        return Found("refused", code=row.code)
    if row.state != DONE:
        return Found("waiting")
    as_of = None if row.as_of is None else row.as_of.date().isoformat()
    return Found("done", row.count, row.hidden, as_of)


def duplicates(
    session: Session, *, study: str, sites: Collection[str], roles: Collection[str]
) -> dict[str, Any]:
    """The `duplicates` of a snapshot for these hospitals: by the newest match that was asked of
    exactly them, if any, the roles of the indicators, and the links patients made."""
    wanted = sorted(set(sites))
    asked = next((row for row in _of(session, study) if row.sites == wanted), None)
    return counted_once(
        hospitals=len(wanted),
        roles=roles,
        match=None if asked is None else found(session, asked.id),
        linked=linked(session, wanted),
        threshold=2 * Terms.strict().t_cell,  # below it a number may be hidden, see `_shown`
    )


def finish(
    session: Session, row: PrivateMatch, now: datetime, *, pairs: int | None, code: str | None
) -> None:
    """Keep how a match ended: with the sum over all pairs, or with the code of a refusal. Told at
    once, or at the release of the round that asked it."""
    if pairs is not None and row.plan is not None:
        terms = Terms.from_dict(row.plan["terms"])
        shown = _shown(session, row, pairs, terms, now)
        row.count, row.hidden, row.as_of = shown
    row.finished_at, row.code = now, code
    row.state = REFUSED if pairs is None else DONE
    session.flush()  # holds the row before looking whether it is told now, see `tell`
    if not silently(session, row):
        _say_finished(session, row)


def _shown(
    session: Session, row: PrivateMatch, pairs: int, terms: Terms, now: datetime
) -> tuple[int | None, str | None, datetime]:
    """The number that may be shown, or why there is none, and of when it is.

    Two numbers of one study never differ by a few pairs: of the same hospitals the earlier one
    stands, of others the new one is hidden, because the difference is what one hospital shares.

    How many are few is drawn for each match, between a threshold and twice that. A hospital could
    lie in its own number so that the sum lies just below a threshold that it knows, and put one
    person in its list: whether the sum is shown would tell of that person.
    """
    small = (None, "SMALL_GROUP", now)
    few, least = drawn(terms.diff.t_diff), drawn(terms.t_cell)
    earlier = [each for each in _of(session, row.study) if each.count is not None]
    same = next((each for each in earlier if each.sites == row.sites), None)
    if same is not None and same.count is not None and 0 < abs(pairs - same.count) < few:
        return same.count, None, same.as_of or now
    for each in earlier:
        if each.sites != row.sites and abs(pairs - (each.count or 0)) < few:
            return small
    return small if pairs < least else (pairs, None, now)


def drawn(threshold: int) -> int:
    """A whole number from the threshold to just below twice that; nobody knows it beforehand."""
    return threshold + secrets.randbelow(max(threshold, 1))


def _of(session: Session, study: str) -> Sequence[PrivateMatch]:
    """The matches of a study, newest first."""
    return session.scalars(
        select(PrivateMatch)
        .where(PrivateMatch.study == study)
        .order_by(PrivateMatch.asked_at.desc(), PrivateMatch.id)
    ).all()


def linked(session: Session, sites: Collection[str]) -> int | None:
    """How many patients said themselves that they are known at two of these hospitals: whole tens,
    None below ten. The hub knows it because they linked their letters; no hospital is told."""
    here, there = aliased(Subject), aliased(Subject)
    one, other = aliased(Link), aliased(Link)
    people = session.scalar(
        select(func.count(one.link.distinct()))
        .join(other, other.link == one.link)
        .join(here, here.id == one.subject_id)
        .join(there, there.id == other.subject_id)
        .where(
            one.unlinked_at.is_(None),
            other.unlinked_at.is_(None),
            here.site.in_(sites),
            there.site.in_(sites),
            here.site != there.site,
        )
    )
    tens = (people or 0) // 10 * 10
    return tens or None
