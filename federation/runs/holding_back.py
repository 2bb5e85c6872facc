"""What an answer must hold back because of earlier answers, as only the hub can know: it alone
knows which numbers were shown, which were hidden, and with which hospitals each was asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np

from federation.disclosure import gate
from federation.disclosure.looking import COHORT, Agreement
from federation.disclosure.nesting import (
    NOT_KEPT,
    ReleasedSet,
    cell_sets,
    defined_as,
    hidden_before,
    released_sets,
    too_close,
)
from federation.disclosure.rosters import gives_away
from federation.disclosure.told import holds_hidden, is_told, rosters_of
from federation.methods.base import Ask, CountTable, Mask
from federation.methods.labels import term_labels
from federation.methods.registry import KINDS
from federation.query.codebook import Codebook
from federation.query.refusals import Refused
from federation.runs.members import members
from federation.runs.telling import tells_hidden

_PARTS: Final = re.compile(r",(?=[a-z])")


class HeldBack(Refused):
    """SMALL_GROUP by the hub, after the hospitals answered: they take the sets for answered, so
    those that nobody was shown have to be remembered as held back (`sets`, without numbers)."""

    def __init__(self, sets: tuple[ReleasedSet, ...]) -> None:
        super().__init__("SMALL_GROUP")
        self.sets = sets


@dataclass(frozen=True)
class HoldingBack:
    """One answer under protection: its question, its hospitals, and what was released before."""

    ask: Ask
    roster: frozenset[str]
    earlier: Sequence[ReleasedSet]

    def check_roster(self) -> None:
        """A hospital knows the rosters that it was in; only here are all of them known. Raises
        Refused ROSTER when this one with earlier ones would tell of too few hospitals."""
        whole = self._whole()
        before = rosters_of(whole, self.earlier)
        if gives_away(whole.sites, before, self.ask.terms.min_sites) is not None:
            raise Refused("ROSTER")

    def shown(
        self,
        tables: Sequence[CountTable],
        agreed: Agreement,
        hidden: frozenset[str],
        n: int,
        codebook: Codebook,
    ) -> tuple[Mapping[str, Any], tuple[ReleasedSet, ...]]:
        """The gate's masks by table, and the sets to keep. `hidden`: cells that the look hides;
        `n`: pooled rows of the analysis set. Raises HeldBack when a number would lie too close to
        an earlier one, or tell what was held back now or earlier."""
        hide = hidden | self._hidden(tables, agreed)
        masks = gate.decide(tables, self.ask.terms, hide, codebook)
        sets = released_sets(self.ask.query, self.ask.codebook, self.roster, tables, masks)
        hidden_here = tuple(one for one in sets if one.n is None)
        close = too_close(sets, self.earlier, self.ask.terms.diff.t_diff)
        if close:
            raise HeldBack((*hidden_here, *(replace(one, n=None) for one in close)))
        if agreed.analysis_told and self._tells_hidden(self._whole(), n):
            raise HeldBack(hidden_here)
        sets = (*sets, *self._of_model())
        if tells_hidden(sets, self.earlier, self.ask.codebook):
            raise HeldBack(hidden_here)
        return masks, sets

    def _of_model(self) -> Iterable[ReleasedSet]:
        """The groups of a model. Its standard errors tell how many are in them; the hub does not
        work that out. A part of a label that is a name alone is a yes-or-no outcome."""
        for label in term_labels(KINDS[self.ask.query.kind], self.ask):
            parts = [part if "=" in part else f"{part}=true" for part in _PARTS.split(label)]
            made = defined_as(self.ask.query, self.ask.codebook, self.roster, ",".join(parts))
            yield replace(made, n=NOT_KEPT, table="")

    def _whole(self) -> ReleasedSet:
        return defined_as(self.ask.query, self.ask.codebook, self.roster, "analysis")

    def _tells_hidden(self, one: ReleasedSet, n: int) -> bool:
        """Whether a part of this set was held back and the number of the set would tell it."""
        return self._holds_hidden(one) and not is_told(one, n, self.earlier)

    def _holds_hidden(self, one: ReleasedSet) -> bool:
        """By the form of both definitions, or by who is in them among the invented patients: a
        cohort may say the same with `not` and `any`."""
        if holds_hidden(one, self.earlier):
            return True
        mine = members(one, self.ask.codebook)
        return mine is not None and any(
            sites <= one.sites and mine[theirs].all() for sites, theirs in self._held_back
        )

    @cached_property
    def _held_back(self) -> list[tuple[frozenset[str], Mask]]:
        """The hospitals and the invented patients of each set held back and never shown since."""
        shown = {old.definition for old in self.earlier if old.n is not None}
        found = []
        for old in self.earlier:
            if old.n is not None or old.definition in shown:
                continue
            theirs = members(old, self.ask.codebook)
            if theirs is not None and theirs.any():
                found.append((old.sites, theirs))
        return found

    def _hidden(self, tables: Iterable[CountTable], agreed: Agreement) -> frozenset[str]:
        """Cells that stay hidden because an earlier answer held them back, or a part of them."""
        hidden: frozenset[str] = frozenset()
        for table in tables:
            if not table.dims:
                continue
            found = cell_sets(self.ask.query, self.ask.codebook, self.roster, table.dims)
            counts = dict(zip(found, np.ravel(table.counts).tolist(), strict=True))
            told = {
                label
                for label in agreed.told & set(found)
                if self._tells_hidden(found[label], counts[label])
            }
            hidden |= hidden_before(found, self.earlier, told)
        return hidden


def without_cohort(agreed: Agreement) -> frozenset[str]:
    """The cells that hospitals hid in the look, or do not recognise."""
    return (agreed.hidden | agreed.doubted) - {COHORT}
