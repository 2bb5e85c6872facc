"""A run chart: hidden periods break the line, marks hang on no colour, nothing hidden is drawn."""

from __future__ import annotations

import re

import pytest

from registry.pictures.canvas import PHONE, SHAPES, WIDE
from registry.pictures.run_chart import Change, RunAxis, RunPoint, RunWords, Series, run_chart

WORDS = RunWords(
    title="t",
    description="d",
    up="share",
    centre="mean",
    limits="limits",
    marked="more than chance",
    hidden="hidden",
    target="target",
)


def points(*values: float | None, marked: int = -1) -> tuple[RunPoint, ...]:
    return tuple(
        RunPoint(f"Q{i}", value, 0.1, 0.9, marked=i == marked) for i, value in enumerate(values)
    )


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.name)
def test_hidden_periods_and_marked_points(shape: object) -> None:
    series = [Series("A", points(0.2, 0.3, None, 0.4, 0.5, marked=4), 0.35)]
    drawn = run_chart(series, words=WORDS, shape=shape, axis=RunAxis(percent=True))  # type: ignore[arg-type]
    assert drawn.count("<circle") == 3  # four are known, one of them is a diamond
    assert len(re.findall(r"<path[^>]*stroke-width=\"2\"", drawn)) == 2  # before and after
    assert drawn.count("<rect") == 2  # the hidden one, and its place in the key
    for text in ("mean", "limits", "more than chance", "hidden"):
        assert f">{text}</text>" in drawn
    assert ">target</text>" not in drawn
    assert "style=" not in drawn


def test_changes_and_a_target_in_each_panel() -> None:
    series = [Series("A", points(0.2, 0.3)), Series("B", points(0.4, None), own=True)]
    drawn = run_chart(
        series, words=WORDS, shape=WIDE, changes=[Change(1, "new clinic")], target=0.8
    )
    assert drawn.count(">new clinic</text>") == 2
    assert drawn.count('stroke-dasharray="1 5"') == 3  # two panels and the key
    assert 'font-weight="650">B<' in drawn


def test_nothing_known_is_no_picture() -> None:
    with pytest.raises(ValueError, match="no released number"):
        run_chart([Series("A", points(None, None))], words=WORDS, shape=PHONE)


def test_one_number_and_no_spread_are_drawn() -> None:
    for values in ((0.0,), (1.0, 1.0), (5.0, 5.0)):
        series = [Series("", tuple(RunPoint("Q", v) for v in values), values[0])]
        drawn = run_chart(series, words=WORDS, shape=PHONE)
        assert not re.search("nan|inf", drawn)
