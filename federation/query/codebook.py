"""The codebook: the variables a query may name. Reads YAML or JSON and refuses to be wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from federation.query.canonical import sha256_hex
from federation.query.errors import (
    BAD_CODEBOOK,
    UNKNOWN_VARIABLE,
    QueryError,
    at,
    check_keys,
    did_you_mean,
    shown,
)
from federation.query.json_data import load_json
from federation.query.variables import (
    NAME,
    NUMERIC,
    TYPES,
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
MAX_LEVELS: Final = 1000
MAX_CUTS: Final = 500
MAX_TEXT: Final = 300
LARGEST: Final = 1e12  # bounds beyond this would not fit the sites' fixed-point sums

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}/[0-9A-Za-z][0-9A-Za-z.-]{0,15}")
_COLUMN = re.compile(r"[^\x00-\x1f\x7f]{1,80}")


@dataclass(frozen=True)
class Codebook:
    """A named, versioned set of variables. Order of `variables` is the order of the file."""

    id: str
    unit: str
    key: str
    variables: Mapping[str, Variable]

    def __post_init__(self) -> None:
        object.__setattr__(self, "variables", MappingProxyType(dict(self.variables)))

    def __hash__(self) -> int:
        return hash(self.sha256)

    @cached_property
    def sha256(self) -> str:
        """Return the SHA-256 of the canonical JSON of `to_dict()`."""
        return sha256_hex(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return the codebook as JSON that `from_dict` reads back to an equal codebook."""
        return {
            "codebook": self.id,
            "unit": self.unit,
            "key": self.key,
            "variables": {name: v.to_dict() for name, v in self.variables.items()},
        }

    @classmethod
    def from_dict(cls, obj: object) -> Codebook:
        """Read a codebook from plain data. Raises QueryError BAD_CODEBOOK."""
        try:
            return _read(obj)
        except QueryError as error:
            raise QueryError(BAD_CODEBOOK, error.message, error.where) from None

    def variable(self, name: object, where: str = "") -> Variable:
        """Return the variable called `name`, or raise QueryError UNKNOWN_VARIABLE."""
        if isinstance(name, str) and name in self.variables:
            return self.variables[name]
        hint = did_you_mean(shown(name), self.variables)
        raise QueryError(
            UNKNOWN_VARIABLE, f"Codebook {self.id} has no variable '{shown(name)}'. {hint}", where
        )


def load_codebook(source: bytes | Path) -> Codebook:
    """Read a codebook file: YAML, or JSON when it starts with a brace. At most 1 MB, 20 deep.

    Raises QueryError BAD_CODEBOOK; an unreadable path is the caller's OSError.
    """
    data = source.read_bytes() if isinstance(source, Path) else source
    if len(data) > MAX_BYTES:
        raise _bad(f"The codebook is larger than {MAX_BYTES} bytes. Make it smaller.", "")
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
        raise _bad(message, "") from None


def _bad(message: str, where: str) -> QueryError:
    return QueryError(BAD_CODEBOOK, message, where)


def _read(obj: object) -> Codebook:
    top = check_keys(
        obj, ("codebook", "unit", "key", "label", "variables"), ("codebook", "variables")
    )
    name = top["codebook"]
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise _bad("A codebook is called name/version, for example gbsg/1.", "codebook")
    unit = _text(top.get("unit", "patient"), "unit")
    key = top.get("key", "patient_id")
    if not isinstance(key, str) or not _COLUMN.fullmatch(key):
        raise _bad("The key is the name of the site's identifier column.", "key")
    found = top["variables"]
    if not isinstance(found, dict) or not 1 <= len(found) <= MAX_VARIABLES:
        raise _bad(f"List 1 to {MAX_VARIABLES} variables by name.", "variables")
    variables = {}
    for each, spec in found.items():
        where = at("variables", shown(each))
        if not isinstance(each, str) or not NAME.fullmatch(each):
            raise _bad(
                "A variable's name is small letters, digits and underscores, starting with a "
                "letter, at most 63 long.",
                where,
            )
        if each == key:
            raise _bad("The identifier column cannot be a variable; it is never released.", where)
        variables[each] = _read_variable(each, spec, where)
    return Codebook(name, unit, key, variables)


_KEYS_OF_TYPE: Final[Mapping[str, tuple[str, ...]]] = {
    "integer": ("unit", "min", "max", "cuts"),
    "number": ("unit", "min", "max", "cuts"),
    "duration": ("unit", "min", "max", "cuts"),
    "category": ("levels", "ordered"),
    "boolean": (),
    "date": ("resolution",),
}


def _read_variable(name: str, spec: object, where: str) -> Variable:
    if not isinstance(spec, dict):
        raise _bad("Describe the variable with at least a type, as {type: integer}.", where)
    kind = spec.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        raise _bad(f"The type is one of {', '.join(TYPES)}.", at(where, "type"))
    check_keys(spec, ("type", "label", *_KEYS_OF_TYPE[kind]), (), where)
    low, high = _bounds(spec, kind, where)
    resolution = spec.get("resolution", "month") if kind == "date" else ""
    if resolution not in ("", "month", "year"):
        raise _bad("The resolution is month or year.", at(where, "resolution"))
    ordered = spec.get("ordered", False)
    if not isinstance(ordered, bool):
        raise _bad("Write true or false.", at(where, "ordered"))
    return Variable(
        name=name,
        type=kind,  # type: ignore[arg-type]
        unit=_text(spec.get("unit", "days" if kind == "duration" else ""), at(where, "unit")),
        min=low,
        max=high,
        levels=_levels(spec.get("levels"), at(where, "levels")) if kind == "category" else (),
        ordered=ordered,
        cuts=_cuts(spec.get("cuts"), low, high, at(where, "cuts")),
        resolution=str(resolution),
        label=_label(spec.get("label"), name, at(where, "label")),
    )


