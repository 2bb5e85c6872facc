"""A whole snapshot of a round, written by hand: what pages, files and views are tested against.

Four hospitals; one whose access time is twice that of the others, one below ten patients, one that
left half-way. The numbers are made up and fit together.
"""

from federation.rounds.snapshot import (
    About,
    Asked,
    Hospital,
    IndicatorFinding,
    Network,
    Row,
    Snapshot,
)

RUN = "0b9f2c1e-1111-4a5e-9a36-0c2f3a4b5c6d"
#: Number of the quarter, seen within the norm, median in days.
QUARTERS = ((1, 24, 14), (2, 24, 14), (3, 8, 29), (4, 8, 28))
SITES = ("catharina", "elkerliek", "mmc", "annabel")
HOSPITALS = (
    Hospital("catharina", "Catharina Ziekenhuis", "C", "in"),
    Hospital("elkerliek", "Elkerliek Ziekenhuis", "A", "in"),
    Hospital("mmc", "Máxima MC", "D", "in"),
    Hospital("annabel", "Anna Ziekenhuis", "B", "left", "STUDY_NOT_OPEN"),
)
ACCESS_TIME = {
    "id": "access_time",
    "version": 1,
    "text": {"en": "Access time", "nl": "Toegangstijd"},
    "lay": {
        "en": "How long people wait for their first visit to the hospital.",
        "nl": "Hoe lang mensen wachten op hun eerste bezoek aan het ziekenhuis.",
    },
    "codebook": "oncomin/1",
    "unit": "tumour",
    "role": "first_visit",
    "measure": "time",
    "cohort": {},
    "exclusions": [],
    "date": "first_visit_month",
    "time": "referral_to_visit_days",
    "norms": [21, 28],
    "better": "lower",
    "targets": [
        {
            "at_least": 0.8,
            "within": 21,
            "since": "2000-01-01",
            "set_by": "Treek agreement",
            "confirmed": True,
            "source": "Treeknorm, first consult",
        }
    ],
    "strata": ["stage_group"],
    "source": "domain.md 3.1",
    "owner": None,
}
MORTALITY = {
    **ACCESS_TIME,
    "id": "mortality_30",
    "text": {"en": "Died within 30 days", "nl": "Overleden binnen 30 dagen"},
    "lay": {
        "en": "How many people died in the first month after the operation.",
        "nl": "Hoeveel mensen overleden in de eerste maand na de operatie.",
    },
    "role": "treatment",
    "measure": "share",
    "date": "first_treatment_month",
    "numerator": {"var": "died_within_30_days", "op": "=", "value": True},
    "case_mix": "age + C(stage_group)",
    "targets": [],
    "strata": [],
}


