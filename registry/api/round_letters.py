"""Which words of the API stand for which hospital of a round, for the account that asks.

As on the pages: the own hospital by its short name, the others by letter unless the round agreed to
names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g

from federation.rounds import reading
from federation.rounds.errors import RoundError
from federation.rounds.models import EvaluationRound
from registry.access import reach
from registry.transaction import current_session


def own_sites(row: EvaluationRound) -> frozenset[str]:
    """The hospitals of the round that the actor is of."""
    mine: set[str] = set()
    for role in ("board", "steward"):
        reached = reach(g.actor, role, "site")
        # A role for the whole network is no hospital's: it sees letters, as everybody.
        mine |= set(reached or ())
    return frozenset(mine & set(row.plan["sites"]))


def letters_of(row: EvaluationRound) -> Mapping[str, str]:
    """How the actor knows the other hospitals, where the round does not name them."""
    session = current_session()
    if row.plan["names"] or row.state not in ("released", "closed"):
        return {}
    own = own_sites(row)
    return {
        each.site: each.letter
        for each in reading.snapshot(session, row).hospitals
        if each.site not in own
    }


def site_of(row: EvaluationRound, given: str | None) -> str | None:
    """The short name of the hospital that the actor calls `given`. By the short name of a hospital
    that the actor knows by letter, the answer would tell whose letter it is."""
    letters = letters_of(row)
    if given in letters:
        raise RoundError("NOT_OF_THIS_ROUND")
    return next((site for site, letter in letters.items() if letter == given), given)


def lettered(told: dict[str, Any], letters: Mapping[str, str], *names: str) -> dict[str, Any]:
    """What is told, with the hospitals under `names` (or "site") as the account knows them."""
    known = {name: letters.get(told[name], told[name]) for name in names or ("site",)}
    return {**told, **known}
