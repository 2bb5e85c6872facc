"""Linear regression with a random intercept per hospital, exact whatever the split.

First counts and spread as for any linear model (glm_fit.py), then the likelihood at trial values
of the variance ratio. Nothing of one hospital leaves unmasked: every term of the likelihood is a
sum over hospitals (mixed_profile.py), and which ratio is tried next follows from the pooled sums
(mixed_search.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from federation.methods.base import Ask, CountTable, Finished, Mask, Released, Rows, Step, Sums
from federation.methods.cox_score import unpack_symmetric
from federation.methods.design import design_of
from federation.methods.glm import GAUSSIAN
from federation.methods.glm_fit import GlmFit, most_rounds
from federation.methods.glm_release import count_tables
from federation.methods.glm_rows import GlmPlan, dominance_sums, scaled, suits_family
from federation.methods.leverage import check_heavy, check_leverage
from federation.methods.mixed_profile import (
    Hospital,
    Profile,
    hospital_of,
    leverages,
    profiles,
    ratio_sums,
)
from federation.methods.mixed_release import release_mixed
from federation.methods.mixed_search import FIRST, MOST_ROUNDS, Search, begin
from federation.methods.model_groups import check_above
from federation.methods.model_sets import model_sets
from federation.methods.newton import check_rank
from federation.query.codebook import Codebook
from federation.query.errors import BAD_VALUE, QueryError, at, did_you_mean
from federation.query.formula import parse_formula
from federation.query.parameters import BoolParam, FormulaParam, Parameter
from federation.query.refusals import Refused

Floats = npt.NDArray[np.float64]


def plan_of(ask: Ask) -> GlmPlan:
    """Terms and outcome of the linear model."""
    return ask.once("plan", _plan)


def _plan(ask: Ask) -> GlmPlan:
    formula = parse_formula(ask.params["formula"], ask.codebook, two_sided=True)
    return GlmPlan(GAUSSIAN, design_of(formula, ask.codebook), formula.response or "")


def _fit(ask: Ask) -> GlmFit:
    """The first two steps, counts and spread, are those of any linear model."""
    return GlmFit(ask, plan_of(ask), "mixed", only_scales=True)


class Mixed:
    """Kind `mixed`."""

    kind = "mixed"
    names_terms = True
    parameters: tuple[Parameter, ...] = (
        FormulaParam(
            name="formula",
            two_sided=True,
            help_en="Outcome and terms, as in: crp ~ age + C(grade, ref='1').",
            help_nl="Uitkomst en termen, zoals: crp ~ age + C(grade, ref='1').",
        ),
        BoolParam(
            name="reml",
            default=True,
            help_en="Restricted likelihood (REML): variances allow for the fitted terms.",
            help_nl="Beperkte aannemelijkheid (REML): de varianties houden rekening met de termen.",
        ),
    )
    bounded_rounds = MOST_ROUNDS + 4

    def check(self, params: Mapping[str, Any], codebook: Codebook, where: str) -> None:
        """QueryError BAD_VALUE when the outcome is not a number."""
        formula = parse_formula(params["formula"], codebook, two_sided=True)
        response = codebook.variables[formula.response or ""]
        if suits_family(response, GAUSSIAN):
            return
        able = [v.name for v in codebook.variables.values() if suits_family(v, GAUSSIAN)]
        raise QueryError(
            BAD_VALUE,
            f"'{response.name}' cannot be the outcome of a mixed model, which needs a number. "
            f"{did_you_mean('', able)}",
            at(where, "formula"),
        )

    def start(self, ask: Ask) -> Step:
        """Counts first: nothing is fitted before the model is known to be small enough."""
        return _fit(ask).start()

    def site(self, ask: Ask, step: Step, rows: Rows) -> Sums:
        """The sums of one step: counts, spread, ratios or leverage."""
        if step.name in ("mixed.counts", "mixed.spread"):
            sums = _fit(ask).site(step, rows)
            if step.name == "mixed.counts":
                sums["hospitals"] = np.array([int(sums["n"][0] > 0)])
            return sums
        matrix, people = _matrix(ask, step, rows)
        if step.name == "mixed.ratios":
            return ratio_sums(_hospital(matrix, rows), step.params["ratios"])
        best = Profile.from_json(step.params["best"])
        rest = best.residual * _freedom(ask, step.params)
        shares, outcome = leverages(matrix, best.ratio, best.beta, best.inverse, rest)
        sums = check_leverage(shares, matrix[:, :-1], people, ask.terms, outcome)
        plan = plan_of(ask)
        if not plan.binary:
            sums.update(dominance_sums(ask, plan, step.params["sizes"], rows))
        return sums

    def combine(self, ask: Ask, step: Step, pooled: Sums) -> Step | Finished:
        """The next step, or the end of the fit."""
        if step.name == "mixed.ratios":
            return self._after_ratios(ask, step, pooled)
        if step.name == "mixed.leverage":
            check_heavy(pooled, ask.terms)
            check_above(pooled)
            return Finished(pooled, dict(step.params))
        after = _fit(ask).combine(step, pooled)
        if isinstance(after, Finished):
            return after
        if step.name == "mixed.spread":
            first = {"ratios": list(FIRST), "rounds": 1}
            return Step("mixed.ratios", {**after.params, **first})
        return self._after_counts(after, int(pooled["hospitals"][0]))

    def _after_counts(self, after: Step, hospitals: int) -> Step | Finished:
        n = int(after.params["counts"]["n"])
        counts = {**after.params["counts"], "hospitals": hospitals}
        # A hospital with one row cannot tell its own level from that row's.
        if hospitals < 2 or n <= hospitals:
            return Finished({}, {"counts": counts})
        return Step(after.name, {**after.params, "counts": counts})

    def _after_ratios(self, ask: Ask, step: Step, pooled: Sums) -> Step | Finished:
        params = dict(step.params)
        n, q = int(params["counts"]["n"]), 1 + len(params["kept"])
        names = plan_of(ask).design.names
        if params["rounds"] == 1:
            first = unpack_symmetric(pooled["products"][0], q + 1)[1:q, 1:q]
            check_rank(first, np.sqrt(np.diag(first)), tuple(names[i] for i in params["kept"]))
            if n <= q:
                raise Refused("MODEL_TOO_RICH", names)
        tried = profiles(pooled, params["ratios"], n, q, reml=ask.params["reml"])
        if params["rounds"] == 1:
            params["without"] = tried[0].to_json()
            search = begin(tried, n / params["counts"]["hospitals"])
        else:
            search = Search.from_json(params["search"]).take(tried[0])
        if search is not None:
            if params["rounds"] >= most_rounds(ask):
                raise Refused("MODEL_UNSTABLE")
            params.update(search=search.to_json(), ratios=[search.ratio])
            params["rounds"] += 1
            return Step("mixed.ratios", params)
        without = Profile.from_json(params["without"])
        params["best"] = max(without, tried[0], key=lambda each: each.loglik).to_json()
        return Step("mixed.leverage", params) if ask.strict else Finished({}, params)

    def sets(self, ask: Ask, rows: Rows) -> list[tuple[str, Mask]]:
        """Complete cases, each level, each possible pair of 0/1 columns."""
        plan = plan_of(ask)
        return model_sets(plan.design, rows, plan.complete(rows))

    def tables(self, ask: Ask, finished: Finished) -> list[CountTable]:
        """The total."""
        return count_tables(finished.facts["counts"], binary=False)

    def result(self, ask: Ask, finished: Finished, shown: Mapping[str, Mask]) -> Released:
        """Fixed effects and variances; see mixed_release."""
        return release_mixed(ask, plan_of(ask), finished, shown)

    def words(self, ask: Ask, lang: str) -> list[str]:
        """What leaves a hospital."""
        p = plan_of(ask).design.size + 1
        if lang == "nl":
            return [
                "Het aantal patiënten, en per niveau van elke categorie.",
                f"Per ronde sommen voor {p} coëfficiënten, over alle patiënten samen, bij een "
                "geprobeerde verhouding tussen de spreiding tussen en binnen ziekenhuizen.",
            ]
        return [
            "The number of patients, and of patients with each level of a category.",
            f"In each round sums for {p} coefficients, over all patients together, at a trial "
            "ratio of the variance between and within hospitals.",
        ]


def _freedom(ask: Ask, params: Mapping[str, Any]) -> int:
    """What the residual sum of squares is divided by for the residual variance."""
    n = int(params["counts"]["n"])
    return n - 1 - len(params["kept"]) if ask.params["reml"] else n


def _matrix(ask: Ask, step: Step, rows: Rows) -> tuple[Floats, npt.NDArray[np.int64] | None]:
    """Ones, the fitted columns, the outcome: (n, q + 1), centred and scaled; and whose rows."""
    ready = scaled(plan_of(ask), step.params, rows)
    cached: tuple[Any, Floats] | None = rows.cache.get("mixed.matrix")
    if cached is None or cached[0] is not ready:
        cached = rows.cache["mixed.matrix"] = (ready, np.vstack((ready.columns, ready.y)).T)
    return cached[1], ready.people


def _hospital(matrix: Floats, rows: Rows) -> Hospital:
    """Products within and between, once per matrix."""
    cached: tuple[Floats, Hospital] | None = rows.cache.get("mixed.hospital")
    if cached is None or cached[0] is not matrix:
        cached = rows.cache["mixed.hospital"] = (matrix, hospital_of(matrix))
    return cached[1]


METHOD = Mixed()
