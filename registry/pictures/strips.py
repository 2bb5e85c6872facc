"""A strip per hospital: where its value lies, with its interval, beside norms and the network.

Shares and means have a mark with whiskers; waiting times a bar for the median (known between two
days) and an open bar for the 80th percentile. The hospitals stand in the order they are given:
the order of their names or letters, never of their results. A hidden one says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from registry.pictures.canvas import (
    AXIS,
    BRAND,
    INK,
    LINE,
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
from registry.pictures.funnel import draw_mark
from registry.pictures.letters import text_width

OWN_FILL = "#e3f0ef"
BAND_FILL = "#ebf3f2"
Pair = tuple[float, float]


@dataclass(frozen=True)
class Strip:
    """One hospital. `value` with `span` is a mark with whiskers; `span` alone a bar, as of a
    median; `later` an open bar, as of the 80th percentile. `note` stands where all is hidden.
    """

    label: str
    numbers: str = ""
    value: float | None = None
    span: Pair | None = None
    later: Pair | None = None
    outside: int = 0
    own: bool = False
    note: str = ""

    @property
    def known(self) -> list[float]:
        """Every number of the strip that the axis must hold."""
        pairs = [*(self.span or ()), *(self.later or ())]
        return pairs if self.value is None else [*pairs, self.value]


@dataclass(frozen=True)
class Level:
    """A line across all strips: a norm, the network, no change. `strong` is a whole line."""

    value: float
    label: str
    strong: bool = False


@dataclass(frozen=True)
class StripWords:
    """Every word in the picture, in the reader's language."""

    title: str
    description: str
    axis: str
    bar: str = ""
    later: str = ""
    band: str = ""
    own: str = ""


@dataclass(frozen=True)
class StripAxis:
    """How the axis runs: its unit sign, edges that it must hold, a shaded band."""

    percent: bool = False
    holds: tuple[float, ...] = ()
    band: Pair | None = None
    most: float | None = None


PLAIN_AXIS = StripAxis()


def strips(
    rows: Sequence[Strip],
    *,
    words: StripWords,
    shape: Shape,
    levels: Sequence[Level] = (),
    axis: StripAxis = PLAIN_AXIS,
    writer: Writer = plain,
    key: str = "strips",
) -> str:
    """The picture as SVG text. ValueError when every number is hidden."""
    known = [number for row in rows for number in row.known]
    if not known:
        raise ValueError("no released number to draw")
    wide = shape.name == "wide"
    left, right = (250.0, 190.0) if wide else (10.0, 14.0)
    line = 38.0 if wide else 62.0
    shown = sorted(levels, key=lambda level: level.value)
    top = 12.0 + 19.0 * (len(shown) + (1 if axis.band and words.band else 0))
    bottom = top + line * len(rows)
    x = _scale([*known, *(level.value for level in shown)], axis, left, shape.width - right)
    canvas = Canvas(shape)
    for i, row in enumerate(rows):
        if row.own:
            canvas.element(
                "rect",
                x=0,
                y=top + line * i,
                width=shape.width,
                height=line,
                rx=4,
                fill=OWN_FILL,
            )
    if axis.band is not None:
        low, high = axis.band
        canvas.element(
            "rect",
            x=x.clip(low),
            y=top,
            width=max(x.clip(high) - x.clip(low), 0.5),
            height=bottom - top,
            fill=BAND_FILL,
            stroke=LINE,
        )
    # On the phone names and numbers stand over the strips, so lines leave their places free.
    gaps = (
        [(0.0, bottom)]
        if wide
        else [(top + line * i + 27, top + line * (i + 1)) for i in range(len(rows))]
    )
    _axis(canvas, x, top, bottom, axis, writer, gaps)
    _levels(canvas, shown, x, top, gaps, words, axis)
    for i, row in enumerate(rows):
        _strip(canvas, row, top + line * i, line, x)
    place = bottom + 42
    canvas.text((left + shape.width - right) / 2, place, words.axis, anchor="middle", colour=SECOND)
    height = _key(canvas, rows, words, left if wide else 0.0, place + 24)
    return canvas.finish(height, key=key, title=words.title, description=words.description)


def _scale(values: Sequence[float], axis: StripAxis, start: float, end: float) -> Scale:
    every = [*values, *axis.holds, *(axis.band or ())]
    low, high = min(every), max(every)
    room = (high - low or abs(high) or 1.0) * 0.06
    low = 0.0 if 0 <= low < 0.5 * high else low - room
    high += room
    if axis.percent:
        low, high = max(low, 0.0), min(high, 1.0)
    if axis.most is not None:
        high = min(high, axis.most)
    return Scale(low, high, start, end)


def _axis(
    canvas: Canvas,
    x: Scale,
    top: float,
    bottom: float,
    axis: StripAxis,
    writer: Writer,
    gaps: Sequence[Pair],
) -> None:
    most = 7 if canvas.shape.name == "wide" else 5
    step = round_step(x.high - x.low, most)
    for tick in ticks(x.low, x.high, most):
        for start, end in gaps:
            canvas.line(x(tick), max(start, top), x(tick), end, stroke=LINE)
        text = (
            writer(100 * tick, digits_for(100 * step)) + "%"
            if axis.percent
            else writer(tick, digits_for(step))
        )
        canvas.text(x(tick), bottom + 19, text, anchor="middle", colour=SECOND)
    canvas.line(x.start, bottom, x.end, bottom, stroke=AXIS)


