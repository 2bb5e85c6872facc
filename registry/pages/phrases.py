"""Phrases that the findings of several analyses share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.translate import p_value, translate_count
from registry.translate import translate as _

#: A p-value below this is called rare by chance alone.
CHANCE = 0.05


def patients(result: Mapping[str, Any]) -> str:
    """How many patients a result is about, also where its rows are tumours."""
    n = result.get("patients", result.get("n"))
    if n is None:
        return _("Too few patients to show their number")
    return translate_count("%(count)s patient", "%(count)s patients", n)


def chance(p: float | None) -> str:
    """Whether chance alone explains a difference; empty without a test."""
    if p is None:
        return ""
    if p < CHANCE:
        return _("Chance alone rarely gives such a difference (p = %(p)s).", p=p_value(p))
    return _("Chance alone can explain this difference (p = %(p)s).", p=p_value(p))
