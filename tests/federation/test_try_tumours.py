"""Questions about tumours over real site processes: rows are tumours, consent and small numbers are
about patients."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trying import Row, Tried, write_csv

Try = Callable[..., Tried]

CODEBOOK = {
    "codebook": "u/1",
    "units": {"patient": None, "tumour": "patient"},
    "variables": {
        "sex": {"type": "category", "levels": ["m", "f"], "sensitive": False},
        "tumours": {"type": "integer", "min": 0, "max": 20},
        "stage": {"type": "category", "levels": ["I", "II", "III"], "per": "tumour"},
        "days": {"type": "duration", "min": 0, "max": 5000, "per": "tumour"},
        "dead": {"type": "boolean", "per": "tumour"},
    },
}
MAPPING = """
version: 2
codebook: u/1
tables:
  patient: {key: pid, sex: sex, tumours: {count_of: tumour}}
  tumour: {key: eid, stage: stage, days: days, dead: dead}
"""
BASE: Row = {"version": 1, "study": "demo", "codebook": "u/1"}


def rows(site: int, *, crowded: bool = False) -> list[Row]:
    """100 patients in mixed order, every seventh with two tumours. `crowded`: 3 of them have twelve
    tumours of stage III each, and nobody else has one."""
    made = []
    for n in range(100):
        many = 12 if crowded and n < 3 else 2 if n % 7 == 0 else 1
        for t in range(many):
            usual = ("I", "II")[n % 2] if crowded else ("I", "II", "III")[(n + t) % 3]
            stage = "III" if crowded and n < 3 else usual
            made.append(
                {
                    "pid": f"h{site}p{n}",
                    "eid": f"h{site}p{n}t{t}",
                    "sex": "mf"[n % 2],
                    "stage": stage,
                    "days": 100 + n * 7 + t,
                    "dead": int((n + t) % 3 == 0),
                }
            )
    return sorted(made, key=lambda row: str(row["eid"])[::-1])  # tumours apart from one another


def prepare(folder: Path, sites: int, *, crowded: bool = False) -> None:
    for site in range(sites):
        write_csv(folder / "data" / f"h{site}.csv", rows(site, crowded=crowded))
    (folder / "codebook.json").write_text(json.dumps(CODEBOOK))
    (folder / "map.yaml").write_text(MAPPING)


def options(folder: Path) -> list[str]:
    return ["--json", "--mapping", str(folder / "map.yaml")]


@pytest.fixture
def asked(folder: Path, tried: Try) -> Callable[..., Any]:
    def ask(analysis: Row, *, policy: str, crowded: bool = False, **more: Any) -> Any:
        prepare(folder, 3, crowded=crowded)
        query = {**BASE, **more, "analysis": analysis}
        return tried(query, options=[*options(folder), "--policy", policy]).answer

    return ask


def everything(**more: Any) -> list[Row]:
    return [row for site in range(3) for row in rows(site, **more)]


@pytest.mark.parametrize("policy", ["open-data", "strict"])
def test_tumours_are_counted_and_their_patients_once(
    asked: Callable[..., Any], policy: str
) -> None:
    result = asked({"kind": "count", "by": ["stage"]}, policy=policy, unit="tumour")["result"]
    pooled = everything()
    n = Counter(row["stage"] for row in pooled)
    people = Counter(stage for stage, _ in {(row["stage"], row["pid"]) for row in pooled})

    assert (result["n"], result["patients"]) == (len(pooled), 300)
    for cell in result["cells"]:
        stage = cell["by"]["stage"]
        assert (cell["n"], cell["patients"]) == (n[stage], people[stage])


@pytest.mark.parametrize("policy", ["open-data", "strict"])
def test_a_patient_with_two_tumours_is_one_patient(asked: Callable[..., Any], policy: str) -> None:
    result = asked({"kind": "count", "by": ["sex"]}, policy=policy)["result"]

    assert result["n"] == 300
    assert {cell["by"]["sex"]: cell["n"] for cell in result["cells"]} == {"m": 150, "f": 150}


def test_many_tumours_of_few_patients_are_a_small_group(asked: Callable[..., Any]) -> None:
    """108 tumours of stage III, of 9 patients."""
    answer = asked({"kind": "count", "by": ["stage"]}, policy="strict", crowded=True, unit="tumour")
    third = answer["result"]["cells"][2]

    assert Counter(row["stage"] for row in everything(crowded=True))["III"] == 108
    assert (third["by"], third["n"], third["patients"]) == ({"stage": "III"}, None, None)


def test_survival_of_tumours_equals_the_pooled_tumours(asked: Callable[..., Any]) -> None:
    analysis = {"kind": "survival", "time": "days", "event": "dead", "by": "sex"}
    groups = asked(analysis, policy="open-data", unit="tumour")["result"]["groups"]
    pooled = everything()

    for group in groups:
        ours = [row for row in pooled if row["sex"] == group["level"]]
        assert group["n"] == len(ours)
        assert group["events"] == sum(row["dead"] for row in ours)
        assert group["patients"] == len({row["pid"] for row in ours})


def test_a_variable_of_tumours_is_refused_in_a_question_about_patients(
    folder: Path, tried: Try
) -> None:
    prepare(folder, 1)
    done = tried({**BASE, "analysis": {"kind": "count", "by": ["stage"]}}, options=options(folder))

    assert done.code == 2
    assert '"unit": "tumour"' in done.words


def test_without_a_mapping_rows_are_patients(folder: Path, tried: Try) -> None:
    prepare(folder, 1)
    done = tried({**BASE, "unit": "tumour", "analysis": {"kind": "count", "by": ["stage"]}})

    assert done.code == 2
    assert "--mapping" in done.words
