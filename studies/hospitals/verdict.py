"""What all bodies together said about a study: one word, from the last word of each of them.

A body speaks for itself only: a positive letter of one never takes away the no of another. So a
study stands still while any last word is negative or withdrawn, and a study that asks hospitals for
data begins only by data access itself, whatever else was decided about it.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from studies.hospitals.models import CommitteeDecision

POSITIVE: Final = frozenset({"positive", "conditions"})
DATA_ACCESS: Final = "data_access"
#: Bodies of which at least one must agree before a study under the WMO begins.
UNDER_THE_WMO: Final = frozenset({"metc", "ccmo", "ctis"})


def verdict(kind: str, asks_data: bool, said: Mapping[str, str]) -> str | None:
    """The outcome for a study, None while a body whose yes it needs has not spoken.

    `said`: body -> the outcome of its last decision.
    """
    for no in ("withdrawn", "negative"):
        if no in said.values():
            return no
    if asks_data and said.get(DATA_ACCESS) not in POSITIVE:
        return None
    if kind == "wmo" and not UNDER_THE_WMO & said.keys():
        return None
    if not said:
        return None
    return "conditions" if "conditions" in said.values() else "positive"


def last_words(session: Session, study: str) -> tuple[CommitteeDecision, ...]:
    """The last decision of each body about a study, in the order in which they were written."""
    rows = session.scalars(
        select(CommitteeDecision)
        .where(CommitteeDecision.study == study)
        .order_by(CommitteeDecision.number)
    )
    last = {row.body: row for row in rows}
    return tuple(sorted(last.values(), key=lambda row: row.number))


def that_counts(words: Sequence[CommitteeDecision]) -> CommitteeDecision | None:
    """The one of the last words to show: a no if there is one, else the newest."""
    no = [row for row in words if row.outcome not in POSITIVE]
    found = no or list(words)
    return found[-1] if found else None
