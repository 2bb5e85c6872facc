"""The hub's worker as a program: engine and key from the settings, work until told to stop.

What goes wrong in one step (a database that is away, a bug) is logged as a code and tried again
after a growing pause; after :data:`MAX_FAILURES` in a row the program ends with an error, so that
whatever started it can start it afresh.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from consent import reporting
from consent.alarms import raise_alarm
from consent.verifying import look_whole
from federation.engines.embedded import EmbeddedEngine
from federation.engines.interface import Engine
from federation.protocol.keys import SigningKey
from federation.rounds.tick import tick
from federation.runs import feasibility
from federation.runs import service as runs
from federation.runs.worker import Worker
from registry.accounts.sign_in import sweep
from registry.database import SessionFactory, utc_now
from registry.forms.answers import forget_old
from registry.health import Heartbeat, beat
from registry.settings import Settings, SettingsError
from registry.site_links import LOOK_EVERY, ListeningEngine, look
from registry.transaction import reading, unit_of_work
from registry.vantage6.engine import open_engine
from studies.actor import SYSTEM
from studies.service import list_networks

log = logging.getLogger("oncokring.worker")
WAIT_S = 0.2
MAX_FAILURES = 20
LONGEST_PAUSE_S = 30.0
ROUNDS_EVERY = timedelta(milliseconds=300)
IDEAS_EVERY = timedelta(seconds=2)
TIDY_EVERY = timedelta(minutes=10)
BEAT_EVERY = timedelta(seconds=30)
CHECK_LOG_EVERY = timedelta(hours=24)
LOG_CHECK = "log_check"


def site_directories(folder: Path) -> dict[str, Path]:
    """Each directory in ``folder`` that is a site's, by slug."""
    return {path.parent.name: path.parent for path in sorted(folder.glob("*/site.toml"))}


def make_engine(settings: Settings, factory: SessionFactory) -> Engine:
    """The engine that the settings name; SettingsError when it cannot work."""
    if settings.engine == "vantage6" and settings.vantage6 is not None:
        return open_engine(settings.vantage6, factory)
    if settings.engine == "embedded":
        found = site_directories(settings.sites_directory)
        if not found:
            raise SettingsError(
                f"There is no site directory in {settings.sites_directory}. Make one with "
                "'oncokring site init', or set ONCOKRING_SITES to where they are."
            )
        return EmbeddedEngine(found)
    raise SettingsError(
        "ONCOKRING_ENGINE=none is for a hub without hospitals, so there is nothing to carry. Set "
        "it to embedded or vantage6."
    )


def run(
    factory: SessionFactory,
    engine: Engine,
    key: SigningKey,
    stop: threading.Event,
    *,
    clock: Callable[[], datetime] = utc_now,
    pause: Callable[[float], object] | None = None,
    name: str = "embedded",
) -> None:
    """Work until ``stop`` is set. Raises the last error after MAX_FAILURES in a row. ``name`` is
    what the pages call the engine."""
    listening = ListeningEngine(engine)
    worker = Worker(factory, listening, key)
    wait = stop.wait if pause is None else pause
    failures, ended, moved = 0, 0, False
    tidied = beaten = looked = ticked = told = datetime.min.replace(tzinfo=clock().tzinfo)
    while not stop.is_set():
        now = clock()
        try:
            # Whatever happened may have left something that can be done at once.
            moved = worker.step(now, wait=0.0 if moved else WAIT_S)
            if worker.ended != ended or now - ticked >= ROUNDS_EVERY:
                # A round that waited for an answer asks on.
                moved |= drive_rounds(factory, now)
                ticked, ended = now, worker.ended
            if now - told >= IDEAS_EVERY:
                tell_groups(factory, now)
                told = now
            if now - tidied >= TIDY_EVERY:
                tidy(factory, now)
                tidied = now
            if now - beaten >= BEAT_EVERY:
                beat(factory, "worker", now)
                beaten = now
            if now - looked >= LOOK_EVERY:
                look(factory, listening, name, now)
                looked = now
        except Exception as error:
            failures, moved = failures + 1, False
            # The type only: a message could repeat what a hospital or a patient sent.
            log.error("%s, failure %d in a row", type(error).__name__, failures)
            if failures >= MAX_FAILURES:
                raise
            if not isinstance(error, SQLAlchemyError):
                log.error("at %s", _place(error))
            wait(min(0.5 * 2.0 ** (failures - 1), LONGEST_PAUSE_S))
        else:
            failures = 0


def drive_rounds(factory: SessionFactory, now: datetime) -> bool:
    """Bring evaluation rounds on: put their questions, and release them at their moment."""
    return tick(partial(reading, factory), partial(unit_of_work, factory, SYSTEM), now)


def tell_groups(factory: SessionFactory, now: datetime) -> bool:
    """Release to the working groups what hospitals counted for their ideas; whether there was
    something."""
    with reading(factory) as session:
        if not feasibility.waits(session):
            return False
    with unit_of_work(factory, SYSTEM) as session:
        return bool(feasibility.take_in(session, now))


def tidy(factory: SessionFactory, now: datetime) -> None:
    """End questions nobody decided on, forget old sessions and drafts; once a day check the log."""
    with factory() as session:
        runs.expire_undecided(session, now)
        sweep(session, now)
        forget_old(session, now)
        reporting.forget_old(session, now)
        session.commit()
        last = session.get(Heartbeat, LOG_CHECK)
    if last is None or now - last.at >= CHECK_LOG_EVERY:
        check_log(factory, now)
        beat(factory, LOG_CHECK, now)


def check_log(factory: SessionFactory, now: datetime) -> None:
    """Recompute the log of choices of every network; raise an alarm for what does not hold.

    The looking is a reading transaction, so that patients can go on while it lasts.
    """
    with reading(factory) as session:
        found = {each.slug: look_whole(session, each.slug)[1] for each in list_networks(session)}
    with unit_of_work(factory, SYSTEM) as session:
        for network, faults in found.items():
            for fault in faults:
                raise_alarm(session, network, fault.kind, fault.facts, now)


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "unknown"
    return f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"
