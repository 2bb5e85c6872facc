"""The forms in which a mapping of version 2 says where an item comes from, as one small tree."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final

from federation.prom import scoring
from federation.site.data import expressions as ex
from federation.site.data.date_formats import ISO_DATE, wrong_format
from federation.site.errors import SetupError

MAX_NAME: Final = 120
MAX_FORMATS: Final = 5
MAX_RULES: Final = 60
MAX_LABELS: Final = 50
_YEARS = re.compile(r"(\d{4})?(-)?(\d{4})?")
OTHERWISE: Final = ("missing", "same", "lower", "upper")


@dataclass(frozen=True)
class Column:
    """A column of the table that is read, or of the table joined as `table`."""

    table: str
    name: str


@dataclass(frozen=True)
class Item:
    """What the mapping says of `name` in the table of `unit`: of the same row of the data, or,
    `above`, of the row of that unit that this row belongs to."""

    unit: str
    name: str
    above: bool


@dataclass(frozen=True)
class Exploded:
    """`label` or `value` of a row that `explode` made."""

    what: str


@dataclass(frozen=True)
class Joined:
    """Two texts put behind one another: what `+` means where one side is a text."""

    left: Node
    right: Node


@dataclass(frozen=True)
class DateText:
    of: Node
    formats: tuple[str, ...]
    precision: str


@dataclass(frozen=True)
class MapTexts:
    """pairs: None says that the text means no value. otherwise: one of OTHERWISE, for a text that
    is not in `pairs`."""

    of: Node
    pairs: Mapping[str, str | None]
    otherwise: str


@dataclass(frozen=True)
class ByYear:
    """rules: (first, last, value) of years or other numbers of four digits, without overlap."""

    of: Node
    rules: tuple[tuple[int, int, str], ...]


@dataclass(frozen=True)
class RelativeDay:
    of: Node


@dataclass(frozen=True)
class ByLabel:
    """Another column for each label of an exploded table."""

    columns: tuple[tuple[str, Node], ...]


@dataclass(frozen=True)
class CountOf:
    """How many rows of a unit below belong to this one; of those where its item `when` is true."""

    unit: str
    when: ex.Tree | str | None = None


@dataclass(frozen=True)
class FirstOf:
    """The item of the first row of the unit below: in order of `by`, or of the data; of those rows
    where its item `when` is true."""

    unit: str
    name: str
    by: str
    when: ex.Tree | str | None = None


@dataclass(frozen=True)
class Scored:
    """A score of a questionnaire (federation/prom), made of items or of other scores."""

    score: str
    of: tuple[Node, ...]


Node = (
    ex.Tree
    | Column
    | Item
    | Exploded
    | Joined
    | DateText
    | MapTexts
    | ByYear
    | RelativeDay
    | ByLabel
    | CountOf
    | FirstOf
    | Scored
)


def parts(node: Any) -> Iterator[Any]:
    """The node and every node inside it."""
    if isinstance(node, tuple):
        for each in node:
            yield from parts(each)
    elif is_dataclass(node):
        yield node
        for each in fields(node):
            yield from parts(getattr(node, each.name))


_AFTER: Final = {"map", "otherwise", "times", "format", "precision"}
_KEYS: Final[Mapping[str, frozenset[str]]] = {
    "column": frozenset(_AFTER),
    "expr": frozenset({"map", "otherwise", "times"}),
    "value": frozenset(),
    "by_year": frozenset({"rules"}),
    "by_range": frozenset({"rules"}),
    "by_label": frozenset(_AFTER),
    "from": frozenset({"plus_days", "format", "precision"}),
    "days_between": frozenset({"format"}),
    "years_between": frozenset({"format"}),
    "subtract": frozenset(),
    "relative_days": frozenset(),
    "count_of": frozenset({"when"}),
    "first_of": frozenset({"by", "when"}),
    "score": frozenset(),
}


def read_form(value: object, where: str) -> Node:
    """The tree of one item. A text alone is the name of a column. Raises SetupError."""
    if isinstance(value, str):
        return Column("", _name(value, where))
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise SetupError(f"{where} must be the name of a column or a form such as {{column: X}}.")
    forms = [form for form in _KEYS if form in value]
    if len(forms) != 1:
        raise SetupError(f"{where} must have exactly one of: {', '.join(_KEYS)}.")
    form = forms[0]
    for key in value:
        if key != form and key not in _KEYS[form]:
            raise SetupError(f"{where}: '{key[:60]}' does not go with {form}; remove it.")
    return _READERS[form](value, where)


def read_expression(value: object, where: str) -> ex.Tree:
    """The tree of an expression in a mapping. Raises SetupError."""
    if not isinstance(value, str) or not value.strip():
        raise SetupError(f"{where} must be an expression between quotes.")
    try:
        return ex.parse(value)
    except ex.ExpressionError as error:
        raise SetupError(f"{where}: {error}.") from error


def read_name(value: object, where: str) -> ex.Name:
    """A column or an item that a form names; with a point, of another table."""
    text = _name(value, where)
    table, point, name = text.partition(".")
    return ex.Name(table, name) if point and table and name else ex.Name("", text)


def _name(value: object, where: str) -> str:
    if not isinstance(value, str) or not value or len(value) > MAX_NAME or not value.isprintable():
        raise SetupError(f"{where} must be a name of at most {MAX_NAME} characters.")
    return value


def _column(value: dict[str, Any], where: str) -> Node:
    return _after(Column("", _name(value["column"], f"{where}.column")), value, where)


def _expr(value: dict[str, Any], where: str) -> Node:
    return _after(read_expression(value["expr"], f"{where}.expr"), value, where)


def _value(value: dict[str, Any], where: str) -> Node:
    return ex.Text(_text(value["value"], f"{where}.value"))


def _by_label(value: dict[str, Any], where: str) -> Node:
    columns = value["by_label"]
    if not isinstance(columns, dict) or not 1 <= len(columns) <= MAX_LABELS:
        raise SetupError(f"{where}.by_label must name 1 to {MAX_LABELS} columns by label.")
    found = ByLabel(
        tuple(
            (_text(label, f"{where}.by_label"), Column("", _name(name, f"{where}.by_label")))
            for label, name in columns.items()
        )
    )
    return _after(found, value, where)


def _by_year(value: dict[str, Any], where: str) -> Node:
    form = "by_year" if "by_year" in value else "by_range"
    rules = value.get("rules")
    where_rules = f"{where}.rules"
    if not isinstance(rules, dict) or not 1 <= len(rules) <= MAX_RULES:
        raise SetupError(f"{where_rules} must give 1 to {MAX_RULES} values, as {{2010-2016: 7}}.")
    made = []
    for years, meant in rules.items():
        found = _YEARS.fullmatch(str(years))
        if found is None or not (found[1] or found[3]) or (found[1] and found[3] and not found[2]):
            raise SetupError(f"{where_rules} must be years, as 2010, 2003-2009, 2017- or -2002.")
        first = int(found[1] or 0)
        last = int(found[3] or (9999 if found[2] else first))
        if last < first:
            raise SetupError(f"{where_rules} has years that go down; turn them round.")
        made.append((first, last, _text(meant, where_rules)))
    made.sort()
    if any(one[1] >= other[0] for one, other in pairwise(made)):
        raise SetupError(f"{where_rules} has a year in two rules; leave it in one.")
    return ByYear(read_name(value[form], f"{where}.{form}"), tuple(made))


def _from(value: dict[str, Any], where: str) -> Node:
    start: Node = read_name(value["from"], f"{where}.from")
    if "format" in value or "precision" in value:
        start = _dated(start, value, where)
    if "plus_days" not in value:
        raise SetupError(f"{where} must say plus_days as well; or use column.")
    days = value["plus_days"]
    if isinstance(days, int | float) and not isinstance(days, bool):
        return ex.Arithmetic("+", start, ex.Number(float(days)))  # type: ignore[arg-type]
    more = read_name(days, f"{where}.plus_days")
    return ex.Arithmetic("+", start, more)  # type: ignore[arg-type]


def _pair(form: str) -> Callable[[dict[str, Any], str], Node]:
    def read(value: dict[str, Any], where: str) -> Node:
        names = value[form]
        if not isinstance(names, list) or len(names) != 2:
            raise SetupError(f"{where}.{form} must be a list of two names.")
        both: list[Any] = [read_name(name, f"{where}.{form}") for name in names]
        if "format" in value:
            both = [_dated(each, value, where) for each in both]
        if form == "subtract":
            return ex.Arithmetic("-", both[0], both[1])
        return ex.Call("days" if form == "days_between" else "years", tuple(both))

    return read


def _relative(value: dict[str, Any], where: str) -> Node:
    days = value["relative_days"]
    if isinstance(days, int | float) and not isinstance(days, bool):
        return RelativeDay(ex.Number(float(days)))
    return RelativeDay(read_name(days, f"{where}.relative_days"))


def _count_of(value: dict[str, Any], where: str) -> Node:
    when = read_expression(value["when"], f"{where}.when") if "when" in value else None
    return CountOf(_name(value["count_of"], f"{where}.count_of"), when)


def _first_of(value: dict[str, Any], where: str) -> Node:
    name = read_name(value["first_of"], f"{where}.first_of")
    if not name.table:
        raise SetupError(f"{where}.first_of must be written as table.item, such as tumour.stage.")
    by = _name(value["by"], f"{where}.by") if "by" in value else ""
    when = read_expression(value["when"], f"{where}.when") if "when" in value else None
    return FirstOf(name.table, name.name, by, when)


def _score(value: dict[str, Any], where: str) -> Node:
    name = value["score"]
    if not isinstance(name, str) or name not in scoring.MADE_OF:
        raise SetupError(f"{where}.score must be one of: {', '.join(scoring.MADE_OF)}.")
    return Scored(name, tuple(ex.Name("", each) for each in scoring.MADE_OF[name]))


_READERS: Final[Mapping[str, Callable[[dict[str, Any], str], Node]]] = {
    "column": _column,
    "expr": _expr,
    "value": _value,
    "by_year": _by_year,
    "by_range": _by_year,
    "by_label": _by_label,
    "from": _from,
    "days_between": _pair("days_between"),
    "years_between": _pair("years_between"),
    "subtract": _pair("subtract"),
    "relative_days": _relative,
    "count_of": _count_of,
    "first_of": _first_of,
    "score": _score,
}


def _after(node: Node, value: dict[str, Any], where: str) -> Node:
    """What is done with a text once it is there: map, times, date format."""
    dated = "format" in value or "precision" in value
    if dated and ("map" in value or "times" in value):
        raise SetupError(f"{where} has a date format and a map or times; keep one of them.")
    if dated:
        return _dated(node, value, where)
    if "map" in value:
        node = MapTexts(node, _pairs(value["map"], f"{where}.map"), _otherwise(value, where))
    elif "otherwise" in value:
        raise SetupError(f"{where} says otherwise without a map; add a map.")
    if "times" in value:
        times = value["times"]
        if isinstance(times, bool) or not isinstance(times, int | float) or times <= 0:
            raise SetupError(f"{where}.times must be a number above zero.")
        return ex.Arithmetic("*", node, ex.Number(float(times)))  # type: ignore[arg-type]
    return node


def _dated(node: Node, value: dict[str, Any], where: str) -> Node:
    given = value.get("format", ISO_DATE)
    formats = given if isinstance(given, list) else [given]
    if not 1 <= len(formats) <= MAX_FORMATS:
        raise SetupError(f"{where}.format must be 1 to {MAX_FORMATS} date formats.")
    for each in formats:
        if wrong := wrong_format(each):
            raise SetupError(f"{where}.format {wrong}.")
    precision = value.get("precision", "day")
    if precision not in ("day", "month", "year"):
        raise SetupError(f"{where}.precision must be day, month or year.")
    return DateText(node, tuple(formats), str(precision))


def _pairs(value: object, where: str) -> Mapping[str, str | None]:
    if not isinstance(value, dict) or not value:
        raise SetupError(f"{where} must map raw values to values of the codebook.")
    return MappingProxyType(
        {_text(raw, where): None if v is None else _text(v, where) for raw, v in value.items()}
    )


def _text(value: object, where: str) -> str:
    """A value as it stands in data: YAML's 1 is "1", true is "true"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int) or len(str(value)) > 200:
        raise SetupError(f"{where} must hold texts or whole numbers, of at most 200 characters.")
    return str(value)


def _otherwise(value: dict[str, Any], where: str) -> str:
    otherwise = value.get("otherwise", "missing")
    if otherwise not in OTHERWISE:
        raise SetupError(f"{where}.otherwise must be one of: {', '.join(OTHERWISE)}.")
    return str(otherwise)
