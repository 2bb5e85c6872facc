"""A released round with every measure, for pages and pictures: ten hospitals, one that is hidden,
one that stopped, an indicator that was refused.

The format is that of federation/rounds/snapshot.py; limits and intervals are worked out with scipy
from the numbers, so that what is drawn fits what is written. Hospitals and numbers are invented.
"""

from __future__ import annotations

import copy
from datetime import datetime, timedelta
from typing import Any

from scipy import stats
from shown_courses import ALL_GROUPS, DIFFERENCE_STRATA, watched

from federation.methods.funnel import binomial_limits, widened_limits
from federation.query.canonical import sha256_hex
from federation.rounds.models import EvaluationRound, RoundPart, RoundSnapshot
from federation.rounds.snapshot import Snapshot

HOSPITALS = (
    ("st-anna", "St. Anna Ziekenhuis", "A"),
    ("elkerliek", "Elkerliek Ziekenhuis", "B"),
    ("catharina", "Catharina Ziekenhuis", "C"),
    ("sjg-weert", "SJG Weert", "D"),
    ("maastricht-umc", "Maastricht UMC+", "E"),
    ("laurentius", "Laurentius Ziekenhuis", "F"),
    ("zuyderland", "Zuyderland", "G"),
    ("viecuri", "VieCuri Medisch Centrum", "H"),
    ("maxima-mc", "Máxima Medisch Centrum", "I"),
    ("maastro", "MAASTRO clinic", "J"),
)
SIZES = (126, 171, 486, 84, 412, 355, 301, 262, 214, 8)
WITH = (22, 40, 101, 19, 80, 83, 62, 84, 41, None)
WAITS = (14, 15, 13, 16, 14, 13, 15, 29, 14, None)
SALT = "5a17" * 8
SHA = "7c1e90ab44d20f3b" * 4
ALL = sum(SIZES[:-1])
QUARTERS = ("2024-Q4", "2025-Q1", "2025-Q2", "2025-Q3", "2025-Q4")
Json = dict[str, Any]


def _exact(observed: int, n: int) -> tuple[float, float]:
    low = float(stats.beta.ppf(0.025, observed, n - observed + 1)) if observed else 0.0
    return low, float(stats.beta.ppf(0.975, observed + 1, n - observed)) if observed < n else 1.0


def _poisson(expected: float, tail: float) -> list[float]:
    low = float(stats.chi2.ppf(tail, 2 * expected)) / 2 / expected
    return [low, float(stats.chi2.ppf(1 - tail, 2 * (expected + 1))) / 2 / expected]


def _binomial(n: int, share: float, level: float) -> list[float]:
    found = binomial_limits(n, share, level)
    assert found is not None
    return [found[0] / share, found[1] / share]


def _outside(ratio: float, inner: list[float], outer: list[float]) -> int:
    if not outer[0] <= ratio <= outer[1]:
        return 998
    return 0 if inner[0] <= ratio <= inner[1] else 95


def row(site: str, **known: Any) -> Json:
    """A hospital's row with every key; what is not given is not there."""
    keys = (
        "n missing observed expected value low high ratio variance limits95 limits998 widened95"
        " widened998 shrunken outside median p80 rule signal attention years_combined hidden"
    )
    lists: Json = {"within": [], "bins": [], "levels": [], "at": []}
    return {"site": site, **dict.fromkeys(keys.split()), **lists, **known}


def hidden(site: str) -> Json:
    """A hospital whose numbers are kept back."""
    return row(site, hidden="left" if site == "maastro" else "small")


def _network(**more: Any) -> Json:
    base: Json = {"n": ALL, "missing": 31, "excluded": 42, "hospitals_in": 9}
    keys = ("observed", "value", "low", "high", "median", "p80", "hidden")
    return {**base, **dict.fromkeys(keys), "within": [], "levels": [], "at": [], **more}


def _indicator(identity: str, measure: str, nl: str, en: str, said: tuple[str, str],
               define: Json | None = None, **known: Any) -> Json:  # fmt: skip
    definition = {
        "id": identity, "version": 1, "text": {"nl": nl, "en": en},
        "lay": {"nl": f"In gewone woorden: {nl.lower()}.", "en": f"In plain words: {en.lower()}."},
        "codebook": "oncomin/1", "unit": "tumour", "role": "treatment", "measure": measure,
        "cohort": {}, "exclusions": [], "date": "first_treatment_month", "case_mix": None,
        "better": "lower", "targets": [], "strata": [], "source": "Invented for a test",
        "owner": None, **(define or {}),
    }  # fmt: skip
    base: Json = {
        "id": identity, "version": 1, "definition": definition, "target": None, "status": "shown",
        "code": None, "network": _network(), "rows": [], "spread": None, "trend": None,
        "strata": [], "difference": None, "headline": {"nl": said[0], "en": said[1]},
        "headline_lay": {"nl": "Dit gaat in de meeste ziekenhuizen goed.",
                         "en": "This goes well in most hospitals."},
        "runs": [{"id": f"run-{identity}", "role": "main", "query_sha256": SHA, "consent": {}}],
        "hidden": [], "warnings": [],
    }  # fmt: skip
    return {**base, **known}


