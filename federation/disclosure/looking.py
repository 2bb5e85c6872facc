"""The look before every protected run: may these sets of patients be answered about, together?

In step 0 each hospital sends, under masks, counts only: its contribution, its population, and for
each set of patients that the answer would describe a vote of its history auditor. Every hospital
adds the votes of all up by itself before a sum leaves it, and so does the hub; `agree` is the one
rule for both.

Why votes can be added: a combination of pooled answers describes as many patients as it describes
at all hospitals together. A hospital's `bound` is the least number that any combination with the
set describes there, so the sum of the bounds is a lower bound for the pooled number. Each bound is
capped at half the threshold, so that no hospital vouches alone: one that knows its own part and
takes it off still has another's in front of it (disclosure.md 4.5, v2, without telling anybody by
how many patients two answers differ at one hospital).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from federation.disclosure.gate import check_contribution
from federation.disclosure.marks import (
    WORDS,
    Mark,
    mark_of,
    mark_text,
    pooled_marks,
    sums_of,
)
from federation.query.refusals import Refused
from federation.query.terms import Terms

COHORT: Final = "cohort"
"""The label of the set of everyone in the cohort. An answer gives n and the number of patients with
a missing value, so the cohort is a released set beside the analysis set."""

LOOK: Final = "look"
"""The name of step 0 under protection. No analysis has a step of this name."""

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Alone:
    """What a vote adds where each hospital answers by itself.

    `objects`: this hospital gives no answer, and those of the others would tell what it holds
    back. `n`: its patients in the sums that are added up all the same, nought for none (the model
    by which hospitals are measured). `marks`: its part of what the sets of all hospitals, also of
    those that give no answer, are recognised by.
    """

    objects: bool
    n: int
    marks: tuple[Mark, ...]

    def sums(self) -> Arrays:
        """As they travel, under masks."""
        return {
            "look.objects": np.array([self.objects], np.int64),
            "look.weighs": np.array([self.n > 0, self.n, self.n * self.n], np.int64),
            "look.whole": sums_of(self.marks, len(self.marks)),
        }

    def to_json(self) -> list[Any]:
        """As Votes.to_json."""
        return [int(self.objects), self.n, [mark_text(mark) for mark in self.marks]]

    @classmethod
    def from_json(cls, kept: Sequence[Any]) -> Alone:
        """What `to_json` wrote."""
        return cls(bool(kept[0]), kept[1], tuple(mark_of(text) for text in kept[2]))


@dataclass(frozen=True)
class Votes:
    """What one hospital's auditor says; per set of the answer, in order.

    `flagged`: a combination with earlier answers describes some, but fewer than t, patients here.
    `bound`: any combination with it describes at least so many here, at most `cap(t)`.
    `told`: earlier answers tell of this set here, and of small groups too. `marks`: this hospital's
    part of what the set is recognised by. The same for the complement, flag and bound: the
    patients of the study who are not in the cohort. `population`: the patients who could have been
    in the cohort. `rank`: independent answers of this hospital so far, these sets included.
    `entries`: answers in its ledger when it said this. Both stay here. `alone`: where each hospital
    answers by itself, what that adds to a vote; None for a pooled question.
    """

    flagged: tuple[bool, ...]
    bound: tuple[int, ...]
    told: tuple[bool, ...]
    marks: tuple[Mark, ...]
    complement_flagged: bool = False
    complement_bound: int = 0
    population: int = 0
    rank: int = 0
    entries: int = 0
    alone: Alone | None = None

    @classmethod
    def none(cls, sets: int) -> Votes:
        """Nothing to say: a hospital that contributes nothing."""
        return cls((False,) * sets, (0,) * sets, (False,) * sets, ((0,) * WORDS,) * sets)

    def same(self, other: Votes) -> bool:
        """Whether both say the same of sets and complement; the study may have grown meanwhile.

        Before the same history they do: what a combination is looked at by may be chosen at random,
        and either opinion is good.
        """
        if self.entries == other.entries:
            return True
        alike = (
            self.flagged == other.flagged
            and self.complement_flagged == other.complement_flagged
            and self.complement_bound == other.complement_bound
            and self.alone == other.alone
        )
        if alike and self.alone is not None and self.alone.n == 0:
            return True  # nothing of it is added, so that only what it hides by itself counts
        return (
            alike
            and self.bound == other.bound
            and self.told == other.told
            and self.marks == other.marks
        )

    def to_json(self) -> dict[str, Any]:
        """Plain lists and numbers, for the hospital's own journal."""
        return {
            "flagged": [int(vote) for vote in self.flagged],
            "bound": list(self.bound),
            "told": [int(vote) for vote in self.told],
            "marks": [mark_text(mark) for mark in self.marks],
            "complement": [int(self.complement_flagged), self.complement_bound],
            "population": self.population,
            "rank": self.rank,
            "entries": self.entries,
            "alone": None if self.alone is None else self.alone.to_json(),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Votes:
        """What `to_json` wrote."""
        return cls(
            tuple(bool(vote) for vote in kept["flagged"]),
            tuple(kept["bound"]),
            tuple(bool(vote) for vote in kept["told"]),
            tuple(mark_of(text) for text in kept["marks"]),
            bool(kept["complement"][0]),
            kept["complement"][1],
            kept["population"],
            kept["rank"],
            kept["entries"],
            Alone.from_json(kept["alone"]) if kept.get("alone") else None,
        )

    def sums(self) -> Arrays:
        """As they travel, under masks: int64 arrays that add up over the hospitals."""
        made = {} if self.alone is None else self.alone.sums()
        # Of a hospital that adds nothing no set is in a sum, and none of its patients vouch.
        adds = int(self.alone is None or self.alone.n > 0)
        return made | {
            "look.flagged": adds * np.array(self.flagged, np.int64),
            "look.bound": adds * np.array(self.bound, np.int64),
            "look.told": adds * np.array(self.told, np.int64),
            "look.marks": sums_of(self.marks, len(self.bound)),
            "look.complement": np.array([self.complement_flagged, self.complement_bound], np.int64),
            "look.population": np.array([self.population], np.int64),
        }


@dataclass(frozen=True)
class Agreement:
    """The run may go on. `hidden`: labels of cells that must not be shown. `doubted`: cells that
    this hospital does not recognise as a combination of earlier answers, though some history tells
    them; they must not be shown either. `told`: all cells that some history tells. `analysis_told`:
    so it does of the analysis set. `population`: pooled. `marks`: of all sets but a cohort of which
    the number of missing values is held back. `model`: sums may be added; only where each hospital
    answers by itself can it do so without. `whole`: there the marks of the sets of all hospitals.
    """

    hidden: frozenset[str]
    population: int
    doubted: frozenset[str] = frozenset()
    told: frozenset[str] = frozenset()
    marks: Mapping[str, Mark] = field(default_factory=dict)
    analysis_told: bool = False
    model: bool = True
    whole: Mapping[str, Mark] = field(default_factory=dict)

    def check_rank(self, rank: int, share: float) -> None:
        """Rule H6: a hospital's independent answers may not exceed `share` of all patients.

        Refused BUDGET. Each hospital checks its own number; as long as there are few equations
        for the patients there are, they cannot be solved for any of them.
        """
        if rank > share * self.population:
            raise Refused("BUDGET")


def cap(t: int) -> int:
    """The most that one hospital's vote weighs: half the threshold, rounded up."""
    return (t + 1) // 2


_DOUBT: Final = "look.doubt"


def doubts(labels: Sequence[str], doubted: Collection[str]) -> Arrays:
    """What a hospital sends along with its first sums: which sets it does not recognise."""
    return {_DOUBT: np.array([label in doubted for label in labels], np.int64)}


def take_doubts(pooled: Arrays, labels: Sequence[str]) -> frozenset[str]:
    """Remove the doubts from `pooled`: the labels on which some hospital has one."""
    found = pooled.pop(_DOUBT, np.zeros(0, np.int64))
    return frozenset(label for label, n in zip(labels, found.tolist(), strict=False) if n > 0)


Recognises = Callable[[Mapping[str, Mark]], Collection[str]]
"""Which of these sets, by label and mark, earlier answers make up at all hospitals alike. The
analysis set comes first; the others may be made up of earlier answers and of that one."""


def agree(
    pooled: Mapping[str, npt.NDArray[Any]],
    labels: Sequence[str],
    cells: Collection[str],
    t: int,
    t_complement: int,
    recognises: Recognises | None = None,
    terms: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    alone: Terms | None = None,
    recognises_whole: Recognises | None = None,
) -> Agreement:
    """Judge the added votes; `labels` are those of the sets, in order.

    A set on which a hospital raised its flag needs bounds that add up to `t`. Without them a cell
    of a table (`cells`) is hidden, of the cohort the number of patients with a missing value
    (label COHORT), a level of a model (`terms`: label to the names of its terms) makes it Refused
    MODEL_TOO_RICH with those names, and any other set ends the run: Refused SMALL_GROUP. Refused
    PROTOCOL when the votes are not one per set.

    A set that earlier answers tell somewhere needs those bounds, too, unless it is recognised: one
    hospital may have been told more than the others. Hospitals recognise; the hub (None) takes
    their word for it. As in each hospital's own judgement, the analysis set counts among what is
    told: without its bounds, or when it is not recognised itself, the run ends here.

    `alone`: the thresholds of a question that each hospital answers by itself. Only what is added
    up beside that (a model) is about more than one of them, and only they vote who are in it. Where
    it may not be added, or too few are in it, the hospitals answer without it. Refused SMALL_GROUP
    when one of them objects. A set is recognised there also by the patients of all hospitals
    together (`recognises_whole`), of whom one may give no answer.
    """
    flagged, bound = pooled.get("look.flagged"), pooled.get("look.bound")
    told, marks = pooled.get("look.told"), pooled.get("look.marks")
    complement, population = pooled.get("look.complement"), pooled.get("look.population")
    shape = (len(labels),)
    if (
        flagged is None
        or bound is None
        or told is None
        or marks is None
        or complement is None
        or population is None
        or (flagged.shape, bound.shape, told.shape) != (shape, shape, shape)
        or marks.shape != (*shape, WORDS)
        or (complement.shape, population.shape) != ((2,), (1,))
    ):
        raise Refused("PROTOCOL")
    if complement[0] > 0 and complement[1] < t_complement:
        raise Refused("SMALL_GROUP")
    by_label = dict(zip(labels, pooled_marks(marks), strict=True))
    near = [place for place in range(len(labels)) if bound[place] < t]
    unsafe = {labels[place] for place in near if flagged[place] > 0}
    open_to_doubt = {labels[place] for place in near if told[place] > 0} - unsafe
    model, whole = True, {}
    if alone is not None:
        whole = _whole(pooled, labels)
        model = _enough(pooled, alone) and not unsafe - {*cells, COHORT}
    doubted: set[str] = set()
    if recognises is not None and open_to_doubt:
        asked = [labels[0], *(label for label in labels[1:] if label in open_to_doubt)]
        doubted = open_to_doubt - set(recognises({label: by_label[label] for label in asked}))
        if doubted and recognises_whole is not None:
            doubted -= set(recognises_whole({label: whole[label] for label in asked}))
    if by_label[COHORT] == by_label[labels[0]]:
        doubted.discard(COHORT)  # nobody lacks a value
    hideable = {*cells, COHORT}
    beyond = (unsafe | doubted) - hideable if model else set()
    if beyond and beyond <= set(terms):
        names = [name for label in labels if label in beyond for name in terms[label]]
        raise Refused("MODEL_TOO_RICH", tuple(dict.fromkeys(names)))
    if beyond:
        raise Refused("SMALL_GROUP")
    held_back = (unsafe | doubted) - set(cells)
    return Agreement(
        frozenset(unsafe),
        int(population[0]),
        doubted=frozenset(doubted),
        told=frozenset(open_to_doubt & set(cells)),
        # A number of missing values that is held back must not be told by a later total.
        marks={label: mark for label, mark in by_label.items() if label not in held_back},
        analysis_told=labels[0] in open_to_doubt,
        model=model,
        whole={label: mark for label, mark in whole.items() if label not in held_back},
    )


def _whole(pooled: Mapping[str, npt.NDArray[Any]], labels: Sequence[str]) -> dict[str, Mark]:
    """The marks of the sets of all hospitals. Refused PROTOCOL when the votes do not say."""
    found = pooled.get("look.whole")
    if found is None or found.shape != (len(labels), WORDS):
        raise Refused("PROTOCOL")
    return dict(zip(labels, pooled_marks(found), strict=True))


def _enough(pooled: Mapping[str, npt.NDArray[Any]], terms: Terms) -> bool:
    """Whether sums may be added where each hospital answers alone. Raises Refused SMALL_GROUP when
    a hospital objects to the answers of the others, and PROTOCOL when the votes do not say."""
    objects, weighs = pooled.get("look.objects"), pooled.get("look.weighs")
    if objects is None or weighs is None or (objects.shape, weighs.shape) != ((1,), (3,)):
        raise Refused("PROTOCOL")
    if objects[0] > 0:
        raise Refused("SMALL_GROUP")
    try:
        check_contribution(int(weighs[0]), int(weighs[1]), int(weighs[2]), terms)
    except Refused:
        return False
    return True
