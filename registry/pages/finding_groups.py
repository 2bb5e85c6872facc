"""Findings of the analyses that count and compare groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.pages.naming import Names
from registry.pages.phrases import chance, patients
from registry.translate import number, percent
from registry.translate import translate as _


def histogram(result: Mapping[str, Any], analysis: Mapping[str, Any], names: Names) -> str:
    """The fullest bar."""
    words = _("%(patients)s are in this question.", patients=patients(result))
    bins = list(result.get("bins") or [])
    known = [(i, b) for i, b in enumerate(bins) if b.get("n") is not None]
    if not known or not result.get("n"):
        return words
    i, top = max(known, key=lambda pair: int(pair[1]["n"]))
    variable = str(analysis["variable"])
    closed = i == len(bins) - 1 and top.get("high") is not None
    bar = names.bar(variable, top.get("low"), top.get("high"), last=closed)
    return f"{words} " + _(
        "The fullest bar of %(variable)s is %(bar)s: %(n)s (%(share)s).",
        variable=names.with_unit(variable).lower(),
        bar=bar,
        n=number(top["n"]),
        share=percent(top["n"] / result["n"], 0),
    )


def compare(result: Mapping[str, Any], analysis: Mapping[str, Any], names: Names) -> str:
    """How far the groups are apart, and whether chance explains it."""
    by, variable = str(analysis["by"]), str(analysis["variable"])
    if result.get("type") == "categorical":
        words = _("%(patients)s are in this question.", patients=patients(result))
        return f"{words} {chance((result.get('chi2') or {}).get('p'))}".strip()
    groups = [g for g in result.get("groups") or [] if g.get("mean") is not None]
    if len(groups) < 2:
        return _("%(patients)s are in this question.", patients=patients(result))
    name = names.with_unit(variable).lower()
    test = result.get("welch_t")
    if test and test.get("difference") is not None:
        words = _(
            "The mean of %(variable)s is %(mean)s in the group “%(group)s” and %(other_mean)s in "
            "the group “%(other)s”: a difference of %(difference)s (95%% interval %(low)s to "
            "%(high)s).",
            variable=name,
            mean=number(groups[0]["mean"], 1),
            group=names.level(by, groups[0]["level"]),
            other_mean=number(groups[1]["mean"], 1),
            other=names.level(by, groups[1]["level"]),
            difference=number(test["difference"], 1),
            low=number(test.get("ci_low"), 1),
            high=number(test.get("ci_high"), 1),
        )
    else:
        test = result.get("anova")
        low = min(groups, key=lambda g: float(g["mean"]))
        high = max(groups, key=lambda g: float(g["mean"]))
        words = _(
            "The mean of %(variable)s runs from %(low)s (%(low_group)s) to %(high)s "
            "(%(high_group)s).",
            variable=name,
            low=number(low["mean"], 1),
            low_group=names.level(by, low["level"]),
            high=number(high["mean"], 1),
            high_group=names.level(by, high["level"]),
        )
    return f"{words} {chance((test or {}).get('p'))}".strip()


def mantel_haenszel(result: Mapping[str, Any], analysis: Mapping[str, Any], names: Names) -> str:
    """The common odds ratio."""
    if result.get("odds_ratio") is None:
        return _("The odds ratio cannot be shown.")
    words = _(
        "Comparing like with like, the odds of “%(outcome)s” are %(ratio)s times as high with "
        "“%(exposure)s” (95%% interval %(low)s to %(high)s).",
        outcome=_last_level(str(analysis["outcome"]), result, names),
        ratio=number(result["odds_ratio"], 2),
        exposure=_last_level(str(analysis["exposure"]), result, names),
        low=number(result.get("ci_low"), 2),
        high=number(result.get("ci_high"), 2),
    )
    return f"{words} {chance((result.get('test') or {}).get('p'))}".strip()


def _last_level(name: str, result: Mapping[str, Any], names: Names) -> str:
    """What the odds are about: the last level of a variable of two."""
    level = result["cells"][-1]["by"][name]
    plain = names.codebook.variables[name].type == "boolean"
    return names.variable(name) if plain else names.level(name, level)
