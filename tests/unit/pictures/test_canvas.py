"""The paper: escaping, ticks, scales, and labels that keep apart."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.pictures.canvas import (
    PHONE,
    SERIES,
    WIDE,
    Canvas,
    Scale,
    cut,
    digits_for,
    plain,
    ratio_ticks,
    round_step,
    spread,
    ticks,
)

SVG = "{http://www.w3.org/2000/svg}"
SOME = st.floats(-1e6, 1e6, allow_nan=False)


def drawn(canvas: Canvas, **more: str) -> ET.Element:
    words = {"key": "k", "title": "t", "description": "d", **more}
    return ET.fromstring(canvas.finish(100, **words))  # noqa: S314  our own text


@given(st.text())
def test_words_from_anywhere_stay_words(words: str) -> None:
    canvas = Canvas(WIDE)
    printable = "".join(ch for ch in words if ch.isprintable())
    canvas.text(0, 0, printable)
    root = drawn(canvas, title=printable, description=printable)
    assert (root.find(f"{SVG}text").text or "") == printable  # type: ignore[union-attr]
    assert {element.tag for element in root} == {f"{SVG}{n}" for n in ("title", "desc", "text")}


def test_a_style_attribute_is_refused() -> None:
    with pytest.raises(ValueError, match="security policy"):
        Canvas(WIDE).element("rect", style="fill:red")


def test_a_picture_names_itself_for_screen_readers() -> None:
    root = drawn(Canvas(PHONE), title="Hoe lang", description="Langer")
    title, desc = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert desc is not None
    assert (title.text, desc.text) == ("Hoe lang", "Langer")
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == title.get("id")
    assert root.get("aria-describedby") == desc.get("id")


@given(SOME, st.floats(0.001, 1e6), st.integers(2, 10))
def test_ticks_are_round_inside_and_few(low: float, span: float, most: int) -> None:
    high = low + span
    found = ticks(low, high, most)
    step = round_step(span, most)
    assert len(found) <= most + 1
    assert all(low - step * 1e-6 <= t <= high + step * 1e-6 for t in found)
    mantissa = f"{step:.6e}".split("e")[0].rstrip("0").rstrip(".")
    assert mantissa in ("1", "2", "5")


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (0.5, 5.0, [0.5, 0.7, 1, 1.5, 2, 3, 5]),
        (0.9, 1.25, [1]),
        (0.01, 100, [0.01, 0.1, 1, 10, 100]),
    ],
)
def test_ratio_ticks_hold_one(low: float, high: float, found: list[float]) -> None:
    assert ratio_ticks(low, high) == pytest.approx(found)


def test_a_logarithmic_scale_puts_a_half_and_a_double_equally_far_from_one() -> None:
    x = Scale(0.25, 4.0, 0.0, 100.0, log=True)
    assert x(1.0) == pytest.approx(50)
    assert x(1.0) - x(0.5) == pytest.approx(x(2.0) - x(1.0))
    assert x.clip(1000) == pytest.approx(100)


@given(st.lists(st.floats(0, 300), min_size=1, max_size=8))
def test_labels_end_up_apart_and_in_order(places: list[float]) -> None:
    moved = spread(places, 18, 0, 300)
    order = sorted(range(len(places)), key=lambda i: places[i])
    gaps = [moved[b] - moved[a] for a, b in itertools.pairwise(order)]
    assert all(gap >= 18 - 1e-6 for gap in gaps)
    assert min(moved) >= 0
    assert max(moved) <= 300 + 1e-6


def test_digits_numbers_and_cutting() -> None:
    assert [digits_for(step) for step in (5, 1, 0.5, 0.2, 0.05)] == [0, 0, 1, 1, 2]
    assert plain(-1.25, 1) == "−1.2"
    assert cut("borstkanker", 6) == "borst…"
    assert len({dash for _colour, dash in SERIES}) == len(SERIES)
    assert all(re.fullmatch(r"#[0-9a-f]{6}", colour) for colour, _dash in SERIES)
