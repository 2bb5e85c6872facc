"""What each hospital has on record: its own patients, and those that others sent to it.

A patient who was diagnosed in one hospital and treated in another stands in both, under another
number and with other roles; nothing in the data says that the two are one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from registry.demo.oncology.care import TREATMENTS, Care, make_care
from registry.demo.oncology.draws import Bools, Draws, Ints
from registry.demo.oncology.hospitals import HOSPITALS, PATIENTS, SLUGS
from registry.demo.oncology.proms import prom_table
from registry.demo.oncology.tumours import NO_DAY, STAGES, Tumours, make_tumours, where_known

Table = Mapping[str, list[Any]]
_LATER_FOUND = 0.08  # of those sent on, the share that the other hospital diagnosed
_OPINION = 0.012
_LOST_DATES = (911, 4_404, 9_119)  # patients whose hospital forgot the day of last contact
_UNKNOWN = {"asa": 0.03, "charlson": 0.06, "who_ps": 0.08, "tumour_size": 0.05}


@dataclass(frozen=True)
class Records:
    """One hospital's tables by unit of the codebook: columns of texts, numbers, days and None.

    `persons`: who each row of `patient` is in truth, which no hospital knows.
    """

    slug: str
    tables: Mapping[str, Table]
    persons: tuple[int, ...]

    @property
    def numbers(self) -> list[str]:
        """The local numbers of its patients."""
        return list(self.tables["patient"]["number"])


def make_records(patients: int = PATIENTS) -> dict[str, Records]:
    """The records of all ten hospitals, always the same for the same number of patients."""
    tumours = make_tumours(patients)
    care = make_care(tumours)
    roles = _Roles.of(tumours, care)
    return {slug: _records(place, slug, tumours, care, roles) for place, slug in enumerate(SLUGS)}


def local_number(place: int, person: int) -> str:
    """The number under which the hospital knows a person; another at every hospital."""
    return f"{1_000_000 + ((person + 1) * 48_271 + place * 777_743) % 8_999_993}"


@dataclass(frozen=True)
class _Roles:
    """Per tumour and hospital: has a record, first saw, diagnosed, treated; began: with the first
    treatment, which one hospital only did."""

    known: Bools
    saw: Bools
    found: Bools
    treated: Bools
    began: Bools

    @classmethod
    def of(cls, t: Tumours, care: Care) -> "_Roles":
        n, many = len(t), len(HOSPITALS)
        rows = np.arange(n)
        saw = np.zeros((n, many), bool)
        saw[rows, t.hospital] = True
        treated = np.zeros((n, many), bool)
        for column in range(len(TREATMENTS)):
            given = ~np.isnat(care.starts[:, column])
            treated[rows[given], care.place[given, column]] = True
        chance = Draws("roles")
        first = np.where(np.isnat(care.starts), np.datetime64("2100-01-01"), care.starts).argmin(1)
        began = care.place[rows, first]
        sent = treated.any(axis=1) & (began != t.hospital)
        finder = np.where(sent & (chance.uniform(n) < _LATER_FOUND), began, t.hospital)
        found = np.zeros((n, many), bool)
        found[rows, finder] = True
        known = saw | treated | found
        asked = np.flatnonzero(chance.uniform(n) < _OPINION)
        known[asked, (t.hospital[asked] + 1) % 3] = True
        first_treated = np.zeros((n, many), bool)
        first_treated[rows, began] = treated.any(axis=1)
        return cls(known, saw, found, treated, first_treated)


def _records(place: int, slug: str, t: Tumours, care: Care, roles: _Roles) -> Records:
    at = np.flatnonzero(roles.known[:, place])
    persons = t.patient[at]
    whose, first = np.unique(persons, return_index=True)
    keys = [f"{local_number(place, person)}" for person in persons.tolist()]
    nth = _nth(persons)
    tumour_keys = [f"{key}-{n}" for key, n in zip(keys, nth.tolist(), strict=True)]
    own = roles.saw[at, place]
    here = care.place[at] == place
    given = ~np.isnat(care.starts[at])
    # The first hospital knows of every treatment, another of its own only.
    told = given & (here | own[:, None])
    operated_here = given[:, 0] & here[:, 0]
    tables = {
        "patient": _patients(place, t, care, at[first], whose),
        "tumour": {
            "number": tumour_keys,
            "patient": keys,
            **_tumour_items(t, care, at, own, told),
            "first_seen_here": own.tolist(),
            "diagnosed_here": roles.found[at, place].tolist(),
            "treated_here": roles.began[at, place].tolist(),
        },
        "treatment": _treatments(t, care, at, tumour_keys, told, here),
        "outcome": _outcomes(care, at, tumour_keys, own | roles.treated[at, place], operated_here),
        "prom": prom_table(place, t, care, at[first], whose, local_number),
    }
    return Records(slug, tables, tuple(whose.tolist()))


def _nth(persons: Ints) -> Ints:
    """Which tumour of its person each row is, from 1."""
    order = np.argsort(persons, kind="stable")
    found = np.ones(len(persons), np.int64)
    same = persons[order][1:] == persons[order][:-1]
    found[order[1:][same]] = 2
    return found


def _patients(place: int, t: Tumours, care: Care, at: Ints, whose: Ints) -> Table:
    last = _days(care.last_seen[at])
    for lost in _LOST_DATES:
        for row in np.flatnonzero(whose == lost).tolist():
            last[row] = None
    return {
        "number": [local_number(place, person) for person in whose.tolist()],
        "sex": np.where(t.female[at], "female", "male").tolist(),
        "birth_date": _days(t.born[at]),
        "vital_status": np.where(care.dead[at], "dead", "alive").tolist(),
        "vital_date": last,
    }


def _tumour_items(
    t: Tumours, care: Care, at: Ints, own: Bools, told: Bools
) -> dict[str, list[Any]]:
    operated = told[:, 0]
    stage = STAGES[t.stage[at]]
    counted = operated & (t.nodes_examined[at] >= 0)
    nodes = t.nodes[at]
    pn = np.where(nodes == 0, "0", np.where(nodes < 4, "1", "2"))
    # The pathologist finds now and then another stage than the clinic did.
    moved = Draws("pathology").uniform(len(t))[at] < 0.04
    clinical = np.where(moved & (t.stage[at] == 1), "I", stage)
    asked = Draws("unknown").uniform(len(t))[at]
    items: dict[str, list[Any]] = {
        "incidence_date": _days(t.found[at]),
        **{name: _texts(values[at]) for name, values in t.text.items()},
        "behaviour": ["3"] * len(at),
        "tnm_edition": ["8"] * len(at),
        "stage_clinical": clinical.tolist(),
        "stage_pathological": np.where(operated, stage, None).tolist(),  # type: ignore[call-overload]
        "nodes_examined": where_known(counted, t.nodes_examined[at]),
        "nodes_positive": where_known(counted, nodes),
        "pn": where_known(counted, pn),
        "referral_date": _days(np.where(own, t.referred[at], NO_DAY)),
        "first_visit_date": _days(np.where(own, t.visited[at], NO_DAY)),
        "mdo_date": _days(care.team[at]),
        "in_trial": care.trial[at].tolist(),
        "prehabilitation": where_known(operated, care.prepared[at]),
    }
    plain = {
        "asa": t.asa, "charlson": t.charlson, "who_ps": t.who_ps, "tumour_size": t.size,
    }  # fmt: skip
    for turn, (name, values) in enumerate(plain.items()):
        # Other rows for each item.
        items[name] = where_known((asked + 0.17 * turn) % 1.0 >= _UNKNOWN[name], values[at])
    return items


def _treatments(
    t: Tumours, care: Care, at: Ints, keys: list[str], told: Bools, here: Bools
) -> Table:
    rows, columns = np.nonzero(told)
    curative = t.stage[at][rows] < 3
    urgent = t.urgent[at][rows] & (columns == 0)
    soon = Draws("urgency").uniform(len(t))[at][rows] < 0.06
    watched = np.flatnonzero(~told.any(axis=1) & t.is_kind("prostate")[at] & (t.stage[at] < 2))
    none = np.flatnonzero(
        ~told.any(axis=1)
        & np.isnat(care.starts[at]).all(axis=1)
        & ~np.isin(np.arange(len(at)), watched)
    )
    extra = len(watched) + len(none)
    return {
        "tumour": [keys[row] for row in (*rows.tolist(), *watched.tolist(), *none.tolist())],
        "treatment_kind": [
            *(TREATMENTS[column] for column in columns.tolist()),
            *["surveillance"] * len(watched),
            *["none"] * len(none),
        ],
        "treatment_intent": [
            *np.where(curative, "curative", "palliative").tolist(),
            *["curative"] * len(watched),
            *["unknown"] * len(none),
        ],
        "urgency": [
            *np.where(urgent, "emergency", np.where(soon, "urgent", "elective")).tolist(),
            *[None] * extra,
        ],
        "treatment_start": [*_days(care.starts[at][rows, columns]), *[None] * extra],
        "treatment_end": [*_days(care.ends[at][rows, columns]), *[None] * extra],
        "treated_elsewhere": [*(~here[rows, columns]).tolist(), *[False] * extra],
    }


def _outcomes(care: Care, at: Ints, keys: list[str], told: Bools, operated: Bools) -> Table:
    rows = np.flatnonzero(told)
    at, cut = at[rows], operated[rows]
    return {
        "tumour": [keys[row] for row in rows.tolist()],
        "complication": where_known(cut, care.grade[at]),
        "cci": where_known(cut, care.cci[at]),
        "reintervention30": where_known(cut, care.again[at]),
        "readmission30": where_known(cut, care.readmitted[at]),
        "los": where_known(cut, care.stay[at]),
        "margin": where_known(cut, care.margin[at]),
        "crm": where_known(cut & ~np.isnan(care.crm[at]), care.crm[at]),
        "died_in_admission": where_known(cut, (care.grade[at] == "V") & ~care.readmitted[at]),
        "unplanned_stoma": where_known(cut, care.stoma[at]),
        "recurrence_kind": care.back[at].tolist(),
        "recurrence_date": _days(care.back_on[at]),
    }


def _days(values: Any) -> list[Any]:
    found: list[Any] = values.astype("datetime64[D]").astype(object).tolist()
    return found


def _texts(values: Any) -> list[Any]:
    return [text or None for text in values.tolist()]
