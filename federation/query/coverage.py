"""What a hospital says about its data before anybody asks: how much is filled, roughly.

Per study one word per variable and, per plausibility rule, a number of rows that is rounded and
suppressed; nothing at all for a study with fewer patients than the hospital's threshold. It is read
back by the same strict reader at the hospital, before it leaves, and at the hub.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any, Final

from federation.query.codebook import Codebook
from federation.query.variables import NAME

ABSENT: Final = "absent"
NONE: Final = "none"
UNDER_50: Final = "under_50"
FROM_50_TO_90: Final = "50_to_90"
OVER_90: Final = "over_90"
LEVELS: Final = (ABSENT, NONE, UNDER_50, FROM_50_TO_90, OVER_90)
"""absent: this hospital does not have the variable. none: fewer patients than the threshold have a
value. The others: the share of rows with a value, in percent."""

ROUND_TO: Final = 10
MAX_STUDIES: Final = 200
MAX_RULES: Final = 64
LARGEST: Final = 10**9

_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_KEYS = frozenset({"codebook_sha256", "as_of", "variables", "rules"})


class CoverageError(ValueError):
    """What somebody sent is not coverage. Nothing of it is used."""


@dataclass(frozen=True)
class Coverage:
    """One hospital's coverage of one study's codebook on a day.

    variables: one of LEVELS per variable of the codebook. rules: rows that break the rule, a
    multiple of ROUND_TO, or None when fewer patients than the threshold have such a row, or fewer
    do not; a rule that the hospital cannot check is not there.
    """

    codebook_sha256: str
    as_of: date
    variables: Mapping[str, str]
    rules: Mapping[str, int | None]

    def to_dict(self) -> dict[str, Any]:
        """As it is sent."""
        return {
            "codebook_sha256": self.codebook_sha256,
            "as_of": self.as_of.isoformat(),
            "variables": dict(self.variables),
            "rules": dict(self.rules),
        }

    def fits(self, codebook: Codebook) -> bool:
        """Whether it is about exactly this codebook, every variable of it and no other."""
        return (
            self.codebook_sha256 == codebook.sha256
            and self.variables.keys() == codebook.variables.keys()
        )


def level_of(filled: int, rows: int, patients: int, threshold: int) -> str:
    """The word for `filled` of `rows` rows with a value, which are of `patients` patients."""
    if patients < threshold:
        return NONE
    share = filled / rows
    if share > 0.9:
        return OVER_90
    return UNDER_50 if share < 0.5 else FROM_50_TO_90


def rounded(rows: int, patients: int, others: int, threshold: int) -> int | None:
    """`rows` as it may be told: rounded down to ROUND_TO; None when that is 0, when they are of
    fewer `patients` than the threshold, or when the `others`, who have no such row, are."""
    if patients < threshold or others < threshold:
        return None
    return rows - rows % ROUND_TO or None


def read_coverages(value: object) -> dict[str, Coverage]:
    """Coverage by study from plain data. Raises CoverageError."""
    if not isinstance(value, Mapping) or len(value) > MAX_STUDIES:
        raise CoverageError("not a mapping of studies")
    if not all(isinstance(slug, str) and _SLUG.fullmatch(slug) for slug in value):
        raise CoverageError("not the name of a study")
    return {slug: _read(each) for slug, each in value.items()}


def _read(value: object) -> Coverage:
    if not isinstance(value, Mapping) or value.keys() != _KEYS:
        raise CoverageError("not the keys of coverage")
    sha256, as_of = value["codebook_sha256"], value["as_of"]
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise CoverageError("not the fingerprint of a codebook")
    variables = _named(value["variables"])
    if not all(isinstance(level, str) and level in LEVELS for level in variables.values()):
        raise CoverageError("not a level")
    rules = _named(value["rules"])
    if len(rules) > MAX_RULES or not all(map(_may_be_told, rules.values())):
        raise CoverageError("not the counts of rules")
    return Coverage(sha256, _day(as_of), MappingProxyType(variables), MappingProxyType(rules))


def _named(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(
        isinstance(name, str) and NAME.fullmatch(name) for name in value
    ):
        raise CoverageError("not a mapping of names")
    return dict(value)


def _may_be_told(count: object) -> bool:
    return count is None or (type(count) is int and 0 < count <= LARGEST and count % ROUND_TO == 0)


def _day(value: object) -> date:
    if not isinstance(value, str) or len(value) != len("2026-11-22"):
        raise CoverageError("not a day")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise CoverageError("not a day") from None
