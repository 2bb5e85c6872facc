"""The sets of all answers that the hub ever gave or held back, remembered from run to run.

What an answer left never changes, so each is read from the database once in the life of a worker.
"""

from collections.abc import Callable, Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from federation.disclosure.nesting import ReleasedSet
from federation.runs.models import Run

_SOME = 500


class Released:
    """Gives the sets of every answer until now, of all studies."""

    def __init__(self, factory: Callable[[], Session]) -> None:
        self._factory = factory
        self._kept: dict[str, tuple[ReleasedSet, ...]] = {}

    def __call__(self) -> list[ReleasedSet]:
        with self._factory() as session:
            there = set(session.scalars(select(Run.id).where(Run.released_sets.is_not(None))))
            new = sorted(there - self._kept.keys())
            for start in range(0, len(new), _SOME):
                self._kept |= _read(session, new[start : start + _SOME])
        self._kept = {run: sets for run, sets in self._kept.items() if run in there}
        return list(self._sets())

    def _sets(self) -> Iterator[ReleasedSet]:
        for sets in self._kept.values():
            yield from sets


def _read(session: Session, runs: list[str]) -> dict[str, tuple[ReleasedSet, ...]]:
    kept = session.execute(select(Run.id, Run.released_sets).where(Run.id.in_(runs)))
    return {run: tuple(ReleasedSet.from_dict(one) for one in sets or ()) for run, sets in kept}
