"""An in-memory federation: real site halves, real fixed-point sums, real hub halves."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from federation.methods.base import Ask, Column, Finished, Released, Rows
from federation.methods.registry import KINDS, parse
from federation.protocol import sums as wire
from federation.query.codebook import Codebook
from federation.query.terms import Terms


def rows_of(frame: pd.DataFrame, codebook: Codebook) -> Rows:
    """Rows as a site reads them: category by code, boolean as 0/1 or bool, numbers as floats."""
    columns = {}
    for name, variable in codebook.variables.items():
        if name not in frame.columns:
            continue
        raw = frame[name]
        if variable.type in ("category", "boolean"):
            labels = list(variable.group_labels or ())
            if variable.type == "boolean":
                texts = raw.map(lambda v: None if pd.isna(v) else str(bool(v)).lower())
            else:
                texts = raw.map(lambda v: None if pd.isna(v) else str(v))
            codes = [labels.index(t) if t in labels else -1 for t in texts]
            columns[name] = Column(variable, np.array(codes, dtype=np.int16))
            continue
        values = raw.to_numpy(dtype=np.float64, na_value=np.nan).copy()
        with np.errstate(invalid="ignore"):
            if variable.min is not None:
                values[values < variable.min] = np.nan
            if variable.max is not None:
                values[values > variable.max] = np.nan
        columns[name] = Column(variable, values)
    return Rows(columns, len(frame))


class Federation:
    """Sites that answer one question after the other, and the hub that adds their answers."""

    def __init__(
        self, frames: Sequence[pd.DataFrame], codebook: Codebook, terms: Terms | None = None
    ) -> None:
        self.codebook = codebook
        self.terms = terms or Terms.open_data()
        self.frames = list(frames)
        self.rounds = 0
        self.cohort: dict[str, Any] = {}

    def finish(self, analysis: Mapping[str, Any]) -> tuple[Ask, Finished]:
        """Run every round; each step is sent as JSON, each sum as fixed point."""
        asked = {"version": 1, "codebook": self.codebook.id, "analysis": dict(analysis)}
        query = parse({**asked, "cohort": self.cohort}, self.codebook)
        method = KINDS[query.kind]
        hub = Ask(query, self.codebook, self.terms, None)
        sites = [rows_of(frame, self.codebook) for frame in self.frames]
        step = method.start(hub)
        for self.rounds in range(1, method.bounded_rounds + 1):
            step = dataclasses.replace(
                step, params=json.loads(json.dumps(step.params, allow_nan=False))
            )
            replies = [
                method.site(dataclasses.replace(hub, site=f"s{i:02d}"), step, rows)
                for i, rows in enumerate(sites)
            ]
            if step.labelled:
                assert self.terms.protection == "none"
                pooled = {k: np.concatenate([r[k] for r in replies]) for k in replies[0]}
            else:
                pooled = self._added(replies)
            found = method.combine(hub, step, pooled)
            if isinstance(found, Finished):
                return hub, found
            step = found
        raise AssertionError("more rounds than the method says")

    def _added(self, replies: list[dict[str, Any]]) -> dict[str, Any]:
        layouts, vectors = zip(*(wire.flatten(reply) for reply in replies), strict=True)
        # Shapes and kinds of numbers must follow from (ask, step) alone, also without rows.
        assert all(layout == layouts[0] for layout in layouts)
        return wire.unflatten(layouts[0], wire.total(vectors))

    def ask(
        self, kind: str, shown: Mapping[str, Any] | None = None, **params: Any
    ) -> dict[str, Any]:
        """The released result; everything is shown unless `shown` says otherwise."""
        return self.release(kind, shown, **params).result

    def release(self, kind: str, shown: Mapping[str, Any] | None = None, **params: Any) -> Released:
        """As `ask`, with hidden numbers and warnings; proves that the result is strict JSON."""
        hub, finished = self.finish({"kind": kind, **params})
        method = KINDS[kind]
        tables = method.tables(hub, finished)
        masks = {t.name: np.ones(np.shape(t.counts), dtype=bool) for t in tables}
        masks.update({k: np.asarray(v, dtype=bool) for k, v in (shown or {}).items()})
        released = method.result(hub, finished, masks)
        assert json.loads(json.dumps(released.result, allow_nan=False)) == released.result
        return released


@pytest.fixture(scope="session")
def federation() -> type[Federation]:
    """The class itself: tests choose split, codebook and terms."""
    return Federation


def split_evenly(frame: pd.DataFrame, sites: int, seed: int = 7) -> list[pd.DataFrame]:
    """Random sites of random size, one of two patients when there are enough, one empty."""
    rng = np.random.default_rng(seed)
    if sites == 1:
        return [frame]
    chosen = rng.integers(0, sites, len(frame))
    if sites > 2 and len(frame) > 20:
        chosen[chosen == 0] = 1
        chosen[rng.permutation(len(frame))[:2]] = 0
        chosen[chosen == 2] = 1
    return [frame[chosen == i].reset_index(drop=True) for i in range(sites)]


@pytest.fixture(scope="session")
def split() -> Any:
    """`split(frame, sites, seed=7)`: frames whose union is `frame`."""
    return split_evenly
