"""Whether the numbers that were shown, all together, tell a number that was held back.

A cell that is hidden beside a small one need not be a part of what is asked later: all with stage
III less the men with stage III are the women with stage III, and with those the small cell beside
them is known. So every combination is looked at, by who is in the sets among the invented patients
(federation.methods.universe), whoever has a value in which variables.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

import numpy as np

from federation.disclosure.marks import WORDS
from federation.disclosure.nesting import ReleasedSet
from federation.disclosure.recognition import Recognition, Vectors
from federation.methods.universe import SIZE
from federation.query.codebook import Codebook
from federation.runs.members import members

Classes = tuple[tuple[str, ...], ...]
ReleasedKey = tuple[bytes, str, bool]
_MOST_KEPT = 4


def tells_hidden(
    new: Sequence[ReleasedSet], earlier: Iterable[ReleasedSet], codebook: Codebook
) -> bool:
    """Whether `new` numbers, with the `earlier` ones, tell a set that this answer or an earlier
    one held back, or all that was hidden of one line of a table; and the earlier did not."""
    before = list(earlier)
    classes = _classes([*before, *new])
    with _LOCK:
        known = _known(codebook, classes)
        known.add(before)
        hidden = known.hidden_of(new) + known.hidden_before()
        shown = [known.vector(one) for one in new if one.n is not None]
        added = [vector for vector in shown if vector is not None]
        if not hidden or not added:
            return False
        left = known.left_of(np.array(hidden))
        left = left[left.any(axis=1)]  # the others were told before
        fresh = Recognition(known.columns)
        fresh.add(known.left_of(np.array(added)))
        return len(left) > 0 and any(fresh.recognises(left))


def _classes(sets: Iterable[ReleasedSet]) -> Classes:
    """Hospitals that are in exactly the same rosters: one copy of the invented patients each."""
    rosters = sorted({one.sites for one in sets}, key=sorted)
    alike: dict[tuple[bool, ...], list[str]] = {}
    for site in sorted(frozenset().union(*rosters)):
        alike.setdefault(tuple(site in roster for roster in rosters), []).append(site)
    return tuple(sorted(tuple(found) for found in alike.values()))


class _Known:
    """The sets of all answers until now, as vectors; kept, because most stay from one to the next.

    A hidden set's line: the hidden cells of the same table with the same level of one variable.
    """

    def __init__(self, codebook: Codebook, classes: Classes) -> None:
        self._codebook, self._classes = codebook, classes
        self.columns = SIZE * len(classes)
        self._begin()

    def _begin(self) -> None:
        self._span = Recognition(self.columns)
        self._seen: set[ReleasedKey] = set()
        self._lines: dict[tuple[object, ...], Vectors] = {}

    def add(self, sets: Sequence[ReleasedSet]) -> None:
        """Take in what is new. Sets that are gone (another network, in tests) begin it anew."""
        keys = {_key(one): one for one in sets}
        if not self._seen <= keys.keys():
            self._begin()
        shown = []
        for key, one in keys.items():
            if key in self._seen:
                continue
            self._seen.add(key)
            vector = self.vector(one)
            if vector is None:
                continue
            if one.n is not None:
                shown.append(vector)
                continue
            lines: list[tuple[object, ...]]
            lines = [(name, *sorted(found)) for name, found in one.levels.items()]
            lines += [(name, found) for name, found in one.ranges.items()]
            self._lines[key,] = vector
            for line in lines if one.table else ():
                place = (one.table, one.sites, line)
                self._lines[place] = self._lines.get(place, np.zeros_like(vector)) | vector
        if shown:
            self._span.add(np.array(shown))

    def hidden_before(self) -> list[Vectors]:
        """The cells and lines of cells that earlier answers held back."""
        return list(self._lines.values())

    def hidden_of(self, new: Sequence[ReleasedSet]) -> list[Vectors]:
        """The cells that this answer holds back."""
        found = [self.vector(one) for one in new if one.n is None]
        return [vector for vector in found if vector is not None]

    def vector(self, one: ReleasedSet) -> Vectors | None:
        """Who is in it, at each class of hospitals; None when nobody is, or nobody can say."""
        mask = members(one.of_anybody, self._codebook)
        if mask is None or not mask.any():
            return None
        parts = [mask & (found[0] in one.sites) for found in self._classes]
        return np.concatenate([*parts, np.zeros(WORDS, np.bool_)]).astype(np.uint8)

    def left_of(self, vectors: Vectors) -> Vectors:
        """The vectors without what the shown ones tell of them."""
        return self._span.rest(vectors)


def _key(one: ReleasedSet) -> ReleasedKey:
    return one.of_anybody.definition, one.table, one.n is None


_KEPT: dict[tuple[str, Classes], _Known] = {}
_LOCK = threading.Lock()


def _known(codebook: Codebook, classes: Classes) -> _Known:
    """What is kept for this codebook and these hospitals; the ones used last stay."""
    key = (codebook.sha256, classes)
    found = _KEPT.pop(key, None) or _Known(codebook, classes)
    while len(_KEPT) >= _MOST_KEPT:
        del _KEPT[next(iter(_KEPT))]
    _KEPT[key] = found
    return found
