"""The site half of Cox regression: rows in, sums out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from federation.methods.base import Ask, Mask, Rows, Step, Sums
from federation.methods.concordance import concordance_counts
from federation.methods.cox_score import (
    RiskRows,
    arrange,
    linear_predictor,
    local_information,
    local_sums,
    own_cells,
    pack_symmetric,
    risk_sums,
)
from federation.methods.design import Design, design_of
from federation.methods.model_rules import Columns, column_sums, spread_sums
from federation.methods.survival_plan import (
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

# exp() of more would leave fixed point once summed over many patients.
_LARGEST_ETA = 25.0


def design_for(ask: Ask) -> Design:
    """The design matrix the question asks for."""
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


def cox_sums(ask: Ask, step: Step, rows: Rows) -> Sums:
    """The sums of one step: counts, spread, times, score, risk, information or concordance."""
    if step.name == "cox.counts":
        return _counts(ask, rows)
    if step.name == "cox.spread":
        kept = rows.select(complete_rows(ask, design_for(ask), rows))
        return spread_sums(columns_of(step), design_for(ask).matrix(kept))
    if step.name == "cox.times":
        return _times(ask, rows)
    ready = _arranged(ask, step, rows)
    beta = np.asarray(step.params["newton"]["beta"])
    _guard(ask, ready, beta)
    if step.name == "cox.score":
        loglik, score, information = local_sums(ready, beta, efron=is_efron(ask))
        return {
            "loglik": np.array([loglik]),
            "score": score,
            "information": pack_symmetric(information),
        }
    if step.name == "cox.risk":
        sums = risk_sums(ready, np.exp(ready.z @ beta))
        return {
            "s0": sums.s0,
            "s1": sums.s1,
            "e0": sums.e0,
            "e1": sums.e1,
            "z_deaths": sums.z_deaths,
        }
    if step.name == "cox.information":
        at_risk, at_death = (np.asarray(step.params[k]) for k in ("at_risk", "at_death"))
        part = local_information(ready, np.exp(ready.z @ beta), at_risk, at_death)
        return {"information": pack_symmetric(part)}
    return _concordance(ask, step, rows, beta)


def _counts(ask: Ask, rows: Rows) -> Sums:
    """n, missing, events, the columns' sums, and with a grid the deaths (S, T) on it."""
    design = design_for(ask)
    complete = complete_rows(ask, design, rows)
    kept = rows.select(complete)
    found = outcome(ask, kept)
    sums = column_sums(design, kept, design.matrix(kept))
    sums["n"] = np.array([kept.n])
    sums["missing"] = np.array([rows.n - kept.n])
    sums["events"] = np.array([np.count_nonzero(found.event)])
    grid = grid_of(ask)
    if grid is not None:
        deaths = np.zeros((len(stratum_labels(ask)), grid.size), dtype=np.int64)
        place = np.searchsorted(grid, on_grid(found.time[found.event], grid))
        np.add.at(deaths, (stratum_codes(ask, kept)[found.event], place), 1)
        sums["deaths"] = deaths
    return sums


def _times(ask: Ask, rows: Rows) -> Sums:
    """Labelled: this site's deaths by stratum and exact time."""
    kept = rows.select(complete_rows(ask, design_for(ask), rows))
    found = outcome(ask, kept)
    pairs = np.column_stack((stratum_codes(ask, kept), found.time))[found.event]
    cells, deaths = np.unique(pairs, axis=0, return_counts=True)
    return {
        "stratum": cells[:, 0].astype(np.int64),
        "time": cells[:, 1],
        "deaths": deaths.astype(np.int64),
    }


def _arranged(ask: Ask, step: Step, rows: Rows) -> RiskRows:
    """Scaled columns, sorted once for all rounds."""
    fixed = {k: step.params[k] for k in ("kept", "centre", "scale", "times", "strata")}
    cached = rows.cache.get("cox")
    if cached is not None and cached[0] == fixed:
        return cached[1]  # type: ignore[no-any-return]
    design = design_for(ask)
    kept = rows.select(complete_rows(ask, design, rows))
    found = outcome(ask, kept)
    z = _scaled(design, step, kept)
    if by_site(ask):
        times, strata = own_cells(found.time, found.event)
        ready = arrange(z, found.time, found.event, np.zeros(kept.n, dtype=np.int64), times, strata)
    else:
        grid = grid_of(ask)
        time = found.time if grid is None else on_grid(found.time, grid)
        times = np.asarray(step.params["times"], dtype=np.float64)
        strata = np.asarray(step.params["strata"], dtype=np.int64)
        ready = arrange(z, time, found.event, stratum_codes(ask, kept), times, strata)
    rows.cache["cox"] = (fixed, ready)
    return ready


def _guard(ask: Ask, ready: RiskRows, beta: Floats) -> None:
    """Refused MODEL_UNSTABLE when a linear predictor runs away (rule O9)."""
    if ready.z.shape[0] == 0:
        return
    eta = ready.z @ beta
    if ask.strict and float(np.max(np.abs(eta))) > ask.terms.iter.max_abs_eta:
        raise Refused("MODEL_UNSTABLE")
    if not by_site(ask) and float(eta.max()) > _LARGEST_ETA:
        raise Refused("MODEL_UNSTABLE")


def _concordance(ask: Ask, step: Step, rows: Rows, beta: Floats) -> Sums:
    """Concordant, tied and comparable pairs; or labelled outcomes and scores."""
    design = design_for(ask)
    kept = rows.select(complete_rows(ask, design, rows))
    found = outcome(ask, kept)
    risk = linear_predictor(_scaled(design, step, kept), beta)
    if by_site(ask):
        return {"pairs": np.array(concordance_counts(found.time, found.event, risk))}
    return {
        "stratum": stratum_codes(ask, kept),
        "time": found.time,
        "event": found.event.astype(np.int64),
        "risk": risk,
    }


def _scaled(design: Design, step: Step, kept: Rows) -> Floats:
    """Fitted columns of complete rows, (x - centre) / scale, (n, kept)."""
    chosen = design.matrix(kept)[:, step.params["kept"]]
    centre, scale = np.asarray(step.params["centre"]), np.asarray(step.params["scale"])
    return np.asarray((chosen - centre) / scale)