def _rows(make: Any) -> list[Json]:
    return [
        hidden(site) if n < 10 else make(i, site, n)
        for i, ((site, _name, _letter), n) in enumerate(zip(HOSPITALS, SIZES, strict=True))
    ]


def access_time() -> Json:
    """Waiting times: hospital H takes twice as long as the others."""

    def one(i: int, site: str, n: int) -> Json:
        wait = WAITS[i] or 0
        late = wait > 20
        within = round(n * (0.34 if late else 0.86))
        low, high = _exact(within, n)
        return row(
            site, n=n, missing=3, value=float(wait), low=wait, high=wait,
            median=[wait, wait], p80=[wait + 6, wait + 8],
            within=[
                {"days": 21, "n": within, "share": within / n, "low": low, "high": high},
                {"days": 28, "n": within + 8, "share": (within + 8) / n},
            ],
            rule={"signal": late, "ratio": [wait / 14, wait / 14], "why": None},
            signal=late, attention=late,
        )  # fmt: skip

    rows = _rows(one)
    trend = [
        {"site": site, "quarters": [
            {"quarter": quarter, "n": n // 4, "observed": None, "share": None, "expected": None,
             "vlad": None, "median": [w, w + 1], "cusum": None}
            for quarter, w in zip(
                QUARTERS, (14, 15, 14, 30, 29) if site == "viecuri" else (14, 14, 15, 14, 13),
                strict=True,
            )
        ]}
        for (site, _name, _letter), n in zip(HOSPITALS, SIZES, strict=True) if n > 10
    ]  # fmt: skip
    strata = [
        {**copy.deepcopy(each), "level": level} if level == "I-II" or each["site"] != "st-anna"
        else {**hidden("st-anna"), "level": level}
        for each in (rows[0], rows[2], rows[7]) for level in ("I-II", "III-IV")
    ]  # fmt: skip
    return _indicator(
        "access_time", "time", "Toegangstijd", "Access time",
        ("VieCuri Medisch Centrum: mediaan 29 dagen, minstens twee keer die van alle anderen samen."
         " Een reden om beter te kijken, geen oordeel.",
         "VieCuri Medisch Centrum: median 29 days, at least twice that of all others together."
         " A reason to look closer, not a verdict."),
        {"norms": [21, 28], "time": "referral_to_visit_days", "strata": ["stage_group"],
         "role": "first_visit",
         "exclusions": [{"text": {"nl": "spoedopname", "en": "emergency admission"}, "when": {}}],
         "lay": {"nl": "Zoveel dagen wachten mensen op hun eerste afspraak.",
                 "en": "So many days people wait for their first appointment."}},
        target={"at_least": 0.8, "within": 21, "since": "2000-01-01", "set_by": "Treeknorm",
                "confirmed": False, "source": "Treeknormen 2000"},
        network=_network(value=14.0, median=[14, 14], p80=[21, 22], within=[
            {"days": 21, "n": 1980, "share": 0.82}, {"days": 28, "n": 2200, "share": 0.91}]),
        rows=rows,
        trend={"rows": trend,
               "rules": [{"site": "viecuri", "rule": "point_outside", "quarter": "2025-Q3"}]},
        strata=[{"variable": "stage_group", "rows": strata}],
    )  # fmt: skip


