"""The ten institutions as the synthetic data see them: size, expertise and ways of working.

Names, kinds and the region are OncoZON's (studies/seeds/oncozon.py). How many patients each sees,
who refers to whom and every difference between them is invented, so that pictures look like life.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Hospital:
    """One institution.

    seen: patients whose first visit was here. access, waiting: factors on the usual days to the
    first visit and to treatment. harm, margins: log odds beside the others' of a severe
    complication and of tumour at the margin. team: how often the team meeting comes before
    treatment. refers: per kind of tumour the hospital that operates for this one. radiotherapy:
    where it is given. prehabilitation, trials, questionnaires: the share that takes part.
    """

    slug: str
    seen: int
    access: float
    waiting: float
    harm: float
    margins: float
    team: float
    refers: Mapping[str, str]
    radiotherapy: str
    prehabilitation: float
    trials: float
    questionnaires: float


_ALL_BUT_BREAST = ("lung", "rectum", "prostate", "bladder")


def _to(hospital: str, *kinds: str) -> dict[str, str]:
    return dict.fromkeys(kinds, hospital)


HOSPITALS: tuple[Hospital, ...] = (
    Hospital(
        "maastricht-umc", 4000, 1.05, 1.06, 0.10, -0.10, 0.97, {}, "maastro", 0.55, 0.18, 0.45
    ),
    Hospital("catharina", 3650, 1.00, 1.00, -0.05, 0.00, 0.96, {}, "catharina", 0.65, 0.13, 0.55),
    Hospital("zuyderland", 3600, 0.95, 1.02, -0.15, -0.05, 0.95, {}, "maastro", 0.40, 0.09, 0.30),
    Hospital(
        "maxima-mc",
        2450,
        0.92,
        0.95,
        -0.30,
        0.05,
        0.96,
        _to("catharina", "lung"),
        "catharina",
        0.80,
        0.11,
        0.60,
    ),
    Hospital(
        "viecuri",
        1900,
        1.00,
        1.00,
        0.05,
        0.00,
        0.94,
        _to("maastricht-umc", "lung"),
        "maastro",
        0.35,
        0.07,
        0.35,
    ),
    Hospital(
        "elkerliek",
        1250,
        0.97,
        0.98,
        0.00,
        0.10,
        0.93,
        _to("catharina", *_ALL_BUT_BREAST),
        "catharina",
        0.30,
        0.05,
        0.30,
    ),
    Hospital(
        "laurentius",
        1200,
        1.08,
        1.05,
        0.15,
        0.15,
        0.90,
        _to("zuyderland", *_ALL_BUT_BREAST),
        "maastro",
        0.10,
        0.04,
        0.25,
    ),
    Hospital(
        "st-anna",
        1000,
        0.90,
        0.97,
        -0.10,
        0.05,
        0.95,
        _to("catharina", *_ALL_BUT_BREAST),
        "catharina",
        0.45,
        0.05,
        0.40,
    ),
    Hospital(
        "sjg-weert",
        650,
        1.02,
        1.04,
        0.20,
        0.20,
        0.88,
        _to("zuyderland", *_ALL_BUT_BREAST),
        "maastro",
        0.00,
        0.03,
        0.20,
    ),
    Hospital(
        "maastro",
        300,
        0.85,
        0.90,
        0.00,
        0.00,
        0.98,
        _to("maastricht-umc", "breast", "colon", "melanoma", *_ALL_BUT_BREAST),
        "maastro",
        0.00,
        0.15,
        0.50,
    ),
)
PATIENTS = sum(hospital.seen for hospital in HOSPITALS)
SLUGS: tuple[str, ...] = tuple(hospital.slug for hospital in HOSPITALS)


def seen_by(patients: int) -> list[int]:
    """How many of so many patients each hospital sees first, as in the whole network."""
    return [max(hospital.seen * patients // PATIENTS, 1) for hospital in HOSPITALS]


@dataclass(frozen=True)
class Trouble:
    """Several of one hospital's theatre staff were ill for a quarter, with one clinic a week left:
    planned patients waited about twice as long for a first visit and for surgery. The quarter
    after, it was over."""

    hospital: str
    first: np.datetime64
    last: np.datetime64
    access: float
    surgery: float


TROUBLE = Trouble(
    hospital="viecuri",
    first=np.datetime64("2025-04-01"),
    last=np.datetime64("2025-06-30"),
    access=2.0,
    surgery=1.9,
)
QUARTER_OF_TROUBLE = ("2025-04", "2025-06")
QUARTER_AFTER = ("2025-07", "2025-09")
NEXT_QUARTER = ("2025-10", "2025-12")
YEAR = ("2025-01", "2025-12")
