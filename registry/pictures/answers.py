"""Answers per hospital: a line for each, with a bar for yes, no and no answer yet on one scale.

A hidden number is a hatched stub of one width that says "<10", never 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from registry.pictures.canvas import (
    AXIS,
    BRAND,
    LINE,
    OUTSIDE,
    SECOND,
    Canvas,
    Shape,
    Writer,
    cut,
    plain,
)

COLOURS = (BRAND, OUTSIDE, AXIS)
STUB = 14.0
NUMBER = 46.0  # room for the number at the end of a bar


@dataclass(frozen=True)
class AnswerLine:
    """One hospital; None is a number that is not shown."""

    label: str
    counts: tuple[int | None, ...]


@dataclass(frozen=True)
class AnswerWords:
    """Every word in the picture, in the reader's language; `heads` one for each column."""

    title: str
    description: str
    heads: tuple[str, ...]
    hidden: str


def answers(
    lines: Sequence[AnswerLine], *, words: AnswerWords, shape: Shape, writer: Writer = plain
) -> str:
    """The picture as SVG text. Raises ValueError when there is no line."""
    if not lines:
        raise ValueError("no hospital to draw")
    wide = shape.name == "wide"
    left = 230.0 if wide else 4.0
    column = (shape.width - left - 4) / len(words.heads)
    highest = max([10, *(count for line in lines for count in line.counts if count is not None)])
    unit = (column - NUMBER - 8) / highest
    canvas = Canvas(shape)
    starts = [left + number * column for number in range(len(words.heads))]
    for start, head in zip(starts, words.heads, strict=True):
        canvas.text(start, 16, cut(head, 24 if wide else 15), bold=True)
    place = 28.0
    for line in lines:
        canvas.line(0, place, shape.width, place, stroke=LINE)
        if wide:
            canvas.text(0, place + 21, cut(line.label, 30))
        else:
            canvas.text(left, place + 18, cut(line.label, 40))
            place += 22
        for start, count, colour in zip(starts, line.counts, COLOURS, strict=True):
            _bar(canvas, start, place + 8, count, colour, unit, words, writer)
        place += 34
    for start in starts:
        canvas.line(start, 28, start, place, stroke=AXIS)
    return canvas.finish(place + 4, key="answers", title=words.title, description=words.description)


def _bar(
    canvas: Canvas,
    start: float,
    top: float,
    count: int | None,
    colour: str,
    unit: float,
    words: AnswerWords,
    writer: Writer,
) -> None:
    if count is None:
        # The same small width for every hidden number: its length says nothing.
        canvas.element(
            "rect",
            x=start,
            y=top,
            width=STUB,
            height=18,
            fill="#fff",
            stroke=AXIS,
            stroke_dasharray="3 2",
        )
        canvas.text(start + STUB + 6, top + 14, words.hidden, colour=SECOND, halo=True)
        return
    canvas.element("rect", x=start, y=top, width=count * unit, height=18, fill=colour)
    canvas.text(start + count * unit + 6, top + 14, writer(count, 0), bold=True, halo=True)
