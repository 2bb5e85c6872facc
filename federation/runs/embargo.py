"""Until a round is released nobody sees its runs: one rule, for every reader there is and will be.

A run of a round that is not released does not exist for whoever reads the database: every query
for `Run` through a session leaves it out (federation/runs/models.py), in pages, API, lists, counts,
commands, mail and search alike. Who must see it (the worker, the release) says so with `seeing`. So
a reader that somebody adds tomorrow sees nothing before it is time.

Nor can anybody else ask the same and be told early. While a round is not released a question is
refused with UNDER_EMBARGO when it has the same heart (`heart_of`: what is counted, of whom; not by
whom, of which hospitals, in which study or under which title), and when it tells the same numbers
by another heart (federation/runs/same_numbers.py: another norm, kind, formula or quarter of the
same measure, of the same rows and hospitals, in months that overlap).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from federation.methods.registry import parse
from federation.query.canonical import sha256_hex
from federation.query.codebook import Codebook
from federation.query.model import Query
from federation.runs.models import SEEING, Run, RunEmbargo
from federation.runs.same_numbers import Asked, Held
from federation.runs.states import CANCELLED, COMPLETE
from studies.events import account_later
from studies.reading import open_sites

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


def asked_by(
    session: Session, query: Query, codebook: Codebook, sites: Collection[str] = ()
) -> Asked:
    """The question with the hospitals that it goes to: ``sites``, or those that it names, or those
    that are open in its study."""
    given = query.sites if query.sites != "all" else open_sites(session, query.study)
    return Asked(query, codebook, frozenset(sites or given))


def under_embargo(
    session: Session, query: Query, codebook: Codebook, sites: Collection[str] = ()
) -> bool:
    """Whether a round that is not released asks this, or is told something of by it."""
    return bool(holding(session, [query], [asked_by(session, query, codebook, sites)]))


def holding(
    session: Session, queries: Iterable[Query], asked: Iterable[Asked], of: str = ""
) -> set[str]:
    """The rounds, not released and other than ``of``, that hold one of these queries by its heart,
    or what one of these questions tells."""
    standing = select(RunEmbargo.round_id).where(
        RunEmbargo.lifted_at.is_(None), RunEmbargo.round_id != of
    )
    hearts = {heart_of(query) for query in queries}
    found = set(session.scalars(standing.where(RunEmbargo.heart.in_(hearts))))
    held = standing.add_columns(RunEmbargo.about).where(RunEmbargo.about.is_not(None))
    questions = list(asked)
    for round_id, about in session.execute(held):
        if round_id not in found:
            kept = Held.from_dict(about)
            if any(question.tells(kept) for question in questions):
                found.add(round_id)
    return found


def keep_back(
    session: Session,
    round_id: str,
    queries: Iterable[Query],
    asked: Iterable[Asked],
    now: datetime,
) -> None:
    """From now on nobody is told what these questions give, until `lift`; of those in ``asked``
    neither by another heart. What is there stays, and what was told of earlier months is told."""
    known = set(session.scalars(select(RunEmbargo.heart).where(RunEmbargo.round_id == round_id)))
    told = [
        Held.from_dict(about)
        for about in session.scalars(
            select(RunEmbargo.about).where(
                RunEmbargo.lifted_at.is_not(None), RunEmbargo.about.is_not(None)
            )
        )
    ]
    about = {heart_of(each.query): each.held().without_told(told).to_dict() for each in asked}
    for heart in sorted({heart_of(query) for query in queries} - known):
        row = RunEmbargo(round_id=round_id, heart=heart, since=now, about=about.get(heart))
        session.add(row)
    session.flush()


def free(session: Session, round_id: str, now: datetime) -> None:
    """What the round asks may be asked by others again; nobody was told it. Its runs stay where
    nobody sees them."""
    for row in _standing(session, round_id):
        row.lifted_at, row.about = now, None
    session.flush()


def lift(session: Session, round_id: str, now: datetime) -> None:
    """The round is released: its hearts are free, its runs are there for readers. Those that were
    given up on the way hold nothing and stay unseen."""
    with looking_under(session):
        runs = session.scalars(select(Run).where(Run.round_id == round_id, Run.state == COMPLETE))
        told = {heart_of(parse(run.query, Codebook.from_dict(run.codebook))) for run in runs}
    for row in _standing(session, round_id):
        row.lifted_at = now
        # Kept of what was told only, so that a later round knows what is new (Held.without_told).
        row.about = row.about if row.heart in told else None
    session.flush()
    session.execute(
        update(Run)
        .where(Run.round_id == round_id, Run.embargoed.is_(True), Run.state != CANCELLED)
        .values(embargoed=False)
        .execution_options(synchronize_session=False)
    )


def _standing(session: Session, round_id: str) -> list[RunEmbargo]:
    rows = select(RunEmbargo).where(RunEmbargo.round_id == round_id, RunEmbargo.lifted_at.is_(None))
    return list(session.scalars(rows))


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
