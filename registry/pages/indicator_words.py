"""An indicator as people read it: what is counted, among whom, where and when, and its levels."""

from __future__ import annotations

from dataclasses import dataclass

from federation.indicators.definition import Indicator
from federation.indicators.target import Target
from federation.query.builtin import builtin_codebook
from federation.query.codebook import Codebook
from federation.query.cohort import Node
from federation.query.formula import parse_formula
from federation.query.words import cohort_words
from registry.pages.naming import Names
from registry.translate import number
from registry.translate import translate as _


@dataclass(frozen=True)
class Line:
    """One line of a definition: what it is about, and what it says."""

    label: str
    text: str


def measure_words(measure: str) -> str:
    """What kind of number an indicator gives."""
    return {
        "share": _("a share"),
        "time": _("a waiting time"),
        "mix": _("a division over groups"),
        "volume": _("a number per year"),
        "survival": _("survival"),
        "mean": _("a mean"),
        "difference": _("a difference between two groups"),
    }[measure]


def role_words(role: str) -> str:
    """Which hospital counts a row."""
    return {
        "first_visit": _("the hospital of the first visit"),
        "diagnosis": _("the hospital that made the diagnosis"),
        "treatment": _("the hospital of the first treatment"),
        "surgery": _("the hospital that operated"),
        "any": _("every hospital that has it"),
    }[role]


def unit_words(unit: str) -> str:
    """What one row is."""
    known = {
        "patient": _("a patient"),
        "tumour": _("a tumour"),
        "treatment": _("a treatment"),
        "outcome": _("a treatment result"),
        "prom": _("a questionnaire"),
    }
    return known.get(unit, unit)


def better_words(better: str) -> str:
    """Which way is better."""
    return {
        "lower": _("lower is better"),
        "higher": _("higher is better"),
        "neither": _("neither higher nor lower is better"),
    }[better]


def level_words(target: Target, measure: str) -> str:
    """A target as a short sentence."""
    share = measure in ("share", "time", "survival")
    parts = []
    for value, form in (
        (target.at_least, _("at least %(level)s")),
        (target.at_most, _("at most %(level)s")),
    ):
        if value is not None:
            parts.append(form % {"level": _level(100 * value) + "%" if share else _level(value)})
    found = _(" and ").join(parts)
    if target.within is None:
        return _("%(level)s a year", level=found) if measure == "volume" else found
    if measure == "survival":
        return _("%(level)s after %(days)s days", level=found, days=number(target.within))
    return _("%(level)s within %(days)s days", level=found, days=number(target.within))


def _level(value: float) -> str:
    return number(value, 0 if round(value, 1) == round(value) else 1)


def target_words(indicator: Indicator, day: str) -> str:
    """The target of an indicator on a day, and whether nobody has confirmed it; a dash for none."""
    found = indicator.target(day)
    if found is None:
        return "–"
    level = level_words(found, indicator.measure)
    return level if found.confirmed else _("%(level)s (not confirmed)", level=level)


def definition_lines(indicator: Indicator, lang: str) -> list[Line]:
    """The definition in words, in the order in which one asks about it."""
    book = builtin_codebook(indicator.codebook)
    assert book is not None  # noqa: S101  definitions here are of built-in codebooks
    said = _Said(indicator, book.at(indicator.unit), lang)
    lines = [
        Line(_("What is measured"), said.measured()),
        Line(_("Among whom"), said.among()),
        Line(_("Counted by"), role_words(indicator.role)),
        Line(_("One row is"), unit_words(indicator.unit)),
        Line(_("In the period of"), said.label(indicator.date)),
    ]
    if indicator.exclusions:
        taken_out = [each.text.text(lang) for each in indicator.exclusions]
        lines.append(Line(_("Taken out"), "; ".join(taken_out)))
    if indicator.case_mix is not None or indicator.baseline is not None:
        lines.append(Line(_("Allowed for"), said.case_mix()))
    lines.append(Line(_("Which way"), better_words(indicator.better)))
    if indicator.strata:
        named = "; ".join(said.label(name) for name in indicator.strata)
        lines.append(Line(_("To look for a cause by"), named))
    return lines


@dataclass(frozen=True)
class _Said:
    indicator: Indicator
    book: Codebook
    lang: str

    def label(self, name: str | None) -> str:
        return Names(self.book, self.lang).variable(name or "")

    def _when(self, node: Node) -> str:
        return cohort_words(node, self.book, self.lang)

    def measured(self) -> str:
        it = self.indicator
        match it.measure:
            case "share" if it.numerator is not None:
                return _("How many have: %(what)s", what=self._when(it.numerator))
            case "difference" if it.numerator is not None:
                return _(
                    "How many have: %(what)s; with and without: %(exposure)s",
                    what=self._when(it.numerator),
                    exposure=self.label(it.exposure),
                )
            case "time":
                norms = ", ".join(number(day) for day in it.norms)
                return _("Days: %(what)s; norms %(norms)s", what=self.label(it.time), norms=norms)
            case "survival":
                days = ", ".join(number(day) for day in it.at)
                return _(
                    "%(time)s until: %(event)s; after %(days)s days",
                    time=self.label(it.time),
                    event=self.label(it.event),
                    days=days,
                )
            case "mean":
                return _("The mean of: %(what)s", what=self.label(it.variable))
            case "mix":
                return _("How rows divide over: %(what)s", what=self.label(it.variable))
            case _:
                if it.variable is None:
                    return _("How many there are")
                return _("How many there are, by: %(what)s", what=self.label(it.variable))

    def among(self) -> str:
        if not self.indicator.cohort.variables():
            return _("everybody")
        return self._when(self.indicator.cohort)

    def case_mix(self) -> str:
        it = self.indicator
        names = [] if it.baseline is None else [it.baseline]
        if it.case_mix is not None:
            names += parse_formula(it.case_mix, self.book, False).variables
        return "; ".join(self.label(name) for name in names)
