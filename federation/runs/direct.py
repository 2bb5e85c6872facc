"""Driving one run from start to end at once, in memory: for ``oncokring try`` and for tests.

The hub's worker (worker.py) does the same over stored state, so that it survives a crash.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from federation.engines.interface import Engine, Reply
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import SigningKey
from federation.runs import envelope
from federation.runs.driver import Driver, Outcome, RunPlan
from federation.runs.lanes import lane_plans, with_lanes

#: Seconds between a failed delivery and the next attempt, and how many attempts at one step.
RETRY_SECONDS = 0.2
ATTEMPTS = 5


def utc_now() -> datetime:
    return datetime.now(UTC)


def drive(
    driver: Driver,
    engine: Engine,
    *,
    seconds: float,
    clock: Callable[[], datetime] = utc_now,
) -> Outcome:
    """Ask until there is an outcome.

    A site that does not answer, or answers with bytes that are not its own reply to this step, is
    asked again, at most five times a step and until ``seconds`` are over; then the outcome is
    ``insufficient``: masks vanish only when every site of the roster has answered, so nothing can
    be released.
    """
    until = time.monotonic() + seconds
    while True:
        messages = driver.messages(clock())
        attempts = Counter(messages.keys())
        asked = {engine.send(site, message): site for site, message in messages.items()}
        while (after := driver.advance(clock())) is None:
            left = until - time.monotonic()
            if left <= 0:
                _forget(engine, asked)
                return insufficient(driver)
            for reply in engine.replies(min(left, 1.0)):
                if asked.pop(reply.handle, None) is None or _taken(driver, reply, clock()):
                    continue
                if attempts[reply.site] >= ATTEMPTS:
                    _forget(engine, asked)
                    return insufficient(driver)
                attempts[reply.site] += 1
                time.sleep(min(RETRY_SECONDS, left))
                asked[engine.send(reply.site, messages[reply.site])] = reply.site
        _forget(engine, asked)
        if after != "step":
            return after


def drive_plan(
    plan: RunPlan,
    engine: Engine,
    hub_key: SigningKey,
    *,
    seconds: float,
    clock: Callable[[], datetime] = utc_now,
) -> Outcome:
    """``drive`` for a whole plan, with the results per hospital when the query asks for them."""
    pooled = drive(Driver(plan, hub_key), engine, seconds=seconds, clock=clock)
    if pooled.status != "complete" or not (plans := lane_plans(plan)):
        return pooled
    own = {
        site: drive(Driver(lane, hub_key), engine, seconds=seconds, clock=clock)
        for site, lane in plans.items()
    }
    return replace(pooled, envelope=with_lanes(pooled.envelope, own))


def insufficient(driver: Driver) -> Outcome:
    """The outcome when the deadline passed while sites were silent: they are named, since silence
    says nothing about patients."""
    plan = driver.plan
    report = envelope.site_report(
        len(plan.roster), len(plan.roster) - len(driver.waiting), silent=sorted(driver.waiting)
    )
    code = "SITE_UNREACHABLE"
    return Outcome(
        "insufficient",
        envelope.withheld(plan.run_id, "insufficient", code, plan.query, sites=report),
        code=code,
    )


def _taken(driver: Driver, reply: Reply, now: datetime) -> bool:
    if reply.body is None:
        return False
    try:
        driver.receive(reply.site, reply.body, now)
    except ProtocolError:
        return False
    return True


def _forget(engine: Engine, asked: dict[str, str]) -> None:
    for handle in asked:
        engine.cancel(handle)