def _text(value: object, where: str) -> str:
    if (
        not isinstance(value, str)
        or len(value) > MAX_TEXT
        or not (value == "" or _printable(value))
    ):
        raise _bad(f"A text of at most {MAX_TEXT} characters on one line is needed.", where)
    return value


def _printable(value: str) -> bool:
    return value.isprintable()


def _label(value: object, fallback: str, where: str) -> Label:
    if value is None:
        return Label(fallback)
    if isinstance(value, dict):
        texts = check_keys(value, ("en", "nl"), (), where)
        if not texts:
            raise _bad("Give the label in en, nl or both.", where)
        en = _text(texts.get("en", texts.get("nl")), at(where, "en"))
        return Label(en, _text(texts.get("nl", en), at(where, "nl")))
    return Label(_text(value, where))


def _code(value: object, where: str) -> str:
    """Return a level's code as text; YAML's unquoted 1 is "1", true is "true"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str) or not 1 <= len(value) <= 80 or not _printable(value):
        raise _bad("A level's code is a text of 1 to 80 characters. Put it between quotes.", where)
    if value != value.strip():
        raise _bad("A level's code has no spaces at its ends.", where)
    return value


def _levels(value: object, where: str) -> tuple[Level, ...]:
    levels: list[Level] = []
    if isinstance(value, dict):
        for each, label in value.items():
            code = _code(each, where)
            levels.append(Level(code, _label(label, code, at(where, code))))
    elif isinstance(value, list):
        for i, each in enumerate(value):
            place = at(where, i)
            if isinstance(each, dict):
                check_keys(each, ("code", "label"), ("code",), place)
                code = _code(each["code"], at(place, "code"))
                levels.append(Level(code, _label(each.get("label"), code, at(place, "label"))))
            else:
                code = _code(each, place)
                levels.append(Level(code, Label(code)))
    if not 1 <= len(levels) <= MAX_LEVELS:
        raise _bad(f"A category needs 1 to {MAX_LEVELS} levels: codes, or code: label.", where)
    seen: set[str] = set()
    for level in levels:
        if level.code in seen:
            raise _bad(f"The level '{shown(level.code)}' stands here twice. Remove one.", where)
        seen.add(level.code)
    return tuple(levels)


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _bad("A number is needed here.", where)
    if not -LARGEST <= value <= LARGEST:
        raise _bad("A number between -1e12 and 1e12 is needed here.", where)
    return float(value)


def _bounds(spec: dict[Any, Any], kind: str, where: str) -> tuple[float | None, float | None]:
    low, high = (
        None if spec.get(key) is None else _number(spec[key], at(where, key))
        for key in ("min", "max")
    )
    if kind == "integer":
        for key, bound in (("min", low), ("max", high)):
            if bound is not None and not bound.is_integer():
                raise _bad("An integer's bounds are whole numbers.", at(where, key))
    if low is not None and high is not None and low >= high:
        raise _bad("min must be less than max.", where)
    if kind in NUMERIC and (low is None or high is None) and spec.get("cuts") is not None:
        raise _bad("A variable with cuts needs min and max.", where)
    return low, high


def _cuts(value: object, low: float | None, high: float | None, where: str) -> tuple[float, ...]:
    if value is None or low is None or high is None:
        return ()
    if isinstance(value, dict):
        step = _number(check_keys(value, ("step",), ("step",), where)["step"], at(where, "step"))
        return _steps(step, low, high, at(where, "step"))
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_CUTS:
        raise _bad(f"Give 1 to {MAX_CUTS} cut-points as a list, or {{step: 5}}.", where)
    cuts = [_number(each, at(where, i)) for i, each in enumerate(value)]
    if any(a >= b for a, b in pairwise(cuts)):
        raise _bad("The cut-points must go up, each one once.", where)
    if cuts[0] < low or cuts[-1] > high:
        raise _bad("The cut-points must lie between min and max.", where)
    return tuple(cut for cut in cuts if low < cut < high)


def _steps(step: float, low: float, high: float, where: str) -> tuple[float, ...]:
    """Return the round multiples of `step` between min and max, no bin narrower than a step.

    Round multiples, so that ages from 18 in steps of 5 are cut at 25, 30, 35 and not at 23, 28;
    the first and last bin take what is left. Decimal, so that a step of 0.1 cuts at 0.3 exactly.
    """
    if step <= 0:
        raise _bad("The step must be more than 0.", where)
    if (high - low) / step > MAX_CUTS:
        raise _bad(f"The step makes more than {MAX_CUTS} cut-points. Use a wider step.", where)
    by, first, last = Decimal(str(step)), Decimal(str(low)), Decimal(str(high))
    cut = (first / by).to_integral_value(rounding="ROUND_FLOOR") * by
    cuts: list[float] = []
    while cut <= last - by:
        if cut >= first + by:
            cuts.append(float(cut))
        cut += by
    return tuple(cuts)
