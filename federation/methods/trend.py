"""How a share, and the waiting behind it, goes over the quarters, observed against expected.

Who is in none of the quarters counts as missing: let the cohort keep to the same period.

The expected number of a quarter is the sum of its patients' probabilities under the pooled logistic
model of the whole period; without a formula everybody has the pooled share. Expected less observed,
added up (VLAD), says how many patients fewer than expected had the outcome so far.

With output by_site a hospital answers for itself, by the model of all; one that has too few
patients with or without the outcome, or in a level of the formula, stays out of the model, for the
reasons that standardise.py gives. With a formula so does one that cannot show the outcome of every
quarter: a term may follow the time (a year, a guideline), and the model's numbers then add up to
the observed ones over those quarters, so that others' numbers would leave what this one hides. How
many hospitals are left is counted first, under masks: too few make no model (O13). Pooled, a hidden
quarter hides every expected number with a formula, for the same reason.

A CUSUM needs the order of patients in time, to the day. That order stays in the hospital: only the
highest value of each quarter leaves, and whether it lies above the limit, and those only where the
quarter's outcome may be shown. Pooled there is no such order, and no CUSUM.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from federation.methods.base import (
    Ask,
    CountTable,
    Finished,
    Mask,
    Released,
    Rows,
    Step,
    Sums,
)
from federation.methods.glm import BINOMIAL, null_predictor
from federation.methods.glm_fit import ROUNDS, GlmFit, counts_of
from federation.methods.model_groups import fewest
from federation.methods.model_sets import model_sets
from federation.methods.own import Labels, why_none
from federation.methods.trend_plan import (
    MOST_QUARTERS,
    MonthParam,
    MonthsParam,
    Plan,
    outcome_names,
    plan_of,
    quarters_between,
)
from federation.methods.trend_release import release, tables_of, told_of
from federation.methods.trend_sums import crude_sums, cusum_peaks, quarter_cells, quarter_sums
from federation.methods.trend_words import said
from federation.methods.waiting_time_days import CAP, DaysParam
from federation.query.codebook import Codebook
from federation.query.errors import BAD_VALUE, NOT_IN_CATALOGUE, QueryError, at
from federation.query.formula import parse_formula
from federation.query.outcomes import OutcomeParam
from federation.query.parameters import ChoiceParam, FormulaParam, NumberParam, Parameter
from federation.query.refusals import Refused

_KIND = "trend"


class Trend:
    """Kind `trend`."""

    kind = _KIND
    hides_cells = True
    names_terms = True
    parameters: tuple[Parameter, ...] = (
        MonthsParam(
            name="date",
            help_en="The month that places a patient in a quarter.",
            help_nl="De maand die een patiënt in een kwartaal plaatst.",
        ),
        MonthParam(
            name="first",
            help_en="The first month of the first quarter, as 2024-01.",
            help_nl="De eerste maand van het eerste kwartaal, zoals 2024-01.",
        ),
        MonthParam(
            name="last",
            ends=True,
            help_en="The last month of the last quarter, as 2024-12.",
            help_nl="De laatste maand van het laatste kwartaal, zoals 2024-12.",
        ),
        ChoiceParam(
            name="by",
            required=False,
            default="quarter",
            choices=("quarter",),
            help_en="The period of one point.",
            help_nl="De periode van één punt.",
        ),
        OutcomeParam(
            name="outcome",
            required=False,
            help_en="What is counted: yes or no. A variable; in JSON also a condition.",
            help_nl="Wat wordt geteld: ja of nee. Een variabele; in JSON ook een voorwaarde.",
        ),
        DaysParam(
            name="variable",
            required=False,
            help_en="Instead of an outcome: a time in days, with the days within which it counts.",
            help_nl="In plaats van een uitkomst: een tijd in dagen, met de dagen waarbinnen hij "
            "telt.",
        ),
        NumberParam(
            name="within",
            required=False,
            low=1,
            high=CAP,
            whole=True,
            help_en="So many days, a cut-point of the codebook; on that day counts as within.",
            help_nl="Zoveel dagen, een grens uit het codeboek; op die dag telt als binnen.",
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
        NumberParam(
            name="cusum_h",
            required=False,
            low=0.5,
            high=20,
            help_en="The limit above which a CUSUM gives a signal, such as 4.5. Empty: no CUSUM.",
            help_nl="De grens waarboven een CUSUM een signaal geeft, zoals 4.5. Leeg: geen CUSUM.",
        ),
        NumberParam(
            name="cusum_ratio",
            required=False,
            default=2,
            low=2,
            high=2,
            help_en="How many times the expected odds the CUSUM looks for: always 2.",
            help_nl="Naar hoeveel keer de verwachte odds de CUSUM zoekt: altijd 2.",
        ),
    )
    bounded_rounds = ROUNDS + 3

    def check(self, params: Mapping[str, Any], codebook: Codebook, where: str) -> None:
        """QueryError BAD_VALUE for an outcome that is not said once, or is also a term, and for a
        period that is none or too long; NOT_IN_CATALOGUE for days that are no cut-point."""
        _check_period(params, where)
        variable, within = params["variable"], params["within"]
        if (params["outcome"] is None) != (variable is not None) or (variable is None) != (
            within is None
        ):
            raise QueryError(
                BAD_VALUE,
                "A trend has an outcome, or a variable in days with 'within'. Give one of both.",
                where,
            )
        if variable is not None and within not in codebook.variables[variable].cuts:
            raise QueryError(
                NOT_IN_CATALOGUE,
                f"{within} days is not a cut-point of '{variable}'. Use one of its cut-points.",
                at(where, "within"),
            )
        if params["formula"] is not None:
            formula = parse_formula(params["formula"], codebook, two_sided=False)
            for name in outcome_names(params, codebook):
                if name in formula.variables:
                    raise QueryError(
                        BAD_VALUE,
                        f"'{name}' is the outcome, or a part of it, and cannot also be a term. "
                        "Leave it out of the formula.",
                        at(where, "formula"),
                    )

    def is_cell(self, ask: Ask, label: str) -> bool:
        """Whether a set is a cell that can be hidden; the others are groups of the model."""
        plan = plan_of(ask)
        return label in (plan.yes, plan.no) or label.startswith(f"{plan.date}=")

    def in_model(self, ask: Ask, rows: Rows) -> bool:
        """Whether this hospital's patients shape the model; see the module docstring."""
        return _in_model(ask, plan_of(ask), rows)

    def start(self, ask: Ask) -> Step:
        """The model first, where there is one. Refused TOO_FINE when the cells are too many."""
        if 2 * plan_of(ask).size > ask.terms.max_cells:
            raise Refused("TOO_FINE")
        if ask.params["formula"] is not None:
            return Step(f"{_KIND}.pool") if _alone(ask) else _fit(ask).start()
        return Step(f"{_KIND}.crude" if _alone(ask) else f"{_KIND}.quarters")

    def site(self, ask: Ask, step: Step, rows: Rows) -> Sums:
        """The sums of one step: those of the fit, then of the quarters."""
        if step.name == f"{_KIND}.own":
            return {"ready": np.array([1])}
        plan = plan_of(ask)
        if _alone(ask) and not _in_model(ask, plan, rows):
            rows = rows.select(np.zeros(rows.n, dtype=bool))
        if step.name == f"{_KIND}.pool":
            n = int(np.count_nonzero(plan.complete(rows)))
            return {"pool": np.array([int(n > 0), n, n * n], dtype=np.int64)}
        if step.name == f"{_KIND}.crude":
            return crude_sums(ask, plan, rows)
        if step.name == f"{_KIND}.quarters":
            return quarter_sums(ask, plan, rows, step.params.get("model"))
        return _fit(ask).site(step, rows)

    def combine(self, ask: Ask, step: Step, pooled: Sums) -> Step | Finished:
        """After the model the quarters, or under protection with output by_site the own step."""
        if step.name == f"{_KIND}.own":
            sums = step.params.get("sums", {})
            made = {name: np.asarray(values) for name, values in sums.items()}
            return Finished(made, {"counts": step.params.get("counts")})
        if step.name == f"{_KIND}.quarters":
            return self._after_quarters(ask, step, pooled)
        if step.name == f"{_KIND}.pool":
            hospitals, n, squares = (int(value) for value in pooled["pool"])
            few = hospitals < ask.terms.min_sites
            if few or n * n < ask.terms.min_effective_sites * squares:
                return Step(f"{_KIND}.own", {"model": {}})
            return _fit(ask).start()
        if step.name == f"{_KIND}.crude":
            return self._after_model(ask, _crude_model(counts_of(pooled)))
        after = _fit(ask).combine(step, pooled)
        return self._after_model(ask, after.facts) if isinstance(after, Finished) else after

    def _after_model(self, ask: Ask, model: dict[str, Any]) -> Step:
        if ask.strict and _few(model["counts"]) < ask.terms.t_cell:
            # Expected / n of one hospital would give the hidden number away.
            model = {"counts": model["counts"]}
        return Step(f"{_KIND}.own" if _alone(ask) else f"{_KIND}.quarters", {"model": model})

    def _after_quarters(self, ask: Ask, step: Step, pooled: Sums) -> Step | Finished:
        counts = counts_of(pooled)
        model = step.params.get("model")
        if model is None:
            model = _crude_model(counts)
            hides = ask.strict and _few(counts) < ask.terms.t_cell
            if "null" in model and not hides:
                share = counts["positive"] / counts["n"]
                pooled = {**pooled, "expected": pooled["quarters"] * share}
        if ask.query.output != "by_site":
            return Finished(pooled, {"counts": counts})
        sums = {name: values.tolist() for name, values in pooled.items()}
        return Step(f"{_KIND}.own", {"model": model, "sums": sums, "counts": counts})

    def own_part(self, ask: Ask, step: Step, rows: Rows) -> Finished:
        """One hospital's own quarters by the pooled model, and its CUSUM."""
        plan, model = plan_of(ask), step.params["model"]
        sums = quarter_sums(ask, plan, rows, model)
        facts: dict[str, Any] = {"counts": counts_of(sums)}
        facts["in_model"] = "null" in model and _in_model(ask, plan, rows)
        if ask.params["cusum_h"] is not None and "null" in model:
            facts["cusum"] = cusum_peaks(ask, plan, rows, model)
        return Finished({name: np.asarray(values) for name, values in sums.items()}, facts)

    def without_model(self, ask: Ask, refused: Refused | None) -> Step:
        """Each hospital's own quarters, beside nothing."""
        return Step(f"{_KIND}.own", {"model": {}, **why_none(refused)})

    def sets(self, ask: Ask, rows: Rows) -> list[tuple[str, Mask]]:
        """Complete cases, who had the outcome and who had not, each quarter and both in it; and the
        groups of a model. With those without it a few of them hide the outcome, not the quarter."""
        plan = plan_of(ask)
        complete = plan.complete(rows)
        place, yes = plan.places(rows), plan.outcome.values(rows) == 1
        found: list[tuple[str, Mask]] = [("analysis", complete)]
        found += [(plan.yes, complete & yes), (plan.no, complete & ~yes)]
        for i, quarter in enumerate(plan.quarters):
            mine = complete & (place == i)
            found.append((f"{plan.date}={quarter}", mine))
            found.append((f"{plan.date}={quarter},{plan.yes}", mine & yes))
            found.append((f"{plan.date}={quarter},{plan.no}", mine & ~yes))
        if plan.model.design.size:
            event = (plan.model.response, yes)
            found += model_sets(plan.model.design, rows, complete, event)[2:]
        return found

    def tables(self, ask: Ask, finished: Finished) -> list[CountTable]:
        """The totals and the quarters."""
        return tables_of(ask, plan_of(ask), finished)

    def own_tables(self, ask: Ask, rows: Rows) -> Finished:
        """This hospital's own quarters."""
        sums = quarter_sums(ask, plan_of(ask), rows, None)
        return Finished(sums, {"counts": counts_of(sums)})

    def shows(self, ask: Ask, finished: Finished, shown: Mapping[str, Mask]) -> list[Labels]:
        """The quarters, and who had the outcome in each, as far as they stand there."""
        plan = plan_of(ask)
        quarters, outcome, _ = told_of(plan, shown)
        found: list[Labels] = []
        for i, quarter in enumerate(plan.quarters):
            if quarters[i]:
                found.append((f"{plan.date}={quarter}",))
            if outcome[i]:
                found.append((f"{plan.date}={quarter},{plan.yes}",))
        return found

    def result(self, ask: Ask, finished: Finished, shown: Mapping[str, Mask]) -> Released:
        """The pooled answer, or that of one hospital; see trend_release."""
        return release(ask, plan_of(ask), finished, shown)

    def words(self, ask: Ask, lang: str) -> list[str]:
        """What leaves a hospital; see trend_words."""
        return said(ask, plan_of(ask), lang)


