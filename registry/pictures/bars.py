"""Bars for counts: one bar per cell; a hidden cell is hatched and says "<10", never 0."""

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
    ticks,
)


@dataclass(frozen=True)
class Bar:
    """One cell. `n` is None when the number is hidden."""

    label: str
    n: int | None


@dataclass(frozen=True)
class BarGroup:
    """Bars that belong together under one label (the first variable of the table)."""

    label: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class BarWords:
    """Every word in the picture, in the reader's language."""

    title: str
    description: str
    axis: str
    hidden: str


def bars(
    groups: Sequence[BarGroup], *, words: BarWords, shape: Shape, writer: Writer = plain
) -> str:
    """Lying bars as SVG text, the number written at the end of each."""
    shown = [bar.n for group in groups for bar in group.bars if bar.n is not None]
    if not any(group.bars for group in groups):
        raise ValueError("no cell to draw")
    highest = float(max(shown, default=10) or 10)
    wide = shape.name == "wide"
    left, right = (230.0, 70.0) if wide else (8.0, 52.0)
    thick, gap = (24.0, 6.0) if wide else (20.0, 25.0)
    canvas = Canvas(shape)
    x = Scale(0.0, highest, left, shape.width - right)
    place = 10.0
    body: list[tuple[Bar, float]] = []
    heads: list[tuple[str, float]] = []
    for group in groups:
        if group.label:
            heads.append((group.label, place + 14))
            place += 28
        for bar in group.bars:
            if not wide:
                place += 18
            body.append((bar, place))
            place += thick + (gap if wide else 10)
        place += 10
    marks = ticks(0, highest, 6 if wide else 4)
    for mark in marks:
        canvas.line(x(mark), 4, x(mark), place, stroke=LINE)
        canvas.text(x(mark), place + 18, writer(mark, 0), anchor="middle", colour=SECOND)
    canvas.line(left, 4, left, place, stroke=AXIS, stroke_width=1.5)
    for label, at in heads:
        canvas.text(
            0 if wide else left + 2, at, cut(label, 60 if wide else 40), bold=True, halo=True
        )
    for bar, top in body:
        _bar(canvas, bar, top, thick, x, words, writer)
    canvas.text(
        (left + shape.width - right) / 2, place + 38, words.axis, anchor="middle", colour=SECOND
    )
    return canvas.finish(place + 50, key="bars", title=words.title, description=words.description)


def _bar(
    canvas: Canvas, bar: Bar, top: float, thick: float, x: Scale, words: BarWords, writer: Writer
) -> None:
    wide = canvas.shape.name == "wide"
    if wide:
        canvas.text(x.start - 10, top + thick * 0.7, cut(bar.label, 30), anchor="end")
    else:
        canvas.text(x.start + 2, top - 5, cut(bar.label, 44), halo=True)
    if bar.n is None:
        # The same small width for every hidden cell: its length says nothing.
        canvas.element(
            "rect",
            x=x.start,
            y=top,
            width=18,
            height=thick,
            fill="#fff",
            stroke=AXIS,
            stroke_dasharray="3 2",
        )
        canvas.text(x.start + 26, top + thick * 0.7, words.hidden, colour=SECOND, halo=True)
        return
    canvas.element(
        "rect", x=x.start, y=top, width=max(x(bar.n) - x.start, 1.0), height=thick, fill=BRAND
    )
    canvas.text(x(bar.n) + 8, top + thick * 0.7, writer(bar.n, 0), bold=True, halo=True)
