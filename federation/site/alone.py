"""This hospital's own answer, beside those of the others: output by_site under protection.

Only where the policy, the board's form and the agreement with the study allow it (rules O13, O14).
The hospital does the whole analysis by itself and sends what its own gate lets through, so that no
sum of it ever leaves. Nobody else's patients stand behind these numbers: no vote of another
hospital can make up for a small group here.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from federation.disclosure import gate
from federation.disclosure.auditor import Auditor, Bitmap, Judgement
from federation.disclosure.looking import COHORT, Votes
from federation.methods.base import Ask, Method, Rows, Step
from federation.methods.labels import cell_labels, set_labels, settle, term_labels
from federation.methods.own import Labels, Shows, own_finished, words_of_none
from federation.methods.release import without_missing
from federation.query.refusals import Refused
from federation.site.own_sets import GROUP, SHOWN, SILENT, OwnSets
from federation.site.own_shown import BEHIND, Known, few_in_a_level, groups_of
from federation.site.selection import Counted, judged


@dataclass(frozen=True)
class Kept:
    """What the ledger keeps of a question by_site besides its sets: by what becomes of them."""

    sets: tuple[tuple[str, tuple[Bitmap, ...]], ...] = ()

    def write(self, database: sqlite3.Connection, run: str) -> None:
        """In the caller's transaction."""
        table = OwnSets(database)
        for what, bitmaps in self.sets:
            table.keep(run, what, bitmaps)


