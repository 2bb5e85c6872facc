"""Forest plot: one line per estimate, a square at the estimate, whiskers for the 95% interval.

Used for ratios (logarithmic axis, line at 1), for coefficients (straight axis, line at 0) and for
means (straight axis).
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
    Scale,
    Shape,
    Writer,
    cut,
    digits_for,
    plain,
    ratio_ticks,
    round_step,
    ticks,
)


@dataclass(frozen=True)
class Estimate:
    """One line: what it is about, the estimate and its interval. None means it is hidden.

    `digits`: decimals of the numbers of this line, where it needs others than the picture's.
    """

    label: str
    value: float | None
    low: float | None
    high: float | None
    note: str = ""
    digits: int | None = None

    @property
    def known(self) -> tuple[float, float, float] | None:
        if self.value is None or self.low is None or self.high is None:
            return None
        return self.value, self.low, self.high


@dataclass(frozen=True)
class ForestWords:
    """Every word in the picture, in the reader's language."""

    title: str
    description: str
    axis: str
    lower_side: str = ""
    higher_side: str = ""
    to: str = "to"
    hidden: str = ""


def forest(
    estimates: Sequence[Estimate],
    *,
    words: ForestWords,
    shape: Shape,
    ratio: bool,
    null: float | None = None,
    writer: Writer = plain,
    digits: int = 2,
    key: str = "forest",
) -> str:
    """The picture as SVG text; `ratio` draws a logarithmic axis with a line at 1.

    `null` is the value of no difference on a straight axis, which then has a line there.
    """
    null = 1.0 if ratio else null
    known = [e.known for e in estimates if e.known is not None]
    if not known:
        raise ValueError("no released estimate to draw")
    wide = shape.name == "wide"
    left, right, top = (250.0, 170.0, 14.0) if wide else (10.0, 10.0, 8.0)
    line = 40.0 if wide else 74.0
    bottom = top + line * len(estimates)
    low = min(k[1] for k in known)
    high = max(k[2] for k in known)
    if ratio:
        low, high = min(low, 0.8), max(high, 1.25)
        low, high = max(low, 1e-3) * 0.94, min(high, 1e3) * 1.06
        marks = ratio_ticks(low, high)
        mark_digits = 2 if any(m < 1 and abs(m * 10 - round(m * 10)) > 1e-9 for m in marks) else 1
    else:
        if null is not None:
            low, high = min(low, null), max(high, null)
        room = (high - low or abs(high) or 1.0) * 0.08
        low, high = low - room, high + room
        marks = ticks(low, high, 7 if wide else 5)
        mark_digits = digits_for(round_step(high - low, 7 if wide else 5))
    x = Scale(low, high, left, shape.width - right, log=ratio)
    canvas = Canvas(shape)
    for mark in marks:
        strong = null is not None and mark == null
        canvas.line(
            x(mark),
            top,
            x(mark),
            bottom,
            stroke=AXIS if strong else LINE,
            stroke_width=1.8 if strong else 1,
        )
        canvas.text(
            x(mark),
            bottom + 19,
            writer(mark, mark_digits if mark % 1 else 0),
            anchor="middle",
            colour=SECOND,
        )
    canvas.line(left, bottom, shape.width - right, bottom, stroke=AXIS)
    for i, estimate in enumerate(estimates):
        _estimate(canvas, estimate, top + line * i, line, x, words, null, writer, digits)
    height = _foot(canvas, bottom, left, right, x, words, null)
    return canvas.finish(height, key=key, title=words.title, description=words.description)


def _estimate(
    canvas: Canvas,
    estimate: Estimate,
    top: float,
    line: float,
    x: Scale,
    words: ForestWords,
    null: float | None,
    writer: Writer,
    digits: int,
) -> None:
    wide = canvas.shape.name == "wide"
    middle = top + line / 2 if wide else top + line * 0.76
    known = estimate.known
    if wide:
        canvas.text(0, middle + 5, cut(estimate.label, 36), bold=True)
    else:
        canvas.text(0, top + 18, cut(estimate.label, 46), bold=True, halo=True)
    if known is None:
        at = canvas.shape.width if wide else x.start
        canvas.text(
            at,
            middle + 5,
            estimate.note or words.hidden,
            anchor="end" if wide else "start",
            colour=SECOND,
            halo=True,
        )
        return
    value, low, high = known
    clear = null is not None and (low > null or high < null)
    colour = OUTSIDE if clear and value > (null or 0.0) else BRAND
    canvas.line(x.clip(low), middle, x.clip(high), middle, stroke=colour, stroke_width=2.4)
    for end in (low, high):
        if x.low <= end <= x.high:
            canvas.line(x(end), middle - 5, x(end), middle + 5, stroke=colour, stroke_width=2.4)
    at = x.clip(value)
    if clear:  # shape as well as colour: a diamond stands clear of the line
        canvas.path(
            [(at, middle - 8), (at + 8, middle), (at, middle + 8), (at - 8, middle)],
            close=True,
            fill=colour,
            stroke="#fff",
            stroke_width=1.5,
        )
    else:
        canvas.element(
            "rect",
            x=at - 6,
            y=middle - 6,
            width=12,
            height=12,
            rx=1.5,
            fill=colour,
            stroke="#fff",
            stroke_width=1.5,
        )
    digits = digits if estimate.digits is None else estimate.digits
    numbers = f"{writer(value, digits)} ({writer(low, digits)} {words.to} {writer(high, digits)})"
    if wide:
        canvas.text(canvas.shape.width, middle + 5, numbers, anchor="end")
    else:
        canvas.text(0, top + 36, numbers, colour=SECOND, halo=True)


def _foot(
    canvas: Canvas,
    bottom: float,
    left: float,
    right: float,
    x: Scale,
    words: ForestWords,
    null: float | None,
) -> float:
    place = bottom + 40
    if null is not None and (words.lower_side or words.higher_side):
        wide = canvas.shape.name == "wide"
        lower, higher = x(null) - 10, x(null) + 10
        if wide:
            canvas.text(lower, place, words.lower_side, anchor="end", colour=SECOND)
            canvas.text(higher, place, words.higher_side, colour=SECOND)
        else:
            canvas.text(0, place, words.lower_side, colour=SECOND)
            canvas.text(canvas.shape.width, place, words.higher_side, anchor="end", colour=SECOND)
        place += 22
    middle = (left + canvas.shape.width - right) / 2
    canvas.text(middle, place, words.axis, anchor="middle", colour=SECOND)
    return place + 12
