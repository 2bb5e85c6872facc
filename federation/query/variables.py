"""One variable of a codebook: its type, unit, bounds, levels, cut-points and group labels."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, Literal

VariableType = Literal["integer", "number", "category", "boolean", "duration", "date"]
TYPES: Final = ("integer", "number", "category", "boolean", "duration", "date")
NUMERIC: Final = frozenset({"integer", "number", "duration"})
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")

# An integer with at most this many values may be named value by value without cut-points.
SMALL_RANGE: Final = 40


class Label(str):
    """A text in English that may also have a Dutch one. As a string it is the English text.

    It cannot be changed: a codebook that is read once is shared by all who ask for it.
    """

    nl: str

    def __new__(cls, en: str, nl: str | None = None) -> Label:
        made = super().__new__(cls, en)
        object.__setattr__(made, "nl", en if nl is None else nl)
        return made

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"A label does not change: {name} cannot be set.")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"A label does not change: {name} cannot be removed.")

    def text(self, lang: str = "en") -> str:
        """Return the text in "nl" or else English."""
        return self.nl if lang == "nl" else str(self)

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other) is True and self.nl == getattr(other, "nl", self.nl)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return str.__hash__(self)

    def to_json(self) -> str | dict[str, str]:
        """Return plain text, or {"en", "nl"} when the two differ."""
        return str(self) if self.nl == str(self) else {"en": str(self), "nl": self.nl}


@dataclass(frozen=True)
class Level:
    """One value of a category: the code that data and queries use, and its label."""

    code: str
    label: Label

    def to_dict(self) -> str | dict[str, Any]:
        """Return the code alone, or {"code", "label"} when the label says more."""
        if self.label == Label(self.code):
            return self.code
        return {"code": self.code, "label": self.label.to_json()}


@dataclass(frozen=True)
class Variable:
    """One column of the codebook.

    `min` and `max` are inclusive bounds: a value outside them counts as missing. `cuts` lie
    strictly between them, ascending. `resolution` is "month" or "year" for dates, else "".
    `sensitive` False says that a group in which everyone has the same value gives nothing away.
    `knots` are the places where a spline may bend, ascending. `per` is the codebook's unit that the
    variable belongs to: one value per patient, per tumour, and so on.
    """

    name: str
    type: VariableType
    unit: str = ""
    min: float | None = None
    max: float | None = None
    levels: tuple[Level, ...] = ()
    ordered: bool = False
    cuts: tuple[float, ...] = ()
    resolution: str = ""
    label: Label = field(default_factory=lambda: Label(""))
    sensitive: bool = True
    knots: tuple[float, ...] = ()
    per: str = "patient"

    @property
    def is_numeric(self) -> bool:
        """Tell whether values are numbers: integer, number or duration."""
        return self.type in NUMERIC

    @property
    def edges(self) -> tuple[float, ...] | None:
        """Return the bin edges min, cuts, max, ascending; None for a variable without cuts."""
        if not self.cuts or self.min is None or self.max is None:
            return None
        return (self.min, *self.cuts, self.max)

    @property
    def is_small_integer(self) -> bool:
        """Tell whether each single value may be named: an integer of range at most 40."""
        return (
            self.type == "integer"
            and self.min is not None
            and self.max is not None
            and self.max - self.min <= SMALL_RANGE
        )

    @property
    def group_labels(self) -> tuple[str, ...] | None:
        """Return the labels a group by this variable has, in order; None when it has none.

        Category: the codes. Boolean: "false", "true". With cuts: "[40,45)", the last bin closed.
        Small integer without cuts: each value.
        """
        if self.type == "category":
            return tuple(level.code for level in self.levels)
        if self.type == "boolean":
            return ("false", "true")
        edges = self.edges
        if edges is not None:
            last = len(edges) - 2
            return tuple(
                f"[{number_text(low)},{number_text(high)}{']' if i == last else ')'}"
                for i, (low, high) in enumerate(pairwise(edges))
            )
        if self.is_small_integer and self.min is not None and self.max is not None:
            return tuple(str(i) for i in range(int(self.min), int(self.max) + 1))
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return the variable as it is written in a codebook, without its name and unit of rows.

        Only the codebook knows whether `per` is its default.
        """
        made: dict[str, Any] = {"type": self.type}
        if self.unit:
            made["unit"] = self.unit
        for key, bound in (("min", self.min), ("max", self.max)):
            if bound is not None:
                made[key] = plain_number(bound)
        if self.levels:
            # a list, because messages sort the keys of objects and the first level is the reference
            made["levels"] = [level.to_dict() for level in self.levels]
        if self.ordered:
            made["ordered"] = True
        if self.cuts:
            made["cuts"] = [plain_number(cut) for cut in self.cuts]
        if self.knots:
            made["knots"] = [plain_number(knot) for knot in self.knots]
        if self.resolution:
            made["resolution"] = self.resolution
        if not self.sensitive:
            made["sensitive"] = False
        if self.label != Label(self.name):
            made["label"] = self.label.to_json()
        return made


def plain_number(value: float) -> int | float:
    """Return a whole number as int, so that 5.0 and 5 are written alike."""
    return int(value) if float(value).is_integer() else float(value)


def number_text(value: float) -> str:
    """Return a number as short text: 5 for 5.0, 0.5 for 0.5."""
    return str(plain_number(value))
