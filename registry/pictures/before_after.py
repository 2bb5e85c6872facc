"""Before and after an action: two lines with their intervals, an arrow from the first to the last.

It shows that something changed, not that the action did it: that sentence stands with it.
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
from registry.pictures.letters import text_width
from registry.pictures.strips import Level, Pair


@dataclass(frozen=True)
class Measured:
    """What was measured once: its interval, its middle where it has one, and how to say it."""

    label: str
    numbers: str
    span: Pair | None
    value: float | None = None
    note: str = ""

    @property
    def middle(self) -> float | None:
        """Where the arrow begins or ends."""
        if self.value is not None:
            return self.value
        return None if self.span is None else (self.span[0] + self.span[1]) / 2


@dataclass(frozen=True)
class Pairing:
    """One thing before and after: the hospital of the action, or the others for comparison."""

    label: str
    before: Measured
    after: Measured
    own: bool = False


@dataclass(frozen=True)
class BeforeAfterWords:
    """Every word in the picture, in the reader's language."""

    title: str
    description: str
    axis: str


def before_after(
    pairs: Sequence[Pairing],
    *,
    words: BeforeAfterWords,
    shape: Shape,
    levels: Sequence[Level] = (),
    percent: bool = False,
    writer: Writer = plain,
) -> str:
    """The picture as SVG text. ValueError when every number is hidden."""
    spans = [m.span for pair in pairs for m in (pair.before, pair.after) if m.span is not None]
    if not spans:
        raise ValueError("no released number to draw")
    wide = shape.name == "wide"
    left, right = (250.0, 190.0) if wide else (10.0, 14.0)
    shown = sorted(levels, key=lambda level: level.value)
    top = 12.0 + 19.0 * len(shown)
    line, head = (34.0, 30.0) if wide else (54.0, 30.0)
    block = head + 2 * line + 6
    bottom = top + block * len(pairs)
    values = [*(v for span in spans for v in span), *(level.value for level in shown)]
    high = max(values) * 1.06 or 1.0
    x = Scale(min(0.0, *values), min(high, 1.0) if percent else high, left, shape.width - right)
    canvas = Canvas(shape)
    most = 7 if wide else 5
    step = round_step(x.high - x.low, most)
    for tick in ticks(x.low, x.high, most):
        canvas.line(x(tick), top, x(tick), bottom, stroke=LINE)
        text = writer(100 * tick, 0) + "%" if percent else writer(tick, digits_for(step))
        canvas.text(x(tick), bottom + 19, text, anchor="middle", colour=SECOND)
    canvas.line(left, bottom, shape.width - right, bottom, stroke=AXIS)
    for i, level in enumerate(shown):
        at, place = x.clip(level.value), 14.0 + 19 * i
        canvas.line(at, place + 5, at, bottom, stroke=INK, stroke_width=1.6, stroke_dasharray="6 4")
        half = text_width(level.label, shape.text) / 2
        canvas.text(
            min(max(at, half + 2), shape.width - half - 2),
            place,
            level.label,
            anchor="middle",
            halo=True,
        )
    for i, pair in enumerate(pairs):
        start = top + block * i
        canvas.text(0, start + 20, cut(pair.label, 60 if wide else 40), bold=pair.own, halo=True)
        _pair(canvas, pair, start + head, line, x)
    canvas.text(
        (left + shape.width - right) / 2, bottom + 42, words.axis, anchor="middle", colour=SECOND
    )
    return canvas.finish(
        bottom + 54, key="before-after", title=words.title, description=words.description
    )


def _pair(canvas: Canvas, pair: Pairing, top: float, line: float, x: Scale) -> None:
    wide = canvas.shape.name == "wide"
    places = []
    for i, measured in enumerate((pair.before, pair.after)):
        start = top + line * i
        # On the phone the words stand outside the arrow: above the first line, below the last.
        middle = start + line / 2 if wide else start + line * (0.3 if i else 0.7)
        places.append(middle)
        words_at = middle + 5 if wide else start + line * (0.85 if i else 0.28)
        canvas.text(16 if wide else 2, words_at, cut(measured.label, 34), colour=SECOND, halo=True)
        if measured.span is None:
            canvas.text(x.start, middle + 5, measured.note, colour=SECOND, halo=True)
            continue
        canvas.text(
            canvas.shape.width - 6,
            words_at,
            measured.numbers,
            anchor="end",
            bold=bool(i),
            halo=True,
        )
        low, high = measured.span
        colour = BRAND if i else AXIS
        canvas.line(x.clip(low), middle, x.clip(high), middle, stroke=colour, stroke_width=6)
        at = measured.middle
        if at is not None:
            canvas.element(
                "circle",
                cx=x.clip(at),
                cy=middle,
                r=7,
                fill=BRAND if i else "#fff",
                stroke="#fff" if i else AXIS,
                stroke_width=2.4,
            )
    first, last = pair.before.middle, pair.after.middle
    if first is not None and last is not None:
        _arrow(canvas, (x.clip(first), places[0] + 9), (x.clip(last), places[1] - 9))


def _arrow(canvas: Canvas, start: tuple[float, float], end: tuple[float, float]) -> None:
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    ux, uy = dx / length, dy / length
    canvas.line(*start, *end, stroke=INK, stroke_width=1.6)
    canvas.path(
        [
            end,
            (end[0] - 8 * ux - 4 * uy, end[1] - 8 * uy + 4 * ux),
            (end[0] - 8 * ux + 4 * uy, end[1] - 8 * uy - 4 * ux),
        ],
        close=True,
        fill=INK,
    )
