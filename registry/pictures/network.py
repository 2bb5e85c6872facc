"""The network: hospitals around the hub, schematic, not a street map.

The state of a hospital is shown by the shape of its mark as well as by its colour, and the page
always prints the same list in words beside the picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from registry.pictures.canvas import Canvas, Shape, cut

GOLD = "#ffb92e"
PALE = "#cfe3e3"
DEEP = "#073a44"


@dataclass(frozen=True)
class Hospital:
    """One node: its name and whether it is connected now ("up", "down" or "unknown")."""

    name: str
    state: str = "unknown"


def network(hospitals: Sequence[Hospital], *, title: str, description: str, shape: Shape) -> str:
    """The picture as SVG text, on the dark brand ground. Needs at least one hospital."""
    if not hospitals:
        raise ValueError("no hospital to draw")
    wide = shape.name == "wide"
    width, height = shape.width, 390.0 if wide else 330.0
    centre_x, centre_y = width / 2, height / 2
    radius_x, radius_y = (width / 2 - 168, 142.0) if wide else (72.0, 118.0)
    canvas = Canvas(shape)
    canvas.element("rect", width=width, height=height, rx=10, fill=DEEP)
    for ring in (0.42, 0.72, 1.0):
        canvas.element(
            "ellipse",
            cx=centre_x,
            cy=centre_y,
            rx=radius_x * ring,
            ry=radius_y * ring,
            fill="none",
            stroke="#1d5a66",
            stroke_width=1,
            stroke_dasharray="1 6",
        )
    places = []
    for i, hospital in enumerate(hospitals):
        angle = 2 * math.pi * (i + 0.5) / len(hospitals)
        x = centre_x + radius_x * math.sin(angle)
        y = centre_y - radius_y * math.cos(angle)
        places.append((hospital, x, y, math.sin(angle), math.cos(angle)))
        canvas.line(
            centre_x,
            centre_y,
            x,
            y,
            stroke=PALE if hospital.state == "up" else "#5d8a93",
            stroke_width=1.8,
            stroke_dasharray=None if hospital.state == "up" else "4 5",
        )
    canvas.element("circle", cx=centre_x, cy=centre_y, r=15, fill="#fff")
    canvas.element("circle", cx=centre_x, cy=centre_y, r=7, fill=DEEP)
    for hospital, x, y, side, up in places:
        _mark(canvas, hospital.state, x, y)
        if abs(side) < 0.1:
            above = y - 17 if up > 0 else y + 28
            canvas.text(x, above, cut(hospital.name, 24), anchor="middle", colour="#fff")
            continue
        right = side > 0
        room = (width - x if right else x) - 22
        canvas.text(
            x + (17 if right else -17),
            y + 5,
            cut(hospital.name, int(room / (shape.text * 0.5))),
            anchor="start" if right else "end",
            colour="#fff",
        )
    return canvas.finish(height, key="network", title=title, description=description)


def _mark(canvas: Canvas, state: str, x: float, y: float) -> None:
    if state == "up":
        canvas.element("circle", cx=x, cy=y, r=10, fill=GOLD)
    elif state == "down":
        canvas.path(
            [(x, y - 11), (x + 11, y), (x, y + 11), (x - 11, y)],
            close=True,
            fill=DEEP,
            stroke=GOLD,
            stroke_width=2.4,
        )
    else:
        canvas.element("circle", cx=x, cy=y, r=9, fill=DEEP, stroke=PALE, stroke_width=2.4)
