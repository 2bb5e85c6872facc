"""What a person who wrote a wrong query or codebook is told."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

UNKNOWN_KEY: Final = "UNKNOWN_KEY"
UNKNOWN_VARIABLE: Final = "UNKNOWN_VARIABLE"
UNKNOWN_KIND: Final = "UNKNOWN_KIND"
BAD_VALUE: Final = "BAD_VALUE"
BAD_FORMULA: Final = "BAD_FORMULA"
NOT_IN_CATALOGUE: Final = "NOT_IN_CATALOGUE"
TOO_FINE: Final = "TOO_FINE"
BAD_CODEBOOK: Final = "BAD_CODEBOOK"
BAD_JSON: Final = "BAD_JSON"
TOO_LARGE: Final = "TOO_LARGE"

CODES: Final = frozenset(
    {
        UNKNOWN_KEY,
        UNKNOWN_VARIABLE,
        UNKNOWN_KIND,
        BAD_VALUE,
        BAD_FORMULA,
        NOT_IN_CATALOGUE,
        TOO_FINE,
        BAD_CODEBOOK,
        BAD_JSON,
        TOO_LARGE,
    }
)

_SHOWN = 60  # characters of the author's own text repeated in a sentence


class QueryError(ValueError):
    """A query or codebook that cannot be used, said so that its author can repair it.

    `code` is one of `CODES`; `where` is a JSON path such as `cohort.all[1].value` (empty for the
    whole document); `message` says what is wrong and what to do. Nothing in it comes from data.
    """

    def __init__(self, code: str, message: str, where: str = "") -> None:
        if code not in CODES:
            raise ValueError(f"{code!r} is not a code of QueryError")
        super().__init__(message)
        self.code = code
        self.message = message
        self.where = where

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message

    def to_dict(self) -> dict[str, str]:
        """Return the error as JSON: code, where and message."""
        return {"code": self.code, "where": self.where, "message": self.message}


def shown(value: object) -> str:
    """Return the author's own value for a sentence: one line, at most 60 characters."""
    text = "".join(ch if ch.isprintable() else "?" for ch in str(value)[: _SHOWN + 1])
    return f"{text[:_SHOWN]}…" if len(text) > _SHOWN else text


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return what to do about an unknown name: the nearest known one, or the list of all."""
    names = sorted(known)
    near = get_close_matches(name[:200], names, n=1, cutoff=0.5)
    if near:
        return f"Did you mean '{near[0]}'?"
    if not names:
        return "Nothing is allowed here."
    listed = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    return f"Use one of: {listed}."


def unknown_key(name: object, known: Iterable[str], where: str = "") -> QueryError:
    """Return the error for a key that this place does not have."""
    text = shown(name)
    return QueryError(
        UNKNOWN_KEY, f"There is no key '{text}' here. {did_you_mean(text, known)}", where
    )


def check_keys(
    obj: object, known: Iterable[str], required: Iterable[str] = (), where: str = ""
) -> dict[str, object]:
    """Return `obj` as a dict whose keys are all known and that has every required one.

    Raises QueryError UNKNOWN_KEY or BAD_VALUE.
    """
    names = tuple(known)
    if not isinstance(obj, dict):
        raise QueryError(
            BAD_VALUE, f"An object with named keys is needed here. {did_you_mean('', names)}", where
        )
    for key in obj:
        if key not in names:
            raise unknown_key(key, names, where)
    for key in required:
        if key not in obj:
            raise QueryError(BAD_VALUE, f"The key '{key}' is missing. Add it.", where)
    return obj


def at(where: str, step: str | int) -> str:
    """Return the JSON path one step further than `where`."""
    if isinstance(step, int):
        return f"{where}[{step}]"
    return f"{where}.{step}" if where else step
