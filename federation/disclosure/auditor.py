"""The history auditor: may these sets of patients be answered about, given all earlier ones?

Pure: a set is a Python int used as a bitmap over slots, one slot per version of a patient's row at
this site (disclosure.md sections 4.5 and 4.7). The ledger that keeps them is the site's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from federation.query.refusals import Refused

CODE: Final = "SMALL_GROUP"  # every rule here has the same public code (P6)
COHORT: Final = "cohort"
"""The label of the set of everyone in the cohort. An answer gives n and the number of patients with
a missing value, so the cohort is a released set beside the analysis set."""

Bitmap = int
NamedSet = tuple[str, Bitmap]


@dataclass(frozen=True)
class Answered:
    """The sets of one earlier answer, in the order of `Method.sets`: the analysis set first."""

    question_sha256: str
    sets: tuple[NamedSet, ...]

    @property
    def analysis(self) -> Bitmap:
        """Return the patients that the answer was about."""
        return self.sets[0][1]

    @property
    def cohort(self) -> Bitmap:
        """Return the patients that the answer was about, and those with a missing value."""
        return _cohort(self.sets)


@dataclass(frozen=True)
class Judgement:
    """What this hospital's auditor says about the sets of one question, in their order.

    `flagged`: some combination of the set with earlier answers describes at least one but fewer
    than t patients here. `bound`: every combination with it that the auditor can see describes at
    least so many patients here, at most t (0 when the set is empty or told by earlier answers).
    The same for the complement, against t_complement. `rank`: independent answers so far, these
    sets included. `rule` and `label` name the first rule that would refuse the answer if this
    hospital were alone; they are for the site's own audit log and never leave it.
    """

    flagged: tuple[bool, ...]
    bound: tuple[int, ...]
    complement_flagged: bool = False
    complement_bound: int = 0
    rank: int = 0
    rule: str = ""
    label: str = ""

    @property
    def ok(self) -> bool:
        """Tell whether nothing is flagged."""
        return not (any(self.flagged) or self.complement_flagged)

    def check(self) -> None:
        """Raise Refused SMALL_GROUP when this hospital alone would refuse."""
        if self.rule:
            raise Refused(CODE)


class Auditor:
    """The auditor of one site with everything it has seen. `t` is diff.t_diff."""

    def __init__(self, t: int, t_complement: int | None = None) -> None:
        self._t = t
        self._t_complement = t if t_complement is None else t_complement
        self._history: list[Answered] = []

    @property
    def rank(self) -> int:
        """How many independent answers were given."""
        return len({bits for answered in self._history for _, bits in answered.sets})

    def add(self, new_sets: Sequence[NamedSet]) -> None:
        """Remember an answer. Small sets too: at other hospitals they may have been large."""
        self._history.append(Answered("", tuple(new_sets)))

    def judge(self, new_sets: Sequence[NamedSet], population: Bitmap) -> Judgement:
        """Judge the sets of one question; the first of `new_sets` is its analysis set.

        `population` holds everyone who could be in the analysis set: the study's consenting
        patients. Nothing is remembered.
        """
        verdict = judge(new_sets, self._history, population, self._t, self._t_complement)
        outside = (population & ~new_sets[0][1]).bit_count()
        flagged, bound = [], []
        for _, bits in new_sets:
            least = min([bits.bit_count(), *self._distances(bits)])
            flagged.append(0 < least < self._t)
            bound.append(min(least, self._t))
        return Judgement(
            tuple(flagged),
            tuple(bound),
            0 < outside < self._t_complement,
            min(outside, self._t_complement),
            self.rank,
            verdict.rule,
            verdict.label,
        )

    def _distances(self, bits: Bitmap) -> Iterable[int]:
        for answered in self._history:
            for _, old in answered.sets:
                yield (bits ^ old).bit_count()


@dataclass(frozen=True)
class Verdict:
    """The outcome. `rule` and `label` are for the site's own audit log and never leave it."""

    ok: bool
    rule: str = ""
    label: str = ""

    def check(self) -> None:
        """Raise Refused SMALL_GROUP unless ok."""
        if not self.ok:
            raise Refused(CODE)


OK: Final = Verdict(ok=True)


def judge(
    new_sets: Sequence[NamedSet],
    history: Iterable[Answered],
    population: Bitmap,
    t: int,
    t_complement: int | None = None,
) -> Verdict:
    """Judge the sets of one question; the first of `new_sets` is its analysis set.

    `population` holds everyone who could be in the analysis set: the study's consenting patients.
    `t` is diff.t_diff; `t_complement` defaults to it. With t 0 nothing is refused. A small set that
    is not the analysis set is no reason to refuse: it is masked, and hidden in the pooled table.
    """
    label, analysis = new_sets[0]
    if _is_small(analysis, t):
        return Verdict(False, "analysis_set_small", label)
    if _is_small(population & ~analysis, t if t_complement is None else t_complement):
        return Verdict(False, "complement_small", label)
    cohort = _cohort(new_sets)
    large = [(name, bits) for name, bits in new_sets if bits.bit_count() >= t]
    for earlier in history:
        if _is_small(analysis ^ earlier.analysis, t):
            return Verdict(False, "analysis_sets_differ_little", label)
        if _is_small(cohort ^ earlier.cohort, t):
            # The same complete cases, or nearly so, but one patient less among the missing.
            return Verdict(False, "cohorts_differ_little", COHORT)
        if analysis == earlier.analysis:
            continue  # the same patients, divided otherwise: the release gate judges the cells
        if _slices(new_sets, earlier.sets, t) or _slices(earlier.sets, new_sets, t):
            return Verdict(False, "slice_of_a_table", label)
        for _, old in earlier.sets:
            if old.bit_count() < t:
                continue
            for name, bits in large:
                if _is_small(bits ^ old, t):
                    return Verdict(False, "sets_differ_little", name)
    return OK


def _slices(part: Sequence[NamedSet], table: Sequence[NamedSet], t: int) -> bool:
    """Tell whether `part` divides a slice of `table` again, with a small set in it.

    Each table hides its small cells with complements of its own choice. A table and one of its rows
    asked alone may choose others, and then the two together give the small cell by subtraction.
    """
    whole, cells = part[0][1], [bits for _, bits in table[1:]]
    if whole & ~table[0][1] or not _is_union(whole, cells):
        return False
    return any(_is_small(bits, t) and _is_union(bits, cells) for _, bits in part[1:])


def _is_union(whole: Bitmap, cells: Sequence[Bitmap]) -> bool:
    found = 0
    for bits in cells:
        if not bits & ~whole:
            found |= bits
    return found == whole


def _cohort(sets: Sequence[NamedSet]) -> Bitmap:
    """The set called COHORT; without one nobody has a missing value."""
    return next((bits for label, bits in sets if label == COHORT), sets[0][1])


def _is_small(bits: Bitmap, t: int) -> bool:
    return 0 < bits.bit_count() < t
