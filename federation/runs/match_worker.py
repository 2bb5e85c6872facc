"""The worker's part in private matches: one at a time, carried as runs are, over stored replies.

It may be killed between any two statements. A hospital's reply is stored before the next step, and
a match is rebuilt from its replies; a message that is sent again gets the bytes of the first time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from federation.engines.interface import Engine, EngineError, Reply
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import PublicIdentity, SigningKey
from federation.protocol.match_steps import sha256_of, what_is_asked
from federation.query.codebook import Codebook
from federation.query.terms import Terms
from federation.runs import envelope
from federation.runs.driver import Outcome
from federation.runs.errors import RunError
from federation.runs.faults import point
from federation.runs.in_hand import Timing
from federation.runs.match_driver import MatchDriver, MatchPlan
from federation.runs.match_models import OPEN, WAITING, MatchLease, MatchReply, PrivateMatch
from federation.runs.matching import MOST_RESTARTS, finish, silently
from federation.runs.plans import roster_for
from federation.runs.snapshots import Snapshots
from studies.actor import SYSTEM
from studies.base import new_id
from studies.events import announce
from studies.models import Study

LOOK: Final = timedelta(seconds=2)


@dataclass
class _Hand:
    """The match this worker drives. due: when a site is asked again."""

    match_id: str
    driver: MatchDriver
    deadline: datetime
    due: dict[str, datetime] = field(default_factory=dict)
    held: datetime | None = None


class Matches:
    """Drives private matches; belongs to one worker."""

    def __init__(
        self,
        factory: Callable[[], Session],
        engine: Engine,
        key: SigningKey,
        snapshots: Snapshots,
        timing: Timing,
        owner: str,
    ) -> None:
        self._factory = factory
        self._engine = engine
        self._key = key
        self._snapshots = snapshots
        self._timing = timing
        self._owner = owner
        self._hand: _Hand | None = None
        self._sent: dict[str, tuple[str, int, str]] = {}
        self._looked: datetime | None = None

    @property
    def busy(self) -> bool:
        """Whether a match is in hand."""
        return self._hand is not None

    def forget(self) -> None:
        """Let go of what is in memory; what is stored stays."""
        self._hand = None
        for handle in self._sent:
            self._engine.cancel(handle)
        self._sent.clear()

    def take(self, reply: Reply, now: datetime) -> bool:
        """Whether ``reply`` answers a message of a match; then it is checked and stored."""
        target = self._sent.pop(reply.handle, None)
        if target is None:
            return False
        hand = self._hand
        run, step, site = target
        if hand is None or (run, step) != (hand.driver.plan.run_id, hand.driver.number):
            return True
        try:
            if reply.body is None or reply.site != site:
                raise ProtocolError("BAD_REPLY")
            hand.driver.receive(site, reply.body, now)
        except ProtocolError:
            hand.due[site] = now + self._timing.back_off
            return True
        with self._factory() as session:
            if not self._held(session, hand.match_id, now):
                self.forget()
                return True
            session.add(
                MatchReply(
                    match_id=hand.match_id, context=run, step=step, site=site, body=reply.body
                )
            )
            point("H3")
            session.commit()
        return True

    def step(self, now: datetime) -> bool:
        """Carry the match in hand as far as it goes without waiting, or take one up."""
        if self._hand is None and not self._take_up(now):
            return False
        hand = self._hand
        if hand is None:
            return True
        happened = False
        while (after := hand.driver.advance(now)) == "step":
            hand.due.clear()
            happened = True
        if not isinstance(after, Outcome) and now >= hand.deadline:
            after = hand.driver.at_deadline()
        if isinstance(after, Outcome):
            self._end(hand, after, now)
            return True
        return self._send(hand, now) or happened

    def _take_up(self, now: datetime) -> bool:
        if self._looked is not None and timedelta(0) <= now - self._looked < LOOK:
            return False
        self._looked = now
        match_id = self._claim(now)
        if match_id is None:
            return False
        with self._factory() as session:
            row = session.get_one(PrivateMatch, match_id)
            state, sites = row.state, list(row.sites)
        if state == WAITING:
            self._snapshots.make(sites, now)  # outside a transaction: it may take seconds
            with self._factory() as session:
                self._open(session, session.get_one(PrivateMatch, match_id), now)
                session.commit()
        self._load(match_id, now)
        return True

    def _claim(self, now: datetime) -> str | None:
        free = or_(MatchLease.until.is_(None), MatchLease.until < now)
        mine = MatchLease.owner == self._owner
        with self._factory() as session:
            waiting = session.scalars(
                select(PrivateMatch.id)
                .join(MatchLease, MatchLease.match_id == PrivateMatch.id)
                .where(PrivateMatch.state.in_((WAITING, OPEN)), or_(free, mine))
                .order_by(PrivateMatch.asked_at, PrivateMatch.id)
            ).first()
            if waiting is None or not self._held(session, waiting, now, or_(free, mine)):
                return None
            session.commit()
            return waiting

    def _held(self, session: Session, match_id: str, now: datetime, who: Any = None) -> bool:
        """Renew the lease; False when another worker has it."""
        taken = session.execute(
            update(MatchLease)
            .where(
                MatchLease.match_id == match_id,
                MatchLease.owner == self._owner if who is None else who,
            )
            .values(owner=self._owner, until=now + self._timing.lease)
            .execution_options(synchronize_session=False)
        )
        return bool(taken.rowcount == 1)  # type: ignore[attr-defined]

    def _open(self, session: Session, row: PrivateMatch, now: datetime) -> None:
        try:
            roster, terms = roster_for(session, row.sites, row.study)
        except RunError as error:
            finish(session, row, now, pairs=None, code=error.code)
            return
        plan = {
            "codebook": session.get_one(Study, row.study).codebook,
            "roster": {site: identity.to_dict() for site, identity in roster.items()},
            "terms": terms.to_dict(),
            "min_snapshots": self._snapshots.required(session, roster, now),
            "approval": {
                "by": row.approved_by,
                "at": envelope.iso(row.asked_at),
                "query_sha256": sha256_of(what_is_asked(row.study, roster)),
            },
        }
        row.context, row.deadline = new_id(), now + self._timing.deadline
        row.plan, row.state = plan, OPEN
        if not silently(session, row):
            announce(
                session,
                actor=SYSTEM,
                action="match.opened",
                about=f"match:{row.id}",
                facts={"study": row.study, "run": row.context},
            )

    def _load(self, match_id: str, now: datetime) -> None:
        """Take a match into memory from what is stored."""
        with self._factory() as session:
            row = session.get_one(PrivateMatch, match_id)
            if row.state != OPEN or row.plan is None or row.deadline is None:
                return
            driver = MatchDriver(_plan(row, row.plan), self._key)
            kept = session.execute(
                select(MatchReply.step, MatchReply.site, MatchReply.body)
                .where(MatchReply.match_id == row.id, MatchReply.context == row.context)
                .order_by(MatchReply.step, MatchReply.site)
            ).all()
            deadline = row.deadline
        for step, site, body in kept:
            while driver.number < step and driver.advance(now) == "step":
                pass
            driver.receive(site, body, None)
        self._hand = _Hand(match_id, driver, deadline)

    def _send(self, hand: _Hand, now: datetime) -> bool:
        plan = hand.driver.plan
        due = [
            site
            for site in sorted(hand.driver.waiting)
            if hand.due.get(site, now) <= now
            and self._snapshots.confirmed(site, plan.min_snapshots[site], now)
        ]
        if hand.held is None or now - hand.held > self._timing.lease / 4:
            with self._factory() as session:
                if not self._held(session, hand.match_id, now):
                    self.forget()
                    return True
                session.commit()
            hand.held = now
        messages = hand.driver.messages(now, self._timing.message) if due else {}
        for site in due:
            hand.due[site] = now + self._timing.resend
            try:
                handle = self._engine.send(site, messages[site])
            except EngineError:
                continue
            self._sent[handle] = (plan.run_id, hand.driver.number, site)
        return bool(due)

    def _end(self, hand: _Hand, outcome: Outcome, now: datetime) -> None:
        if outcome.code == "CONSENT_UNAVAILABLE":
            # The sites say that what they have is too old: new lists before it is asked again.
            self._snapshots.make(sorted(hand.driver.plan.roster), now, renew=True)
        with self._factory() as session:
            if self._held(session, hand.match_id, now):
                row = session.get_one(PrivateMatch, hand.match_id)
                session.execute(delete(MatchReply).where(MatchReply.match_id == row.id))
                if outcome.code == "CONSENT_UNAVAILABLE" and row.restarts < MOST_RESTARTS:
                    self._again(session, row)
                else:
                    pairs = outcome.envelope.get("pairs")
                    finish(session, row, now, pairs=pairs, code=outcome.code)
                point("H5")
                session.commit()
        self.forget()
        self._looked = None

    def _again(self, session: Session, row: PrivateMatch) -> None:
        row.state, row.context, row.plan, row.deadline = WAITING, None, None, None
        row.restarts += 1
        if not silently(session, row):
            announce(
                session,
                actor=SYSTEM,
                action="match.restarted",
                about=f"match:{row.id}",
                facts={"study": row.study},
            )


def _plan(row: PrivateMatch, kept: Mapping[str, Any]) -> MatchPlan:
    return MatchPlan(
        run_id=row.context or "",
        study=row.study,
        codebook=Codebook.from_dict(kept["codebook"]),
        roster={s: PublicIdentity(s, k["sign"], k["box"]) for s, k in kept["roster"].items()},
        terms=Terms.from_dict(kept["terms"]),
        min_snapshots={site: int(seq) for site, seq in kept["min_snapshots"].items()},
        approval=kept["approval"],
    )
