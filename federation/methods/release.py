"""Turning numbers into released JSON: null for what does not exist, rounding where terms ask."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from federation.methods.base import Ask, Mask, Released


def number(value: float | None) -> float | None:
    """A Python float, or None for None, nan and infinity: JSON has no word for those."""
    if value is None or not math.isfinite(value):
        return None
    return float(value)


def significant(value: float | None, digits: int) -> float | None:
    """`value` to so many significant digits."""
    kept = number(value)
    return None if kept is None else float(f"{kept:.{max(digits, 1) - 1}e}")


class Release:
    """One released result under construction: rounds by the terms and lists what it hides."""

    def __init__(self, ask: Ask) -> None:
        self._strict = ask.strict
        self._numeric = ask.terms.numeric
        self._s_decimals = ask.terms.km.s_decimals
        self._t_cell = ask.terms.t_cell
        self.hidden: list[dict[str, str]] = []
        self.warnings: list[str] = []

    def hide(self, where: str, why: str) -> None:
        """Note that the number at `where` is held back: it stands there as null."""
        self.hidden.append({"where": where, "why": why})

    def coefficient(self, value: float | None) -> float | None:
        """A model's number: estimate, standard error, test statistic, p value."""
        return significant(value, self._numeric.coef_sig) if self._strict else number(value)

    def sum(self, value: float | None) -> float | None:
        """A mean, spread or other number built from sums."""
        return significant(value, self._numeric.sums_sig) if self._strict else number(value)

    def loglik(self, value: float | None) -> float | None:
        """A log likelihood."""
        return self._decimals(value, self._numeric.loglik_decimals)

    def survival(self, value: float | None) -> float | None:
        """A survival probability, or something on its scale."""
        return self._decimals(value, self._s_decimals)

    def _decimals(self, value: float | None, decimals: int) -> float | None:
        kept = number(value)
        return round(kept, decimals) if self._strict and kept is not None else kept

    def missing(self, count: int, where: str = "missing") -> int | None:
        """How many patients were left out; under protection a small number is hidden."""
        if self._strict and count < self._t_cell:
            self.hide(where, "small_cell")
            return None
        return int(count)

    def count(self, value: int, seen: bool, where: str) -> int | None:
        """A count that the gate let through, or None."""
        if not seen:
            self.hide(where, "small_cell")
            return None
        return int(value)

    def counted(
        self, value: int, seen: bool, where: str, patients: int | None = None
    ) -> dict[str, int | None]:
        """A count as `n`, with `patients` beside it where a row is not a patient."""
        made = {"n": self.count(value, seen, where)}
        if patients is not None:
            made["patients"] = int(patients) if seen else None
        return made

    def done(self, result: dict[str, Any]) -> Released:
        """The finished answer."""
        return Released(result, self.hidden, self.warnings)


def seen(shown: Mapping[str, Mask], table: str, shape: tuple[int, ...] = ()) -> Mask:
    """The gate's mask for one table of `shape`; a table it did not judge is not shown."""
    if table not in shown:
        return np.zeros(shape, dtype=bool)
    return np.asarray(shown[table], dtype=bool).reshape(shape)


def without_missing(released: Released) -> Released:
    """The answer with every number of patients with a missing value held back.

    For when those few patients could be told from an earlier answer.
    """
    hidden = list(released.hidden)
    noted = {entry["where"] for entry in hidden}

    def cleared(value: Any, where: str) -> Any:
        if isinstance(value, list):
            return [cleared(each, f"{where}[{i}]") for i, each in enumerate(value)]
        if not isinstance(value, dict):
            return value
        made: dict[str, Any] = {}
        for key, each in value.items():
            place = f"{where}.{key}" if where else key
            if key == "missing":
                if each is not None and place not in noted:
                    hidden.append({"where": place, "why": "small_cell"})
                made[key] = None
            else:
                made[key] = cleared(each, place)
        return made

    return Released(cleared(released.result, ""), hidden, released.warnings)
