"""Who may see a hospital's own result that stands in the hub: the participants of its study only.

Somebody who coordinates or decides for the whole network sees the question and what is pooled, and
not what a benchmark's hospitals agreed to show each other (disclosure.md, rule O14).

The runs of a round with letters hold hospitals by name: nobody reads their numbers there, nor who
of them refused, kept silent or counted by which list; participants neither. What may be seen of
them is the round.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy.orm import object_session

from federation.rounds.models import EvaluationRound
from federation.runs import service
from federation.runs.models import Run
from studies.actor import Actor

PARTICIPANTS_ONLY: Final = "PARTICIPANTS_ONLY"
SENTENCE: Final = "Only participants of this study see a hospital's own result."
IN_A_ROUND: Final = "IN_A_ROUND"
ROUND_SENTENCE: Final = "This round shows hospitals by letter. Their results stand on its page."


def takes_part(actor: Actor, run: Run) -> bool:
    """Whether the actor asked this question, or has a role in this very study."""
    in_study = f"@study:{run.study}"
    return run.submitted_by == actor.id or any(role.endswith(in_study) for role in actor.roles)


def answer_for(actor: Actor, run: Run) -> dict[str, Any] | None:
    """The stored answer as this actor may see it; None while there is none.

    Of a benchmark (`run.delivery` "hub"), who does not take part gets each hospital's name and
    PARTICIPANTS_ONLY in place of its numbers; of a round with letters, everybody IN_A_ROUND.
    """
    if run.outcome is None:
        return None
    own = run.outcome.get("by_site") or {}
    if with_letters(run):
        code, message = IN_A_ROUND, ROUND_SENTENCE
        answer, own = _nameless(run.outcome), dict.fromkeys(_agreed(run) or own) if own else {}
    elif run.delivery != "hub" or takes_part(actor, run):
        return run.outcome
    else:
        code, message, answer = PARTICIPANTS_ONLY, SENTENCE, run.outcome
    held = {"status": "withheld", "code": code, "message": message}
    return {**answer, **({"by_site": dict.fromkeys(own, held)} if own else {})}


def progress_for(run: Run) -> dict[str, Any]:
    """Where a run stands (federation.runs.service.progress); of a round with letters without what
    each hospital did."""
    session = object_session(run)
    assert session is not None  # noqa: S101  a stored run has one
    found = service.progress(session, run)
    return {**found, "sites": []} if with_letters(run) else found


def _nameless(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """An answer without who refused, kept silent or counted by which list: the round says so by
    letter, and one of them in both places would be the letter of a hospital."""
    found = dict(outcome)
    if "sites" in found:
        found["sites"] = {**found["sites"], "refused": [], "silent": []}
    if "provenance" in found:
        bare: dict[str, Any] = {"snapshots": {}, "consent": {}, "signatures": []}
        found["provenance"] = {**found["provenance"], **bare}
    if "hidden" in found:
        found["hidden"] = [each for each in found["hidden"] if "site" not in each]
    return found


def _agreed(run: Run) -> list[str]:
    """The hospitals of the round's plan: all of them, whoever of them answered."""
    session = object_session(run)
    asked = None if session is None else session.get(EvaluationRound, run.round_id)
    return [] if asked is None else sorted(asked.plan["sites"])


def with_letters(run: Run) -> bool:
    """Whether the run was asked by a round that did not agree to names."""
    session = object_session(run)
    if run.round_id is None or session is None:
        return run.round_id is not None
    asked = session.get(EvaluationRound, run.round_id)
    return asked is None or not asked.plan.get("names")
