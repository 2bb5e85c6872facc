"""What happened after diagnosis: treatments, complications, recurrences, deaths."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.demo.oncology.draws import Bools, Draws, Floats, Ints, log_odds, logistic
from registry.demo.oncology.hospitals import HOSPITALS, SLUGS, TROUBLE
from registry.demo.oncology.kinds import KINDS
from registry.demo.oncology.tumours import (
    KNOWN_UNTIL,
    NO_DAY,
    Days,
    Texts,
    Tumours,
    days,
    on_clinic_days,
    whole,
)

TREATMENTS = (
    "surgery",
    "radiotherapy",
    "chemotherapy",
    "hormonal",
    "targeted",
    "immunotherapy",
)
_LASTS = (0, 25, 100, 900, 300, 300)
_GRADES = np.array(["0", "I", "II", "IIIa", "IIIb", "IVa", "IVb", "V"])
_PREPARED = ("colon", "rectum", "lung")


@dataclass(frozen=True)
class Care:
    """Columns as long as the tumours.

    starts, ends: per kind of treatment (n, 6), NaT for none. place: per kind of treatment which
    hospital gave it. team: day of the team meeting. outcome columns hold for whoever had surgery.
    """

    starts: Days
    ends: Days
    place: Ints
    team: Days
    trial: Bools
    prepared: Bools
    grade: Texts
    cci: Floats
    again: Bools
    readmitted: Bools
    stay: Ints
    margin: Texts
    crm: Floats
    stoma: Bools
    back: Texts
    back_on: Days
    dead: Bools
    last_seen: Days

    @property
    def operated(self) -> Bools:
        return ~np.isnat(self.starts[:, 0])


def make_care(tumours: Tumours) -> Care:
    """How the patients were treated and how they fared, always the same."""
    given = _given(tumours)
    starts = _starts(tumours, given)
    died_on = _same_for_all_tumours(tumours, _deaths(tumours))
    # Whoever has two tumours lived to see both found.
    known = _same_for_all_tumours(tumours, tumours.found, last=True)
    died_on = np.maximum(died_on, known + np.timedelta64(12, "D"))
    # Nobody is treated after death.
    starts = np.where(starts >= died_on[:, None], NO_DAY, starts)
    operated = ~np.isnat(starts[:, 0])
    place = _places(tumours)
    prepared = _prepared(tumours, operated, place)
    harm = _harm(tumours, operated, place, prepared)
    once = np.bincount(tumours.patient)[tumours.patient] == 1
    fatal = operated & harm["fatal"] & once
    soon = starts[:, 0] + days(2 + np.floor(Draws("soon").uniform(len(tumours)) * 27))
    died_on = np.where(fatal, soon, died_on)
    died_on = np.where(died_on > KNOWN_UNTIL, NO_DAY, died_on)
    dead = ~np.isnat(died_on)
    starts = np.where(dead[:, None] & (starts >= died_on[:, None]), NO_DAY, starts)
    operated = ~np.isnat(starts[:, 0])
    last_seen = _same_for_all_tumours(tumours, np.where(dead, died_on, _last_contact(tumours)))
    last_seen = np.maximum(last_seen, _latest(starts, tumours))
    last_seen = np.minimum(_same_for_all_tumours(tumours, last_seen, last=True), KNOWN_UNTIL)
    last_seen = np.where(dead, died_on, last_seen)
    ends = starts + days(np.array(_LASTS, np.float64))[None, :]
    ends = np.minimum(ends, last_seen[:, None])
    ends = np.where(ends < starts, starts, ends)
    back, back_on = _recurrences(tumours, starts, last_seen)
    return Care(
        starts=starts,
        ends=ends,
        place=place,
        team=_team(tumours, starts),
        trial=Draws("trial").yes(tumours.at_first("trials") * np.where(tumours.age > 75, 0.5, 1.1)),
        prepared=prepared,
        grade=_GRADES[np.where(fatal, 7, harm["grade"])],
        cci=harm["cci"],
        again=harm["again"],
        readmitted=harm["readmitted"],
        stay=np.minimum(harm["stay"], np.where(dead, _since(last_seen, starts[:, 0]), 365)),
        margin=harm["margin"],
        crm=harm["crm"],
        stoma=harm["stoma"],
        back=back,
        back_on=back_on,
        dead=dead,
        last_seen=last_seen,
    )


def _since(later: Days, earlier: Days) -> Ints:
    found = (later - earlier).astype("timedelta64[D]").astype(np.int64)
    return np.where(np.isnat(later - earlier), 365, np.maximum(found, 0))


def _given(t: Tumours) -> Bools:
    """Which treatments each tumour gets: (n, 6)."""
    chance = Draws("treatments")
    old = 1 - 0.030 * np.maximum(t.age - 76, 0)
    frail = np.where(t.asa >= 4, 0.7, 1.0)
    columns = []
    for name in TREATMENTS:
        less = old * frail if name in ("surgery", "chemotherapy", "immunotherapy") else old
        columns.append(chance.yes(t.by_stage(name) * np.clip(less, 0.05, 1)))
    given = np.column_stack(columns)
    breast = t.is_kind("breast")
    given[:, 3] &= ~breast | (t.text["er"] == "positive")
    given[:, 4] &= ~breast | (t.text["her2"] == "positive")
    given[t.urgent, 0] = True
    # Hospitals differ in how often they choose radiotherapy rather than surgery for the prostate.
    rather = t.is_kind("prostate") & (t.hospital % 3 == 1) & given[:, 0]
    swapped = rather & (chance.uniform(len(t)) < 0.45)
    given[swapped, 0] = False
    given[swapped, 1] = True
    given[:, 1] &= ~(t.is_kind("prostate") & given[:, 0])
    # Maastro clinic gives radiotherapy to all it sees.
    given[t.hospital == SLUGS.index("maastro"), 1] = True
    return given


def _starts(t: Tumours, given: Bools) -> Days:
    """The first day of each treatment: the first a wait after diagnosis, others after it."""
    chance, n = Draws("waiting"), len(t)
    wait = np.clip(chance.around(t.of_kind("wait") * t.at_first("waiting"), 0.36), 1, 160)
    slow = (
        (t.hospital == SLUGS.index(TROUBLE.hospital))
        & (t.found >= TROUBLE.first)
        & (t.found <= TROUBLE.last)
        & given[:, 0]
    )
    wait = on_clinic_days(np.where(slow, wait * TROUBLE.surgery, wait), chance, slow)
    wait[t.urgent] = 0
    first = t.found + days(wait)
    starts = np.full((n, len(TREATMENTS)), NO_DAY, "datetime64[D]")
    rectum_first = t.is_kind("rectum") & given[:, 1] & ~t.urgent
    later = {
        1: 45 + 30 * chance.uniform(n),
        2: 35 + 20 * chance.uniform(n),
        3: 70 + 60 * chance.uniform(n),
        4: 60 + 60 * chance.uniform(n),
        5: 50 + 50 * chance.uniform(n),
    }
    surgery = np.where(rectum_first, first + days(75 + 20 * chance.uniform(n)), first)
    starts[given[:, 0], 0] = surgery[given[:, 0]]
    for column, after in later.items():
        mine = given[:, column]
        when = np.where(
            given[:, 0], surgery + days(after), first + days(after * 0.2 * (column > 1))
        )
        if column == 1:
            when = np.where(rectum_first, first, when)
        starts[mine, column] = when[mine]
    starts[starts > KNOWN_UNTIL] = NO_DAY
    return starts


def _places(t: Tumours) -> Ints:
    """Which hospital gives each treatment: (n, 6)."""
    operates = np.empty((len(HOSPITALS), len(KINDS)), np.int64)
    for row, hospital in enumerate(HOSPITALS):
        for column, kind in enumerate(KINDS):
            operates[row, column] = SLUGS.index(hospital.refers.get(kind.name, hospital.slug))
    radiates = np.array([SLUGS.index(hospital.radiotherapy) for hospital in HOSPITALS])
    surgery = operates[t.hospital, t.kind]
    others = np.where(
        t.hospital == SLUGS.index("maastro"), SLUGS.index("maastricht-umc"), t.hospital
    )
    # Half of the radiotherapy is given at a branch in the hospital itself.
    branch = Draws("branch").uniform(len(t)) < 0.5
    radiotherapy = np.where(branch, t.hospital, radiates[t.hospital])
    return np.column_stack([surgery, radiotherapy, others, others, others, others])


def _prepared(t: Tumours, operated: Bools, place: Ints) -> Bools:
    share = np.array([each.prehabilitation for each in HOSPITALS])[place[:, 0]]
    grown = 0.6 + 0.4 * (t.found - np.datetime64("2023-01-01")) / np.timedelta64(1095, "D")
    could = operated & t.is_kind(*_PREPARED) & ~t.urgent
    drawn: Bools = could & Draws("prepared").yes(share * grown)
    return drawn


def _harm(t: Tumours, operated: Bools, place: Ints, prepared: Bools) -> dict[str, NDArray[Any]]:
    """What surgery did: for all rows; only those of the operated are ever written."""
    chance, n = Draws("harm"), len(t)
    usual = np.array([log_odds(kind.severe) for kind in KINDS])[t.kind]
    own = np.array([each.harm for each in HOSPITALS])[place[:, 0]]
    odds = (
        usual
        + own
        + 0.022 * (t.age - 68)
        + 0.45 * (t.asa - 2)
        + 0.2 * (t.stage == 2)
        + 0.75 * t.urgent
        - 0.55 * prepared
    )
    severe = chance.yes(logistic(odds))
    light = chance.uniform(n)
    grade = np.where(severe, 3 + np.minimum(chance.uniform(n) ** 1.8 * 4, 3).astype(int), 0)
    grade = np.where(~severe & (light < 0.18), 1 + (light < 0.11), grade)
    fatal = severe & chance.yes(
        np.clip(t.of_kind("fatal") * np.exp(0.055 * (t.age - 70) + 0.35 * (t.asa - 2)), 0, 0.8)
    )
    cci = np.round(np.array([0.0, 8.7, 20.9, 26.2, 33.7, 42.4, 46.2, 46.2])[grade], 1)
    worse = chance.uniform(n) < 0.15
    cci = np.where(fatal, 100.0, np.where(worse & (cci > 0), np.round(cci * 1.2, 1), cci))
    stay = whole(
        chance.around(t.of_kind("stay"), 0.42)
        + np.where(severe, chance.exponential(np.full(n, 9.0)) + 2, 0),
        0,
        120,
    )
    margins = np.array([log_odds(kind.margin) for kind in KINDS])[t.kind]
    odd = (
        margins + np.array([each.margins for each in HOSPITALS])[place[:, 0]] + 0.5 * (t.stage == 2)
    )
    positive = chance.yes(logistic(odd))
    unknown = chance.uniform(n) < 0.01
    rectum = t.is_kind("rectum")
    crm = np.where(
        positive,
        np.round(chance.uniform(n), 1),
        np.round(chance.around(np.full(n, 8.0), 0.6) + 1.1, 1),
    )
    return {
        "grade": grade,
        "fatal": fatal,
        "cci": cci,
        "again": severe & (chance.uniform(n) < 0.62),
        "readmitted": ~fatal & (chance.uniform(n) < np.where(severe, 0.28, 0.05)),
        "stay": stay,
        "margin": np.where(unknown, "RX", np.where(positive, "R1", "R0")),
        "crm": np.where(rectum, np.minimum(crm, 60), np.nan),
        "stoma": t.is_kind("colon", "rectum")
        & (chance.uniform(n) < np.where(severe, 0.20, np.where(rectum, 0.06, 0.02))),
    }


def _deaths(t: Tumours) -> Days:
    """The day of death of whatever cause but surgery, also far in the future."""
    chance = Draws("deaths")
    risk = t.by_stage("hazard") * np.exp(0.045 * (t.age - 68) + 0.12 * (t.charlson - 1))
    lived = chance.exponential(365.25 / np.maximum(risk, 1e-4))
    return t.found + days(np.clip(lived, 12, 12_000))


def _same_for_all_tumours(t: Tumours, when: Days, *, last: bool = False) -> Days:
    """A patient dies once: the first (or last) of the days of all tumours, NaT aside."""
    numbers = when.astype("datetime64[D]").astype(np.int64)
    none = np.isnat(when)
    people = int(t.patient.max()) + 1
    far = 10**8
    if last:
        found = np.full(people, -far)
        np.maximum.at(found, t.patient, np.where(none, -far, numbers))
    else:
        found = np.full(people, far)
        np.minimum.at(found, t.patient, np.where(none, far, numbers))
    mine = found[t.patient]
    return np.where(np.abs(mine) == far, NO_DAY, mine.astype("datetime64[D]"))


def _latest(starts: Days, t: Tumours) -> Days:
    numbers = np.where(np.isnat(starts), t.found[:, None], starts)
    latest: Days = numbers.max(axis=1) + np.timedelta64(1, "D")
    return latest


def _last_contact(t: Tumours) -> Days:
    back = days(np.floor(Draws("contact").uniform(len(t)) * 170))
    return np.maximum(KNOWN_UNTIL - back, t.found + np.timedelta64(1, "D"))


def _team(t: Tumours, starts: Days) -> Days:
    """The team meeting: before treatment as a rule, otherwise a week after it began, or none."""
    chance, n = Draws("team"), len(t)
    first = np.where(np.isnat(starts), np.datetime64("2100-01-01"), starts).min(axis=1)
    before = chance.yes(np.where(t.urgent, 0.2, t.at_first("team")))
    early = t.found + days(np.minimum(3 + 6 * chance.uniform(n), _since(first, t.found)))
    late = np.minimum(first, t.found + np.timedelta64(40, "D")) + days(3 + 5 * chance.uniform(n))
    none = chance.uniform(n) < 0.012
    return np.where(none, NO_DAY, np.where(before, early, late))


def _recurrences(t: Tumours, starts: Days, last_seen: Days) -> tuple[Texts, Days]:
    chance, n = Draws("back"), len(t)
    some = ~np.isnat(starts).all(axis=1) & (t.stage < 3)
    wait = chance.exponential(365.25 / np.maximum(t.by_stage("back"), 1e-4))
    on = t.found + days(np.clip(wait, 120, 12_000))
    came = some & (on < last_seen)
    kind = np.array(["local", "regional", "distant"])[
        chance.pick(np.tile([0.25, 0.2, 0.55], (n, 1)))
    ]
    return np.where(came, kind, "none"), np.where(came, on, NO_DAY)
