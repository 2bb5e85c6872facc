"""Which hospital has which variable filled, roughly: shown before anybody asks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from flask import g
from sqlalchemy.orm import Session

from federation.query.codebook import Codebook
from federation.query.coverage import (
    ABSENT,
    FROM_50_TO_90,
    NONE,
    OVER_90,
    ROUND_TO,
    UNDER_50,
)
from federation.query.rules import shipped_rules
from federation.runs.coverage import Covered, coverage_of
from registry.access import reaches_any
from registry.pages.naming import Names
from registry.translate import number
from registry.translate import translate as _
from studies.models import Study

READERS = frozenset({"researcher", "coordinator", "committee"})
UNTOLD = "untold"
CANNOT = frozenset({ABSENT, NONE})


@dataclass(frozen=True)
class Level:
    """One cell: the word of federation.query.coverage (or UNTOLD), and how people read it."""

    code: str
    words: str


@dataclass(frozen=True)
class Line:
    """One variable or rule: its label, its name in a question, and a cell per hospital."""

    label: str
    name: str
    cells: tuple[Level, ...]


@dataclass(frozen=True)
class Matrix:
    """Hospitals by name, with the day of what each said (None: it has said nothing).

    rules: plausibility rules that rows of some hospital break often enough to be told.
    lacking: hospitals that miss one of the variables, each with the labels of what it misses.
    """

    hospitals: tuple[tuple[str, date | None], ...]
    lines: tuple[Line, ...]
    rules: tuple[Line, ...]
    lacking: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def told(self) -> int:
        """How many hospitals have said something."""
        return sum(day is not None for _name, day in self.hospitals)


def may_see(study: str) -> bool:
    """Whether whoever asks works on this study; the public register does not show coverage."""
    return reaches_any(g.actor, READERS, "study", study)


def matrix(
    session: Session,
    study: Study,
    names: Names,
    *,
    variables: Collection[str] | None = None,
    sites: Collection[str] | None = None,
) -> Matrix | None:
    """What the hospitals of `study` said, of these variables and sites (None: all); None when no
    hospital takes questions."""
    found = coverage_of(session, study, only=sites)
    if not found:
        return None
    wanted = [name for name in names.codebook.variables if variables is None or name in variables]
    lines = tuple(
        Line(names.variable(name), name, tuple(_level(one, name) for one in found))
        for name in wanted
    )
    return Matrix(
        hospitals=tuple((one.name, _day(one)) for one in found),
        lines=lines,
        rules=_rules(found, names.codebook, names.language),
        lacking=_lacking(found, lines),
    )


def level_words(code: str) -> str:
    """How people read a level."""
    return {
        ABSENT: _("not here"),
        NONE: _("empty"),
        UNDER_50: _("under 50%"),
        FROM_50_TO_90: _("50 to 90%"),
        OVER_90: _("over 90%"),
        UNTOLD: _("not told"),
    }[code]


def legend() -> tuple[tuple[Level, str], ...]:
    """Each level with what it means."""
    meanings = {
        OVER_90: _("more than 90 in 100 rows have a value"),
        FROM_50_TO_90: _("50 to 90 in 100 rows have a value"),
        UNDER_50: _("fewer than 50 in 100 rows have a value"),
        NONE: _("too few patients have a value to count"),
        ABSENT: _("the hospital does not have this variable"),
        UNTOLD: _("the hospital has not said anything yet, or has too few patients"),
    }
    return tuple((Level(code, level_words(code)), text) for code, text in meanings.items())


def _level(one: Covered, variable: str) -> Level:
    code = UNTOLD if one.coverage is None else one.coverage.variables[variable]
    return Level(code, level_words(code))


def _day(one: Covered) -> date | None:
    return None if one.coverage is None else one.coverage.as_of


def _lacking(
    found: list[Covered], lines: tuple[Line, ...]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    lacking = []
    for place, one in enumerate(found):
        labels = tuple(line.label for line in lines if line.cells[place].code in CANNOT)
        if labels:
            lacking.append((one.name, labels))
    return tuple(lacking)


def _rules(found: list[Covered], codebook: Codebook, language: str) -> tuple[Line, ...]:
    book = shipped_rules(codebook)
    lines = []
    for rule in () if book is None else book.rules:
        told = [one.coverage.rules.get(rule.name, -1) if one.coverage else -1 for one in found]
        if any(count is not None and count > 0 for count in told):
            cells = tuple(_count(count) for count in told)
            lines.append(Line(rule.text.text(language), rule.severity, cells))
    return tuple(lines)


def _count(count: int | None) -> Level:
    """-1: not checked there or not told."""
    if count is None:
        return Level("few", _("few, none or nearly all"))
    if count < 0:
        return Level(UNTOLD, "–")
    return Level("some", _("%(low)s or more", low=number(max(count, ROUND_TO))))
