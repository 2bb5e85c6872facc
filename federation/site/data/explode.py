"""Columns that each stand for a row: `chemo` and `rt` of a tumour as two treatments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from federation.site.data.joins import some
from federation.site.data.values import MISSING, Mask, Places, Texts
from federation.site.errors import DataError

MOST_ROWS = 20_000_000


@dataclass(frozen=True)
class ExplodedRows:
    """of: for each new row the row it came from, going up. label, value: of each new row."""

    of: Places
    label: Texts
    value: Texts


def explode(
    pairs: Sequence[tuple[str, str]],
    column: Callable[[str], Texts],
    holds: Callable[[Texts, Texts], Mask],
    n: int,
) -> ExplodedRows:
    """A row for each of `n` rows and each (label, column) of `pairs` where `holds(label, value)`.

    In order of the rows, and for one row in order of `pairs`. DataError SOURCE_TOO_LARGE.
    """
    labels = list(dict.fromkeys(label for label, _ in pairs))
    texts: list[str] = []
    of, codes, values = [], [], []
    total = 0
    for label, name in pairs:
        value = column(name)
        here = Texts(np.full(n, labels.index(label), np.int32), labels)
        rows = some(holds(here, value))
        total += len(rows)
        if total > MOST_ROWS:
            raise DataError("SOURCE_TOO_LARGE")
        of.append(rows)
        codes.append(np.full(len(rows), labels.index(label), np.int32))
        shifted = np.where(value.codes >= 0, value.codes + len(texts), MISSING)
        values.append(shifted[rows].astype(np.int32))
        texts += value.texts
    all_of = np.concatenate(of)
    order = np.argsort(all_of, kind="stable")
    return ExplodedRows(
        of=all_of[order],
        label=Texts(np.concatenate(codes)[order], labels),
        value=Texts(np.concatenate(values)[order], texts),
    )
