"""Reads one variable of a codebook: type, bounds, cut-points, knots, levels and labels."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from federation.query.errors import BAD_CODEBOOK, QueryError, at, check_keys, shown
from federation.query.variables import NUMERIC, TYPES, Label, Level, Variable

MAX_LEVELS: Final = 1000
MAX_CUTS: Final = 500
MAX_TEXT: Final = 300
FEWEST_KNOTS: Final = 3
MOST_KNOTS: Final = 7
LARGEST: Final = 1e12  # bounds beyond this would not fit the sites' fixed-point sums


def bad_codebook(message: str, where: str) -> QueryError:
    """Return the error of a codebook that cannot be used."""
    return QueryError(BAD_CODEBOOK, message, where)


_KEYS_OF_TYPE: Final[Mapping[str, tuple[str, ...]]] = {
    "integer": ("unit", "min", "max", "cuts", "knots"),
    "number": ("unit", "min", "max", "cuts", "knots"),
    "duration": ("unit", "min", "max", "cuts", "knots"),
    "category": ("levels", "ordered"),
    "boolean": (),
    "date": ("resolution",),
}


def read_variable(name: str, spec: object, unit: str, where: str) -> Variable:
    """Return variable `name` as `spec` describes it; its rows are of `unit` unless it says `per`.

    Raises QueryError with the place.
    """
    if not isinstance(spec, dict):
        raise bad_codebook("Describe the variable with at least a type, as {type: integer}.", where)
    kind = spec.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        raise bad_codebook(f"The type is one of {', '.join(TYPES)}.", at(where, "type"))
    check_keys(spec, ("type", "label", "sensitive", "per", *_KEYS_OF_TYPE[kind]), (), where)
    low, high = _bounds(spec, kind, where)
    resolution = spec.get("resolution", "month") if kind == "date" else ""
    if resolution not in ("", "month", "year"):
        raise bad_codebook("The resolution is month or year.", at(where, "resolution"))
    return Variable(
        name=name,
        type=kind,  # type: ignore[arg-type]
        unit=read_text(spec.get("unit", "days" if kind == "duration" else ""), at(where, "unit")),
        min=low,
        max=high,
        levels=_levels(spec.get("levels"), at(where, "levels")) if kind == "category" else (),
        ordered=_flag(spec, "ordered", False, where),
        cuts=_cuts(spec.get("cuts"), low, high, at(where, "cuts")),
        resolution=str(resolution),
        label=_label(spec.get("label"), name, at(where, "label")),
        sensitive=_flag(spec, "sensitive", True, where),
        knots=_knots(spec.get("knots"), low, high, at(where, "knots")),
        per=read_text(spec.get("per", unit), at(where, "per")),
    )


def _flag(spec: dict[Any, Any], key: str, default: bool, where: str) -> bool:
    value = spec.get(key, default)
    if not isinstance(value, bool):
        raise bad_codebook("Write true or false.", at(where, key))
    return value


def read_text(value: object, where: str) -> str:
    """Return a text on one line, at most MAX_TEXT characters, or raise QueryError."""
    if (
        not isinstance(value, str)
        or len(value) > MAX_TEXT
        or not (value == "" or _printable(value))
    ):
        raise bad_codebook(f"A text of at most {MAX_TEXT} characters on one line is needed.", where)
    return value


def _printable(value: str) -> bool:
    return value.isprintable()


def _label(value: object, fallback: str, where: str) -> Label:
    if value is None:
        return Label(fallback)
    if isinstance(value, dict):
        texts = check_keys(value, ("en", "nl"), (), where)
        if not texts:
            raise bad_codebook("Give the label in en, nl or both.", where)
        en = read_text(texts.get("en", texts.get("nl")), at(where, "en"))
        return Label(en, read_text(texts.get("nl", en), at(where, "nl")))
    return Label(read_text(value, where))


def _code(value: object, where: str) -> str:
    """Return a level's code as text; YAML's unquoted 1 is "1", true is "true"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str) or not 1 <= len(value) <= 80 or not _printable(value):
        raise bad_codebook(
            "A level's code is a text of 1 to 80 characters. Put it between quotes.", where
        )
    if value != value.strip():
        raise bad_codebook("A level's code has no spaces at its ends.", where)
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
        raise bad_codebook(
            f"A category needs 1 to {MAX_LEVELS} levels: codes, or code: label.", where
        )
    seen: set[str] = set()
    for level in levels:
        if level.code in seen:
            raise bad_codebook(
                f"The level '{shown(level.code)}' stands here twice. Remove one.", where
            )
        seen.add(level.code)
    return tuple(levels)


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise bad_codebook("A number is needed here.", where)
    if not -LARGEST <= value <= LARGEST:
        raise bad_codebook("A number between -1e12 and 1e12 is needed here.", where)
    return float(value)