def _alone(ask: Ask) -> bool:
    """Whether each hospital answers for itself under protection."""
    return ask.strict and ask.query.output == "by_site"


def _fit(ask: Ask) -> GlmFit:
    return GlmFit(ask, plan_of(ask).model, _KIND)


def _crude_model(counts: Mapping[str, Any]) -> dict[str, Any]:
    """The model without terms: everybody has the pooled share. Without `null` it has none."""
    n, positive = counts["n"], counts["positive"]
    if not 0 < positive < n:
        return {"counts": dict(counts)}
    return {"counts": dict(counts), "null": null_predictor(BINOMIAL, n, positive, n)}


def _in_model(ask: Ask, plan: Plan, rows: Rows) -> bool:
    """Whether this hospital's patients shape the model; see the module docstring."""
    if not _alone(ask):
        return True
    if rows.held_back & {plan.yes, plan.no}:  # how many had the outcome is hidden here
        return False
    key = ("trend.in_model", ask.query.question_sha256)
    if key not in rows.cache:
        counts = counts_of(crude_sums(ask, plan, rows))
        rows.cache[key] = (
            _few(counts) >= ask.terms.t_cell
            and _mix_may_be_told(ask, plan, rows)
            and (ask.params["formula"] is None or _shows_each_quarter(ask, plan, rows))
        )
    return bool(rows.cache[key])


