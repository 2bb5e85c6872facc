"""Linear, logistic and Poisson regression: the maximum of the pooled likelihood on any split.

Every round each hospital sends X'WX, the score and the log likelihood, added up over its patients;
the coefficients of the next round follow from the pooled sums, at the hub and at every hospital.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from federation.methods.base import Ask, CountTable, Finished, Mask, Released, Rows, Step, Sums
from federation.methods.design import design_of
from federation.methods.glm import FAMILIES, POISSON
from federation.methods.glm_fit import ROUNDS, GlmFit
from federation.methods.glm_release import count_tables, release_regression
from federation.methods.glm_rows import GlmPlan, suits_family
from federation.methods.model_sets import model_sets
from federation.query.codebook import Codebook
from federation.query.errors import BAD_VALUE, QueryError, at, did_you_mean
from federation.query.formula import parse_formula
from federation.query.parameters import (
    BoolParam,
    ChoiceParam,
    FormulaParam,
    Parameter,
    VariableParam,
)


class Regression:
    """Kind `regression`."""

    kind = "regression"
    names_terms = True
    parameters: tuple[Parameter, ...] = (
        ChoiceParam(
            name="family",
            choices=FAMILIES,
            help_en="gaussian for a number, binomial for yes or no, poisson for a count or rate.",
            help_nl="gaussian voor een getal, binomial voor ja of nee, poisson voor een aantal.",
        ),
        FormulaParam(
            name="formula",
            two_sided=True,
            help_en="Outcome and terms, as in: relapse ~ age + C(grade, ref='1').",
            help_nl="Uitkomst en termen, zoals: relapse ~ age + C(grade, ref='1').",
        ),
        VariableParam(
            name="offset",
            types=("integer", "number", "duration"),
            required=False,
            help_en="For poisson: the variable with the person-time; its logarithm is the offset.",
            help_nl="Bij poisson: de variabele met de persoonstijd; de logaritme is de offset.",
        ),
        BoolParam(
            name="robust",
            help_en="Robust (sandwich) standard errors.",
            help_nl="Robuuste (sandwich) standaardfouten.",
        ),
    )
    bounded_rounds = ROUNDS

    def check(self, params: Mapping[str, Any], codebook: Codebook, where: str) -> None:
        """QueryError BAD_VALUE when outcome or offset do not fit the family."""
        family = params["family"]
        formula = parse_formula(params["formula"], codebook, two_sided=True)
        response = codebook.variables[formula.response or ""]
        if not suits_family(response, family):
            able = [v.name for v in codebook.variables.values() if suits_family(v, family)]
            raise QueryError(
                BAD_VALUE,
                f"'{response.name}' cannot be the outcome of a {family} model, which needs "
                f"{_NEEDS[family]}. {did_you_mean('', able)}",
                at(where, "formula"),
            )
        if params["offset"] is None:
            return
        if family != POISSON:
            raise QueryError(
                BAD_VALUE,
                "An offset is person-time, which only a poisson model has. Leave it out.",
                at(where, "offset"),
            )
        if params["offset"] in formula.variables:
            raise QueryError(
                BAD_VALUE,
                f"'{params['offset']}' stands in the formula already. Use it once.",
                at(where, "offset"),
            )

    def start(self, ask: Ask) -> Step:
        """Counts first."""
        return _fit(ask).start()

    def site(self, ask: Ask, step: Step, rows: Rows) -> Sums:
        """The sums of one step; see glm_fit."""
        return _fit(ask).site(step, rows)

    def combine(self, ask: Ask, step: Step, pooled: Sums) -> Step | Finished:
        """The next step, or the end of the fit."""
        return _fit(ask).combine(step, pooled)

    def sets(self, ask: Ask, rows: Rows) -> list[tuple[str, Mask]]:
        """Complete cases, those with a yes, each level, each possible pair of 0/1 columns."""
        plan = plan_of(ask)
        complete = plan.complete(rows)
        event = (plan.response, plan.values(rows) == 1) if plan.binary else None
        return model_sets(plan.design, rows, complete, event)

    def tables(self, ask: Ask, finished: Finished) -> list[CountTable]:
        """The total, and how many had a yes-or-no outcome."""
        return count_tables(finished.facts["counts"], binary=plan_of(ask).binary)

    def result(self, ask: Ask, finished: Finished, shown: Mapping[str, Mask]) -> Released:
        """Coefficients and tests; see glm_release."""
        return release_regression(ask, plan_of(ask), finished, shown, robust=ask.params["robust"])

    def words(self, ask: Ask, lang: str) -> list[str]:
        """What leaves a hospital."""
        p = plan_of(ask).design.size + 1
        if lang == "nl":
            return [
                "Het aantal patiënten, het aantal met de uitkomst, en beide per niveau van elke "
                "categorie en per paar van niveaus.",
                f"Per ronde sommen voor {p} coëfficiënten, over alle patiënten samen.",
                "Hoeveel patiënten zwaar wegen in het model of in de som van de uitkomst.",
            ]
        return [
            "The number of patients, of those with the outcome, and both for each level of a "
            "category and each pair of levels.",
            f"In each round sums for {p} coefficients, over all patients together.",
            "How many patients weigh heavily in the model or in the sum of the outcome.",
        ]


_NEEDS = {
    "gaussian": "a number",
    "binomial": "yes or no: a boolean, a category of two levels, or a whole number 0 or 1",
    "poisson": "a count from 0, or yes or no",
}


def plan_of(ask: Ask) -> GlmPlan:
    """What the question asks to be fitted."""
    return ask.once("plan", _plan)


def _plan(ask: Ask) -> GlmPlan:
    formula = parse_formula(ask.params["formula"], ask.codebook, two_sided=True)
    design = design_of(formula, ask.codebook)
    return GlmPlan(ask.params["family"], design, formula.response or "", ask.params["offset"])


def _fit(ask: Ask) -> GlmFit:
    return GlmFit(ask, plan_of(ask), "regression", ask.params["robust"])


METHOD = Regression()
