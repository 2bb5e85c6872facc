"""The hub's second line: no two released counts of nested sets may lie closer than t_diff.

A site compares sets of its own patients. Cells that are small at each hospital it cannot compare:
their pooled difference may be large. The hub can, because it knows both pooled counts: when the
definition of one set implies that of the other, the counts differ by exactly the patients between
them. This holds researchers off; it is no protection against the hub itself (disclosure.md 4.5).

A set is a conjunction: hospitals, variables that are known, ranges, levels, and conditions that
are taken as they are. Only what was shown is compared, for only that can be subtracted. What was
hidden stays hidden: two tables that held back different cells beside a small one would tell it.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np

from federation.disclosure.known import is_known, known_in
from federation.disclosure.ranges import (
    Range,
    finite,
    range_of,
    range_of_bar,
    range_of_quarter,
)
from federation.query.canonical import canonical_json, sha256_hex
from federation.query.codebook import Codebook
from federation.query.cohort import All, Leaf, Node
from federation.query.model import Query
from federation.query.outcomes import OUTCOME
from federation.query.three_valued import when_no, when_yes
from federation.query.variables import Variable

NOT_KEPT: Final = -1
"""The number of a set whose number can be worked out from what was shown, which nobody here did."""
_LABELLED: Final = frozenset({"category", "boolean"})
EVENT: Final = "event"
"""The dimension of a table that tells who had the outcome: "no" and "yes"."""
_OUTCOME: Final = re.compile(rf",?{re.escape(OUTCOME)}(=true)?$")
_CONDITION: Final = re.compile(r",(?=[a-z][a-z0-9_]*=)")


@dataclass(frozen=True)
class ReleasedSet:
    """A set of patients whose pooled number `n` was shown; without a number it was hidden."""

    sites: frozenset[str]
    known: frozenset[str]
    ranges: Mapping[str, Range]
    levels: Mapping[str, frozenset[str]]
    other: frozenset[str]
    n: int | None
    table: str = ""
    """The same for the cells of one table, which do not overlap; "" when it is not known."""

    @cached_property
    def definition(self) -> bytes:
        """The same for two sets of the same patients by the same conditions."""
        return canonical_json({**self.to_dict(), "n": None, "table": ""})

    @cached_property
    def of_anybody(self) -> ReleasedSet:
        """The same conditions, whoever has a value in which other variables."""
        return replace(self, known=frozenset()) if self.known else self

    @cached_property
    def conditions(self) -> bytes:
        """The same for two sets by the same conditions, whatever hospitals and other variables."""
        return replace(self, known=frozenset(), sites=frozenset()).definition

    def contains(self, narrow: ReleasedSet) -> bool:
        """Whether every patient of `narrow` is in this set by definition."""
        return (
            narrow.sites <= self.sites
            and all(is_known(each, narrow.known) for each in self.known)
            and self.other <= narrow.other
            and all(
                name in narrow.ranges and narrow.ranges[name].within(here)
                for name, here in self.ranges.items()
            )
            and all(
                name in narrow.levels and narrow.levels[name] <= here
                for name, here in self.levels.items()
            )
        )

    def excludes(self, other: ReleasedSet) -> bool:
        """Whether nobody can be in both, by definition."""
        return any(
            name in other.levels and not found & other.levels[name]
            for name, found in self.levels.items()
        ) or any(
            name in other.ranges and found.before(other.ranges[name])
            for name, found in self.ranges.items()
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON for keeping; infinite ends are null."""
        return {
            "sites": sorted(self.sites),
            "known": sorted(self.known),
            "ranges": {
                name: [finite(r.low), r.low_open, finite(r.high), r.high_open]
                for name, r in self.ranges.items()
            },
            "levels": {name: sorted(found) for name, found in self.levels.items()},
            "other": sorted(self.other),
            "n": self.n,
            "table": self.table,
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> ReleasedSet:
        """What `to_dict` wrote."""
        return cls(
            sites=frozenset(kept["sites"]),
            known=frozenset(kept["known"]),
            ranges={
                name: Range(
                    -math.inf if low is None else low,
                    low_open,
                    math.inf if high is None else high,
                    high_open,
                )
                for name, (low, low_open, high, high_open) in kept["ranges"].items()
            },
            levels={name: frozenset(found) for name, found in kept["levels"].items()},
            other=frozenset(kept["other"]),
            n=kept["n"],
            table=kept.get("table", ""),
        )


def too_close(
    new: Sequence[ReleasedSet], earlier: Iterable[ReleasedSet], t_diff: int
) -> tuple[ReleasedSet, ...]:
    """Those new counts that with an earlier one tell the number of fewer than `t_diff` patients."""
    shown = [(place, now, now.n) for place, now in enumerate(new) if now.n is not None]
    close = {
        place
        for old in earlier
        if old.n is not None and old.n != NOT_KEPT
        for place, now, n in shown
        if 0 < abs(old.n - n) < t_diff and (old.contains(now) or now.contains(old))
    }
    return tuple(new[place] for place in sorted(close))


def hidden_before(
    sets: Mapping[str, ReleasedSet], earlier: Iterable[ReleasedSet], told: Collection[str] = ()
) -> frozenset[str]:
    """The keys of `sets` that must stay hidden because of what earlier answers did.

    Those that some answer held back and none has shown; and of `told`, which hospitals know from
    earlier answers together with small groups (looking.agree), those that none has shown.
    """
    hidden: set[bytes] = set()
    shown: set[bytes] = set()
    for old in earlier:
        (hidden if old.n is None else shown).add(old.definition)
    return frozenset(
        key
        for key, one in sets.items()
        if one.definition not in shown and (key in told or one.definition in hidden)
    )


def released_sets(
    query: Query,
    codebook: Codebook,
    sites: Iterable[str],
    tables: Iterable[Any],
    shown: Mapping[str, Any],
) -> tuple[ReleasedSet, ...]:
    """The sets behind every count of the tables, one per cell; without number where hidden.

    `tables` are `CountTable`s (federation.methods.base), `shown` the gate's masks by table name.
    """
    made = []
    for table in tables:
        counts = np.asarray(table.counts)
        mask = np.broadcast_to(np.asarray(shown.get(table.name, False), dtype=bool), counts.shape)
        found = cell_sets(query, codebook, sites, table.dims)
        for one, n, seen in zip(found.values(), counts.ravel(), mask.ravel(), strict=True):
            made.append(replace(one, n=int(n) if seen else None))
    return tuple(made)


def cell_sets(
    query: Query,
    codebook: Codebook,
    sites: Iterable[str],
    dims: Sequence[tuple[str, Sequence[str]]],
) -> dict[str, ReleasedSet]:
    """Each cell of a table with these dimensions as a set without a number, in C order.

    Keys are the cells' names, `variable=label` joined with commas.
    """
    cohort, asked = _Set.of(query.cohort, codebook), frozenset(sites)
    table, known = _table(query, [name for name, _ in dims]), known_in(query, codebook)
    made = {}
    for labels in itertools.product(*(labels for _, labels in dims)):
        found = cohort.copy()
        named = [(name, label) for (name, _), label in zip(dims, labels, strict=True)]
        for name, label in _parts(named):
            if name == EVENT and query.condition is not None:
                found.add_condition(codebook, query.condition, yes=label == "yes")
            else:
                found.add_label(codebook, name, label)
        made[",".join(f"{name}={label}" for name, label in named)] = ReleasedSet(
            sites=asked,
            known=known | set(found.ranges) | set(found.levels),
            ranges=found.ranges,
            levels=found.levels,
            other=frozenset(found.other),
            n=None,
            table=table,
        )
    return made


def defined_as(query: Query, codebook: Codebook, sites: Iterable[str], label: str) -> ReleasedSet:
    """The set that `Method.sets` calls `label`, without a number.

    A label that is not `variable=label`, joined with commas, names the whole analysis set, but for
    OUTCOME at its end: they of whom the question's condition holds.
    """
    found = _Set.of(query.cohort, codebook)
    if query.condition is not None and _OUTCOME.search(label):
        found.add_condition(codebook, query.condition, yes=True)
        label = _OUTCOME.sub("", label)
    parts = [part.partition("=") for part in _CONDITION.split(label)]
    named = [(name, value) for name, sign, value in parts if sign and name in codebook.variables]
    if len(named) < len(parts):
        named = []
    for name, value in named:
        found.add_label(codebook, name, value)
    return ReleasedSet(
        sites=frozenset(sites),
        known=known_in(query, codebook) | set(found.ranges) | set(found.levels),
        ranges=found.ranges,
        levels=found.levels,
        other=frozenset(found.other),
        n=None,
        table=_table(query, [name for name, _ in named]) if named else "",
    )


def _table(query: Query, names: Sequence[str]) -> str:
    """A name for the tables that divide the query's cohort by these variables."""
    told = [] if query.condition is None else [query.condition.to_dict()]
    return sha256_hex([query.cohort.to_dict(), list(query.variables()), list(names), *told])


class _Set:
    """The conditions of one set while they are gathered."""

    def __init__(self) -> None:
        self.ranges: dict[str, Range] = {}
        self.levels: dict[str, frozenset[str]] = {}
        self.other: set[str] = set()

    @classmethod
    def of(cls, cohort: Node, codebook: Codebook) -> _Set:
        made = cls()
        for node in cohort.items if isinstance(cohort, All) else (cohort,):
            made._add_node(codebook, node)
        return made

    def add_condition(self, codebook: Codebook, condition: Node, *, yes: bool) -> None:
        """Those of whom the condition of an outcome holds, or (not `yes`) does not."""
        node = when_yes(condition, codebook) if yes else when_no(condition, codebook)
        for part in node.items if isinstance(node, All) else (node,):
            self._add_node(codebook, part)

    def copy(self) -> _Set:
        made = _Set()
        made.ranges, made.levels = dict(self.ranges), dict(self.levels)
        made.other = set(self.other)
        return made

    def add_label(self, codebook: Codebook, name: str, label: str) -> None:
        """One cell's label of dimension `name`; a dimension of another kind as it is written."""
        variable = codebook.variables.get(name)
        labels = () if variable is None else variable.group_labels or ()
        bar = None if variable is None or label in labels else range_of_bar(label)
        months = (
            range_of_quarter(label) if variable is not None and variable.type == "date" else None
        )
        if months is not None:
            self._keep_range(name, months)
        elif variable is not None and variable.is_numeric and bar is not None:
            self._keep_range(name, bar)
        elif variable is None or label not in labels:
            self.other.add(f"{name}={label}")
        elif variable.type in _LABELLED:
            self._keep_levels(name, frozenset({label}))
        elif variable.edges is not None:
            at = labels.index(label)
            low, high = float(variable.edges[at]), float(variable.edges[at + 1])
            # Bins are closed left and open right, the last one closed on both sides.
            self._keep_range(name, Range(low, False, high, at < len(labels) - 1))
        else:
            value = float(label)
            self._keep_range(name, Range(value, False, value, False))

    def _add_node(self, codebook: Codebook, node: Node) -> None:
        if isinstance(node, Leaf):
            variable = codebook.variables[node.var]
            if variable.type in _LABELLED:
                self._keep_levels(node.var, _levels_of(variable, node))
                return
            found = range_of(node)
            if found is not None:
                self._keep_range(node.var, found)
                return
        self.other.add(canonical_json(node.to_dict()).decode("utf-8"))

    def _keep_range(self, name: str, found: Range) -> None:
        self.ranges[name] = self.ranges.get(name, Range()).meet(found)

    def _keep_levels(self, name: str, found: frozenset[str]) -> None:
        self.levels[name] = self.levels.get(name, found) & found


def _levels_of(variable: Variable, leaf: Leaf) -> frozenset[str]:
    values = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    named = frozenset(str(v).lower() if isinstance(v, bool) else str(v) for v in values)
    return frozenset(variable.group_labels or ()) - named if leaf.op == "!=" else named


def _parts(named: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Names and labels; a label that says more, as in `2024-Q1,died=true`, is taken apart."""
    found = []
    for name, label in named:
        parts = [part.partition("=") for part in _CONDITION.split(f"{name}={label}")]
        found += [(name, value) for name, _, value in parts]
    return found
