"""What the steps of a hospital add up to: a fold over rows that are never changed.

A row with `corrects` speaks about an earlier one: it was a mistake (`void`), or it happened at
another moment. What was true at a moment and what was known at a moment are asked apart.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol


class StepRow(Protocol):
    """The columns of `participation_step` that the fold reads."""

    number: int
    state: str
    at: datetime
    recorded_at: datetime
    by: str
    note_code: str | None
    corrects: int | None
    void: bool


@dataclass(frozen=True)
class Taken:
    """A step that counts: into which state, from when, written down by whom and when, and why."""

    number: int
    state: str
    at: datetime
    recorded_at: datetime
    by: str
    reason: str | None


def taken(rows: Iterable[StepRow], known_at: datetime | None = None) -> tuple[Taken, ...]:
    """The steps that count, in order, as far as they were written down by `known_at`."""
    counting: dict[int, Taken] = {}
    for row in sorted(rows, key=lambda each: each.number):
        if known_at is not None and row.recorded_at > known_at:
            continue
        if row.corrects is None:
            counting[row.number] = Taken(
                row.number, row.state, row.at, row.recorded_at, row.by, row.note_code
            )
        elif row.void:
            counting.pop(row.corrects, None)
        elif row.corrects in counting:
            counting[row.corrects] = replace(counting[row.corrects], at=row.at)
    return tuple(counting.values())


def state_on(
    rows: Iterable[StepRow], moment: datetime, known_at: datetime | None = None
) -> str | None:
    """The state at a moment, None before the hospital was invited."""
    before = [step.state for step in taken(rows, known_at) if step.at <= moment]
    return before[-1] if before else None


def since_invited(steps: Sequence[Taken]) -> tuple[Taken, ...]:
    """The steps of the present time round: a hospital that declined may be invited again."""
    starts = [place for place, step in enumerate(steps) if step.state == "invited"]
    return tuple(steps[starts[-1] :]) if starts else tuple(steps)


def held_from(steps: Sequence[Taken]) -> str | None:
    """The state from which the hospital was last put on hold, None when it never was."""
    for before, step in zip(reversed(steps[:-1]), reversed(steps[1:]), strict=True):
        if step.state == "on_hold":
            return before.state
    return None
