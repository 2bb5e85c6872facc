"""What one row is: patients, and the tumours, treatments and so on that belong to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from federation.query.errors import BAD_VALUE, QueryError, at, did_you_mean, shown
from federation.query.variable_reading import bad_codebook
from federation.query.variables import NAME

MAX_UNITS: Final = 10
PATIENT: Final = "patient"

Units = Mapping[str, str | None]
"""Each unit with the one it belongs to; exactly one belongs to none."""


def read_units(value: object, unit: str) -> Units:
    """Return the units of a codebook whose own unit is `unit`, the highest first.

    Without `units` there is only `unit`. Raises QueryError with the place.
    """
    if value is None:
        return {unit: None}
    where = "units"
    if not isinstance(value, dict) or not 1 <= len(value) <= MAX_UNITS:
        raise bad_codebook(
            f"Give 1 to {MAX_UNITS} units, each with the one it belongs to, as "
            "{patient: null, tumour: patient}.",
            where,
        )
    for name, parent in value.items():
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise bad_codebook(
                "A unit's name is small letters, digits and underscores.", at(where, shown(name))
            )
        known = isinstance(parent, str) and parent in value and parent != name
        if parent is not None and not known:
            raise bad_codebook(
                f"A unit belongs to another unit of this list, not to '{shown(parent)}'.",
                at(where, name),
            )
    if [name for name, parent in value.items() if parent is None] != [PATIENT]:
        raise bad_codebook(
            f"Exactly one unit belongs to no other, with null: {PATIENT}. Consent is given per "
            "patient.",
            where,
        )
    if unit not in value:
        raise bad_codebook(f"'{shown(unit)}' is not one of the units. Add it to them.", "unit")
    return {name: value[name] for name in sorted(value, key=lambda n: (len(above(value, n)), n))}


def above(units: Units, unit: str) -> tuple[str, ...]:
    """Return `unit`, the unit it belongs to, the one that belongs to, and so on to the highest.

    Raises QueryError BAD_CODEBOOK when they go round in a circle.
    """
    found = [unit]
    while (parent := units[found[-1]]) is not None:
        if parent in found:
            raise bad_codebook("These units belong to each other in a circle.", at("units", unit))
        found.append(parent)
    return tuple(found)


def check_unit(value: object, units: Units) -> str:
    """Return the unit that a query asks for, or raise QueryError BAD_VALUE."""
    if isinstance(value, str) and value in units:
        return value
    hint = did_you_mean(shown(value), units)
    raise QueryError(BAD_VALUE, f"The codebook has no unit '{shown(value)}'. {hint}", "unit")