def access_time() -> IndicatorFinding:
    """Elkerliek: 28 days where the others have 14."""
    bins = ({"low": 0, "high": 13, "n": 60}, {"low": 14, "high": 180, "n": 60})
    usual = {"median": (14.0, 14.0), "p80": (20.0, 20.0), "signal": False, "attention": False}
    late = {"median": (28.0, 28.0), "p80": (40.0, 40.0), "signal": True, "attention": True}
    return IndicatorFinding(
        id="access_time",
        version=1,
        definition=ACCESS_TIME,
        target=ACCESS_TIME["targets"][0],  # type: ignore[index]
        status="shown",
        code=None,
        network=Network(
            hospitals_in=3,
            n=360,
            missing=12,
            excluded=30,
            median=(15.0, 15.0),
            p80=(24.0, 24.0),
            within=({"days": 21, "n": 264, "share": 0.7333},),
        ),
        rows=(
            Row(
                "catharina",
                n=120,
                missing=4,
                value=14.0,
                bins=bins,
                within=({"days": 21, "n": 102, "share": 0.85},),
                rule={"signal": False, "ratio": (0.8, 0.8), "why": None},
                **usual,  # type: ignore[arg-type]
            ),
            Row(
                "elkerliek",
                n=120,
                missing=4,
                value=28.0,
                bins=bins,
                within=({"days": 21, "n": 60, "share": 0.5},),
                rule={"signal": True, "ratio": (2.0, 2.0), "why": None},
                **late,  # type: ignore[arg-type]
            ),
            Row(
                "mmc",
                n=120,
                missing=4,
                value=14.0,
                bins=bins,
                within=({"days": 21, "n": 102, "share": 0.85},),
                rule={"signal": False, "ratio": (0.8, 0.8), "why": None},
                **usual,  # type: ignore[arg-type]
            ),
            Row("annabel", hidden="left"),
        ),
        trend={
            "rows": [
                {
                    "site": "elkerliek",
                    "quarters": [
                        {
                            "quarter": f"2024-Q{number}",
                            "n": 30,
                            "observed": within,
                            "share": within / 30,
                            "expected": None,
                            "vlad": None,
                            "median": [days, days],
                            "cusum": None,
                        }
                        for number, within, days in (
                            (1, 24, 14),
                            (2, 24, 14),
                            (3, 8, 29),
                            (4, 8, 28),
                        )
                    ],
                }
            ],
            "rules": [{"site": "elkerliek", "rule": "point_outside", "quarter": "2024-Q3"}],
        },
        strata=(
            {
                "variable": "stage_group",
                "rows": [
                    {"site": "elkerliek", "level": "I", "n": 60, "median": [28, 28]},
                    {"site": "elkerliek", "level": "II", "n": None, "hidden": "small"},
                ],
            },
        ),
        headline={
            "en": "Elkerliek Ziekenhuis: median 28 days, at least twice that of all others"
            " together. A reason to look closer, not a verdict.",
            "nl": "Elkerliek Ziekenhuis: mediaan 28 dagen, minstens twee keer die van alle anderen"
            " samen. Een reden om beter te kijken, geen oordeel.",
        },
        headline_lay={
            "en": "Half of the people had their first visit within 15 days.",
            "nl": "De helft van de mensen had het eerste bezoek binnen 15 dagen.",
        },
        runs=(
            Asked(RUN, "main", "a" * 64, {"catharina": 12, "elkerliek": 9, "mmc": 4}),
            Asked(RUN, "trend", "b" * 64, {"catharina": 12, "elkerliek": 9, "mmc": 4}),
        ),
    )


def mortality() -> IndicatorFinding:
    """Máxima has fewer than ten operations; a total of the others would tell its number."""
    return IndicatorFinding(
        id="mortality_30",
        version=1,
        definition=MORTALITY,
        target=None,
        status="shown",
        code=None,
        network=Network(
            hospitals_in=2, n=620, missing=3, observed=25, value=0.0403, low=0.0263, high=0.0589
        ),
        rows=(
            Row(
                "catharina",
                n=310,
                missing=1,
                observed=13,
                expected=12.4,
                value=0.0419,
                low=0.0225,
                high=0.0706,
                ratio=1.048,
                variance=11.2,
                limits95=(0.49, 1.73),
                limits998=(0.3, 2.2),
                shrunken={"value": 0.041, "low": 0.03, "high": 0.056},
                outside=0,
            ),
            Row(
                "elkerliek",
                n=310,
                missing=2,
                observed=12,
                expected=12.6,
                value=0.0387,
                low=0.0202,
                high=0.0667,
                ratio=0.952,
                variance=11.4,
                limits95=(0.49, 1.72),
                limits998=(0.3, 2.2),
                shrunken={"value": 0.04, "low": 0.029, "high": 0.054},
                outside=0,
            ),
            Row("mmc", hidden="small"),
            Row("annabel", hidden="left"),
        ),
        spread={"phi": 0.4, "tau2": 0.0, "rankability": 0.0, "word": "low", "may_rank": False},
        headline={
            "en": "All hospitals are inside expected variation.",
            "nl": "Alle ziekenhuizen liggen binnen de verwachte variatie.",
        },
        headline_lay={
            "en": "In 4 of 100 people this happened.",
            "nl": "Bij 4 van de 100 mensen gebeurde dit.",
        },
        runs=(Asked(RUN, "main", "c" * 64, {"catharina": 12, "elkerliek": 9}),),
        hidden=({"site": "mmc", "why": "small"},),
    )


def whole(names: bool = False) -> Snapshot:
    """The round of 2024."""
    return Snapshot(
        round=About(
            id="5d1a7f7e-2222-4c35-8a11-7e7b8c9d0e1f",
            number=3,
            title={"en": "Colorectal, year 2024", "nl": "Darmkanker, jaar 2024"},
            group="oncozon.colorectal",
            network="oncozon",
            study="colorectal-quality",
            period={"first": "2024-01", "last": "2024-12"},
            frozen_at="2025-03-01T00:00:00Z",
            released_at="2025-03-10T08:00:00Z",
            names=names,
        ),
        hospitals=HOSPITALS,
        indicators=(access_time(), mortality()),
        salt="5a17" * 8,
    )
