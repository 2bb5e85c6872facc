"""Observed against expected: does a hospital differ more than its mix of patients and chance allow?

The expected number of a hospital is the sum of its patients' probabilities under the pooled
logistic model (indirect standardisation); without a model everybody has the pooled probability.
The pooled answer holds the model and how far hospitals differ. One hospital's own ratio with its
funnel limits is made from the pooled coefficients and that hospital's rows (`own_part`), only
where results per hospital are allowed.

A logistic model with an intercept makes the expected numbers of its hospitals add up to the
observed ones. So beside the other hospitals' answers the expected number of a hospital whose
observed number is hidden would give that number away. Under protection and with output by_site
such a hospital therefore stays out of the model, and is only measured by it. Where the model has
levels, the expected number follows from level counts, which a few hospitals' answers let one solve
when the rest of the formula moves little: a hospital with a level of few patients then shows no
expected number either (ADR 0038).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from federation.methods.base import Ask, CountTable, Finished, Mask, Released, Rows, Step, Sums
from federation.methods.design import Design, design_of
from federation.methods.funnel import Spread, spread_of, spread_of_sums
from federation.methods.glm import BINOMIAL, mean_of, null_predictor
from federation.methods.glm_fit import ROUNDS, GlmFit, counts_of
from federation.methods.glm_release import count_tables
from federation.methods.glm_rows import GlmPlan, scaled
from federation.methods.model_groups import fewest, has_groups
from federation.methods.model_rules import person_sums
from federation.methods.model_sets import model_sets
from federation.methods.outcome import Outcome, outcome_of
from federation.methods.own import Labels, why_none
from federation.methods.release import seen
from federation.methods.standardise_release import release_own, release_pooled
from federation.query.codebook import Codebook
from federation.query.errors import BAD_VALUE, QueryError, at
from federation.query.formula import parse_formula
from federation.query.outcomes import OutcomeParam
from federation.query.parameters import FormulaParam, Parameter
from federation.query.refusals import Refused

Floats = npt.NDArray[np.float64]

_KIND = "standardise"


def plan_of(ask: Ask) -> GlmPlan:
    """The model of the expected number; without a formula one without terms."""
    return ask.once("plan", _plan)


def _plan(ask: Ask) -> GlmPlan:
    text = ask.params["formula"]
    design = Design((), ask.codebook)
    if text is not None:
        design = design_of(parse_formula(text, ask.codebook, two_sided=False), ask.codebook)
    outcome = outcome_of(ask)
    told = outcome if outcome.is_condition else None
    return GlmPlan(BINOMIAL, design, outcome.label, told=told)


def _fit(ask: Ask) -> GlmFit:
    return GlmFit(ask, plan_of(ask), _KIND)


class Standardise:
    """Kind `standardise`."""

    kind = _KIND
    names_terms = True
    parameters: tuple[Parameter, ...] = (
        OutcomeParam(
            name="outcome",
            help_en="What is counted: yes or no. A variable; in JSON also a condition.",
            help_nl="Wat wordt geteld: ja of nee. Een variabele; in JSON ook een voorwaarde.",
        ),
        FormulaParam(
            name="formula",
            two_sided=False,
            required=False,
            help_en="What the expected number allows for, as in: age + C(grade, ref='1'). Empty: "
            "nothing.",
            help_nl="Waarmee het verwachte aantal rekening houdt, zoals: age + C(grade, ref='1'). "
            "Leeg: nergens mee.",
        ),
    )
    bounded_rounds = ROUNDS + 2

    def check(self, params: Mapping[str, Any], codebook: Codebook, where: str) -> None:
        """QueryError BAD_VALUE when the outcome, or a part of it, is also a term."""
        text = params["formula"]
        if text is not None:
            formula = parse_formula(text, codebook, two_sided=False)
            for name in Outcome.of(params["outcome"], codebook).variables:
                if name in formula.variables:
                    raise QueryError(
                        BAD_VALUE,
                        f"'{name}' is the outcome, or a part of it, and cannot also be a term. "
                        "Leave it out of the formula.",
                        at(where, "formula"),
                    )

    def in_model(self, ask: Ask, rows: Rows) -> bool:
        """Whether this hospital's patients shape the model; see the module docstring."""
        return _in_model(ask, rows)

    def start(self, ask: Ask) -> Step:
        """Counts first."""
        return Step(f"{_KIND}.crude") if ask.params["formula"] is None else _fit(ask).start()

    def site(self, ask: Ask, step: Step, rows: Rows) -> Sums:
        """The sums of one step: those of the fit, then of observed and expected."""
        if step.name == f"{_KIND}.own":
            return {"ready": np.array([1])}
        if not _in_model(ask, rows):
            rows = rows.select(np.zeros(rows.n, dtype=bool))
        if step.name == f"{_KIND}.crude":
            return _crude(ask, rows)
        if step.name not in (f"{_KIND}.hospitals", f"{_KIND}.totals"):
            return _fit(ask).site(step, rows)
        n, observed, expected, variance = _compared(ask, step, rows)
        if step.name == f"{_KIND}.hospitals":
            return {
                "n": np.array([n]),
                "observed": np.array([observed]),
                "expected": np.array([expected]),
                "variance": np.array([variance]),
            }
        return _spread_sums(step, observed, expected, variance)

    def combine(self, ask: Ask, step: Step, pooled: Sums) -> Step | Finished:
        """After the fit one round of observed and expected.

        With output by_site the last step is `standardise.own`, in which each hospital answers for
        itself (methods/own.py); it carries the model and the variance between all hospitals.
        """
        if step.name == f"{_KIND}.own":
            return Finished({}, dict(step.params))
        after = self._after(ask, step, pooled)
        if isinstance(after, Finished) and ask.query.output == "by_site":
            return Step(f"{_KIND}.own", after.facts)
        return after

    def _after(self, ask: Ask, step: Step, pooled: Sums) -> Step | Finished:
        if step.name in (f"{_KIND}.hospitals", f"{_KIND}.totals"):
            return Finished({}, {**step.params, "spread": _spread(step, pooled).to_json()})
        if step.name == f"{_KIND}.crude":
            return self._compare(ask, self._after_crude(pooled))
        after = _fit(ask).combine(step, pooled)
        return self._compare(ask, after) if isinstance(after, Finished) else after

    def _compare(self, ask: Ask, fitted: Finished) -> Step | Finished:
        """The round of observed and expected, when there is a model to expect by."""
        if "null" not in fitted.facts:
            return fitted
        counts = fitted.facts["counts"]
        if ask.strict and _few(counts) < ask.terms.t_cell:
            # phi, or expected / n of one hospital, would give the hidden number away.
            return Finished({}, {"counts": counts})
        name = "totals" if ask.strict else "hospitals"
        return Step(f"{_KIND}.{name}", fitted.facts, labelled=not ask.strict)

    def _after_crude(self, pooled: Sums) -> Finished:
        counts = counts_of(pooled)
        n, positive = counts["n"], counts["positive"]
        if not 0 < positive < n:
            return Finished({}, {"counts": counts})
        null = null_predictor(BINOMIAL, n, positive, n)
        return Finished({}, {"counts": counts, "null": null})

    def own_part(self, ask: Ask, step: Step, rows: Rows) -> Finished:
        """One hospital's own answer, from the last step of the pooled run and its rows.

        `step.params` are the pooled model, and what all hospitals together say about chance.
        """
        counts = _own_counts(ask, rows)
        facts: dict[str, Any] = {"own": True, "counts": counts, "in_model": _in_model(ask, rows)}
        facts["mix_hidden"] = not _mix_may_be_told(ask, rows)
        if "null" in step.params and not facts["mix_hidden"]:
            _, _, expected, variance = _compared(ask, step, rows)
            facts.update(expected=expected, variance=variance, null=step.params["null"])
            facts["tau2"] = step.params.get("spread", {}).get("tau2")
        return Finished({}, facts)

    def without_model(self, ask: Ask, refused: Refused | None) -> Step:
        """Each hospital's own numbers, beside nothing."""
        return Step(f"{_KIND}.own", why_none(refused))

    def sets(self, ask: Ask, rows: Rows) -> list[tuple[str, Mask]]:
        """Complete cases, those with the outcome, each level, each possible pair of 0/1 columns."""
        plan = plan_of(ask)
        event = (plan.response, plan.values(rows) == 1)
        return model_sets(plan.design, rows, plan.complete(rows), event)

    def tables(self, ask: Ask, finished: Finished) -> list[CountTable]:
        """The total, and how many had the outcome."""
        return count_tables(finished.facts["counts"], binary=True)

    def own_tables(self, ask: Ask, rows: Rows) -> Finished:
        """This hospital's own counts."""
        return Finished({}, {"counts": _own_counts(ask, rows)})

    def shows(self, ask: Ask, finished: Finished, shown: Mapping[str, Mask]) -> list[Labels]:
        """Those with the outcome, where both they and the others are enough."""
        return [(plan_of(ask).response,)] if seen(shown, "events", (2,)).all() else []

    def result(self, ask: Ask, finished: Finished, shown: Mapping[str, Mask]) -> Released:
        """The pooled answer, or that of one hospital; see standardise_release."""
        if finished.facts.get("own"):
            return release_own(ask, finished, shown)
        return release_pooled(ask, plan_of(ask), finished, shown)

    def words(self, ask: Ask, lang: str) -> list[str]:
        """What leaves a hospital."""
        outcome = outcome_of(ask)
        named = "de uitkomst" if lang == "nl" else "the outcome"
        named = named if outcome.is_condition else outcome.label
        p = plan_of(ask).design.size + 1
        own = ask.query.output == "by_site"
        if lang == "nl":
            said = ["Het aantal patiënten, ook met de uitkomst en per niveau van elke categorie."]
            if ask.params["formula"] is not None:
                said.append(f"Per ronde sommen voor {p} coëfficiënten, over alle patiënten samen.")
            said.append(
                f"Hoe ver {named} van het verwachte aantal ligt, opgeteld over de ziekenhuizen."
            )
            if own:
                said.append("Per ziekenhuis het waargenomen en het verwachte aantal.")
            return [*outcome.sentences(lang), *said]
        said = ["The number of patients, also with the outcome and per level of a category."]
        if ask.params["formula"] is not None:
            said.append(f"In each round sums for {p} coefficients, over all patients together.")
        said.append(f"How far {named} is from the expected number, added over the hospitals.")
        if own:
            said.append("For each hospital the observed and the expected number.")
        return [*outcome.sentences(lang), *said]


