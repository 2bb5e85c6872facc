"""Tables of the analyses that fit a model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from registry.pages.tidy import Cell, Head, Shown, Table
from registry.translate import translate as _


def ratio_bounds(term: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """The 95% interval of a ratio, from the interval of its coefficient."""
    low, high = term.get("ci_low"), term.get("ci_high")
    if low is None or high is None:
        return None, None
    return math.exp(min(low, 50.0)), math.exp(min(high, 50.0))


def ratio_digits(low: float | None, high: float | None) -> int:
    """Decimals for a ratio: two, or as many as it takes to tell the ends of its interval apart."""
    if low is None or high is None or low == high:
        return 2
    return next((d for d in range(2, 6) if round(low, d) != round(high, d)), 6)


def ratio_name(analysis: Mapping[str, Any]) -> str:
    """What exp of a coefficient is called in this analysis; empty where it has no meaning."""
    if analysis.get("kind") == "cox":
        return _("Hazard ratio")
    if analysis.get("kind") == "standardise" or analysis.get("family") == "binomial":
        return _("Odds ratio")
    return _("Rate ratio") if analysis.get("family") == "poisson" else ""


def term_table(shown: Shown, caption: str, ratio: str) -> Table:
    """One row per term: the ratio or the coefficient with its interval, test and error."""
    heads = [Head(_("Term"), "term", False)]
    heads += [Head(ratio, "exp")] if ratio else [Head(_("Coefficient"), "estimate")]
    heads += [Head(_("95% interval"), "ci"), Head(_("p-value"), "p")]
    heads += [Head(_("Coefficient"), "estimate")] if ratio else []
    heads += [Head(_("Standard error"), "se")]
    rows = []
    for term in shown.result.get("terms") or []:
        low, high = ratio_bounds(term) if ratio else (term.get("ci_low"), term.get("ci_high"))
        digits = ratio_digits(low, high) if ratio else 4
        interval = shown.range(low, high, digits)
        cells = [shown.text(shown.names.term(term["term"]), term["term"])]
        cells.append(shown.figure(term.get("exp"), digits) if ratio else _coefficient(shown, term))
        cells.append(Cell(interval, f"{low}-{high}", hidden=low is None))
        cells.append(shown.p(term.get("p")))
        cells += [_coefficient(shown, term)] if ratio else []
        cells.append(shown.figure(term.get("se"), 4))
        rows.append(tuple(cells))
    return Table(caption, tuple(heads), tuple(rows))


def _coefficient(shown: Shown, term: Mapping[str, Any]) -> Cell:
    return shown.figure(term.get("estimate"), 4)


def value_table(caption: str, rows: list[tuple[Cell, Cell]]) -> Table:
    """Figures by name."""
    heads = (Head(_("Figure"), "figure", False), Head(_("Value"), "value"))
    return Table(caption, heads, tuple(rows))


def cox(shown: Shown, _analysis: Mapping[str, Any]) -> list[Table]:
    """Hazard ratios, and how well the model fits."""
    result = shown.result
    lr = result.get("lr") or {}
    rows = [
        (shown.text(_("Patients"), "n"), shown.total(result.get("n"))),
        (shown.text(_("Events"), "events"), shown.total(result.get("events"))),
        (shown.text(_("Concordance"), "concordance"), shown.figure(result.get("concordance"), 3)),
        (shown.text(_("Likelihood-ratio test, p-value"), "lr_p"), shown.p(lr.get("p"))),
        (shown.text(_("Log likelihood"), "loglik"), shown.figure(result.get("loglik"), 3)),
        (shown.text(_("Rounds"), "rounds"), shown.figure(result.get("rounds"), 0)),
    ]
    return [
        term_table(shown, _("Hazard ratios"), _("Hazard ratio")),
        value_table(_("How well it fits"), rows),
    ]


def regression(shown: Shown, analysis: Mapping[str, Any]) -> list[Table]:
    """Terms, and how well the model fits."""
    result = shown.result
    ratio = ratio_name(analysis)
    rows = [(shown.text(_("Patients"), "n"), shown.total(result.get("n")))]
    if "events" in result:
        rows.append((shown.text(_("Events"), "events"), shown.total(result.get("events"))))
    for key, words, digits in (
        ("r2", _("Explained variance (R²)"), 3),
        ("sigma", _("Residual standard deviation"), 4),
        ("loglik", _("Log likelihood"), 3),
        ("deviance", _("Deviance"), 3),
        ("aic", _("AIC"), 3),
        ("df_resid", _("Residual degrees of freedom"), 0),
        ("rounds", _("Rounds"), 0),
    ):
        if key in result:
            rows.append((shown.text(words, key), shown.figure(result[key], digits)))
    return [
        term_table(shown, _("Terms of the model"), ratio),
        value_table(_("How well it fits"), rows),
    ]


def mixed(shown: Shown, _analysis: Mapping[str, Any]) -> list[Table]:
    """Terms, the two variances, and how well the model fits."""
    result = shown.result
    variance = result.get("variance") or {}
    test = result.get("between_test") or {}
    spread = [
        (
            shown.text(_("Variance between hospitals"), "between"),
            shown.figure(variance.get("between"), 4),
        ),
        (
            shown.text(_("Variance within hospitals"), "residual"),
            shown.figure(variance.get("residual"), 4),
        ),
        (
            shown.text(_("Share that lies between hospitals (ICC)"), "icc"),
            shown.share(result.get("icc")),
        ),
        (
            shown.text(_("Do hospitals differ? p-value"), "between_p"),
            shown.p(test.get("p")),
        ),
    ]
    fit = [
        (shown.text(_("Patients"), "n"), shown.total(result.get("n"))),
        (
            shown.text(_("Estimated by"), "method"),
            shown.text(str(result.get("method") or "").upper()),
        ),
        (shown.text(_("Log likelihood"), "loglik"), shown.figure(result.get("loglik"), 3)),
        (shown.text(_("Rounds"), "rounds"), shown.figure(result.get("rounds"), 0)),
    ]
    return [
        term_table(shown, _("Terms of the model"), ""),
        value_table(_("Between and within hospitals"), spread),
        value_table(_("How well it fits"), fit),
    ]
