"""A night of evaluation rounds: sixteen groups, twenty indicators each, ten running hospitals.

The rounds of all groups begin at the same moment, as after the end of a quarter, and the hub's
worker puts their questions in its own batches. Every question goes the whole way: the frozen plan,
consent, the hospital's rules, its ledger. What is refused is told by its code, of questions and of
single hospitals, and never counted as answered.
"""

import secrets
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import Progress
from sqlalchemy import Select, func, select

from federation.indicators.catalogue import shipped
from federation.indicators.definition import Indicator
from federation.rounds import planning, reading
from federation.rounds.models import EvaluationRound, RoundQuestion
from federation.rounds.plan import Wish
from federation.rounds.states import DONE, DROPPED, RELEASED
from federation.runs.embargo import seeing
from federation.runs.models import Run
from federation.runs.states import COMPLETE
from registry.accounts import service as accounts
from registry.bench.processes import computing
from registry.demo.oncology.study import QUALITY
from registry.demo.report import run_demo
from registry.demo.running import RunningDemo
from registry.transaction import unit_of_work
from studies.actor import SYSTEM, Actor
from studies.seeds.oncozon import GROUPS, INSTITUTIONS, ONCOZON

INDICATORS: Final = 20
MOST_SECONDS: Final = 600.0
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
            found = {
                "groups": groups,
                "indicators": INDICATORS,
                "hospitals": len(INSTITUTIONS),
                "patients": patients,
                "planning_seconds": round(planning_seconds, 1),
                **_wait(running, rounds, say),
            }
            say(in_one_line(found))
            return found


def in_one_line(found: Mapping[str, Any]) -> str:
    """What a night came to, for whoever stands beside it."""
    codes = ", ".join(f"{code} {n}" for code, n in found["not_answered"].items())
    work = found["computing_seconds"]
    return (
        f"{found['groups']} groups x {found['indicators']} indicators x {found['hospitals']} "
        f"hospitals: {found['questions']} questions in {found['seconds']} s, of computing "
        f"{work['hub']} s at the hub and {work['hospitals']} s at the hospitals; "
        f"{found['answered']} answered, not answered: {codes or 'none'}; "
        f"{'below' if found['holds'] else 'NOT below'} {MOST_SECONDS:.0f} s"
    )


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
    chairs, committee = _chairs(running, groups), running.actor("committee2")
    factory = running.network.factory
    began, freeze_at, made = time.monotonic(), datetime.now(UTC), []
    for number, chair in enumerate(chairs):
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


def _chairs(running: RunningDemo, groups: int) -> list[Actor]:
    """A chair for each group: a hospital answers one person so many new questions a month."""
    for number in range(groups):
        with unit_of_work(running.network.factory, SYSTEM) as session:
            account = accounts.add_account(
                session,
                name=f"night{number}",
                display_name=f"Voorzitter {number} (verzonnen)",
                password=secrets.token_hex(16),
                by=SYSTEM,
                now=datetime.now(UTC),
            )
            accounts.grant_role(
                session,
                account,
                role="chair",
                scope=f"group:{ONCOZON.slug}.{GROUPS[number].slug}",
                by=SYSTEM,
                now=datetime.now(UTC),
            )
    return [running.actor(f"night{number}") for number in range(groups)]


def _wait(running: RunningDemo, rounds: list[str], say: Callable[[str], None]) -> dict[str, Any]:
    sites = running.site_processes
    start, hub, all_of_it = time.monotonic(), computing(()), computing(sites)
    told, bar = 0, Progress(console=Console(stderr=True), transient=True)
    with bar:
        task = bar.add_task("questions", total=None)
        while True:
            with running.network.factory() as session:
                states = session.scalars(
                    select(EvaluationRound.state).where(EvaluationRound.id.in_(rounds))
                ).all()
                asked = {state: n for state, n in session.execute(_questions(rounds))}
            bar.update(task, total=sum(asked.values()) or None, completed=asked.get(DONE, 0))
            done = sum(state == RELEASED for state in states)
            if done > told:
                told = done
                since = time.monotonic() - start
                say(f"{since:6.1f} s  {done} of {len(rounds)} rounds are released")
            if done == len(rounds):
                break
            time.sleep(_POLL)
    seconds, hub = time.monotonic() - start, computing(()) - hub
    whole = computing(sites) - all_of_it
    with running.network.factory() as session:
        seeing(session)
        ended = session.execute(
            select(RoundQuestion.role, RoundQuestion.why, Run.state, Run.code, Run.outcome)
            .outerjoin(Run, Run.id == RoundQuestion.run_id)
            .where(RoundQuestion.round_id.in_(rounds), RoundQuestion.state == DONE)
        ).all()
    return {
        "seconds": round(seconds, 1),
        "computing_seconds": {"hub": round(hub, 1), "hospitals": round(whole - hub, 1)},
        "seconds_per_question": round(seconds / max(len(ended), 1), 3),
        **came_of(ended),
        "holds": seconds < MOST_SECONDS,
    }


def _questions(rounds: list[str]) -> Select[str, int]:
    """How many questions of these rounds stand where."""
    return (
        select(RoundQuestion.state, func.count())
        .where(RoundQuestion.round_id.in_(rounds), RoundQuestion.state != DROPPED)
        .group_by(RoundQuestion.state)
    )


def came_of(asked: Iterable[Any]) -> dict[str, Any]:
    """What became of questions, as (role, why it was not asked, state, code, outcome of its run):
    by role, and of each hospital in those that were answered."""
    roles: dict[str, Counter[str]] = defaultdict(Counter)
    hospitals: Counter[str] = Counter()
    for role, why, state, code, outcome in asked:
        answered = state == COMPLETE
        roles[role]["answered" if answered else str(code or why or state)] += 1
        own = (outcome or {}).get("by_site", {}) if answered else {}
        hospitals.update(str(part.get("code") or "answered") for part in own.values())
    whole = sum(roles.values(), Counter())
    return {
        "questions": whole.total(),
        "answered": whole.pop("answered", 0),
        "not_answered": dict(whole.most_common()),
        "by_role": {role: dict(found.most_common()) for role, found in sorted(roles.items())},
        "hospitals_in_answered": dict(hospitals.most_common()),
    }
