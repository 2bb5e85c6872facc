"""Shipped indicators asked of real sites, beside the same numbers worked out by pandas.

Three hospitals; every eighth tumour stands in two of them, found in one and treated in the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from federation.disclosure.policy import Policy
from federation.indicators.asking import Period, questions
from federation.indicators.catalogue import shipped
from federation.methods.registry import parse
from federation.query.builtin import builtin_codebook
from registry.trial.network import TrialNetwork

BOOK = builtin_codebook("oncomin/1")
assert BOOK is not None
YEAR = Period("2024-01", "2024-12")
SITES = ("h0", "h1", "h2")
DATES = {"inc", "ref", "visit", "mdo", "start", "last"}
MAPPING = b"""
version: 2
codebook: oncomin/1
tables:
  patient: {from: p, key: id, sex: sex, birth_year: birth, vital_status: status, institution: own,
    vital_date: {column: last, format: "%Y-%m-%d"}}
  tumour: {from: t, key: id, parent: pid, topography: top, stage: stage, asa: asa,
    incidence_date: {column: inc, format: "%Y-%m-%d"},
    referral_date: {column: ref, format: "%Y-%m-%d"},
    first_visit_date: {column: visit, format: "%Y-%m-%d"},
    mdo_date: {column: mdo, format: "%Y-%m-%d"}, mdo_held: held,
    first_visit_site: vsite, diagnosis_site: dsite, prehabilitation: pre, in_trial: trial}
  treatment: {from: r, key: id, parent: tid, treatment_kind: kind, treatment_site: site,
    treatment_intent: intent, urgency: urgency,
    treatment_start: {column: start, format: "%Y-%m-%d"}}
  outcome: {from: o, key: id, parent: tid, complication: complication}
  prom: {from: q, key: id, parent: pid, prom_instrument: instrument, prom_timepoint: moment,
    qlq_summary: score, prom_date: {column: day, format: "%Y-%m-%d"}}
