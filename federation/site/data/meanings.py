"""What a single raw value means as text, number or truth, whichever source and form it has."""

import math
from collections.abc import Callable, Mapping
from typing import Final

from federation.site.data.sources import Raw

BOOLEANS: Final[Mapping[str, float]] = {
    **dict.fromkeys(("0", "false", "no", "f", "n"), 0.0),
    **dict.fromkeys(("1", "true", "yes", "t", "y"), 1.0),
}


def text_of(value: Raw) -> str:
    """A raw value as the text that maps and local numbers use: 3.0 and 3 are both "3"."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value).strip()


def number_meaning(decimal: str) -> Callable[[str], float]:
    """Text to number, written with a decimal point or comma; infinity for "not a number"."""

    def number(text: str) -> float:
        if decimal == ",":
            if "." in text:
                return math.inf
            text = text.replace(",", ".")
        try:
            value = math.inf if "_" in text else float(text)
        except ValueError:
            return math.inf
        return value if math.isfinite(value) else math.inf

    return number


def truth_meaning(text: str) -> float:
    """1 or 0 of a text such as true, no or 1; infinity for any other."""
    return BOOLEANS.get(text.lower(), math.inf)
