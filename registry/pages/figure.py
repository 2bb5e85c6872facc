"""A picture with its words, as the result page shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from registry.pages.tidy import could_be_small
from registry.pictures.canvas import SHAPES, Shape
from registry.translate import translate as _


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


def hidden_word(
    envelope: Mapping[str, Any], values: Sequence[int | None], total: int | None
) -> str:
    """What stands at a hidden one of the numbers that make up `total`; see Shown.counts."""
    limit = threshold(envelope)
    return f"<{limit}" if could_be_small(values, total, limit) else _("not shown")
