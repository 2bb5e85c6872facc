"""Accrual: how many people take part by date, beside the plan, with where the end may fall.

The line goes up on the day somebody entered. The plan is dashed. After today a fan shows the 80%
interval of the forecast; the target is a line across.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

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
    plain,
    round_step,
    spread,
)

Days = Callable[[date], str]
_MONTHS = (1, 2, 3, 6, 12, 24, 60)


@dataclass(frozen=True)
class Dated:
    """How many by the end of a day."""

    day: date
    n: float


@dataclass(frozen=True)
class Fan:
    """One day of the forecast: the middle and the interval."""

    day: date
    low: float
    middle: float
    high: float


@dataclass(frozen=True)
class AccrualDrawing:
    """What is drawn. `actual` begins at 0 on the day the study began."""

    today: date
    actual: tuple[Dated, ...]
    plan: tuple[Dated, ...] = ()
    forecast: tuple[Fan, ...] = ()
    target: int | None = None


@dataclass(frozen=True)
class AccrualWords:
    """Every word in the picture, in the reader's language."""

    title: str
    description: str
    axis: str
    actual: str
    plan: str
    forecast: str
    target: str
    today: str


def accrual(
    drawing: AccrualDrawing,
    *,
    words: AccrualWords,
    shape: Shape,
    writer: Writer = plain,
    months: Days = date.isoformat,
) -> str:
    """The picture as SVG text; needs a day of the actual line (ValueError).

    `months` writes the first day of a month for the axis.
    """
    if not drawing.actual:
        raise ValueError("no day to draw")
    wide = shape.name == "wide"
    left, right, top = (52.0, 158.0, 30.0) if wide else (38.0, 14.0, 28.0)
    bottom = top + (330.0 if wide else 240.0)
    canvas = Canvas(shape)
    first, last = _span(drawing)
    x = Scale(0.0, float((last - first).days), left, shape.width - right)
    y = Scale(0.0, _highest(drawing), bottom, top)

    def at(day: date) -> float:
        return x.clip(float((day - first).days))

    step = max(round_step(y.high, 6 if wide else 5), 1.0)
    for i in range(int(y.high / step + 1e-9) + 1):
        mark = i * step
        canvas.line(left, y(mark), shape.width - right, y(mark), stroke=LINE)
        canvas.text(left - 8, y(mark) + 4.5, writer(mark, 0), anchor="end", colour=SECOND)
    canvas.line(left, bottom, shape.width - right, bottom, stroke=AXIS, stroke_width=1.5)
    for day in _marks(first, last, 8 if wide else 4):
        canvas.line(at(day), bottom, at(day), bottom + 5, stroke=AXIS)
        canvas.text(at(day), bottom + 20, months(day), anchor="middle", colour=SECOND)
    canvas.text(left, top - 14, words.axis, colour=SECOND, size=shape.text - 0.5)
    if drawing.target is not None:
        canvas.line(
            left,
            y(drawing.target),
            shape.width - right,
            y(drawing.target),
            stroke=INK,
            stroke_width=1.2,
            stroke_dasharray="1 4",
            stroke_linecap="round",
        )
    _forecast(canvas, drawing, at, y)
    if drawing.plan:
        canvas.path(
            [(at(p.day), y.clip(p.n)) for p in drawing.plan],
            fill="none",
            stroke=SECOND,
            stroke_width=1.8,
            stroke_dasharray="7 4",
        )
    canvas.path(_stairs(drawing, at, y), fill="none", stroke=BRAND, stroke_width=2.8)
    canvas.line(
        at(drawing.today),
        top - 4,
        at(drawing.today),
        bottom,
        stroke=AXIS,
        stroke_width=1,
        stroke_dasharray="2 3",
    )
    now = drawing.actual[-1].n
    canvas.element("circle", cx=at(drawing.today), cy=y(now), r=4.5, fill=BRAND, stroke="#fff")
    height = _labels(canvas, drawing, words, at, y, bottom)
    return canvas.finish(height, key="accrual", title=words.title, description=words.description)


def _span(drawing: AccrualDrawing) -> tuple[date, date]:
    days = [p.day for p in (*drawing.actual, *drawing.plan)] + [f.day for f in drawing.forecast]
    first, last = min([*days, drawing.today]), max([*days, drawing.today])
    return first, max(last, first + timedelta(days=30))


