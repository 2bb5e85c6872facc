"""Funnel plot: a mark per hospital at its size, with the limits that chance allows.

The size is the expected number (ratios, centre 1) or the number of patients (shares, centre the
network's share). Nothing is in order of size of the result. Labels find their own place
(letters.py): a hospital outside the limits and the reader's own have their name, the others their
letter where they have one; all stand in the table beside it. The reader's own hospital has a ring
and bold letters, so that it never hangs on a colour.
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
from registry.pictures.letters import Box, Placed, Wanted, place_labels

INNER_FILL = "#d6e7e5"
OUTER_FILL = "#ebf3f2"
#: Limits above this many times the centre are cut off: they say only that there is no limit.
MOST = 4.0


@dataclass(frozen=True)
class Mark:
    """One hospital: its size and its result. `outside` is 0, 95 or 998.

    `letter` is what stands in the picture for a hospital inside the limits; empty for nothing.
    """

    label: str
    expected: float
    ratio: float
    outside: int
    own: bool = False
    letter: str = ""


@dataclass(frozen=True)
class Limit:
    """The limits at one size."""

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
    centre: str = ""
    target: str = ""
    own: str = ""


@dataclass(frozen=True)
class FunnelScale:
    """What the picture measures: ratios around 1, or shares around the network's own."""

    centre: float = 1.0
    shares: bool = False
    target: float | None = None


RATIOS = FunnelScale()


def funnel(
    marks: Sequence[Mark],
    limits: Sequence[Limit],
    *,
    words: FunnelWords,
    shape: Shape,
    writer: Writer = plain,
    scale: FunnelScale = RATIOS,
) -> str:
    """The picture as SVG text. `limits` in order of size. ValueError without a mark."""
    if not marks or len(limits) < 2:
        raise ValueError("no released ratio to draw")
    wide = shape.name == "wide"
    left, right, top = (62.0, 150.0, 34.0) if wide else (44.0, 8.0, 34.0)
    bottom = top + (340.0 if wide else 280.0)
    longest = limits[-1].expected
    x = Scale(0.0, longest, left, shape.width - right)
    low, high = _range(marks, limits, scale)
    y = Scale(low, high, bottom, top)
    canvas = Canvas(shape)
    _bands(canvas, limits, x, y)
    _grid(canvas, x, y, writer, scale)
    centre = y(scale.centre)
    canvas.line(left, centre, shape.width - right, centre, stroke=INK, stroke_width=1.5)
    target = scale.target if scale.target is not None and low <= scale.target <= high else None
    if target is not None:
        canvas.line(
            left,
            y(target),
            shape.width - right,
            y(target),
            stroke=INK,
            stroke_width=1.6,
            stroke_dasharray="1 5",
            stroke_linecap="round",
        )
    lines = _limit_lines(canvas, limits, x, y)
    across = [scale.centre] if target is None else [scale.centre, target]
    lines += [[(left, y(value)), (shape.width - right, y(value))] for value in across]
    for mark in sorted(marks, key=lambda m: m.own):
        _mark(canvas, mark, x, y)
    _labels(canvas, marks, x, y, lines)
    canvas.text(0 if not wide else left - 46, 14, words.up, colour=SECOND)
    middle = (left + shape.width - right) / 2
    canvas.text(middle, bottom + 42, words.across, anchor="middle", colour=SECOND)
    if wide:
        _ends(canvas, limits, words, y, scale.centre, target, writer)
    height = _key(canvas, words, left if wide else 0.0, bottom + 68, target is not None, marks)
    return canvas.finish(height, key="funnel", title=words.title, description=words.description)


def _range(
    marks: Sequence[Mark], limits: Sequence[Limit], scale: FunnelScale
) -> tuple[float, float]:
    """The axis follows the hospitals, the target and the limits at the smallest hospital."""
    first = min(m.expected for m in marks)
    near = next((k for k in limits if k.expected >= first), limits[-1])
    values = [m.ratio for m in marks] + ([] if scale.target is None else [scale.target])
    centre = scale.centre
    high = max(1.25 * centre, *values, min(near.outer[1], MOST * centre))
    if not scale.shares:
        return 0.0, high * 1.05
    low = min(*values, near.outer[0], centre)
    room = (high - low) * 0.05 or 0.05
    # From zero up unless that would leave most of the picture empty.
    start = 0.0 if low < 0.55 * high else low - room
    return max(start, 0.0), min(high + room, 1.0)


def _grid(canvas: Canvas, x: Scale, y: Scale, writer: Writer, scale: FunnelScale) -> None:
    wide = canvas.shape.name == "wide"
    step = round_step(y.high - y.low, 6)
    for tick in ticks(y.low, y.high, 6):
        canvas.line(x.start, y(tick), x.end, y(tick), stroke=LINE)
        text = (
            writer(100 * tick, digits_for(100 * step)) + "%"
            if scale.shares
            else writer(tick, digits_for(step))
        )
        canvas.text(x.start - 8, y(tick) + 4.5, text, anchor="end", colour=SECOND)
    most = 7 if wide else 4
    for tick in ticks(0.0, x.high, most):
        text = writer(tick, digits_for(round_step(x.high, most)))
        canvas.text(x(tick), y.start + 19, text, anchor="middle", colour=SECOND)
    canvas.line(x.start, y.start, x.end, y.start, stroke=AXIS, stroke_width=1.5)


