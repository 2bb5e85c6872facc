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
    PHONE,
    SECOND,
    Canvas,
    Scale,
    Shape,
    cut,
)

#: The patient's pages are narrow, so the wide drawing is too.
SHAPES = (Shape("wide", 600, 14.5), PHONE)
_HEIGHT = 210.0
_TOP, _BOTTOM, _LEFT = 26.0, 34.0, 40.0
_LIMIT = 76.0  # at the right, where no point comes, stands what the line is


@dataclass(frozen=True)
class Scored:
    """One score from 0 to 100; shown: as it stands beside its point. short: `when` where there is
    little room."""

    when: str
    value: float
    shown: str
    short: str = ""


@dataclass(frozen=True)
class OwnScoreWords:
    """limit: what stands at the line of the threshold; "" without one."""

    title: str
    description: str
    limit: str


def own_score(
    points: Sequence[Scored],
    limit: tuple[float, bool] | None,
    *,
    words: OwnScoreWords,
    shape: Shape,
    key: str,
) -> str:
    """The picture as SVG.

    Args:
        points: one or more, in order of time.
        limit: the threshold from 0 to 100, and whether the side below it is the one to talk about;
            that side is shaded.
    """
    canvas = Canvas(shape)
    end = shape.width - (_LIMIT if limit is not None else 16.0)
    room = (end - _LEFT) / len(points)
    y = Scale(0, 100, _HEIGHT - _BOTTOM, _TOP)
    if limit is not None:
        value, below = limit
        top, bottom = (y(value), y(0)) if below else (y(100), y(value))
        canvas.element(
            "rect",
            x=_LEFT,
            y=top,
            width=end - _LEFT,
            height=bottom - top,
            fill=OUTSIDE,
            fill_opacity=0.1,
        )
    for value in (0, 25, 50, 75, 100):
        canvas.line(_LEFT, y(value), end, y(value), stroke=AXIS if value == 0 else LINE)
        canvas.text(_LEFT - 8, y(value) + 4.5, str(value), anchor="end", colour=SECOND)
    if limit is not None:
        place = y(limit[0])
        look = {"stroke": OUTSIDE, "stroke_width": 1.5, "stroke_dasharray": "7 3"}
        canvas.line(_LEFT, place, end, place, **look)
        canvas.text(end + 6, place + 4.5, words.limit, colour=OUTSIDE)
    at = [(_LEFT + (i + 0.5) * room, y.clip(each.value)) for i, each in enumerate(points)]
    if len(at) > 1:
        canvas.path(at, fill="none", stroke=BRAND, stroke_width=2)
    letters = max(3, int(room / (shape.text * 0.5)))
    for each, (left, top) in zip(points, at, strict=True):
        canvas.element("circle", cx=left, cy=top, r=5, fill=BRAND)
        above = top - 11 if top > _TOP + 8 else top + 22
        canvas.text(left, above, each.shown, anchor="middle", colour=INK, bold=True, halo=True)
        under = each.when if len(each.when) <= letters else cut(each.short or each.when, letters)
        canvas.text(left, _HEIGHT - 10, under, anchor="middle", colour=SECOND)
    return canvas.finish(_HEIGHT, key=key, title=words.title, description=words.description)
