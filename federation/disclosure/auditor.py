"""The history auditor: may these sets of patients be answered about, given all earlier ones?

Pure: a set is a Python int used as a bitmap over slots, one slot per version of a patient's row at
this site (disclosure.md sections 4.5 and 4.7). The ledger that keeps them is the site's own.

A set is judged by the fewest patients that it describes by itself, set against each earlier set
(federation.disclosure.distances), and combined with all of them (federation.disclosure.closure).
Everything that an answer describes is remembered, cells that were hidden too: the hospital does not
know what the other hospitals' patients made visible.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from federation.disclosure.closure import Bits, Closure, Reals, Seen
from federation.disclosure.distances import Distances
from federation.disclosure.looking import COHORT

_AT_ONCE: Final = 32
"""So many sets are unpacked at a time: a byte per slot each."""

Bitmap = int
NamedSet = tuple[str, Bitmap]


@dataclass(frozen=True)
class Judgement:
    """What this hospital's auditor says about the sets of one question, in their order.

    `flagged`: some combination of the set with earlier answers describes at least one but fewer
    than t patients here. `bound`: every combination with it that the auditor can see describes at
    least so many patients here, at most t; 0 for a set that the earlier answers tell already, and
    for an empty one. `told`: such a set, while small groups are among what is told: those who know
    them here may know something else elsewhere, so the set is safe only when it is the same at all
    hospitals that earlier answers described. The complement has a threshold of its own.
    `rank`: independent answers so far, these sets included. `rule` and `label` say what is wrong
    first, for the site's own audit log; they never leave it.
    """

    flagged: tuple[bool, ...]
    bound: tuple[int, ...]
    told: tuple[bool, ...]
    complement_flagged: bool = False
    complement_bound: int = 0
    rank: int = 0
    rule: str = ""
    label: str = ""

    @property
    def ok(self) -> bool:
        """Tell whether nothing is flagged."""
        return not (any(self.flagged) or self.complement_flagged)


@dataclass(frozen=True)
class _Found:
    """The fewest patients, at most t, that one set tells about; 0 for one that is told already.
    `rule` names what made it few, "" when nothing did."""

    least: int
    rule: str
    told: bool


class Auditor:
    """The auditor of one site with everything it has seen. `t` is diff.t_diff.

    `seed` is secret and random. Judging the same sets twice with nothing added in between gives the
    same judgement.
    """

    def __init__(self, t: int, seed: int) -> None:
        self._t = t
        self._closure = Closure(t, seed)
        self._distances = Distances(seed ^ 1)
        self._small = False  # whether fewer than t patients are told about by what was added
        self._last: tuple[tuple[Bitmap, ...], tuple[_Found, ...], Closure] | None = None

    @property
    def rank(self) -> int:
        """How many independent sets were answered about."""
        return self._closure.rank

    def add(self, new_sets: Sequence[NamedSet]) -> None:
        """Remember an answer. Small sets too: at other hospitals they may have been large."""
        found, self._closure = self._look(new_sets)
        self._last = None
        self._small |= any(
            0 < min(one.least or self._t, bitmap.bit_count()) < self._t
            for one, (_, bitmap) in zip(found, new_sets, strict=True)
        )
        for _, bitmap in new_sets:
            self._distances.add(bitmap, _bits(bitmap))
        self._closure.settle()

    def near(self, bitmap: Bitmap) -> list[Bitmap]:
        """The sets so far that are the same or, among large ones, differ in fewer than t slots."""
        if bitmap.bit_count() < self._t:
            return [bitmap] if bitmap in self._distances else []
        found = self._distances.near(bitmap, _bits(bitmap), self._t)
        return [other for other in found if other.bit_count() >= self._t]

    def load(self, answers: Iterable[Sequence[NamedSet]], batch: int = 256) -> None:
        """Remember many answers at once, without a judgement of each: after a start."""
        self._last = None
        for sets in answers:
            for _, bitmap in sets:
                if bitmap not in self._distances:
                    bits = _bits(bitmap)
                    near = self._distances.least(bitmap, bits, self._t)
                    seen = self._closure.add(bits, tries=1)  # they were judged when answered
                    least = min(near, seen.least) if seen.new else bitmap.bit_count()
                    self._small |= 0 < least < self._t
                    self._distances.add(bitmap, bits)
            self._closure.settle(batch)
        self._closure.settle(1)

    def judge(
        self, new_sets: Sequence[NamedSet], population: Bitmap, t_complement: int
    ) -> Judgement:
        """Judge the sets of one question; the first of `new_sets` is its analysis set.

        `population` holds everyone who could be in the analysis set: the study's consenting
        patients; those outside are none or at least `t_complement`. Nothing is remembered.
        """
        found, closure = self._look(new_sets)
        flagged = tuple(one.rule != "" for one in found)
        outside = (population & ~new_sets[0][1]).bit_count()
        rule, label = "", ""
        if 0 < outside < t_complement:
            rule, label = "complement_small", new_sets[0][0]
        for (name, _), one, bad in zip(new_sets, found, flagged, strict=True):
            if bad and not rule:
                rule, label = one.rule, name
        return Judgement(
            flagged=flagged,
            bound=tuple(one.least for one in found),
            told=tuple(one.told for one in found),
            complement_flagged=0 < outside < t_complement,
            complement_bound=min(outside, t_complement),
            rank=closure.rank,
            rule=rule,
            label=label,
        )

    def judge_nobody(self, sets: int) -> Judgement:
        """The judgement when so many sets are empty, because this hospital has too few patients to
        take part. What it answered earlier still counts."""
        nothing = (False,) * sets
        return Judgement(nothing, (0,) * sets, (self._small,) * sets, rank=self.rank)

    def _look(self, new_sets: Sequence[NamedSet]) -> tuple[tuple[_Found, ...], Closure]:
        """What each set tells, and the closure with all of them.

        The cohort is held against the analysis set, too: an answer gives both numbers. The others
        come after those two, from small to large, so that a cell that is small here makes itself
        conspicuous and not the larger cells from which it follows by subtraction. A set that
        follows from others of this answer, as the last cell of a table does everywhere, counts for
        what it tells without them: what one answer tells is for method and gate to judge.
        """
        bitmaps = tuple(bitmap for _, bitmap in new_sets)
        if self._last is not None and self._last[0] == bitmaps:
            return self._last[1:]
        places = range(len(new_sets))
        cohort = [place for place in places if place > 0 and new_sets[place][0] == COHORT]
        rest = sorted({*places} - {0, *cohort}, key=lambda place: bitmaps[place].bit_count())
        found: dict[int, _Found] = {}
        closure, small = self._closure.trial(), self._small
        alone = closure
        of_place: dict[int, tuple[Bits, Reals]] = {}
        order = (0, *cohort, *rest)
        for at, place in enumerate(order):
            if place not in of_place:
                some = order[at : at + _AT_ONCE]
                sets = [_bits(bitmaps[each]) for each in some]
                digests = closure.digests(sets)
                of_place = dict(zip(some, zip(sets, digests, strict=True), strict=True))
            bits, digest = of_place[place]
            if place in rest[:1]:
                alone = closure.trial()
            seen = closure.add(bits, digest=digest)
            if place in rest and not seen.new:
                seen = alone.trial().add(bits, digest=digest)
            found[place] = self._found(bitmaps[place], bits, seen, small)
            if place in cohort and bitmaps[place] == bitmaps[0]:
                # Nobody lacks a value here. Elsewhere a few may.
                found[place] = _Found(0, "", told=True)
            small |= 0 < min(found[place].least or self._t, bitmaps[place].bit_count()) < self._t
        self._last = (bitmaps, tuple(found[place] for place in places), closure)
        return self._last[1:]

    def _found(self, bitmap: Bitmap, bits: Bits, seen: Seen, small: bool) -> _Found:
        weight = bitmap.bit_count()
        near = self._distances.least(bitmap, bits, self._t)
        if not seen.new:
            # Near to another it has to be recognised, as one among small groups has to be.
            return _Found(0, "", told=small or 0 < weight < self._t or near < self._t)
        least = min(weight, near, seen.least)
        if least == self._t:
            return _Found(least, "", told=False)
        if weight < self._t:
            return _Found(least, "set_small", told=False)
        return _Found(least, "sets_differ_little" if near == least else "combination_small", False)


def _bits(bitmap: Bitmap) -> Bits:
    """Noughts and ones, one per slot."""
    data = bitmap.to_bytes((bitmap.bit_length() + 7) // 8, "little")
    return np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
