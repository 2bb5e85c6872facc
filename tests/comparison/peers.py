"""The rules by which other systems release numbers, as far as the attacks here meet them.

Written from their sources as disclosure.md (sections 1 to 3) quotes them: DataSHIELD dsBase 6.3
(`nfilter.tab` 3, `nfilter.subset` 3, `nfilter.glm` 0.33), vantage6's algorithms (crosstab shows
"0-4", average and Kaplan-Meier have no guard, GLM takes the caller's coefficients), and rounding as
OpenSAFELY does it (7 and fewer are 0, then to the nearest 5). Each function gets true rows and
gives what a researcher would be shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd


class Withheld(Exception):
    """The peer refuses, too."""


def _datashield_count(n: int) -> int:
    if 0 < n < 3:  # nfilter.tab; noughts are open
        raise Withheld
    return n


def _vantage6_count(n: int) -> int:
    if n < 5:  # "0-4"
        raise Withheld
    return n


def _rounded_count(n: int) -> int:
    return 0 if n <= 7 else round(n / 5) * 5


def _datashield_mean(values: Any) -> float:
    if len(values) < 3:
        raise Withheld
    return float(np.mean(values))


def _plain_mean(values: Any) -> float:
    return float(np.mean(values))


def _by_hand(*_: Any) -> Any:
    """Left to two people who look at each output; they see one at a time."""
    raise Withheld


def _datashield_score(design: Any, y: Any, beta: Any) -> Any:
    if design.shape[1] > 0.33 * design.shape[0]:
        raise Withheld
    return _score(design, y, beta)


def _score(design: Any, y: Any, beta: Any) -> Any:
    """The logistic score at coefficients of the caller's choice."""
    mean = 1 / (1 + np.exp(-np.clip(design @ beta, -700, 700)))
    return design.T @ (y - mean)


def _least_squares(design: Any, y: Any) -> Any:
    if design.shape[1] > 0.33 * design.shape[0]:
        raise Withheld
    return np.linalg.lstsq(design, y, rcond=None)[0]


def _every_event_time(days: Any, events: Any) -> Any:
    """The time of each event with the number at risk, as v6-kaplan-meier returns them."""
    times = np.unique(days[events])
    return pd.DataFrame({"t": times, "at_risk": [(days >= t).sum() for t in times]})


@dataclass(frozen=True)
class Peer:
    """One system's answers. A function that always raises Withheld: it has no such answer."""

    name: str
    count: Callable[[int], int]
    mean: Callable[[Any], float]
    score: Callable[[Any, Any, Any], Any]
    linear: Callable[[Any, Any], Any]
    curve: Callable[[Any, Any], Any]


PEERS = (
    Peer("DataSHIELD", _datashield_count, _datashield_mean, _datashield_score, _least_squares,
         _by_hand),
    Peer("vantage6 algorithms", _vantage6_count, _plain_mean, _score, _least_squares,
         _every_event_time),
    Peer("Rounding to 5", _rounded_count, _by_hand, _by_hand, _by_hand, _by_hand),
)  # fmt: skip
