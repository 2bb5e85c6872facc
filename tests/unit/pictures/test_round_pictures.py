"""Pictures of evaluation rounds: labels that cover nothing, own hospital by shape and weight."""

from __future__ import annotations

import random
from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from registry.pictures.before_after import BeforeAfterWords, Measured, Pairing, before_after
from registry.pictures.canvas import PHONE, SHAPES, WIDE, Shape
from registry.pictures.funnel import FunnelScale, FunnelWords, Limit, Mark, funnel
from registry.pictures.letters import Box, Wanted, letter, place_labels, text_width
from registry.pictures.mix import MixBar, MixWords, mix
from registry.pictures.prom_change import Relevance, prom_change
from registry.pictures.strips import Level, Strip, StripWords, strips

SVG = "{http://www.w3.org/2000/svg}"
FUNNEL = FunnelWords(
    "<Shares>", "& words", "Patients", "Share", "95%", "99.8%", "Together 20%", "Target", "yours"
)
LIMITS = [Limit(n, (0.2 - 1 / n, 0.2 + 1 / n), (0.2 - 2 / n, 0.2 + 2 / n)) for n in range(10, 500)]
STRIPS = StripWords("<Days>", "& words", "Days", "median", "80%", "small", "yours")
ROWS = [
    Strip("A. Anna <1>", "14 days", None, (14, 14), (20, 22)),
    Strip("B. Own", "20%", 0.5, (0.2, 0.9), outside=95, own=True),
    Strip("C. Hidden", note="hidden: too few"),
]
MIX = MixWords("<Mix>", "& words", "Share", "not shown", "yours")


def draw_funnel(shape: Shape) -> str:
    marks = [
        Mark("A. Anna", 100, 0.21, 0, letter="A"),
        Mark("B. Own hospital", 200, 0.22, 0, own=True, letter="B"),
        Mark("C. Far away", 300, 0.4, 998, letter="C"),
    ]
    scale = FunnelScale(0.2, shares=True, target=0.25)
    return funnel(marks, LIMITS, words=FUNNEL, shape=shape, scale=scale)


def draw_strips(shape: Shape) -> str:
    levels = [Level(21, "norm 21"), Level(14, "together", strong=True)]
    return strips(ROWS, words=STRIPS, shape=shape, levels=levels)


def draw_change(shape: Shape) -> str:
    return prom_change(ROWS, Relevance(10, "no change"), words=STRIPS, shape=shape)


def draw_mix(shape: Shape) -> str:
    rows = [MixBar("A", (0.5, 0.3, 0.2), own=True), MixBar("B", (0.6, None, 0.2)),
            MixBar("C", (None, None, None), note="hidden: too few")]  # fmt: skip
    return mix(rows, ["surgery", "radio", "none"], words=MIX, shape=shape)


def draw_before_after(shape: Shape) -> str:
    pair = Pairing(
        "H", Measured("before", "29 days", (29, 29)), Measured("after", "15", (14, 16)), own=True
    )
    words = BeforeAfterWords("<Title>", "& words", "Days")
    return before_after([pair], words=words, shape=shape, levels=[Level(21, "norm")])


PICTURES: list[Callable[[Shape], str]] = [
    draw_funnel, draw_strips, draw_change, draw_mix, draw_before_after,
]  # fmt: skip


@pytest.mark.parametrize("draw", PICTURES)
def test_a_picture_is_whole_safe_and_inside_its_paper(draw: Callable[[Shape], str]) -> None:
    ids: list[str] = []
    for shape in SHAPES:
        root = ElementTree.fromstring(draw(shape))  # noqa: S314  our own
        assert not [e for e in root.iter() if "style" in e.attrib or e.tag.endswith("script")]
        ids += [e.attrib["id"] for e in root.iter() if "id" in e.attrib]
        right, bottom = (float(n) for n in root.attrib["viewBox"].split()[2:])
        for element in root.iter(f"{SVG}rect"):
            assert float(element.attrib["x"]) >= 0
            end = float(element.attrib["x"]) + float(element.attrib["width"])
            assert end <= right + 1, ElementTree.tostring(element)
        for text in root.iter(f"{SVG}text"):
            assert 0 <= float(text.attrib["y"]) <= bottom
            assert 0 <= float(text.attrib["x"]) <= right
    assert len(ids) == len(set(ids)), "two drawings of one page share an id"


@pytest.mark.parametrize("draw", [draw_funnel, draw_strips, draw_mix])
def test_the_own_hospital_stands_out_without_colour(draw: Callable[[Shape], str]) -> None:
    root = ElementTree.fromstring(draw(WIDE))  # noqa: S314
    bold = ["".join(t.itertext()) for t in root.iter(f"{SVG}text") if t.get("font-weight")]
    assert any("Own" in text or text in ("A", "yours") for text in bold)
    # A shape of its own: the ring or the arrow in ink.
    rings = [c for c in root.iter(f"{SVG}circle") if c.get("stroke") == "#14242e"]
    arrows = [p for p in root.iter(f"{SVG}path") if p.get("fill") == "#14242e"]
    assert rings or arrows


def test_hidden_is_said_and_never_drawn_as_zero() -> None:
    words = ["".join(t.itertext()) for t in ElementTree.fromstring(draw_strips(WIDE)).iter()]  # noqa: S314
    assert "hidden: too few" in words
    root = ElementTree.fromstring(draw_mix(WIDE))  # noqa: S314
    dashed = [r for r in root.iter(f"{SVG}rect") if r.get("stroke-dasharray")]
    assert len(dashed) == 2, "one in the key, one in the bar of B"
    with pytest.raises(ValueError, match="no released"):
        strips([ROWS[2]], words=STRIPS, shape=WIDE)
    with pytest.raises(ValueError, match="no released"):
        mix([MixBar("C", (None,))], ["x"], words=MIX, shape=PHONE)
    with pytest.raises(ValueError, match="matters"):
        Relevance(0, "")


def test_labels_cover_no_mark_and_no_other_label() -> None:
    area = Box(0, 0, 700, 340)
    for seed in range(30):
        rng = random.Random(seed)  # noqa: S311
        wanted = [
            Wanted(
                rng.uniform(20, 680),
                rng.uniform(120, 220),
                7.0,
                (f"{letter(i)}. Hospital {i}", letter(i)),
            )
            for i in range(16)
        ]
        placed = place_labels(wanted, area=area, size=14, lines=[[(0, 170), (700, 170)]])
        boxes = [p.box for p in placed if p is not None]
        assert len(boxes) >= 15, seed
        for i, box in enumerate(boxes):
            assert box.within(area)
            assert not any(box.meets(other) for other in boxes[i + 1 :]), seed
        for mark, found in zip(wanted, placed, strict=True):
            middle = Box(mark.x - 6, mark.y - 6, mark.x + 6, mark.y + 6)
            others = [p.box for p in placed if p is not None and p is not found]
            assert not any(middle.meets(box) for box in others), "a label lies on a mark"


def test_a_label_gives_way_to_its_letter_and_then_to_the_table() -> None:
    one = Wanted(30, 20, 5, ("A very long name of a hospital", "A"))
    (found,) = place_labels([one], area=Box(0, 0, 60, 40), size=14)
    assert found is not None
    assert found.text == "A"
    assert place_labels([one], area=Box(20, 10, 40, 30), size=14) == [None]
    assert [letter(i) for i in (0, 25, 26, 51, 52)] == ["A", "Z", "AA", "AZ", "BA"]
    assert text_width("WWW", 10) > text_width("iii", 10)
