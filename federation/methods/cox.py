"""Cox regression with the maximum of the pooled partial likelihood, whatever the split.

Strata by site (the default): each hospital keeps its own baseline hazard, its risk sets stay
inside, and log likelihood, score and information leave as sums. Without strata, or with a
variable's: risk sets span hospitals, on the exact event times for open data, on the public grid
under protection (disclosure.md O10).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from federation.methods.base import Ask, CountTable, Finished, Mask, Released, Rows, Step, Sums
from federation.methods.cox_release import release_cox
from federation.methods.cox_rows import stratum_starts
from federation.methods.cox_score import (
    RiskSums,
    joined_sums,
    pack_symmetric,
    profile,
    unpack_symmetric,
)
from federation.methods.cox_site import (
    by_site,
    columns_of,
    complete_rows,
    cox_sums,
    design_for,
    grid_of,
    is_efron,
)
from federation.methods.glm_fit import counts_of, most_rounds
from federation.methods.glm_release import count_tables
from federation.methods.leverage import check_heavy
from federation.methods.model_rules import centre_columns, check_richness, column_scale
from federation.methods.model_sets import model_sets
from federation.methods.newton import MOST_ROUNDS, Newton, inverse
from federation.methods.survival_plan import (
    OUTCOME,
)
from federation.query.parameters import ChoiceParam, FormulaParam, Parameter, StrataParam
from federation.query.refusals import Refused

Floats = npt.NDArray[np.float64]


class Cox:
    """Kind `cox`."""

    kind = "cox"
    names_terms = True
    parameters: tuple[Parameter, ...] = (
        *OUTCOME,
        FormulaParam(
            name="formula",
            two_sided=False,
            help_en="The terms, as in: age + C(grade, ref='1').",
            help_nl="De termen, zoals: age + C(grade, ref='1').",
        ),
        StrataParam(
            name="strata",
            default="site",
            help_en="An own baseline for each hospital (site), for each group, or one (null).",
            help_nl="Een eigen basisrisico per ziekenhuis (site), per groep, of één (null).",
        ),
        ChoiceParam(
            name="ties",
            choices=("efron", "breslow"),
            required=False,
            default="efron",
            help_en="How equal event times count.",
            help_nl="Hoe gelijke tijdstippen tellen.",
        ),
    )
    bounded_rounds = 2 * MOST_ROUNDS + 4

    def start(self, ask: Ask) -> Step:
        """Counts first: nothing is fitted before the model is known to be small enough."""
        grid_of(ask)  # refuses an impossible grid before anything is asked
        return Step("cox.counts")

    def site(self, ask: Ask, step: Step, rows: Rows) -> Sums:
        """The sums of one step; see cox_site."""
        return cox_sums(ask, step, rows)

    def combine(self, ask: Ask, step: Step, pooled: Sums) -> Step | Finished:
        """The next step, or the end of the fit."""
        if step.name == "cox.counts":
            return self._after_counts(ask, pooled)
        if step.name == "cox.spread":
            return self._after_spread(ask, step, pooled)
        if step.name == "cox.times":
            return self._after_times(ask, step, pooled)
        if by_site(ask):
            return self._after_own(ask, step, pooled)
        if step.name in ("cox.concordance", "cox.leverage"):
            return self._finished(ask, step.params, pooled)
        params = dict(step.params)
        newton = Newton.from_json(params["newton"])
        most = most_rounds(ask)
        _check_weights(ask, pooled)
        if step.name == "cox.risk":
            sums = self._risk_sums(params, pooled)
            first = stratum_starts(np.asarray(params["strata"], dtype=np.int64))
            found = profile(sums, first, np.asarray(newton.beta), efron=is_efron(ask))
            if newton.worse(found.loglik):
                return _risk_step(ask, {**params, "newton": newton.halve(most).to_json()})
            params["loglik"] = found.loglik
            params["score"] = found.score.tolist()
            params["outer"] = found.outer.tolist()
            params["at_risk"] = found.at_risk.tolist()
            params["at_death"] = found.at_death.tolist()
            if ask.strict:  # for the leverages
                params["hazard"] = found.hazard.tolist()
                params["means"] = (sums.s1 / sums.s0[:, None]).tolist()
            return Step("cox.information", params)
        information = unpack_symmetric(pooled["information"], len(params["kept"]))
        information = information - np.asarray(params.pop("outer"))
        loglik, score = params.pop("loglik"), np.asarray(params.pop("score"))
        newton = _accept(ask, params, newton, loglik, score, information)
        if not newton.done:
            return _risk_step(ask, params)
        if ask.strict:
            return Step("cox.leverage", params)
        return Step("cox.concordance", params, labelled=True)

    def _after_own(self, ask: Ask, step: Step, pooled: Sums) -> Step | Finished:
        """After a round within the hospitals: the next, or the end when it was expected to be the
        last and was."""
        params, last = dict(step.params), step.name == "cox.concordance"
        newton = Newton.from_json(params["newton"])
        if not newton.done:
            _check_weights(ask, pooled)
            loglik = float(pooled["loglik"][0])
            if newton.worse(loglik):
                params["newton"] = newton.halve(most_rounds(ask)).to_json()
                return Step("cox.score", params)
            information = unpack_symmetric(pooled["information"], len(params["kept"]))
            newton = _accept(ask, params, newton, loglik, pooled["score"], information)
        if newton.done and last:
            return self._finished(ask, params, pooled)
        return Step("cox.concordance" if newton.done or newton.near else "cox.score", params)

    def _finished(self, ask: Ask, params: Mapping[str, Any], pooled: Sums) -> Finished:
        if ask.strict:
            check_heavy(pooled, ask.terms)
        return Finished(pooled, dict(params))

    def _after_counts(self, ask: Ask, pooled: Sums) -> Step | Finished:
        design = design_for(ask)
        counts = counts_of(pooled)
        n, events = counts["n"], counts["positive"]
        if ask.strict:
            people = counts.get("patients", n)
            with_event = counts.get("patients_by_event", (0, events))[1]
            check_richness(design, pooled, people, with_event, ask.terms.model)
        if min(n, events) <= 0:
            return Finished({}, {"counts": counts})
        columns = centre_columns(design, pooled, n)
        params: dict[str, Any] = {
            "counts": counts,
            "kept": list(columns.kept),
            "centre": columns.centre.tolist(),
            "unit": columns.unit.tolist(),
            "times": None,
            "strata": None,
            "newton": Newton.start(len(columns.kept)).to_json(),
        }
        grid = grid_of(ask)
        if grid is not None:
            stratum, place = np.nonzero(pooled["deaths"])
            params.update(_cells(stratum, grid[place], pooled["deaths"][stratum, place]))
        return Step("cox.spread", params)

    def _after_spread(self, ask: Ask, step: Step, pooled: Sums) -> Step | Finished:
        n, columns = step.params["counts"]["n"], columns_of(step)
        scale = column_scale(design_for(ask), columns, pooled["square"], n)
        params = {**step.params, "scale": scale.tolist()}
        if by_site(ask):  # the first point, in units of the spread
            share = columns.unit / scale
            information = unpack_symmetric(pooled["information"], share.size)
            found: Sums = {
                **pooled,
                "score": pooled["score"] * share,
                "information": pack_symmetric(information * np.outer(share, share)),
            }
            return self._after_own(ask, Step("cox.score", params), found)
        if params["times"] is None:
            return Step("cox.times", params, labelled=True)
        return _risk_step(ask, params)

    def _after_times(self, ask: Ask, step: Step, pooled: Sums) -> Step:
        """Join the sites' deaths by stratum and time."""
        pairs = np.column_stack((pooled["stratum"].astype(np.float64), pooled["time"]))
        cells, which = np.unique(pairs, axis=0, return_inverse=True)
        deaths = np.zeros(cells.shape[0], dtype=np.int64)
        np.add.at(deaths, which.reshape(-1), pooled["deaths"])
        found = _cells(cells[:, 0].astype(np.int64), cells[:, 1], deaths)
        return _risk_step(ask, {**step.params, **found})

    def _risk_sums(self, params: Mapping[str, Any], pooled: Sums) -> RiskSums:
        deaths = np.asarray(params["deaths"], dtype=np.int64)
        if "cell" in pooled:
            first = stratum_starts(np.asarray(params["strata"], dtype=np.int64))
            return joined_sums(pooled, deaths, first)
        return RiskSums(
            deaths, pooled["s0"], pooled["s1"], pooled["e0"], pooled["e1"], pooled["z_deaths"]
        )

    def sets(self, ask: Ask, rows: Rows) -> list[tuple[str, Mask]]:
        """Complete cases, those with the event, each level, each possible pair of 0/1 columns."""
        design = design_for(ask)
        event = rows.column(ask.params["event"]).codes() == 1
        complete = complete_rows(ask, design, rows)
        found = (ask.params["event"], event)
        # A hazard ratio says nothing exact of how many had the event.
        return model_sets(design, rows, complete, found, shares=False)

    def tables(self, ask: Ask, finished: Finished) -> list[CountTable]:
        """The total, and how many had the event."""
        return count_tables(finished.facts["counts"], binary=True)

    def result(self, ask: Ask, finished: Finished, shown: Mapping[str, Mask]) -> Released:
        """Coefficients and tests; see cox_release."""
        return release_cox(ask, design_for(ask), finished, shown)

    def words(self, ask: Ask, lang: str) -> list[str]:
        """What leaves a hospital."""
        p = design_for(ask).size
        inside = by_site(ask)
        if lang == "nl":
            said = [
                "Het aantal patiënten, gebeurtenissen en patiënten per niveau van elke categorie.",
                f"Per ronde sommen voor {p} coëfficiënten, over alle patiënten samen.",
            ]
            if not inside:
                said.append("Die sommen ook per tijdstip waarop een gebeurtenis voorkwam.")
            if not inside and not ask.strict:
                said.append("Tijd, uitkomst en score per patiënt, alleen bij open data.")
            return said
        said = [
            "The number of patients, of events, and of patients with each level of a category.",
            f"In each round sums for {p} coefficients, over all patients together.",
        ]
        if not inside:
            said.append("The same sums for each time at which an event occurred.")
        if not inside and not ask.strict:
            said.append("Time, outcome and score of each patient, for open data only.")
        return said


