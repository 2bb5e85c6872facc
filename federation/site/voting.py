"""What a hospital says in the look of a run: one vote per set of patients."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from federation.disclosure.auditor import Judgement
from federation.disclosure.looking import Alone, Votes, cap
from federation.disclosure.marks import WORDS, Mark
from federation.site.checks import Question
from federation.site.selection import Counted


def votes_of(
    question: Question,
    counted: Counted,
    judged: Judgement,
    hidden: Collection[str],
    marks: Sequence[Mark],
    entries: int,
    alone: Alone | None = None,
) -> Votes:
    """The votes that follow from what the history auditor judged. `hidden`: labels of cells that
    are flagged besides, for what this hospital answered alone; `marks`: by which the sets are
    recognised; `entries`: answers in the ledger now; `alone`: see Votes."""
    terms = question.ask.terms
    most = cap(terms.diff.t_diff)
    labels = [label for label, _ in counted.named] or [""] * len(judged.flagged)
    return Votes(
        tuple(flag or label in hidden for flag, label in zip(judged.flagged, labels, strict=True)),
        tuple(min(least, most) for least in judged.bound),
        judged.told,
        tuple(marks) or ((0,) * WORDS,) * len(judged.told),
        judged.complement_flagged,
        min(judged.complement_bound, cap(terms.t_complement)),
        counted.population.bit_count(),
        judged.rank,
        entries,
        alone,
    )
