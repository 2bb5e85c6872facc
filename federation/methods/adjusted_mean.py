"""A hospital's mean against what its mix of patients lets expect.

The expected mean of a hospital is that of its patients' fitted values under the pooled linear model
(indirect standardisation of a mean); without a formula everybody has the pooled mean. One
hospital's own difference is made from the pooled coefficients and that hospital's rows
(`own_part`), only where results per hospital are allowed.

The residuals of a linear model add up to 0, and its fitted mean is a straight line in the means of
its terms. So what is hidden of one hospital must follow neither from the others nor from its other
means: such a hospital stays out of the model, and no expected mean is shown of it (ADR 0038).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from federation.methods.adjusted_mean_own import in_model, own_facts
from federation.methods.adjusted_mean_release import release_own, release_pooled
from federation.methods.base import Ask, CountTable, Finished, Mask, Released, Rows, Step, Sums
from federation.methods.design import Design, design_of
from federation.methods.glm import GAUSSIAN
from federation.methods.glm_fit import ROUNDS, GlmFit, counts_of
from federation.methods.glm_release import count_tables
from federation.methods.glm_rows import NUMERIC, GlmPlan, dominance_sums
from federation.methods.grouping import fine_unit
from federation.methods.model_groups import check_above, size_sums, totals_of
from federation.methods.model_rules import person_sums
from federation.methods.model_sets import model_sets
from federation.methods.own import why_none
from federation.methods.sentences import counted, heavy, left_out
from federation.query.codebook import Codebook
from federation.query.errors import BAD_VALUE, QueryError, at
from federation.query.formula import parse_formula
from federation.query.parameters import FormulaParam, Parameter, VariableParam
from federation.query.refusals import Refused

_KIND = "adjusted_mean"


def plan_of(ask: Ask) -> GlmPlan:
    """The model of the expected mean; without a formula one without terms."""
    return ask.once("plan", _plan)


def _plan(ask: Ask) -> GlmPlan:
    text = ask.params["formula"]
    design = Design((), ask.codebook)
    if text is not None:
        design = design_of(parse_formula(text, ask.codebook, two_sided=False), ask.codebook)
    return GlmPlan(GAUSSIAN, design, ask.params["outcome"])


def _fit(ask: Ask) -> GlmFit:
    return GlmFit(ask, plan_of(ask), _KIND)


class AdjustedMean:
    """Kind `adjusted_mean`."""

    kind = _KIND
    names_terms = True
    linear = True
    parameters: tuple[Parameter, ...] = (
        VariableParam(
            name="outcome",
            types=NUMERIC,
            help_en="The number of which hospitals' means are compared.",
            help_nl="Het getal waarvan de gemiddelden van ziekenhuizen worden vergeleken.",
        ),
        FormulaParam(
            name="formula",
            two_sided=False,
            required=False,
            help_en="What the expected mean allows for, as in: age + C(grade, ref='1'). Empty: "
            "nothing.",
            help_nl="Waarmee het verwachte gemiddelde rekening houdt, zoals: age + "
            "C(grade, ref='1'). Leeg: nergens mee.",
        ),
    )
    bounded_rounds = ROUNDS + 2

    def check(self, params: Mapping[str, Any], codebook: Codebook, where: str) -> None:
        """QueryError BAD_VALUE when the outcome is also a term."""
        text = params["formula"]
        if text is None:
            return
        if params["outcome"] in parse_formula(text, codebook, two_sided=False).variables:
            raise QueryError(
                BAD_VALUE,
                f"'{params['outcome']}' is the outcome and cannot also be a term. Leave it out "
                "of the formula.",
                at(where, "formula"),
            )

    def in_model(self, ask: Ask, rows: Rows) -> bool:
        """Whether this hospital's patients shape the model; see the module docstring."""
        return in_model(ask, plan_of(ask), rows)

    def start(self, ask: Ask) -> Step:
        """Counts first."""
        return Step(f"{_KIND}.crude") if ask.params["formula"] is None else _fit(ask).start()

    def site(self, ask: Ask, step: Step, rows: Rows) -> Sums:
        """The sums of one step: those of the fit, or of the mean and the spread about it."""
        if step.name == f"{_KIND}.own":
            return {"ready": np.array([1])}
        if not in_model(ask, plan_of(ask), rows):
            rows = rows.select(np.zeros(rows.n, dtype=bool))
        if step.name == f"{_KIND}.crude":
            return _crude(ask, rows)
        if step.name == f"{_KIND}.around":
            return _around(ask, step, rows)
        return _fit(ask).site(step, rows)

    def combine(self, ask: Ask, step: Step, pooled: Sums) -> Step | Finished:
        """The next step of the fit. With output by_site the last one is `adjusted_mean.own`, in
        which each hospital answers for itself (methods/own.py); it carries the model."""
        if step.name == f"{_KIND}.own":
            return Finished({}, dict(step.params))
        after = self._after(ask, step, pooled)
        if isinstance(after, Finished) and ask.query.output == "by_site":
            return Step(f"{_KIND}.own", after.facts)
        return after

    def _after(self, ask: Ask, step: Step, pooled: Sums) -> Step | Finished:
        if step.name == f"{_KIND}.crude":
            return _after_crude(ask, pooled)
        if step.name == f"{_KIND}.around":
            return _after_around(ask, step, pooled)
        return _fit(ask).combine(step, pooled)

    def own_part(self, ask: Ask, step: Step, rows: Rows) -> Finished:
        """One hospital's own answer, from the last step of the pooled run and its rows."""
        return Finished({}, own_facts(ask, plan_of(ask), step, rows))

    def without_model(self, ask: Ask, refused: Refused | None) -> Step:
        """Each hospital's own numbers, beside nothing."""
        return Step(f"{_KIND}.own", why_none(refused))

    def sets(self, ask: Ask, rows: Rows) -> list[tuple[str, Mask]]:
        """Complete cases, each level, each possible pair of 0/1 columns."""
        plan = plan_of(ask)
        return model_sets(plan.design, rows, plan.complete(rows))

    def tables(self, ask: Ask, finished: Finished) -> list[CountTable]:
        """The total."""
        return count_tables(finished.facts["counts"], binary=False)

    def result(self, ask: Ask, finished: Finished, shown: Mapping[str, Mask]) -> Released:
        """The pooled answer, or that of one hospital; see adjusted_mean_release."""
        if finished.facts.get("own"):
            return release_own(ask, finished, shown)
        return release_pooled(ask, plan_of(ask), finished, shown)

    def words(self, ask: Ask, lang: str) -> list[str]:
        """What leaves a hospital."""
        outcome, who = ask.params["outcome"], counted(ask, lang)
        p = plan_of(ask).design.size + 1
        own, fitted = ask.query.output == "by_site", ask.params["formula"] is not None
        if lang == "nl":
            said = [f"Het aantal {who}, ook per niveau van elke categorie."]
            said.append(f"De som van {outcome} en hoe ver de waarden uiteenliggen.")
            if fitted:
                said.append(f"Per ronde sommen voor {p} coëfficiënten, over alle patiënten samen.")
            if own:
                said.append(f"Per ziekenhuis het gemiddelde van {outcome} en het verwachte.")
        else:
            said = [f"The number of {who}, also per level of each category."]
            said.append(f"The sum of {outcome} and how far its values lie apart.")
            if fitted:
                said.append(f"In each round sums for {p} coefficients, over all patients together.")
            if own:
                said.append(f"For each hospital the mean of {outcome} and the expected one.")
        return [*said, *heavy(ask, outcome, lang), left_out(ask, lang)]