def severe_complications(*, case_mix: bool = False) -> Json:
    """A share, or a ratio of observed and expected: hospital H lies outside 99.8%."""
    share = sum(w for w in WITH if w) / ALL

    def one(i: int, site: str, n: int) -> Json:
        observed = WITH[i] or 0
        expected = n * share * (1.04 if case_mix else 1.0)
        inner, outer = _poisson(expected, 0.025), _poisson(expected, 0.001)
        if not case_mix:
            inner, outer = _binomial(n, share, 0.95), _binomial(n, share, 0.998)
        low, high = _exact(observed, n)
        wide = [[*widened_limits(1 / expected, 0.02, level)] for level in (0.95, 0.998)]
        return row(
            site, n=n, missing=2, observed=observed, expected=expected, value=observed / n,
            ratio=observed / expected, variance=expected, low=low, high=high, limits95=inner,
            limits998=outer, widened95=wide[0] if case_mix else None,
            widened998=wide[1] if case_mix else None,
            outside=_outside(observed / expected, *(wide if case_mix else (inner, outer))),
            shrunken={"value": 0.8 * observed / expected + 0.2, "low": 0.7, "high": 1.4},
            years_combined=[2023, 2025] if n < 100 else None,
        )  # fmt: skip

    return _indicator(
        "mortality_ratio" if case_mix else "severe_complications", "share",
        "Ernstige complicaties", "Severe complications",
        ("Acht van de negen ziekenhuizen verschillen niet meer dan toeval verklaart; VieCuri"
         " Medisch Centrum ligt boven de grens van 99,8%.",
         "Eight of nine hospitals vary no more than chance would explain; VieCuri Medisch Centrum"
         " is above the 99.8% limit."),
        {"numerator": {}, "case_mix": "age + C(sex) + C(stage_group)" if case_mix else None},
        target={"at_most": 0.25, "since": "2024-01-01", "set_by": "Werkgroep", "confirmed": True,
                "source": "besluit 12"},
        network=_network(observed=sum(w for w in WITH if w), value=share, low=share - 0.016,
                         high=share + 0.016),
        rows=_rows(one),
        trend=watched(QUARTERS) if case_mix else None,
        spread={"phi": 1.9, "tau2": 0.02, "rankability": 0.41, "word": "low", "may_rank": False,
                "why": {"nl": "Ziekenhuizen staan niet op volgorde: 41% van de verschillen is meer"
                              " dan toeval, 75% is nodig.",
                        "en": "Hospitals are not put in order: 41% of the differences is more than"
                              " chance, and 75% is needed."}},
    )  # fmt: skip


def treatment_mix() -> Json:
    """What patients got, per hospital; a small part is hidden."""
    kinds = ("surgery", "radiotherapy", "systemic", "none")

    def one(i: int, site: str, n: int) -> Json:
        shares = (0.52 - 0.02 * i, 0.2 + 0.01 * i, 0.18, 0.1 + 0.01 * i)
        levels: list[Json] = [
            {"level": kind, "n": round(n * s), "share": s}
            for kind, s in zip(kinds, shares, strict=True)
        ]
        if site == "elkerliek":
            levels[3] = {"level": "none", "n": None, "share": None}
        return row(site, n=n, missing=0, levels=levels)

    levels = [{"level": k, "n": 500, "share": s}
              for k, s in zip(kinds, (0.44, 0.24, 0.18, 0.14), strict=True)]  # fmt: skip
    return _indicator(
        "treatment_mix", "mix", "Behandelmix", "Treatment mix",
        ("Het aandeel operaties loopt van 36% tot 52%.",
         "The share of surgery runs from 36% to 52%."),
        {"variable": "first_treatment_kind", "better": "neither"},
        network=_network(levels=levels), rows=_rows(one),
        strata=[{"variable": "stage_group", "rows": [{**one(0, "viecuri", 250), "level": "II"}]}],
    )  # fmt: skip


def survival() -> Json:
    """Alive after one and three years."""
    curve = [{"days": 365, "share": 0.86, "low": 0.80, "high": 0.91},
             {"days": 1095, "share": 0.64, "low": 0.55, "high": 0.72}]  # fmt: skip
    return _indicator(
        "overall_survival", "survival", "Overleving", "Survival",
        ("De overleving na drie jaar is 64%.", "Survival after three years is 64%."),
        {"time": "survival_days", "event": "dead", "at": [365, 1095], "better": "higher"},
        network=_network(value=0.64, low=0.61, high=0.67, at=curve),
        rows=_rows(lambda i, site, n: row(
            site, n=n, missing=0, value=0.64, low=0.55, high=0.72, at=curve)),
    )  # fmt: skip


