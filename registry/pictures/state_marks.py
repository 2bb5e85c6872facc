"""The mark of each state of a hospital's part: a shape, so that the state never hangs on colour.

Start-up is a circle that fills, step by step; taking part is a full disc; on hold two bars; what
has ended is a diamond or a square; a refusal is a cross. Pages and pictures draw the same paths.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from registry.pictures.canvas import BRAND, OUTSIDE, SECOND, Canvas

GOOD = "#1d6b3a"
#: How full the circle of a start-up state is, in sixths.
_SIXTHS: Mapping[str, int] = {
    "invited": 0,
    "feasibility": 1,
    "local_review": 2,
    "vgo_signed": 3,
    "contract_signed": 4,
    "approved": 5,
    "initiated": 6,
}
#: State -> the part of a study's life it belongs to, which also gives the colour.
PHASES: Mapping[str, str] = {
    **dict.fromkeys(_SIXTHS, "start"),
    "open": "open",
    "on_hold": "hold",
    "closed_to_accrual": "ended",
    "follow_up_done": "ended",
    "closed": "ended",
    "declined": "declined",
}
COLOURS: Mapping[str, str] = {
    "start": BRAND,
    "open": GOOD,
    "hold": OUTSIDE,
    "ended": SECOND,
    "declined": SECOND,
}


def phase(state: str) -> str:
    """Which part of a study's life a state belongs to; an unknown state counts as start-up."""
    return PHASES.get(state, "start")


def paths(state: str, x: float, y: float, r: float) -> tuple[str, str]:
    """The path data of one mark of radius `r` around a place: what is filled, what is lined."""
    if state in _SIXTHS:
        inner = r * 0.66
        sixths = _SIXTHS[state]
        full = _circle(x, y, inner) if sixths == 6 else _wedge(x, y, inner, sixths)
        return full, _circle(x, y, r * 0.9)
    if state == "open":
        return _circle(x, y, r), ""
    if state == "on_hold":
        top, wide, high = y - r * 0.85, r * 0.5, r * 1.7
        return _box(x - r * 0.78, top, wide, high) + _box(x + r * 0.28, top, wide, high), ""
    if state == "closed_to_accrual":
        return _diamond(x, y, r), ""
    if state == "follow_up_done":
        return "", _diamond(x, y, r * 0.9)
    if state == "closed":
        return "", _box(x - r * 0.72, y - r * 0.72, r * 1.44, r * 1.44)
    if state == "declined":
        a = r * 0.68
        return "", (
            f"M{_n(x - a)} {_n(y - a)}L{_n(x + a)} {_n(y + a)}"
            f"M{_n(x + a)} {_n(y - a)}L{_n(x - a)} {_n(y + a)}"
        )
    return "", _circle(x, y, r * 0.5)


def draw(canvas: Canvas, state: str, x: float, y: float, r: float) -> None:
    """One mark on a picture, in the colour of its phase."""
    filled, lined = paths(state, x, y, r)
    colour = COLOURS[phase(state)]
    if filled:
        canvas.element("path", d=filled, fill=colour)
    if lined:
        canvas.element("path", d=lined, fill="none", stroke=colour, stroke_width=max(r * 0.2, 1.0))


def symbol(state: str) -> tuple[str, str]:
    """The two paths of a mark in a box of 16 by 16, for the symbols of a page."""
    return paths(state, 8, 8, 7)


def _circle(x: float, y: float, r: float) -> str:
    arc = f"a{_n(r)} {_n(r)} 0 1 0"
    return f"M{_n(x - r)} {_n(y)}{arc} {_n(2 * r)} 0{arc} {_n(-2 * r)} 0Z"


def _wedge(x: float, y: float, r: float, sixths: int) -> str:
    if not sixths:
        return ""
    angle = sixths * math.pi / 3
    end_x, end_y = x + r * math.sin(angle), y - r * math.cos(angle)
    large = 1 if sixths > 3 else 0
    return f"M{_n(x)} {_n(y)}V{_n(y - r)}A{_n(r)} {_n(r)} 0 {large} 1 {_n(end_x)} {_n(end_y)}Z"


def _box(x: float, y: float, width: float, height: float) -> str:
    return f"M{_n(x)} {_n(y)}h{_n(width)}v{_n(height)}h{_n(-width)}Z"


def _diamond(x: float, y: float, r: float) -> str:
    return f"M{_n(x)} {_n(y - r)}L{_n(x + r)} {_n(y)}L{_n(x)} {_n(y + r)}L{_n(x - r)} {_n(y)}Z"


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
