"""Whether answers over different hospitals give away a few of them, by subtraction.

The same patients asked of hospitals 1 to 10 and of 1 to 9 tell hospital 10 alone. In general a
roster is a row of noughts and ones over hospitals, and whoever has the answers for some rosters has
the answer for every linear combination. Here that is decided exactly, in fractions: there are few
hospitals and few rosters for one set of patients.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import combinations

Roster = frozenset[str]


def gives_away(roster: Roster, earlier: Iterable[Roster], min_sites: int) -> frozenset[str] | None:
    """Return at least one and fewer than `min_sites` hospitals that some combination of `roster`
    with `earlier` ones is about, and no combination of the earlier ones alone; None without any.

    A roster that is itself too short is not the business of this rule.
    """
    before = sorted(set(earlier), key=sorted)
    if roster in before or not before:
        return None
    together = [*before, roster]
    for few in _few(together, min_sites):
        if _tell_of(together, few) and not _tell_of(before, few):
            return few
    return None


def _few(rosters: Sequence[Roster], min_sites: int) -> Iterator[Roster]:
    """Groups of fewer than `min_sites` hospitals. A combination treats hospitals that are in
    exactly the same rosters alike, so they stay together."""
    alike: dict[tuple[bool, ...], set[str]] = {}
    for site in frozenset().union(*rosters):
        alike.setdefault(tuple(site in roster for roster in rosters), set()).add(site)
    classes = sorted((frozenset(found) for found in alike.values()), key=sorted)
    for number in range(1, min_sites):
        for chosen in combinations(classes, number):
            together = frozenset().union(*chosen)
            if len(together) < min_sites:
                yield together


def _tell_of(rosters: Sequence[Roster], few: Roster) -> bool:
    """Tell whether a combination of the rosters is about hospitals of `few` and no others: then,
    without the columns of `few`, some row has become a combination of the other rows."""
    sites = sorted(frozenset().union(*rosters))
    return _rank(rosters, sites) > _rank(rosters, [site for site in sites if site not in few])


def _rank(rosters: Sequence[Roster], sites: Sequence[str]) -> int:
    """The rank of the rosters as rows over `sites`, in fractions."""
    rows = [[Fraction(site in roster) for site in sites] for roster in rosters]
    rank = 0
    for column in range(len(sites)):
        pivot = next((i for i in range(rank, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for i in range(rank + 1, len(rows)):
            if rows[i][column]:
                factor = rows[i][column] / rows[rank][column]
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[rank], strict=True)]
        rank += 1
    return rank
