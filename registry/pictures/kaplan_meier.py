"""Shares over time as steps: 95% band, number at risk beneath, and an honest end.

Kaplan-Meier curves fall from everybody free of the event; cumulative incidence rises from nobody
having had it. A curve stops at the last time that was released. Beyond it fewer patients remain
than may be shown, so the line ends with a mark instead of running on.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.pictures.canvas import (
    AXIS,
    INK,
    LINE,
    SECOND,
    SERIES,
    Canvas,
    Scale,
    Shape,
    Writer,
    cut,
    digits_for,
    plain,
    round_step,
    spread,
)

#: Days in the units of the time axis.
UNITS: Mapping[str, float] = {"days": 1.0, "months": 30.4375, "years": 365.25}


@dataclass(frozen=True)
class Point:
    """One released point: at time `t` (days) the share `s` is free of the event, or has had it."""

    t: float
    s: float
    low: float
    high: float
    at_risk: int | None


@dataclass(frozen=True)
class Curve:
    """One group: its label, its released points in order of time, and where it was cut."""

    label: str
    points: tuple[Point, ...]

    @property
    def end(self) -> float:
        return self.points[-1].t if self.points else 0.0

    def at(self, t: float) -> Point | None:
        """The point that holds at time `t`; None before the first and after the last."""
        if not self.points or t > self.end + 1e-9:
            return None
        held = [p for p in self.points if p.t <= t + 1e-9]
        return held[-1] if held else None

    def at_risk(self, t: float) -> int | None:
        """Patients still followed just before `t`, from the next released point; None unknown.

        The released number belongs to a point in time. The next point at or after `t` is the one
        that does not overstate.
        """
        later = [p for p in self.points if p.t >= t - 1e-9]
        return later[0].at_risk if later else None


@dataclass(frozen=True)
class SurvivalWords:
    """Every word in the picture, in the reader's language."""

    title: str
    description: str
    time_axis: Mapping[str, str]
    at_risk: str
    too_few: str
    everyone: str


def curves_of(
    groups: Sequence[Mapping[str, Any]], everyone: str, share: str = "s"
) -> tuple[Curve, ...]:
    """The curves of a `survival` result, or with `share` "cif" of a `competing_risks` result;
    groups that are hidden have no points.

    Every curve starts at time 0 with everybody free of the event.
    """
    curves = []
    start = 1.0 if share == "s" else 0.0
    for group in groups:
        rows = [r for r in group.get("curve") or [] if r.get(share) is not None]
        points = [
            Point(
                float(r["t"]),
                float(r[share]),
                float(r["low"] if r.get("low") is not None else r[share]),
                float(r["high"] if r.get("high") is not None else r[share]),
                r.get("at_risk"),
            )
            for r in rows
        ]
        if points and points[0].t > 0:
            points.insert(0, Point(0.0, start, start, start, group.get("n")))
        label = group.get("level")
        curves.append(Curve(everyone if label is None else str(label), tuple(points)))
    return tuple(curves)


def time_unit(longest: float) -> str:
    """The unit that gives a readable axis for a follow-up of `longest` days."""
    if longest > 2.2 * UNITS["years"]:
        return "years"
    return "months" if longest > 120 else "days"


def kaplan_meier(
    curves: Sequence[Curve], *, words: SurvivalWords, shape: Shape, writer: Writer = plain
) -> str:
    """The picture as SVG text. Needs at least one curve with points (ValueError).

    The axis runs to 100%, or for curves that rise from 0 to the next round share above them.
    """
    longest = max((curve.end for curve in curves), default=0.0)
    if longest <= 0:
        raise ValueError("no released points to draw")
    unit = time_unit(longest)
    wide = shape.name == "wide"
    left, right, top = (58.0, 150.0, 16.0) if wide else (40.0, 12.0, 12.0)
    plot_height = 330.0 if wide else 230.0
    bottom = top + plot_height
    canvas = Canvas(shape)
    x = Scale(0.0, longest, left, shape.width - right)
    shares = _share_marks(curves)
    y = Scale(0.0, shares[-1], bottom, top)

    for share in shares:
        canvas.line(left, y(share), shape.width - right, y(share), stroke=LINE)
        canvas.text(
            left - 8,
            y(share) + 4.5,
            writer(100 * share, digits_for(100 * shares[1])) + "%",
            anchor="end",
            colour=SECOND,
        )
    canvas.line(left, bottom, shape.width - right, bottom, stroke=AXIS, stroke_width=1.5)
    marks = _time_marks(longest, unit, 8 if wide else 5)
    for t in marks:
        canvas.line(x(t), bottom, x(t), bottom + 5, stroke=AXIS)
        canvas.text(x(t), bottom + 20, writer(t / UNITS[unit], 0), anchor="middle", colour=SECOND)
    canvas.text(
        (left + shape.width - right) / 2,
        bottom + 40,
        words.time_axis[unit],
        anchor="middle",
        colour=SECOND,
    )

    for i, curve in enumerate(curves):
        if curve.points:
            _band(canvas, curve, x, y, SERIES[i % len(SERIES)][0])
    for i, curve in enumerate(curves):
        if curve.points:
            _steps(canvas, curve, x, y, SERIES[i % len(SERIES)])
    if wide and len(curves) > 1:
        _labels(canvas, curves, x, y)
    height = _at_risk(canvas, curves, marks, x, bottom + 68, words, writer)
    return canvas.finish(height, key="km", title=words.title, description=words.description)


