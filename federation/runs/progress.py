"""What the worker writes: lease, opening, messages, replies, a new start, the end.

Each function is called inside one transaction of the worker, which holds no network call. Time
comes in as ``now``; leases are measured on the hub's clock only.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, update
from sqlalchemy.orm import Session

from federation.disclosure.nesting import ReleasedSet
from federation.protocol.keys import PublicIdentity, SigningKey
from federation.query.codebook import Codebook
from federation.query.terms import Terms
from federation.runs import embargo, envelope
from federation.runs.driver import Outcome, RunPlan
from federation.runs.errors import ReplyConflict
from federation.runs.lanes import Drives, driver_for
from federation.runs.models import Run, RunProgress, RunReply, RunSite
from federation.runs.service import move, query_of
from federation.runs.states import (
    APPROVED,
    COMPLETE,
    FAILED,
    INSUFFICIENT,
    OPEN,
    PARTIAL,
    REFUSED,
    SITE_ANSWERED,
    SITE_ASKED,
    SITE_REFUSED,
    SITE_SILENT,
    SITE_WAITING,
)
from studies.actor import SYSTEM
from studies.base import new_id
from studies.events import announce
from studies.models import Study


class LeaseLost(Exception):
    """Another worker drives this run, or the run has ended."""


def waits(session: Session, owner: str, now: datetime, driven: Collection[str] = ()) -> bool:
    """Whether there is a run that ``claim`` would take; only looks."""
    return session.scalar(_to_claim(owner, now, driven).limit(1)) is not None


def claim(
    session: Session, owner: str, now: datetime, lease: timedelta, driven: Collection[str] = ()
) -> Run | None:
    """Take the oldest run that is approved or open and that nobody drives.

    The row count of the one UPDATE decides between two workers. ``driven``: the runs that
    ``owner`` has in hand; any other run whose lease it has is taken up again at once.
    """
    for run_id in session.scalars(_to_claim(owner, now, driven).limit(5)).all():
        taken = session.execute(
            update(RunProgress)
            .where(RunProgress.run_id == run_id, _free(owner, now, driven))
            .values(lease_owner=owner, lease_until=now + lease)
            .execution_options(synchronize_session=False)
        )
        if taken.rowcount == 1:  # type: ignore[attr-defined]
            return session.get_one(Run, run_id)
    return None


def _to_claim(owner: str, now: datetime, driven: Collection[str]) -> Select[str]:
    return (
        select(Run.id)
        .join(RunProgress, RunProgress.run_id == Run.id)
        .where(Run.state.in_((APPROVED, OPEN)), _free(owner, now, driven))
        .order_by(Run.submitted_at, Run.id)
    )


def _free(owner: str, now: datetime, driven: Collection[str]) -> ColumnElement[bool]:
    return or_(
        RunProgress.lease_until.is_(None),
        RunProgress.lease_until < now,
        and_(RunProgress.lease_owner == owner, RunProgress.run_id.not_in(driven)),
    )


def hold(session: Session, run_id: str, owner: str, now: datetime, lease: timedelta) -> None:
    """Renew the lease; LeaseLost when another worker has it or the run has ended.

    First statement of every transaction of the worker, so that nothing is written without it.
    """
    unfinished = exists().where(Run.id == run_id, Run.state.in_((APPROVED, OPEN)))
    held = session.execute(
        update(RunProgress)
        .where(RunProgress.run_id == run_id, RunProgress.lease_owner == owner, unfinished)
        .values(lease_until=now + lease)
        .execution_options(synchronize_session=False)
    )
    if held.rowcount != 1:  # type: ignore[attr-defined]
        raise LeaseLost


def open_run(
    session: Session,
    run: Run,
    *,
    roster: Mapping[str, PublicIdentity],
    terms: Terms,
    snapshots: Mapping[str, int],
    now: datetime,
    deadline: datetime,
) -> None:
    """approved -> open, with all that stays fixed for this attempt."""
    move(
        session,
        run,
        OPEN,
        context=new_id(),
        roster={slug: identity.to_dict() for slug, identity in roster.items()},
        terms=terms.to_dict(),
        delivery=session.get_one(Study, run.study).delivery,
        min_snapshots=dict(snapshots),
        opened_at=now,
        deadline=deadline,
    )
    session.add_all(RunSite(run_id=run.id, site=site, state=SITE_WAITING) for site in roster)
    session.flush()
    _announce(session, "run.opened", run, sites=len(roster))


def restart(
    session: Session, run: Run, *, snapshots: Mapping[str, int], again: bool, stale: bool
) -> None:
    """Begin anew under a fresh context: after a newer snapshot (``stale``, counted) or because
    the sites had computed the question before without a released result (``again``)."""
    run.context = new_id()
    run.min_snapshots = dict(snapshots)
    run.again = again
    run.restarts += 1 if stale else 0
    progress = session.get_one(RunProgress, run.id)
    progress.step = 0
    for site in sites_of(session, run):
        site.state, site.step, site.attempts = SITE_WAITING, 0, 0
        site.message = site.message_expires = site.next_send_at = site.code = None
    session.flush()
    _announce(session, "run.restarted", run, reason="snapshot" if stale else "again")


def sites_of(session: Session, run: Run) -> Sequence[RunSite]:
    return session.scalars(
        select(RunSite).where(RunSite.run_id == run.id).order_by(RunSite.site)
    ).all()


def stored_replies(session: Session, run: Run) -> dict[tuple[str, int], bytes]:
    """What the hospitals answered in the run's present context, by hospital and step."""
    found = session.scalars(
        select(RunReply).where(RunReply.run_id == run.id, RunReply.context == run.context)
    )
    return {(reply.site, reply.step): reply.body for reply in found}


