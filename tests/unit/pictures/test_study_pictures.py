"""The pictures of studies: what is drawn is what was given, inside the paper, without style."""

from __future__ import annotations

import math
import re
from datetime import date, timedelta
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from registry.pictures.accrual import AccrualDrawing, AccrualWords, Dated, Fan, accrual
from registry.pictures.canvas import SHAPES, WIDE, Shape
from registry.pictures.consort import Arm, Box, ConsortWords, Stage, consort
from registry.pictures.matrix import PHASE_ORDER, MatrixRow, MatrixWords, matrix, middle
from registry.pictures.start_up import Road, StartUpWords, Stretch, start_up
from registry.pictures.state_marks import COLOURS, PHASES, paths, symbol
from studies.states import PARTICIPATION_STATES

SVG = "{http://www.w3.org/2000/svg}"
WORDS = MatrixWords("<title>", "& all", "Hospitals", {kind: kind for kind in PHASE_ORDER})


def root_of(svg: str) -> ElementTree.Element:
    assert "style=" not in svg
    assert "<script" not in svg
    return ElementTree.fromstring(svg)  # noqa: S314  our own


def texts(svg: str) -> list[str]:
    return ["".join(each.itertext()) for each in root_of(svg).iter(f"{SVG}text")]


def test_every_state_has_a_mark_of_its_own() -> None:
    assert set(PHASES) == set(PARTICIPATION_STATES)
    marks = {symbol(state) for state in PARTICIPATION_STATES}
    assert len(marks) == len(PARTICIPATION_STATES), "two states would look the same"
    for state in PARTICIPATION_STATES:
        filled, lined = paths(state, 100, 100, 8)
        assert filled or lined
        starts = [float(x) for x in re.findall(r"M(-?[\d.]+)", filled + lined)]
        assert all(abs(x - 100) <= 8.1 for x in starts)
    assert set(PHASES.values()) == set(COLOURS) == set(PHASE_ORDER)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_a_matrix_draws_one_mark_per_part(shape: Shape) -> None:
    rows = [
        MatrixRow("Study <one>", ("open", "invited", None)),
        MatrixRow("Two", ("open", "on_hold", "declined")),
    ]
    svg = matrix(["A & B", "C", "D"], rows, words=WORDS, shape=shape)
    root = root_of(svg)
    assert "Study <one>" in texts(svg)
    assert "A & B" in texts(svg)
    drawn = {
        each.get("fill") if each.get("fill") != "none" else each.get("stroke"): each.get("d") or ""
        for each in root.iter(f"{SVG}path")
    }
    assert drawn[COLOURS["open"]].count("M") == 2, "two hospitals are open"
    assert drawn[COLOURS["hold"]].count("M") == 2, "two bars of one hospital on hold"
    assert drawn[COLOURS["declined"]].count("M") == 2, "two strokes of one cross"
    assert len(root.findall(f"{SVG}circle")) == 1, "one that is not invited"


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_a_hundred_hospitals_become_bars_with_their_numbers(shape: Shape) -> None:
    states = ("open",) * 40 + ("invited",) * 30 + ("on_hold",) * 8 + ("closed",) * 12 + (None,) * 10
    svg = matrix(
        [str(n) for n in range(100)], [MatrixRow("Study", states)], words=WORDS, shape=shape
    )
    assert [t for t in texts(svg) if t.isdigit()] == ["40", "30", "8", "12"]
    widths = [
        float(each.get("width") or 0) + 1.5
        for each in root_of(svg).iter(f"{SVG}rect")
        if float(each.get("height") or 0) == 20
    ]
    shares = [width / sum(widths) for width in widths]
    assert shares == pytest.approx([40 / 90, 30 / 90, 8 / 90, 12 / 90], abs=0.002)


def test_long_titles_that_begin_alike_stay_apart() -> None:
    labels = [
        f"Radiotherapy adapted every day in patients with cancer of the {x}"
        for x in ("lung", "skin")
    ]
    rows = [MatrixRow(label, ("open",) * 12) for label in labels]
    for shape in SHAPES:
        said = texts(matrix([str(n) for n in range(12)], rows, words=WORDS, shape=shape))
        shown = [text for text in said if text.startswith("Radio")]
        assert len(set(shown)) == 2
        assert [text[-4:] for text in shown] == ["lung", "skin"]
    assert middle("short", 5) == "short"
    assert [len(middle("x" * 80, n)) for n in (5, 19, 60)] == [5, 19, 60]


def test_nothing_to_draw_is_said() -> None:
    with pytest.raises(ValueError, match="no study"):
        matrix([], [], words=WORDS, shape=WIDE)
    with pytest.raises(ValueError, match="no stage"):
        consort([], [], words=ConsortWords("t", "d"), shape=WIDE)
    words = StartUpWords("t", "d", "days", ((1, "one"),), "+")
    with pytest.raises(ValueError, match="no hospital"):
        start_up([], words=words, shape=WIDE)