def _levels(
    canvas: Canvas,
    levels: Sequence[Level],
    x: Scale,
    top: float,
    gaps: Sequence[Pair],
    words: StripWords,
    axis: StripAxis,
) -> None:
    """Each line has its words on a row of its own above the strips, so that none meets another."""
    place = 14.0
    if axis.band is not None and words.band:
        middle = (x.clip(axis.band[0]) + x.clip(axis.band[1])) / 2
        _over(canvas, middle, place, words.band, SECOND, bold=False)
        place += 19
    for level in levels:
        if not x.low <= level.value <= x.high:
            continue
        at = x(level.value)
        for start, end in [(place + 5, top), *((max(start, top), end) for start, end in gaps)]:
            canvas.line(
                at,
                start,
                at,
                end,
                stroke=INK,
                stroke_width=1.6,
                stroke_dasharray=None if level.strong else "6 4",
            )
        _over(canvas, at, place, level.label, INK, bold=level.strong)
        place += 19


def _over(canvas: Canvas, at: float, place: float, words: str, colour: str, *, bold: bool) -> None:
    """Words with their middle above a place, pushed inside the picture."""
    half = text_width(words, canvas.shape.text, bold=bold) / 2
    middle = min(max(at, half + 2), canvas.shape.width - half - 2)
    canvas.text(middle, place, words, anchor="middle", colour=colour, bold=bold, halo=True)


def _strip(canvas: Canvas, row: Strip, top: float, line: float, x: Scale) -> None:
    wide = canvas.shape.name == "wide"
    middle = top + line / 2 if wide else top + line * 0.72
    weight = row.own
    if row.own:
        tip = 4.0
        canvas.path(
            [(tip, middle - 6), (tip + 9, middle), (tip, middle + 6)], close=True, fill=INK
        ) if wide else canvas.path(
            [(2, top + 12), (10, top + 17), (2, top + 22)], close=True, fill=INK
        )
    indent = 20 if row.own else 8 if wide else 2
    if wide:
        canvas.text(indent, middle + 5, cut(row.label, 32), bold=weight)
    else:
        room = canvas.shape.width - indent - text_width(row.numbers, canvas.shape.text, bold=weight)
        letters = int((room - 14) / (0.5 * canvas.shape.text))
        canvas.text(indent, top + 21, cut(row.label, max(letters, 8)), bold=weight)
    if not row.known:
        canvas.text(
            x.start if wide else 2,
            middle + (5 if wide else -2),
            row.note,
            colour=SECOND,
            halo=True,
        )
        return
    numbers_at = (middle if wide else top + 16) + 5
    end = canvas.shape.width - 6
    canvas.text(end, numbers_at, row.numbers, anchor="end", bold=weight, halo=True)
    if row.later is not None:
        _bar(canvas, row.later, middle, x, filled=False)
    if row.value is None and row.span is not None:
        _bar(canvas, row.span, middle, x, filled=True)
        return
    if row.span is not None:
        low, high = row.span
        canvas.line(x.clip(low), middle, x.clip(high), middle, stroke=BRAND, stroke_width=2.2)
        for edge in (low, high):
            if x.low <= edge <= x.high:
                canvas.line(x(edge), middle - 5, x(edge), middle + 5, stroke=BRAND, stroke_width=2)
    if row.value is not None:
        if row.own:
            canvas.element(
                "circle",
                cx=x.clip(row.value),
                cy=middle,
                r=11,
                fill="#fff",
                stroke=INK,
                stroke_width=2.4,
            )
        draw_mark(canvas, row.outside, x.clip(row.value), middle)


def _bar(canvas: Canvas, pair: Pair, middle: float, x: Scale, *, filled: bool) -> None:
    """What is known to lie between two values; at least as wide as can be seen."""
    start, end = x.clip(pair[0]), x.clip(pair[1])
    thick = max(end - start, 6.0)
    canvas.element(
        "rect",
        x=(start + end - thick) / 2,
        y=middle - 8,
        width=thick,
        height=16,
        rx=2,
        fill=BRAND if filled else "#fff",
        stroke="#fff" if filled else BRAND,
        stroke_width=1.2 if filled else 2,
    )


def _key(
    canvas: Canvas, rows: Sequence[Strip], words: StripWords, left: float, place: float
) -> float:
    for shown, filled, text in (
        (any(r.span and r.value is None for r in rows), True, words.bar),
        (any(r.later for r in rows), False, words.later),
    ):
        if shown and text:
            canvas.element(
                "rect",
                x=left + 10,
                y=place - 12,
                width=10,
                height=15,
                rx=2,
                fill=BRAND if filled else "#fff",
                stroke=BRAND,
                stroke_width=2,
            )
            canvas.text(left + 32, place, text, colour=SECOND)
            place += canvas.shape.text + 9
    if words.own and any(r.own for r in rows):
        canvas.path(
            [(left + 10, place - 11), (left + 20, place - 5), (left + 10, place + 1)],
            close=True,
            fill=INK,
        )
        canvas.text(left + 32, place, words.own, bold=True)
        place += canvas.shape.text + 9
    return place
