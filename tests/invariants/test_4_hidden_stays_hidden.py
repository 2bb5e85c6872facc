"""Invariant 4: a hidden number is never 0, never guessed, never derivable from what is shown.

Real sites over files whose table has empty and small cells; what is released is then attacked
with everything it says, as linear equations.
"""

import csv
import itertools

import numpy as np
import pytest
from scipy.optimize import linprog

from federation.disclosure.policy import Policy
from federation.methods.registry import parse
from federation.query.codebook import Codebook
from registry.trial.files import find_files
from registry.trial.network import TrialNetwork
from registry.trial.sites import add_sites

STAGES, SEXES = ("I", "II", "III", "IV"), ("f", "m")
CODEBOOK = Codebook.from_dict(
    {
        "codebook": "small/1",
        "unit": "patient",
        "variables": {
            "stage": {"type": "category", "levels": list(STAGES)},
            "sex": {"type": "category", "levels": list(SEXES)},
        },
    }
)
T = Policy.strict().terms().t_cell


def answer(tmp_path, table, analysis):
    """Ask three sites that together hold `table` (stage x sex counts)."""
    people = [
        (stage, sex)
        for (stage, sex), n in zip(itertools.product(STAGES, SEXES), np.ravel(table), strict=True)
        for _ in range(int(n))
    ]
    for place in range(3):
        with (tmp_path / f"h{place}.csv").open("w", newline="") as file:
            out = csv.writer(file)
            out.writerow(["patient_id", "stage", "sex"])
            out.writerows((f"P{i}", *p) for i, p in enumerate(people) if i % 3 == place)
    query = parse(
        {
            "version": 1,
            "study": "s",
            "title": "t",
            "purpose": "p",
            "codebook": "small/1",
            "sites": "all",
            "cohort": {},
            "analysis": analysis,
            "output": "pooled",
        },
        CODEBOOK,
    )
    with TrialNetwork(CODEBOOK, Policy.strict(), ["s"]) as network:
        add_sites(network, find_files(tmp_path), [query], None, lambda note: None)
        network.start()
        return network.ask(query)


TABLES = {
    "one small cell": [[40, 50], [30, 60], [3, 45], [25, 70]],
    "an empty cell": [[40, 50], [30, 60], [0, 45], [25, 70]],
    "small beside small": [[40, 50], [30, 60], [4, 9], [25, 70]],
    "nothing small": [[40, 50], [30, 60], [20, 45], [25, 70]],
}


@pytest.mark.parametrize("name", TABLES)
def test_no_hidden_cell_can_be_solved(tmp_path, name):
    table = np.array(TABLES[name])
    envelope = answer(tmp_path, table, {"kind": "count", "by": ["stage", "sex"]})
    assert envelope["status"] == "complete", envelope
    result = envelope["result"]
    shown = np.array([np.nan if c["n"] is None else c["n"] for c in result["cells"]])
    truth = table.ravel().astype(float)
    known = ~np.isnan(shown)
    assert np.array_equal(shown[known], truth[known])
    small = truth < T
    assert not known[small].any()
    assert known.all() == (name == "nothing small")
    listed = {entry["where"] for entry in envelope["hidden"]}
    for place in np.flatnonzero(~known):
        assert any(where.startswith(f"cells[{place}]") for where in listed)
    # The attacker knows every margin of the table too, as if it had been asked elsewhere.
    rows = np.kron(np.eye(4), np.ones((1, 2)))
    columns = np.kron(np.ones((1, 4)), np.eye(2))
    equations = np.vstack([rows, columns, np.eye(8)[known]])
    right = np.concatenate([rows @ truth, columns @ truth, truth[known]])
    for place in np.flatnonzero(small):
        ends = [
            linprog(sign * np.eye(8)[place], A_eq=equations, b_eq=right, bounds=(0, None)).fun
            for sign in (1, -1)
        ]
        assert -ends[1] - ends[0] >= T - 1


def test_an_empty_cell_looks_like_any_other_small_one(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    asked = {"kind": "count", "by": ["stage", "sex"]}
    empty = answer(first, TABLES["an empty cell"], asked)
    small = answer(second, TABLES["one small cell"], asked)
    hidden_of = [[c["n"] is None for c in e["result"]["cells"]] for e in (empty, small)]
    assert hidden_of[0] == hidden_of[1]
    assert empty["hidden"] == small["hidden"]


def test_a_test_over_hidden_cells_is_hidden_too(tmp_path):
    envelope = answer(tmp_path, TABLES["one small cell"], {"kind": "count", "by": ["stage", "sex"]})
    assert envelope["result"]["test"] is None
    assert "test" in {entry["where"] for entry in envelope["hidden"]}


def test_a_group_that_is_too_small_gives_no_number(tmp_path):
    """All of a hospital network with four patients: a refusal, not a zero."""
    envelope = answer(tmp_path, [[1, 0], [1, 0], [1, 0], [1, 0]], {"kind": "count", "by": []})
    assert envelope["status"] == "refused"
    assert "result" not in envelope or envelope["result"] is None
