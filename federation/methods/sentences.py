"""Words that the kinds of analysis share when they say what leaves a hospital."""

from __future__ import annotations

from federation.methods.base import Ask


def counted(ask: Ask, lang: str) -> str:
    """What is counted: "patients", or the rows of another unit by its name in the codebook."""
    if ask.per_patient:
        return "patiënten" if lang == "nl" else "patients"
    return f"{'rijen' if lang == 'nl' else 'rows'} ({ask.codebook.unit})"


def behind(ask: Ask, lang: str) -> list[str]:
    """That the patients behind the rows are counted as well; nothing when a row is a patient."""
    if ask.per_patient:
        return []
    if lang == "nl":
        return ["Het aantal verschillende patiënten achter elk van die aantallen."]
    return ["The number of different patients behind each of those numbers."]


def heavy(ask: Ask, names: str, lang: str) -> list[str]:
    """That patients with a large share of a sum are counted; nothing without protection (O4)."""
    if not ask.strict:
        return []
    if lang == "nl":
        return [f"Het aantal patiënten dat een groot deel van de som van {names} uitmaakt."]
    return [f"The number of patients who make up a large part of the sum of {names}."]


def left_out(ask: Ask, lang: str) -> str:
    """That those with a missing value are counted."""
    who = counted(ask, lang)
    if lang == "nl":
        where = "bij wie" if ask.per_patient else "waarbij"
        return f"Het aantal {who} {where} een van deze gegevens ontbreekt."
    return (
        f"The number of {who} for {'whom' if ask.per_patient else 'which'} one of these is missing."
    )
