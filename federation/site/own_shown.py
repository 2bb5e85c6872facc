"""What everybody may know of this hospital's sets: by pooled answers, and by its own ones.

The ledger keeps every set of an own answer, its small ones too, and own_set what became of each
(ADR 0043). Here they are put together as spans: whoever knows some numbers knows every number that
follows from them.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from typing import Final

from federation.disclosure.auditor import Auditor, Bitmap
from federation.methods.base import Ask, Method
from federation.methods.labels import term_labels
from federation.methods.own import has_pooled_part
from federation.site.own_sets import SHOWN, SILENT, OwnSets
from federation.site.selection import Counted

_POOLED: Final = "pooled"
_OWN: Final = "own"
BEHIND: Final = " of patients"  # the patients of a set of rows (selection.count_sets)


class _Span:
    """What follows from some of these: pooled answers, own ones, numbers that own ones show, and
    sets of which this hospital was silent while the others answered. It grows with them."""

    def __init__(self, sets: OwnSets, t: int, *parts: str) -> None:
        self.auditor = Auditor(t, _seed())
        self._sets = sets
        self._parts = parts
        self._entry = dict.fromkeys((_POOLED, _OWN), 0)
        self._count = dict.fromkeys((SHOWN, SILENT), 0)

    def grown(self, shown: Sequence[Bitmap], silent: Sequence[Bitmap]) -> Auditor:
        """With all that there is now."""
        for part in self._parts:
            if part == _POOLED:
                for entry, sets in self._sets.pooled_since(self._entry[part]):
                    self.auditor.load([sets])
                    self._entry[part] = entry
            elif part == _OWN:
                for own in self._sets.own_since(self._entry[part]):
                    self.auditor.load([own.sets])
                    self._entry[part] = own.entry
            else:
                found = shown if part == SHOWN else silent
                self.auditor.load([(part, each)] for each in found[self._count[part] :])
                self._count[part] = len(found)
        return self.auditor


class Known:
    """The sets of this hospital by who knows what of them, for one threshold; `catch_up` first."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._sets = OwnSets(database)
        self._t = -1
        self._begin(0)

    def _begin(self, t: int) -> None:
        self._t, self._entry, self._number = t, 0, 0
        self._shown: list[Bitmap] = []
        self._seen: set[Bitmap] = set()  # the shown ones
        self._groups: set[Bitmap] = set()
        self._cells: set[Bitmap] = set()
        self._silent: list[Bitmap] = []
        self._spans: dict[tuple[str, ...], _Span] = {}

    def catch_up(self, t: int) -> None:
        """Take in what was answered since."""
        if t != self._t:
            self._begin(t)
        for found in self._sets.own_since(self._entry):
            shown = {found.sets[0][1], *found.shown}  # who was counted stands in every answer
            self._shown += shown - self._seen
            self._seen |= shown
            self._groups |= set(found.groups)
            self._cells |= {bitmap for _, bitmap in found.sets} - set(found.groups) - shown
            self._entry = found.entry
        for number, bitmap in self._sets.silent_since(self._number):
            self._silent.append(bitmap)
            self._number = number

    @property
    def own(self) -> Auditor:
        """All sets of own answers, also of those on their way."""
        return self._span(_OWN)

    @property
    def open(self) -> Auditor:
        """What pooled answers and the numbers shown by own ones say."""
        return self._span(_POOLED, SHOWN)

    @property
    def all(self) -> Auditor:
        """What would follow, too, if everything held back were known: cells that an own answer hid,
        and the sets of which this hospital was silent."""
        return self._span(_POOLED, _OWN, SILENT)

    @property
    def has_own(self) -> bool:
        """Whether this hospital ever answered alone, or was silent while others did."""
        return bool(self._shown or self._silent)

    @property
    def has_silent(self) -> bool:
        """Whether others answered about sets of which this hospital was silent."""
        return bool(self._silent)

    def gives_nothing(self, bitmap: Bitmap) -> bool:
        """Whether a set that own answers tell gives nothing away that one of them hid: its number
        follows from what they showed; or it was a group of a model, of which no answer shows a
        number, and never a cell that was held back."""
        grouped = bitmap in self._groups and bitmap not in self._cells
        return grouped or bitmap in self._seen or tells(self._span(SHOWN), bitmap)

    def told_by_others(self, counted: Counted) -> bool:
        """Whether the other hospitals' answers to a question on which this one is silent would tell
        a set that it holds back: pooled answers tell it, alone or less such answers of others."""
        public = self._span(_POOLED, SHOWN, SILENT)
        others = self._span(SHOWN, SILENT)
        return any(
            tells(public, bitmap) and not tells(others, bitmap)
            for _, bitmap in counted.kept_back
            if bitmap and bitmap not in self._groups
        )

    def _span(self, *parts: str) -> Auditor:
        span = self._spans.setdefault(parts, _Span(self._sets, self._t, *parts))
        return span.grown(self._shown, self._silent)


def tells(auditor: Auditor, bitmap: Bitmap) -> bool:
    """Whether the number of a set follows from those of the sets that were added."""
    found = auditor.judge([("set", bitmap)], bitmap, 0)
    return not found.flagged[0] and found.bound[0] == 0


def groups_of(method: Method, ask: Ask) -> frozenset[str]:
    """The groups of a model by which hospitals are measured: labels of sets of which an answer by
    hospital shows no number, and, where this one has few patients in one of them, nothing that
    depends on them (model_groups.fewest)."""
    if not has_pooled_part(method):
        return frozenset()
    return frozenset(label for label in term_labels(method, ask) if not _is_outcome(label))


def few_in_a_level(groups: frozenset[str], counted: Counted, t: int) -> bool:
    """Whether one of the levels holds fewer than `t` here. Pairs and levels with the outcome have a
    comma in their label."""
    return any(
        counted.least(place) < t
        for place, (label, _) in enumerate(counted.named)
        if label in groups and "=" in label and "," not in label
    )


def _is_outcome(label: str) -> bool:
    """Groups are called `variable=level`, pairs of levels `variable[level],…`."""
    return not {"=", "[", ","} & set(label)


def _seed() -> int:
    return int.from_bytes(os.urandom(16), "big")
