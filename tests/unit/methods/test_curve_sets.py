"""What a curve's points tell is written down as sets of patients, for comparison with others."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from federation.methods.curve_sets import curve_tables
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