def _bounds(spec: dict[Any, Any], kind: str, where: str) -> tuple[float | None, float | None]:
    low, high = (
        None if spec.get(key) is None else _number(spec[key], at(where, key))
        for key in ("min", "max")
    )
    if kind == "integer":
        for key, bound in (("min", low), ("max", high)):
            if bound is not None and not bound.is_integer():
                raise bad_codebook("An integer's bounds are whole numbers.", at(where, key))
    if low is not None and high is not None and low >= high:
        raise bad_codebook("min must be less than max.", where)
    if kind in NUMERIC and (low is None or high is None) and spec.get("cuts") is not None:
        raise bad_codebook("A variable with cuts needs min and max.", where)
    return low, high


def _cuts(value: object, low: float | None, high: float | None, where: str) -> tuple[float, ...]:
    if value is None or low is None or high is None:
        return ()
    if isinstance(value, dict):
        step = _number(check_keys(value, ("step",), ("step",), where)["step"], at(where, "step"))
        return _steps(step, low, high, at(where, "step"))
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_CUTS:
        raise bad_codebook(f"Give 1 to {MAX_CUTS} cut-points as a list, or {{step: 5}}.", where)
    cuts = [_number(each, at(where, i)) for i, each in enumerate(value)]
    if any(a >= b for a, b in pairwise(cuts)):
        raise bad_codebook("The cut-points must go up, each one once.", where)
    if cuts[0] < low or cuts[-1] > high:
        raise bad_codebook("The cut-points must lie between min and max.", where)
    return tuple(cut for cut in cuts if low < cut < high)


def _knots(value: object, low: float | None, high: float | None, where: str) -> tuple[float, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not FEWEST_KNOTS <= len(value) <= MOST_KNOTS:
        raise bad_codebook(
            f"Give {FEWEST_KNOTS} to {MOST_KNOTS} knots as a list of numbers.", where
        )
    knots = tuple(_number(each, at(where, i)) for i, each in enumerate(value))
    if any(a >= b for a, b in pairwise(knots)):
        raise bad_codebook("The knots must go up, each one once.", where)
    if (low is not None and knots[0] < low) or (high is not None and knots[-1] > high):
        raise bad_codebook("The knots must lie between min and max.", where)
    return knots


def _steps(step: float, low: float, high: float, where: str) -> tuple[float, ...]:
    """Return the round multiples of `step` between min and max, no bin narrower than a step.

    Round multiples, so that ages from 18 in steps of 5 are cut at 25, 30, 35 and not at 23, 28;
    the first and last bin take what is left. Decimal, so that a step of 0.1 cuts at 0.3 exactly.
    """
    if step <= 0:
        raise bad_codebook("The step must be more than 0.", where)
    if (high - low) / step > MAX_CUTS:
        raise bad_codebook(
            f"The step makes more than {MAX_CUTS} cut-points. Use a wider step.", where
        )
    by, first, last = Decimal(str(step)), Decimal(str(low)), Decimal(str(high))
    cut = (first / by).to_integral_value(rounding="ROUND_FLOOR") * by
    cuts: list[float] = []
    while cut <= last - by:
        if cut >= first + by:
            cuts.append(float(cut))
        cut += by
    return tuple(cuts)
