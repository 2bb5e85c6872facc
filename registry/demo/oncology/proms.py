"""Answers to questionnaires, as scores: a part of the patients, before treatment and after it."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from registry.demo.oncology.care import Care
from registry.demo.oncology.draws import Draws, Floats, Ints
from registry.demo.oncology.hospitals import HOSPITALS
from registry.demo.oncology.tumours import KNOWN_UNTIL, Tumours, days, where_known

_POINTS: Final = (("T0", 0), ("3m", 91), ("12m", 365))
_KEEPS_UP: Final = (1.0, 0.78, 0.62)
#: Scale of the QLQ-C30: questions in it, usual score, how much worse at 3 and at 12 months, +1
#: where more is better and -1 where it is worse.
_SCALES: Final[Mapping[str, tuple[int, float, float, float, int]]] = {
    "qlq_physical": (5, 84, 9, 3, 1),
    "qlq_role": (2, 79, 14, 4, 1),
    "qlq_emotional": (4, 74, -2, -5, 1),
    "qlq_cognitive": (2, 85, 3, 2, 1),
    "qlq_social": (2, 84, 8, 2, 1),
    "qlq_fatigue": (3, 26, 11, 4, -1),
    "qlq_nausea": (2, 5, 5, 1, -1),
    "qlq_pain": (2, 19, 5, 1, -1),
    "qlq_dyspnoea": (1, 14, 4, 2, -1),
    "qlq_insomnia": (1, 28, 2, -2, -1),
    "qlq_appetite": (1, 12, 6, -1, -1),
    "qlq_constipation": (1, 9, 3, 1, -1),
    "qlq_diarrhoea": (1, 8, 3, 2, -1),
    "qlq_finance": (1, 8, 3, 2, -1),
}
_GLOBAL: Final = (12, 72.0, 7.0, 0.0, 1)  # two questions with seven answers
SCORES: Final = ("qlq_global", *_SCALES)
#: What each level of a question takes off in the Dutch value set (Versteegh and others, 2016).
_DUTCH: Final = np.array(
    [
        [0, 0.035, 0.057, 0.166, 0.203],
        [0, 0.038, 0.061, 0.168, 0.168],
        [0, 0.039, 0.087, 0.192, 0.192],
        [0, 0.066, 0.092, 0.360, 0.415],
        [0, 0.070, 0.145, 0.356, 0.421],
    ]
)
_ANY_PROBLEM: Final = 0.047


def prom_table(
    place: int,
    tumours: Tumours,
    care: Care,
    at: Ints,
    persons: Ints,
    number: Callable[[int, int], str],
) -> dict[str, list[Any]]:
    """The questionnaires due to one hospital's own patients, with scores where one came back.

    at: the first tumour of each person.
    """
    chance = Draws(f"questionnaires {HOSPITALS[place].slug}")
    n = len(at)
    asked = (tumours.hospital[at] == place) & ~tumours.is_kind("melanoma")[at]
    share = HOSPITALS[place].questionnaires * np.where(tumours.age[at] > 80, 0.5, 1.0)
    takes_part = asked & chance.yes(share * (tumours.stage[at] < 3))
    well = chance.normal(n) - 0.25 * (tumours.asa[at] - 2)
    harmed = np.isin(care.grade[at], ["IIIa", "IIIb", "IVa", "IVb"]) & care.operated[at]
    made: dict[str, list[Any]] = {
        name: []
        for name in (
            "patient", "prom_instrument", "prom_timepoint", "prom_date", "prom_due",
            "prom_completed", *SCORES, "eq5d_index",
            "eq_vas",
        )
    }  # fmt: skip
    for (point, after), keeps in zip(_POINTS, _KEEPS_UP, strict=True):
        when = tumours.found[at] + days(after + 2 + np.floor(9 * chance.uniform(n)))
        due = takes_part & (when < care.last_seen[at]) & (when <= KNOWN_UNTIL)
        answered = due & (chance.uniform(n) < keeps)
        moment = _POINTS.index((point, after))
        scores = {
            name: _score(chance, well, harmed, moment, *scale)
            for name, scale in {"qlq_global": _GLOBAL, **_SCALES}.items()
        }
        index, vas = _eq5d(chance, well, harmed, moment)
        rows = np.flatnonzero(due)
        came = answered[rows]
        whose = [number(place, person) for person in persons[rows].tolist()]
        for instrument, own in (
            ("QLQ-C30", scores), ("EQ-5D-5L", {"eq5d_index": index, "eq_vas": vas}),
        ):  # fmt: skip
            made["patient"] += whose
            made["prom_instrument"] += [instrument] * len(rows)
            made["prom_timepoint"] += [point] * len(rows)
            made["prom_date"] += when[rows].astype("datetime64[D]").astype(object).tolist()
            made["prom_due"] += [True] * len(rows)
            made["prom_completed"] += came.tolist()
            for name in (*SCORES, "eq5d_index", "eq_vas"):
                made[name] += (
                    where_known(came, own[name][rows]) if name in own else [None] * len(rows)
                )
    return made


def _score(
    chance: Draws,
    well: Floats,
    harmed: Any,
    moment: int,
    questions: int,
    usual: float,
    at_3: float,
    at_12: float,
    sign: int,
) -> Floats:
    worse = (0.0, at_3, at_12)[moment] * np.where(harmed, 1.6, 1.0)
    drawn = usual + sign * (11 * well - worse) + 11 * chance.normal(len(well))
    step = 100 / (3 * questions) if questions < 12 else 100 / 12
    return np.round(np.rint(np.clip(drawn, 0, 100) / step) * step, 2)


def _eq5d(chance: Draws, well: Floats, harmed: Any, moment: int) -> tuple[Floats, Floats]:
    worse = (0.0, 0.5, 0.12)[moment] * np.where(harmed, 1.6, 1.0)
    levels = np.column_stack(
        [
            np.clip(np.floor(1.5 + worse - 0.55 * well + 0.65 * chance.normal(len(well))), 1, 5)
            for _ in range(5)
        ]
    ).astype(int)
    taken = sum(_DUTCH[question][levels[:, question] - 1] for question in range(5))
    index = 1 - taken - _ANY_PROBLEM * (levels > 1).any(axis=1)
    vas = np.clip(np.rint(78 + 9 * well - 14 * worse + 8 * chance.normal(len(well))), 0, 100)
    return np.round(index, 3), vas
