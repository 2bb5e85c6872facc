"""Start-up: days that each hospital spent in each step, from invitation to open, one bar each.

A step is told by its number and by light or dark in turn, never by colour alone. A bar that has
not come to its end is open at the right.
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
    ticks,
)

_PALE, _DEEP = "#cfe3e3", BRAND


@dataclass(frozen=True)
class Stretch:
    """Days in one step; `number` is the step's, as the key below the picture has it."""

    number: int
    days: int


@dataclass(frozen=True)
class Road:
    """A hospital's way so far. `done` when it is open; `median` marks the middle of all."""

    label: str
    stretches: tuple[Stretch, ...]
    done: bool
    median: bool = False


@dataclass(frozen=True)
class StartUpWords:
    """Every word in the picture, in the reader's language; `steps` is number and name."""

    title: str
    description: str
    axis: str
    steps: tuple[tuple[int, str], ...]
    going: str


def start_up(
    roads: Sequence[Road], *, words: StartUpWords, shape: Shape, writer: Writer = plain
) -> str:
    """The picture as SVG text. Needs a hospital (ValueError)."""
    if not roads:
        raise ValueError("no hospital to draw")
    wide = shape.name == "wide"
    canvas = Canvas(shape)
    left, right = (230.0, 70.0) if wide else (2.0, 48.0)
    longest = float(max(max(sum(s.days for s in road.stretches) for road in roads), 10))
    x = Scale(0.0, longest, left, shape.width - right)
    place = 8.0
    rows: list[tuple[Road, float]] = []
    for road in roads:
        if not wide:
            place += 18
        rows.append((road, place))
        place += 30 if wide else 34
    for mark in ticks(0, longest, 7 if wide else 4):
        canvas.line(x(mark), 2, x(mark), place, stroke=LINE)
        canvas.text(x(mark), place + 18, writer(mark, 0), anchor="middle", colour=SECOND)
    canvas.line(left, 2, left, place, stroke=AXIS, stroke_width=1.5)
    for road, top in rows:
        _road(canvas, road, top, x, words, writer)
    canvas.text(
        (left + shape.width - right) / 2, place + 38, words.axis, anchor="middle", colour=SECOND
    )
    bottom = _key(canvas, words, place + 66)
    return canvas.finish(bottom, key="start-up", title=words.title, description=words.description)


def _road(
    canvas: Canvas, road: Road, top: float, x: Scale, words: StartUpWords, writer: Writer
) -> None:
    wide = canvas.shape.name == "wide"
    if wide:
        canvas.text(x.start - 10, top + 16, cut(road.label, 28), anchor="end", bold=road.median)
    else:
        canvas.text(x.start + 2, top - 5, cut(road.label, 40), bold=road.median, halo=True)
    begun, deeps = 0, _deeps(words)
    for number, stretch in enumerate(road.stretches):
        start, end = x(begun), x(begun + stretch.days)
        last = number == len(road.stretches) - 1
        deep = stretch.number in deeps
        canvas.element(
            "rect",
            x=start,
            y=top,
            width=max(end - start, 1.0),
            height=22,
            fill=_DEEP if deep else _PALE,
            stroke=_DEEP,
            stroke_width=1,
            stroke_dasharray="3 2" if last and not road.done else None,
        )
        if end - start > 9 * len(str(stretch.number)) + 5:
            canvas.text(
                (start + end) / 2,
                top + 16,
                str(stretch.number),
                anchor="middle",
                colour="#fff" if deep else "#14242e",
                size=12.5,
            )
        begun += stretch.days
    total = writer(begun, 0) + ("" if road.done else words.going)
    canvas.text(x(begun) + 7, top + 16, total, bold=True, halo=True)


def _key(canvas: Canvas, words: StartUpWords, top: float) -> float:
    """Which number is which step; returns the height of the whole."""
    at, place = 2.0, top
    deeps = _deeps(words)
    for number, name in words.steps:
        room = 30 + len(name) * canvas.shape.text * 0.5 + 16
        if at + room > canvas.shape.width and at > 2:
            at, place = 2.0, place + 26
        deep = number in deeps
        canvas.element(
            "rect",
            x=at,
            y=place - 14,
            width=22,
            height=18,
            fill=_DEEP if deep else _PALE,
            stroke=_DEEP,
            stroke_width=1,
        )
        canvas.text(
            at + 11,
            place,
            str(number),
            anchor="middle",
            colour="#fff" if deep else "#14242e",
            size=12.5,
        )
        canvas.text(at + 29, place, name, colour=SECOND)
        at += room
    return place + 12


def _deeps(words: StartUpWords) -> frozenset[int]:
    """Every other step is dark, in the order of the road."""
    return frozenset(number for number, _name in words.steps[::2])
