"""How many patients, roughly: a range, so that no exact number of a hospital's patients leaves."""

from bisect import bisect_right
from itertools import pairwise

_EDGES = (1, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
NOBODY = "0"
MOST = f"{_EDGES[-1]}+"
BANDS = (NOBODY, *(f"{a}-{b - 1}" for a, b in pairwise(_EDGES)), MOST)


def band(n: int) -> str:
    """The range that `n` lies in: "0", "1-9", "10-19", "20-49", "50-99", "100-199" and so on."""
    return BANDS[bisect_right(_EDGES, n)]
