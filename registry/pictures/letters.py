"""Where labels stand in a picture: beside their marks, on no other mark and on no other label.

A hospital has a long name and a letter. The long one stands where it fits, else the letter, whose
key is the table beside the picture. Greedy over a fixed ring of places, after J. Christensen and
others, An empirical study of algorithms for point-feature label placement, ACM Transactions on
Graphics 14 (1995) 203-232: enough for tens of marks, and the same marks always give the same
picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

Point = tuple[float, float]

_NARROW, _BROAD = frozenset("fijlrtI.,:;'|()[] "), frozenset("mwMWQO%@&")
#: Cost of standing on a line of the picture, beside that of a less usual place.
ON_A_LINE = 3.0
#: Cost of a shorter text: a name may stand on two lines, which its white rim cuts, before that.
SHORTER = 9.0


@dataclass(frozen=True)
class Box:
    """A rectangle, y downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Whether the two cover a place in common."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def within(self, other: Box) -> bool:
        """Whether it lies wholly inside the other."""
        return (
            other.left <= self.left
            and self.right <= other.right
            and other.top <= self.top
            and self.bottom <= other.bottom
        )


@dataclass(frozen=True)
class Wanted:
    """A mark that asks for a label: its middle, its radius, the texts (best first)."""

    x: float
    y: float
    radius: float
    texts: tuple[str, ...]
    bold: bool = False


@dataclass(frozen=True)
class Placed:
    """A label as it stands: where its text begins, ends or has its middle, and its base line.

    `leader`: the mark's middle, where the label stands so far off that a line must join them.
    """

    text: str
    x: float
    y: float
    anchor: str
    box: Box
    leader: Point | None = None


def text_width(words: str, size: float, *, bold: bool = False) -> float:
    """About how wide a text is in the pictures' typeface; rather too wide than too narrow."""
    ems = sum(
        0.31 if c in _NARROW else 0.86 if c in _BROAD else 0.64 if c.isupper() else 0.53
        for c in words
    )
    return ems * size * (1.07 if bold else 1.0)


def letter(place: int) -> str:
    """A, B … Z, AA, AB …: the letter of the hospital at a place, counted from 0."""
    found = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        found = chr(65 + rest) + found
    return found


def place_labels(
    wanted: Sequence[Wanted],
    *,
    area: Box,
    size: float,
    lines: Iterable[Sequence[Point]] = (),
) -> list[Placed | None]:
    """A label for each mark, in the same order; earlier ones choose first.

    Args:
        area: labels stay within it.
        lines: lines of the picture, which a label rather not crosses.

    Returns:
        None where no text of a mark finds room: the table beside the picture has it.
    """
    marks = [Box(w.x - w.radius, w.y - w.radius, w.x + w.radius, w.y + w.radius) for w in wanted]
    drawn = [tuple(line) for line in lines]
    taken: list[Box] = []
    out: list[Placed | None] = []
    for i, one in enumerate(wanted):
        others = [*taken, *(box for j, box in enumerate(marks) if j != i)]
        found = _best(one, others, area, size, drawn)
        out.append(found)
        if found is not None:
            taken.append(found.box)
    return out


def _best(
    one: Wanted, others: Sequence[Box], area: Box, size: float, lines: Sequence[Sequence[Point]]
) -> Placed | None:
    best: tuple[float, Placed] | None = None
    for shorter, text in enumerate(one.texts):
        for rank, placed in enumerate(_places(one, text, size)):
            if not placed.box.within(area) or any(placed.box.meets(box) for box in others):
                continue
            cost = SHORTER * shorter + 0.4 * rank
            cost += ON_A_LINE * sum(_crosses(line, placed.box) for line in lines)
            if best is None or cost < best[0]:
                best = (cost, placed)
    return None if best is None else best[1]


def _places(one: Wanted, text: str, size: float) -> Iterable[Placed]:
    """The ring of places, the usual ones first, then farther off with a line to the mark."""
    wide, high = text_width(text, size, bold=one.bold), size * 1.08
    for far in (0.0, size * 1.1, size * 2.2):
        gap, half = one.radius + 4 + far, wide / 2
        leader = (one.x, one.y) if far else None
        slant = gap * 0.72
        for x, middle, anchor in (
            (one.x, one.y - gap - high / 2 + 2, "middle"),
            (one.x, one.y + gap + high / 2 - 1, "middle"),
            (one.x + gap, one.y, "start"),
            (one.x - gap, one.y, "end"),
            (one.x + slant, one.y - slant - high / 2, "start"),
            (one.x - slant, one.y - slant - high / 2, "end"),
            (one.x + slant, one.y + slant + high / 2, "start"),
            (one.x - slant, one.y + slant + high / 2, "end"),
        ):
            left = x - half if anchor == "middle" else x if anchor == "start" else x - wide
            box = Box(left - 1, middle - high / 2, left + wide + 1, middle + high / 2)
            yield Placed(text, x, middle + size * 0.34, anchor, box, leader)


def _crosses(line: Sequence[Point], box: Box) -> bool:
    """Whether a line of short pieces goes through the box."""
    return any(_piece_meets(a, b, box) for a, b in pairwise(line))


def _piece_meets(a: Point, b: Point, box: Box) -> bool:
    """Liang and Barsky: the part of the piece inside all four sides is not empty."""
    first, last = 0.0, 1.0
    dx, dy = b[0] - a[0], b[1] - a[1]
    for step, room in (
        (-dx, a[0] - box.left),
        (dx, box.right - a[0]),
        (-dy, a[1] - box.top),
        (dy, box.bottom - a[1]),
    ):
        if step == 0:
            if room < 0:
                return False
        elif step < 0:
            first = max(first, room / step)
        else:
            last = min(last, room / step)
    return first <= last
