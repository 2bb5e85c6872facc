"""What a cohort means, in one form for all wordings: two cohorts that select the same patients in
every possible data set have the same meaning, and no others do.

Each variable of the cohort is cut into the pieces that its comparisons can tell apart, a missing
value being a piece of its own. For every combination of pieces the cohort holds or does not; that
table is written as a decision diagram with the variables in order of name, equal branches joined,
and variables on which nothing depends left out. Such a diagram is unique for the function that it
stands for (Bryant, Graph-based algorithms for Boolean function manipulation, IEEE Transactions on
Computers 35 (1986), 677-691; here with as many branches as a variable has pieces).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from federation.query.canonical import canonical_json
from federation.query.codebook import Codebook
from federation.query.cohort import All, Leaf, Node, Not, canonical
from federation.query.variables import Variable

MOST: Final = 20_000
"""Combinations of pieces, beyond which a cohort keeps the wording it came in."""

Piece = str | bool | tuple[float, float, bool, bool] | None
"""A level; a range (low, high, low is in, high is in); None for a missing value."""


@dataclass(frozen=True)
class _Choice:
    """A variable, and its pieces in groups that no comparison of the cohort can tell apart."""

    variable: Variable
    groups: tuple[tuple[Piece, ...], ...]


def meaning(cohort: Node, codebook: Codebook) -> Any:
    """The meaning of a checked cohort as JSON: true, false, or a decision about one variable."""
    choices = _choices(cohort, codebook)
    if _combinations(choices) > MOST:
        return cohort.to_dict()
    return _decide(cohort, choices, {}, ())


def meaning_whatever(cohort: Node, codebook: Codebook, whatever: Collection[str]) -> Any:
    """The meaning of a cohort whatever some of its variables are: whom it holds for with one of
    their values or another. Nor does it count that a variable is known, where that is all a part
    of the cohort asks (`age >= 0`): that leaves nearly everybody in."""
    kept = []
    for part in _independent(cohort):
        choices = _choices(part, codebook)
        if not set(part.variables()) <= set(whatever) and not _all_known(part, choices):
            kept.append(part)
    left = canonical(All(tuple(kept)))
    choices = _choices(left, codebook)
    if _combinations(choices) > MOST:
        return left.to_dict()
    free = [choice for choice in choices if choice.variable.name in whatever]
    return _decide(left, [each for each in choices if each not in free], {}, free)


def reach(cohort: Node, codebook: Codebook, name: str) -> list[tuple[float, float]] | None:
    """The values of a number or date with which a patient may be in the cohort, as ranges with
    their ends in them; dates as months (year x 12 + month - 1) or years. None: any value."""
    for part in _independent(cohort):
        if name not in part.variables():
            continue
        choices = _choices(part, codebook)
        if _combinations(choices) > MOST:
            return None
        [own] = [choice for choice in choices if choice.variable.name == name]
        others = [choice for choice in choices if choice is not own]
        found = [
            piece
            for group in own.groups
            if _holds_somehow(part, {name: group[0]}, others)
            for piece in group
            if isinstance(piece, tuple)
        ]
        return [_closed(own.variable, piece)[:2] for piece in sorted(found)]
    return None


def _all_known(part: Node, choices: Sequence[_Choice]) -> bool:
    """Whether the part holds for every patient of whom its variables are known."""
    if _combinations(choices) > MOST:
        return False
    known = [[group for group in choice.groups if set(group) != {None}] for choice in choices]
    names = [choice.variable.name for choice in choices]
    return all(
        _holds(part, dict(zip(names, (_known(group) for group in groups), strict=True)))
        for groups in itertools.product(*known)
    )


def _known(group: Sequence[Piece]) -> Piece:
    return next(piece for piece in group if piece is not None)


def _combinations(choices: Sequence[_Choice]) -> int:
    return math.prod(len(choice.groups) for choice in choices)


def _independent(cohort: Node) -> list[Node]:
    """The parts that must all hold, each about variables that no other part is about."""
    parts: list[tuple[set[str], list[Node]]] = []
    for item in cohort.items if isinstance(cohort, All) else (cohort,):
        names, items = set(item.variables()), [item]
        for part in [each for each in parts if each[0] & names]:
            parts.remove(part)
            names |= part[0]
            items = [*part[1], *items]
        parts.append((names, items))
    return [items[0] if len(items) == 1 else All(tuple(items)) for _, items in parts]


def _choices(cohort: Node, codebook: Codebook) -> list[_Choice]:
    leaves: dict[str, list[Leaf]] = {}
    for leaf in cohort.leaves():
        leaves.setdefault(leaf.var, []).append(leaf)
    return [_choice(codebook.variables[name], leaves[name]) for name in sorted(leaves)]


def _decide(
    cohort: Node, choices: Sequence[_Choice], taken: Mapping[str, Piece], free: Sequence[_Choice]
) -> Any:
    if not choices:
        return _holds_somehow(cohort, taken, free)
    choice = choices[0]
    branches: dict[bytes, tuple[Any, list[Piece]]] = {}
    for group in choice.groups:
        after = _decide(cohort, choices[1:], {**taken, choice.variable.name: group[0]}, free)
        branches.setdefault(canonical_json(after), (after, []))[1].extend(group)
    if len(branches) == 1:
        return next(iter(branches.values()))[0]
    return {
        "var": choice.variable.name,
        "to": [
            [_written(choice.variable, pieces), after]
            for _, (after, pieces) in sorted(branches.items())
        ],
    }


def _holds_somehow(node: Node, taken: Mapping[str, Piece], free: Sequence[_Choice]) -> bool:
    """Whether the cohort holds for a patient with these values, and any of the free variables."""
    names = [choice.variable.name for choice in free]
    for pieces in itertools.product(*(choice.groups for choice in free)):
        if _holds(node, {**taken, **dict(zip(names, (p[0] for p in pieces), strict=True))}):
            return True
    return False


def _holds(node: Node, taken: Mapping[str, Piece]) -> bool:
    """Whether the cohort holds for a patient whose values lie in these pieces."""
    if isinstance(node, Leaf):
        return _matches(node, taken[node.var])
    if isinstance(node, Not):
        return not _holds(node.item, taken)
    found = (_holds(item, taken) for item in node.items)
    return all(found) if isinstance(node, All) else any(found)


def _choice(variable: Variable, leaves: Sequence[Leaf]) -> _Choice:
    groups: dict[tuple[bool, ...], list[Piece]] = {}
    for piece in [*_pieces(variable, leaves), None]:
        key = tuple(_matches(leaf, piece) for leaf in leaves)
        groups.setdefault(key, []).append(piece)
    return _Choice(variable, tuple(tuple(group) for group in groups.values()))


def _pieces(variable: Variable, leaves: Sequence[Leaf]) -> Iterator[Piece]:
    """Everything that a known value can be, cut wherever a comparison names a value."""
    if variable.type == "category":
        yield from (level.code for level in variable.levels)
        return
    if variable.type == "boolean":
        yield from (False, True)
        return
    low = -math.inf if variable.min is None else variable.min
    high = math.inf if variable.max is None else variable.max
    cuts = sorted({number for leaf in leaves for number in _numbers(leaf)})
    edges = sorted({low, *(cut for cut in cuts if low <= cut <= high), high})
    for place, edge in enumerate(edges):
        if math.isfinite(edge):
            yield (edge, edge, True, True)
        if place + 1 < len(edges):
            between = (edge, edges[place + 1], False, False)
            if not (_whole(variable) and edges[place + 1] - edge <= 1):
                yield between


def _matches(leaf: Leaf, piece: Piece) -> bool:
    if piece is None:
        return False
    if not isinstance(piece, tuple):
        values = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
        return (piece in values) is (leaf.op != "!=")
    low, high = piece[:2]
    values = _numbers(leaf)
    one = values[0]
    match leaf.op:
        case "=" | "in":
            return low == high and low in values
        case "!=":
            return not (low == high and low == one)
        case "<":
            return high < one or (high == one and low < high)
        case "<=":
            return high <= one
        case ">":
            return low > one or (low == one and low < high)
        case _:
            return low >= one


def _written(variable: Variable, pieces: Sequence[Piece]) -> list[Any]:
    """The pieces of one branch, joined where they touch: no cut is left that means nothing."""
    missing = ["missing"] if None in pieces else []
    if variable.type in ("category", "boolean"):
        return [*missing, sorted(piece for piece in pieces if piece is not None)]
    joined: list[tuple[float, float, bool, bool]] = []
    for piece in sorted(piece for piece in pieces if isinstance(piece, tuple)):
        low, high, low_in, high_in = _closed(variable, piece)
        if joined and _touch(variable, joined[-1], (low, high, low_in, high_in)):
            joined[-1] = (joined[-1][0], high, joined[-1][2], high_in)
        else:
            joined.append((low, high, low_in, high_in))
    return [*missing, [[_finite(a), _finite(b), c, d] for a, b, c, d in joined]]


def _closed(
    variable: Variable, piece: tuple[float, float, bool, bool]
) -> tuple[float, float, bool, bool]:
    """A range with its ends in it, where values are whole numbers."""
    low, high, low_in, high_in = piece
    if not _whole(variable):
        return piece
    return (
        low if low_in or math.isinf(low) else low + 1,
        high if high_in or math.isinf(high) else high - 1,
        math.isfinite(low),
        math.isfinite(high),
    )


def _touch(
    variable: Variable,
    one: tuple[float, float, bool, bool],
    next_one: tuple[float, float, bool, bool],
) -> bool:
    if _whole(variable):
        return next_one[0] <= one[1] + 1
    return one[1] == next_one[0] and (one[3] or next_one[2])


def _whole(variable: Variable) -> bool:
    return variable.type in ("integer", "date")


def _numbers(leaf: Leaf) -> tuple[float, ...]:
    """The values of a comparison in order of time or size; dates as months, or as years."""
    values = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    return tuple(_number(value) for value in values)


def _number(value: object) -> float:
    if isinstance(value, str):
        year, _, month = value.partition("-")
        return float(int(year) * 12 + int(month) - 1) if month else float(int(year))
    assert isinstance(value, int | float)  # noqa: S101  the cohort parser lets nothing else through
    return float(value)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
