"""A result as tables: the one source of the numbers on the page and in the CSV file.

A hidden number is a cell that says so ("<10", or "not shown"). It is never 0 and never empty.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.pages.naming import Names
from registry.translate import number, p_value, percent
from registry.translate import translate as _


@dataclass(frozen=True)
class Cell:
    """What the page shows (`text`) and what the file holds (`value`; the text when hidden)."""

    text: str
    value: str | int | float | None = None
    hidden: bool = False
    numeric: bool = True


@dataclass(frozen=True)
class Head:
    """A column: its heading on the page and its stable name in the file."""

    label: str
    name: str
    numeric: bool = True


@dataclass(frozen=True)
class Table:
    """A caption, columns and rows; the first cell of a row is its heading."""

    caption: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Shown:
    """Writes the values of one envelope, knowing which of them were hidden and the threshold."""

    envelope: Mapping[str, Any]
    names: Names

    @property
    def result(self) -> Mapping[str, Any]:
        found = self.envelope.get("result")
        return found if isinstance(found, Mapping) else {}

    @property
    def threshold(self) -> int:
        policy = self.envelope.get("provenance", {}).get("policy", {})
        return int(policy.get("t_cell") or 10)

    @property
    def small(self) -> str:
        return f"<{self.threshold}"

    @property
    def hidden_places(self) -> frozenset[str]:
        return frozenset(str(h.get("where", "")) for h in self.envelope.get("hidden", ()))

    def text(self, words: str, value: str | None = None) -> Cell:
        return Cell(words, words if value is None else value, numeric=False)

    def count(self, n: int | None) -> Cell:
        """A number of patients, or "<10"."""
        return Cell(self.small, self.small, hidden=True) if n is None else Cell(number(n), n)

    def counts(self, values: Sequence[int | None], total: int | None) -> list[Cell]:
        """Numbers of patients that add up to `total`, in the same order.

        Not every hidden one of them is small: some are hidden because a small one would follow
        from them. Where they cannot all be small, none is called "<10".
        """
        if could_be_small(values, total, self.threshold):
            return [self.count(n) for n in values]
        return [self.total(n) for n in values]

    def total(self, n: int | None) -> Cell:
        """A total: hidden when it would give a hidden part away, whatever its size."""
        return Cell(_("not shown"), "hidden", hidden=True) if n is None else Cell(number(n), n)

    def figure(
        self, value: float | None, digits: int, write: Callable[[float, int], str] = number
    ) -> Cell:
        """Any other number, or "not shown"."""
        if value is None:
            return Cell(_("not shown"), "hidden", hidden=True)
        return Cell(write(float(value), digits), value)

    def share(self, value: float | None) -> Cell:
        return self.figure(value, 1, percent)

    def p(self, value: float | None) -> Cell:
        return Cell(p_value(value), value) if value is not None else self.figure(None, 0)

    def range(self, low: float | None, high: float | None, digits: int) -> str:
        if low is None or high is None:
            return _("not shown")
        return _("%(low)s to %(high)s", low=number(low, digits), high=number(high, digits))

    def share_range(self, low: float | None, high: float | None) -> Cell:
        """The interval of a share."""
        if low is None or high is None:
            return Cell(_("not shown"), "hidden", hidden=True)
        text = _("%(low)s to %(high)s", low=percent(low), high=percent(high))
        return Cell(text, f"{low:g}-{high:g}")

    def interval(self, pair: Sequence[float | None] | None, digits: int = 0) -> Cell:
        """A value known only to lie between two bounds, or an interval of an estimate."""
        if not pair or any(bound is None for bound in pair):
            return Cell(_("not shown"), "hidden", hidden=True)
        low, high = float(pair[0] or 0), float(pair[-1] or 0)
        if low == high:
            return Cell(number(low, digits), low)
        text = _("%(low)s to %(high)s", low=number(low, digits), high=number(high, digits))
        return Cell(text, f"{low:g}-{high:g}")


def could_be_small(values: Sequence[int | None], total: int | None, threshold: int) -> bool:
    """Whether every hidden one of `values` may lie below `threshold` when they make up `total`."""
    known = sum(n for n in values if n is not None)
    hidden = sum(1 for n in values if n is None)
    return total is None or known + hidden * (threshold - 1) >= total


def to_csv(tables: Sequence[Table]) -> str:
    """The main table as CSV (comma, point, UTF-8): the same rows as on the page.

    A cell that a spreadsheet would run as a formula gets a quote in front.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for i, table in enumerate(tables):
        if i:
            writer.writerow([])
        writer.writerow([head.name for head in table.heads])
        for row in table.rows:
            writer.writerow([_safe(cell.value) for cell in row])
    return out.getvalue()


def _safe(value: str | int | float | None) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value