def rebuild(
    plan: RunPlan,
    delivery: str | None,
    replies: Mapping[tuple[str, int], bytes],
    hub_key: SigningKey,
    now: datetime,
    earlier: Callable[[], Iterable[ReleasedSet]] = list,
) -> Drives:
    """The driver of an open run, brought to where the stored replies end.

    When the last reply is there, ``advance`` is left to the caller. ``earlier`` as for the driver.
    """
    driver = driver_for(plan, hub_key, earlier, delivery)
    stored = dict(replies)
    while stored:
        here = {site: (site, driver.number_of(site)) for site in sorted(driver.waiting)}
        known = {site: stored.pop(place) for site, place in here.items() if place in stored}
        for site, body in known.items():
            driver.receive(site, body, None)
        if not stored or not known:
            break
        driver.advance(now)
    return driver


def record_messages(
    session: Session,
    run_id: str,
    driver: Drives,
    messages: Mapping[str, bytes],
    expires: datetime,
    sent: Collection[str] = (),
    again_at: datetime | None = None,
) -> None:
    """Keep what is about to be sent, so that a repeat after a crash is the same bytes.

    ``sent``: those that go as soon as this is stored, see ``record_sent``. A crash in between costs
    nothing: a worker that takes the run up sends what is not answered at once.
    """
    session.execute(
        update(RunProgress)
        .where(RunProgress.run_id == run_id)
        .values(step=driver.number)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(RunSite),
        [
            {
                "run_id": run_id,
                "site": site,
                "step": driver.number_of(site),
                "state": SITE_ASKED if site in sent else SITE_WAITING,
                "attempts": int(site in sent),
                "message": message,
                "message_expires": expires,
                "next_send_at": again_at if site in sent else None,
            }
            for site, message in messages.items()
        ],
    )


def record_sent(session: Session, run_id: str, sites: Collection[str], again_at: datetime) -> None:
    """One more attempt; when no reply has come by ``again_at`` the same bytes are sent again."""
    session.execute(
        update(RunSite)
        .where(RunSite.run_id == run_id, RunSite.site.in_(sorted(sites)))
        .values(state=SITE_ASKED, attempts=RunSite.attempts + 1, next_send_at=again_at)
        .execution_options(synchronize_session=False)
    )


def record_failure(
    session: Session, run: Run, site: str, code: str, again_at: datetime, *, security: bool
) -> None:
    """A delivery failed, or (``security``) bytes came that are not this site's own reply."""
    session.execute(
        update(RunSite)
        .where(RunSite.run_id == run.id, RunSite.site == site)
        .values(state=SITE_WAITING, code=code, next_send_at=again_at)
        .execution_options(synchronize_session=False)
    )
    if security:
        _announce(session, "run.reply_refused", run, site=site, code=code)