ACCRUAL = AccrualWords("t", "d", "n", "Actual", "Plan", "Forecast", "Target", "today")
DAY0 = date(2026, 1, 1)


def curve(svg: str, width: str) -> list[tuple[float, float]]:
    (found,) = [p for p in root_of(svg).iter(f"{SVG}path") if p.get("stroke-width") == width]
    pairs = re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", found.get("d") or "")
    return [(float(x), float(y)) for x, y in pairs]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_the_curve_goes_up_on_the_day_and_stays_inside_the_paper(shape: Shape) -> None:
    today = DAY0 + timedelta(days=100)
    drawing = AccrualDrawing(
        today,
        (Dated(DAY0, 0), Dated(DAY0 + timedelta(days=50), 1), Dated(DAY0 + timedelta(days=75), 2)),
        (Dated(DAY0, 0), Dated(DAY0 + timedelta(days=200), 8)),
        (Fan(today, 2, 2, 2), Fan(DAY0 + timedelta(days=200), 3, 5, 99)),
        target=8,
    )
    svg = accrual(drawing, words=ACCRUAL, shape=shape)
    points = curve(svg, "2.8")
    xs, ys = [x for x, _ in points], [y for _, y in points]
    assert xs == sorted(xs)
    assert ys == sorted(ys, reverse=True)
    start, end = points[0][0], points[-1][0]
    assert points[1][0] == pytest.approx(start + (end - start) / 2, abs=0.2), "day 50 of 100"
    rise = points[0][1] - points[-1][1]
    assert points[0][1] - points[2][1] == pytest.approx(rise / 2, abs=0.2), "one of two"
    assert {"Actual", "Plan", "Forecast", "Target", "today"} <= set(texts(svg))
    numbers = [float(n) for n in re.findall(r'(?:x|x1|x2|cx)="(-?[\d.]+)"', svg)]
    assert all(-1 <= n <= shape.width + 1 for n in numbers)
    assert not any(math.isnan(n) for n in numbers)


def test_a_study_without_plan_target_or_future_is_drawn() -> None:
    svg = accrual(AccrualDrawing(DAY0, (Dated(DAY0, 0),)), words=ACCRUAL, shape=WIDE)
    assert "Actual" in texts(svg)
    assert "Target" not in texts(svg)
    with pytest.raises(ValueError, match="no day"):
        accrual(AccrualDrawing(DAY0, ()), words=ACCRUAL, shape=WIDE)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_a_consort_diagram_holds_every_box_once(shape: Shape) -> None:
    stages = [
        Stage(Box("Screened", 40), (Box("Not eligible", 8, (("Age", 5), ("Stage", 3))),)),
        Stage(Box("Registered", None)),
    ]
    arms = [
        Arm("A", (Box("Allocated", 15), Box("Analysed", 14))),
        Arm("B", (Box("Allocated", 17),)),
    ]
    svg = consort(stages, arms, words=ConsortWords("t", "d"), shape=shape)
    said = texts(svg)
    for word in ("Screened", "40", "Not eligible", "8", "Age", "5", "Stage", "3", "A", "B", "–"):
        assert said.count(word) == 1, word
    assert said.count("Allocated") == 2
    boxes = list(root_of(svg).iter(f"{SVG}rect"))
    assert len(boxes) == 6
    assert all(
        float(box.get("x") or 0) + float(box.get("width") or 0) <= shape.width for box in boxes
    )
    places = [
        (float(b.get("y") or 0), float(b.get("y") or 0) + float(b.get("height") or 0))
        for b in boxes[:3]
    ]
    assert all(before[1] <= after[0] for before, after in pairwise(places))


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_start_up_bars_are_as_long_as_their_days(shape: Shape) -> None:
    words = StartUpWords("t", "d", "days", ((1, "one"), (3, "three"), (4, "four")), " so far")
    roads = [
        Road("Here", (Stretch(1, 10), Stretch(3, 30), Stretch(4, 60)), True),
        Road("There", (Stretch(1, 50),), False),
    ]
    svg = start_up(roads, words=words, shape=shape)
    bars = [b for b in root_of(svg).iter(f"{SVG}rect") if b.get("height") == "22"]
    widths = [float(bar.get("width") or 0) for bar in bars]
    assert widths == pytest.approx(
        [widths[2] / 6, widths[2] / 2, widths[2], widths[2] * 5 / 6], 0.02
    )
    assert [bar.get("stroke-dasharray") for bar in bars] == [None, None, None, "3 2"]
    assert bars[0].get("fill") != bars[1].get("fill"), "neighbours are told apart"
    assert {"100", "50 so far"} <= set(texts(svg))
