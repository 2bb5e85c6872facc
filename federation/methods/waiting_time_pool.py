"""Which hospitals stand in the pooled day histogram behind the rule of the waiting times.

The rule compares a hospital with all others together, to the day. So a run by_site first adds the
days of the hospitals under masks, then each takes its own days off. What that sum tells:

- Hub and hospitals see how many patients waited each number of days, over all hospitals in it.
  That is a masked sum like any other: thin days are in it, and it is no part of any answer. A
  hospital sees what is left when it takes itself off: of two hospitals each would read the other.
  So the hospitals in it must be as many, and as even in size, as for any pooled answer (O13), and
  that is settled before a single day is added.
- Beside it stand the hospitals' own answers. What all but one of them show up to some day, taken
  off the sum, is what the last one has up to it. So under protection the own answers part the days
  at the norms alone; and at a norm that some hospital in the sum cannot show, at least min_sites of
  them must be unable to: what is left then is a number of so many hospitals together. Where fewer
  are, either the days are added one by one only up to the day before that norm, which is enough for
  every hospital whose median is not twice the norm; or those hospitals stay out of the sum and are
  only measured by it, as in `standardise` and for the same reason. Whatever leaves the rule
  decided for most hospitals, with most of them in the sum.

For this each hospital says first, under masks, which norms it can show, one of 2^norms cells with
its patients in it, and which norms half of its median reaches. Where the hub gets the own answers,
they say nearly the same later, by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from federation.query.terms import Terms

Ints = npt.NDArray[np.int64]


def pattern_of(shown: Sequence[bool]) -> int:
    """Which norms a hospital cannot show, as a number: bit i for norm i."""
    return sum(1 << place for place, is_shown in enumerate(shown) if not is_shown)


def offer(pattern: int | None, n: int, norms: int) -> Ints:
    """What a hospital with `n` patients sends, int64 (2^norms, 3): 1, n and n squared in the row
    of its pattern; nothing for None, a hospital without an answer of its own."""
    found = np.zeros((2**norms, 3), dtype=np.int64)
    if pattern is not None:
        found[pattern] = (1, n, n * n)
    return found


@dataclass(frozen=True)
class Pool:
    """Whose days are added, by pattern, and up to which day one by one."""

    patterns: tuple[int, ...]
    last: int


def pool_of(
    offers: Ints, reached: Ints, norms: Sequence[int], last: int, terms: Terms
) -> Pool | None:
    """The pool of all that hospitals offered; None when they are too few for any.

    `reached` (norms,): how many hospitals have a median of at least twice each norm. `last`: the
    last day that any comparison needs. Everybody comes to the same from the added offers alone.
    """
    found: tuple[tuple[int, int, int], Pool] | None = None
    for place in range(len(norms) + 1):
        patterns = in_pool(offers, terms, place)
        if patterns is None:
            continue
        upto, undecided = last, 0
        if place < len(norms):
            upto, undecided = min(int(norms[place]) - 1, last), int(reached[place])
        score = (-undecided, int(offers[list(patterns), 0].sum()), upto)
        if found is None or score > found[0]:
            found = score, Pool(patterns, upto)
    return None if found is None else found[1]


def in_pool(offers: Ints, terms: Terms, norms: int) -> tuple[int, ...] | None:
    """The patterns of which the hospitals stand in the sum, when the first `norms` norms lie among
    the days that are added one by one; None when they are too few.

    Taking hospitals out makes others the last ones at a norm: it is done until nothing changes.
    """
    kept = {place for place in range(len(offers)) if offers[place, 0] > 0}
    while True:
        bad = {
            place
            for norm in range(norms)
            for unable in [{p for p in kept if p >> norm & 1}]
            if 0 < sum(int(offers[p, 0]) for p in unable) < terms.min_sites
            for place in unable
        }
        if not bad:
            break
        kept -= bad
    hospitals, n, squares = (int(offers[sorted(kept), i].sum()) for i in range(3))
    if hospitals < terms.min_sites or n * n < terms.min_effective_sites * squares:
        return None
    return tuple(sorted(kept))
