"""Change in what patients report: the mean change per hospital with its interval, and the band of
changes too small for a patient to notice.

A mark in the band is a change that statistics may find and a patient will not: the band says so
before anybody reads a p-value. Higher on the questionnaire is better or worse by the scale; the
words at both sides say which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from registry.pictures.canvas import Shape, Writer, plain
from registry.pictures.strips import Level, Strip, StripAxis, strips
from registry.pictures.strips import StripWords as StripWords


@dataclass(frozen=True)
class Relevance:
    """The smallest change that matters to patients, in points of the scale, and where it is from.

    ValueError unless it is above 0.
    """

    points: float
    no_change: str

    def __post_init__(self) -> None:
        if not self.points > 0:
            raise ValueError("a change that matters is more than no change")


def prom_change(
    rows: Sequence[Strip],
    relevance: Relevance,
    *,
    words: StripWords,
    shape: Shape,
    writer: Writer = plain,
) -> str:
    """The picture as SVG text. ValueError when every change is hidden."""
    points = relevance.points
    return strips(
        rows,
        words=words,
        shape=shape,
        levels=[Level(0.0, relevance.no_change, strong=True)],
        axis=StripAxis(band=(-points, points), holds=(-1.4 * points, 1.4 * points)),
        writer=writer,
        key="prom-change",
    )
