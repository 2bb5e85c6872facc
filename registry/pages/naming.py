"""The codebook's names as people read them, in the language of the page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from federation.query.codebook import Codebook
from registry.translate import number
from registry.translate import translate as _

_BIN = re.compile(r"\[(-?[\d.]+),(-?[\d.]+)([\])])")
_FACTOR = re.compile(r"(?P<name>[a-z][a-z0-9_]*)(?:\[(?P<level>[^\]]*)\])?")


@dataclass(frozen=True)
class Names:
    """Labels of one codebook. `reference` holds the reference level per variable of a model."""

    codebook: Codebook
    language: str

    def variable(self, name: str) -> str:
        """The label of a variable, first letter large; the name itself when it has no label."""
        found = self.codebook.variables.get(name)
        label = found.label.text(self.language) if found is not None else ""
        if not label or label == name:
            label = name.replace("_", " ")
        return label[:1].upper() + label[1:]

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
        """A model term: `age` -> "Age", `grade[3]` -> "Grade: poor", `a:b` joined by "×"."""
        if name == "(intercept)":
            return _("Constant")
        parts = []
        for match in _FACTOR.finditer(name):
            label = self.variable(match["name"])
            if match["level"] is None:
                unit = self.one_unit(match["name"])
                parts.append(_("%(name)s, per %(unit)s", name=label, unit=unit) if unit else label)
                continue
            level = self.level(match["name"], match["level"])
            same = level.casefold() == label.casefold()
            parts.append(label if same else f"{label}: {level}")
        return " × ".join(parts)

    def value(self, value: float) -> str:
        """A number of the codebook: a limit or a cut-point."""
        return _short(value)

    def group(self, by: Sequence[str], levels: Sequence[object]) -> str:
        """The levels of one group, joined."""
        return ", ".join(self.level(v, c) for v, c in zip(by, levels, strict=True))


def _short(value: float) -> str:
    digits = 0 if value == int(value) else len(str(value).split(".")[1])
    return number(value, digits)
