"""A night of evaluation rounds: sixteen groups, twenty indicators each, ten running hospitals.

The rounds of all groups begin at the same moment, as after the end of a quarter, and the hub's
worker puts their questions in its own batches. Every question goes the whole way: the frozen plan,
consent, the hospital's rules, its ledger. What is refused counts as done, and is told.
"""

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select

from federation.indicators.catalogue import shipped
from federation.indicators.definition import Indicator
from federation.rounds import planning, reading
from federation.rounds.models import EvaluationRound, RoundQuestion
from federation.rounds.plan import Wish
from federation.rounds.states import RELEASED
from federation.runs.embargo import seeing
from federation.runs.models import Run
from registry.bench.processes import computing
from registry.demo.oncology.study import QUALITY
from registry.demo.report import run_demo
from registry.demo.running import RunningDemo
from registry.transaction import unit_of_work
from studies.seeds.oncozon import GROUPS, INSTITUTIONS, ONCOZON

INDICATORS: Final = 20
#: The tumours that the synthetic patients have: a group asks of one kind in one year, no two of the
#: same patients.
_KINDS: Final = ("C50", "C18", "C20", "C34", "C61", "C44", "C67")
_MOST_CONDITIONS: Final = 6
_POLL: Final = 0.5


def measure(patients: int, groups: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Hold every group's round at once; how long the night took and what came of it."""
    with tempfile.TemporaryDirectory(prefix="oncokring-night-") as name:
        with run_demo(Path(name), say, second_patients=patients) as running:
            planned = time.monotonic()
            rounds = _plan(running, groups, say)
            planning_seconds = time.monotonic() - planned
            return {
                "groups": groups,
                "indicators": INDICATORS,
                "hospitals": len(INSTITUTIONS),
                "patients": patients,
                "planning_seconds": round(planning_seconds, 1),
                **_wait(running, rounds, say),
            }


def definitions(group: int) -> list[Mapping[str, Any]]:
    """Twenty of the shipped indicators, about the tumours of one group: its kind, in its year."""
    made: list[Mapping[str, Any]] = []
    for each in shipped().values():
        # A questionnaire is of a patient, who may have several tumours.
        if _conditions(each) > _MOST_CONDITIONS or each.unit == "prom" or len(made) == INDICATORS:
            continue
        given = each.to_dict()
        mine = {"var": "topography", "op": "=", "value": _KINDS[group % len(_KINDS)]}
        own = given["cohort"] if isinstance(given["cohort"], dict) else {}
        others = [part for part in own.get("all", [own]) if part.get("var") != "topography"]
        parts = [mine, *(part for part in others if part)]
        made.append({**given, "cohort": {"all": parts} if len(parts) > 1 else mine})
    return made


def period(group: int) -> tuple[str, str]:
    """The year that a group asks about."""
    year = 2023 + group // len(_KINDS)
    return f"{year}-01", f"{year}-12"


def _conditions(indicator: Indicator) -> int:
    """How many comparisons stand in its cohort and its exclusions."""
    trees = [indicator.cohort, *(each.when for each in indicator.exclusions)]
    found = [leaf for tree in trees for leaf in tree.leaves()]
    # Beside those: the kind of tumour, the hospital's role and the months.
    return 3 + sum(leaf.var != "topography" for leaf in found)


def _plan(running: RunningDemo, groups: int, say: Callable[[str], None]) -> list[str]:
    """The rounds, approved; all begin when the last one is."""
    chair, committee = running.actor("chair2"), running.actor("committee2")
    factory = running.network.factory
    began, freeze_at, made = time.monotonic(), datetime.now(UTC), []
    for number in range(groups):
        if number <= 1:
            # From what the first one took: time enough for all to be approved.
            each = time.monotonic() - began
            freeze_at = datetime.now(UTC) + timedelta(seconds=20 + 2 * groups * (each or 3))
        wish = Wish(
            group=f"{ONCOZON.slug}.{GROUPS[number].slug}",
            study=QUALITY.slug,
            title={"nl": f"Nacht, groep {number}", "en": f"Night, group {number}"},
            indicators=definitions(number),
            first=period(number)[0],
            last=period(number)[1],
            sites=tuple(sorted(each.slug for each in INSTITUTIONS)),
            freeze_at=freeze_at,
            release_at=freeze_at + timedelta(seconds=1),
        )
        with unit_of_work(factory, chair) as session:
            row = planning.plan(session, wish, actor=chair, now=datetime.now(UTC))
            planning.offer(session, row, version=row.version, actor=chair, now=datetime.now(UTC))
            made.append(row.id)
        with unit_of_work(factory, committee) as session:
            row = reading.get(session, made[-1])
            planning.approve(
                session, row, version=row.version, actor=committee, now=datetime.now(UTC)
            )
    say(f"{groups} rounds of {INDICATORS} indicators are approved")
    while datetime.now(UTC) < freeze_at:
        time.sleep(0.05)
    return made


def _wait(running: RunningDemo, rounds: list[str], say: Callable[[str], None]) -> dict[str, Any]:
    start, computed = time.monotonic(), computing(())
    told = 0
    while True:
        with running.network.factory() as session:
            states = session.scalars(
                select(EvaluationRound.state).where(EvaluationRound.id.in_(rounds))
            ).all()
        done = sum(state == RELEASED for state in states)
        if done > told:
            told = done
            say(f"{time.monotonic() - start:6.1f} s  {done} of {len(rounds)} rounds are released")
        if done == len(rounds):
            break
        time.sleep(_POLL)
    seconds = time.monotonic() - start
    with running.network.factory() as session:
        seeing(session)
        rows = session.execute(
            select(RoundQuestion.role, RoundQuestion.state, RoundQuestion.why, Run.state, Run.code)
            .outerjoin(Run, Run.id == RoundQuestion.run_id)
            .where(RoundQuestion.round_id.in_(rounds))
        ).all()
    runs = [row for row in rows if row[3] is not None]
    return {
        "seconds": round(seconds, 1),
        "hub_computing_seconds": round(computing(()) - computed, 1),
        "runs": len(runs),
        "seconds_per_run": round(seconds / max(len(runs), 1), 3),
        "answered": sum(row[3] == "complete" for row in runs),
        "not_answered": dict(
            Counter(str(row[4] or row[3]) for row in runs if row[3] != "complete")
        ),
        "holds": seconds < 600,
    }
