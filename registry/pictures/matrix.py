"""The participation matrix: studies down, hospitals across, the state of each part as a mark.

With too many hospitals to tell marks apart, each study becomes one bar of hospitals per phase.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from registry.pictures.canvas import LINE, SECOND, Canvas, Shape, Writer, cut, plain
from registry.pictures.state_marks import COLOURS, paths, phase

PHASE_ORDER = ("open", "start", "hold", "ended", "declined")
#: So wide must a column be for its mark to be told from another.
_LEAST = {"wide": 16.0, "phone": 15.0}
#: So few hospitals leave room for long titles.
_FEW = 14
_PATTERN = {"start": "6 3", "hold": "2 2", "declined": "1 3"}


@dataclass(frozen=True)
class MatrixRow:
    """One study: its name and a state per hospital, None where it is not invited."""

    label: str
    states: tuple[str | None, ...]


@dataclass(frozen=True)
class MatrixWords:
    """Every word in the picture, in the reader's language. `phases` names the parts of a bar."""

    title: str
    description: str
    axis: str
    phases: Mapping[str, str]


def matrix(
    columns: Sequence[str],
    rows: Sequence[MatrixRow],
    *,
    words: MatrixWords,
    shape: Shape,
    writer: Writer = plain,
) -> str:
    """The picture as SVG text. Needs a study and a hospital (ValueError)."""
    if not rows or not columns:
        raise ValueError("no study or no hospital to draw")
    # The slanting name of the last column needs room at the right.
    left, right = (280.0, 92.0) if shape.name == "wide" else (128.0, 44.0)
    if shape.name == "wide" and len(columns) <= _FEW:
        left = min(max(len(row.label) for row in rows) * 6.9 + 16, 430.0)
    step = (shape.width - left - right) / len(columns)
    if step < _LEAST[shape.name]:
        return _bars(rows, words, shape, writer)
    return _marks(columns, rows, words, shape, left, min(step, 58.0))


def middle(words: str, most: int) -> str:
    """The words with their middle left out when they are longer than `most` letters: studies of one
    network often begin alike, and differ at the end."""
    if len(words) <= most:
        return words
    head = (most - 1) * 2 // 5
    return f"{words[:head].rstrip()}…{words[head + 1 - most :].lstrip()}"


def _marks(
    columns: Sequence[str],
    rows: Sequence[MatrixRow],
    words: MatrixWords,
    shape: Shape,
    left: float,
    step: float,
) -> str:
    wide = shape.name == "wide"
    canvas = Canvas(shape)
    longest = min(max(len(name) for name in columns), 19 if wide else 17)
    head, line = (longest * 5.0 + 24, 27.0) if wide else (longest * 5.4 + 20, 25.0)
    radius = min(step * 0.36, 8.0)
    for i, name in enumerate(columns):
        x = left + (i + 0.5) * step
        canvas.element(
            "text",
            cut(name, 19 if wide else 17),
            x=0,
            y=0,
            fill=SECOND,
            font_size=shape.text if wide else 12.5,
            transform=f"translate({x + 4:.1f} {head - 10:.1f}) rotate(-{48 if wide else 62})",
        )
    filled: dict[str, list[str]] = {}
    lined: dict[str, list[str]] = {}
    end = left + len(columns) * step
    for j, row in enumerate(rows):
        y = head + (j + 0.5) * line
        if j % 2 == 0:
            canvas.element("rect", x=0, y=y - line / 2, width=end, height=line, fill="#f2f7f6")
        canvas.text(6, y + 5, middle(row.label, int(left / 6.7) if wide else 17))
        for i, state in enumerate(row.states):
            x = left + (i + 0.5) * step
            if state is None:
                canvas.element("circle", cx=x, cy=y, r=1.1, fill=SECOND)
                continue
            whole, edge = paths(state, x, y, radius)
            filled.setdefault(phase(state), []).append(whole)
            lined.setdefault(phase(state), []).append(edge)
    for kind, colour in COLOURS.items():
        # One path for all marks of a colour: a page of a large network stays light.
        if body := "".join(filled.get(kind, ())):
            canvas.element("path", d=body, fill=colour)
        if edge := "".join(lined.get(kind, ())):
            canvas.element(
                "path", d=edge, fill="none", stroke=colour, stroke_width=max(radius * 0.2, 1.1)
            )
    height = head + len(rows) * line + 6
    return canvas.finish(height, key="matrix", title=words.title, description=words.description)


def _bars(rows: Sequence[MatrixRow], words: MatrixWords, shape: Shape, writer: Writer) -> str:
    wide = shape.name == "wide"
    canvas = Canvas(shape)
    left, right = (300.0, 20.0) if wide else (4.0, 4.0)
    most = max(sum(state is not None for state in row.states) for row in rows) or 1
    unit = (shape.width - left - right) / most
    place = _key(canvas, words, wide)
    for row in rows:
        counts = Counter(phase(state) for state in row.states if state is not None)
        if wide:
            canvas.text(left - 10, place + 15, middle(row.label, 40), anchor="end")
        else:
            canvas.text(left, place + 13, middle(row.label, 44))
            place += 19
        x = left
        for kind in PHASE_ORDER:
            width = counts[kind] * unit
            if not width:
                continue
            _segment(canvas, kind, x, place, width, 20)
            number = writer(counts[kind], 0)
            if width > len(number) * 8 + 8:
                dark = kind in ("open", "ended")
                canvas.text(
                    x + width / 2,
                    place + 15,
                    number,
                    anchor="middle",
                    colour="#fff" if dark else "#14242e",
                    bold=True,
                )
            x += width
        place += 30 if wide else 28
    canvas.text(
        (left + shape.width - right) / 2, place + 14, words.axis, anchor="middle", colour=SECOND
    )
    return canvas.finish(place + 26, key="matrix", title=words.title, description=words.description)


def _segment(canvas: Canvas, kind: str, x: float, y: float, width: float, height: float) -> None:
    """Filled for what runs or has ended, pale with an edge of its own for the rest."""
    solid = kind in ("open", "ended")
    canvas.element(
        "rect",
        x=x + 0.75,
        y=y,
        width=max(width - 1.5, 0.5),
        height=height,
        fill=COLOURS[kind] if solid else "#f2f7f6",
        stroke=COLOURS[kind],
        stroke_width=1.5,
        stroke_dasharray=_PATTERN.get(kind),
    )


def _key(canvas: Canvas, words: MatrixWords, wide: bool) -> float:
    """What each part of a bar is; returns where the bars may begin."""
    x, y = (300.0, 4.0) if wide else (4.0, 4.0)
    for kind in PHASE_ORDER:
        name = words.phases[kind]
        room = 26 + len(name) * canvas.shape.text * 0.52 + 14
        if x + room > canvas.shape.width and x > 4:
            x, y = (300.0 if wide else 4.0), y + 22
        _segment(canvas, kind, x, y, 18, 14)
        canvas.text(x + 25, y + 12, name, colour=SECOND)
        x += room
    canvas.line(0, y + 24, canvas.shape.width, y + 24, stroke=LINE)
    return y + 36
