"""What became of the sets of this hospital's own answers: shown, never shown to anybody, or a cell
that its gate may have hidden. The ledger keeps the sets of an answer, not what the gate made of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from federation.disclosure.auditor import NamedSet
from federation.disclosure.looking import COHORT
from federation.methods.base import Ask, Method
from federation.methods.labels import term_labels
from federation.methods.own import OWN, has_pooled_part
from federation.methods.registry import KINDS
from federation.site.selection import Counted

_BEHIND: Final = " of patients"  # the patients of a set of rows (selection.count_sets)
_OF_MODELS: Final = frozenset(
    f"{kind}.{OWN}"
    for kind, method in KINDS.items()
    if has_pooled_part(method)
    and getattr(method, "names_terms", False)
    and not getattr(method, "hides_cells", False)
)
"""The last steps of kinds that measure a hospital by a model and have no cells. Such an answer
shows who was counted and who had the outcome; of the groups of the model, no number (ADR 0038)."""
_TREND: Final = f"trend.{OWN}"  # has both
_QUARTER: Final = re.compile(r"=\d{4}-Q\d(,|$)")


class OwnShown:
    """The sets of all own answers so far, by what became of them."""

    def __init__(self) -> None:
        self._shown: set[int] = set()
        self._groups: set[int] = set()
        self._cells: set[int] = set()

    def take(self, step: str, sets: Sequence[NamedSet], t: int) -> None:
        """One own answer, its analysis set first, by the name of its last step. `t`: what a number
        had to be, and its complement, not to be hidden."""
        analysis = sets[0][1]
        self._shown.add(analysis)
        for label, bitmap in sets[1:]:
            if label == COHORT and not 0 < (bitmap & ~analysis).bit_count() < t:
                self._shown.add(bitmap)  # the number of missing values stood there
        if step not in _OF_MODELS:
            groups = _groups_of_trend(sets) if step == _TREND else frozenset()
            self._groups |= {bitmap for label, bitmap in sets if label in groups}
            self._cells |= {
                bitmap
                for label, bitmap in sets[1:]
                if label != COHORT and label.removesuffix(_BEHIND) not in groups
            }
            return
        people = dict(sets)
        for label, bitmap in sets[1:]:
            if label == COHORT or label.endswith(_BEHIND):
                continue
            if not _is_outcome(label):
                self._groups.add(bitmap)
            elif _seen(bitmap, analysis, t) and (
                f"{label}{_BEHIND}" not in people
                or _seen(people[f"{label}{_BEHIND}"], people[f"{sets[0][0]}{_BEHIND}"], t)
            ):
                self._shown |= {bitmap, analysis & ~bitmap}

    @property
    def shown(self) -> frozenset[int]:
        """The sets whose number stood in an answer."""
        return frozenset(self._shown)

    def has(self, bitmap: int) -> bool:
        """Whether a set that own answers tell gives nothing away that one of them hid: its number
        was shown; or it was a group of a model, of which no answer shows a number, and never a
        cell."""
        return bitmap in self._shown or (bitmap in self._groups and bitmap not in self._cells)


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


def _groups_of_trend(sets: Sequence[NamedSet]) -> frozenset[str]:
    """The labels of the groups of a trend's model: it has cells as well, before them, and its
    quarters are the last of those."""
    labels = [label for label, _ in sets if label != COHORT and not label.endswith(_BEHIND)]
    last = max((i for i, label in enumerate(labels) if _QUARTER.search(label)), default=len(labels))
    return frozenset(labels[last + 1 :])


def _is_outcome(label: str) -> bool:
    """Groups are called `variable=level`, pairs of levels `variable[level],…`."""
    return not {"=", "[", ","} & set(label)


def _seen(bitmap: int, whole: int, t: int) -> bool:
    """Whether both who is in a set and who of the whole is not are enough to be shown."""
    return bitmap.bit_count() >= t and (whole & ~bitmap).bit_count() >= t
