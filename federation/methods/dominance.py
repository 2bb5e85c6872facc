"""Rule O4: no sum or mean in which one patient, or two together, make up most.

The shares of single patients cannot be seen in a sum over hospitals. So a hospital gets the pooled
sum first, and then counts its own patients above three shares of it; the counts are added up under
masks like every other sum. What the counts cannot rule out is hidden: a pair is taken to be as
large as it can be.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from federation.methods.grouping import counts_by
from federation.query.terms import DominanceTerms

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def above_shares(values: Floats, group: Ints, totals: Floats, terms: DominanceTerms) -> Ints:
    """Count one hospital's patients whose share of a pooled sum is large, int64 (3, groups).

    `values` (n,) are the sizes |x| of its patients, `group` (n,) their group 0 .. groups - 1, and
    `totals` (groups,) the pooled sums of sizes over all hospitals. The rows count patients above
    the three shares that `dominated` needs.
    """
    counts = [
        counts_by(group[values > share * totals[group]], totals.size) for share in _shares(terms)
    ]
    return np.stack(counts)


def dominated(above: Ints) -> Mask:
    """Tell per group whether one patient or two may exceed the allowed share, bool (groups,).

    `above` (3, groups): the counts of `above_shares`, added up over the hospitals.

    One patient above top1 is counted as such. If two patients with shares a >= b have a + b > top2,
    then a > top2 / 2; and since a <= top1, also b > top2 - top1. So two patients above the last
    share, one of them above the middle one, are hidden, whether or not they are such a pair.
    """
    alone, half, rest = above
    return np.asarray((alone > 0) | ((half > 0) & (rest > 1)))


def with_complement(found: Mask, shown: Mask, counts: Ints) -> Mask:
    """Add a complement to the dominated groups `found`, bool (groups,), where one is needed.

    One hidden sum among sums that are shown follows from the sum over all groups, which another
    question may ask for. So a second group is hidden then: the one with the fewest patients
    (`counts`) of those that are `shown`.
    """
    hidden = found | ~shown
    if not (found & shown).any() or np.count_nonzero(hidden) > 1 or hidden.all():
        return found & shown
    also = found.copy()
    also[np.argmin(np.where(hidden, counts.max() + 1, counts))] = True
    return also


def _shares(terms: DominanceTerms) -> tuple[float, float, float]:
    # a policy may allow two together less than one alone: then one alone has no more either
    alone = min(terms.top1, terms.top2)
    return alone, terms.top2 / 2, terms.top2 - alone
