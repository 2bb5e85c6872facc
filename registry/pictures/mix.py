"""Treatment mix: a bar of 100% per hospital, cut into what its patients got.

The parts stand in one order in every bar and in the key, dark and light in turn, with their share
written in them where it fits; so the picture does not hang on colours. What is hidden is a dashed
part without a number: its width is what the shown parts leave, which the table shows as hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from registry.pictures.canvas import (
    AXIS,
    INK,
    SECOND,
    Canvas,
    Scale,
    Shape,
    Writer,
    cut,
    plain,
)
from registry.pictures.letters import text_width
from registry.pictures.strips import OWN_FILL

#: Dark and light in turn: neighbours differ by at least 3 to 1 in contrast. Fill, then letters.
TONES = (
    ("#0b4f5c", "#ffffff"),
    ("#9cc9c6", "#14242e"),
    ("#4a3577", "#ffffff"),
    ("#e9cdb4", "#14242e"),
    ("#37474f", "#ffffff"),
    ("#dde5e4", "#14242e"),
)


@dataclass(frozen=True)
class MixBar:
    """One hospital: the share of each kind, None where hidden; `note` where all is hidden."""

    label: str
    shares: tuple[float | None, ...]
    own: bool = False
    note: str = ""


@dataclass(frozen=True)
class MixWords:
    """Every word in the picture, in the reader's language."""

    title: str
    description: str
    axis: str
    hidden: str
    own: str = ""


def mix(
    rows: Sequence[MixBar],
    kinds: Sequence[str],
    *,
    words: MixWords,
    shape: Shape,
    writer: Writer = plain,
) -> str:
    """The picture as SVG text. ValueError when every share is hidden."""
    if not any(share is not None for row in rows for share in row.shares):
        raise ValueError("no released share to draw")
    wide = shape.name == "wide"
    left, right = (250.0, 14.0) if wide else (2.0, 8.0)
    line, thick = (40.0, 26.0) if wide else (58.0, 24.0)
    canvas = Canvas(shape)
    hidden = any(share is None for row in rows for share in row.shares)
    top = _key(canvas, [*kinds], words.hidden if hidden else "", 18.0) + 6
    bottom = top + line * len(rows)
    x = Scale(0.0, 1.0, left, shape.width - right)
    for i, row in enumerate(rows):
        _bar(canvas, row, top + line * i, line, thick, x, writer)
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        canvas.line(x(tick), bottom, x(tick), bottom + 5, stroke=AXIS)
        anchor = "start" if tick == 0 else "end" if tick == 1 else "middle"
        canvas.text(x(tick), bottom + 20, writer(100 * tick, 0) + "%", anchor=anchor, colour=SECOND)
    canvas.line(left, bottom, shape.width - right, bottom, stroke=AXIS)
    middle = (left + shape.width - right) / 2
    canvas.text(middle, bottom + 42, words.axis, anchor="middle", colour=SECOND)
    return canvas.finish(bottom + 54, key="mix", title=words.title, description=words.description)


def _key(canvas: Canvas, kinds: Sequence[str], hidden: str, place: float) -> float:
    """The kinds in the order of the bars; as many on a line as fit."""
    at, size = 0.0, canvas.shape.text
    for i, kind in enumerate([*kinds, hidden] if hidden else kinds):
        name = cut(kind, 34)
        wide = 22 + text_width(name, size) + 22
        if at and at + wide > canvas.shape.width:
            at, place = 0.0, place + 24
        is_hidden = bool(hidden) and i == len(kinds)
        canvas.element(
            "rect",
            x=at + 1,
            y=place - 13,
            width=15,
            height=15,
            fill="#fff" if is_hidden else TONES[i % len(TONES)][0],
            stroke=AXIS,
            stroke_dasharray="3 2" if is_hidden else None,
        )
        canvas.text(at + 22, place, name)
        at += wide
    return place + 18


def _bar(
    canvas: Canvas, row: MixBar, top: float, line: float, thick: float, x: Scale, writer: Writer
) -> None:
    wide = canvas.shape.name == "wide"
    if row.own:
        canvas.element(
            "rect", x=0, y=top, width=canvas.shape.width, height=line, rx=4, fill=OWN_FILL
        )
        tip = top + line / 2 if wide else top + 15
        canvas.path([(4, tip - 6), (13, tip), (4, tip + 6)], close=True, fill=INK)
    base = top + line / 2 + 5 if wide else top + 20
    canvas.text(20 if row.own else 8 if wide else 2, base, cut(row.label, 32), bold=row.own)
    edge = top + (line - thick) / 2 if wide else top + line - thick - 6
    if all(share is None for share in row.shares):
        canvas.text(x.start + 4, edge + thick * 0.68, row.note, colour=SECOND)
        return
    at = 0.0
    for i, share in enumerate(row.shares):
        if not share:
            continue
        fill, ink = TONES[i % len(TONES)]
        start, end = x(at), x(min(at + share, 1.0))
        canvas.element(
            "rect",
            x=start,
            y=edge,
            width=max(end - start, 0.5),
            height=thick,
            fill=fill,
            stroke="#fff",
            stroke_width=1.2,
        )
        text = writer(100 * share, 0) + "%"
        if end - start > text_width(text, canvas.shape.text) + 6:
            canvas.text((start + end) / 2, edge + thick * 0.68, text, anchor="middle", colour=ink)
        at += share
    if any(share is None for share in row.shares) and at < 1.0:
        canvas.element(
            "rect",
            x=x(at) + 1,
            y=edge + 0.5,
            width=max(x(1.0) - x(at) - 1, 1.0),
            height=thick - 1,
            fill="#fff",
            stroke=AXIS,
            stroke_dasharray="3 2",
        )
