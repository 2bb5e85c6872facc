"""Columns of the source in memory as numbered texts: each different text is there once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from federation.site.data.meanings import text_of
from federation.site.data.plan import Plan
from federation.site.data.source_options import SourceOptions
from federation.site.data.sources import Raw, open_source
from federation.site.data.values import MISSING, Texts


def load(plan: Plan, source: SourceOptions) -> dict[str, tuple[int, dict[str, Texts]]]:
    """Per table of the source how many rows it has, and the columns that are needed."""
    needed: dict[str, set[str]] = {}
    for table in plan.tables.values():
        by_alias = table.columns()
        needed.setdefault(table.table, set()).update(by_alias[""])
        for join in table.joins:
            needed.setdefault(join.table, set()).update(by_alias[join.name])
    return {name: _table(source, name, sorted(columns)) for name, columns in needed.items()}


def _table(
    source: SourceOptions, name: str, columns: Sequence[str]
) -> tuple[int, dict[str, Texts]]:
    opened = open_source(source.only(name) if name else source)
    asked = columns or opened.header()[:1]
    coders = [_Coder(source.null) for _ in asked]
    made: list[list[np.ndarray[tuple[int], np.dtype[np.int32]]]] = [[] for _ in asked]
    for block in opened.blocks(asked):
        for place, column in enumerate(block):
            made[place].append(coders[place].codes(column))
    none = np.zeros(0, np.int32)
    found = {
        name: Texts(np.concatenate(codes) if codes else none, coder.texts)
        for name, coder, codes in zip(asked, coders, made, strict=True)
    }
    return len(next(iter(found.values()))), found


class _Coder(dict[Raw, int]):
    """Raw value -> place of its text, each worked out once."""

    def __init__(self, null: frozenset[str]) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._null = null
        self._places: dict[str, int] = {}

    def __missing__(self, raw: Raw) -> int:
        text = text_of(raw)
        place = MISSING
        if raw is not None and text not in self._null:
            place = self._places.setdefault(text, len(self.texts))
            if place == len(self.texts):
                self.texts.append(text)
        self[raw] = place
        return place

    def codes(self, column: Sequence[Raw]) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        return np.fromiter(map(self.__getitem__, column), np.int32, len(column))
