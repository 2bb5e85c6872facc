"""One hospital's own answer: the whole analysis on its rows, without another hospital's sums.

It is the last step of a run with output by_site. Most kinds do both their halves at the hospital. A
kind with `own_part` (standardise) measures a hospital by what all have in common: its own steps go
first, under masks, and the last of them carries the pooled part.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Protocol, runtime_checkable

import numpy as np

from federation.methods.base import Ask, Finished, Method, Rows, Step, Sums
from federation.query.refusals import Refused

OWN: Final = "own"
"""The name of the step in which a hospital answers alone. No analysis has a step of this name; one
with `own_part` calls its last step after itself: `standardise.own`."""


@runtime_checkable
class OwnPart(Protocol):
    """A kind that measures a hospital by the pooled part that its last step carries."""

    def own_part(self, ask: Ask, step: Step, rows: Rows) -> Finished: ...


@runtime_checkable
class Chooses(Protocol):
    """A kind that leaves some hospitals out of its pooled part, though they answer alone."""

    def in_model(self, ask: Ask, rows: Rows) -> bool:
        """Whether this hospital's patients are behind the masked sums of this question."""
        ...


def weighs(method: Method, ask: Ask, rows: Rows) -> bool:
    """Whether this hospital counts among those whose masked sums are added: sums of one or two are
    not pooled, whoever else answers (rule O13)."""
    return not isinstance(method, Chooses) or method.in_model(ask, rows)


def is_own(step: Step) -> bool:
    """Whether each hospital answers this step alone, as the last of the run."""
    return step.name == OWN or step.name.endswith(f".{OWN}")


def has_pooled_part(method: Method) -> bool:
    """Whether steps under masks come before the one in which each hospital answers alone."""
    return isinstance(method, OwnPart)


def first_own_step(method: Method, ask: Ask) -> Step:
    """The first step of a protected run by_site after the look."""
    return method.start(ask) if has_pooled_part(method) else Step(OWN)


def own_finished(method: Method, ask: Ask, step: Step, rows: Rows) -> Finished:
    """What the hub half makes of this hospital's rows alone. Raises Refused as the method does."""
    if isinstance(method, OwnPart):
        return method.own_part(ask, step, rows)
    hub_ask = replace(ask, site=None)
    asked = method.start(hub_ask)
    for _ in range(method.bounded_rounds):
        with np.errstate(all="ignore"):
            sums = _wide(method.site(ask, asked, rows))
        after = method.combine(hub_ask, asked, sums)
        if isinstance(after, Finished):
            return after
        asked = after
    raise Refused("MODEL_UNSTABLE")


def _wide(sums: Sums) -> Sums:
    """Numbers as they come out of adding replies, so that one hospital alone gives what it gives
    when it is the only one asked."""
    return {
        name: array.astype(np.int64 if array.dtype.kind in "iub" else np.float64)
        for name, array in sums.items()
    }
