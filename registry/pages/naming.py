"""The codebook's names as people read them, in the language of the page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from federation.query.codebook import Codebook
from federation.query.cohort import parse_cohort
from federation.query.errors import QueryError
from federation.query.words import cohort_words
from registry.translate import number
from registry.translate import translate as _

_BIN = re.compile(r"\[(-?[\d.]+),(-?[\d.]+)([\])])")
_FACTOR = re.compile(
    r"(?:(?P<spline>rcs)\()?(?P<name>[a-z][a-z0-9_]*)\)?(?:\^(?P<power>\d))?(?:\[(?P<level>[^\]]*)\])?"
)
_POWERS = {"2": "²", "3": "³"}


@dataclass(frozen=True)
class Names:
    """Labels of one codebook, and names of hospitals by slug (the slug where there is none)."""

    codebook: Codebook
    language: str
    hospitals: Mapping[str, str] = field(default_factory=dict)

    def hospital(self, slug: str) -> str:
        """The name of a hospital."""
        return self.hospitals.get(slug, slug)

    def variable(self, name: str) -> str:
        """The label of a variable, first letter large; the name itself when it has no label."""
        found = self.codebook.variables.get(name)
        label = found.label.text(self.language) if found is not None else ""
        if not label or label == name:
            label = name.replace("_", " ")
        return label[:1].upper() + label[1:]

    def outcome(self, asked: object) -> str:
        """What is counted: the label of a variable, or a condition as a clause."""
        if not isinstance(asked, Mapping):
            return self.variable(str(asked))
        try:
            found = cohort_words(parse_cohort(asked, self.codebook), self.codebook, self.language)
        except QueryError:  # of another version of the codebook
            return _("the outcome")
        return found[:1].upper() + found[1:]

    def unit(self, name: str) -> str:
        """The unit of a variable, empty when it has none."""
        found = self.codebook.variables.get(name)
        return _(found.unit) if found is not None and found.unit else ""

    def one_unit(self, name: str) -> str:
        """The unit in the singular, as in "per year"."""
        found = self.codebook.variables.get(name)
        unit = found.unit if found is not None else ""
        singular = {"years": _("year"), "months": _("month"), "days": _("day"), "nodes": _("node")}
        return singular.get(unit, self.unit(name))

    def with_unit(self, name: str) -> str:
        unit = self.unit(name)
        return f"{self.variable(name)} ({unit})" if unit else self.variable(name)

    def level(self, name: str, code: object) -> str:
        """The label of a level, or an interval in words."""
        if code is None:
            return _("everyone")
        text = "true" if code is True else "false" if code is False else str(code)
        found = self.codebook.variables.get(name)
        if found is not None:
            for level in found.levels:
                if level.code == text:
                    return level.label.text(self.language)
            if found.type == "boolean":
                return _("yes") if text == "true" else _("no")
        if match := _BIN.fullmatch(text):
            low, high = float(match[1]), float(match[2])
            whole = found is not None and found.type == "integer"
            if whole and match[3] == ")":
                return _("%(low)s to %(high)s", low=_short(low), high=_short(high - 1))
            if whole or match[3] == "]":
                return _("%(low)s to %(high)s", low=_short(low), high=_short(high))
            return _("%(low)s to under %(high)s", low=_short(low), high=_short(high))
        return text

    def term(self, name: str) -> str:
        """A model term: `age` -> "Age", `grade[3]` -> "Grade: poor", `age^2` -> "Age²", `a:b`
        joined by "×"."""
        if name == "(intercept)":
            return _("Constant")
        parts = []
        for match in _FACTOR.finditer(name):
            label = self.variable(match["name"])
            if match["spline"]:
                parts.append(_("%(name)s, curve part %(part)s", name=label, part=match["level"]))
                continue
            if match["power"]:
                power = match["power"]
                parts.append(label + _POWERS.get(power, f"^{power}"))
                continue
            if match["level"] is None:
                unit = self.one_unit(match["name"])
                parts.append(_("%(name)s, per %(unit)s", name=label, unit=unit) if unit else label)
                continue
            level = self.level(match["name"], match["level"])
            same = level.casefold() == label.casefold()
            parts.append(label if same else f"{label}: {level}")
        return " × ".join(parts)

    def bar(self, name: str, low: float | None, high: float | None, *, last: bool = False) -> str:
        """A bar of a histogram: closed below, open above but for the `last` one; None is open."""
        found = self.codebook.variables.get(name)
        values = found is not None and found.edges is None  # whole numbers, both ends included
        if low is None and high is None:
            return _("all values")
        if low is None:
            end = _short(high or 0.0)
            return _("%(high)s and less", high=end) if values else _("under %(high)s", high=end)
        if high is None:
            return _("%(low)s and more", low=_short(low))
        if low == high:
            return _short(low)
        whole = found is not None and found.type == "integer" and low == int(low)
        if whole and not last and not values:
            high -= 1
            if high == low:
                return _short(low)
        if last or whole:
            return _("%(low)s to %(high)s", low=_short(low), high=_short(high))
        return _("%(low)s to under %(high)s", low=_short(low), high=_short(high))

    def value(self, value: float) -> str:
        """A number of the codebook: a limit or a cut-point."""
        return _short(value)

    def group(self, by: Sequence[str], levels: Sequence[object]) -> str:
        """The levels of one group, joined."""
        return ", ".join(self.level(v, c) for v, c in zip(by, levels, strict=True))


def _short(value: float) -> str:
    digits = 0 if value == int(value) else len(str(value).split(".")[1])
    return number(value, digits)
