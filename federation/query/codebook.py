"""The codebook: the variables a query may name. Reads YAML or JSON and refuses to be wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from federation.query.canonical import sha256_hex
from federation.query.errors import (
    BAD_CODEBOOK,
    NOT_IN_CATALOGUE,
    UNKNOWN_VARIABLE,
    QueryError,
    at,
    check_keys,
    did_you_mean,
    shown,
)
from federation.query.files import read_at_most
from federation.query.json_data import load_json
from federation.query.parsed_once import ParsedOnce
from federation.query.record_dates import RecordDates, read_dates
from federation.query.units import PATIENT, Units, above, check_unit, read_units
from federation.query.variable_reading import bad_codebook, read_text, read_variable
from federation.query.variables import (
    NAME,
    Label,
    Level,
    Variable,
    VariableType,
    number_text,
    plain_number,
)
from federation.query.yaml_data import YamlError, load_yaml

__all__ = [
    "Codebook",
    "Label",
    "Level",
    "Variable",
    "VariableType",
    "load_codebook",
    "number_text",
    "plain_number",
]

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 20
MAX_VARIABLES: Final = 1000
MOST_KEPT: Final = 16

_KEYS: Final = ("codebook", "unit", "units", "key", "label", "dates", "variables")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}/[0-9A-Za-z][0-9A-Za-z.-]{0,15}")
_COLUMN = re.compile(r"[^\x00-\x1f\x7f]{1,80}")


@dataclass(frozen=True)
class Codebook:
    """A named, versioned set of variables. Order of `variables` is the order of the file.

    `unit` is what one row is, `units` every unit with the one it belongs to. `at(unit)` is the view
    for questions about rows of another unit; it travels, and is hashed, as the whole codebook.
    `dates` says of which days the data of a record are, per unit that can tell.
    """

    id: str
    unit: str
    key: str
    variables: Mapping[str, Variable]
    units: Units = field(default_factory=dict)
    _whole: Codebook | None = field(default=None, repr=False)
    dates: Mapping[str, RecordDates] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "dates", MappingProxyType(dict(self.dates)))
        object.__setattr__(self, "variables", MappingProxyType(dict(self.variables)))
        units = dict(self.units) or {self.unit: None}
        object.__setattr__(self, "units", MappingProxyType(units))

    def __hash__(self) -> int:
        return hash(self.sha256)

    @cached_property
    def sha256(self) -> str:
        """Return the SHA-256 of the canonical JSON of `to_dict()`."""
        return sha256_hex(self.to_dict()) if self._whole is None else self._whole.sha256

    @property
    def whole(self) -> Codebook:
        """Return the codebook that this one is a view of, or itself."""
        return self if self._whole is None else self._whole

    def at(self, unit: object) -> Codebook:
        """Return the view whose rows are of `unit`: its variables and those of the units above it.

        Raises QueryError BAD_VALUE for a unit that the codebook does not have.
        """
        whole = self.whole
        name = check_unit(unit, whole.units)
        return whole if len(whole.units) == 1 else whole._views[name]

    @cached_property
    def _views(self) -> Mapping[str, Codebook]:
        """The view of each unit."""
        made = {}
        for name in self.units:
            seen = above(self.units, name)
            variables = {key: v for key, v in self.variables.items() if v.per in seen}
            made[name] = Codebook(self.id, name, self.key, variables, self.units, self, self.dates)
        return MappingProxyType(made)

    def to_dict(self) -> dict[str, Any]:
        """Return the whole codebook as JSON that `from_dict` reads back to an equal codebook."""
        whole = self.whole
        made: dict[str, Any] = {"codebook": whole.id, "unit": whole.unit}
        if len(whole.units) > 1:
            made["units"] = dict(whole.units)
        made["key"] = whole.key
        if whole.dates:
            made["dates"] = {unit: days.to_dict() for unit, days in whole.dates.items()}
        made["variables"] = {name: v.to_dict() for name, v in whole.variables.items()}
        for name, variable in whole.variables.items():
            if variable.per != whole.unit:
                made["variables"][name]["per"] = variable.per
        return made

    @classmethod
    def from_dict(cls, obj: object) -> Codebook:
        """Read a codebook from plain data. Raises QueryError BAD_CODEBOOK.

        Equal data give the same object as long as it is one of the last MOST_KEPT that were asked.
        """
        try:
            return _parsed(obj)
        except QueryError as error:
            raise QueryError(BAD_CODEBOOK, error.message, error.where) from None

    def variable(self, name: object, where: str = "") -> Variable:
        """Return the variable called `name`, or raise QueryError.

        UNKNOWN_VARIABLE; NOT_IN_CATALOGUE when rows of this view's unit do not have it.
        """
        if isinstance(name, str) and name in self.variables:
            return self.variables[name]
        if isinstance(name, str) and name in self.whole.variables:
            per = self.whole.variables[name].per
            raise QueryError(
                NOT_IN_CATALOGUE,
                f"'{name}' belongs to a {per}, and this question is about rows that are a "
                f'{self.unit}. Ask with "unit": "{per}", or leave the variable out.',
                where,
            )
        hint = did_you_mean(shown(name), self.variables)
        raise QueryError(
            UNKNOWN_VARIABLE, f"Codebook {self.id} has no variable '{shown(name)}'. {hint}", where
        )


def load_codebook(source: bytes | Path) -> Codebook:
    """Read a codebook file: YAML, or JSON when it starts with a brace. At most 1 MB, 20 deep.

    Raises QueryError BAD_CODEBOOK; an unreadable path is the caller's OSError.
    """
    data = read_at_most(source, MAX_BYTES) if isinstance(source, Path) else source
    if len(data) > MAX_BYTES:
        raise bad_codebook(f"The codebook is larger than {MAX_BYTES} bytes. Make it smaller.", "")
    return Codebook.from_dict(_plain_data(data))


def _plain_data(data: bytes) -> object:
    wrong_json: QueryError | None = None
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        try:
            return load_json(data, MAX_BYTES, MAX_DEPTH)
        except QueryError as error:
            wrong_json = error  # unless it is YAML in braces
    try:
        return load_yaml(data, MAX_BYTES, MAX_DEPTH)
    except YamlError as error:
        message = f"The codebook cannot be read: {wrong_json.message if wrong_json else error}"
        raise bad_codebook(message, "") from None


def _read(obj: object) -> Codebook:
    top = check_keys(obj, _KEYS, ("codebook", "variables"))
    name = top["codebook"]
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise bad_codebook("A codebook is called name/version, for example gbsg/1.", "codebook")
    unit = read_text(top.get("unit", PATIENT), "unit")
    units = read_units(top.get("units"), unit)
    key = top.get("key", "patient_id")
    if not isinstance(key, str) or not _COLUMN.fullmatch(key):
        raise bad_codebook("The key is the name of the site's identifier column.", "key")
    found = top["variables"]
    if not isinstance(found, dict) or not 1 <= len(found) <= MAX_VARIABLES:
        raise bad_codebook(f"List 1 to {MAX_VARIABLES} variables by name.", "variables")
    variables = {}
    for each, spec in found.items():
        where = at("variables", shown(each))
        if not isinstance(each, str) or not NAME.fullmatch(each):
            raise bad_codebook(
                "A variable's name is small letters, digits and underscores, starting with a "
                "letter, at most 63 long.",
                where,
            )
        if each == key:
            raise bad_codebook(
                "The identifier column cannot be a variable; it is never released.", where
            )
        variables[each] = read_variable(each, spec, unit, where)
        if variables[each].per not in units:
            hint = did_you_mean(variables[each].per, units)
            raise bad_codebook(f"This is not one of the codebook's units. {hint}", at(where, "per"))
    dates = read_dates(top.get("dates"), variables, units)
    return Codebook(name, unit, key, variables, units, dates=dates)


_parsed: Final = ParsedOnce(_read, MOST_KEPT)
