"""What hospitals counted for a study that is still an idea, as its coordinators and its group read
it: in total, per hospital where each allowed that, and by what the question split patients by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from federation.query.codebook import Codebook
from federation.runs.feasibility import KIND
from federation.runs.models import Run
from registry.pages.naming import Names
from registry.pages.runs import hospital_names, refusal_words
from registry.pages.states import StateWords, run_state
from registry.translate import language, number
from registry.translate import translate as _
from studies.hospitals.feasibility import TOTAL, list_counts
from studies.hospitals.models import StudyFeasibility
from studies.models import Study

Row = tuple[str, str | None]
"""A name with a number in words; None where the number is hidden."""


@dataclass(frozen=True)
class ShownCount:
    """One count for an idea. `why`: what became of it, where there are no numbers; `total` is None
    where it is hidden or was not asked for, `by_site` says which."""

    kept: StudyFeasibility
    title: str
    where: str
    state: StateWords
    why: str
    total: str | None
    hospitals: tuple[Row, ...]
    heads: tuple[str, ...]
    cells: tuple[tuple[tuple[str, ...], str | None], ...]

    @property
    def waits(self) -> bool:
        """Whether the question can still be taken back."""
        return self.kept.released_at is None and self.kept.code is None and bool(self.where)

    @property
    def by_site(self) -> bool:
        """Whether each hospital answered for itself."""
        return bool(self.hospitals)


def counts_of(session: Session, idea: Study) -> list[ShownCount]:
    """The counts of one idea, the newest first."""
    return [_shown(session, each) for each in reversed(list_counts(session, idea.slug))]


def counts_for_group(
    session: Session, ideas: Iterable[Study]
) -> list[tuple[Study, list[ShownCount]]]:
    """Of a group's studies those for which something was counted and released, or refused."""
    found = []
    for idea in ideas:
        told = [
            _shown(session, each)
            for each in reversed(list_counts(session, idea.slug))
            if each.released_at is not None or each.code is not None
        ]
        if told:
            found.append((idea, told))
    return found


def _shown(session: Session, kept: StudyFeasibility) -> ShownCount:
    run = session.get(Run, kept.run_id)
    asked = run if run is not None and run.kind == KIND else None
    basis = session.get(Study, kept.asked_in) if kept.asked_in else None
    names = hospital_names()
    heads, cells = _cells(kept, asked)
    given = kept.numbers or {}
    hospitals = [(names.get(site, site), n) for site, n in given.items() if site != TOTAL]
    return ShownCount(
        kept=kept,
        title="" if asked is None else asked.title,
        where="" if basis is None else basis.title(language()),
        state=_state(kept, run),
        why=_why(kept, run),
        total=_words(given.get(TOTAL)),
        hospitals=tuple(sorted((name, _words(n)) for name, n in hospitals)),
        heads=heads,
        cells=cells,
    )


def _state(kept: StudyFeasibility, run: Run | None) -> StateWords:
    if kept.released_at is not None:
        return StateWords(_("Counted"), "good", "")
    return run_state("failed" if run is None else run.state)


def _why(kept: StudyFeasibility, run: Run | None) -> str:
    if kept.released_at is not None:
        return ""
    if kept.code is not None:
        return refusal_words(kept.code)
    return "" if run is None else run_state(run.state).sentence


def _cells(
    kept: StudyFeasibility, run: Run | None
) -> tuple[tuple[str, ...], tuple[tuple[tuple[str, ...], str | None], ...]]:
    if not kept.cells or run is None:
        return (), ()
    names = Names(Codebook.from_dict(run.codebook), language())
    variables = list(run.query["analysis"]["by"])
    rows = [
        (
            tuple(names.level(name, cell["by"][name]) for name in variables),
            _words(cell["n"]),
        )
        for cell in kept.cells
    ]
    return tuple(names.variable(name) for name in variables), tuple(rows)


def _words(n: int | None) -> str | None:
    return None if n is None else number(n, 0)
