"""This hospital's own answer, beside those of the others: output by_site under protection.

Only where the policy, the board's form and the agreement with the study allow it (rules O13, O14).
The hospital does the whole analysis by itself and sends what its own gate lets through, so that no
sum of it ever leaves. Nobody else's patients stand behind these numbers: no vote of another
hospital can make up for a small group here.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass, field, replace
from typing import Any, Final

from federation.disclosure import gate
from federation.disclosure.auditor import Auditor, Judgement, NamedSet
from federation.disclosure.looking import COHORT, Votes
from federation.methods.base import Ask, Method, Rows, Step
from federation.methods.labels import cell_labels, set_labels, settle, term_labels
from federation.methods.own import OWN, has_pooled_part, own_finished
from federation.methods.registry import KINDS
from federation.methods.release import without_missing
from federation.query.refusals import Refused
from federation.site.own_shown import OwnShown, few_in_a_level, groups_of
from federation.site.selection import Counted, judged

_OWN_STEPS: Final = (OWN, *(f"{k}.{OWN}" for k, m in KINDS.items() if has_pooled_part(m)))
"""The names of steps in which a hospital answered alone; a run keeps the name of its last."""


@dataclass
class _Open:
    """What everybody may know of this hospital: pooled answers, and what it showed alone."""

    t: int
    auditor: Auditor
    entries: set[int] = field(default_factory=set)
    shown: set[int] = field(default_factory=set)


class OwnReleases:
    """What this hospital answered alone, and what that means for everything after it.

    Taken off a pooled answer about the same patients, the answers that the hospitals gave alone
    leave what one of them held back. So a small set here is never in both.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._auditor: Auditor | None = None
        self._t = -1
        self._seen: set[int] = set()  # entries of the ledger
        self._sets = OwnShown()
        self._open: _Open | None = None

    def hides(
        self,
        method: Method,
        ask: Ask,
        judgement: Judgement,
        counted: Counted,
        rank_share: float,
    ) -> frozenset[str] | None:
        """Which cells this hospital must hide besides those the history auditor flags.

        None for a question by_site that it may not answer at all (see `check`). The hospital then
        stays out: zeros under its masks, and SMALL_GROUP in place of its own answer, as with too
        few patients. So what one hospital may not tell costs the others nothing, and nobody learns
        which of the rules it was. Raises Refused for a pooled question.
        """
        try:
            return self.check(method, ask, judgement, counted, rank_share)
        except Refused:
            if ask.query.output != "by_site":
                raise
            return None

    def check(
        self,
        method: Method,
        ask: Ask,
        judgement: Judgement,
        counted: Counted,
        rank_share: float,
    ) -> frozenset[str]:
        """Refuse SMALL_GROUP a question whose sets may not be answered about beside what was
        answered before: of a question by_site beside everything, of a pooled one beside what this
        hospital answered alone. `judgement` is the history auditor's. A set that can be hidden is
        no reason, a level of a model is MODEL_TOO_RICH with its terms. BUDGET when a question
        by_site would tell more than `rank_share` allows of this hospital's patients.

        The labels of cells that its own answers tell and may have hidden: what they tell together
        with a small group may be what the gate hid beside it. All cells where one of them is small
        and another is told by a pooled answer: hidden beside the small one, it would hide nothing.
        """
        t = ask.terms.diff.t_diff
        own = self._up_to_date(t)
        if ask.query.output != "by_site":
            if own.rank:
                self._check_beside_own(own, judgement, counted, t)
            return frozenset()
        if judgement.complement_flagged:
            raise Refused("SMALL_GROUP")
        if judgement.rank > rank_share * counted.population.bit_count():
            raise Refused("BUDGET")
        can_hide, terms = cell_labels(method, ask) | {COHORT}, term_labels(method, ask)
        among = _judged(Auditor(t, _seed()), counted)
        told_alone = _judged(own, counted).told
        groups = groups_of(method, ask)
        untold = few_in_a_level(groups, counted, ask.terms.t_cell)
        hidden: set[str] = set()
        least, known = t, False  # of the cells
        for place, (label, _) in enumerate(counted.named):
            small = 0 < counted.least(place) < t
            no_reason = label in can_hide or (
                # What the groups of one answer tell of each other no number here says.
                label in groups and (untold or among.flagged[place])
            )
            if judgement.flagged[place] and not small and not no_reason:
                raise Refused(
                    "MODEL_TOO_RICH" if label in terms else "SMALL_GROUP", terms.get(label, ())
                )
            told = judgement.told[place] and not among.told[place] and not told_alone[place]
            if small and told:
                raise Refused("SMALL_GROUP")
            if label in can_hide and label != COHORT:
                least, known = min(least, counted.least(place)), known or told
            if told_alone[place] and not among.told[place]:
                if self._sets.has(counted.named[place][1]):
                    continue
                if label not in can_hide:
                    raise Refused("SMALL_GROUP")
                hidden.add(label)
        if known and least < t:
            hidden |= can_hide
        return frozenset(hidden)

    def _check_beside_own(
        self, own: Auditor, judgement: Judgement, counted: Counted, t: int
    ) -> None:
        """Refuse SMALL_GROUP a pooled question about a set that this hospital may have held back:
        a small one, or one that was hidden only because it tells a small one. Also where pooled
        answers and own ones tell it together, and what was shown does not."""
        among, beside = _judged(Auditor(t, _seed()), counted), _judged(own, counted)
        known = self._known(counted, t) if any(judgement.told) else None
        for place in range(len(counted.named)):
            small = 0 < counted.least(place) < t
            near = beside.flagged[place] and not among.flagged[place]
            told = beside.told[place] and not among.told[place]
            held_back = told and not self._sets.has(counted.named[place][1])
            together = (
                judgement.told[place]
                and not (beside.told[place] or among.told[place])
                and known is not None
                and (known.flagged[place] or known.bound[place] > 0)
            )
            if (near and not small) or (told and small) or held_back or together:
                raise Refused("SMALL_GROUP")

    def _known(self, counted: Counted, t: int) -> Judgement:
        """Of the sets, what pooled answers and the numbers shown by own ones say: nothing new of a
        set that follows from them (bound 0)."""
        if self._open is None or self._open.t != t or self._open.entries & self._seen:
            self._open = _Open(t, Auditor(t, _seed()))  # one that was on its way is an own one now
        known = self._open
        entries = self._database.execute("SELECT entry FROM ledger_entry ORDER BY entry").fetchall()
        fresh = [entry for (entry,) in entries if entry not in known.entries | self._seen]
        known.auditor.load(self._sets_of(entry) for entry in fresh)
        known.entries.update(fresh)
        shown = self._sets.shown - known.shown
        known.auditor.load([("shown", bitmap)] for bitmap in shown)
        known.shown |= shown
        return _judged(known.auditor, counted)

    def _up_to_date(self, t: int) -> Auditor:
        """An auditor that knows only what this hospital answered alone."""
        if self._auditor is None or self._t != t:
            self._auditor, self._t, self._seen = Auditor(t, _seed()), t, set()
            self._sets = OwnShown()
        entries = [
            (int(entry), step)
            for step in _OWN_STEPS
            for (entry,) in self._database.execute(
                "SELECT entry FROM run JOIN ledger_entry USING (run) WHERE step_name = ?", (step,)
            ).fetchall()
        ]
        new = [(entry, step) for entry, step in sorted(entries) if entry not in self._seen]
        sets = [self._sets_of(entry) for entry, _ in new]
        self._auditor.load(sets)
        for (entry, step), found in zip(new, sets, strict=True):
            self._sets.take(step, found, t)
            self._seen.add(entry)
        return self._auditor

    def _sets_of(self, entry: int) -> list[NamedSet]:
        rows = self._database.execute(
            "SELECT label, bits FROM ledger_set WHERE entry = ? ORDER BY place", (entry,)
        )
        return [(str(label), int.from_bytes(bits, "little")) for label, bits in rows]


