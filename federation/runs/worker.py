"""The hub's worker: carries runs from approval to a result, and snapshots to sites.

It may be killed between any two statements: everything it knows is in the database, and a new
worker rebuilds the rest. No engine call happens inside a transaction.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from sqlalchemy.orm import Session, sessionmaker

from federation.engines.interface import SITE_UNREACHABLE, Engine, EngineError, Reply
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import SigningKey
from federation.query.errors import QueryError
from federation.runs import earlier, plans, progress, service
from federation.runs.driver import Outcome
from federation.runs.embargo import seeing_all
from federation.runs.errors import ReplyConflict, RunError
from federation.runs.faults import point
from federation.runs.in_hand import Active, Kept, Timing
from federation.runs.match_worker import Matches
from federation.runs.models import Run
from federation.runs.progress import LeaseLost
from federation.runs.released import Released
from federation.runs.snapshots import Snapshots
from federation.runs.states import APPROVED
from studies.base import new_id
from studies.looking import read_only

Factory = sessionmaker[Session]


class Worker:
    """One worker over one engine; see the module docstring. ``ended``: runs that it brought to an
    end, so that whoever waits for one need not look in the database."""

    def __init__(
        self,
        factory: Factory,
        engine: Engine,
        hub_key: SigningKey,
        *,
        timing: Timing | None = None,
        owner: str | None = None,
    ) -> None:
        self._factory = seeing_all(factory)
        self._engine = engine
        self._key = hub_key
        self._timing = timing or Timing()
        self._owner = owner or new_id()
        self.ended = 0
        self._active: dict[str, Active] = {}
        self._sent: dict[str, tuple[str, str, int, str]] = {}
        self._snapshots = Snapshots(factory, engine, hub_key)
        self._released = Released(self._factory)
        self._matches = Matches(
            factory, engine, hub_key, self._snapshots, self._timing, self._owner
        )

    @property
    def busy(self) -> bool:
        """Whether a run is open in this worker."""
        return bool(self._active)

    def step(self, now: datetime, wait: float = 0.0) -> bool:
        """One bounded unit of work, waiting at most ``wait`` seconds for replies.

        Returns whether anything happened. An error of the database is raised; the next call
        starts from what is stored.
        """
        try:
            happened = self._take_replies(now, wait)
            happened |= self._snapshots.publish(now)
            happened |= self._matches.step(now)
            for active in list(self._active.values()):
                happened |= self._guarded(active, now)
            return happened | self._claim(now)
        except BaseException:
            # What is in memory may be ahead of what was stored: forget it, the lease stays ours.
            self._active.clear()
            self._matches.forget()
            raise

    def _guarded(self, active: Active, now: datetime) -> bool:
        try:
            return self._drive(active, now)
        except (LeaseLost, RunError):
            # Another worker has it, or somebody cancelled it in the meantime.
            self._forget(active)
        except (ArithmeticError, ValueError, LookupError, TypeError):
            # Sums that are well-formed but make no sense must not stop the other runs.
            self._forget(active)
            with self._factory() as session:
                progress.fail(session, service.get_run(session, active.run_id), now)
                session.commit()
            self.ended += 1
        return True

    # Replies

    def _take_replies(self, now: datetime, wait: float) -> bool:
        replies = self._engine.replies(wait)
        of_runs: dict[str, list[Reply]] = {}
        for reply in replies:
            if self._snapshots.take(reply, now) or self._matches.take(reply, now):
                continue
            target = self._sent.pop(reply.handle, None)
            active = None if target is None else self._active.get(target[0])
            if target is None or active is None:
                continue
            if target[1:3] != (active.context, active.driver.number_of(target[3])):
                continue
            try:
                if target[3] != reply.site:
                    self._failed(active, target[3], "WRONG_SITE", now, security=True)
                elif reply.body is None:
                    self._failed(active, reply.site, reply.failure or SITE_UNREACHABLE, now)
                else:
                    of_runs.setdefault(active.run_id, []).append(reply)
            except LeaseLost:
                self._forget(active)
        for run_id, mine in of_runs.items():
            if (active := self._active.get(run_id)) is not None:
                try:
                    self._take_answers(active, mine, now)
                except LeaseLost:
                    self._forget(active)
        return bool(replies)

    def _take_answers(self, active: Active, replies: Sequence[Reply], now: datetime) -> None:
        """Check and keep replies to one run that came together, in one transaction."""
        good: list[tuple[int, str, bytes]] = []
        driver, run = active.driver, (active.run_id, active.context)
        for reply in replies:
            step, body = driver.number_of(reply.site), reply.body or b""
            try:
                driver.receive(reply.site, body, now)
            except ProtocolError as error:
                self._failed(active, reply.site, error.code, now, security=True)
            else:
                good.append((step, reply.site, body))
        if not good:
            return
        try:
            with self._factory() as session:
                progress.hold(session, active.run_id, self._owner, now, self._timing.lease)
                for step, site, body in good:
                    refused = driver.refused_by(site)
                    progress.store_reply(session, *run, step, site, body, now, refused=refused)
                    point("H3")
                session.commit()
        except ReplyConflict:
            # Only another worker can have stored it: what is stored counts.
            self._failed(active, good[0][1], "CONFLICT", now, security=True)
            self._forget(active)
            return
        for _, site, _ in good:
            point("H4")
            active.due.pop(site, None)

    def _failed(
        self, active: Active, site: str, code: str, now: datetime, *, security: bool = False
    ) -> None:
        """Ask again after a while: 5 s, 10 s, 20 s … at most 5 minutes."""
        timing = self._timing
        attempt = active.attempts.get(site, 1)
        after = min(timing.back_off * 2 ** min(attempt - 1, 10), timing.back_off_most)
        active.due[site] = now + after
        with self._factory() as session:
            progress.hold(session, active.run_id, self._owner, now, timing.lease)
            run = service.get_run(session, active.run_id)
            progress.record_failure(session, run, site, code, now + after, security=security)
            session.commit()

    # Runs

    def _claim(self, now: datetime) -> bool:
        if len(self._active) >= self._timing.open_runs:
            return False
        with self._factory() as session:
            read_only(session)
            if not progress.waits(session, self._owner, now, self._active.keys()):
                return False
        with self._factory() as session:
            run = progress.claim(
                session, self._owner, now, self._timing.lease, driven=set(self._active)
            )
            if run is None:
                session.rollback()
                return False
            point("H1")
            session.commit()
            run_id, state = run.id, run.state
        point("H2")
        try:
            if state == APPROVED:
                self._open(run_id, now)
            self._load(run_id, now)
        except LeaseLost:
            return True
        return True

    def _open(self, run_id: str, now: datetime) -> None:
        # Before the transaction: working out a list may take seconds.
        self._snapshots.make(self._roster(run_id), now)
        with self._factory() as session:
            progress.hold(session, run_id, self._owner, now, self._timing.lease)
            run = service.get_run(session, run_id)
            if progress.refuse_for_embargo(session, run, now):
                session.commit()
                return
            try:
                roster, terms = plans.roster_of(session, run)
            except (RunError, QueryError):
                # A hospital has no program, or left the study since the question was submitted.
                progress.fail(session, run, now)
                session.commit()
                return
            progress.open_run(
                session,
                run,
                roster=roster,
                terms=terms,
                snapshots=self._snapshots.required(session, roster, now),
                now=now,
                deadline=now + self._timing.deadline,
            )
            session.commit()

    def _roster(self, run_id: str) -> list[str]:
        """Who is asked, as far as that is known now; nobody when it cannot be opened."""
        with self._factory() as session:
            read_only(session)
            with suppress(RunError, QueryError):
                roster, _ = plans.roster_of(session, service.get_run(session, run_id))
                return sorted(roster)
        return []

    def _load(self, run_id: str, now: datetime) -> None:
        """Take an open run into memory from what is stored."""
        with self._factory() as session:
            progress.hold(session, run_id, self._owner, now, self._timing.lease)
            run = service.get_run(session, run_id)
            replies = progress.stored_replies(session, run)
            plan, delivery = plans.plan_of(run), run.delivery
            context, deadline = run.context or "", run.deadline or now
            kept = {
                site.site: Kept(site.step, site.message or b"", site.message_expires)
                for site in progress.sites_of(session, run)
                if site.message is not None and site.message_expires is not None
            }
            session.commit()
        # Outside the transaction: working the steps out takes time, and reads other runs.
        driver = progress.rebuild(plan, delivery, replies, self._key, now, self._released)
        messages = {
            site: message
            for site, message in kept.items()
            if site in driver.waiting and message.step == driver.number_of(site)
        }
        self._active[run_id] = Active(run_id, context, driver, deadline, messages, renewed=now)

    def _drive(self, active: Active, now: datetime) -> bool:
        """Carry one run as far as it goes without waiting."""
        happened = False
        while (after := active.driver.advance(now)) == "step":
            happened = True
        if isinstance(after, Outcome):
            return self._finish(active, after, now)
        if now >= active.deadline:
            return self._finish(active, active.driver.at_deadline(), now)
        happened |= self._prepare(active, now)
        happened |= self._send_due(active, now)
        if active.renewed is None or now - active.renewed > self._timing.lease / 4:
            self._renew(active, now)
        return happened

    def _prepare(self, active: Active, now: datetime) -> bool:
        """Sign and keep the messages of a step before the first of them is sent."""
        driver = active.driver
        soon = now + self._timing.resend
        lacking = {
            site
            for site in driver.waiting
            if (kept := active.messages.get(site)) is None
            or kept.step != driver.number_of(site)
            or kept.expires <= soon
        }
        if not lacking:
            return False
        expires = now + self._timing.message
        made = driver.messages(now, self._timing.message)
        fresh = {site: made[site] for site in lacking}
        for site, message in fresh.items():
            active.messages[site] = Kept(driver.number_of(site), message, expires)
            active.due.pop(site, None)
            active.attempts.pop(site, None)
        going = {site for site in fresh if self._snapshot_will_do(active, site, now)}
        with self._factory() as session:
            progress.hold(session, active.run_id, self._owner, now, self._timing.lease)
            progress.record_messages(
                session, active.run_id, driver, fresh, expires, going, now + self._timing.resend
            )
            session.commit()
        active.noted = going
        return True

    def _send_due(self, active: Active, now: datetime) -> bool:
        due = [
            site
            for site in sorted(active.driver.waiting)
            if active.due.get(site, now) <= now and self._snapshot_will_do(active, site, now)
        ]
        for site in due:
            active.attempts[site] = active.attempts.get(site, 0) + 1
            active.due[site] = now + self._timing.resend
            try:
                handle = self._engine.send(site, active.messages[site].message)
            except EngineError as error:
                self._failed(active, site, error.code, now)
                continue
            step = active.messages[site].step
            self._sent[handle] = (active.run_id, active.context, step, site)
        unnoted = set(due) - active.noted
        active.noted = set()
        if unnoted:
            with self._factory() as session:
                progress.hold(session, active.run_id, self._owner, now, self._timing.lease)
                progress.record_sent(session, active.run_id, unnoted, now + self._timing.resend)
                session.commit()
        return bool(due)

    def _snapshot_will_do(self, active: Active, site: str, now: datetime) -> bool:
        if site not in active.ready:
            if not self._snapshots.confirmed(site, active.driver.plan.min_snapshots[site], now):
                return False
            active.ready.add(site)
        return True

    def _renew(self, active: Active, now: datetime) -> None:
        with self._factory() as session:
            progress.hold(session, active.run_id, self._owner, now, self._timing.lease)
            session.commit()
        active.renewed = now

    def _finish(self, active: Active, outcome: Outcome, now: datetime) -> bool:
        if outcome.code == "CONSENT_UNAVAILABLE":
            # The sites say that what they have is too old: new ones before it is asked again.
            self._snapshots.make(sorted(active.driver.plan.roster), now, renew=True)
        with self._factory() as session:
            progress.hold(session, active.run_id, self._owner, now, self._timing.lease)
            run = service.get_run(session, active.run_id)
            if not self._settle(session, run, outcome, now):
                return False
            point("H5")
            session.commit()
        point("H6")
        self.ended += 1
        self._forget(active)
        return True

    def _forget(self, active: Active) -> None:
        """Let go of a run; late replies to it mean nothing any more."""
        self._active.pop(active.run_id, None)
        for handle in [h for h, target in self._sent.items() if target[0] == active.run_id]:
            self._engine.cancel(handle)
            del self._sent[handle]

    def _settle(self, session: Session, run: Run, outcome: Outcome, now: datetime) -> bool:
        """Write what ``outcome`` means for the run. False: it means waiting for an earlier run."""
        if progress.refuse_for_embargo(session, run, now):
            return True
        roster = sorted(run.roster or {})
        if outcome.code == "CONSENT_UNAVAILABLE" and run.restarts == 0:
            snapshots = self._snapshots.required(session, roster, now)
            progress.restart(session, run, snapshots=snapshots, again=run.again, stale=True)
            return True
        if outcome.code == "SMALL_GROUP" and (standing := earlier.standing_result(session, run)):
            progress.hold_back(run, outcome)
            progress.finish_replayed(session, run, standing, now)
            return True
        if outcome.status != "replay":
            progress.finish(session, run, outcome, now)
            return True
        found = earlier.earlier_result(session, run, outcome.replay_of)
        if found is not None and found.outcome is not None:
            progress.finish_replayed(session, run, found, now)
            return True
        if found is not None:
            return False
        if run.again:
            progress.fail(session, run, now)
            return True
        again = self._snapshots.required(session, roster, now)
        progress.restart(session, run, snapshots=again, again=True, stale=False)
        return True
