"""EQ-5D-5L: the index by the Dutch value set. Numbers and codes only.

Values: Versteegh et al. 2016 (doi:10.1016/j.jval.2016.01.003). The questions belong to EuroQol and
are not here: a dimension is known by its two letters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

INSTRUMENT: Final = "EQ-5D-5L"
VERSION: Final = "1"
ANY_PROBLEM: Final = 0.047
#: Dimension -> what levels 1 to 5 take off.
DUTCH: Final[Mapping[str, tuple[float, ...]]] = MappingProxyType(
    {
        "mo": (0.0, 0.035, 0.057, 0.166, 0.203),
        "sc": (0.0, 0.038, 0.061, 0.168, 0.168),
        "ua": (0.0, 0.039, 0.087, 0.192, 0.192),
        "pd": (0.0, 0.066, 0.092, 0.360, 0.415),
        "ad": (0.0, 0.070, 0.145, 0.356, 0.421),
    }
)
DIMENSIONS: Final = tuple(DUTCH)
WORST: Final = -0.446


def index(levels: Sequence[Floats]) -> Floats:
    """The index of n people, from -0.446 (worst) to 1 (no problem).

    levels: one array (n,) per dimension, in the order of DIMENSIONS; nan is no answer. nan unless
    all five have an answer. inf where an answer is none that can be given.
    """
    given = np.stack([np.asarray(each, np.float64) for each in levels])
    if len(given) != len(DIMENSIONS):
        raise ValueError(f"EQ-5D-5L has {len(DIMENSIONS)} dimensions")
    missing = np.isnan(given)
    wrong = ~missing & ~np.isin(given, np.arange(1.0, 6.0))
    known = np.where(missing | wrong, 1.0, given).astype(np.int64)
    off = sum(np.array(DUTCH[name])[known[place] - 1] for place, name in enumerate(DIMENSIONS))
    value = 1.0 - off - np.where((known > 1).any(axis=0), ANY_PROBLEM, 0.0)
    # The values have three decimals; so has their sum.
    made = np.round(value, 3)
    return np.where(wrong.any(axis=0), np.inf, np.where(missing.any(axis=0), np.nan, made))


def score(answers: Mapping[str, int | None]) -> float | None:
    """The index of one person; None unless all five dimensions have an answer.

    ValueError for a dimension or a level that EQ-5D-5L does not have.
    """
    for name, level in answers.items():
        if name not in DIMENSIONS:
            raise ValueError(f"EQ-5D-5L has no dimension {name}")
        if level is not None and (type(level) is not int or not 1 <= level <= 5):
            raise ValueError("a level is 1 to 5")
    found = index([np.array([_known(answers.get(name))]) for name in DIMENSIONS])
    return None if np.isnan(found[0]) else float(found[0])


def _known(level: int | None) -> float:
    return np.nan if level is None else float(level)
