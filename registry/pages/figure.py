"""A picture with its words, as the result page shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from registry.pictures.canvas import SHAPES, Shape


@dataclass(frozen=True)
class Figure:
    """A picture with its heading and what a reader must know about it."""

    heading: str
    caption: str
    drawings: Markup


def both(draw: Callable[[Shape], str]) -> Markup:
    """The picture for a wide page and for the phone."""
    # The drawings escape every word themselves (canvas.py).
    return Markup("".join(draw(shape) for shape in SHAPES))  # noqa: S704


def threshold(envelope: Mapping[str, Any]) -> int:
    """The smallest number of patients that is shown."""
    return int(envelope.get("provenance", {}).get("policy", {}).get("t_cell") or 10)
