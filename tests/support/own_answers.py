"""Hospitals that answer by_site in this process: the real method halves and hospitals' gates."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from federation.methods.base import Ask, Released, Rows, Step, Sums
from federation.methods.own import is_own
from federation.methods.registry import KINDS, parse
from federation.query.codebook import Codebook
from federation.query.refusals import Refused
from federation.query.terms import Terms
from federation.site.alone import own_answer


@dataclass
class Asked:
    """`own`: each hospital's answer, None where it refuses. `steps`: the pooled sums by name."""

    own: list[Released | None] = field(default_factory=list)
    steps: dict[str, Sums] = field(default_factory=dict)

    @property
    def results(self) -> list[dict[str, Any]]:
        return [{} if each is None else each.result for each in self.own]


def ask_each(
    analysis: Mapping[str, Any],
    sites: Sequence[Rows],
    codebook: Codebook,
    terms: Terms,
    hide: Mapping[int, frozenset[str]] | None = None,
) -> Asked:
    """What each of `sites` answers for itself. `hide`: by hospital what its auditor holds back."""
    question = {"version": 1, "codebook": codebook.id, "analysis": dict(analysis)}
    query = parse({**question, "output": "by_site"}, codebook)
    ask, method = Ask(query, codebook, terms), KINDS[query.kind]
    held = hide or {}
    rows = [
        dataclasses.replace(each, held_back=held.get(i, frozenset()), cache={})
        for i, each in enumerate(sites)
    ]
    found, step = Asked(), method.start(ask)
    while not is_own(step):
        step = Step(step.name, json.loads(json.dumps(step.params)))
        replies = [
            method.site(dataclasses.replace(ask, site=f"s{i}"), step, each)
            for i, each in enumerate(rows)
        ]
        shapes = [{k: (v.shape, v.dtype.kind) for k, v in reply.items()} for reply in replies]
        assert all(shape == shapes[0] for shape in shapes)
        pooled = {name: sum(reply[name] for reply in replies) for name in replies[0]}
        found.steps[step.name] = pooled  # type: ignore[assignment]
        after = method.combine(ask, step, pooled)  # type: ignore[arg-type]
        assert isinstance(after, Step)
        step = after
    for i, each in enumerate(rows):
        at = dataclasses.replace(ask, site=f"s{i}")
        try:
            made = own_answer(method, at, step, each, held.get(i, frozenset()))
        except Refused:
            found.own.append(None)
            continue
        json.dumps(made, allow_nan=False)
        found.own.append(Released(made["result"], made["hidden"], made["warnings"]))
    return found
