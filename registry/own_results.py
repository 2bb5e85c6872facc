"""Who may see a hospital's own result that stands in the hub: the participants of its study only.

Somebody who coordinates or decides for the whole network sees the question and what is pooled, and
not what a benchmark's hospitals agreed to show each other (disclosure.md, rule O14).

The runs of a round with letters hold hospitals by name: nobody reads them there, participants
neither. What may be seen of them is the round.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy.orm import object_session

from federation.rounds.models import EvaluationRound
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
    if run.outcome is None or run.delivery != "hub":
        return run.outcome
    if _with_letters(run):
        code, message = IN_A_ROUND, ROUND_SENTENCE
    elif takes_part(actor, run):
        return run.outcome
    else:
        code, message = PARTICIPANTS_ONLY, SENTENCE
    held = {"status": "withheld", "code": code, "message": message}
    own = run.outcome.get("by_site", {})
    return {**run.outcome, **({"by_site": dict.fromkeys(own, held)} if own else {})}


def _with_letters(run: Run) -> bool:
    """Whether the run was asked by a round that did not agree to names."""
    session = object_session(run)
    if run.round_id is None or session is None:
        return run.round_id is not None
    asked = session.get(EvaluationRound, run.round_id)
    return asked is None or not asked.plan.get("names")
