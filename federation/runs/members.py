"""Who of the invented patients (federation.methods.universe) is in a set, by its definition."""

from __future__ import annotations

import json

import numpy as np

from federation.disclosure.nesting import ReleasedSet
from federation.methods.base import Mask
from federation.methods.cohorts import cohort_mask
from federation.methods.universe import SIZE, columns_of
from federation.query.codebook import Codebook
from federation.query.cohort import parse_cohort


def members(one: ReleasedSet, codebook: Codebook) -> Mask | None:
    """Who of the invented patients (federation.methods.universe) is in a set, bool (SIZE,).

    None when its definition is about other variables than the codebook has, or is no cohort.
    """
    names = {*one.ranges, *one.levels}
    try:
        nodes = [parse_cohort(json.loads(text), codebook) for text in one.other]
        for node in nodes:
            names |= set(node.variables())
        columns = columns_of(codebook, names)
    except (KeyError, ValueError):
        return None
    mask = np.ones(SIZE, np.bool_)
    for name, levels in one.levels.items():
        labels = columns[name].variable.group_labels or ()
        mask &= np.isin(columns[name].codes(), [labels.index(x) for x in levels if x in labels])
    for name, found in one.ranges.items():
        values = columns[name].values
        mask &= values > found.low if found.low_open else values >= found.low
        mask &= values < found.high if found.high_open else values <= found.high
    for node in nodes:
        mask &= cohort_mask(node, columns, SIZE)
    return mask
