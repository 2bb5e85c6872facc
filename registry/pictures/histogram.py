"""Histogram: standing bars over a number line, one panel per group; a hidden bar is a dashed box.

The height of a bar is its number of patients per unit of width, so that a wide bar does not look
fuller than it is; the number itself stands above it where there is room.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from registry.pictures.canvas import (
    AXIS,
    BRAND,
    LINE,
    SECOND,
    Canvas,
    Scale,
    Shape,
    Writer,
    cut,
    plain,
)


@dataclass(frozen=True)
class Column:
    """One bar from `low` to `high`. `n` None is hidden; an open end was closed by the caller.

    `mark` stands under the middle of a bar that is one value; without it the edges are marked.
    """

    low: float
    high: float
    n: int | None
    mark: str = ""


@dataclass(frozen=True)
class Panel:
    """The bars of one group; `label` is empty for everybody."""

    label: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class HistogramWords:
    """Every word in the picture, in the reader's language."""

    title: str
    description: str
    axis: str
    hidden: str


def histogram(
    panels: Sequence[Panel], *, words: HistogramWords, shape: Shape, writer: Writer = plain
) -> str:
    """The picture as SVG text. Needs a bar with a released number (ValueError)."""
    columns = [c for panel in panels for c in panel.columns]
    if all(c.n is None for c in columns):
        raise ValueError("no released bar to draw")
    wide = shape.name == "wide"
    left, right = (16.0, 16.0) if wide else (6.0, 6.0)
    tall = (
        (230.0 if len(panels) == 1 else 130.0) if wide else (190.0 if len(panels) == 1 else 120.0)
    )
    canvas = Canvas(shape)
    x = Scale(min(c.low for c in columns), max(c.high for c in columns), left, shape.width - right)
    highest = max(_density(c) for c in columns)
    place = 12.0
    for panel in panels:
        if panel.label:
            canvas.text(left, place + 12, cut(panel.label, 80 if wide else 40), bold=True)
            place += 20
        bottom = place + 18 + tall
        y = Scale(0.0, highest, bottom, place + 18)
        for column in panel.columns:
            _column(canvas, column, x, y, words, writer)
        canvas.line(left, bottom, shape.width - right, bottom, stroke=AXIS, stroke_width=1.5)
        place = _marks(canvas, panel.columns, x, bottom, writer) + 8
    canvas.text(shape.width / 2, place + 18, words.axis, anchor="middle", colour=SECOND)
    return canvas.finish(place + 30, key="hist", title=words.title, description=words.description)


def _density(column: Column) -> float:
    return (column.n or 0) / (column.high - column.low)


def _column(
    canvas: Canvas, column: Column, x: Scale, y: Scale, words: HistogramWords, writer: Writer
) -> None:
    start, width = x(column.low), x(column.high) - x(column.low)
    middle = start + width / 2
    if column.n is None:
        # The same small height for every hidden bar: it says nothing.
        canvas.element(
            "rect",
            x=start + 1,
            y=y(0) - 18,
            width=max(width - 2, 1.0),
            height=18,
            fill="#fff",
            stroke=AXIS,
            stroke_dasharray="3 2",
        )
        number, top = words.hidden, y(0) - 18
    else:
        top = min(y(_density(column)), y(0) - 1)
        canvas.element(
            "rect", x=start + 1, y=top, width=max(width - 2, 1.0), height=y(0) - top, fill=BRAND
        )
        number = writer(column.n, 0)
    if width >= len(number) * canvas.shape.text * 0.6:
        canvas.text(middle, top - 5, number, anchor="middle", colour=SECOND, halo=True)


def _marks(
    canvas: Canvas, columns: Sequence[Column], x: Scale, bottom: float, writer: Writer
) -> float:
    """Edges or values under the axis, as many as fit. Returns how far down they reach."""
    places = [((c.low + c.high) / 2, c.mark) for c in columns if c.mark]
    if not places:
        edges = sorted({c.low for c in columns} | {c.high for c in columns})
        digits = max(len(f"{edge:g}".partition(".")[2]) for edge in edges)
        places = [(e, writer(e, min(digits, 2) if e % 1 else 0)) for e in edges]
        for edge in edges:
            canvas.line(x(edge), bottom, x(edge), bottom + 4, stroke=LINE)
    taken = float("-inf")
    for place, text in places:
        half = len(text) * canvas.shape.text * 0.3
        at = min(max(x(place), half), canvas.shape.width - half)
        if at - half > taken + 6:
            canvas.text(at, bottom + 18, text, anchor="middle", colour=SECOND)
            taken = at + half
    return bottom + 22
