"""What everybody in a released set is known to have: values, and answers to a condition."""

from __future__ import annotations

import re
from typing import Final

from federation.query.canonical import canonical_json
from federation.query.codebook import Codebook
from federation.query.model import Query
from federation.query.three_valued import when_known

_NAMED: Final = re.compile(r'"var":"([a-z0-9_]+)"')


def known_in(query: Query, codebook: Codebook) -> frozenset[str]:
    """What everybody in the analysis set of a query has: values of variables, by name, and an
    answer to a condition about several, by the cohort of those who have one."""
    if query.condition is None:
        return frozenset(query.variables())
    needed = frozenset({*query.cohort.variables(), *query.needed})
    names = query.condition.variables()
    if len(names) == 1:
        return needed | set(names)
    answered = when_known(query.condition, codebook).to_dict()
    return needed | {canonical_json(answered).decode("utf-8")}


def is_known(what: str, known: frozenset[str]) -> bool:
    """Whether all of whom `known` is known have `what`: with every value there is an answer."""
    return what in known or (what.startswith("{") and known.issuperset(_NAMED.findall(what)))
