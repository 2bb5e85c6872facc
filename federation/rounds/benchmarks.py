"""Figures of others beside our own: imported whole, shown with source and date, never mixed in.

A benchmark is no hospital and no target. It stands beside a round's result outside the locked
snapshot, so that a later publication changes no meeting's paper.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from federation.indicators.asking import Period
from federation.indicators.catalogue import shipped
from federation.indicators.definition import Indicator
from federation.rounds import benchmark_csv
from federation.rounds.benchmark_models import BenchmarkFile, BenchmarkRow, BenchmarkWithdrawal
from federation.rounds.errors import RoundError
from studies.actor import Actor
from studies.events import announce
from studies.free_text import check_day, one_line
from studies.models import Network

MAX_SOURCE = 200
MAX_REASON = 300
KEEPERS = frozenset({"coordinator", "administrator"})


@dataclass(frozen=True)
class Reference:
    """One figure beside a result. `same_period`: it is about the very months of the round."""

    indicator: str
    region: str
    period: Period
    n: int | None
    observed: int | None
    value: float
    low: float | None
    high: float | None
    source: str
    link: str
    published: date
    same_period: bool


def import_file(
    session: Session,
    network: str,
    body: bytes,
    *,
    source: str,
    published: date,
    link: str = "",
    actor: Actor,
    now: datetime,
    known: Collection[Indicator] = (),
) -> BenchmarkFile:
    """Keep the figures of a file; `known`: indicators of groups beside those that are shipped.

    The same file again is the first one. Raises RoundError NOT_ALLOWED_HERE, NETWORK_NOT_FOUND,
    BAD_BENCHMARK (with line and column; nothing is kept), BENCHMARK_WITHDRAWN for a file that was
    taken back, or StudiesError for a source that cannot be shown.
    """
    _check_keeper(actor)
    if session.get(Network, network) is None:
        raise RoundError("NETWORK_NOT_FOUND")
    named = one_line(source, MAX_SOURCE, now)
    check_day(published)
    if published > now.date():
        raise RoundError("BAD_BENCHMARK", "the day of publication lies in the future")
    if link and not (
        link.startswith("https://") and len(link) <= MAX_REASON and link.isprintable()
    ):
        raise RoundError("BAD_BENCHMARK", "the link must begin with https://")
    sha256 = hashlib.sha256(body).hexdigest()
    same = session.scalar(
        select(BenchmarkFile).where(
            BenchmarkFile.network == network, BenchmarkFile.sha256 == sha256
        )
    )
    if same is not None:
        if session.get(BenchmarkWithdrawal, same.id) is not None:
            raise RoundError("BENCHMARK_WITHDRAWN")
        return same
    indicators = {**shipped(), **{each.id: each for each in known}}
    figures = benchmark_csv.read(body, indicators)
    made = BenchmarkFile(
        network=network,
        source=named,
        link=link,
        published=published,
        sha256=sha256,
        imported_by=actor.id,
        imported_at=now,
        rows=[BenchmarkRow(**vars(figure)) for figure in figures],
    )
    session.add(made)
    session.flush()
    _announce(session, actor, "benchmark.imported", made, sha256=sha256, rows=len(figures))
    return made


def withdraw(
    session: Session, file_id: str, *, reason: str, actor: Actor, now: datetime
) -> BenchmarkFile:
    """Show the figures of a file nowhere any more. Raises RoundError NOT_ALLOWED_HERE,
    BENCHMARK_NOT_FOUND, BENCHMARK_WITHDRAWN, or StudiesError for the reason."""
    _check_keeper(actor)
    found = session.get(BenchmarkFile, file_id)
    if found is None:
        raise RoundError("BENCHMARK_NOT_FOUND")
    if session.get(BenchmarkWithdrawal, file_id) is not None:
        raise RoundError("BENCHMARK_WITHDRAWN")
    words = one_line(reason, MAX_REASON, now)
    session.add(BenchmarkWithdrawal(file_id=file_id, reason=words, by=actor.id, at=now))
    session.flush()
    _announce(session, actor, "benchmark.withdrawn", found, reason=words)
    return found


def files(session: Session, network: str) -> list[tuple[BenchmarkFile, BenchmarkWithdrawal | None]]:
    """All files of a network, the newest publication first, with why one was taken back."""
    rows = session.execute(
        select(BenchmarkFile, BenchmarkWithdrawal)
        .outerjoin(BenchmarkWithdrawal, BenchmarkWithdrawal.file_id == BenchmarkFile.id)
        .where(BenchmarkFile.network == network)
        .order_by(BenchmarkFile.published.desc(), BenchmarkFile.imported_at.desc())
    )
    return [(file, gone) for file, gone in rows]


def beside(session: Session, network: str, indicator: str, period: Period) -> list[Reference]:
    """What to show beside a result of this indicator and period: of each source and region the
    figure of the same months, or else the newest that ended before the period did."""
    rows = session.execute(
        select(BenchmarkRow, BenchmarkFile)
        .join(BenchmarkFile, BenchmarkFile.id == BenchmarkRow.file_id)
        .where(
            BenchmarkFile.network == network,
            BenchmarkRow.indicator == indicator,
            BenchmarkRow.last <= period.last,
            BenchmarkFile.id.not_in(select(BenchmarkWithdrawal.file_id)),
        )
        .order_by(BenchmarkRow.last, BenchmarkFile.published, BenchmarkFile.imported_at)
    ).all()
    best: dict[tuple[str, str], Reference] = {}
    for row, file in rows:
        own = Period(row.first, row.last)
        found = Reference(
            indicator=indicator,
            region=row.region,
            period=own,
            n=row.n,
            observed=row.observed,
            value=row.value,
            low=row.low,
            high=row.high,
            source=file.source,
            link=file.link,
            published=file.published,
            same_period=own == period,
        )
        before = best.get((file.source, row.region))
        if before is None or found.same_period or not before.same_period:
            best[file.source, row.region] = found
    return sorted(best.values(), key=lambda each: (each.source, each.region))


def _check_keeper(actor: Actor) -> None:
    if actor.kind == "user" and not actor.roles & KEEPERS:
        raise RoundError("NOT_ALLOWED_HERE")


def _announce(
    session: Session, actor: Actor, action: str, file: BenchmarkFile, **facts: str | int
) -> None:
    announce(
        session,
        actor=actor,
        action=action,
        about=f"benchmark:{file.id}",
        facts={"network": file.network, "source": file.source, **facts},
    )
