"""From pooled Mantel-Haenszel sums to the released odds ratio and tests."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from federation.methods.base import Ask, Finished, Mask, Released
from federation.methods.groups import Dims
from federation.methods.mantel_haenszel_sums import common_odds_ratio, log_variance
from federation.methods.release import Release, seen
from federation.methods.survival_curve import Z95

_NUMBERS = ("odds_ratio", "ci_low", "ci_high", "log_odds_ratio", "se")


def release_odds_ratio(
    ask: Ask, dims: Dims, finished: Finished, shown: Mapping[str, Mask]
) -> Released:
    """The answer of kind `mantel_haenszel`, for masks `shown` of total, cells and strata.

    Odds ratio and tests are released only when all four cells are, and every stratum of a variable.
    """
    release = Release(ask)
    counts = {name: np.asarray(values) for name, values in finished.facts["counts"].items()}
    (exposure, exposures), (outcome, outcomes) = dims
    total = bool(seen(shown, "total"))
    cell_seen = seen(shown, "cells", (2, 2))
    strata = ask.params["strata"]
    strata_seen = strata in (None, "site") or bool(
        seen(shown, "strata", (len(counts["tables"]),) if "tables" in counts else (0,)).all()
    )
    people, whose = counts.get("patients"), counts.get("patients.cells")
    everything = total and bool(cell_seen.all()) and strata_seen
    result: dict[str, Any] = {
        **release.counted(
            int(counts["n"][0]), total, "n", None if people is None else int(people[0])
        ),
        "missing": release.missing(int(counts["missing"][0])),
        "outcome": outcome,
        "exposure": exposure,
        "strata": strata,
        "strata_used": int(counts["used"][0]) if everything else None,
        "cells": [
            {
                "by": {exposure: one, outcome: other},
                **release.counted(
                    int(counts["cells"].flat[i]),
                    bool(cell_seen.flat[i]),
                    f"cells[{i}]",
                    None if whose is None else int(whose.flat[i]),
                ),
            }
            for i, (one, other) in enumerate(itertools.product(exposures, outcomes))
        ],
        **dict.fromkeys(_NUMBERS),
        "test": None,
        "homogeneity": None,
    }
    if not everything:
        for name in ("strata_used", "odds_ratio", "test", "homogeneity"):
            release.hide(name, "small_cell")
        return release.done(result)
    ratio = common_odds_ratio(counts)
    if ratio is None:
        release.warnings.append("No common odds ratio: no stratum has what it needs.")
    else:
        estimate, se = float(np.log(ratio)), float(np.sqrt(log_variance(counts)))
        low, high = np.exp([estimate - Z95 * se, estimate + Z95 * se]).tolist()
        for name, value in zip(_NUMBERS, (ratio, low, high, estimate, se), strict=True):
            result[name] = release.coefficient(value)
    result["test"] = _association(release, counts)
    result["homogeneity"] = _homogeneity(release, finished, int(counts["used"][0]))
    return release.done(result)


def _test(release: Release, chi2: float, df: int) -> dict[str, Any]:
    from scipy import special

    return {
        "chi2": release.coefficient(chi2),
        "df": df,
        "p": release.coefficient(float(special.chdtrc(df, chi2))),
    }


def _association(release: Release, counts: Mapping[str, Any]) -> dict[str, Any] | None:
    variance = float(counts["variance"][0])
    if not variance > 0:
        return None
    return _test(release, float(counts["excess"][0]) ** 2 / variance, 1)


def _homogeneity(release: Release, finished: Finished, used: int) -> dict[str, Any] | None:
    """Breslow-Day, and with Tarone's correction for the odds ratio being estimated."""
    sums = finished.facts.get("homogeneity")
    if sums is None or used < 2:
        release.warnings.append("No test of homogeneity: it needs two strata or more.")
        return None
    chi2, off, spread = (float(sums[name][0]) for name in ("squares", "off", "spread"))
    return {
        **_test(release, chi2, used - 1),
        "tarone": _test(release, max(chi2 - off**2 / spread, 0.0), used - 1),
    }
