"""Who a question is about: a tree of `all`, `any`, `not` and comparisons with codebook values.

A missing value never matches a comparison, with any operator, `!=` included. `not` is the plain
boolean not of what is inside it, so `not (grade = 1)` does match a patient whose grade is missing.
Every tree is brought into one canonical form when read, so that two spellings of the same cohort
are recognised as the same question.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any as AnyType
from typing import Final

from federation.query.canonical import canonical_json
from federation.query.codebook import Codebook, Variable, number_text, plain_number
from federation.query.errors import (
    BAD_VALUE,
    NOT_IN_CATALOGUE,
    TOO_FINE,
    TOO_LARGE,
    QueryError,
    at,
    check_keys,
    did_you_mean,
    shown,
)

MAX_DEPTH: Final = 10
MAX_LEAVES: Final = 50
MAX_IN: Final = 500

EQUALITY: Final = ("=", "!=", "in")
ORDERING: Final = ("<", "<=", ">", ">=", "between")
OPS: Final = (*EQUALITY, *ORDERING)

_MONTH = re.compile(r"(1[89]|20|21)[0-9]{2}-(0[1-9]|1[0-2])")
_YEAR = re.compile(r"(1[89]|20|21)[0-9]{2}")

Json = dict[str, AnyType]
Value = str | bool | int | float | tuple[str | bool | int | float, ...]


class _Tree(ABC):
    """What every node can tell about the leaves inside it."""

    @abstractmethod
    def leaves(self) -> Iterator[Leaf]:
        """Yield the comparisons inside, in canonical order."""

    def variables(self) -> tuple[str, ...]:
        """Return the variables that are named inside, sorted, each once."""
        return tuple(sorted({leaf.var for leaf in self.leaves()}))


@dataclass(frozen=True)
class Leaf(_Tree):
    """One comparison. `value` is a tuple for `in`, else one value; op is never `between`."""

    var: str
    op: str
    value: Value

    def to_dict(self) -> Json:
        """Return the leaf as it stands in a query."""
        value = list(self.value) if isinstance(self.value, tuple) else self.value
        return {"var": self.var, "op": self.op, "value": value}

    def leaves(self) -> Iterator[Leaf]:
        yield self


@dataclass(frozen=True)
class Not(_Tree):
    """Everyone whom `item` does not match, patients with missing values included."""

    item: Node

    def to_dict(self) -> Json:
        """Return the node as it stands in a query."""
        return {"not": self.item.to_dict()}

    def leaves(self) -> Iterator[Leaf]:
        yield from self.item.leaves()


@dataclass(frozen=True)
class All(_Tree):
    """Everyone whom all of `items` match; with no items, everyone."""

    items: tuple[Node, ...] = ()

    def to_dict(self) -> Json:
        """Return the node as it stands in a query; `{}` for everyone."""
        return {"all": [item.to_dict() for item in self.items]} if self.items else {}

    def leaves(self) -> Iterator[Leaf]:
        for item in self.items:
            yield from item.leaves()


@dataclass(frozen=True)
class Any(_Tree):
    """Everyone whom at least one of `items` matches."""

    items: tuple[Node, ...]

    def to_dict(self) -> Json:
        """Return the node as it stands in a query."""
        return {"any": [item.to_dict() for item in self.items]}

    def leaves(self) -> Iterator[Leaf]:
        for item in self.items:
            yield from item.leaves()


Node = All | Any | Not | Leaf


def parse_cohort(obj: object, codebook: Codebook, where: str = "cohort") -> Node:
    """Read a cohort from JSON and return its canonical form.

    Raises QueryError: UNKNOWN_KEY, UNKNOWN_VARIABLE, BAD_VALUE, NOT_IN_CATALOGUE, TOO_FINE,
    TOO_LARGE (more than 10 deep or 50 comparisons).
    """
    if obj in ({}, {"all": []}):
        return All()
    node = canonical(_read(obj, codebook, where, 1))
    if sum(1 for _ in node.leaves()) > MAX_LEAVES:
        raise QueryError(
            TOO_LARGE, f"A cohort has at most {MAX_LEAVES} comparisons. Use fewer.", where
        )
    return node


def canonical(node: Node) -> Node:
    """Return the one form all equal spellings share.

    Nested `all` in `all` and `any` in `any` are flattened, items sorted by their JSON and kept
    once, a group of one item replaced by that item, double `not` removed, `in` with one value
    written as `=`.
    """
    if isinstance(node, Leaf):
        if node.op == "in" and isinstance(node.value, tuple) and len(node.value) == 1:
            return Leaf(node.var, "=", node.value[0])
        return node
    if isinstance(node, Not):
        inner = canonical(node.item)
        return inner.item if isinstance(inner, Not) else Not(inner)
    kind = type(node)
    flat: dict[bytes, Node] = {}
    for item in map(canonical, node.items):
        for part in item.items if isinstance(item, All | Any) and type(item) is kind else (item,):
            flat[canonical_json(part.to_dict())] = part
    items = tuple(flat[key] for key in sorted(flat))
    return items[0] if len(items) == 1 else kind(items)


def _read(obj: object, codebook: Codebook, where: str, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise QueryError(TOO_LARGE, f"A cohort is at most {MAX_DEPTH} deep. Flatten it.", where)
    if not isinstance(obj, dict) or len(obj.keys() & {"all", "any", "not"}) != 1 or len(obj) != 1:
        return _read_leaf(obj, codebook, where)
    if "not" in obj:
        return Not(_read(obj["not"], codebook, at(where, "not"), depth + 1))
    key = "all" if "all" in obj else "any"
    items = obj[key]
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_LEAVES:
        raise QueryError(BAD_VALUE, f"'{key}' holds a list of 1 to {MAX_LEAVES} items.", where)
    parts = tuple(
        _read(item, codebook, at(at(where, key), i), depth + 1) for i, item in enumerate(items)
    )
    return All(parts) if key == "all" else Any(parts)


def _read_leaf(obj: object, codebook: Codebook, where: str) -> Node:
    if not isinstance(obj, dict) or "var" not in obj:
        keys = ("all", "any", "not", "var", "op", "value")
        if isinstance(obj, dict):
            check_keys(obj, keys, (), where)
        raise QueryError(
            BAD_VALUE,
            "Write {all: [...]}, {any: [...]}, {not: ...} or {var, op, value}, one of them.",
            where,
        )
    check_keys(obj, ("var", "op", "value"), ("var", "op", "value"), where)
    variable = codebook.variable(obj["var"], at(where, "var"))
    op, value = obj["op"], obj["value"]
    if not isinstance(op, str) or op not in OPS:
        raise QueryError(
            BAD_VALUE,
            f"'{shown(op)}' is not a comparison. Use one of: {', '.join(OPS)}.",
            at(where, "op"),
        )
    place = at(where, "value")
    if op in ORDERING and variable.type in ("category", "boolean"):
        raise QueryError(
            BAD_VALUE,
            f"'{variable.name}' has no order that '{op}' could use. Use =, != or in.",
            at(where, "op"),
        )
    if op == "in":
        if not isinstance(value, list) or not 1 <= len(value) <= MAX_IN:
            raise QueryError(BAD_VALUE, f"'in' needs a list of 1 to {MAX_IN} values.", place)
        found = {_one(variable, op, each, at(place, i)) for i, each in enumerate(value)}
        return Leaf(variable.name, op, tuple(sorted(found)))
    if op == "between":
        return _between(variable, value, place)
    return Leaf(variable.name, op, _one(variable, op, value, place))


def _between(variable: Variable, value: object, where: str) -> Node:
    """Return the two leaves `>= low` and `<= high`; both ends count as inside."""
    if not isinstance(value, list) or len(value) != 2:
        raise QueryError(BAD_VALUE, "'between' needs a list of two values: [low, high].", where)
    low = _one(variable, ">=", value[0], at(where, 0))
    high = _one(variable, "<=", value[1], at(where, 1))
    if low > high:  # type: ignore[operator]
        raise QueryError(BAD_VALUE, "The first value must not be above the second.", where)
    if low == high and variable.is_numeric and not variable.is_small_integer:
        raise _too_fine(variable, where)
    return All((Leaf(variable.name, ">=", low), Leaf(variable.name, "<=", high)))


def _one(variable: Variable, op: str, value: object, where: str) -> str | bool | int | float:
    """Return one comparison value as the codebook spells it, or raise QueryError."""
    if variable.type == "category":
        return _level(variable, value, where)
    if variable.type == "boolean":
        if value in (True, "true") and not _is_number(value):
            return True
        if value in (False, "false") and not _is_number(value):
            return False
        raise QueryError(BAD_VALUE, f"'{variable.name}' is true or false.", where)
    if variable.type == "date":
        return _date(variable, value, where)
    return _numeric(variable, op, value, where)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _level(variable: Variable, value: object, where: str) -> str:
    code = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    codes = [level.code for level in variable.levels]
    if not isinstance(code, str) or code not in codes:
        raise QueryError(
            NOT_IN_CATALOGUE,
            f"'{shown(value)}' is not a level of '{variable.name}'. "
            f"{did_you_mean(shown(value), codes)}",
            where,
        )
    return code


def _date(variable: Variable, value: object, where: str) -> str:
    month = variable.resolution == "month"
    pattern, example = (_MONTH, "2024-03") if month else (_YEAR, "2024")
    if isinstance(value, str) and pattern.fullmatch(value):
        return value
    if isinstance(value, int) and not month and pattern.fullmatch(str(value)):
        return str(value)
    text = shown(value)
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}(-[0-9]{2})?", text):
        raise QueryError(
            TOO_FINE,
            f"'{variable.name}' is known by {variable.resolution}. Write it as {example}.",
            where,
        )
    raise QueryError(BAD_VALUE, f'Write the date as text like "{example}".', where)


def _numeric(variable: Variable, op: str, value: object, where: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise QueryError(BAD_VALUE, f"'{variable.name}' is compared with a number.", where)
    if not -1e12 <= value <= 1e12:
        raise QueryError(BAD_VALUE, "A number between -1e12 and 1e12 is needed.", where)
    if variable.type == "integer" and value != int(value):
        raise QueryError(BAD_VALUE, f"'{variable.name}' is a whole number.", where)
    low, high = variable.min, variable.max
    if op in EQUALITY:
        if not variable.is_small_integer:
            raise _too_fine(variable, where)
    elif variable.cuts:
        if value not in (*variable.cuts, low, high):
            raise _too_fine(variable, where)
    elif not variable.is_small_integer and value not in (low, high):
        raise QueryError(
            NOT_IN_CATALOGUE,
            f"'{variable.name}' has no cut-points in codebook, so it cannot be compared. "
            "Use another variable, or ask for cuts in the codebook.",
            where,
        )
    if (low is not None and value < low) or (high is not None and value > high):
        raise QueryError(
            BAD_VALUE,
            f"'{variable.name}' lies between {_bound(low)} and {_bound(high)}.",
            where,
        )
    return plain_number(value)


def _bound(value: float | None) -> str:
    return "any number" if value is None else number_text(value)


def _too_fine(variable: Variable, where: str) -> QueryError:
    if variable.edges is None:
        return QueryError(
            TOO_FINE,
            f"Single values of '{variable.name}' cannot be asked for, and it has no cut-points.",
            where,
        )
    allowed = ", ".join(number_text(edge) for edge in variable.edges[:30])
    more = ", …" if len(variable.edges) > 30 else ""
    return QueryError(
        TOO_FINE,
        f"'{variable.name}' may only be compared at its cut-points, with <, <=, >, >= or between: "
        f"{allowed}{more}.",
        where,
    )