class OwnReleases:
    """What this hospital answered alone, and what that means for everything after it.

    Taken off a pooled answer about the same patients, the answers that the hospitals gave alone
    leave what one of them held back. So a small set here is never in both.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._known = Known(database)

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

    def objects(self, ask: Ask, counted: Counted) -> bool:
        """Whether the others may not answer by_site either, where this hospital does not: pooled
        answers less theirs would tell what it holds back."""
        if ask.query.output != "by_site" or counted.contributes:
            return False
        self._known.catch_up(ask.terms.diff.t_diff)
        return self._known.told_by_others(counted)

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
        self._known.catch_up(t)
        if ask.query.output != "by_site":
            if self._known.has_own:
                self._check_beside_own(judgement, counted, t)
            return frozenset()
        if judgement.complement_flagged:
            raise Refused("SMALL_GROUP")
        if judgement.rank > rank_share * counted.population.bit_count():
            raise Refused("BUDGET")
        can_hide, terms = cell_labels(method, ask) | {COHORT}, term_labels(method, ask)
        among = _judged(Auditor(t, _seed()), counted)
        beside = _judged(self._known.own, counted)
        mixed = self._told_with_pooled(judgement, beside, among, counted)
        groups = groups_of(method, ask)
        untold = few_in_a_level(groups, counted, ask.terms.t_cell)
        hidden: set[str] = set()
        least, known = t, False  # of the cells
        for place, (label, _) in enumerate(counted.named):
            small = 0 < counted.least(place) < t
            # What the groups of one answer tell of each other no number here says.
            no_number = label in groups and (untold or among.flagged[place])
            # One that pooled answers tell has no flag; beside own answers it is near all the same.
            near = judgement.told[place] and beside.flagged[place] and not among.flagged[place]
            if not small and not no_number:
                if judgement.flagged[place] and label not in can_hide:
                    named = terms.get(label, ())
                    raise Refused("MODEL_TOO_RICH" if label in terms else "SMALL_GROUP", named)
                if (near or mixed[place]) and label not in groups:
                    if label not in can_hide:
                        raise Refused("SMALL_GROUP")
                    hidden.add(label)
            told_alone = beside.told[place] and not among.told[place]
            told = judgement.told[place] and not among.told[place] and not beside.told[place]
            if small and told:
                raise Refused("SMALL_GROUP")
            if label in can_hide and label != COHORT:
                least, known = min(least, counted.least(place)), known or told
            if told_alone and self._gives_away(counted, place):
                if label not in can_hide:
                    raise Refused("SMALL_GROUP")
                hidden.add(label)
        if known and least < t:
            hidden |= can_hide
        return frozenset(hidden)

    def keeps(self, method: Method, ask: Ask, rows: Rows, votes: Votes, counted: Counted) -> Kept:
        """What becomes of the sets of a question by_site of which sums leave now. What the own
        answer at its end will show follows from this hospital's rows and its votes, so that it is
        known from the first sums on; `rows` are those of the patients who count."""
        groups = groups_of(method, ask)
        if not counted.contributes:
            left = (bits for label, bits in counted.kept_back if _plain(label) not in groups)
            return Kept(((SILENT, tuple(bits for bits in left if bits)),))
        by_label = dict(counted.charged)
        grouped = tuple(bits for label, bits in counted.charged if _plain(label) in groups)
        hide = hidden_alone(method, ask, votes)
        shown = [(counted.named[0][0],), *_shown(method, ask, rows, hide)]
        analysis, cohort = by_label[counted.named[0][0]], by_label[COHORT]
        if COHORT not in hide and (cohort & ~analysis).bit_count() >= ask.terms.t_cell:
            shown.append((COHORT,))
        joined = [_joined(by_label, labels, "") for labels in shown]
        if counted.behind:
            joined += [_joined(by_label, labels, BEHIND) for labels in shown]
        return Kept(((SHOWN, tuple(joined)), (GROUP, grouped)))

    def _gives_away(self, counted: Counted, place: int) -> bool:
        """Whether the set, or that of the patients behind it, is told by own answers of which one
        hid it."""
        sets = [counted.named[place], *counted.behind[place : place + 1]]
        own = self._known.own.judge(counted.charged, counted.rows or counted.population, 0).told
        half = len(counted.named)
        told = (own[place], *own[half + place : half + place + 1])
        return any(
            is_told and not self._known.gives_nothing(bitmap)
            for is_told, (_, bitmap) in zip(told, sets, strict=True)
        )

    def _check_beside_own(self, judgement: Judgement, counted: Counted, t: int) -> None:
        """Refuse SMALL_GROUP a pooled question about a set that this hospital may have held back:
        a small one, or one that was hidden only because it tells a small one. Also where pooled
        answers and own ones tell it together, and what was shown does not."""
        among = _judged(Auditor(t, _seed()), counted)
        beside = _judged(self._known.own, counted)
        mixed = self._told_with_pooled(judgement, beside, among, counted)
        for place in range(len(counted.named)):
            small = 0 < counted.least(place) < t
            near = beside.flagged[place] and not among.flagged[place]
            told = beside.told[place] and not among.told[place]
            held_back = told and self._gives_away(counted, place)
            if (near and not small) or (told and small) or held_back or mixed[place]:
                raise Refused("SMALL_GROUP")

    def _told_with_pooled(
        self, judgement: Judgement, beside: Judgement, among: Judgement, counted: Counted
    ) -> list[bool]:
        """Per set whether it follows from pooled answers and what this hospital held back together,
        and not from what everybody knows: its number would tell what was held back."""
        everything = judgement.told
        if self._known.has_silent:
            everything = _judged(self._known.all, counted).told
        maybe = [
            told and not (own or alike)
            for told, own, alike in zip(everything, beside.told, among.told, strict=True)
        ]
        if not any(maybe):
            return maybe
        known = _judged(self._known.open, counted)
        # Bound 0 and no flag: it follows from what is known.
        return [
            found and (flagged or bound > 0)
            for found, flagged, bound in zip(maybe, known.flagged, known.bound, strict=True)
        ]


def _plain(label: str) -> str:
    return label.removesuffix(BEHIND)


def _joined(by_label: dict[str, Bitmap], labels: Labels, behind: str) -> Bitmap:
    found = 0
    for label in labels:
        found |= by_label[f"{label}{behind}"]
    return found


def _shown(method: Method, ask: Ask, rows: Rows, hide: frozenset[str]) -> Sequence[Labels]:
    """The sets whose numbers will stand in the own answer; none where it will be refused."""
    if not isinstance(method, Shows):
        return ()
    hub_ask = replace(ask, site=None)
    try:
        finished = method.own_tables(ask, replace(rows, held_back=hide))
        finished, cells = settle(method, hub_ask, finished, hide - {COHORT})
        tables = method.tables(hub_ask, finished)
        return method.shows(hub_ask, finished, gate.decide(tables, ask.terms, cells, ask.codebook))
    except Refused:
        return ()


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
        "warnings": [*released.warnings, *words_of_none(step.params)],
    }
