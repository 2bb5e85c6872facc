"""All tables of a mapping of version 2, read once: rows of every unit, and whose they are."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from federation.query.codebook import Codebook, Variable
from federation.site.choices.days import Days
from federation.site.data.convert import Tally, Values, bounded, code_meaning
from federation.site.data.evaluation import as_dates, as_numbers, as_texts, evaluate
from federation.site.data.explode import explode
from federation.site.data.joins import (
    Groups,
    chain,
    first_known,
    first_rows,
    group,
    match,
    repeats,
    some,
)
from federation.site.data.loading import load
from federation.site.data.mapping_forms import Column, CountOf, FirstOf, Item, MapTexts, Node, parts
from federation.site.data.mapping_tables import MappedTable
from federation.site.data.plan import Plan, PlannedTable, key_only
from federation.site.data.plausibility import Findings
from federation.site.data.source_options import SourceOptions
from federation.site.data.values import MISSING, Dates, Mask, Numbers, Places, Texts, Value
from federation.site.errors import DataError

_WATCH_LIMIT = 1_000

Times = NDArray[np.float32]


@dataclass(frozen=True)
class UnitRows:
    """The rows of one unit. keys: each row's own number. parents: the row of the unit above, -1
    for none; None for the highest unit. columns: its own variables of the codebook. items:
    everything the mapping says of a row, dates to the day among it; it never leaves `site`.

    repeated: rows whose key came before. orphans: rows that belong to no row above. merged: rows of
    the data that became one row with another. unkeyed: rows of the data without a number, which
    are no row here. unmatched, ambiguous: per joined table the rows that
    found none, or more than one. disagreeing: per item the merged rows that contradict each other.
    findings: what the plausibility rules say of the rows (`judged` adds them). days: between which
    days the data of a row lie (`record_days` adds them); None for a codebook that cannot tell.
    times: per date of the codebook the first day it can be, days since 1970, nan where unknown; for
    the order of rows in time, which stays in the hospital.
    """

    unit: str
    n: int
    keys: Texts
    parents: Places | None
    columns: Mapping[str, Values]
    items: Mapping[str, Value]
    tallies: Mapping[str, Tally]
    repeated: int = 0
    orphans: int = 0
    merged: int = 0
    unkeyed: int = 0
    unmatched: Mapping[str, int] = field(default_factory=dict)
    ambiguous: Mapping[str, int] = field(default_factory=dict)
    disagreeing: Mapping[str, int] = field(default_factory=dict)
    findings: Findings | None = None
    days: Days | None = None
    times: Mapping[str, Times] = field(default_factory=dict)


def read_units(
    plan: Plan, codebook: Codebook, source: SourceOptions, *, watch: bool = False
) -> dict[str, UnitRows]:
    """Read the tables of `plan` and work out every item. `watch` keeps raw texts without a
    meaning and which texts a map gave the same value, for `site check`. Raises DataError."""
    until = time.monotonic() + source.seconds
    world = _World(plan, load(plan, source), source.decimal, until)
    return {unit: _unit_rows(world, unit, codebook, watch) for unit in plan.tables}


def patient_keys(table: MappedTable, source: SourceOptions) -> list[str]:
    """The local number of every patient in the data; "" where there is none. Raises DataError."""
    plan = Plan({table.unit: key_only(table)})
    until = time.monotonic() + source.seconds
    return _World(plan, load(plan, source), source.decimal, until).keys(table.unit).list()


class _World:
    """Every unit's frame, keys, groups and parents, each worked out when it is first needed."""

    def __init__(
        self,
        plan: Plan,
        loaded: Mapping[str, tuple[int, dict[str, Texts]]],
        decimal: str,
        until: float,
    ) -> None:
        self.plan = plan
        self.loaded = loaded
        self.decimal = decimal
        self._until = until
        self._frames: dict[str, _Frame] = {}
        self._keys: dict[str, Texts] = {}
        self._groups: dict[str, Groups | None] = {}
        self._parents: dict[str, Places] = {}
        self._items: dict[tuple[str, str], Value] = {}
        self.disagreeing: dict[str, dict[str, int]] = {unit: {} for unit in plan.tables}

    def check_time(self) -> None:
        if time.monotonic() > self._until:
            raise DataError("SOURCE_TOO_SLOW")

    def frame(self, unit: str) -> _Frame:
        if unit not in self._frames:
            self._frames[unit] = _Frame(self, self.plan.tables[unit])
        return self._frames[unit]

    def row_keys(self, unit: str) -> Texts:
        """The key of each row of the data."""
        if unit not in self._keys:
            frame, table = self.frame(unit), self.plan.tables[unit]
            if table.key is not None:
                self._keys[unit] = as_texts(evaluate(table.key, frame))
            elif table.row_number:
                texts = [f"row {number}" for number in range(1, frame.n + 1)]
                self._keys[unit] = Texts(np.arange(frame.n, dtype=np.int32), texts)
            else:
                self._keys[unit] = Texts(np.full(frame.n, MISSING, np.int32), [])
        return self._keys[unit]

    def groups(self, unit: str) -> Groups | None:
        """Which rows of the data are one row of the unit; None where each is one."""
        if unit not in self._groups:
            table = self.plan.tables[unit]
            if not table.collapsed:
                self._groups[unit] = None
            elif table.parent_unit is None:
                self._groups[unit] = group(self.row_keys(unit))
            else:  # nothing that is said of one patient may end up with another
                self._groups[unit] = group(self.row_keys(unit), self._row_parents(unit))
        return self._groups[unit]

    def size(self, unit: str) -> int:
        groups = self.groups(unit)
        return self.frame(unit).n if groups is None else groups.size

    def keys(self, unit: str) -> Texts:
        """The key of each row of the unit."""
        groups = self.groups(unit)
        keys = self.row_keys(unit)
        return keys if groups is None else keys.take(groups.first)

    def parents(self, unit: str) -> Places:
        """The row of the unit above for each row of `unit`."""
        if unit not in self._parents:
            found, groups = self._row_parents(unit), self.groups(unit)
            self._parents[unit] = found if groups is None else found[groups.first]
        return self._parents[unit]

    def _row_parents(self, unit: str) -> Places:
        """The row of the unit above for each row of the data."""
        table = self.plan.tables[unit]
        above = str(table.parent_unit)
        frame = self.frame(unit)
        if table.parent is None:
            source_rows = frame.rows_of(np.arange(self.loaded[table.table][0]))
            other = self.groups(above)
            return source_rows if other is None else other.of_row[source_rows]
        links = as_texts(evaluate(table.parent, frame))
        return match(links, self.keys(above)).places

    def owners(self, unit: str, above: str) -> Places:
        """The row of `above`, however far up, for each row of `unit`."""
        found = self.parents(unit)
        while (name := self.plan.tables[unit].parent_unit) != above:
            unit = str(name)
            found = chain(found, self.parents(unit))
        return found

    def item(self, unit: str, name: str) -> Value:
        """An item for each row of the unit."""
        place = (unit, name)
        if place not in self._items:
            value = self.frame(unit).own(name)
            groups = self.groups(unit)
            if groups is not None:
                value, unlike = first_known(value, groups)
                if unlike:
                    self.disagreeing[unit][name] = unlike
            self._items[place] = value
        return self._items[place]

    def below(self, unit: str, node: CountOf | FirstOf) -> Value:
        """What rows of a unit below say of each row of `unit`."""
        owners, size = self.owners(node.unit, unit), self.size(unit)
        if node.when is not None:
            when = as_numbers(self.item(node.unit, str(node.when)), self.decimal)
            owners = np.where(when.values == 1.0, owners, -1)
        if isinstance(node, CountOf):
            counts = np.bincount(owners[owners >= 0], minlength=size)
            return Numbers(counts.astype(np.float64))
        order = self.item(node.unit, node.by) if node.by else None
        return self.item(node.unit, node.name).take(first_rows(owners, size, order))


