"""A share or another number over time: a point per period, the centre, and the limits of chance.

One panel per series, all on the same axes: one hospital, or several as small multiples. A point
that a rule marks is a diamond, so that it never hangs on a colour alone. A hidden period breaks the
line and has an open box at the foot, of the same height for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from registry.pictures.canvas import (
    AXIS,
    BRAND,
    INK,
    LINE,
    OUTSIDE,
    SECOND,
    Canvas,
    Scale,
    Shape,
    Writer,
    cut,
    digits_for,
    plain,
    round_step,
    ticks,
)

HEAD = 24.0
"""Room above a panel for its name."""
FOOT = 26.0
"""Room beneath it for the names of the periods."""
BOX = 11.0
"""The height and width of the box of a hidden period."""


@dataclass(frozen=True)
class RunPoint:
    """One period. `value` None where hidden; `low` and `high` the limits of chance, if any;
    `marked` where a rule fired."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    marked: bool = False


@dataclass(frozen=True)
class Change:
    """Something that happened at the start of period `place` (from 0): a line with its words."""

    place: int
    label: str


@dataclass(frozen=True)
class Series:
    """The points of one hospital, or of all together, in order of time. `centre`: their own;
    `changes`: what happened there and not at the others."""

    label: str
    points: tuple[RunPoint, ...]
    centre: float | None = None
    own: bool = False
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class RunWords:
    """Every word in the picture, in the reader's language; empty ones are left out of the key."""

    title: str
    description: str
    up: str
    centre: str = ""
    limits: str = ""
    marked: str = ""
    hidden: str = ""
    target: str = ""


@dataclass(frozen=True)
class RunAxis:
    """How the upright axis runs: shares or plain numbers, and what it must hold."""

    percent: bool = False
    holds: tuple[float, ...] = ()


PLAIN_AXIS = RunAxis()


def run_chart(
    series: Sequence[Series],
    *,
    words: RunWords,
    shape: Shape,
    writer: Writer = plain,
    axis: RunAxis = PLAIN_AXIS,
    changes: Sequence[Change] = (),
    target: float | None = None,
    key: str = "run",
) -> str:
    """The picture as SVG text. ValueError when every number is hidden."""
    values = [p.value for each in series for p in each.points if p.value is not None]
    if not values:
        raise ValueError("no released number to draw")
    wide = shape.name == "wide"
    left, right = (62.0, 18.0) if wide else (46.0, 8.0)
    many = len(series) > 1
    height = (150.0 if many else 260.0) if wide else (130.0 if many else 210.0)
    low, high = _range(series, values, axis, target)
    canvas = Canvas(shape)
    canvas.text(0, 14, words.up, colour=SECOND)
    top = 26.0
    for each in series:
        name = HEAD if each.label else 6.0
        y = Scale(low, high, top + name + height, top + name)
        x = Scale(-0.5, max(len(each.points) - 0.5, 0.5), left, shape.width - right)
        if each.label:
            canvas.text(left, top + 15, cut(each.label, 60 if wide else 34), bold=each.own)
        _grid(canvas, x, y, axis, writer)
        _changes(canvas, [*changes, *each.changes], x, y, wide)
        _limits(canvas, each, x, y)
        _levels(canvas, each, x, y, target)
        _line(canvas, each, x, y)
        _periods(canvas, each, x, y.start)
        top += name + height + FOOT
    end = _key(canvas, series, words, left if wide else 0.0, top + 18, target)
    return canvas.finish(end, key=key, title=words.title, description=words.description)


def _range(
    series: Sequence[Series], values: Sequence[float], axis: RunAxis, target: float | None
) -> tuple[float, float]:
    """From the numbers, the centres and the limits; from zero up unless that leaves it empty."""
    every = [*values, *axis.holds, *([] if target is None else [target])]
    every += [each.centre for each in series if each.centre is not None]
    every += [
        bound
        for each in series
        for point in each.points
        for bound in (point.low, point.high)
        if bound is not None
    ]
    low, high = min(every), max(every)
    room = (high - low or abs(high) or 1.0) * 0.08
    low, high = (0.0 if 0 <= low < 0.55 * high else low - room), high + room
    if axis.percent:
        low, high = max(low, 0.0), min(high, 1.0)
    return low, high if high > low else low + 1.0


def _grid(canvas: Canvas, x: Scale, y: Scale, axis: RunAxis, writer: Writer) -> None:
    most = 6 if y.start - y.end > 180 else 4
    digits = digits_for(round_step(y.high - y.low, most) * (100 if axis.percent else 1))
    for tick in ticks(y.low, y.high, most):
        canvas.line(x.start, y(tick), x.end, y(tick), stroke=LINE)
        text = writer(100 * tick, digits) + "%" if axis.percent else writer(tick, digits)
        canvas.text(x.start - 8, y(tick) + 4.5, text, anchor="end", colour=SECOND)
    canvas.line(x.start, y.start, x.end, y.start, stroke=AXIS, stroke_width=1.5)


