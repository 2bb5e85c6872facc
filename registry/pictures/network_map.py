"""The network on its region: a mark per institution where its city lies, numbered as in the table.

Places are schematic: north is up and neighbours are neighbours, but marks that would cover each
other are moved apart, and no road or border is drawn. The kind of an institution is the shape of
its mark, its subnetwork the dash and colour of the line to the lead; the page prints the same in a
table, where the numbers are explained.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from registry.pictures.canvas import INK, LINE, SERIES, Canvas, Shape

ROOM = {"wide": 34.0, "phone": 26.0}
ROUNDS = 60


@dataclass(frozen=True)
class Spot:
    """One institution: its number in the table, where it lies (degrees), its kind, and per
    subnetwork that it is in the position of that subnetwork. `counted`: it counts in the totals."""

    number: int
    latitude: float
    longitude: float
    kind: str
    parts: tuple[int, ...] = ()
    leads: tuple[int, ...] = ()
    counted: bool = True


def network_map(spots: Sequence[Spot], *, title: str, description: str, shape: Shape) -> str:
    """The picture as SVG text. Raises ValueError without a single spot."""
    if not spots:
        raise ValueError("no institution to draw")
    wide = shape.name == "wide"
    height = 430.0 if wide else 360.0
    canvas = Canvas(shape)
    canvas.element("rect", width=shape.width, height=height, rx=10, fill="#f4f8f7", stroke=LINE)
    places = _apart(_placed(spots, shape.width, height), ROOM[shape.name], shape.width, height)
    for spot, (x, y) in zip(spots, places, strict=True):
        for part in spot.parts:
            for other, (to_x, to_y) in zip(spots, places, strict=True):
                if part in other.leads and other is not spot:
                    colour, dash = SERIES[part % len(SERIES)]
                    canvas.line(
                        x,
                        y,
                        to_x,
                        to_y,
                        stroke=colour,
                        stroke_width=1.6,
                        stroke_dasharray=dash or None,
                    )
    size = 13.0 if wide else 10.5
    for spot, (x, y) in zip(spots, places, strict=True):
        _mark(canvas, spot, x, y, size)
    return canvas.finish(height, key="network-map", title=title, description=description)


def _placed(spots: Sequence[Spot], width: float, height: float) -> list[tuple[float, float]]:
    """Degrees to picture units: equal kilometres in both directions, the region in the middle."""
    middle = math.radians(sum(spot.latitude for spot in spots) / len(spots))
    flat = [(spot.longitude * math.cos(middle), spot.latitude) for spot in spots]
    east, north = [x for x, _ in flat], [y for _, y in flat]
    span_x, span_y = max(east) - min(east), max(north) - min(north)
    edge = 34.0
    scale = min(
        (width - 2 * edge) / span_x if span_x else math.inf,
        (height - 2 * edge) / span_y if span_y else math.inf,
    )
    scale = scale if math.isfinite(scale) else 0.0
    mid_x, mid_y = (max(east) + min(east)) / 2, (max(north) + min(north)) / 2
    return [(width / 2 + (x - mid_x) * scale, height / 2 - (y - mid_y) * scale) for x, y in flat]


def _apart(
    places: list[tuple[float, float]], room: float, width: float, height: float
) -> list[tuple[float, float]]:
    """Marks that cover each other moved apart, always in the same way for the same input."""
    moved = [list(place) for place in places]
    for _ in range(ROUNDS):
        still = True
        for i in range(len(moved)):
            for j in range(i):
                dx, dy = moved[i][0] - moved[j][0], moved[i][1] - moved[j][1]
                far = math.hypot(dx, dy)
                if far >= room:
                    continue
                still = False
                # Two in one city: side by side, turned a little so that three make no line.
                angle = math.atan2(dy, dx) if far > 1e-9 else 0.9 * (i + j)
                push = (room - far) / 2 + 0.05
                for k, sign in ((i, 1), (j, -1)):
                    moved[k][0] += sign * push * math.cos(angle)
                    moved[k][1] += sign * push * math.sin(angle)
        for place in moved:
            place[0] = min(max(place[0], 20.0), width - 20.0)
            place[1] = min(max(place[1], 20.0), height - 20.0)
        if still:
            break
    return [(x, y) for x, y in moved]


def _mark(canvas: Canvas, spot: Spot, x: float, y: float, size: float) -> None:
    part = spot.parts[0] if spot.parts else 0
    colour = SERIES[part % len(SERIES)][0] if spot.counted else "#fff"
    rim = {
        "fill": colour,
        "stroke": SERIES[part % len(SERIES)][0] if spot.counted else INK,
        "stroke_width": 2,
        "stroke_dasharray": None if spot.counted else "3 2",
    }
    if len(spot.parts) > 1:  # in two subnetworks: a second ring around it
        canvas.element(
            "circle",
            cx=x,
            cy=y,
            r=size + 5,
            fill="none",
            stroke=SERIES[spot.parts[1] % len(SERIES)][0],
            stroke_width=2,
        )
    if spot.kind == "university":
        canvas.element("rect", x=x - size, y=y - size, width=2 * size, height=2 * size, **rim)
    elif spot.kind == "radiotherapy":
        r = size + 2
        canvas.path([(x, y - r), (x + r, y), (x, y + r), (x - r, y)], close=True, **rim)
    elif spot.kind == "top_clinical":
        r = size + 1
        corners = [
            (x + r * math.cos(math.pi / 3 * k), y + r * math.sin(math.pi / 3 * k)) for k in range(6)
        ]
        canvas.path(corners, close=True, **rim)
    else:
        canvas.element("circle", cx=x, cy=y, r=size, **rim)
    canvas.text(
        x,
        y + canvas.shape.text * 0.35,
        str(spot.number),
        anchor="middle",
        colour="#fff" if spot.counted else INK,
        bold=True,
    )
