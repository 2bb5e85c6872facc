"""What the hub takes over of a hospital's refusal: a reply is no channel for other text."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import date

from federation.query.codebook import Codebook


def known_names(names: object, codebook: Codebook) -> tuple[str, ...]:
    """Of the names in a refusal those of variables and terms of the codebook."""
    allowed = set(codebook.variables)
    named = names if isinstance(names, list) else []
    return tuple(n for n in named if isinstance(n, str) and _variables_of(n) <= allowed)


def latest_day(said: Iterable[object]) -> date | None:
    """The last of the days that hospitals name; None where none names one."""
    days = []
    for each in said:
        with suppress(ValueError):
            if isinstance(each, str):
                days.append(date.fromisoformat(each))
    return max(days, default=None)


def _variables_of(term: str) -> set[str]:
    """The variables behind a term name such as ``age:hormone[yes]``."""
    return {part.partition("[")[0] for part in term.split(":")}
