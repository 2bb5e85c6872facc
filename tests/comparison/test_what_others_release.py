"""The same attacks under the peers' rules and on ten real sites of ours; the page in
docs/explanation/what-others-would-release.md is printed from what is found here."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from net10 import OLD, P_STAR, T_STAR, Net10, both, either, everybody, leaf, no
from peers import PEERS, Peer, Withheld

PAGE = Path(__file__).parents[2] / "docs/explanation/what-others-would-release.md"
CELL = both(
    leaf("site_icd", "=", "C50"), leaf("diagnosed", "=", "2024-03"), leaf("hist", "=", "8502")
)
MEAN = {"kind": "describe", "variables": ["ca125"]}
COUNT = {"kind": "count", "by": []}


def rows() -> dict[str, list[dict[str, str]]]:
    """The ten hospitals, P* alone in CELL and among the old."""
    found = everybody()
    for slug, patients in found.items():
        for row in patients:
            wanted = ("C50", "8502", "2024-03")
            if (row["site_icd"], row["hist"], row["diagnosed"][:7]) == wanted:
                row["hist"] = "8502" if (slug, row["number"]) == P_STAR else "8500"
    found["S07"][7]["age"] = "66"
    return found


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    found = pd.DataFrame([row for patients in rows().values() for row in patients])
    for name in ("age", "ca125", "time_days"):
        found[name] = found[name].astype(float)
    for name in ("trt", "event", "relapse"):
        found[name] = found[name] == "true"
    found["old"] = found["age"] >= 60
    found["cell"] = (
        (found["site_icd"] == "C50")
        & (found["hist"] == "8502")
        & found["diagnosed"].str.startswith("2024-03")
    )
    return found


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = Net10(tmp_path_factory.mktemp("net"), rows())
    yield made
    made.close()


def two_means(peer: Peer, table: pd.DataFrame) -> str:
    """The mean of the old, and of the old without one cell: the difference is one patient."""
    old, fewer = table[table["old"]], table[table["old"] & ~table["cell"]]
    value = peer.mean(old["ca125"]) * len(old) - peer.mean(fewer["ca125"]) * len(fewer)
    truth = float(table.loc[table["cell"], "ca125"].iloc[0])
    assert value == pytest.approx(truth, abs=1e-6)
    return f"the patient's CA-125, {value:.1f}"


def tracker(peer: Peer, table: pd.DataFrame) -> str:
    """q(C or T) + q(C or not T) - q(all) = q(C)."""
    one, trt = table["cell"], table["trt"]
    found = peer.count(int((one | trt).sum())) + peer.count(int((one | ~trt).sum()))
    number = found - peer.count(len(table))
    if number != 1:
        raise Withheld
    return "that exactly one patient has these features"


def after_withdrawal(peer: Peer, table: pd.DataFrame) -> str:
    """The same mean on the day before and the day after somebody withdraws."""
    old = table[table["old"]]
    later = old[old["number"] != P_STAR[1]]
    value = peer.mean(old["ca125"]) * len(old) - peer.mean(later["ca125"]) * len(later)
    assert value == pytest.approx(871.3, abs=1e-6)
    return f"the value of who withdrew, {value:.1f}"


def chosen_coefficients(peer: Peer, table: pd.DataFrame) -> str:
    """A score at coefficients that switch on for patients over 96 only."""
    age = table["age"].to_numpy()
    design = np.column_stack((np.ones(len(age)), age, table["trt"]))
    y = np.zeros(len(age))
    for steep in (200.0,):
        score = -peer.score(design, y, np.array([-steep * 96.5, steep, 0.0]))
    oldest = table[table["number"] == T_STAR[1]].iloc[0]
    assert np.allclose(score, [1, 97, float(oldest["trt"])])
    return "the oldest patient's whole row of the design, (1, 97, treatment)"


def one_person_dummy(peer: Peer, table: pd.DataFrame) -> str:
    """A level of a category with one patient: intercept + coefficient is the patient's value."""
    design = np.column_stack((np.ones(len(table)), table["cell"]))
    fitted = peer.linear(design, table["ca125"].to_numpy())
    assert fitted.sum() == pytest.approx(871.3, abs=1e-6)
    return f"the patient's CA-125 as intercept + coefficient, {fitted.sum():.1f}"


def daily_curve(peer: Peer, table: pd.DataFrame) -> str:
    """Survival by day: each step is somebody's day of death."""
    days, events = table["time_days"].to_numpy(), table["event"].to_numpy()
    curve = peer.curve(days, events)
    assert len(curve) == len(np.unique(days[events]))
    return f"{len(curve)} days on which somebody died"


# What is tried; under the peers' rules; and with ours, as questions asked in this order.
ATTACKS: dict[str, tuple[Callable[[Peer, pd.DataFrame], str], list[tuple[Any, Any]]]] = {
    "Two means that differ by one patient": (
        two_means,
        [(MEAN, OLD), (MEAN, both(OLD, no(CELL)))],
    ),
    "Three counts that cross (tracker)": (
        tracker,
        [(COUNT, {}), (COUNT, either(CELL, leaf("trt", "=", True))),
         (COUNT, either(CELL, leaf("trt", "=", False)))],
    ),
    "The same mean after a withdrawal": (after_withdrawal, []),
    "Coefficients of the caller's choice": (
        chosen_coefficients,
        [({"kind": "regression", "family": "binomial", "formula": "event ~ age + trt",
           "start": [-19300, 200, 0]}, {})],
    ),
    "A category of one person in a model": (
        one_person_dummy,
        [({"kind": "regression", "family": "gaussian", "formula": "ca125 ~ stage*hist"}, {})],
    ),
    "Survival day by day": (
        daily_curve,
        [({"kind": "survival", "time": "time_days", "event": "event", "grid_days": 1}, {})],
    ),
}  # fmt: skip


def released(peer: Peer, attack: Callable[[Peer, pd.DataFrame], str], table: pd.DataFrame) -> str:
    try:
        return attack(peer, table)
    except Withheld:
        return "nothing"


@pytest.mark.parametrize("name", ATTACKS)
def test_ours_stops_it(net: Net10, name: str) -> None:
    questions = ATTACKS[name][1]
    if not questions:
        before = net.ask(MEAN, leaf("age", ">=", 55))
        net.withdraw(P_STAR[1])
        after = net.ask(MEAN, leaf("age", ">=", 55))
        assert after.result == before.result
        return
    codes = [net.ask(analysis, cohort).code for analysis, cohort in questions]
    assert any(codes), name


def test_some_peer_lets_each_attack_through(table: pd.DataFrame) -> None:
    """An attack that works nowhere would compare nothing."""
    for attack, _ in ATTACKS.values():
        assert any(released(peer, attack, table) != "nothing" for peer in PEERS)


def test_the_page_says_what_was_found(table: pd.DataFrame) -> None:
    head = ["Attack", *(peer.name for peer in PEERS), "Oncokring"]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for name, (attack, questions) in ATTACKS.items():
        ours = "nothing: refused" if questions else "nothing: the stored answer, unchanged"
        cells = [name, *(released(peer, attack, table) for peer in PEERS), ours]
        lines.append(f"| {' | '.join(cells)} |")
    found = "\n".join(lines)
    text = PAGE.read_text("utf-8")
    start, end = "<!-- found -->\n", "\n<!-- /found -->"
    inside = text.split(start)[1].split(end)[0]
    if os.environ.get("ONCOKRING_WRITE_GOLDEN"):
        PAGE.write_text(text.replace(inside, found), "utf-8")
        return
    assert inside == found, "run with ONCOKRING_WRITE_GOLDEN=1 and read what has changed"
