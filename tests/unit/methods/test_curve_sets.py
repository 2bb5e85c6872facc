"""What a curve's points tell is written down as sets of patients, for comparison with others."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from federation.methods.curve_sets import curve_tables, first_counts, owners_of
from federation.query.terms import Terms


def patients(rows: Any, n: int = 500) -> Any:
    rng = np.random.default_rng(9)
    return rows(
        t=np.floor(rng.exponential(500, n)).clip(0, 3000),
        e=rng.random(n) < 0.6,
        end=rng.choice(["none", "relapse", "death"], n),
        h=rng.choice(["no", "yes"], n),
    )


def cells(found: Any) -> dict[str, int]:
    """Every cell of the curves' tables, by its name."""
    made = {}
    for table in found.tables:
        if table.name.startswith("curve."):
            for place in np.ndindex(table.counts.shape):
                label = ",".join(
                    f"{name}={labels[at]}"
                    for (name, labels), at in zip(table.dims, place, strict=True)
                )
                made[label] = int(table.counts[place])
    return made


@pytest.mark.parametrize(
    ("kind", "params"),
    [("survival", {"event": "e"}), ("competing_risks", {"event": "end", "cause": "death"})],
)
def test_each_point_is_the_patients_after_it(
    kind: str, params: dict[str, Any], ask: Any, answer: Any, rows: Any
) -> None:
    made = patients(rows)
    found = answer(ask(kind, time="t", by="h", **params), [made])
    tables = cells(found)
    time = made.column("t").values
    for k, group in enumerate(found.result["groups"]):
        mine = made.column("h").codes() == k
        assert len(group["curve"]) > 2
        for point in group["curve"][1:]:
            t = int(point["t"])
            n = tables.pop(f"h={group['level']},t=({t},3000]")
            assert n == point["at_risk"] == (mine & (time > t)).sum()
    assert tables == {}  # nothing that is not told


def test_without_protection_there_are_none(ask: Any, answer: Any, rows: Any) -> None:
    question = ask("survival", time="t", event="e", terms=Terms.open_data())
    assert cells(answer(question, [patients(rows)])) == {}


def test_they_keep_to_the_largest_table_and_the_number_of_dimensions(ask: Any) -> None:
    terms = dataclasses.replace(Terms.strict(), max_cells=2, max_dims=1)
    question = ask("survival", time="t", event="e", terms=terms)
    times, left = [30.0, 60.0, 75.0, 90.0, 120.0], np.array([60, 40, 31, 30, 9])
    made = curve_tables(question, "c", (), times, left)
    # 31 is closer to 40 than two answers may be, and 9 is fewer than may be told.
    assert [(table.name, table.counts.tolist()) for table in made] == [
        ("c.0", [60, 40]),
        ("c.2", [30]),
    ]
    assert made[0].dims == (("t", ("(30,3000]", "(60,3000]")),)
    assert curve_tables(question, "c", (("h", ("no",)),), times, left) == []


def test_a_patient_counts_at_the_first_place_of_each_line(rows: Any) -> None:
    line, place = np.array([0, 0, 0, 1, 1]), np.array([2, 1, 0, 2, 2])
    people = np.array([7, 7, 8, 7, 9])
    assert first_counts(line, place, people, (2, 3)).tolist() == [[1, 1, 0], [0, 0, 2]]
    nothing = np.zeros(0, dtype=np.int64)
    assert first_counts(nothing, nothing, nothing, (1, 2)).tolist() == [[0, 0]]
    made = rows(x=[1, 2])
    assert owners_of(made).tolist() == [0, 1]
    assert owners_of(dataclasses.replace(made, people=np.array([5, 5]))).tolist() == [5, 5]


@pytest.mark.parametrize(
    ("kind", "params"),
    [("survival", {"event": "e"}), ("competing_risks", {"event": "end", "cause": "death"})],
)
@pytest.mark.parametrize("patients_in_all", [40, 150])
def test_an_interval_covers_patients_and_not_only_their_tumours(
    patients_in_all: int,
    kind: str,
    params: dict[str, Any],
    ask: Any,
    answer: Any,
    rows: Any,
    codebook: Any,
) -> None:
    question = ask(kind, time="t", **params)
    question = dataclasses.replace(question, codebook=dataclasses.replace(codebook, unit="tumour"))
    rng = np.random.default_rng(3)
    made = patients(rows, 800)
    made = dataclasses.replace(made, people=rng.integers(0, patients_in_all, 800))
    (group,) = answer(question, [made]).result["groups"]
    assert len(group["curve"]) > (2 if patients_in_all == 150 else 0)
    time = np.ceil(made.column("t").values / 30) * 30
    before = -1.0
    for point in group["curve"][1:]:
        inside = (time > before) & (time <= point["t"])
        assert len(set(made.people[inside])) >= 10
        assert len(set(made.people[time > point["t"]])) >= 10
        for code in (1,) if kind == "survival" else (1, 2):
            event = made.column(params["event"]).codes() == code
            assert len(set(made.people[inside & event])) >= 5
        assert point["at_risk"] == (time > point["t"]).sum()
        before = point["t"]