def prom_change() -> Json:
    """Change of a score of a questionnaire against the baseline."""

    def one(i: int, site: str, n: int) -> Json:
        value = -3.0 - 1.5 * i
        return row(site, n=n // 2, missing=n // 3, value=value, low=value - 4, high=value + 4,
                   outside=0)  # fmt: skip

    return _indicator(
        "qlq_physical_change", "mean", "Verandering in lichamelijk functioneren",
        "Change in physical functioning",
        ("Gemiddeld 8,4 punten lager dan voor de behandeling.",
         "On average 8.4 points lower than before treatment."),
        {"variable": "qlq_physical_change", "baseline": "qlq_physical_baseline",
         "better": "higher"},
        network=_network(n=ALL // 2, value=-8.4, low=-9.6, high=-7.2), rows=_rows(one),
    )  # fmt: skip


def volume() -> Json:
    """How many in the period."""
    return _indicator(
        "volume", "volume", "Aantal operaties", "Number of operations",
        ("Negen ziekenhuizen deden 84 tot 486 operaties.",
         "Nine hospitals did 84 to 486 operations."),
        {"better": "neither"},
        target={"at_least": 50, "since": "2024-01-01", "set_by": "SONCOS", "confirmed": False,
                "source": "SONCOS"},
        network=_network(value=float(ALL)),
        rows=_rows(lambda i, site, n: row(site, n=n, value=float(n))),
    )  # fmt: skip


def difference() -> Json:
    """With and without prehabilitation: the example of domain.md 3.6."""
    return _indicator(
        "prehabilitation", "difference", "Prehabilitatie", "Prehabilitation",
        ("Minder ernstige complicaties met prehabilitatie.",
         "Fewer severe complications with prehabilitation."),
        {"numerator": {}, "exposure": "prehabilitation"},
        network=_network(n=251),
        difference=ALL_GROUPS, strata=DIFFERENCE_STRATA,
    )  # fmt: skip


def refused() -> Json:
    """An indicator that too few hospitals could answer."""
    nothing = dict.fromkeys(("n", "missing", "excluded"))
    return _indicator(
        "margins", "share", "Snijranden", "Margins", ("", ""), {"numerator": {}},
        status="refused", code="ROSTER", network=_network(hospitals_in=0, **nothing),
    )  # fmt: skip


def whole(*, names: bool = False) -> Snapshot:
    """The round of 2025."""
    body: Json = {
        "snapshot": "oncokring.round/1",
        "round": {
            "id": "00000000-0000-4000-8000-000000000001", "number": 3,
            "title": {"nl": "Borstkanker 2025", "en": "Breast cancer 2025"},
            "group": "oncozon.breast", "network": "oncozon", "study": "hormone-therapy",
            "period": {"first": "2025-01", "last": "2025-12"},
            "frozen_at": "2026-03-01T00:00:00Z", "released_at": "2026-03-15T07:00:00Z",
            "names": names, "previous": None, "kind": "round", "parent": None,
        },
        "hospitals": [
            {"site": site, "name": name, "letter": letter,
             "state": "left" if site == "maastro" else "in",
             "why": "left" if site == "maastro" else None}
            for site, name, letter in HOSPITALS
        ],
        "indicators": [
            access_time(), severe_complications(), severe_complications(case_mix=True),
            treatment_mix(), survival(), prom_change(), volume(), difference(), refused(),
        ],
        "duplicates": None, "supersedes": None, "salt": SALT,
    }  # fmt: skip
    return Snapshot.from_json({**body, "sha256": sha256_hex(body)})


def stored(found: Snapshot, *, group_id: str, now: datetime, state: str = "released",
           by: str = "planner", number: int | None = None, identity: str | None = None,
           ) -> list[EvaluationRound | RoundPart | RoundSnapshot]:  # fmt: skip
    """The rows that the hub keeps of such a round, without its questions."""
    about = found.round
    key = identity or about.id
    plan: Json = {
        "plan": "oncokring.plan/1", "group": about.group, "study": about.study,
        "title": dict(about.title), "purpose": "To see how we do.", "codebook_sha256": SHA,
        "indicators": [dict(each.definition) for each in found.indicators],
        "period": dict(about.period), "sites": sorted(h.site for h in found.hospitals),
        "freeze_at": about.frozen_at, "release_at": about.released_at, "names": about.names,
        "repeats": None, "strata": [], "under": None,
    }  # fmt: skip
    released = state in ("released", "closed")
    kept = EvaluationRound(
        id=key, group_id=group_id, number=number or about.number, network=about.network,
        study=about.study, kind="round", state=state, plan=plan, plan_sha256=SHA, freeze_at=now,
        release_at=now + (timedelta(0) if released else timedelta(days=7)), planned_by=by,
        planned_by_name="Invented", created_at=now, decided_by="committee", decided_at=now,
        released_at=now if released else None,
    )  # fmt: skip
    parts = [
        RoundPart(round_id=key, site=h.site, letter=h.letter, state=h.state, why=h.why, at=now)
        for h in found.hospitals
    ]
    if not released:
        return [kept, *parts]
    return [
        kept,
        *parts,
        RoundSnapshot(
            round_id=key, number=1, sha256=found.sha256, body=found.to_json(), made_at=now
        ),
    ]  # fmt: skip
