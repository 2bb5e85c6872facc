"""A record that cannot be true is in no sum, an unlikely one is; and the hospital is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hospitals import STUDY, Net, Row, claims_of
from limited import oncokring

from federation.disclosure.policy import Policy
from federation.query.builtin import builtin_codebook

BOOK = builtin_codebook("oncomin/1")
MAPPING = b"""
version: 2
codebook: oncomin/1
tables:
  patient:
    key: nr
    sex: {column: geslacht, map: {M: male, V: female}}
    vital_date: {column: laatste, format: "%d-%m-%Y"}
  tumour:
    key: tumor
    incidence_date: {column: datum, format: "%d-%m-%Y"}
    topography: topo
    tnm_edition: editie
    cm: m
    nodes_examined: onderzocht
    nodes_positive: positief
"""


def tumours(slug: str, count: int) -> list[Row]:
    """One tumour per patient, in whom nothing is wrong."""
    return [
        {
            "nr": f"{slug}-{n}",
            "tumor": f"{slug}-t{n}",
            "geslacht": "V" if n % 2 else "M",
            "laatste": "01-06-2022",
            "datum": f"10-03-{2018 + n % 3}",
            "topo": "C18",
            "editie": "8",
            "m": "0",
            "onderzocht": "12",
            "positief": str(n % 5),
        }
        for n in range(count)
    ]


@pytest.fixture
def rows() -> dict[str, list[Row]]:
    return {f"h{n}": tumours(f"h{n}", 60 + 20 * n) for n in range(3)}


def net(build: Any, rows: dict[str, list[Row]], policy: Policy) -> Net:
    made: Net = build(rows, policy=policy, codebook=BOOK, mapping=MAPPING)
    return made


def spoil(rows: list[Row], count: int) -> None:
    """More positive nodes than examined, in women: severity E."""
    for row in [row for row in rows if row["geslacht"] == "V"][:count]:
        row["positief"] = "40"


DESCRIBE = {"kind": "describe", "variables": ["nodes_positive"]}
COUNT = {"kind": "count", "by": ["sex"]}


def plausible(rows: dict[str, list[Row]]) -> list[Row]:
    return [row for found in rows.values() for row in found if row["positief"] != "40"]


@pytest.mark.parametrize("protected", [True, False])
def test_a_record_that_cannot_be_true_is_in_no_sum(
    build: Any, rows: dict[str, list[Row]], protected: bool
) -> None:
    spoil(rows["h0"], 20)
    kept = plausible(rows)
    world = net(build, rows, Policy.strict() if protected else Policy.open_data())

    counted = world.ask(COUNT, unit="tumour").envelope["result"]
    assert counted["n"] == len(kept) == 220
    women = next(cell["n"] for cell in counted["cells"] if cell["by"]["sex"] == "female")
    assert women in (100, None if protected else 100)
    assert sum(row["geslacht"] == "V" for row in kept) == 100

    described = world.ask(DESCRIBE, unit="tumour").envelope["result"]
    (found,) = described["variables"][0]["groups"]
    mean = sum(int(row["positief"]) for row in kept) / len(kept)
    assert found["n"] == len(kept)
    assert found["mean"] == pytest.approx(mean, rel=1e-5)


def test_the_patient_of_a_wrong_tumour_still_counts_as_a_patient(
    build: Any, rows: dict[str, list[Row]]
) -> None:
    spoil(rows["h0"], 20)
    counted = net(build, rows, Policy.strict()).ask(COUNT).envelope["result"]
    assert counted["n"] == 240


def test_a_record_that_is_only_unlikely_is_counted(build: Any, rows: dict[str, list[Row]]) -> None:
    for row in rows["h0"]:
        row["m"] = "X"  # cMX after the 6th edition: a warning
    counted = net(build, rows, Policy.strict()).ask(COUNT, unit="tumour").envelope["result"]
    assert counted["n"] == 240


def test_the_hospital_is_told_what_is_left_out_and_the_hub_only_roughly(
    build: Any, rows: dict[str, list[Row]]
) -> None:
    spoil(rows["h0"], 23)
    spoil(rows["h1"], 9)
    world = net(build, rows, Policy.strict())
    ended = oncokring("site", "check", world.folder / "h0", "--json", cwd=world.folder)
    assert ended.code == 0, ended
    (report,) = json.loads(ended.out)
    (rule,) = report["rules"]
    assert (rule["rule"], rule["rows"], rule["severity"]) == (
        "more_positive_than_examined",
        23,
        "E",
    )
    assert sum(rule["years"].values()) == 23
    assert {unit["unit"]: unit["excluded"] for unit in report["units"]} == {
        "patient": 0,
        "tumour": 23,
    }
    said = oncokring("site", "check", world.folder / "h0", cwd=world.folder).out
    assert "cannot be true and are never counted: 23" in said

    acks = [claims_of(body) for body in world.bodies[: len(world.rows)]]
    first = {claims["iss"]: claims["coverage"][STUDY] for claims in acks}
    counts = {site: each["rules"]["more_positive_than_examined"] for site, each in first.items()}
    assert counts == {"h0": 20, "h1": None, "h2": None}
    assert first["h0"]["variables"]["nodes_positive"] == "over_90"
    assert first["h0"]["variables"]["nodes_examined"] == "over_90"
    assert first["h0"]["variables"]["margin"] == "absent"
