"""What a tree of a mapping gives: a text, a number, a date, true or false; and what fits what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from federation.query.variables import Variable
from federation.site.data import expressions as ex
from federation.site.data.mapping_forms import (
    ByLabel,
    ByYear,
    Column,
    CountOf,
    DateText,
    Exploded,
    FirstOf,
    Item,
    Joined,
    MapTexts,
    RelativeDay,
    Scored,
)
from federation.site.errors import SetupError

Kind = Literal["raw", "text", "number", "date", "truth"]
"""raw: a text of the data, which may also be read as a number or a date."""

_TYPES: Final[Mapping[str, frozenset[str]]] = {
    "category": frozenset({"raw", "text", "number"}),
    "boolean": frozenset({"raw", "text", "number", "truth"}),
    "integer": frozenset({"raw", "text", "number"}),
    "number": frozenset({"raw", "text", "number"}),
    "duration": frozenset({"raw", "text", "number"}),
    "date": frozenset({"raw", "date"}),
}


def fits(kind: Kind, variable: Variable) -> bool:
    """Whether values of `kind` can be values of `variable`."""
    return kind in _TYPES[variable.type]


class Kinds:
    """The kinds of resolved trees. item: the kind of an item of a unit. wrong: the error of a
    place and what is wrong with it."""

    def __init__(
        self, item: Callable[[str, str], Kind], wrong: Callable[[str, str], SetupError]
    ) -> None:
        self._item_kind = item
        self._wrong = wrong

    def of(self, node: Any, where: str) -> Kind:
        """What a resolved tree gives; SetupError where its parts do not go together."""
        if isinstance(node, Column | Exploded | ByLabel):
            return "raw"
        if isinstance(node, ByYear):
            self._must(node.of, ("raw", "number", "date"), where, "by_year")
            return "raw"
        if isinstance(node, MapTexts):
            self._must(node.of, ("raw", "text", "number", "truth"), where, "a map")
            return "raw"
        if isinstance(node, DateText):
            self._must(node.of, ("raw", "text"), where, "a date format")
            return "date"
        if isinstance(node, RelativeDay):
            self._must(node.of, ("raw", "number"), where, "relative_days")
            return "date"
        if isinstance(node, Item):
            return self._item_kind(node.unit, node.name)
        if isinstance(node, CountOf):
            return "number"
        if isinstance(node, Scored):
            for each in node.of:
                self._must(each, ("raw", "number"), where, "score")
            return "number"
        if isinstance(node, FirstOf):
            if node.by:
                self._item_kind(node.unit, node.by)
            return self._item_kind(node.unit, node.name)
        return self._expression(node, where)

    def _expression(self, node: Any, where: str) -> Kind:
        if isinstance(node, ex.Number):
            return "number"
        if isinstance(node, ex.Text):
            return "text"
        if isinstance(node, Joined):
            return self._arithmetic(
                self.of(node.left, where), self.of(node.right, where), "+", where
            )
        if isinstance(node, ex.Slice):
            self._must(node.of, ("raw", "text"), where, "a slice")
            return "text"
        if isinstance(node, ex.Call):
            return self._call(node, where)
        if isinstance(node, ex.Negation | ex.Logic):
            both = [node.of] if isinstance(node, ex.Negation) else [node.left, node.right]
            for each in both:
                self._must(each, ("truth", "raw"), where, "and, or and not")
            return "truth"
        left, right = self.of(node.left, where), self.of(node.right, where)
        if isinstance(node, ex.Comparison):
            return self._comparison(left, right, node.op, where)
        return self._arithmetic(left, right, node.op, where)

    def _call(self, node: ex.Call, where: str) -> Kind:
        if node.name in ("year", "days", "years"):
            for each in node.arguments:
                self._must(each, ("date",), where, node.name)
            return "number"
        if node.name in ("lower", "upper"):
            self._must(node.arguments[0], ("raw", "text"), where, node.name)
            return "text"
        kinds = {self.of(each, where) for each in node.arguments}
        if len(kinds) == 1:
            return kinds.pop()
        if kinds <= {"raw", "text"}:
            return "raw"
        if kinds <= {"raw", "number"}:
            return "number"
        raise self._wrong(where, f"mixes {' and '.join(sorted(kinds))} in {node.name}")

    def _comparison(self, left: Kind, right: Kind, op: str, where: str) -> Kind:
        pair = {left, right}
        texts = pair <= {"raw", "text"}
        numbers = pair <= {"raw", "number"}
        if pair == {"date"} or numbers or (texts and op in ("==", "!=")):
            return "truth"
        raise self._wrong(where, f"compares a {left} with a {right}")

    def _arithmetic(self, left: Kind, right: Kind, op: str, where: str) -> Kind:
        pair = {left, right}
        if op == "+" and "text" in pair and pair <= {"raw", "text"}:
            return "text"
        if pair <= {"raw", "number"} or (op != "+" and pair <= {"raw", "number", "text"}):
            return "number"
        if op == "-" and pair == {"date"}:
            return "number"
        if (
            op == "+" and "date" in pair and pair <= {"raw", "number", "date"} and pair != {"date"}
        ) or (op == "-" and left == "date" and right in ("raw", "number")):
            return "date"
        raise self._wrong(where, f"cannot do {left} {op} {right}")

    def _must(self, node: Any, kinds: tuple[str, ...], where: str, what: str) -> None:
        found = self.of(node, where)
        if found not in kinds:
            raise self._wrong(where, f"uses {what} on a {found}")
