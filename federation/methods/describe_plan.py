"""What a description is about, read from its parameters."""

from __future__ import annotations

from dataclasses import dataclass

from federation.methods.base import Ask
from federation.methods.groups import Groups, groups_of
from federation.query.variables import Variable


@dataclass(frozen=True)
class Plan:
    """What is described: variables, and the groups (one group labelled None without `by`)."""

    variables: tuple[Variable, ...]
    split: Groups

    @property
    def by(self) -> str | None:
        return self.split.by

    @property
    def labels(self) -> tuple[str | None, ...]:
        return self.split.labels

    @property
    def groups(self) -> int:
        return self.split.size

    @property
    def numeric(self) -> tuple[Variable, ...]:
        return tuple(v for v in self.variables if v.is_numeric)


def plan_of(ask: Ask) -> Plan:
    """Read the parameters."""
    split = groups_of(ask, ask.params["by"])
    names = ask.params["variables"]
    return Plan(tuple(ask.codebook.variables[name] for name in names), split)
