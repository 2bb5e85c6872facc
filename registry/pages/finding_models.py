"""Findings of the analyses that fit a model.

The first term of a model is what the question is about; the others are adjusted for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from registry.pages.naming import Names
from registry.pages.phrases import CHANCE, chance, patients
from registry.pages.tables_models import ratio_bounds, ratio_digits
from registry.translate import number, percent
from registry.translate import translate as _

Term = Mapping[str, Any]


def cox(result: Mapping[str, Any], _analysis: Mapping[str, Any], names: Names) -> str:
    """The first hazard ratio."""
    terms = _terms(result, "exp")
    if not terms:
        return _("No term can be shown.")
    first = terms[0]
    low, high = ratio_bounds(first)
    words = _(
        "%(term)s: the event comes at %(ratio)s times the rate "
        "(95%% interval %(low)s to %(high)s), other terms held equal.",
        term=names.term(first["term"]),
        ratio=number(first["exp"], ratio_digits(low, high)),
        low=number(low, ratio_digits(low, high)),
        high=number(high, ratio_digits(low, high)),
    )
    return _with_others(words, terms)


def regression(result: Mapping[str, Any], analysis: Mapping[str, Any], names: Names) -> str:
    """The first term on the scale of the family."""
    family = analysis.get("family")
    if family == "gaussian":
        return _difference(result, analysis, names)
    terms = _terms(result, "exp")
    if not terms:
        return _("No term can be shown.")
    first = terms[0]
    low, high = ratio_bounds(first)
    values = {
        "term": names.term(first["term"]),
        "outcome": _outcome(analysis, names),
        "ratio": number(first["exp"], ratio_digits(low, high)),
        "low": number(low, ratio_digits(low, high)),
        "high": number(high, ratio_digits(low, high)),
    }
    if family == "binomial":
        words = _(
            "%(term)s: the odds of “%(outcome)s” are %(ratio)s times as high "
            "(95%% interval %(low)s to %(high)s), other terms held equal.",
            **values,
        )
    else:
        words = _(
            "%(term)s: the rate of “%(outcome)s” is %(ratio)s times as high "
            "(95%% interval %(low)s to %(high)s), other terms held equal.",
            **values,
        )
    return _with_others(words, terms)


def mixed(result: Mapping[str, Any], analysis: Mapping[str, Any], names: Names) -> str:
    """The first term, and how much lies between hospitals."""
    words = _difference(result, analysis, names)
    icc = result.get("icc")
    if icc is None:
        return words
    share = _("%(share)s of the variation lies between hospitals.", share=percent(icc, 0))
    return f"{words} {share}"


def _difference(result: Mapping[str, Any], analysis: Mapping[str, Any], names: Names) -> str:
    terms = _terms(result, "estimate")
    if not terms:
        return _("No term can be shown.")
    first = terms[0]
    words = _(
        "%(term)s: “%(outcome)s” differs by %(estimate)s (95%% interval %(low)s to %(high)s), "
        "other terms held equal.",
        term=names.term(first["term"]),
        outcome=_outcome(analysis, names),
        estimate=number(first["estimate"], 3),
        low=number(first.get("ci_low"), 3),
        high=number(first.get("ci_high"), 3),
    )
    return _with_others(words, terms)


def standardise(result: Mapping[str, Any], analysis: Mapping[str, Any], names: Names) -> str:
    """How many had the outcome, and how much of the differences is more than chance."""
    if result.get("observed") is None or not result.get("n"):
        return _("%(patients)s are in this question.", patients=patients(result))
    words = _(
        "“%(outcome)s” was seen in %(observed)s of %(n)s (%(share)s).",
        outcome=names.outcome(analysis["outcome"]),
        observed=number(result["observed"]),
        n=number(result["n"]),
        share=percent(result["observed"] / result["n"]),
    )
    rank = result.get("rankability") or {}
    if rank.get("value") is not None:
        words += " " + _(
            "Of the differences between hospitals, %(share)s is more than chance.",
            share=percent(rank["value"], 0),
        )
    return words


def adjusted_mean(result: Mapping[str, Any], analysis: Mapping[str, Any], names: Names) -> str:
    """The mean of all, and how far patients lie from what is expected of them."""
    if result.get("mean") is None:
        return _("%(patients)s are in this question.", patients=patients(result))
    words = _(
        "The mean of “%(outcome)s” is %(mean)s, over %(patients)s.",
        outcome=names.with_unit(str(analysis["outcome"])),
        mean=number(result["mean"], 2),
        patients=patients(result),
    )
    if result.get("sigma"):
        words += " " + _(
            "Two thirds of them lie within %(sigma)s of what is expected.",
            sigma=number(result["sigma"], 2),
        )
    return words


def _terms(result: Mapping[str, Any], number_of: str) -> list[Term]:
    """The fitted terms without the intercept."""
    return [
        t
        for t in result.get("terms") or []
        if t.get(number_of) is not None and t["term"] != "(intercept)"
    ]


def _outcome(analysis: Mapping[str, Any], names: Names) -> str:
    return names.variable(str(analysis["formula"]).partition("~")[0].strip())


def _with_others(words: str, terms: Sequence[Term]) -> str:
    first, others = terms[0], terms[1:]
    words = f"{words} {chance(first.get('p'))}".strip()
    clear = sum(1 for t in others if t.get("p") is not None and t["p"] < CHANCE)
    if len(others) == 1:
        words += " " + (
            _("The other term differs more than chance explains.")
            if clear
            else _("The other term differs no more than chance explains.")
        )
    elif others:
        words += " " + _(
            "Of the %(others)s other terms, %(clear)s differ more than chance explains.",
            others=number(len(others)),
            clear=number(clear),
        )
    return words
