"""What a description is about, read from its parameters."""

from __future__ import annotations

from dataclasses import dataclass

from federation.methods.base import Ask
from federation.query.variables import Variable


@dataclass(frozen=True)
class Plan:
    """What is described: variables, and the groups (one group labelled None without `by`)."""

    variables: tuple[Variable, ...]
    by: str | None
    labels: tuple[str | None, ...]

    @property
    def groups(self) -> int:
        return len(self.labels)

    @property
    def numeric(self) -> tuple[Variable, ...]:
        return tuple(v for v in self.variables if v.is_numeric)


def plan_of(ask: Ask) -> Plan:
    """Read the parameters."""
    by = ask.params["by"]
    labels: tuple[str | None, ...] = (None,)
    if by is not None:
        labels = ask.codebook.variables[by].group_labels or ()
    names = ask.params["variables"]
    return Plan(tuple(ask.codebook.variables[name] for name in names), by, labels)
