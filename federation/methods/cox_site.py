"""The site half of Cox regression: rows in, sums out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from federation.methods.base import Ask, Mask, Rows, Step, Sums
from federation.methods.concordance import concordance_of_exits
from federation.methods.cox_rows import RiskRows, arrange, linear_predictor, own_cells
from federation.methods.cox_score import (
    OwnSums,
    leverages,
    local_information,
    local_sums,
    own_sums,
    pack_symmetric,
    risk_sums,
)
from federation.methods.design import Design, design_of
from federation.methods.leverage import check_leverage
from federation.methods.model_rules import (
    Columns,
    column_sums,
    person_sums,
    spread_sums,
)
from federation.methods.survival_plan import (
    Outcome,
    grid_times,
    on_grid,
    outcome,
    outcome_known,
    stratum_codes,
    stratum_labels,
)
from federation.query.formula import parse_formula
from federation.query.refusals import Refused

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# exp() of more would leave fixed point once summed over many patients.
_LARGEST_ETA = 25.0
# Within a site only differences count: exp() of this one is still a float.
_WIDEST_ETA = 600.0


def design_for(ask: Ask) -> Design:
    """The design matrix the question asks for."""
    return ask.once("design", _design)


def _design(ask: Ask) -> Design:
    formula = parse_formula(ask.params["formula"], ask.codebook, two_sided=False)
    return design_of(formula, ask.codebook)


def by_site(ask: Ask) -> bool:
    """Whether risk sets stay inside one hospital."""
    return bool(ask.params["strata"] == "site")


def grid_of(ask: Ask) -> Floats | None:
    """The public time grid, or None where exact times are used."""
    return None if by_site(ask) else grid_times(ask, None)


def is_efron(ask: Ask) -> bool:
    """Whether ties follow Efron rather than Breslow."""
    return bool(ask.params["ties"] == "efron")


def columns_of(step: Step) -> Columns:
    """The fitted columns as earlier steps found them."""
    return Columns(
        tuple(step.params["kept"]),
        np.asarray(step.params["centre"], dtype=np.float64),
        np.asarray(step.params["unit"], dtype=np.float64),
    )


def complete_rows(ask: Ask, design: Design, rows: Rows) -> Mask:
    """Rows with an outcome, every term and a stratum, bool (n,)."""
    known = outcome_known(ask, rows) & design.complete(rows)
    return np.asarray(known & (stratum_codes(ask, rows) >= 0))


@dataclass(frozen=True)
class _Basis:
    """What every step starts from: complete rows, their raw columns, outcome and stratum."""

    rows: Rows
    matrix: Floats
    outcome: Outcome
    stratum: Ints


def _basis(ask: Ask, rows: Rows) -> _Basis:
    """Made once for all rounds on the same rows."""
    key = _key(ask)
    if key not in rows.cache:
        design = design_for(ask)
        known = complete_rows(ask, design, rows)
        kept = rows if known.all() else rows.select(known)
        found = outcome(ask, kept)
        rows.cache[key] = _Basis(kept, design.matrix(kept), found, stratum_codes(ask, kept))
    return rows.cache[key]  # type: ignore[no-any-return]


def _key(ask: Ask) -> tuple[Any, ...]:
    return ("cox", *(ask.params[name] for name in ("time", "event", "formula", "strata")))


def cox_sums(ask: Ask, step: Step, rows: Rows) -> Sums:
    """The sums of one step: counts, spread, times, score, risk, information, concordance or
    leverage. Raises Refused MODEL_UNSTABLE by rules O8 and O9."""
    if step.name == "cox.counts":
        return _counts(ask, _basis(ask, rows), rows.n)
    if step.name == "cox.spread":
        return _spread(ask, step, rows)
    if step.name == "cox.times":
        return _times(_basis(ask, rows))
    if step.labelled and step.name == "cox.concordance":
        return _scores(step, _basis(ask, rows))
    ready = _arranged(ask, step, rows)
    beta = np.asarray(step.params["newton"]["beta"])
    if by_site(ask):
        return _own(ask, step, ready, beta, last=step.name == "cox.concordance")
    eta = beta @ ready.columns
    _guard(ask, eta)
    weight = np.exp(eta)
    if step.name == "cox.risk" and step.labelled:
        return own_sums(ready, weight)
    if step.name == "cox.risk":
        found = risk_sums(ready, weight)
        return {
            "s0": found.s0,
            "s1": found.s1,
            "e0": found.e0,
            "e1": found.e1,
            "z_deaths": found.z_deaths,
            # at most 1 each, whatever the bound on eta
            "weights": _weights(weight * np.exp(-ask.terms.iter.max_abs_eta)),
        }
    if step.name == "cox.information":
        at_risk, at_death = (np.asarray(step.params[k]) for k in ("at_risk", "at_death"))
        part = local_information(ready, weight, at_risk, at_death)
        return {"information": pack_symmetric(part)}
    hazard, means = (np.asarray(step.params[k]) for k in ("hazard", "means"))
    return _leverage(ask, ready, weight, hazard, means, step)


def _counts(ask: Ask, basis: _Basis, n: int) -> Sums:
    """n, missing, events, the columns' sums, and with a grid the deaths (S, T) on it."""
    time, event = basis.outcome.time, basis.outcome.event
    sums = column_sums(design_for(ask), basis.rows, basis.matrix)
    sums["n"] = np.array([basis.rows.n])
    sums["missing"] = np.array([n - basis.rows.n])
    sums["positive"] = np.array([np.count_nonzero(event)])
    sums.update(person_sums(ask, basis.rows, event))
    grid = grid_of(ask)
    if grid is not None:
        deaths = np.zeros((len(stratum_labels(ask)), grid.size), dtype=np.int64)
        place = np.searchsorted(grid, on_grid(time[event], grid))
        np.add.at(deaths, (basis.stratum[event], place), 1)
        sums["deaths"] = deaths
    return sums