def _share_marks(curves: Sequence[Curve]) -> list[float]:
    """Where the share axis has its lines, from 0 up; the last one is its end."""
    points = [p for curve in curves for p in curve.points]
    rising = all(curve.points[0].s < 0.5 for curve in curves if curve.points)
    if not rising:
        return [0.0, 0.25, 0.5, 0.75, 1.0]
    highest = max(max(p.high for p in points), 0.04)
    step = round_step(min(highest, 1.0), 5)
    return [i * step for i in range(int(-(-min(highest, 1.0) // step)) + 1)]


def _time_marks(longest: float, unit: str, most: int) -> list[float]:
    length = longest / UNITS[unit]
    step = round_step(length, most)
    if unit == "months":  # people read half-years, not tens of months
        step = next(s for s in (1, 2, 3, 6, 12, 24) if length / s <= most)
    step = max(step, 1)
    return [i * step * UNITS[unit] for i in range(int(length / step + 1e-9) + 1)]


def _staircase(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    out = [points[0]]
    for before, after in itertools.pairwise(points):
        out += [(after[0], before[1]), after]
    return out


def _band(canvas: Canvas, curve: Curve, x: Scale, y: Scale, colour: str) -> None:
    upper = _staircase([(x(p.t), y(p.high)) for p in curve.points])
    lower = _staircase([(x(p.t), y(p.low)) for p in curve.points])
    canvas.path([*upper, *reversed(lower)], close=True, fill=colour, fill_opacity=0.13)


def _steps(canvas: Canvas, curve: Curve, x: Scale, y: Scale, look: tuple[str, str]) -> None:
    colour, dash = look
    canvas.path(
        _staircase([(x(p.t), y(p.s)) for p in curve.points]),
        fill="none",
        stroke=colour,
        stroke_width=2.6,
        stroke_dasharray=dash or None,
    )
    last = curve.points[-1]
    canvas.line(x(last.t), y(last.s) - 6, x(last.t), y(last.s) + 6, stroke=colour, stroke_width=2.6)


def _labels(canvas: Canvas, curves: Sequence[Curve], x: Scale, y: Scale) -> None:
    drawn = [(i, c) for i, c in enumerate(curves) if c.points]
    room = canvas.shape.text + 4
    places = spread([y(c.points[-1].s) for _, c in drawn], room, y(y.high), y(0.0))
    for (i, curve), place in zip(drawn, places, strict=True):
        canvas.text(
            x(curve.end) + 10,
            place + 4.5,
            cut(curve.label, 22),
            colour=SERIES[i % len(SERIES)][0],
            bold=True,
            halo=True,
        )


def _at_risk(
    canvas: Canvas,
    curves: Sequence[Curve],
    marks: Sequence[float],
    x: Scale,
    top: float,
    words: SurvivalWords,
    writer: Writer,
) -> float:
    """The table of patients still followed, under the axis. Returns the picture's height."""
    wide = canvas.shape.name == "wide"
    canvas.text(0, top, words.at_risk, bold=True, colour=INK)
    line = canvas.shape.text + (8 if wide else 7)
    place = top
    for i, curve in enumerate(curves):
        colour, dash = SERIES[i % len(SERIES)]
        place += line + 4
        canvas.line(
            0,
            place - 4.5,
            26,
            place - 4.5,
            stroke=colour,
            stroke_width=2.6,
            stroke_dasharray=dash or None,
        )
        canvas.text(34, place, cut(curve.label, 90 if wide else 38), colour=colour, bold=True)
        place += line
        for t in marks:
            if not curve.points or t > curve.end:
                number = words.too_few
            else:
                known = curve.at_risk(t)
                number = "–" if known is None else writer(known, 0)
            anchor = "middle" if t > 0 else ("middle" if wide else "start")
            at = x(t) if t > 0 or wide else 0.0
            canvas.text(at, place, number, anchor=anchor, colour=SECOND)
    return place + 12
