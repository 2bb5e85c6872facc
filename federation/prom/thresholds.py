"""From which score on complaints matter in daily life: thresholds for clinical importance.

Source: Giesinger et al. 2020 (doi:10.1016/j.jclinepi.2019.10.003). The numbers were taken over from
a second source and nobody of this project has held them against the paper: each says so with
`confirmed`, and a page that shows one says so too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

SOURCE: Final = "Giesinger 2020, doi:10.1016/j.jclinepi.2019.10.003"


@dataclass(frozen=True)
class Threshold:
    """value: the score itself. worse: on which side of it complaints matter."""

    variable: str
    value: float
    worse: Literal["below", "above"]
    source: str = SOURCE
    confirmed: bool = False

    def reached(self, score: float) -> bool:
        """Whether a score lies on the side where complaints matter."""
        return score < self.value if self.worse == "below" else score > self.value


def _thresholds() -> Mapping[str, Threshold]:
    below = {
        "qlq_physical": 83,
        "qlq_role": 58,
        "qlq_emotional": 71,
        "qlq_cognitive": 75,
        "qlq_social": 58,
    }
    above = {
        "qlq_fatigue": 39,
        "qlq_pain": 25,
        "qlq_nausea": 8,
        "qlq_dyspnoea": 17,
        "qlq_insomnia": 50,
        "qlq_appetite": 50,
        "qlq_constipation": 50,
        "qlq_diarrhoea": 17,
        "qlq_finance": 17,
    }
    made = [Threshold(name, float(value), "below") for name, value in below.items()]
    made += [Threshold(name, float(value), "above") for name, value in above.items()]
    return MappingProxyType({each.variable: each for each in made})


THRESHOLDS: Final = _thresholds()