class _Frame:
    """The rows of the data behind one unit, and where the names of its mapping lead."""

    def __init__(self, world: _World, table: PlannedTable) -> None:
        self._world = world
        self._table = table
        self.decimal = world.decimal
        rows, own = world.loaded[table.table]
        self.unmatched: dict[str, int] = {}
        self.ambiguous: dict[str, int] = {}
        self._columns: dict[tuple[str, str], Texts] = {("", n): c for n, c in own.items()}
        self._values: dict[str, Value] = {}
        self._exploded: dict[str, Texts] = {}
        self._rows: Places | None = None
        self.n = rows
        for join in table.joins:
            self._add_join(join.name, join.table, join.left, join.right)
        self._narrow()

    def _add_join(self, name: str, table: str, left: Node, right: str) -> None:
        there = self._world.loaded[table][1]
        found = match(as_texts(evaluate(left, self)), there[right])
        self.unmatched[name], self.ambiguous[name] = found.unmatched, found.ambiguous
        for column in self._table.columns()[name]:
            self._columns[name, column] = there[column].take(found.places)

    def _narrow(self) -> None:
        """Keep the rows that `when` keeps; with `explode` make a row for each label it keeps."""
        table = self._table
        if table.explode:

            def holds(label: Texts, value: Texts) -> Mask:
                self._exploded = {"label": label, "value": value}
                return value.known if table.when is None else self._holds(table.when)

            made = explode(table.explode, lambda c: self._columns["", c], holds, self.n)
            self._exploded = {"label": made.label, "value": made.value}
            self._rows = made.of
        elif table.when is not None:
            self._rows = some(self._holds(table.when))
        if self._rows is not None:
            rows = self._rows
            self._columns = {place: column.take(rows) for place, column in self._columns.items()}
            self.n = len(rows)

    def _holds(self, when: Node) -> Mask:
        return np.asarray(as_numbers(evaluate(when, self), self.decimal).values == 1.0)

    def rows_of(self, places: Places) -> Places:
        """What the rows of the data have at `places`, for the rows that are left."""
        return places if self._rows is None else places[self._rows]

    def column(self, table: str, name: str) -> Texts:
        return self._columns[table, name]

    def exploded(self, what: str) -> Texts:
        return self._exploded[what]

    def item(self, item: Item) -> Value:
        unit = self._table.unit
        if item.unit == unit:
            return self.own(item.name)
        if not item.above:
            # Every row of that unit is a row of the data.
            value = self._world.frame(item.unit).own(item.name)
            return value if self._rows is None else value.take(self._rows)
        value = self._world.item(item.unit, item.name)
        return value.take(self._of_unit(self._world.owners(unit, item.unit)))

    def own(self, name: str) -> Value:
        """An item of this unit, for each row of the data."""
        if name not in self._values:
            self._world.check_time()
            self._values[name] = evaluate(self._table.items[name], self)
        return self._values[name]

    def below(self, node: CountOf | FirstOf) -> Value:
        value = self._world.below(self._table.unit, node)
        groups = self._world.groups(self._table.unit)
        return value if groups is None else value.take(groups.of_row)

    def _of_unit(self, places: Places) -> Places:
        groups = self._world.groups(self._table.unit)
        return places if groups is None else chain(groups.of_row, places)


