"""One kind of a patient's own scores over time: points, the line between them, the limit."""

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
    cut,
)

_HEIGHT = 210.0
_TOP, _BOTTOM, _LEFT, _RIGHT = 26.0, 34.0, 40.0, 26.0


@dataclass(frozen=True)
class Scored:
    """One score from 0 to 100; shown: as it stands beside its point."""

    when: str
    value: float
    shown: str


@dataclass(frozen=True)
class OwnScoreWords:
    """limit: what stands at the line of the threshold; "" without one."""

    title: str
    description: str
    limit: str


def own_score(
    points: Sequence[Scored],
    limit: float | None,
    *,
    words: OwnScoreWords,
    shape: Shape,
    key: str,
) -> str:
    """The picture as SVG. `points` in order of time; `limit` from 0 to 100, or None."""
    canvas = Canvas(shape)
    x = Scale(0, max(len(points) - 1, 1), _LEFT + 30, shape.width - _RIGHT - 30)
    y = Scale(0, 100, _HEIGHT - _BOTTOM, _TOP)
    for value in (0, 25, 50, 75, 100):
        colour = AXIS if value == 0 else LINE
        canvas.line(_LEFT, y(value), shape.width - _RIGHT, y(value), stroke=colour)
        canvas.text(_LEFT - 8, y(value) + 4.5, str(value), anchor="end", colour=SECOND)
    if limit is not None:
        canvas.line(
            *(_LEFT, y(limit), shape.width - _RIGHT, y(limit)),
            stroke=OUTSIDE,
            stroke_width=1.5,
            stroke_dasharray="7 3",
        )
        # At the side where no point is: the last point's own number must stay free.
        place = y(limit) + (16 if limit > 50 else -7)
        canvas.text(_LEFT + 4, place, words.limit, colour=OUTSIDE, halo=True)
    at = [(x(i), y.clip(each.value)) for i, each in enumerate(points)]
    if len(at) > 1:
        canvas.path(at, fill="none", stroke=BRAND, stroke_width=2)
    letters = int((shape.width - _LEFT - _RIGHT) / max(len(points), 1) / (shape.text * 0.52))
    for each, (left, top) in zip(points, at, strict=True):
        canvas.element("circle", cx=left, cy=top, r=5, fill=BRAND)
        above = top - 11 if top > _TOP + 8 else top + 22
        canvas.text(left, above, each.shown, anchor="middle", colour=INK, bold=True, halo=True)
        canvas.text(left, _HEIGHT - 10, cut(each.when, letters), anchor="middle", colour=SECOND)
    return canvas.finish(_HEIGHT, key=key, title=words.title, description=words.description)
