"""Until a round is released nobody sees its runs: one rule, for every reader there is and will be.

A run of a round that is not released does not exist for whoever reads the database: every query
for `Run` through a session leaves it out (federation/runs/models.py), in pages, API, lists, counts,
commands, mail and search alike. Who must see it (the worker, the release) says so with `seeing`. So
a reader that somebody adds tomorrow sees nothing before it is time.

Nor can anybody else ask the same and be told early: while a round is not released, a question with
the same heart (`heart_of`: what is counted, of whom; not by whom, of which hospitals, in which
study or under which title) is refused with UNDER_EMBARGO.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from federation.query.canonical import sha256_hex
from federation.query.model import Query
from federation.runs.models import SEEING, Run, RunEmbargo
from federation.runs.states import CANCELLED
from studies.events import account_later

#: What does not change which patients and which numbers an answer is about.
_BESIDE: Final = ("version", "study", "title", "purpose", "sites", "output")


def seeing(session: Session) -> Session:
    """The same session, which sees runs under embargo too. For the worker and the release only."""
    session.info[SEEING] = True
    return session


@contextmanager
def looking_under(session: Session) -> Iterator[None]:
    """See runs under embargo for as long as the block lasts."""
    before = session.info.get(SEEING, False)
    session.info[SEEING] = True
    try:
        yield
    finally:
        session.info[SEEING] = before


def seeing_all(factory: Callable[[], Session]) -> Callable[[], Session]:
    """A factory of sessions that see runs under embargo."""
    return lambda: seeing(factory())


def heart_of(query: Query) -> str:
    """A hash of what a question counts and of whom, whoever asks it, of whichever hospitals."""
    asked = {name: part for name, part in query.to_dict().items() if name not in _BESIDE}
    meant = query.cohort.to_dict() if query.cohort_meaning is None else query.cohort_meaning
    return sha256_hex({**asked, "cohort": meant})


def under_embargo(session: Session, query: Query) -> bool:
    """Whether a round that is not released asks this."""
    wanted = select(RunEmbargo.id).where(
        RunEmbargo.heart == heart_of(query), RunEmbargo.lifted_at.is_(None)
    )
    return session.scalar(wanted.limit(1)) is not None


def keep_back(session: Session, round_id: str, queries: Iterable[Query], now: datetime) -> None:
    """From now on nobody is told what these questions give, until `lift`. What is there stays."""
    known = set(session.scalars(select(RunEmbargo.heart).where(RunEmbargo.round_id == round_id)))
    for heart in sorted({heart_of(query) for query in queries} - known):
        session.add(RunEmbargo(round_id=round_id, heart=heart, since=now))
    session.flush()


def free(session: Session, round_id: str, now: datetime) -> None:
    """What the round asks may be asked by others again. Its runs stay where nobody sees them."""
    session.execute(
        update(RunEmbargo)
        .where(RunEmbargo.round_id == round_id, RunEmbargo.lifted_at.is_(None))
        .values(lifted_at=now)
        .execution_options(synchronize_session=False)
    )


def lift(session: Session, round_id: str, now: datetime) -> None:
    """The round is released: its hearts are free, its runs are there for readers. Those that were
    given up on the way hold nothing and stay unseen."""
    free(session, round_id, now)
    session.execute(
        update(Run)
        .where(Run.round_id == round_id, Run.embargoed.is_(True), Run.state != CANCELLED)
        .values(embargoed=False)
        .execution_options(synchronize_session=False)
    )


def silently(session: Session, run: Run) -> bool:
    """Whether what happens to the run is told at the release only: then it is accounted for later,
    by the line that the release writes for it with the hash of what it gave."""
    if run.embargoed:
        account_later(session, "run")
    return run.embargoed


def held_facts(run: Run) -> Mapping[str, Any]:
    """What the line at the release holds of a run that nobody was told of."""
    return {
        "round": run.round_id,
        "query_sha256": run.query_sha256,
        "approved_by": run.decided_by,
        "code": run.code,
        "outcome_sha256": None if run.outcome is None else sha256_hex(run.outcome),
    }
