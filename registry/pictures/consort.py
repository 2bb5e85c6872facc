"""The CONSORT diagram: from everybody who was screened to what is analysed, box by box.

Boxes down the middle hold who went on; boxes at the side who did not, with the reasons. Below
them one column per arm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from registry.pictures.canvas import AXIS, BRAND, SECOND, Canvas, Shape, Writer, cut, plain

_LINE = 20.0
_PAD = 12.0


@dataclass(frozen=True)
class Box:
    """A number with its name; `parts` are the reasons it is made of. None means not known."""

    label: str
    n: int | None
    parts: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Stage:
    """Who goes on, and who leaves between this box and the next."""

    box: Box
    leaves: tuple[Box, ...] = ()


@dataclass(frozen=True)
class Arm:
    """One arm: its name and its boxes from top to bottom."""

    name: str
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class ConsortWords:
    """Every word in the picture that is not in a box."""

    title: str
    description: str


def consort(
    stages: Sequence[Stage],
    arms: Sequence[Arm],
    *,
    words: ConsortWords,
    shape: Shape,
    writer: Writer = plain,
) -> str:
    """The picture as SVG text. Needs a stage (ValueError)."""
    if not stages:
        raise ValueError("no stage to draw")
    canvas = Canvas(shape)
    wide = shape.name == "wide"
    main_x, main_w = (120.0, 300.0) if wide else (0.5, 190.0)
    side_x = 500.0 if wide else 46.0
    side_w = shape.width - side_x - 1
    centre = main_x + main_w / 2 if wide else 22.0
    y = 1.0
    for number, stage in enumerate(stages):
        y = _box(canvas, stage.box, main_x, y, main_w, writer, main=True)
        last = number == len(stages) - 1
        if not stage.leaves and last:
            break
        start = y
        y += 16
        for box in stage.leaves:
            middle = y + _height(box) / 2
            canvas.line(centre, middle, side_x - 6, middle, stroke=AXIS, stroke_width=1.4)
            _tip(canvas, side_x, middle, right=True)
            y = _box(canvas, box, side_x, y, side_w, writer, main=False) + 10
        y += 8 if stage.leaves else 6
        if not last:
            canvas.line(centre, start, centre, y - 6, stroke=AXIS, stroke_width=1.4)
            _tip(canvas, centre, y, right=False)
        else:
            canvas.line(centre, start, centre, y - 10, stroke=AXIS, stroke_width=1.4)
    if arms:
        y = _arms(canvas, arms, y, centre, writer)
    return canvas.finish(y + 2, key="consort", title=words.title, description=words.description)


def _arms(canvas: Canvas, arms: Sequence[Arm], y: float, centre: float, writer: Writer) -> float:
    wide = canvas.shape.name == "wide"
    if not wide:
        for arm in arms:
            canvas.text(0, y + 24, cut(arm.name, 40), bold=True, colour=BRAND)
            y += 34
            for box in arm.boxes:
                y = _box(canvas, box, 0.5, y, canvas.shape.width - 1, writer, main=True) + 8
        return y
    gap = 24.0
    width = (canvas.shape.width - 1 - gap * (len(arms) - 1)) / len(arms)
    middles = [i * (width + gap) + width / 2 for i in range(len(arms))]
    rail = y + 22
    canvas.line(centre, y, centre, rail, stroke=AXIS, stroke_width=1.4)
    low, high = min([*middles, centre]), max([*middles, centre])
    canvas.line(low, rail, high, rail, stroke=AXIS, stroke_width=1.4)
    ends = []
    for arm, middle in zip(arms, middles, strict=True):
        place = rail + 22
        canvas.line(middle, rail, middle, place - 6, stroke=AXIS, stroke_width=1.4)
        _tip(canvas, middle, place, right=False)
        canvas.text(
            middle,
            place + 16,
            cut(arm.name, int(width / 8)),
            anchor="middle",
            bold=True,
            colour=BRAND,
        )
        place += 26
        for number, box in enumerate(arm.boxes):
            if number:
                canvas.line(middle, place, middle, place + 12, stroke=AXIS, stroke_width=1.4)
                place += 18
                _tip(canvas, middle, place, right=False)
            left = middle - width / 2
            place = _box(canvas, box, left + 0.5, place, width - 1, writer, main=True)
        ends.append(place)
    return max(ends)


def _height(box: Box) -> float:
    return 2 * _PAD + _LINE * (1 + len(box.parts)) - 6


def _box(
    canvas: Canvas, box: Box, x: float, y: float, width: float, writer: Writer, *, main: bool
) -> float:
    """One box; returns where it ends."""
    height = _height(box)
    canvas.element(
        "rect",
        x=x,
        y=y,
        width=width,
        height=height,
        rx=6,
        fill="#e3f0ef" if main else "#fff",
        stroke=BRAND if main else AXIS,
        stroke_width=1.5 if main else 1.2,
    )
    number = "–" if box.n is None else writer(box.n, 0)
    letters = int((width - 2 * _PAD - 8 * (len(number) + 2)) / (canvas.shape.text * 0.5))
    place = y + _PAD + 12
    canvas.text(x + _PAD, place, cut(box.label, letters))
    canvas.text(x + width - _PAD, place, number, anchor="end", bold=True)
    for label, n in box.parts:
        place += _LINE
        canvas.text(x + _PAD + 10, place, cut(label, letters - 2), colour=SECOND)
        canvas.text(x + width - _PAD, place, writer(n, 0), anchor="end", colour=SECOND)
    return y + height


def _tip(canvas: Canvas, x: float, y: float, *, right: bool) -> None:
    points = (
        [(x - 8, y - 5), (x, y), (x - 8, y + 5)]
        if right
        else [(x - 5, y - 8), (x, y), (x + 5, y - 8)]
    )
    canvas.path(points, close=True, fill=AXIS)