def _times(basis: _Basis) -> Sums:
    """Labelled: this site's deaths by stratum and exact time."""
    event = basis.outcome.event
    strata, times, deaths = [], [], []
    for code in np.unique(basis.stratum[event]):
        found, count = np.unique(
            basis.outcome.time[event & (basis.stratum == code)], return_counts=True
        )
        strata.append(np.full(found.size, code))
        times.append(found)
        deaths.append(count)
    return {
        "stratum": np.concatenate([np.zeros(0, dtype=np.int64), *strata]),
        "time": np.concatenate([np.zeros(0), *times]),
        "deaths": np.concatenate([np.zeros(0, dtype=np.int64), *deaths]),
    }


def _spread(ask: Ask, step: Step, rows: Rows) -> Sums:
    """Squared deviations in squared units; and in the same units what `_own` says at 0, where no
    risk set needs the coefficients."""
    sums = spread_sums(columns_of(step), _basis(ask, rows).matrix)
    if by_site(ask):
        ready = _in_units(ask, step, rows)
        sums.update(_own(ask, step, ready, np.zeros(len(step.params["kept"])), last=False))
    return sums


def _in_units(ask: Ask, step: Step, rows: Rows) -> RiskRows:
    """The fitted columns about their pooled centre in fine units, sorted once for all rounds."""
    fixed: dict[str, Any] = {
        k: step.params[k] for k in ("kept", "centre", "unit", "times", "strata")
    }
    fixed["params"] = dict(ask.params)
    cached = rows.cache.get("cox.units")
    if cached is not None and cached[0] == fixed:
        return cached[1]  # type: ignore[no-any-return]
    basis, columns = _basis(ask, rows), columns_of(step)
    time, event, stratum = basis.outcome.time, basis.outcome.event, basis.stratum
    if by_site(ask):
        times, strata = own_cells(time, event)
    else:
        grid = grid_of(ask)
        time = time if grid is None else on_grid(time, grid)
        times = np.asarray(step.params["times"], dtype=np.float64)
        strata = np.asarray(step.params["strata"], dtype=np.int64)
    people = basis.rows.people
    if people is not None:  # numbers without gaps
        people = np.unique(people, return_inverse=True)[1].astype(np.int64)
    chosen = basis.matrix[:, columns.kept]
    ready = arrange(chosen, time, event, stratum, times, strata, people)
    ready = ready.moved(columns.centre, columns.unit)
    rows.cache["cox.units"] = (fixed, ready)
    if by_site(ask):
        rows.cache.pop(_key(ask))  # its columns are not needed any more
    return ready