def _highest(drawing: AccrualDrawing) -> float:
    """The top of the axis: a little above all that is drawn, never far above the target."""
    known = [p.n for p in (*drawing.actual, *drawing.plan)]
    if drawing.target is not None:
        top = max([*known, float(drawing.target)])
    else:
        top = max([*known, *(f.high for f in drawing.forecast)])
    return max(top * 1.08, 5.0)


def _stairs(
    drawing: AccrualDrawing, at: Callable[[date], float], y: Scale
) -> list[tuple[float, float]]:
    points: list[tuple[float, float]] = []
    for p in drawing.actual:
        if points:
            points.append((at(p.day), points[-1][1]))
        points.append((at(p.day), y(p.n)))
    points.append((at(drawing.today), points[-1][1]))
    return points


def _forecast(
    canvas: Canvas, drawing: AccrualDrawing, at: Callable[[date], float], y: Scale
) -> None:
    fans = drawing.forecast
    if not fans:
        return
    upper = [(at(f.day), y.clip(f.high)) for f in fans]
    lower = [(at(f.day), y.clip(f.low)) for f in fans]
    canvas.path([*upper, *reversed(lower)], close=True, fill=OUTSIDE, fill_opacity=0.14)
    for edge in (upper, lower):
        canvas.path(edge, fill="none", stroke=OUTSIDE, stroke_width=0.8, stroke_dasharray="1 3")
    canvas.path(
        [(at(f.day), y.clip(f.middle)) for f in fans],
        fill="none",
        stroke=OUTSIDE,
        stroke_width=2.2,
        stroke_dasharray="4 3",
    )


def _labels(
    canvas: Canvas,
    drawing: AccrualDrawing,
    words: AccrualWords,
    at: Callable[[date], float],
    y: Scale,
    bottom: float,
) -> float:
    """Names at the ends of the lines, or below the picture on a phone. Returns the height."""
    wide = canvas.shape.name == "wide"
    day = at(drawing.today)
    anchor = "end" if day > canvas.shape.width * 0.6 else "start"
    canvas.text(
        day + (-6 if anchor == "end" else 6),
        y(y.high) - 6 if wide else y(y.high) + 8,
        words.today,
        anchor=anchor,
        colour=SECOND,
        halo=True,
        size=canvas.shape.text - 0.5,
    )
    ends = [(words.actual, drawing.actual[-1].n, BRAND, "")]
    if drawing.plan:
        ends.append((words.plan, drawing.plan[-1].n, SECOND, "7 4"))
    if drawing.forecast:
        ends.append((words.forecast, drawing.forecast[-1].middle, OUTSIDE, "4 3"))
    if drawing.target is not None:
        ends.append((words.target, float(drawing.target), INK, "1 4"))
    if wide:
        places = spread([y.clip(n) for _name, n, _c, _d in ends], 19, y(y.high), y(0))
        for (name, _n, colour, dash), place in zip(ends, places, strict=True):
            start = canvas.shape.width - 150
            _sample(canvas, start, place, colour, dash)
            canvas.text(start + 28, place + 4.5, name, colour=colour, bold=True)
        return bottom + 32
    place = bottom + 46
    for name, _n, colour, dash in ends:
        _sample(canvas, 4, place - 4.5, colour, dash)
        canvas.text(34, place, name, colour=colour, bold=True)
        place += 21
    return place - 6


def _sample(canvas: Canvas, x: float, y: float, colour: str, dash: str) -> None:
    canvas.line(x, y, x + 22, y, stroke=colour, stroke_width=2.4, stroke_dasharray=dash or None)


def _marks(first: date, last: date, most: int) -> Sequence[date]:
    """First days of months, as many as can be read, on round months."""
    length = (last.year - first.year) * 12 + last.month - first.month
    step = next((s for s in _MONTHS if length / s <= most), _MONTHS[-1])
    found = []
    month = first.year * 12 + first.month - 1
    for number in range(month, month + length + 1):
        day = date(number // 12, number % 12 + 1, 1)
        if number % step == 0 and first <= day <= last:
            found.append(day)
    return found
