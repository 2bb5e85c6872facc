"""Works out the tree of one item over all rows at once. A tree is data; it is walked, never run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from federation.prom import scoring
from federation.site.data import expressions as ex
from federation.site.data.date_formats import ISO_DATE, span_reader
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
from federation.site.data.meanings import number_meaning, text_of, truth_meaning
from federation.site.data.values import (
    Dates,
    Floats,
    Numbers,
    Texts,
    Value,
    combined,
    constant,
    days_between,
    joined,
    relative,
    spans,
    years_between,
)


class Frame(Protocol):
    """The rows over which a tree is worked out, and where its names lead."""

    n: int
    decimal: str

    def column(self, table: str, name: str) -> Texts: ...

    def exploded(self, what: str) -> Texts: ...

    def item(self, item: Item) -> Value: ...

    def below(self, node: CountOf | FirstOf) -> Value: ...


def evaluate(node: Any, frame: Frame) -> Value:
    """The values of a resolved tree, one per row of `frame`. Raises DataError of its columns."""
    return _EVALUATORS[type(node)](node, frame)


def as_numbers(value: Value, decimal: str) -> Numbers:
    """Texts read as numbers. Dates are no numbers: the plan has refused them."""
    if isinstance(value, Texts):
        return Numbers(value.numbers(number_meaning(decimal)))
    if isinstance(value, Numbers):
        return value
    raise TypeError("a date is no number")


def as_texts(value: Value) -> Texts:
    """Numbers as the texts that maps and levels use: 3.0 is "3"."""
    if isinstance(value, Texts):
        return value
    if not isinstance(value, Numbers):
        raise TypeError("a date is no text")
    different, places = np.unique(value.values[value.known], return_inverse=True)
    codes = np.where(value.bad, -2, -1).astype(np.int32)
    codes[value.known] = places
    return Texts(codes, [text_of(number) for number in different.tolist()])


def as_dates(value: Value) -> Dates:
    """Texts read as ISO dates."""
    if isinstance(value, Texts):
        return spans(value, span_reader([ISO_DATE]))
    if isinstance(value, Dates):
        return value
    raise TypeError("a number is no date")


def _numbers(node: Any, frame: Frame) -> Numbers:
    return as_numbers(evaluate(node, frame), frame.decimal)


def _dates(node: Any, frame: Frame) -> Dates:
    return as_dates(evaluate(node, frame))


def _texts(node: Any, frame: Frame) -> Texts:
    return as_texts(evaluate(node, frame))


def _date_text(node: DateText, frame: Frame) -> Value:
    return spans(_texts(node.of, frame), span_reader(node.formats, node.precision))


_OTHERWISE: dict[str, Callable[[str], str | None]] = {
    "missing": lambda text: None,
    "same": lambda text: text,
    "lower": str.lower,
    "upper": str.upper,
}


def _map_texts(node: MapTexts, frame: Frame) -> Value:
    otherwise = _OTHERWISE[node.otherwise]
    texts = _texts(node.of, frame)
    none = [node.pairs.get(text, "") is None for text in texts.texts]
    missing = np.array([*none, False, False])[texts.codes]
    made = texts.renamed(lambda text: node.pairs[text] if text in node.pairs else otherwise(text))
    return Texts(np.where(missing, -1, made.codes).astype(np.int32), made.texts)


def _by_year(node: ByYear, frame: Frame) -> Value:
    value = evaluate(node.of, frame)
    years = value.year() if isinstance(value, Dates) else as_numbers(value, frame.decimal)
    codes = np.where(years.bad | years.known, -2, -1).astype(np.int32)
    for place, (first, last, _) in enumerate(node.rules):
        with np.errstate(invalid="ignore"):
            codes[(years.values >= first) & (years.values <= last)] = place
    return Texts(codes, [meant for _, _, meant in node.rules])


def _by_label(node: ByLabel, frame: Frame) -> Value:
    label = frame.exploded("label")
    columns = dict(node.columns)
    codes = np.full(frame.n, -1, np.int32)
    texts: list[str] = []
    for place, each in enumerate(label.texts):
        if each in columns:
            value = _texts(columns[each], frame)
            here = label.codes == place
            codes[here] = np.where(value.codes >= 0, value.codes + len(texts), value.codes)[here]
            texts += value.texts
    return Texts(codes, texts)


def _arithmetic(node: ex.Arithmetic, frame: Frame) -> Value:
    left, right = evaluate(node.left, frame), evaluate(node.right, frame)
    if isinstance(left, Dates) and isinstance(right, Dates):
        return days_between(right, left)
    if isinstance(left, Dates) or isinstance(right, Dates):
        day, more = (left, right) if isinstance(left, Dates) else (right, left)
        days = as_numbers(more, frame.decimal).values
        assert isinstance(day, Dates)  # noqa: S101  one of the two is
        return day.plus(_whole(-days if node.op == "-" else days))
    one, other = as_numbers(left, frame.decimal), as_numbers(right, frame.decimal)
    operation = {"+": np.add, "-": np.subtract, "*": np.multiply}[node.op]
    return Numbers(combined(one.values, other.values, operation))


def _whole(days: Floats) -> Floats:
    """Days are whole; half a day has no meaning."""
    with np.errstate(invalid="ignore"):
        return np.where(days % 1 > 0, np.inf, days)


def _comparison(node: ex.Comparison, frame: Frame) -> Value:
    left, right = evaluate(node.left, frame), evaluate(node.right, frame)
    if isinstance(left, Dates) and isinstance(right, Dates):
        return Numbers(_compared_dates(node.op, left, right))
    both_texts = isinstance(left, Texts) and isinstance(right, Texts)
    if both_texts and node.op in ("==", "!="):
        return Numbers(_compared(node.op, *_same_ids(as_texts(left), as_texts(right))))
    one, other = as_numbers(left, frame.decimal), as_numbers(right, frame.decimal)
    return Numbers(_compared(node.op, one.values, other.values))


_COMPARE: dict[str, Callable[[Floats, Floats], Any]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


def _compared(op: str, left: Floats, right: Floats) -> Floats:
    return combined(left, right, lambda a, b: _COMPARE[op](a, b).astype(np.float64))


def _same_ids(left: Texts, right: Texts) -> tuple[Floats, Floats]:
    """A number per text, the same in both."""
    ids: dict[str, float] = {}

    def number(text: str) -> float:
        return ids.setdefault(text, float(len(ids)))

    return left.numbers(number), right.numbers(number)


def _compared_dates(op: str, left: Dates, right: Dates) -> Floats:
    """1 or 0 where it is certain; without a meaning where the days not known could decide."""
    if left.relative != right.relative:
        return np.where(left.known & right.known, np.inf, np.nan)
    one = _compared(op, left.low, right.high)
    other = _compared(op, left.high, right.low)
    if op in ("==", "!="):
        apart = (left.high < right.low) | (right.high < left.low)
        exact = left.exact & right.exact
        certain = np.where(apart, float(op == "!="), one)
        return np.where(apart | exact | ~np.isfinite(one), certain, np.inf)
    return np.where((one == other) | ~np.isfinite(one), one, np.inf)


def _logic(node: ex.Logic, frame: Frame) -> Value:
    left, right = _truths(node.left, frame), _truths(node.right, frame)
    decides = 0.0 if node.op == "and" else 1.0
    decided = (left == decides) | (right == decides)
    return Numbers(np.where(decided, decides, combined(left, right, np.multiply)))


def _negation(node: ex.Negation, frame: Frame) -> Value:
    values = _truths(node.of, frame)
    return Numbers(np.where(np.isfinite(values), 1.0 - values, values))


def _truths(node: Any, frame: Frame) -> Floats:
    """1 and 0; a text is true or false as in a boolean variable."""
    value = evaluate(node, frame)
    if isinstance(value, Texts):
        return value.numbers(truth_meaning)
    return as_numbers(value, frame.decimal).values


def _slice(node: ex.Slice, frame: Frame) -> Value:
    part = slice(node.start, node.stop)
    return _texts(node.of, frame).renamed(lambda text: text[part] or None)


def _call(node: ex.Call, frame: Frame) -> Value:
    if node.name == "first_known":
        return _first_known([evaluate(each, frame) for each in node.arguments], frame)
    if node.name == "year":
        return _dates(node.arguments[0], frame).year()
    if node.name in ("days", "years"):
        first, last = (_dates(each, frame) for each in node.arguments)
        return days_between(first, last) if node.name == "days" else years_between(first, last)
    change = str.lower if node.name == "lower" else str.upper
    return _texts(node.arguments[0], frame).renamed(change)


def _first_known(values: list[Value], frame: Frame) -> Value:
    """Row by row the first value that is known."""
    if all(isinstance(value, Texts) for value in values):
        texts: list[str] = []
        codes = np.full(frame.n, -1, np.int32)
        for value in map(as_texts, values):
            moved = np.where(value.codes >= 0, value.codes + len(texts), value.codes)
            codes = np.where(codes >= 0, codes, moved)
            texts += value.texts
        # Else items that are built of one another would double their texts each time.
        return Texts(codes.astype(np.int32), texts).compact()
    if all(isinstance(value, Dates) for value in values):
        dates = [as_dates(value) for value in values]
        low = _first([date.low for date in dates])
        return Dates(low, _first([date.high for date in dates]), dates[0].relative)
    return Numbers(_first([as_numbers(value, frame.decimal).values for value in values]))


def _scored(node: Scored, frame: Frame) -> Value:
    return Numbers(scoring.made(node.score, [_numbers(each, frame).values for each in node.of]))


def _first(columns: list[Floats]) -> Floats:
    found = columns[0]
    for column in columns[1:]:
        found = np.where(np.isfinite(found), found, column)
    return found


_EVALUATORS: dict[type, Callable[[Any, Frame], Value]] = {
    ex.Number: lambda node, frame: Numbers(np.full(frame.n, node.value)),
    ex.Text: lambda node, frame: constant(node.value, frame.n),
    ex.Arithmetic: _arithmetic,
    ex.Comparison: _comparison,
    ex.Logic: _logic,
    ex.Negation: _negation,
    ex.Slice: _slice,
    ex.Call: _call,
    Column: lambda node, frame: frame.column(node.table, node.name),
    Exploded: lambda node, frame: frame.exploded(node.what),
    Joined: lambda node, frame: joined(_texts(node.left, frame), _texts(node.right, frame)),
    Item: lambda node, frame: frame.item(node),
    CountOf: lambda node, frame: frame.below(node),
    FirstOf: lambda node, frame: frame.below(node),
    Scored: _scored,
    DateText: _date_text,
    MapTexts: _map_texts,
    ByYear: _by_year,
    ByLabel: _by_label,
    RelativeDay: lambda node, frame: relative(Numbers(_whole(_numbers(node.of, frame).values))),
}
