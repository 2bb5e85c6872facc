"""Whose turn it is: which questions of which rounds may be put now, and which rounds can go on.

Only looks. The worker comes by often, and most rounds wait for something: so all of them are looked
at together, and nothing of a plan is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from federation.rounds import states
from federation.rounds.models import EvaluationRound, RoundPart, RoundQuestion
from federation.runs import planned
from federation.runs.models import Run
from federation.runs.states import FINAL
from studies.reading import open_sites

OPEN: Final = (states.WAITING, states.ASKED)
#: In which order the roles of an indicator are asked: what matters most first, because a hospital
#: may refuse what is too near to what it answered before.
_FIRST: Final = ("main", "pooled", "trend", "excluded")


@dataclass(frozen=True)
class Batch:
    """How many runs of rounds may be under way at once, well below federation.runs.service.LIMITS:
    people's own questions must not wait behind a night of rounds.

    Of one round one at a time is in its look: a hospital hides more beside a question about the
    same patients that it has only looked at, and begins anew what it looked at before it answered
    another. From when numbers are asked on it counts among the answers, and the next may follow.
    """

    per_round: int = 6
    in_all: int = 48
    looking: int = 1


BATCH: Final = Batch()


def room(under_way: Mapping[str, planned.UnderWay], round_id: str, batch: Batch) -> int:
    """How many more runs of a round may be put now."""
    mine = under_way.get(round_id, planned.UnderWay())
    return min(
        batch.looking - mine.looking,
        batch.per_round - mine.all,
        batch.in_all - sum(each.all for each in under_way.values()),
    )


def turn(open_: Iterable[RoundQuestion]) -> list[RoundQuestion]:
    """The waiting questions that may be put now: those of the first role of which one still waits,
    in the order of the plan."""
    waiting = [each for each in open_ if each.state == states.WAITING]
    first = min(map(_place, waiting), default=0)
    return [each for each in waiting if _place(each) == first]


def _place(question: RoundQuestion) -> int:
    """When the role of a question has its turn; strata come last."""
    return _FIRST.index(question.role) if question.role in _FIRST else len(_FIRST)


def stirring(
    session: Session, rows: Sequence[EvaluationRound], now: datetime, batch: Batch = BATCH
) -> set[str]:
    """The rounds, by id, of which ``drive`` has something to do; only looks, a few times for all of
    them together. Needs a seeing session."""
    ids = [row.id for row in rows]
    if not ids:
        return set()
    under_way = planned.under_way(session)
    questions: dict[str, list[tuple[str, str | None]]] = defaultdict(list)
    asked = (
        select(RoundQuestion.round_id, RoundQuestion.state, Run.state)
        .outerjoin(Run, Run.id == RoundQuestion.run_id)
        .where(RoundQuestion.round_id.in_(ids), RoundQuestion.state.in_(OPEN))
    )
    for round_id, state, run in session.execute(asked):
        questions[round_id].append((state, run))
    return {
        row.id
        for row, gone in zip(rows, _left(session, rows, now), strict=True)
        if gone
        or any(state == states.ASKED and run in FINAL for state, run in questions[row.id])
        or (
            room(under_way, row.id, batch) > 0
            and any(state == states.WAITING for state, _ in questions[row.id])
        )
        or bool(questions[row.id]) != (row.state == states.RUNNING)
    }


def _left(session: Session, rows: Sequence[EvaluationRound], now: datetime) -> list[bool]:
    """Of each round whether a hospital that is in it takes part no longer."""
    taking_part = {row.study: set(open_sites(session, row.study, now)) for row in rows}
    there: dict[str, set[str]] = defaultdict(set)
    found = select(RoundPart.round_id, RoundPart.site).where(
        RoundPart.round_id.in_([row.id for row in rows]), RoundPart.state != states.LEFT
    )
    for round_id, site in session.execute(found):
        there[round_id].add(site)
    return [bool(there[row.id] - taking_part[row.study]) for row in rows]