def _unit_rows(world: _World, unit: str, codebook: Codebook, watch: bool) -> UnitRows:
    table, frame = world.plan.tables[unit], world.frame(unit)
    keys = world.keys(unit)
    unkeyed = _count(~world.row_keys(unit).known) if table.collapsed else 0
    parents = None if table.parent_unit is None else world.parents(unit)
    items = {name: world.item(unit, name) for name in table.items}
    columns, tallies, times = {}, {}, {}
    for name in table.variables:
        world.check_time()
        variable = codebook.whole.variables[name]
        if variable.type == "date":
            times[name] = _first_days(as_dates(items[name]))
        columns[name], tallies[name], bad = typed(variable, items[name], world.decimal)
        if watch:
            _watch(tallies[name], table.items[name], frame, world.groups(unit), bad)
    return UnitRows(
        unit=unit,
        n=world.size(unit),
        keys=keys,
        parents=parents,
        columns=columns,
        items=items,
        tallies=tallies,
        repeated=repeats(keys),
        orphans=0 if parents is None else int(np.count_nonzero(parents < 0)),
        merged=frame.n - unkeyed - world.size(unit),
        unkeyed=unkeyed,
        unmatched=frame.unmatched,
        ambiguous=frame.ambiguous,
        disagreeing=world.disagreeing[unit],
        times=times,
    )


def _first_days(dates: Dates) -> Times:
    return np.where(dates.known, dates.low, np.nan).astype(np.float32)


def typed(variable: Variable, value: Value, decimal: str) -> tuple[Values, Tally, Mask]:
    """The values as `methods.base.Column` has them, what was found, and which had no meaning."""
    if variable.type in ("category", "boolean"):
        codes = _codes(variable, value)
        bad, missing = np.isinf(codes), np.isnan(codes)
        kept = np.where(bad | missing, -1.0, codes).astype(np.int16)
        return kept, Tally(_count(missing), _count(bad)), bad
    if variable.type == "date":
        dates = as_dates(value)
        months = dates.year() if variable.resolution == "year" else dates.month()
        values = months.values * (12.0 if variable.resolution == "year" else 1.0)
    else:
        values = as_numbers(value, decimal).values
    found = bounded(variable, values)
    tally = Tally(_count(found.missing), _count(found.bad), _count(found.outside))
    return found.values, tally, found.bad


def _codes(variable: Variable, value: Value) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    if isinstance(value, Numbers) and variable.type == "boolean":
        known = np.isin(value.values, (0.0, 1.0)) | ~value.known
        return np.where(known, value.values, np.inf)
    return as_texts(value).numbers(code_meaning(variable))


def _count(mask: Mask) -> int:
    return int(np.count_nonzero(mask))


def _watch(tally: Tally, node: Node, frame: _Frame, groups: Groups | None, bad: Mask) -> None:
    """Count the raw texts behind values without a meaning, and those that a map made one."""
    columns = [each for each in parts(node) if isinstance(each, Column)]
    texts = [frame.column(each.table, each.name) for each in columns]
    for place in np.flatnonzero(bad).tolist():
        if len(tally.values) >= _WATCH_LIMIT or not texts:
            break
        row = place if groups is None else int(groups.first[place])
        tally.values[" … ".join(text.take(np.array([row])).list()[0] for text in texts)] += 1
    if isinstance(node, MapTexts) and isinstance(node.of, Column):
        raw = texts[0]
        counts = np.bincount(raw.codes[raw.known], minlength=len(raw.texts))
        for text, n in zip(raw.texts, counts.tolist(), strict=True):
            meant = node.pairs.get(text)
            if meant is not None and n and len(tally.meant) < _WATCH_LIMIT:
                tally.meant[text, meant] += n
