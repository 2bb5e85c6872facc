"""One hospital's own answer: the whole analysis on its rows, without another hospital's sums.

It is the last step of a run with output by_site. Most kinds do both their halves at the hospital. A
kind with `own_part` (standardise) measures a hospital by what all have in common: its own steps go
first, under masks, and the last of them carries the pooled part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np

from federation.methods.base import Ask, Finished, Mask, Method, Rows, Step, Sums
from federation.query.refusals import Refused

OWN: Final = "own"
"""The name of the step in which a hospital answers alone. No analysis has a step of this name; one
with `own_part` calls its last step after itself: `standardise.own`."""

READY: Final = "ready"
"""The name of the step before it where nothing is added up first. In it each hospital commits
itself: its ledger counts the answer, or that it gives none. Without it a hub could have the answers
of all but one, of whom the ledger knew nothing, and ask that one a pooled question next."""

Labels = tuple[str, ...]

_NO_MODEL: Final = frozenset({"MODEL_TOO_RICH", "MODEL_UNSTABLE"})


@runtime_checkable
class OwnPart(Protocol):
    """A kind that measures a hospital by the pooled part that its last step carries."""

    def own_part(self, ask: Ask, step: Step, rows: Rows) -> Finished: ...

    def without_model(self, ask: Ask, refused: Refused | None) -> Step:
        """The last step without a pooled part: each hospital shows what needs none. `refused`: why
        there is none, where it was not because of the hospitals' votes."""
        ...


@runtime_checkable
class Chooses(Protocol):
    """A kind that leaves some hospitals out of its pooled part, though they answer alone."""

    def in_model(self, ask: Ask, rows: Rows) -> bool:
        """Whether this hospital's patients are behind the masked sums of this question."""
        ...


@runtime_checkable
class Shows(Protocol):
    """A kind that says of which of its sets an own answer shows the numbers, so that a hospital
    may show them again, and what follows from them."""

    def own_tables(self, ask: Ask, rows: Rows) -> Finished:
        """What the tables of a hospital's own answer are made of: its own rows, and nothing of
        other hospitals. `rows.held_back`: the cells that must be hidden."""
        ...

    def shows(self, ask: Ask, finished: Finished, shown: Mapping[str, Mask]) -> list[Labels]:
        """The sets that stand there by the gate's masks, besides the analysis set: each as the
        labels of the sets, no two with a row in common, that make it up."""
        ...


def weighs(method: Method, ask: Ask, rows: Rows) -> bool:
    """Whether this hospital counts among those whose masked sums are added: sums of one or two are
    not pooled, whoever else answers (rule O13)."""
    return not isinstance(method, Chooses) or method.in_model(ask, rows)


def why_none(refused: Refused | None) -> dict[str, Any]:
    """Why there is no pooled part, as parameters of the last step."""
    if refused is None:
        return {"no_model": "SMALL_GROUP"}
    return {"no_model": refused.code, "no_model_terms": list(refused.terms)}


def words_of_none(params: Mapping[str, Any]) -> list[str]:
    """The same as a warning in a hospital's own answer; nothing where there is a pooled part."""
    code = params.get("no_model")
    if code is None:
        return []
    if code == "SMALL_GROUP":
        return ["No expected number: too few patients, or too few hospitals with enough of them."]
    names = ", ".join(params.get("no_model_terms", ()))
    about = f" ({names})" if names else ""
    if code == "MODEL_TOO_RICH":
        return [f"No expected number: too few patients or outcomes for the formula{about}."]
    return [f"No expected number: the model of the formula does not settle{about}."]


def is_ready(step: Step) -> bool:
    """Whether a step only says that everybody is ready to answer alone."""
    return step.name == READY


def is_own(step: Step) -> bool:
    """Whether each hospital answers this step alone, as the last of the run."""
    return step.name == OWN or step.name.endswith(f".{OWN}")


def has_pooled_part(method: Method) -> bool:
    """Whether steps under masks come before the one in which each hospital answers alone."""
    return isinstance(method, OwnPart)


def first_own_step(method: Method, ask: Ask, *, model: bool = True) -> Step:
    """The first step of a protected run by_site after the look. `model`: whether the sums of the
    hospitals may be added for the pooled part (looking.agree)."""
    return method.start(ask) if model and isinstance(method, OwnPart) else Step(READY)


def next_step(method: Method, ask: Ask, step: Step, pooled: Sums) -> Step | Finished:
    """What follows a step, worked out alike by the hub and by every hospital.

    Where each hospital answers alone, a pooled part that cannot be made costs only what needs it:
    the expected numbers. Raises Refused as the method does for everything else.
    """
    if is_ready(step):
        return method.without_model(ask, None) if isinstance(method, OwnPart) else Step(OWN)
    try:
        return method.combine(ask, step, pooled)
    except Refused as refused:
        by_site = ask.strict and ask.query.output == "by_site" and isinstance(method, OwnPart)
        if not by_site or refused.code not in _NO_MODEL:
            raise
        return method.without_model(ask, refused)  # type: ignore[attr-defined, no-any-return]


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
