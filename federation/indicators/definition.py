"""An indicator: what is counted, among whom, from when, against which level. Data, never code.

A definition has an id and a version, and its fingerprint is what a round freezes. Everything in it
is checked against its codebook when it is read, so that a definition which exists can be asked.
Definitions of the measures follow domain.md 3; the grammar of conditions is that of a cohort.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from federation.indicators.measures import ROLE_VARIABLES, Better, Measure, Role
from federation.indicators.reading import Exclusion, read_fields
from federation.indicators.target import Target
from federation.query.canonical import sha256_hex
from federation.query.codebook import Codebook
from federation.query.cohort import All, Node
from federation.query.variables import Label


@dataclass(frozen=True)
class Indicator:
    """One version of one indicator. Build it with `from_dict`; what a measure does not use is None
    or empty.

    `cohort` is the denominator without role, period and exclusions; `date` places a row in a
    period; `role` says which hospital counts it.
    """

    id: str
    version: int
    text: Label
    lay: Label
    codebook: str
    unit: str
    role: Role
    measure: Measure
    date: str
    better: Better
    source: str
    cohort: Node = field(default_factory=All)
    exclusions: tuple[Exclusion, ...] = ()
    numerator: Node | None = None
    time: str | None = None
    norms: tuple[int, ...] = ()
    event: str | None = None
    at: tuple[int, ...] = ()
    variable: str | None = None
    baseline: str | None = None
    exposure: str | None = None
    case_mix: str | None = None
    targets: tuple[Target, ...] = ()
    strata: tuple[str, ...] = ()
    owner: str | None = None

    def __hash__(self) -> int:
        return hash(self.sha256)

    @classmethod
    def from_dict(cls, obj: object, codebook: Codebook | None = None) -> Indicator:
        """Read a definition from plain data, against `codebook` or the built-in one that it names.

        Raises QueryError whose `where` is the wrong field and whose sentence says what to do.
        """
        return cls(**read_fields(obj, codebook))

    @property
    def name(self) -> str:
        """Return id and version as one word: access_time/1."""
        return f"{self.id}/{self.version}"

    @property
    def role_variable(self) -> str | None:
        """Return the variable that says that a row counts for this hospital, if there is a role."""
        return ROLE_VARIABLES[self.role]

    @cached_property
    def sha256(self) -> str:
        """Return the SHA-256 of the canonical JSON of `to_dict()`: what a round freezes."""
        return sha256_hex(self.to_dict())

    def target(self, day: str) -> Target | None:
        """Return the target that is the line of a picture on a day: the first that holds then.

        The order is the definition's; a group's own targets stand before it (owning.py).
        """
        return next((each for each in self.targets if each.since <= day), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the definition as JSON that `from_dict` reads back to an equal definition."""
        made: dict[str, Any] = {
            "id": self.id,
            "version": self.version,
            "text": _both(self.text),
            "lay": _both(self.lay),
            "codebook": self.codebook,
            "unit": self.unit,
            "role": self.role,
            "measure": self.measure,
            "cohort": self.cohort.to_dict(),
            "exclusions": [
                {"text": _both(each.text), "when": each.when.to_dict()} for each in self.exclusions
            ],
            "date": self.date,
        }
        if self.numerator is not None:
            made["numerator"] = self.numerator.to_dict()
        for key in ("time", "event", "variable", "baseline", "exposure", "case_mix"):
            if getattr(self, key) is not None:
                made[key] = getattr(self, key)
        for key in ("norms", "at"):
            if getattr(self, key):
                made[key] = list(getattr(self, key))
        made["better"] = self.better
        made["targets"] = [each.to_dict() for each in self.targets]
        made["strata"] = list(self.strata)
        made["source"] = self.source
        made["owner"] = self.owner
        return made


def _both(label: Label) -> dict[str, str]:
    return {"en": str(label), "nl": label.nl}
