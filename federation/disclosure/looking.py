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

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from federation.query.refusals import Refused

LOOK: Final = "look"
"""The name of step 0 under protection. No analysis has a step of this name."""

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Votes:
    """What one hospital's auditor says; per set of the answer, in order.

    `flagged`: a combination with earlier answers describes some, but fewer than t, patients here.
    `bound`: any combination with it describes at least so many here, at most `cap(t)`. The same
    for the complement: the patients of the study who are not in the cohort. `population`: the
    patients who could have been in the cohort. `rank`: independent answers of this hospital so
    far, these sets included; it stays here.
    """

    flagged: tuple[bool, ...]
    bound: tuple[int, ...]
    complement_flagged: bool = False
    complement_bound: int = 0
    population: int = 0
    rank: int = 0

    @classmethod
    def none(cls, sets: int) -> Votes:
        """Nothing to say: a hospital that contributes nothing."""
        return cls((False,) * sets, (0,) * sets)

    def to_json(self) -> dict[str, Any]:
        """Plain lists and numbers, for the hospital's own journal."""
        return {
            "flagged": [int(vote) for vote in self.flagged],
            "bound": list(self.bound),
            "complement": [int(self.complement_flagged), self.complement_bound],
            "population": self.population,
            "rank": self.rank,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Votes:
        """What `to_json` wrote."""
        return cls(
            tuple(bool(vote) for vote in kept["flagged"]),
            tuple(kept["bound"]),
            bool(kept["complement"][0]),
            kept["complement"][1],
            kept["population"],
            kept["rank"],
        )

    def sums(self) -> Arrays:
        """As they travel, under masks: int64 arrays that add up over the hospitals."""
        return {
            "look.flagged": np.array(self.flagged, np.int64),
            "look.bound": np.array(self.bound, np.int64),
            "look.complement": np.array([self.complement_flagged, self.complement_bound], np.int64),
            "look.population": np.array([self.population], np.int64),
        }


@dataclass(frozen=True)
class Agreement:
    """The run may go on. `hidden`: labels of cells that must not be shown. `population`: pooled."""

    hidden: frozenset[str]
    population: int

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


def agree(
    pooled: Mapping[str, npt.NDArray[Any]],
    labels: Sequence[str],
    cells: Collection[str],
    t: int,
    t_complement: int,
) -> Agreement:
    """Judge the added votes; `labels` are those of the sets, in order.

    A set on which a hospital raised its flag needs bounds that add up to `t`. Without them a cell
    of a table (`cells`) is hidden, and any other set ends the run: Refused SMALL_GROUP. Refused
    PROTOCOL when the votes are not one per set.
    """
    flagged, bound = pooled.get("look.flagged"), pooled.get("look.bound")
    complement, population = pooled.get("look.complement"), pooled.get("look.population")
    shape = (len(labels),)
    if (
        flagged is None
        or bound is None
        or complement is None
        or population is None
        or (flagged.shape, bound.shape) != (shape, shape)
        or (complement.shape, population.shape) != ((2,), (1,))
    ):
        raise Refused("PROTOCOL")
    if complement[0] > 0 and complement[1] < t_complement:
        raise Refused("SMALL_GROUP")
    unsafe = [
        label
        for label, flags, least in zip(labels, flagged.tolist(), bound.tolist(), strict=True)
        if flags > 0 and least < t
    ]
    if not set(unsafe) <= set(cells):
        raise Refused("SMALL_GROUP")
    return Agreement(frozenset(unsafe), int(population[0]))