"""


def hospital(number: int, chance: np.random.Generator) -> pd.DataFrame:
    """A row per tumour of one hospital: 160 of its own people, who each have one."""
    n = 160
    visit = pd.Timestamp("2023-10-01") + pd.to_timedelta(chance.integers(0, 520, n), "D")
    incidence = visit + pd.to_timedelta(chance.integers(0, 40, n), "D")
    start = incidence + pd.to_timedelta(chance.integers(1, 90, n), "D")
    dead = chance.random(n) < 0.3
    shared = np.arange(n) % 8 == 0
    other = SITES[(number + 1) % 3]
    return pd.DataFrame(
        {
            "id": [f"{SITES[number]}-{i}" for i in range(n)],
            "pid": [f"p-{SITES[number]}-{i}" for i in range(n)],
            "sex": chance.choice(["male", "female"], n),
            "birth": 2024 - chance.integers(40, 90, n),
            "status": np.where(dead, "dead", "alive"),
            "last": start + pd.to_timedelta(np.where(dead, 5, 20) + chance.integers(0, 90, n), "D"),
            "top": chance.choice(["C18", "C20", "C50"], n),
            "stage": chance.choice(["I", "II", "III"], n),
            "asa": chance.integers(1, 4, n),
            "inc": incidence,
            "ref": visit - pd.to_timedelta(chance.integers(0, 45 + 20 * number, n), "D"),
            "visit": visit,
            "held": chance.random(n) < 0.9,
            "mdo": incidence + pd.to_timedelta(chance.integers(0, 60, n), "D"),
            "vsite": np.where(chance.random(n) < 0.5, "", SITES[number]),
            "dsite": SITES[number],
            "pre": chance.random(n) < 0.4,
            "trial": chance.random(n) < 0.2,
            "kind": chance.choice(["surgery", "radiotherapy", "chemotherapy"], n),
            "site": np.where(shared, other, SITES[number]),
            "intent": "curative",
            "urgency": chance.choice(["elective", "elective", "emergency"], n),
            "start": start,
            "complication": chance.choice(["0", "I", "IIIa", "IVb"], n),
            "before": chance.integers(40, 100, n),
            "change": chance.normal(-5 * number, 8, n).round(1),
        }
    )


def written(folder: Path, own: str, rows: pd.DataFrame) -> dict[str, Any]:
    """The tables of one hospital as files."""
    text = rows.assign(own=own)
    for name in DATES:
        text[name] = rows[name].dt.strftime("%Y-%m-%d")
    text["mdo"] = text["mdo"].where(rows["held"], "")
    first = text.assign(id=text["pid"])
    first[["id", "sex", "birth", "status", "last", "own"]].to_csv(folder / "p.csv", index=False)
    tumours = ["id", "pid", "top", "stage", "asa", "inc", "ref", "visit", "mdo", "held"]
    text[[*tumours, "vsite", "dsite", "pre", "trial"]].to_csv(folder / "t.csv", index=False)
    text["tid"] = text["id"]
    parts = ["id", "tid", "kind", "site", "intent", "urgency", "start"]
    text[parts].to_csv(folder / "r.csv", index=False)
    text[["id", "tid", "complication"]].to_csv(folder / "o.csv", index=False)
    proms = []
    for moment, days, score in (
        ("T0", 0, rows["before"]),
        ("12m", 365, (rows["before"] + rows["change"]).clip(0, 100)),
    ):
        day = (rows["visit"] + pd.Timedelta(days=days)).dt.strftime("%Y-%m-%d")
        proms.append(
            text[["pid"]].assign(instrument="QLQ-C30", moment=moment, score=score, day=day)
        )
    both = pd.concat(proms, ignore_index=True)
    both.assign(id=both.index).to_csv(folder / "q.csv", index=False)
    return {"kind": "csv", "files": {name: str(folder / f"{name}.csv") for name in "ptroq"}}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TrialNetwork, Any]]:
    chance = np.random.default_rng(20_261_123)
    people = [hospital(number, chance) for number in range(3)]
    rows = {
        site: pd.concat(
            [people[n], people[n - 1][people[n - 1]["site"] == site]], ignore_index=True
        ).assign(here=site)
        for n, site in enumerate(SITES)
    }
    with TrialNetwork(BOOK, Policy.open_data(), ["round"]) as network:
        for site in SITES:
            folder = tmp_path_factory.mktemp(site)
            network.add_site(site, written(folder, site, rows[site]), MAPPING)
        network.start()
        yield network, pd.concat(rows.values(), ignore_index=True)


def answered(network: TrialNetwork, name: str, role: str = "main") -> dict[str, Any]:
    """The answer to one question of an indicator."""
    asked = questions(
        shipped()[name], BOOK, study="round", period=YEAR, sites="all", purpose_text="To compare."
    )
    question = next(each for each in asked if each.role == role)
    answer = network.ask(parse(question.query, BOOK))
    assert answer["status"] == "complete", answer
    return answer


def in_year(days: pd.Series) -> pd.Series:
    return days.dt.year == 2024


def test_shipped_indicators_are_what_pandas_makes_of_the_same_rows(
    world: tuple[TrialNetwork, Any],
) -> None:
    network, rows = world
    emergency = (rows["kind"] == "surgery") & (rows["urgency"] == "emergency")
    operated = (rows["kind"] == "surgery") & (rows["site"] == rows["here"])
    colorectal = rows["top"].isin(["C18", "C20"])

    # access time: by the hospital of the first visit, emergencies taken out
    first = rows[(rows["vsite"] == rows["here"]) | (rows["vsite"] == "")]
    seen = first[in_year(first["visit"])]
    planned = seen[~emergency[seen.index]]
    days = (planned["visit"] - planned["ref"]).dt.days
    found = answered(network, "access_time")["by_site"]
    for site in SITES:
        own = days[planned["here"] == site]
        assert found[site]["n"] == len(own)
        shares = {each["days"]: each["n"] for each in found[site]["within"]}
        assert shares == {norm: int((own <= norm).sum()) for norm in (7, 21, 28)}
        low, high = found[site]["median"]
        assert low <= np.quantile(own, 0.5, method="inverted_cdf") <= high
    taken_out = answered(network, "access_time", "excluded")["result"]
    assert taken_out["n"] == int(emergency[seen.index].sum())

    # discussed before treatment: no meeting is no, and each tumour is counted by who treats it
    treated = rows[(rows["site"] == rows["here"]) & in_year(rows["start"]) & ~emergency]
    discussed = treated["held"] & (treated["mdo"] <= treated["start"])
    assert treated["id"].is_unique
    shares = answered(network, "mdo_before_treatment")["by_site"]
    for site in SITES:
        here = treated["here"] == site
        assert (shares[site]["n"], shares[site]["observed"]) == (
            here.sum(),
            discussed[here].sum(),
        )
    quarters = answered(network, "mdo_before_treatment", "trend")["by_site"]["h1"]["quarters"]
    of_h1 = treated[treated["here"] == "h1"]
    expected = discussed[of_h1.index].groupby(of_h1["start"].dt.quarter).agg(["size", "sum"])
    assert [(q["n"], q["observed"]) for q in quarters] == [tuple(r) for r in expected.to_numpy()]

    # mix by the hospital of diagnosis, volume by the hospital that operates
    mix = rows[(rows["dsite"] == rows["here"]) & in_year(rows["inc"])]
    assert mix["id"].is_unique
    table = answered(network, "treatment_mix_diagnosis")["by_site"]
    for site in SITES:
        cells = {c["by"]["first_treatment_kind"]: c["n"] for c in table[site]["cells"]}
        counted = mix[mix["here"] == site]["kind"].value_counts()
        assert {kind: n for kind, n in cells.items() if n} == counted.to_dict()
    volume = rows[operated & (rows["top"] == "C18") & in_year(rows["start"])]
    numbers = answered(network, "volume_colon")["by_site"]
    assert {site: numbers[site]["n"] for site in SITES} == volume["here"].value_counts().to_dict()

    # mortality: alive at the last contact within 30 days is not known
    resected = rows[operated & colorectal & in_year(rows["start"])]
    after = (resected["last"] - resected["start"]).dt.days
    dead = resected["status"] == "dead"
    known = dead | (after > 30)
    deaths = answered(network, "mortality_30")["by_site"]
    for site in SITES:
        here = known & (resected["here"] == site)
        assert deaths[site]["n"] == here.sum()
        assert deaths[site]["observed"] == (here & dead & (after <= 30)).sum()
        assert deaths[site]["missing"] == (~known & (resected["here"] == site)).sum()
    assert sum(deaths[s]["expected"] for s in SITES) == pytest.approx(
        sum(deaths[s]["observed"] for s in SITES)
    )

    # severe complications with and without prehabilitation: all four cells in one table
    both = resected[~emergency[resected.index]]
    severe = both["complication"].isin(["IIIa", "IVb"])
    cells = answered(network, "severe_complications_prehabilitation")["result"]["cells"]
    assert {tuple(cell["by"].values()): cell["n"] for cell in cells} == {
        (text(exposed), text(bad)): int(((both["pre"] == exposed) & (severe == bad)).sum())
        for exposed in (False, True)
        for bad in (False, True)
    }

    # change of quality of life: everybody at twelve months, with the score before treatment
    month = rows["visit"] + pd.Timedelta(days=365)
    asked = rows[in_year(month)]
    change = (asked["before"] + asked["change"]).clip(0, 100) - asked["before"]
    means = answered(network, "prom_change_summary")["by_site"]
    for site in SITES:
        own = change[asked["here"] == site]
        assert means[site]["n"] == len(own)
        assert means[site]["mean"] == pytest.approx(own.mean())


def text(yes: bool) -> str:
    return "true" if yes else "false"