def _own_counts(ask: Ask, rows: Rows) -> dict[str, Any]:
    """One hospital's own n, missing and positive, and the patients where a row is none."""
    key = ("standardise.counts", ask.query.question_sha256)
    if key not in rows.cache:
        plan = plan_of(ask)
        kept = rows.select(plan.complete(rows))
        positive = plan.values(kept) > 0
        counts: dict[str, Any] = {"n": kept.n, "missing": rows.n - kept.n}
        counts["positive"] = int(np.count_nonzero(positive))
        for name, value in person_sums(ask, kept, positive).items():
            counts[name] = value.tolist() if value.size > 1 else int(value[0])
        rows.cache[key] = counts
    return rows.cache[key]  # type: ignore[no-any-return]


def _in_model(ask: Ask, rows: Rows) -> bool:
    """Whether this hospital's patients shape the model; see the module docstring."""
    if not ask.strict or ask.query.output != "by_site":
        return True
    return _few(_own_counts(ask, rows)) >= ask.terms.t_cell and _mix_may_be_told(ask, rows)


def _mix_may_be_told(ask: Ask, rows: Rows) -> bool:
    """Whether the expected number here says too little of how many patients have a level."""
    design = plan_of(ask).design
    if not ask.strict or ask.query.output != "by_site" or not has_groups(design):
        return True
    key = ("standardise.mix", ask.query.question_sha256)
    if key not in rows.cache:
        rows.cache[key] = fewest(design, rows.select(plan_of(ask).complete(rows)))
    return int(rows.cache[key] or 0) >= ask.terms.t_cell


