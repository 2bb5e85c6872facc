"""Whose yes is needed for each patient of a consent list, and who of them gave it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from consent.evidence import Packed
from consent.rule import ALONE, SELF
from consent.snapshot import NO_END, Mask
from federation.site import parties
from federation.site.proofs import NEVER

Moments = NDArray[np.int64]


@dataclass(frozen=True)
class Voices:
    """The acts of a list that hold, and who must have made them.

    moments: per act when it counts from, or NEVER. several: by place in the list those for whom not
    the patient alone decides, with everybody whose yes is needed; nobody there means that nothing
    opens.
    """

    evidence: Packed
    moments: Moments
    several: Mapping[int, frozenset[str]]
    patients: int

    @classmethod
    def of(
        cls,
        database: sqlite3.Connection,
        evidence: Packed,
        moments: Moments,
        place: Mapping[bytes, int],
        now: datetime,
    ) -> Voices:
        """By the books as they are. place: of each handle in the list."""
        several = {
            place[handle]: needed
            for handle, needed in parties.needs(database, now).items()
            if handle in place and needed != ALONE
        }
        grown = np.full(len(place), NEVER, np.int64)
        for handle, since in parties.grown_up_since(database, now).items():
            if handle in place:
                grown[place[handle]] = since
        acts = evidence.acts
        early = (acts["party"] == _number(evidence, SELF)) & (moments < grown[acts["handle"]])
        return cls(evidence, np.where(early, NEVER, moments), several, len(place))

    def naming(self, study: str, item: str) -> NDArray[np.intp]:
        """The acts that hold and say yes to an item of a study."""
        evidence, acts = self.evidence, self.evidence.acts
        if study not in evidence.studies or item not in evidence.items:
            return np.zeros(0, np.intp)
        bit = np.uint64(1 << evidence.items.index(item))
        return np.flatnonzero(
            (acts["study"] == evidence.studies.index(study))
            & ((acts["items"] & bit) != 0)
            & (self.moments != NEVER)
        )

    def agreed(
        self, study: str, item: str, denied: Moments, own: frozenset[int]
    ) -> tuple[Mask, Moments]:
        """Who has everybody's yes to an item after the newest "no", and since when.

        denied: per patient the newest "no", or NEVER. own: places of those who said such a "no" in
        person, who must then agree themselves. Since: of each person the first yes that stands, of
        these the last; without meaning where nobody agreed.
        """
        handles, spoken_by = self.evidence.acts["handle"], self.evidence.acts["party"]
        named = self.naming(study, item)
        named = named[self.moments[named] > denied[handles[named]]]
        mine = named[spoken_by[named] == _number(self.evidence, SELF)]
        since = np.full(self.patients, NO_END, np.int64)
        np.minimum.at(since, handles[mine], self.moments[mine])
        agreed = since < NO_END
        if self.several:
            said = self._first_words(named)
            for place, needed in self.several.items():
                wanted = with_own(needed, place in own)
                words = said.get(place, {})
                agreed[place] = bool(wanted) and wanted <= words.keys()
                if agreed[place]:
                    since[place] = max(words[party] for party in wanted)
        return agreed, since

    def _first_words(self, named: NDArray[np.intp]) -> dict[int, dict[str, int]]:
        """By place, for those for whom several must agree, each person's first yes among acts."""
        here = np.zeros(self.patients, np.bool_)
        here[list(self.several)] = True
        return self._words(named[here[self.evidence.acts["handle"][named]]], min)

    def last_words(self, study: str, item: str) -> dict[int, dict[str, int]]:
        """By place each person's last yes to an item."""
        return self._words(self.naming(study, item), max)

    def _words(
        self, named: NDArray[np.intp], of: Callable[[int, int], int]
    ) -> dict[int, dict[str, int]]:
        """By place each person's yes among acts: the first (`min`) or the last (`max`)."""
        acts = self.evidence.acts
        found: dict[int, dict[str, int]] = {}
        for place, party, at in zip(
            acts["handle"][named].tolist(),
            acts["party"][named].tolist(),
            self.moments[named].tolist(),
            strict=True,
        ):
            words, name = found.setdefault(place, {}), self.evidence.parties[party]
            words[name] = of(at, words.get(name, at))
        return found


def with_own(needed: frozenset[str], own: bool) -> frozenset[str]:
    """Whose yes is needed after a "no", which was the patient's in person or not."""
    return needed | {SELF} if own and needed else needed


def _number(evidence: Packed, party: str) -> int:
    """The number of a party in the acts; one that no act has when nobody spoke as this party."""
    return evidence.parties.index(party) if party in evidence.parties else len(evidence.parties)
