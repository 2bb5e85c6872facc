"""Whose yes is needed for each patient of a consent list, and who of them gave it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from consent.evidence import Packed
from consent.periods import Periods
from consent.rule import ALONE, SELF
from consent.snapshot import NO_END, Mask
from federation.site.choices import parties
from federation.site.choices.proofs import NEVER
from federation.site.store import milliseconds

Moments = NDArray[np.int64]


@dataclass(frozen=True)
class Agreed:
    """Who has everybody's yes to an item, and of which time, in milliseconds.

    since: from when each person says yes without a gap, of these the last. newest: of each person
    the newest yes, of these the first. Both without meaning where nobody agreed.
    """

    mask: Mask
    since: Moments
    newest: Moments


@dataclass(frozen=True)
class Voices:
    """The acts of a list that hold, and who must have made them.

    heard: per act when it was said, or NEVER where that is not proved. moments: when it counts
    from, or NEVER; a yes ends `periods.use` after it. several: by place in the list those for whom
    not the patient alone decides, with everybody whose yes is needed; nobody there means that
    nothing opens. at: the moment of this, by the clock here. periods: how long a yes lasts here.
    """

    evidence: Packed
    heard: Moments
    moments: Moments
    several: Mapping[int, frozenset[str]]
    patients: int
    at: int
    periods: Periods

    @classmethod
    def of(
        cls,
        database: sqlite3.Connection,
        evidence: Packed,
        moments: Moments,
        place: Mapping[bytes, int],
        now: datetime,
        periods: Periods,
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
        early |= _before_begun(parties.begun_at(database), evidence, moments, place)
        at = milliseconds(now)
        ended = moments <= at - _ms(periods.use)
        counting = np.where(early | ended, NEVER, moments)
        return cls(evidence, moments, counting, several, len(place), at, periods)

    @property
    def renewal(self) -> int:
        """So long after the newest yes of each person new data count, in milliseconds."""
        return _ms(self.periods.renewal)

    @property
    def changes_at(self) -> int:
        """When a yes that counts ends, or is due to be renewed, next; NO_END for never."""
        made = self.moments[self.moments != NEVER]
        coming = [made + _ms(period) for period in (self.periods.renewal, self.periods.use)]
        return min(int(each[each > self.at].min(initial=NO_END)) for each in coming)

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

    def agreed(self, study: str, item: str, denied: Moments, own: frozenset[int]) -> Agreed:
        """Who has everybody's yes to an item after the newest "no", and of which time.

        denied: per patient the newest "no", or NEVER. own: places of those who said such a "no" in
        person, who must then agree themselves.
        """
        acts = self.evidence.acts
        named = self.naming(study, item)
        named = named[self.moments[named] > denied[acts["handle"][named]]]
        said = self._lasting(named)
        mine = said.party == _number(self.evidence, SELF)
        since = np.full(self.patients, NO_END, np.int64)
        newest = np.full(self.patients, NEVER, np.int64)
        since[said.handle[mine]], newest[said.handle[mine]] = said.since[mine], said.newest[mine]
        agreed = since < NO_END
        if self.several:
            by_place = self._by_place(said)
            for place, needed in self.several.items():
                wanted = with_own(needed, place in own)
                words = by_place.get(place, {})
                agreed[place] = bool(wanted) and wanted <= words.keys()
                if agreed[place]:
                    since[place] = max(words[party][0] for party in wanted)
                    newest[place] = min(words[party][1] for party in wanted)
        return Agreed(agreed, since, newest)

    def _lasting(self, named: NDArray[np.intp]) -> _Said:
        """Per patient and person since when they say yes in these acts without a gap, which is a
        renewal that was missed, and their newest yes."""
        acts, moments = self.evidence.acts, self.moments[named]
        handle, party = acts["handle"][named], acts["party"][named]
        order = np.lexsort((moments, party, handle))
        handle, party, moments = handle[order], party[order], moments[order]
        other = np.ones(len(order), np.bool_)
        other[1:] = (handle[1:] != handle[:-1]) | (party[1:] != party[:-1])
        begins = other.copy()
        begins[1:] |= moments[1:] - moments[:-1] >= self.renewal
        last = np.flatnonzero(np.append(other[1:], [True] * (len(order) > 0)))
        # In order of time, so of each person the last one that begins.
        start = np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))
        return _Said(handle[last], party[last], moments[start[last]], moments[last])

    def _by_place(self, said: _Said) -> dict[int, dict[str, tuple[int, int]]]:
        """By place, for those for whom several must agree, since when each person says yes and
        their newest yes."""
        here = np.zeros(self.patients, np.bool_)
        here[list(self.several)] = True
        rows = np.flatnonzero(here[said.handle])
        found: dict[int, dict[str, tuple[int, int]]] = {}
        for place, party, since, newest in zip(
            *(each[rows].tolist() for each in (said.handle, said.party, said.since, said.newest)),
            strict=True,
        ):
            found.setdefault(place, {})[self.evidence.parties[party]] = (since, newest)
        return found

    def last_words(self, study: str, item: str) -> dict[int, dict[str, int]]:
        """By place each person's last yes to an item."""
        acts = self.evidence.acts
        named = self.naming(study, item)
        found: dict[int, dict[str, int]] = {}
        for place, party, at in zip(
            acts["handle"][named].tolist(),
            acts["party"][named].tolist(),
            self.moments[named].tolist(),
            strict=True,
        ):
            words, name = found.setdefault(place, {}), self.evidence.parties[party]
            words[name] = max(at, words.get(name, at))
        return found


@dataclass(frozen=True)
class _Said:
    """Per patient and person who says yes: since when without a gap, and the newest time."""

    handle: NDArray[np.uint32]
    party: NDArray[np.uint16]
    since: Moments
    newest: Moments


def _before_begun(
    begun: Mapping[tuple[bytes, str], int],
    evidence: Packed,
    moments: Moments,
    place: Mapping[bytes, int],
) -> Mask:
    """The acts that a representative made before their appointment began."""
    acts, people = evidence.acts, len(evidence.parties)
    number = {party: at for at, party in enumerate(evidence.parties)}
    starts = {
        place[handle] * people + number[party]: start
        for (handle, party), start in begun.items()
        if handle in place and party in number
    }
    if not starts:
        return np.zeros(len(moments), np.bool_)
    who = np.array(sorted(starts), np.int64)
    since = np.array([starts[each] for each in who.tolist()], np.int64)
    spoke = acts["handle"].astype(np.int64) * people + acts["party"]
    at = np.minimum(np.searchsorted(who, spoke), len(who) - 1)
    return np.asarray((who[at] == spoke) & (moments < since[at]))


def with_own(needed: frozenset[str], own: bool) -> frozenset[str]:
    """Whose yes is needed after a "no", which was the patient's in person or not."""
    return needed | {SELF} if own and needed else needed


def _ms(period: timedelta) -> int:
    return period // timedelta(milliseconds=1)


def _number(evidence: Packed, party: str) -> int:
    """The number of a party in the acts; one that no act has when nobody spoke as this party."""
    return evidence.parties.index(party) if party in evidence.parties else len(evidence.parties)