def _arranged(ask: Ask, step: Step, rows: Rows) -> RiskRows:
    """The fitted columns with spread 1 among all patients, sorted once for all rounds."""
    names = ("kept", "centre", "scale", "times", "strata")
    fixed: dict[str, Any] = {k: step.params[k] for k in names}
    fixed["params"] = dict(ask.params)
    cached = rows.cache.get("cox.arranged")
    if cached is not None and cached[0] == fixed:
        return cached[1]  # type: ignore[no-any-return]
    ready, scale = _in_units(ask, step, rows), np.asarray(step.params["scale"])
    rows.cache.pop("cox.units")  # scaled in place
    ready = ready.moved(np.zeros_like(scale), scale / columns_of(step).unit)
    rows.cache["cox.arranged"] = (fixed, ready)
    return ready


def _weights(weight: Floats) -> Floats:
    """The sums of weights (n,) and of their squares, of which their effective number follows."""
    return np.array([weight.sum(), weight @ weight])


def _own(ask: Ask, step: Step, ready: RiskRows, beta: Floats, *, last: bool) -> Sums:
    """Log likelihood, score and information within this hospital.

    Under protection also `weights`, each relative to the hospital's mean; and Refused
    MODEL_UNSTABLE when they rest on a few rows while next to nothing is left of the information
    that the hospital had at 0. One of the two alone also happens in honest fits (rule O9).
    In what is expected to be the `last` round also the pairs behind the concordance, and whether
    one patient carries too much.
    """
    eta = beta @ ready.columns
    _guard(ask, eta)
    found = local_sums(ready, eta, beta, efron=is_efron(ask))
    sums: Sums = {
        "loglik": np.array([found.loglik]),
        "score": found.score,
        "information": pack_symmetric(found.information),
    }
    if ask.strict:
        sums["weights"] = _weights_within(ask, ready, found)
    if last:
        sums["pairs"] = np.array(_pairs(ready, beta))
        if ask.strict:
            hazard, risk = found.found.hazard, found.sums
            means = risk.s1 / risk.s0[:, None]
            sums.update(_leverage(ask, ready, found.weight, hazard, means, step))
    return sums


def _weights_within(ask: Ask, ready: RiskRows, found: OwnSums) -> Floats:
    if not ready.n:
        return np.zeros(2)
    sums = _weights(found.weight / found.weight.mean())
    total, square = sums.tolist()
    if total**2 < ask.terms.iter.min_ess * square:
        nothing = np.zeros(ready.columns.shape[0])
        start = local_sums(ready, np.zeros(ready.n), nothing, efron=is_efron(ask)).information
        if np.trace(found.information) < ask.terms.iter.min_rel_info * np.trace(start):
            raise Refused("MODEL_UNSTABLE")
    return sums


def _guard(ask: Ask, eta: Floats) -> None:
    """Refused MODEL_UNSTABLE when a linear predictor runs away (rule O9)."""
    if eta.size == 0:
        return
    if ask.strict and float(np.max(np.abs(eta))) > ask.terms.iter.max_abs_eta:
        raise Refused("MODEL_UNSTABLE")
    if by_site(ask):
        runaway = float(eta.max() - eta.min()) > _WIDEST_ETA
    else:
        runaway = float(eta.max()) > _LARGEST_ETA
    if runaway:
        raise Refused("MODEL_UNSTABLE")


def _leverage(
    ask: Ask, ready: RiskRows, weight: Floats, hazard: Floats, means: Floats, step: Step
) -> Sums:
    """Refused MODEL_UNSTABLE when one patient carries too much of the fit (rule O8)."""
    shares = leverages(ready, weight, hazard, means, np.asarray(step.params["covariance"]))
    return check_leverage(shares, ready.z, ready.people, ask.terms)


def _pairs(ready: RiskRows, beta: Floats) -> tuple[int, int, int]:
    """Concordant, tied and comparable pairs. Rows never at risk have none; and of a cell the events
    come before the others, whose times are no earlier and before the next event."""
    exits = ready.of_rows(np.arange(ready.starts.size))
    return concordance_of_exits(
        exits, ready.of_rows(ready.dead), linear_predictor(ready.columns, beta)
    )


def _scores(step: Step, basis: _Basis) -> Sums:
    """Labelled: outcome and score of each patient, for open data only."""
    chosen = basis.matrix[:, step.params["kept"]]
    centre, scale = np.asarray(step.params["centre"]), np.asarray(step.params["scale"])
    beta = np.asarray(step.params["newton"]["beta"])
    return {
        "stratum": basis.stratum,
        "time": basis.outcome.time,
        "event": basis.outcome.event.astype(np.int64),
        "risk": linear_predictor(((chosen - centre) / scale).T, beta),
    }