def _shows_each_quarter(ask: Ask, plan: Plan, rows: Rows) -> bool:
    """Whether nothing of this hospital's quarters will be hidden; see the module docstring."""
    if any(METHOD.is_cell(ask, label) for label in rows.held_back):
        return False
    return int(quarter_cells(ask, plan, rows).min()) >= ask.terms.t_cell


def _mix_may_be_told(ask: Ask, plan: Plan, rows: Rows) -> bool:
    """Whether an expected number can be shown here at all; see standardise.py and ADR 0038."""
    least = fewest(plan.model.design, rows.select(plan.complete(rows)))
    return least is None or least >= ask.terms.t_cell


def _few(counts: Mapping[str, Any]) -> int:
    """The smaller number of patients with the outcome and without it."""
    each = counts.get("patients_by_event", (counts["positive"], counts["n"] - counts["positive"]))
    return int(min(counts["positive"], counts["n"] - counts["positive"], *each))


def _check_period(params: Mapping[str, Any], where: str) -> None:
    quarters = quarters_between(params["first"], params["last"])
    if not quarters:
        raise QueryError(
            BAD_VALUE, "The last month comes before the first one. Swap them.", at(where, "last")
        )
    if len(quarters) > MOST_QUARTERS:
        raise QueryError(
            BAD_VALUE,
            f"A trend has at most {MOST_QUARTERS} quarters. Take a shorter period.",
            at(where, "last"),
        )


METHOD = Trend()