def store_reply(
    session: Session,
    run_id: str,
    context: str,
    step: int,
    site: str,
    body: bytes,
    now: datetime,
    *,
    refused: bool,
) -> bool:
    """Keep a verified reply, once. False: the same bytes were there already.

    ReplyConflict when other bytes were: nothing is changed.
    """
    known = session.scalar(
        select(RunReply.body).where(
            RunReply.run_id == run_id,
            RunReply.context == context,
            RunReply.step == step,
            RunReply.site == site,
        )
    )
    if known is not None:
        if known != body:
            raise ReplyConflict
        return False
    session.add(
        RunReply(
            run_id=run_id,
            context=context,
            step=step,
            site=site,
            body=body,
            sha256=hashlib.sha256(body).hexdigest(),
            received_at=now,
        )
    )
    # Without reading it: the message that it answers is in the row.
    session.execute(
        update(RunSite)
        .where(RunSite.run_id == run_id, RunSite.site == site)
        .values(
            state=SITE_REFUSED if refused else SITE_ANSWERED,
            answered_at=now,
            next_send_at=None,
            code=None,
        )
        .execution_options(synchronize_session=False)
    )
    session.flush()
    return True


def refuse_for_embargo(session: Session, run: Run, now: datetime) -> bool:
    """End a run whose question a round asks that is not released; whether it was one.

    It was submitted before the round was approved, or at the same moment: what it would tell is
    what nobody may know yet.
    """
    if run.embargoed:
        return False
    codebook = Codebook.from_dict(run.codebook)
    if not embargo.under_embargo(session, query_of(run), codebook, run.roster or ()):
        return False
    code = "UNDER_EMBARGO"
    sites = envelope.site_report(len(run.roster or {}), 0)
    outcome = envelope.withheld(run.id, REFUSED, code, query_of(run), sites=sites)
    _end(session, run, REFUSED, code, outcome, now)
    return True


def finish(session: Session, run: Run, outcome: Outcome, now: datetime) -> None:
    """open -> the final state of ``outcome``; its envelope gets the run's own id."""
    state = {
        "complete": COMPLETE,
        "partial": PARTIAL,
        "refused": REFUSED,
        "insufficient": INSUFFICIENT,
    }[outcome.status]
    hold_back(run, outcome)
    _end(session, run, state, outcome.code, {**outcome.envelope, "id": run.id}, now)
    mine = update(RunSite).where(RunSite.run_id == run.id)
    mine = mine.execution_options(synchronize_session=False)
    session.execute(mine.values(message=None))
    if state in (INSUFFICIENT, PARTIAL):
        unanswered = RunSite.state.in_((SITE_WAITING, SITE_ASKED))
        session.execute(mine.where(unanswered).values(state=SITE_SILENT))


def hold_back(run: Run, outcome: Outcome) -> None:
    """Keep the sets that an outcome leaves for later answers: shown ones, and those held back."""
    if outcome.sets:
        run.released_sets = [one.to_dict() for one in outcome.sets]


def finish_replayed(session: Session, run: Run, earlier: Run, now: datetime) -> None:
    """open -> complete with the stored answer of ``earlier``, said to be so. What a round agreed
    on letters goes with its answer (registry/own_results.py)."""
    assert earlier.outcome is not None  # noqa: S101 CHECK final_has_outcome
    if run.round_id is None:
        run.round_id = earlier.round_id
    outcome = envelope.replayed(earlier.outcome, run.id)
    _end(session, run, COMPLETE, None, outcome, now)


def fail(session: Session, run: Run, now: datetime) -> None:
    """approved or open -> failed: something went wrong that is not a site's or a person's no."""
    sites = envelope.site_report(len(run.roster or {}), 0)
    outcome = envelope.withheld(run.id, FAILED, "FAILED", query_of(run), sites=sites)
    _end(session, run, FAILED, "FAILED", outcome, now)


def _end(
    session: Session,
    run: Run,
    state: str,
    code: str | None,
    outcome: Mapping[str, Any],
    now: datetime,
) -> None:
    move(session, run, state, code=code, outcome=dict(outcome), finished_at=now)
    progress = session.get_one(RunProgress, run.id)
    progress.lease_owner = progress.lease_until = None
    session.flush()
    _announce(session, f"run.{state}", run, code=code)


def _announce(session: Session, action: str, run: Run, **facts: str | int | None) -> None:
    if embargo.silently(session, run):
        return
    announce(
        session,
        actor=SYSTEM,
        action=action,
        about=f"run:{run.id}",
        facts={"study": run.study, **facts},
    )
