"""The rules of a control chart on the quarters of a round."""

from __future__ import annotations

from typing import Any

from federation.rounds.trends import trend_of


def quarters(observed: list[int | None]) -> list[dict[str, Any]]:
    return [
        {"quarter": f"{2022 + i // 4}-Q{i % 4 + 1}", "n": None if o is None else 100, "observed": o}
        for i, o in enumerate(observed)
    ]


def rules(observed: list[int | None]) -> list[tuple[str, str, int]]:
    found = trend_of({"h0": {"quarters": quarters(observed)}})["rules"]
    return [(each["rule"], each["quarter"], each["side"]) for each in found]


def test_a_hidden_quarter_ends_a_run() -> None:
    """Review 8b.12: it was left out before the rules looked, so that a run went on over it."""
    below = [30, 30, 30, 30, 30, 30, 30, 30, 30, 60, 60]
    assert ("one_side", "2023-Q4", -1) in rules([*below])
    assert not [each for each in rules([*below[:4], None, *below[5:]]) if each[0] == "one_side"]
    rising = [20, 22, 24, 26, 28, 30, 32]
    assert rules([*rising]) == [("rising", "2023-Q2", 1)]
    assert rules([*rising[:3], None, *rising[3:]]) == []


def test_the_side_is_told() -> None:
    found = rules([30] * 6 + [60])
    assert found == [("outside", "2023-Q3", 1)]
    assert rules([None] * 4) == []
    only_n = [{**each, "n": 100} for each in quarters([None] * 4)]
    assert trend_of({"h0": {"quarters": only_n}})["rules"] == []
