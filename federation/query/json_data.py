"""Read JSON from outside: size, nesting, duplicate keys and NaN are checked before it is used."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from federation.query.errors import BAD_JSON, TOO_LARGE, QueryError, shown


def load_json(data: bytes, max_bytes: int = 262_144, max_depth: int = 40) -> Any:
    """Return the JSON value in `data` (UTF-8).

    Raises QueryError TOO_LARGE (more than `max_bytes`, or nested deeper than `max_depth`) or
    BAD_JSON (not UTF-8, not JSON, a key twice in one object, NaN or infinity).
    """
    if len(data) > max_bytes:
        raise QueryError(TOO_LARGE, f"The text is larger than {max_bytes} bytes. Make it smaller.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise QueryError(BAD_JSON, "The text is not UTF-8. Save it as UTF-8.") from None
    if nesting(text) > max_depth:
        raise QueryError(TOO_LARGE, f"The JSON is nested more than {max_depth} deep. Flatten it.")
    try:
        return json.loads(
            text,
            object_pairs_hook=_no_duplicates,
            parse_constant=_no_constant,
            parse_int=_whole,
            parse_float=_finite,
        )
    except json.JSONDecodeError as error:
        raise QueryError(
            BAD_JSON,
            f"This is not valid JSON at line {error.lineno}, column {error.colno}. "
            "Check quotes, commas and brackets there.",
        ) from None


def nesting(text: str) -> int:
    """Return how deep brackets are nested in JSON text, without parsing it recursively."""
    depth = deepest = 0
    in_text = escaped = False
    for ch in text:
        if in_text:
            if escaped:
                escaped = False
            elif ch == "\\":
                escaped = True
            elif ch == '"':
                in_text = False
        elif ch == '"':
            in_text = True
        elif ch in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif ch in "]}":
            depth -= 1
    return deepest


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise QueryError(BAD_JSON, f"The key '{shown(key)}' stands in one object twice.")
        made[key] = value
    return made


def _no_constant(name: str) -> NoReturn:
    raise QueryError(BAD_JSON, f"{name} is not a JSON number. Use a finite number.")


def _whole(text: str) -> int:
    if len(text) > 19:
        raise QueryError(BAD_JSON, "A whole number has more than 18 digits. Use a smaller one.")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise QueryError(BAD_JSON, "A number is too large. Use a smaller one.")
    return number