def _few(counts: Mapping[str, Any]) -> int:
    """The smaller number of patients with the outcome and without it."""
    each = counts.get("patients_by_event", (counts["positive"], counts["n"] - counts["positive"]))
    return int(min(counts["positive"], counts["n"] - counts["positive"], *each))


def _crude(ask: Ask, rows: Rows) -> Sums:
    """n, missing and positive, when there is no model."""
    plan = plan_of(ask)
    kept = rows.select(plan.complete(rows))
    positive = plan.values(kept) > 0
    return {
        "n": np.array([kept.n]),
        "missing": np.array([rows.n - kept.n]),
        "positive": np.array([np.count_nonzero(positive)]),
        **person_sums(ask, kept, positive),
    }


def _compared(ask: Ask, step: Step, rows: Rows) -> tuple[int, float, float, float]:
    """n, observed, expected, and the variance of observed by chance, at this site."""
    plan = plan_of(ask)
    null = float(step.params["null"])
    if "newton" in step.params:
        ready = scaled(plan, step.params, rows)
        eta = ready.predictor(0, ready.n, np.asarray(step.params["newton"]["beta"])) + null
        y = ready.y
    else:
        y = plan.values(rows)
        y = y[~np.isnan(y)]
        eta = np.full(y.size, null)
    mu = mean_of(BINOMIAL, eta)
    return y.size, float(y.sum()), float(mu.sum()), float((mu * (1.0 - mu)).sum())


def _weight_unit(params: Mapping[str, Any]) -> float:
    """A power of two near E^2 / V of all patients as one hospital, so that weights stay small."""
    n, positive = params["counts"]["n"], params["counts"]["positive"]
    return float(2.0 ** math.ceil(math.log2(positive * n / (n - positive))))


def _spread_sums(step: Step, observed: float, expected: float, variance: float) -> Sums:
    """Sums over hospitals: how many (with patients), z squared, weight and weight squared."""
    z2, weight = 0.0, 0.0
    if variance > 0:
        z2 = (observed - expected) ** 2 / variance
        weight = expected**2 / variance / _weight_unit(step.params)
    return {
        "hospitals": np.array([int(variance > 0)]),
        "squares": np.array([z2]),
        "weights": np.array([weight, weight**2]),
    }


def _spread(step: Step, pooled: Sums) -> Spread:
    """How far hospitals differ; the variance is that of the ratio observed / expected."""
    if step.name == f"{_KIND}.totals":
        unit = _weight_unit(step.params)
        weight, squares = pooled["weights"].tolist()
        k, z2 = int(pooled["hospitals"][0]), float(pooled["squares"][0])
        return spread_of_sums(k, z2, weight * unit, squares * unit**2)
    known = pooled["variance"] > 0
    observed, expected, variance = (
        pooled[name][known] for name in ("observed", "expected", "variance")
    )
    return spread_of((observed - expected) / np.sqrt(variance), variance / expected**2)


METHOD = Standardise()
