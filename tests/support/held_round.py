"""A round in a hub without hospitals' programs: planned, approved, and answered by hand.

What a hospital would answer is written where the worker writes it, so that a test can tell to whom
it is shown. Real hospitals are in tests/federation/test_rounds.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from federation.disclosure.policy import Policy
from federation.query.terms import Terms
from federation.rounds import planning
from federation.rounds.models import EvaluationRound, RoundQuestion
from federation.rounds.plan import Wish
from federation.runs.embargo import looking_under, silently
from federation.runs.models import Run
from studies import service as studies
from studies.actor import SYSTEM, Actor
from studies.models import Participation, SiteNode, Study

PLANNER = Actor("user", "planner", frozenset({"chair@group:oncozon.breast"}), "Petra")
COMMITTEE = Actor("user", "c1", frozenset({"committee"}), "Cees")
STUDY = "hormone-therapy"
GROUP = "oncozon.breast"
#: Stand in no page but those that show a result.
CANARY, CANARY_YES = 70707, 31313
SHARE: Mapping[str, Any] = {
    "id": "relapse",
    "version": 1,
    "text": {"en": "Recurrence", "nl": "Terugkeer"},
    "lay": {"en": "How often cancer came back.", "nl": "Hoe vaak kanker terugkwam."},
    "codebook": "gbsg/1",
    "unit": "patient",
    "role": "any",
    "measure": "share",
    "cohort": {},
    "date": "diagnosed",
    "numerator": {"var": "relapse", "op": "=", "value": True},
    "better": "lower",
    "strata": ["hormone"],
    "source": "a test",
}


def ready_study(session: Session, sites: Sequence[str], now: datetime) -> None:
    """Three hospitals or more in the study, with a program and the signature of their board."""
    study = session.get_one(Study, STUDY)
    studies.choose_delivery(session, study, "hub", actor=SYSTEM, benchmark="agreement 2026-17")
    for number, site in enumerate(sites):
        there = session.scalars(
            select(Participation).where(
                Participation.study == STUDY, Participation.institution == site
            )
        ).first()
        assert there is not None
        assert there.state == "open", site
        node = session.get(SiteNode, site)
        if node is None:
            node = studies.enrol_node(
                session,
                institution=site,
                sign_pub=f"{number:043d}",
                box_pub=f"{number + 50:043d}",
                engine="embedded",
                actor=SYSTEM,
                now=now,
            )
        studies.note_node(
            session,
            node,
            terms=Policy.strict().terms().to_dict(),
            policy_sha256="0" * 64,
            software="test",
            actor=SYSTEM,
            now=now,
            form_id="RvB-2026-17",
        )


def wish(sites: Sequence[str], now: datetime, **changes: Any) -> Wish:
    """A round over 2024, that begins now and is released in two hours."""
    given: dict[str, Any] = {
        "group": GROUP,
        "study": STUDY,
        "title": {"en": "Year 2024", "nl": "Jaar 2024"},
        "indicators": [SHARE],
        "first": "2024-01",
        "last": "2024-12",
        "sites": sites,
        "freeze_at": now,
        "release_at": now + timedelta(hours=2),
        **changes,
    }
    return Wish(**given)


def approved(session: Session, asked: Wish, now: datetime) -> EvaluationRound:
    """Planned, offered and approved."""
    row = planning.plan(session, asked, actor=PLANNER, now=now)
    planning.offer(session, row, version=row.version, actor=PLANNER, now=now)
    planning.approve(session, row, version=row.version, actor=COMMITTEE, now=now)
    return row


def own_share(n: int, observed: int | None) -> dict[str, Any]:
    """What a hospital answers of its own to a share."""
    shown = observed is not None
    return {
        "n": n,
        "missing": 0,
        "observed": observed,
        "expected": n * 0.4,
        "limits": "binomial",
        "ratio": observed / (n * 0.4) if observed is not None else None,
        "z": None,
        "limits95": [0.8, 1.2],
        "limits998": [0.7, 1.3],
        "limits95_widened": [None, None],
        "limits998_widened": [None, None],
        "variance": n * 0.24 if shown else None,
        "shrunken": None,
        "share": observed / n if observed is not None else None,
        "share_low": 0.3 if shown else None,
        "share_high": 0.5 if shown else None,
        "outside": (998 if observed / (n * 0.4) > 1.3 else 0) if observed is not None else None,
    }


#: More turns than the questions of these indicators take, each role after the one before.
TURNS = 3


def answer(session: Session, row: EvaluationRound, now: datetime, refused: str = "") -> None:
    """Write an answer to every run of the round that is not finished, as the worker would.
    ``refused``: a hospital that says too few patients."""
    with looking_under(session):
        for question in session.scalars(
            select(RoundQuestion).where(
                RoundQuestion.round_id == row.id, RoundQuestion.state == "asked"
            )
        ):
            run = session.get_one(Run, question.run_id)
            if run.outcome is None:
                _finish(session, run, _envelope(run, question, refused), now)


def _envelope(run: Run, question: RoundQuestion, refused: str) -> dict[str, Any]:
    own: dict[str, Any] = {}
    for number, site in enumerate(sorted(question.sites)):
        if site == refused:
            own[site] = {"status": "refused", "code": "SMALL_GROUP", "message": "Too few."}
        elif question.role == "trend":
            own[site] = {"n": 200, "missing": 0, "quarters": []}
        elif question.role.startswith("stratum"):
            cells = [
                {"by": {"hormone": h, "relapse": r}, "n": 40 + number}
                for h in ("no", "yes")
                for r in ("no", "yes")
            ]
            own[site] = {"n": 160 + 4 * number, "missing": 0, "cells": cells}
        else:
            own[site] = own_share(CANARY + number, CANARY_YES + number)
    return {
        "id": run.id,
        "status": "complete",
        "query_sha256": run.query_sha256,
        "analysis": run.kind,
        "result": {},
        "sites": {
            "asked": len(own),
            "answered": len(own),
            "refused": [],
            "silent": [],
        },
        "hidden": [],
        "provenance": {
            "codebook": "gbsg/1",
            "code": "test",
            "released_at": "2026-03-02T09:00:00Z",
            "policy": Terms.strict().to_dict(),
            "snapshots": dict.fromkeys(own, 7),
            "signatures": [],
        },
        "warnings": [],
        "replayed": False,
        "as_of": "2026-03-02T09:00:00Z",
        "by_site": own,
    }


def _finish(session: Session, run: Run, outcome: dict[str, Any], now: datetime) -> None:
    session.execute(
        update(Run)
        .where(Run.id == run.id)
        .values(state="complete", outcome=outcome, finished_at=now, delivery="hub")
        .execution_options(synchronize_session=False)
    )
    session.expire(run)
    silently(session, session.get_one(Run, run.id))