def _bands(canvas: Canvas, limits: Sequence[Limit], x: Scale, y: Scale) -> None:
    """The room that chance takes, as two shades; they end where the axis ends."""
    for of, fill in (("outer", OUTER_FILL), ("inner", INNER_FILL)):
        low = [(x(k.expected), y.clip(getattr(k, of)[0])) for k in limits]
        high = [(x(k.expected), y.clip(getattr(k, of)[1])) for k in limits]
        canvas.path([*low, *reversed(high)], close=True, fill=fill)


def _limit_lines(
    canvas: Canvas, limits: Sequence[Limit], x: Scale, y: Scale
) -> list[list[tuple[float, float]]]:
    drawn = []
    for dash, of in ((None, "outer"), ("7 4", "inner")):
        for side in (0, 1):
            places = [(x(k.expected), getattr(k, of)[side]) for k in limits]
            # A line that leaves the plot is cut there.
            inside = [(px, y(value)) for px, value in places if y.low <= value <= y.high]
            canvas.path(inside, fill="none", stroke=AXIS, stroke_width=1.6, stroke_dasharray=dash)
            drawn.append(inside)
    return drawn


def _mark(canvas: Canvas, mark: Mark, x: Scale, y: Scale) -> None:
    """A disc inside the limits, a diamond outside the inner, a filled square outside the outer."""
    px, py = x(mark.expected), y.clip(mark.ratio)
    if mark.own:
        canvas.element("circle", cx=px, cy=py, r=12, fill="#fff", stroke=INK, stroke_width=2.6)
    draw_mark(canvas, mark.outside, px, py)


def draw_mark(canvas: Canvas, outside: int, px: float, py: float) -> None:
    """The mark of a hospital by where it lies; the other pictures of a round draw the same."""
    if outside == 0:
        canvas.element("circle", cx=px, cy=py, r=5.5, fill=BRAND, stroke="#fff", stroke_width=1.5)
    elif outside == 95:
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


def _labels(
    canvas: Canvas,
    marks: Sequence[Mark],
    x: Scale,
    y: Scale,
    lines: Sequence[Sequence[tuple[float, float]]],
) -> None:
    """The reader's own hospital and those outside choose a place first; the others after them."""
    wide = canvas.shape.name == "wide"
    order = sorted(marks, key=lambda m: (not m.own, not m.outside, m.expected, m.label))
    wanted = [
        Wanted(
            x(m.expected),
            y.clip(m.ratio),
            12.0 if m.own else 7.0,
            _texts(m, wide),
            bold=m.own or bool(m.outside),
        )
        for m in order
    ]
    area = Box(x.start, y.end - 12, x.end + (0 if wide else 8), y.start - 1)
    size = canvas.shape.text
    for mark, placed in zip(
        order, place_labels(wanted, area=area, size=size, lines=lines), strict=True
    ):
        if placed is not None:
            _label(canvas, mark, placed)


def _texts(mark: Mark, wide: bool) -> tuple[str, ...]:
    named = cut(mark.label, 30 if wide else 18)
    if mark.own or mark.outside:
        return (named, mark.letter) if mark.letter and mark.letter != named else (named,)
    return (mark.letter,) if mark.letter else ()


def _label(canvas: Canvas, mark: Mark, placed: Placed) -> None:
    if placed.leader is not None:
        box = placed.box
        end = (
            min(max(placed.leader[0], box.left), box.right),
            min(max(placed.leader[1], box.top), box.bottom),
        )
        canvas.line(*placed.leader, *end, stroke=AXIS)
    canvas.text(
        placed.x,
        placed.y,
        placed.text,
        anchor=placed.anchor,
        colour=OUTSIDE if mark.outside else INK,
        bold=mark.own or bool(mark.outside),
        halo=True,
    )


def _ends(
    canvas: Canvas,
    limits: Sequence[Limit],
    words: FunnelWords,
    y: Scale,
    centre: float,
    target: float | None,
    writer: Writer,
) -> None:
    """What a line is, where it ends at the right."""
    last = limits[-1]
    named = [
        (writer(99.8, 1) + "%", last.outer[1], SECOND, False),
        (writer(95, 0) + "%", last.inner[1], SECOND, False),
    ]
    if words.centre:
        named.append((words.centre, centre, INK, True))
    if target is not None and words.target:
        named.append((words.target, target, INK, False))
    places = spread([y.clip(value) for _t, value, _c, _b in named], 17, y.end, y.start)
    for (text, _value, colour, bold), place in zip(named, places, strict=True):
        canvas.text(canvas.shape.width - 144, place + 4.5, cut(text, 22), colour=colour, bold=bold)


def _key(
    canvas: Canvas,
    words: FunnelWords,
    left: float,
    place: float,
    target: bool,
    marks: Sequence[Mark],
) -> float:
    """What the kinds of lines mean, and the ring."""
    wide = canvas.shape.name == "wide"
    lines = [("7 4", AXIS, words.inner), (None, AXIS, words.outer)]
    if not wide and words.centre:
        lines.append((None, INK, words.centre))
    if target and words.target and not wide:
        lines.append(("1 5", INK, words.target))
    for dash, colour, text in lines:
        canvas.line(
            left,
            place - 4.5,
            left + 34,
            place - 4.5,
            stroke=colour,
            stroke_width=1.6,
            stroke_dasharray=dash,
        )
        canvas.text(left + 44, place, text, colour=SECOND)
        place += canvas.shape.text + 8
    if words.own and any(m.own for m in marks):
        canvas.element(
            "circle",
            cx=left + 17,
            cy=place - 4.5,
            r=8,
            fill="#fff",
            stroke=INK,
            stroke_width=2.4,
        )
        canvas.text(left + 44, place, words.own, colour=INK, bold=True)
        place += canvas.shape.text + 8
    return place