def _changes(canvas: Canvas, changes: Sequence[Change], x: Scale, y: Scale, wide: bool) -> None:
    for change in changes:
        at = x.clip(change.place - 0.5)
        canvas.line(at, y.start, at, y.end, stroke=INK, stroke_width=1.4, stroke_dasharray="2 4")
        late = at > (x.start + x.end) / 2
        words = cut(change.label, 40 if wide else 22)
        place = at + (-6 if late else 6)
        canvas.text(place, y.end + 12, words, anchor="end" if late else "start", halo=True)


def _limits(canvas: Canvas, series: Series, x: Scale, y: Scale) -> None:
    """Steps, as the limits of each period follow from its own number of patients."""
    for place, point in enumerate(series.points):
        for bound in (point.low, point.high):
            if bound is None:
                continue
            canvas.line(
                x(place - 0.5),
                y.clip(bound),
                x(place + 0.5),
                y.clip(bound),
                stroke=AXIS,
                stroke_width=1.5,
                stroke_dasharray="6 4",
            )


def _levels(canvas: Canvas, series: Series, x: Scale, y: Scale, target: float | None) -> None:
    if series.centre is not None:
        at = y.clip(series.centre)
        canvas.line(x.start, at, x.end, at, stroke=INK, stroke_width=1.5)
    if target is not None:
        at = y.clip(target)
        canvas.line(
            x.start,
            at,
            x.end,
            at,
            stroke=INK,
            stroke_width=1.6,
            stroke_dasharray="1 5",
            stroke_linecap="round",
        )


def _line(canvas: Canvas, series: Series, x: Scale, y: Scale) -> None:
    """The points, joined where nothing is hidden between them."""
    run: list[tuple[float, float]] = []
    for place, point in enumerate([*series.points, RunPoint("", None)]):
        if point.value is not None:
            run.append((x(place), y.clip(point.value)))
            continue
        if len(run) > 1:
            canvas.path(run, fill="none", stroke=BRAND, stroke_width=2)
        run = []
    for place, point in enumerate(series.points):
        px = x(place)
        if point.value is None:
            _box(canvas, px, y.start)
        elif point.marked:
            _diamond(canvas, px, y.clip(point.value))
        else:
            canvas.element(
                "circle",
                cx=px,
                cy=y.clip(point.value),
                r=4.5,
                fill=BRAND,
                stroke="#fff",
                stroke_width=1.2,
            )


def _diamond(canvas: Canvas, px: float, py: float) -> None:
    canvas.path(
        [(px, py - 8), (px + 8, py), (px, py + 8), (px - 8, py)],
        close=True,
        fill="#fff",
        stroke=OUTSIDE,
        stroke_width=2.4,
    )


def _box(canvas: Canvas, px: float, foot: float) -> None:
    canvas.element(
        "rect",
        x=px - BOX / 2,
        y=foot - BOX,
        width=BOX,
        height=BOX,
        fill="#fff",
        stroke=SECOND,
        stroke_width=1.6,
        stroke_dasharray="3 2",
    )


def _periods(canvas: Canvas, series: Series, x: Scale, foot: float) -> None:
    """As many names of periods as fit, the first one always."""
    taken = float("-inf")
    for place, point in enumerate(series.points):
        half = len(point.label) * canvas.shape.text * 0.28
        at = min(max(x(place), half), canvas.shape.width - half)
        if at - half > taken + 8:
            canvas.text(at, foot + 18, point.label, anchor="middle", colour=SECOND)
            taken = at + half


def _key(
    canvas: Canvas,
    series: Sequence[Series],
    words: RunWords,
    left: float,
    place: float,
    target: float | None,
) -> float:
    """What the lines and marks mean; only those that are there. Returns where it ends."""
    points = [point for each in series for point in each.points]
    lines = [
        (words.centre, any(each.centre is not None for each in series), INK, None, 1.5),
        (words.limits, any(p.low is not None for p in points), AXIS, "6 4", 1.5),
        (words.target, target is not None, INK, "1 5", 1.6),
    ]
    for text, there, colour, dash, width in lines:
        if text and there:
            canvas.line(
                left,
                place - 4.5,
                left + 34,
                place - 4.5,
                stroke=colour,
                stroke_width=width,
                stroke_dasharray=dash,
            )
            canvas.text(left + 44, place, text, colour=SECOND)
            place += canvas.shape.text + 8
    if words.marked and any(p.marked for p in points):
        _diamond(canvas, left + 17, place - 4.5)
        canvas.text(left + 44, place, words.marked, colour=SECOND)
        place += canvas.shape.text + 8
    if words.hidden and any(p.value is None for p in points):
        _box(canvas, left + 17, place)
        canvas.text(left + 44, place, words.hidden, colour=SECOND)
        place += canvas.shape.text + 8
    return place
