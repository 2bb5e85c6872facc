"""The synthetic patients and what is known of each tumour at diagnosis."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.demo.oncology.draws import Bools, Draws, Floats, Ints
from registry.demo.oncology.hospitals import HOSPITALS, PATIENTS, TROUBLE, seen_by
from registry.demo.oncology.kinds import KINDS

Days = NDArray[np.datetime64]
Texts = NDArray[np.str_]

FIRST_DAY = np.datetime64("2023-01-01")
LAST_DAY = np.datetime64("2025-12-31")
KNOWN_UNTIL = np.datetime64("2026-06-30")
NO_DAY = np.datetime64("NaT")
STAGES = np.array(["I", "II", "III", "IV"])
_DAY = np.timedelta64(1, "D")
_SECOND_TUMOUR = 0.03
_ON_CLINIC_DAYS = 0.65
_MEN_WITH_BREAST_CANCER = 12  # one of the few things that a hospital is warned of


def days(numbers: Floats | Ints) -> NDArray[np.timedelta64]:
    """Whole days."""
    return np.rint(numbers).astype(np.int64).astype("timedelta64[D]")


def whole(numbers: Floats, low: int, high: int) -> Ints:
    """Whole numbers between two bounds."""
    return np.clip(np.rint(numbers), low, high).astype(np.int64)


def on_clinic_days(waited: Floats, chance: Draws, always: Bools) -> Floats:
    """The same waits, most of them in whole weeks: letters are read, clinics held and theatres free
    on the same day of each week. `always`: where there was but one such day a week."""
    weekly = always | (chance.uniform(len(waited)) < _ON_CLINIC_DAYS)
    return np.where(weekly, np.maximum(np.rint(waited / 7.0), 1.0) * 7.0, waited)


def where_known(known: Bools, values: NDArray[Any]) -> list[Any]:
    """The values, None where they are not known."""
    pairs = zip(known.tolist(), values.tolist(), strict=True)
    return [value if there else None for there, value in pairs]


@dataclass(frozen=True)
class Tumours:
    """Every tumour of every patient, as columns of equal length.

    patient: which patient. kind, hospital: places in KINDS and HOSPITALS (of the first visit).
    stage: 0 to 3 for I to IV. planned: no emergency. `text` holds the items that are codes.
    """

    patient: Ints
    kind: Ints
    hospital: Ints
    stage: Ints
    female: Bools
    born: Days
    referred: Days
    visited: Days
    found: Days
    age: Ints
    asa: Ints
    charlson: Ints
    who_ps: Ints
    size: Ints
    nodes: Ints
    nodes_examined: Ints
    urgent: Bools
    text: Mapping[str, Texts]

    def __len__(self) -> int:
        return len(self.patient)

    def of_kind(self, name: str) -> Floats:
        """A number of the kind of each tumour, by the name of its field."""
        return np.array([getattr(kind, name) for kind in KINDS], np.float64)[self.kind]

    def by_stage(self, name: str) -> Floats:
        """A number of the kind and stage of each tumour."""
        return np.array([getattr(kind, name) for kind in KINDS])[self.kind, self.stage]

    def is_kind(self, *names: str) -> Bools:
        return np.isin(np.array([kind.name for kind in KINDS])[self.kind], names)

    def at_first(self, name: str) -> Floats:
        """A number of the hospital of the first visit."""
        return np.array([getattr(each, name) for each in HOSPITALS], np.float64)[self.hospital]


def make_tumours(patients: int = PATIENTS) -> Tumours:
    """The tumours of three years, always the same for the same number of patients."""
    seen = seen_by(patients)
    people = sum(seen)
    chance = Draws("who")
    twice = np.flatnonzero(chance.uniform(people) < _SECOND_TUMOUR)
    patient = np.concatenate([np.arange(people), twice])
    n = len(patient)
    hospital = np.repeat(np.arange(len(HOSPITALS)), seen)[patient]
    shares = np.tile(np.array([kind.share for kind in KINDS]), (people, 1))
    first = chance.pick(shares)
    # Whoever has two has two of different organs that both sexes have, in either order.
    second = np.full(len(twice), _place("melanoma"))
    second[first[twice] == _place("melanoma")] = _place("colon")
    kind = np.concatenate([first, second])
    female = chance.yes(np.array([each.female for each in KINDS])[first])
    female[
        np.flatnonzero(first == _place("breast"))[:: max(people // 4 // _MEN_WITH_BREAST_CANCER, 1)]
    ] = False
    age = _age(first, chance)
    found = FIRST_DAY + days(np.floor(chance.uniform(n) * ((LAST_DAY - FIRST_DAY) // _DAY + 1)))
    # Both tumours of a patient lie in the three years; birthdays follow from the first one's age.
    born = (found[:people] - days((age + chance.uniform(people) * 0.98) * 365.25))[patient]
    years = whole(np.floor((found - born) / _DAY / 365.2425), 18, 94)
    stage = chance.pick(np.array([each.stages for each in KINDS])[kind])
    urgent = chance.yes(np.array([each.urgent for each in KINDS])[kind]) & (stage > 0)
    visited, referred = _road(found, hospital, stage, urgent)
    return Tumours(
        patient=patient,
        kind=kind,
        hospital=hospital,
        stage=stage,
        female=female[patient],
        born=born,
        referred=referred,
        visited=visited,
        found=found,
        age=years,
        urgent=urgent,
        **_condition(years, kind, stage),
        text=_texts(kind, stage),
    )


def _place(name: str) -> int:
    return next(place for place, kind in enumerate(KINDS) if kind.name == name)


def _age(kind: Ints, chance: Draws) -> Ints:
    middle = np.array([each.age for each in KINDS])[kind]
    spread = np.array([each.spread for each in KINDS])[kind]
    youngest = np.array([each.youngest for each in KINDS])[kind]
    drawn = np.rint(middle + spread * chance.normal(len(kind)))
    return np.clip(drawn, youngest, 91).astype(np.int64)


def _road(found: Days, hospital: Ints, stage: Ints, urgent: Bools) -> tuple[Days, Days]:
    """The days of the first visit and of the referral before it."""
    chance, n = Draws("access"), len(found)
    looking = np.minimum(chance.around(np.full(n, 9.0), 0.75), 90)
    looking[urgent] = 0
    visited = found - days(looking)
    usual = 14.9 * np.array([each.access for each in HOSPITALS])[hospital]
    # A cancer that has spread is often seen sooner; an emergency on the day itself.
    usual = np.where(stage == 3, usual * 0.8, usual)
    slow = (
        (hospital == [each.slug for each in HOSPITALS].index(TROUBLE.hospital))
        & (visited >= TROUBLE.first)
        & (visited <= TROUBLE.last)
        & ~urgent
    )
    usual = np.where(slow, usual * TROUBLE.access, usual)
    waited = on_clinic_days(np.clip(chance.around(usual, 0.42), 0, 180), chance, slow)
    waited[urgent] = 0
    return visited, visited - days(waited)


def _condition(age: Ints, kind: Ints, stage: Ints) -> dict[str, Ints]:
    chance, n = Draws("condition"), len(age)
    frail = (age - 65) / 12.0 + chance.normal(n)
    asa = np.digitize(frail, [-0.9, 1.0, 2.7]) + 1
    charlson = whole(np.maximum(frail, 0) * 1.1 + chance.uniform(n) - 0.4, 0, 12)
    who_ps = whole(0.25 * frail + 0.25 * stage + 0.5 * chance.normal(n), 0, 4)
    size = whole(chance.around(np.array([14.0, 25.0, 38.0, 45.0])[stage], 0.4), 3, 180)
    usual = np.array([each.nodes for each in KINDS])[kind]
    examined = whole(chance.around(np.maximum(usual, 1.0), 0.38), 1, 80)
    counted = usual > 0
    # Positive nodes where the stage says so: III of breast, colon, rectum and lung.
    some = whole(1 + 3.0 * chance.exponential(np.full(n, 1.0)), 1, 30)
    nodes = np.where(counted & (stage == 2), np.minimum(some, examined), 0)
    return {
        "asa": asa.astype(np.int64),
        "charlson": charlson,
        "who_ps": who_ps,
        "size": size,
        "nodes": nodes,
        "nodes_examined": np.where(counted, examined, -1),
    }


def _texts(kind: Ints, stage: Ints) -> dict[str, Texts]:
    chance, n = Draws("codes"), len(kind)
    turn = chance.uniform(n)
    code, morphology = np.empty(n, "U5"), np.empty(n, "U4")
    for place, each in enumerate(KINDS):
        mine = kind == place
        code[mine] = np.array(each.codes)[(turn[mine] * len(each.codes)).astype(int)]
        forms = np.array([str(one) for one in each.morphology])
        morphology[mine] = forms[(chance.uniform(int(mine.sum())) * len(forms)).astype(int)]
    sided = np.array([each.sided for each in KINDS])[kind]
    side = np.where(sided, np.where(chance.uniform(n) < 0.5, "left", "right"), "none")
    staged_by_m = kind != _place("melanoma")
    breast = kind == _place("breast")
    positive = chance.uniform(n) < 0.84
    her2 = chance.uniform(n) < 0.14
    return {
        "topography_code": code,
        "morphology": morphology,
        "laterality": side,
        "grade": np.array(["1", "2", "3", "9"])[
            chance.pick(np.tile([0.2, 0.5, 0.25, 0.05], (n, 1)))
        ],
        "basis": np.where(chance.uniform(n) < 0.97, "7", "5"),
        "cm": np.where(stage == 3, "1", np.where(staged_by_m | (stage < 3), "0", "")),
        "er": np.where(breast, np.where(positive, "positive", "negative"), ""),
        "her2": np.where(breast, np.where(her2, "positive", "negative"), ""),
    }
