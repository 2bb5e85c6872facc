"""Driving one run from start to end at once, in memory: for ``oncokring try`` and for tests.

The hub's worker (worker.py) does the same over stored state, so that it survives a crash.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from federation.engines.interface import Engine, Reply
from federation.protocol.errors import ProtocolError
from federation.runs.driver import Outcome
from federation.runs.lanes import Asks

#: Seconds between a failed delivery and the next attempt, and how many attempts at one step.
RETRY_SECONDS = 0.2
ATTEMPTS = 5
#: A site and the step it is asked.
Place = tuple[str, int]


def utc_now() -> datetime:
    return datetime.now(UTC)


def drive(
    driver: Asks,
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
    asked: dict[str, Place] = {}
    attempts: Counter[Place] = Counter()
    while True:
        messages = driver.messages(clock())
        for site, message in messages.items():
            place = (site, driver.number_of(site))
            if place not in attempts:
                attempts[place] = 1
                asked[engine.send(site, message)] = place
        while (after := driver.advance(clock())) is None:
            left = until - time.monotonic()
            if left <= 0:
                _forget(engine, asked)
                return driver.at_deadline()
            for reply in engine.replies(min(left, 1.0)):
                place = asked.pop(reply.handle, ("", -1))
                if place[0] != reply.site or _taken(driver, reply, clock()):
                    continue
                if attempts[place] >= ATTEMPTS:
                    _forget(engine, asked)
                    return driver.at_deadline()
                attempts[place] += 1
                time.sleep(min(RETRY_SECONDS, left))
                asked[engine.send(reply.site, messages[reply.site])] = place
        if after != "step":
            _forget(engine, asked)
            return after


def _taken(driver: Asks, reply: Reply, now: datetime) -> bool:
    if reply.body is None:
        return False
    try:
        driver.receive(reply.site, reply.body, now)
    except ProtocolError:
        return False
    return True


def _forget(engine: Engine, asked: Mapping[str, Place]) -> None:
    for handle in asked:
        engine.cancel(handle)
