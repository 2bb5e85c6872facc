"""Funnel plot: a mark per hospital at its expected number, with the limits that chance allows.

Nothing is in order of size of the ratio, and only hospitals outside the limits are named in the
picture; all stand in the table beside it, in order of their names.
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
    spread,
    ticks,
)


@dataclass(frozen=True)
class Mark:
    """One hospital: its expected number and its ratio. `outside` is 0, 95 or 998."""

    label: str
    expected: float
    ratio: float
    outside: int


@dataclass(frozen=True)
class Limit:
    """The limits at one expected number; None where they are not known."""

    expected: float
    inner: tuple[float, float]
    outer: tuple[float, float]


@dataclass(frozen=True)
class FunnelWords:
    """Every word in the picture, in the reader's language."""

    title: str
    description: str
    across: str
    up: str
    inner: str
    outer: str


def funnel(
    marks: Sequence[Mark],
    limits: Sequence[Limit],
    *,
    words: FunnelWords,
    shape: Shape,
    writer: Writer = plain,
) -> str:
    """The picture as SVG text. `limits` in order of expected number. ValueError without a mark."""
    if not marks or len(limits) < 2:
        raise ValueError("no released ratio to draw")
    wide = shape.name == "wide"
    left, right, top = (62.0, 110.0, 34.0) if wide else (40.0, 8.0, 34.0)
    bottom = top + (340.0 if wide else 270.0)
    longest = limits[-1].expected
    # Limits of tiny hospitals shoot up; the axis follows the hospitals and the limits at the first.
    first = min(m.expected for m in marks)
    near = next((k for k in limits if k.expected >= first), limits[-1])
    highest = max(1.25, *(m.ratio for m in marks), min(near.outer[1], 4.0)) * 1.05
    x = Scale(0.0, longest, left, shape.width - right)
    y = Scale(0.0, highest, bottom, top)
    canvas = Canvas(shape)
    step = round_step(highest, 6)
    for tick in ticks(0.0, highest, 6):
        canvas.line(left, y(tick), shape.width - right, y(tick), stroke=LINE)
        canvas.text(
            left - 8, y(tick) + 4.5, writer(tick, digits_for(step)), anchor="end", colour=SECOND
        )
    most = 7 if wide else 4
    for tick in ticks(0.0, longest, most):
        canvas.text(
            x(tick),
            bottom + 19,
            writer(tick, digits_for(round_step(longest, most))),
            anchor="middle",
            colour=SECOND,
        )
    canvas.line(left, bottom, shape.width - right, bottom, stroke=AXIS, stroke_width=1.5)
    canvas.line(left, y(1.0), shape.width - right, y(1.0), stroke=INK, stroke_width=1.5)
    _limit_lines(canvas, limits, x, y)
    for mark in marks:
        _mark(canvas, mark, x, y)
    _names(canvas, marks, x, y, wide)
    canvas.text(0 if not wide else left - 46, 14, words.up, colour=SECOND)
    middle = (left + shape.width - right) / 2
    canvas.text(middle, bottom + 42, words.across, anchor="middle", colour=SECOND)
    height = _key(canvas, words, left if wide else 0.0, bottom + 68)
    return canvas.finish(height, key="funnel", title=words.title, description=words.description)


def _limit_lines(canvas: Canvas, limits: Sequence[Limit], x: Scale, y: Scale) -> None:
    for dash, of in ((None, "outer"), ("7 4", "inner")):
        for side in (0, 1):
            places = [(x(k.expected), getattr(k, of)[side]) for k in limits]
            # A line that leaves the plot at the top is cut there.
            inside = [(px, y(value)) for px, value in places if value <= y.high]
            canvas.path(inside, fill="none", stroke=AXIS, stroke_width=1.6, stroke_dasharray=dash)


def _mark(canvas: Canvas, mark: Mark, x: Scale, y: Scale) -> None:
    """A disc inside the limits, a diamond outside the inner, a filled square outside the outer."""
    px, py = x(mark.expected), y.clip(mark.ratio)
    if mark.outside == 0:
        canvas.element("circle", cx=px, cy=py, r=5.5, fill=BRAND, stroke="#fff", stroke_width=1.5)
    elif mark.outside == 95:
        canvas.path(
            [(px, py - 8), (px + 8, py), (px, py + 8), (px - 8, py)],
            close=True,
            fill="#fff",
            stroke=OUTSIDE,
            stroke_width=2.4,
        )
    else:
        canvas.element(
            "rect",
            x=px - 6.5,
            y=py - 6.5,
            width=13,
            height=13,
            fill=OUTSIDE,
            stroke="#fff",
            stroke_width=1.5,
        )


def _names(canvas: Canvas, marks: Sequence[Mark], x: Scale, y: Scale, wide: bool) -> None:
    """Names of hospitals outside the limits, moved apart."""
    named = [m for m in marks if m.outside]
    places = spread([y.clip(m.ratio) for m in named], canvas.shape.text + 4, y.end + 6, y.start)
    for mark, place in zip(named, places, strict=True):
        px = x(mark.expected)
        late = not wide and px > canvas.shape.width * 0.55
        canvas.text(
            px - 12 if late else px + 12,
            place + 4.5,
            cut(mark.label, 24 if wide else 18),
            anchor="end" if late else "start",
            colour=OUTSIDE,
            bold=True,
            halo=True,
        )


def _key(canvas: Canvas, words: FunnelWords, left: float, place: float) -> float:
    """What the two kinds of lines mean."""
    for dash, text in (("7 4", words.inner), (None, words.outer)):
        canvas.line(
            left,
            place - 4.5,
            left + 34,
            place - 4.5,
            stroke=AXIS,
            stroke_width=1.6,
            stroke_dasharray=dash,
        )
        canvas.text(left + 44, place, text, colour=SECOND)
        place += canvas.shape.text + 8
    return place
