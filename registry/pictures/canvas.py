"""The paper all pictures are drawn on: escaped SVG text without any style attribute.

The site's security policy refuses inline styles, so colours and sizes are plain SVG attributes.
That also keeps a downloaded picture whole. Coordinates are in picture units, origin top left.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

INK = "#14242e"
SECOND = "#43545f"
LINE = "#cfdad9"
AXIS = "#5d7079"
BRAND = "#0b4f5c"
OUTSIDE = "#b3470f"

#: Colours that stay apart for people who see colours differently, each with its own dash.
SERIES = (
    (BRAND, ""),
    (OUTSIDE, "7 3"),
    ("#5b3f94", "2 3"),
    ("#3c6b1d", "9 3 2 3"),
    ("#8a1c4f", "4 4"),
    ("#1f4fa3", "12 4"),
    ("#6b5a00", "3 2 1 2"),
    ("#3a3f44", "1 3"),
)

Writer = Callable[[float, int], str]


def plain(value: float, digits: int) -> str:
    """A number with a point, for tests and files; pages pass their own writer."""
    return f"{value:.{digits}f}".replace("-", "−")


@dataclass(frozen=True)
class Shape:
    """One of the two drawings: its name, its width and the size of its letters."""

    name: str
    width: float
    text: float


WIDE = Shape("wide", 880, 14)
PHONE = Shape("phone", 340, 13.5)
SHAPES = (WIDE, PHONE)


@dataclass
class Canvas:
    """Collects SVG elements. `finish` gives the picture with its title and description."""

    shape: Shape
    parts: list[str] = field(default_factory=list)

    def element(self, name: str, text: str | None = None, /, **attributes: object) -> None:
        """Add one element. `_` in attribute names is written as `-`; None leaves it out."""
        words = "".join(
            f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
            for key, value in attributes.items()
            if value is not None
        )
        if "style" in attributes:
            raise ValueError("a style attribute would be refused by the security policy")
        self.parts.append(
            f"<{name}{words}/>" if text is None else f"<{name}{words}>{escape(text)}</{name}>"
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, **attributes: object) -> None:
        self.element("line", x1=x1, y1=y1, x2=x2, y2=y2, **attributes)

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        anchor: str = "start",
        colour: str = INK,
        bold: bool = False,
        size: float | None = None,
        halo: bool = False,
    ) -> None:
        """One line of text; `halo` puts a white rim under it where it crosses lines."""
        self.element(
            "text",
            words,
            x=x,
            y=y,
            fill=colour,
            font_size=size or self.shape.text,
            font_weight=650 if bold else None,
            text_anchor=None if anchor == "start" else anchor,
            stroke="#fff" if halo else None,
            stroke_width=4 if halo else None,
            paint_order="stroke" if halo else None,
            stroke_linejoin="round" if halo else None,
        )

    def path(
        self, points: Iterable[tuple[float, float]], *, close: bool = False, **a: object
    ) -> None:
        """A line through the points, in order."""
        steps = [f"{'M' if i == 0 else 'L'}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(points)]
        if steps:
            self.element("path", d="".join(steps) + ("Z" if close else ""), **a)

    def finish(self, height: float, *, key: str, title: str, description: str) -> str:
        """The whole picture. `key` makes its ids unique on the page."""
        mark = f"{key}-{self.shape.name}"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="draw-{self.shape.name}" role="img"'
            f' viewBox="0 0 {_value(self.shape.width)} {_value(height)}"'
            f' aria-labelledby="{mark}-title" aria-describedby="{mark}-desc"'
            ' font-family="Source Sans 3, Segoe UI, Arial, sans-serif">'
            f'<title id="{mark}-title">{escape(title)}</title>'
            f'<desc id="{mark}-desc">{escape(description)}</desc>'
            f"{''.join(self.parts)}</svg>"
        )


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return escape(str(value), quote=True)


@dataclass(frozen=True)
class Scale:
    """Straight (or logarithmic) map from data to picture units."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            value, low, high = math.log(value), math.log(low), math.log(high)
        share = 0.5 if high == low else (value - low) / (high - low)
        return self.start + share * (self.end - self.start)

    def clip(self, value: float) -> float:
        """Like the scale itself, but never outside the plot."""
        return self(min(max(value, self.low), self.high))


def round_step(span: float, most: int) -> float:
    """The smallest of 1, 2, 5 times a power of ten that gives at most `most` steps."""
    if span <= 0:
        return 1.0
    raw = span / most
    power = 10.0 ** math.floor(math.log10(raw))
    for factor in (1, 2, 5, 10):
        if factor * power >= raw * (1 - 1e-9):
            return factor * power
    return 10 * power


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round values inside [low, high], evenly spaced."""
    step = round_step(high - low, most)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [0.0 if i == 0 else i * step for i in range(first, last + 1)]


def ratio_ticks(low: float, high: float) -> list[float]:
    """Round ratios inside [low, high] for a logarithmic axis, 1 among them."""
    for factors in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1,)):
        found = [
            factor * 10.0**power
            for power in range(-6, 7)
            for factor in factors
            if low * (1 - 1e-9) <= factor * 10.0**power <= high * (1 + 1e-9)
        ]
        if len(found) <= 7:
            break
    return found if 1.0 in found or not low <= 1 <= high else sorted([*found, 1.0])


def digits_for(step: float) -> int:
    """How many decimals show a multiple of `step` in full."""
    return max(0, -math.floor(math.log10(step) + 1e-9)) if step < 1 else 0


def spread(places: Sequence[float], room: float, low: float, high: float) -> list[float]:
    """Move labels apart so that none covers another, as little as possible.

    Args:
        places: wanted positions, any order.
        room: least distance between two labels.
        low, high: edges that no label passes while there is room.
    """
    order = sorted(range(len(places)), key=lambda i: places[i])
    # Without the room that each label takes, the places must only not fall back: neighbours
    # that do share their mean (isotonic regression), which moves them least.
    blocks: list[tuple[float, int]] = []
    for rank, i in enumerate(order):
        blocks.append((places[i] - rank * room, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, n), (b, m) = blocks[-2:]
            blocks[-2:] = [((a * n + b * m) / (n + m), n + m)]
    flat = [value for value, count in blocks for _ in range(count)]
    most = max(high - (len(places) - 1) * room, low)
    out = [0.0] * len(places)
    for rank, (value, i) in enumerate(zip(flat, order, strict=True)):
        out[i] = min(max(value, low), most) + rank * room
    return out


def cut(words: str, most: int) -> str:
    """The words, shortened with an ellipsis when they are longer than `most` letters."""
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"
