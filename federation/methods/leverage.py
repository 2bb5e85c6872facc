"""Whether a fit leans on too few patients: on one, on some alike, or on a handful together (O8).

A leverage is a patient's share in the fitted model. Those of all patients add up to the number of
coefficients, and m patients with equal columns have 1 / m each at most. So a leverage above 1 / t
says that fewer than t patients, in all hospitals together, stand in that place of the model.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from federation.methods.base import Sums
from federation.methods.grouping import largest_per_person, sums_by
from federation.query.refusals import Refused
from federation.query.terms import Terms

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def check_leverage(
    shares: Floats,
    matrix: Floats,
    people: Ints | None,
    terms: Terms,
    outcome: Floats | None = None,
) -> Sums:
    """Judge the leverages at one hospital, and say how many patients are heavy for `check_heavy`.

    `shares` (n,) are the rows' leverages, `matrix` (n, p) their columns, `people` (n,) whose they
    are; `outcome` (n,) is what a row's outcome adds to its share. Raises Refused MODEL_UNSTABLE
    when one patient, or those with equal columns where fewer than t_cell can stand, have more than
    `max_leverage`: then the answer may be little else than their value, or their mean.
    """
    largest = largest_per_person(shares if outcome is None else shares + outcome, people)
    place = _above(shares, terms)
    if place.size:
        _, alike = np.unique(matrix[place], axis=0, return_inverse=True)
        largest = max(largest, float(np.bincount(alike.reshape(-1), shares[place]).max()))
    if not largest <= terms.model.max_leverage:  # nan fails, too
        raise Refused("MODEL_UNSTABLE")
    own = shares if people is None else sums_by(people, shares, 0)
    heavy = _above(own, terms)
    return {"heavy": np.array([heavy.size]), "heavy_share": np.array([own[heavy].sum()])}


def check_heavy(pooled: Sums, terms: Terms) -> None:
    """Refused MODEL_UNSTABLE when fewer than t_cell patients have a coefficient to themselves.

    They may be one at each of a few hospitals, none of which sees more than its own.
    """
    few = 0 < int(pooled["heavy"][0]) < terms.t_cell
    if few and float(pooled["heavy_share"][0]) > 1.0 - 1.0 / terms.t_cell:
        raise Refused("MODEL_UNSTABLE")


def is_light(largest: float, added: float, terms: Terms) -> bool:
    """Whether `check_leverage` finds nothing where no share is above `largest`, and an outcome
    adds `added` at most; a row being a patient."""
    none_heavy = largest * (terms.t_cell - 0.5) <= 1.0 and terms.t_cell > 0
    return none_heavy and largest + added <= terms.model.max_leverage


def _above(shares: Floats, terms: Terms) -> Ints:
    """Places of the shares that fewer than t_cell patients can have; exactly 1 / t_cell is none."""
    return np.flatnonzero(shares * (terms.t_cell - 0.5) > 1.0)
