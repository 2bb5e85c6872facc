"""Who may see a hospital's own result that stands in the hub: the participants of its study only.

Somebody who coordinates or decides for the whole network sees the question and what is pooled, and
not what a benchmark's hospitals agreed to show each other (disclosure.md, rule O14).
"""

from __future__ import annotations

from typing import Any, Final

from federation.runs.models import Run
from studies.actor import Actor

PARTICIPANTS_ONLY: Final = "PARTICIPANTS_ONLY"
SENTENCE: Final = "Only participants of this study see a hospital's own result."


def takes_part(actor: Actor, run: Run) -> bool:
    """Whether the actor asked this question, or has a role in this very study."""
    in_study = f"@study:{run.study}"
    return run.submitted_by == actor.id or any(role.endswith(in_study) for role in actor.roles)


def answer_for(actor: Actor, run: Run) -> dict[str, Any] | None:
    """The stored answer as this actor may see it; None while there is none.

    Of a benchmark (`run.delivery` "hub"), who does not take part gets each hospital's name and
    PARTICIPANTS_ONLY in place of its numbers.
    """
    if run.outcome is None or run.delivery != "hub" or takes_part(actor, run):
        return run.outcome
    held = {"status": "withheld", "code": PARTICIPANTS_ONLY, "message": SENTENCE}
    own = run.outcome.get("by_site", {})
    return {**run.outcome, **({"by_site": dict.fromkeys(own, held)} if own else {})}