def _check_weights(ask: Ask, pooled: Sums) -> None:
    """Refused MODEL_UNSTABLE when the weights of all rows together rest on few (rule O9)."""
    if ask.strict and "weights" in pooled:
        total, square = pooled["weights"].tolist()
        if total**2 < ask.terms.iter.min_ess * square:
            raise Refused("MODEL_UNSTABLE")


def _accept(
    ask: Ask,
    params: dict[str, Any],
    newton: Newton,
    loglik: float,
    score: Floats,
    information: Floats,
) -> Newton:
    """The next point, also in `params`, with the covariance at this one."""
    names = tuple(design_for(ask).names[i] for i in params["kept"])
    least = ask.terms.iter.min_rel_info if ask.strict else 0.0
    after = newton.accept(loglik, score, information, names, most_rounds(ask), least)
    params.update(newton=after.to_json(), covariance=inverse(information).tolist())
    return after


def _risk_step(ask: Ask, params: Mapping[str, Any]) -> Step:
    """The next point at which risk sets are summed, without what was for the last one.

    With open data there may be as many event times as patients. Then each hospital sends, labelled,
    sums for the cells of its own rows only, and not for every time of everybody.
    """
    fresh = {k: v for k, v in params.items() if k not in _OF_ONE_POINT}
    return Step("cox.risk", fresh, labelled=not ask.strict)


_OF_ONE_POINT = ("at_risk", "at_death", "hazard", "means")


def _cells(
    strata: npt.NDArray[np.int64], times: Floats, deaths: npt.NDArray[np.int64]
) -> dict[str, Any]:
    """The event times of each stratum, as parameters of the steps that sum over risk sets."""
    return {"strata": strata.tolist(), "times": times.tolist(), "deaths": deaths.tolist()}


METHOD = Cox()
