"""Whether a yes in a consent list is really the patient's: checked by this hospital's own books.

A bit of a snapshot counts only when every person whose yes is needed made an act that verifies
(federation/site/choices/proofs.py), that names the item and the study, and that is later than every
"no" this hospital ever saw. So nobody at the hub can make a yes (invariant 6), and a yes of before
a "no" does not come back. Of which time the data may be follows from the same acts and the same
"no"s (federation/site/choices/windowing.py), and so does until when a yes lasts: the hub can say
less, never more.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent.evidence import denials_of
from consent.items import ITEMS, with_parents
from consent.periods import MOST_YEARS, Periods, is_period
from consent.rule import ALONE, ANY, COLLECT_NEW
from consent.snapshot import CLOCK_SKEW, NO_END, Mask, Snapshot
from federation.site.choices import denials, parties
from federation.site.choices.notices import Told
from federation.site.choices.places import Places
from federation.site.choices.proofs import NEVER, Proofs
from federation.site.choices.voices import Voices
from federation.site.choices.windowing import windows
from federation.site.store import milliseconds, moment

AFTER_DEATH: Final = "after.death"
AS_DESIGNED: Final = Periods()


class Proving:
    """Reduces a snapshot to what this hospital can prove. One per site program."""

    def __init__(
        self,
        database: sqlite3.Connection,
        *,
        network: str,
        slug: str,
        periods: Periods = AS_DESIGNED,
        notice_days: int | None = None,
    ) -> None:
        self._database = database
        self._told = None if notice_days is None else Told(database, notice_days)
        self._wait: Mask = np.zeros(0, np.bool_)
        self._periods = periods
        self.proofs = Proofs(database, network=network, slug=slug)

    @property
    def waits(self) -> Mask:
        """Who said a yes that waits for its notice, by the handles of the list looked at last."""
        return self._wait

    def remember(self, snapshot: Snapshot, now: datetime) -> None:
        """Keep every "no" of the snapshot for ever. Call inside a transaction.

        None counts as said much after the list was made: else a hub could shut a patient out for
        good.
        """
        latest = _latest(snapshot, now)
        to_new_data = {each[:3] for each in denials.to_new_data(self._database)}
        ended = {(handle, study) for handle, study, _ in to_new_data}
        several = parties.needs(self._database, now)
        for own in (False, True):
            known = denials.newest(self._database, own=own)
            for handle, study, item, said in denials_of(snapshot.evidence, own=own):
                at, further = min(said, latest), False
                if item == COLLECT_NEW:
                    further = (handle, study, at) not in to_new_data
                    if said > latest and (handle, study) in ended:
                        continue  # it would be another one with each list
                if known.get((handle, study, item), NEVER) < at or further:
                    # Who decides alone said it in person, whatever the hub calls it.
                    alone = several.get(handle, ALONE) == ALONE
                    in_person = own or alone
                    denials.close(self._database, handle, study, [item], moment(at), own=in_person)

    def proven(self, snapshot: Snapshot, now: datetime) -> Snapshot:
        """The same snapshot with only the bits that are proved, and with the data windows."""
        periods = _shortest(self._periods, snapshot.further.get("renewal_years"))
        return self._proven(snapshot, now, periods)

    def due(self, snapshot: Snapshot, until: datetime) -> dict[bytes, int]:
        """Whose yes is due to be said again before `until`, by handle, and from when new data do
        not count, in milliseconds. Who wants nothing new is not due."""
        periods = _shortest(self._periods, snapshot.further.get("renewal_years"))
        never = replace(periods, renewal_years=MOST_YEARS)
        asked, kept = (self._proven(snapshot, until, each) for each in (periods, never))
        found: dict[bytes, int] = {}
        if asked.windows is None or kept.windows is None:
            return found
        handles = list(Places(snapshot.handles))
        ends = zip(asked.granted, asked.windows.until, kept.windows.until, strict=True)
        for granted, end, without in ends:
            for place in np.flatnonzero(granted & (end < without) & (without == NO_END)).tolist():
                found[handles[place]] = min(int(end[place]), found.get(handles[place], NO_END))
        return found

    def _proven(self, snapshot: Snapshot, now: datetime, periods: Periods) -> Snapshot:
        place = Places(snapshot.handles)
        moments, changes_at = self._told_of(snapshot, self.moments(snapshot, now), now)
        voices = Voices.of(self._database, snapshot.evidence, moments, place, now, periods)
        known = denials.newest(self._database)
        denied = _newest(snapshot.columns, place, known)
        own = _in_person(snapshot.columns, place, denials.newest(self._database, own=True))
        agreed = [
            voices.agreed(study, item, denied[:, column], own[column])
            for column, (study, item) in enumerate(snapshot.columns)
        ]
        granted = [told & found.mask for told, found in zip(snapshot.granted, agreed, strict=True)]
        whole = _with_parents(snapshot.columns, granted)
        proved = replace(snapshot, granted=self._after_death(snapshot, whole, place))
        new_data = denials.to_new_data(self._database)
        limits = windows(proved, agreed, voices, place, known, new_data)
        limits = replace(limits, changes_at=min(limits.changes_at, changes_at))
        return replace(proved, windows=limits)

    def _told_of(
        self, snapshot: Snapshot, moments: NDArray[np.int64], now: datetime
    ) -> tuple[NDArray[np.int64], int]:
        """The moments with only the yeses that their people were told of, where this hospital wants
        that, and when the next one begins to count."""
        self._wait = np.zeros(len(snapshot.handles), np.bool_)
        if self._told is None:
            return moments, NO_END
        evidence = snapshot.evidence
        places = np.flatnonzero(moments != NEVER)
        marks = self.proofs.marks(evidence, snapshot.handles, places)
        told = self._told.long_enough(marks, evidence.acts.by[places], now)
        self._wait[evidence.acts.handle[places[~told]]] = True
        counting = moments.copy()
        counting[places[~told]] = NEVER
        return counting, self._told.next(now)

    def moments(self, snapshot: Snapshot, now: datetime) -> NDArray[np.int64]:
        """From when each act of the list counts, in milliseconds; NEVER where it is not proved."""
        return self.proofs.moments(snapshot.evidence, snapshot.handles, _latest(snapshot, now))

    def proved(self, snapshot: Snapshot) -> bytes | None:
        """Which acts of the list looked at last letters and passkeys prove; see `trust`."""
        return self.proofs.proved(snapshot.evidence)

    def trust(self, snapshot: Snapshot, proved: bytes | None) -> None:
        """Do not work out again what was worked out of this very list, and kept with it."""
        self.proofs.trust(snapshot.evidence, proved)

    def forget(self) -> None:
        """Let go of the evidence of the list looked at last."""
        self.proofs.forget()

    def count_unproven(self, told: Snapshot, proven: Snapshot) -> int:
        """Of how many patients something was told that could not be proved, of the list that was
        looked at last."""
        lost = np.zeros(len(told.handles), np.bool_)
        for one, other in zip(told.granted, proven.granted, strict=True):
            lost |= one & ~other
        # Who was not told long enough is not counted yet, but nothing is wrong with the yes.
        return int(np.count_nonzero(lost & ~self._wait))

    def _after_death(
        self, snapshot: Snapshot, granted: tuple[Mask, ...], place: Places
    ) -> tuple[Mask, ...]:
        """After a death only those count who agreed to that for the study (consent.md 3.6, 20)."""
        died = [place[handle] for handle in parties.dead(self._database) if handle in place]
        if not died:
            return granted
        gone = np.zeros(len(place), np.bool_)
        gone[died] = True
        agreed = {
            study: granted[column]
            for column, (study, item) in enumerate(snapshot.columns)
            if item == AFTER_DEATH
        }
        nobody = np.zeros(len(place), np.bool_)
        return tuple(
            bits & (~gone | agreed.get(study, nobody))
            for bits, (study, _) in zip(granted, snapshot.columns, strict=True)
        )


def _shortest(own: Periods, told: object) -> Periods:
    """How long a yes lasts: the hub may make it shorter, never longer."""
    if not isinstance(told, int) or not is_period(told):
        return own
    return replace(own, renewal_years=min(own.renewal_years, told))


def _latest(snapshot: Snapshot, now: datetime) -> int:
    """The latest moment that something in this list can be of, in milliseconds.

    `issued` is in whole seconds, rounded down; the hub's clock may be ahead as far as is allowed.
    """
    return max(milliseconds(snapshot.issued) + 999, milliseconds(now + CLOCK_SKEW))


def _newest(
    columns: Sequence[tuple[str, str]],
    place: Mapping[bytes, int],
    known: Mapping[tuple[bytes, str, str], int],
) -> NDArray[np.int64]:
    """The newest "no" per handle and column, int64 (handles, columns); NEVER for none."""
    newest = np.full((len(place), len(columns)), NEVER, np.int64)
    for (handle, study, item), about in _about(columns, known):
        row = place.get(handle)
        if row is not None and about:
            newest[row, about] = np.maximum(newest[row, about], known[handle, study, item])
    return newest


def _in_person(
    columns: Sequence[tuple[str, str]],
    place: Mapping[bytes, int],
    known: Mapping[tuple[bytes, str, str], int],
) -> list[frozenset[int]]:
    """Per column the places of those who ever said "no" to it in person."""
    found: list[set[int]] = [set() for _ in columns]
    for (handle, _, _), about in _about(columns, known):
        if handle in place:
            for column in about:
                found[column].add(place[handle])
    return [frozenset(each) for each in found]


def _about(
    columns: Sequence[tuple[str, str]], known: Mapping[tuple[bytes, str, str], int]
) -> Iterable[tuple[tuple[bytes, str, str], list[int]]]:
    """Each "no" with the columns it is about."""
    about: dict[tuple[str, str], list[int]] = {}
    for said in known:
        scope = said[1:]
        if scope not in about:
            about[scope] = [
                column
                for column, (study, item) in enumerate(columns)
                if scope[0] in (ANY, study) and scope[1] in (ANY, item)
            ]
        yield said, about[scope]


def _with_parents(columns: Sequence[tuple[str, str]], granted: Sequence[Mask]) -> tuple[Mask, ...]:
    """A closed parent closes what rests on it (invariant 14), whatever the hub says."""
    place = {column: number for number, column in enumerate(columns)}
    closed = []
    for (study, item), bits in zip(columns, granted, strict=True):
        for code in with_parents([item]) if item in ITEMS else ():
            at = place.get((study, code))
            bits = bits & (granted[at] if at is not None else np.zeros(len(bits), np.bool_))
        closed.append(bits)
    return tuple(closed)