def _crude(ask: Ask, rows: Rows) -> Sums:
    """n, missing and the sum of the outcome, when there is no model; under protection its size."""
    plan = plan_of(ask)
    kept = rows.select(plan.complete(rows))
    y = plan.values(kept)
    moved = (y - plan.response_origin) / plan.response_reach
    sums: Sums = {
        "n": np.array([kept.n]),
        "missing": np.array([rows.n - kept.n]),
        "response": np.array([moved.sum(), np.abs(moved).sum()]),
        **person_sums(ask, kept, None),
    }
    return {**sums, **size_sums(plan.design, kept, y, plan.outcome)} if ask.strict else sums


def _after_crude(ask: Ask, pooled: Sums) -> Step | Finished:
    plan, counts = plan_of(ask), counts_of(pooled)
    n = counts["n"]
    if n == 0:
        return Finished({}, {"counts": counts})
    total, size = pooled["response"].tolist()
    params: dict[str, Any] = {
        "counts": counts,
        "y_centre": plan.response_origin + plan.response_reach * total / n,
        "y_unit": fine_unit(plan.response_reach * size / n),
    }
    if ask.strict:
        params["sizes"] = totals_of(pooled)
    return Step(f"{_KIND}.around", params)


def _around(ask: Ask, step: Step, rows: Rows) -> Sums:
    """Squared deviations from the pooled mean; under protection also who weighs heavily (O4)."""
    plan = plan_of(ask)
    y = plan.values(rows.select(plan.complete(rows)))
    moved = (y - step.params["y_centre"]) / step.params["y_unit"]
    sums: Sums = {"squares": np.array([moved @ moved])}
    if ask.strict:
        sums.update(dominance_sums(ask, plan, step.params["sizes"], rows))
    return sums


def _after_around(ask: Ask, step: Step, pooled: Sums) -> Finished:
    n = int(step.params["counts"]["n"])
    squares = float(pooled["squares"][0]) * step.params["y_unit"] ** 2
    if ask.strict:
        check_above(pooled)
        if not squares > 0:
            raise Refused("MODEL_UNSTABLE")  # everybody the same: the mean is each one's value
    sigma = math.sqrt(squares / (n - 1)) if n > 1 else None
    return Finished({}, {**step.params, "sigma": sigma, "freedom": n - 1})


METHOD = AdjustedMean()
