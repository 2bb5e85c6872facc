"""Kinds of tumour with plausible numbers for synthetic patients.

Severe complications, mortality after them, length of stay and margins lie in the ranges published
for the Dutch colorectal and breast audits (DCRA, NBCA); shares of stages and treatments are round
numbers near those of the cancer registry. They are made for a demonstration and describe nobody.
"""

from dataclasses import dataclass

Stages = tuple[float, float, float, float]


@dataclass(frozen=True)
class Kind:
    """One kind of tumour.

    share: of all first tumours. codes: topography with subsite. stages: shares of I to IV; each
    treatment its chance per stage. wait: usual days from diagnosis to treatment. hazard: deaths a
    year per stage. back: recurrences a year per stage. severe: chance of a severe complication of
    surgery, fatal: of death among those. stay: usual days in hospital. margin: chance of tumour
    at the margin. nodes: usual number of lymph nodes examined, 0 for none. urgent: operated as an
    emergency.
    """

    name: str
    share: float
    codes: tuple[str, ...]
    morphology: tuple[int, ...]
    female: float
    age: float
    spread: float
    youngest: int
    sided: bool
    stages: Stages
    surgery: Stages
    radiotherapy: Stages
    chemotherapy: Stages
    hormonal: Stages
    targeted: Stages
    immunotherapy: Stages
    wait: float
    hazard: Stages
    back: Stages
    severe: float
    fatal: float
    stay: float
    margin: float
    nodes: float
    urgent: float


_NO: Stages = (0.0, 0.0, 0.0, 0.0)

KINDS: tuple[Kind, ...] = (
    Kind(
        "breast", 0.25, ("C50.1", "C50.2", "C50.4", "C50.5"), (8500, 8500, 8520), 1.0, 62, 13, 25,
        True, (0.48, 0.35, 0.11, 0.06), (0.96, 0.95, 0.88, 0.10), (0.62, 0.62, 0.80, 0.15),
        (0.12, 0.42, 0.80, 0.35), (0.45, 0.66, 0.66, 0.70), (0.04, 0.13, 0.20, 0.25), _NO, 28,
        (0.012, 0.025, 0.07, 0.30), (0.010, 0.025, 0.08, 0.0), 0.035, 0.01, 1.3, 0.040, 2.2, 0.0,
    ),
    Kind(
        "colon", 0.16, ("C18.0", "C18.2", "C18.4", "C18.7"), (8140,), 0.48, 71, 10.5, 30, False,
        (0.22, 0.30, 0.28, 0.20), (0.97, 0.96, 0.95, 0.28), _NO, (0.0, 0.12, 0.58, 0.52), _NO,
        (0.0, 0.0, 0.0, 0.20), (0.0, 0.0, 0.0, 0.05), 25, (0.025, 0.045, 0.09, 0.55),
        (0.015, 0.05, 0.13, 0.0), 0.175, 0.10, 5.0, 0.025, 18.0, 0.12,
    ),
    Kind(
        "rectum", 0.08, ("C20.9",), (8140,), 0.39, 68, 10.5, 30, False, (0.24, 0.18, 0.38, 0.20),
        (0.84, 0.80, 0.80, 0.25), (0.12, 0.35, 0.68, 0.30), (0.0, 0.10, 0.45, 0.50), _NO,
        (0.0, 0.0, 0.0, 0.15), _NO, 33, (0.022, 0.04, 0.085, 0.50), (0.02, 0.05, 0.13, 0.0), 0.235,
        0.07, 5.4, 0.045, 17.0, 0.02,
    ),
    Kind(
        "lung", 0.18, ("C34.1", "C34.2", "C34.3"), (8140, 8070, 8041), 0.47, 69, 9.5, 35, True,
        (0.24, 0.08, 0.20, 0.48), (0.52, 0.50, 0.12, 0.01), (0.38, 0.34, 0.62, 0.20),
        (0.03, 0.30, 0.66, 0.34), _NO, (0.0, 0.02, 0.05, 0.14), (0.02, 0.12, 0.40, 0.42), 31,
        (0.09, 0.20, 0.36, 0.85), (0.06, 0.13, 0.25, 0.0), 0.125, 0.09, 5.5, 0.04, 9.0, 0.0,
    ),
    Kind(
        "prostate", 0.16, ("C61.9",), (8140,), 0.0, 70, 7.5, 45, False, (0.38, 0.24, 0.20, 0.18),
        (0.22, 0.34, 0.32, 0.02), (0.14, 0.34, 0.52, 0.15), (0.0, 0.0, 0.02, 0.25),
        (0.02, 0.15, 0.45, 0.90), _NO, _NO, 48, (0.018, 0.022, 0.035, 0.16),
        (0.010, 0.025, 0.06, 0.0), 0.055, 0.01, 2.2, 0.20, 0.0, 0.0,
    ),
    Kind(
        "melanoma", 0.09, ("C44.5", "C44.6", "C44.7"), (8720,), 0.52, 62, 15, 20, True,
        (0.70, 0.16, 0.10, 0.04), (0.99, 0.99, 0.95, 0.20), (0.0, 0.0, 0.02, 0.15), _NO, _NO,
        (0.0, 0.0, 0.10, 0.30), (0.0, 0.10, 0.45, 0.60), 30, (0.012, 0.03, 0.07, 0.40),
        (0.012, 0.05, 0.10, 0.0), 0.015, 0.01, 1.0, 0.02, 0.0, 0.0,
    ),
    Kind(
        "bladder", 0.08, ("C67.2", "C67.9"), (8120,), 0.24, 73, 9, 40, False,
        (0.45, 0.28, 0.12, 0.15), (0.93, 0.80, 0.52, 0.08), (0.02, 0.18, 0.20, 0.15),
        (0.05, 0.25, 0.40, 0.45), _NO, _NO, (0.02, 0.02, 0.08, 0.25), 29,
        (0.05, 0.13, 0.22, 0.70), (0.05, 0.10, 0.16, 0.0), 0.085, 0.05, 2.4, 0.08, 0.0, 0.0,
    ),
)  # fmt: skip