def _judged(auditor: Auditor, counted: Counted) -> Judgement:
    # The complement is the history auditor's to judge.
    return judged(auditor, counted, 0)


def _seed() -> int:
    return int.from_bytes(os.urandom(16), "big")


def hidden_alone(method: Method, ask: Ask, votes: Votes) -> frozenset[str]:
    """What this hospital's gate must hide, because it tells too few together with another number:
    labels of cells, and COHORT for the number of missing values."""
    labels = (*set_labels(method, ask), COHORT)
    flagged = {label for label, bad in zip(labels, votes.flagged, strict=True) if bad}
    return frozenset(flagged & (cell_labels(method, ask) | {COHORT}))


def own_answer(
    method: Method, ask: Ask, step: Step, rows: Rows, hide: frozenset[str]
) -> dict[str, Any]:
    """The released answer of this hospital alone: {"result", "hidden", "warnings"}.

    `hide`: as `hidden_alone` gives it. Raises Refused as the method and the gate do.
    """
    hub_ask = replace(ask, site=None)
    finished = own_finished(method, ask, step, replace(rows, held_back=hide))
    finished, cells = settle(method, hub_ask, finished, hide - {COHORT})
    shown = gate.decide(method.tables(hub_ask, finished), ask.terms, cells, ask.codebook)
    released = method.result(hub_ask, finished, shown)
    if COHORT in hide:
        released = without_missing(released)
    return {
        "result": released.result,
        "hidden": released.hidden,
        "warnings": released.warnings,
    }
