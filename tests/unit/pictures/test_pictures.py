"""What each picture must show, and must not: hidden numbers, honest ends, no inline style."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest

from registry.pictures.answers import AnswerLine, AnswerWords, answers
from registry.pictures.bars import Bar, BarGroup, BarWords, bars
from registry.pictures.canvas import PHONE, SHAPES, WIDE, Shape
from registry.pictures.forest import Estimate, ForestWords, forest
from registry.pictures.funnel import FunnelWords, Limit, Mark, funnel
from registry.pictures.histogram import Column, HistogramWords, Panel, histogram
from registry.pictures.kaplan_meier import (
    Curve,
    Point,
    SurvivalWords,
    curves_of,
    kaplan_meier,
    time_unit,
)
from registry.pictures.network import Hospital, network

SVG = "{http://www.w3.org/2000/svg}"
ANSWERS = AnswerWords("Antwoorden", "Uitleg", ("Ja", "Nee", "Nog geen"), "<10")
SURVIVAL = SurvivalWords(
    "Overleving",
    "Uitleg",
    {"days": "Dagen", "months": "Maanden", "years": "Jaren"},
    "Nog gevolgd",
    "<10",
    "Iedereen",
)
FOREST = ForestWords("Ratio's", "Uitleg", "Ratio", "langzamer", "sneller", "tot", "niet getoond")
BARS = BarWords("Aantallen", "Uitleg", "Aantal", "<10")
HISTOGRAM = HistogramWords("Leeftijd", "Uitleg", "Jaren", "<10")
FUNNEL = FunnelWords("Trechter", "Uitleg", "Verwacht", "Verhouding", "95%", "99,8%")


def curve(label: str, days: float, points: int = 20) -> Curve:
    made = [Point(0, 1, 1, 1, 200)]
    for i in range(1, points + 1):
        s = 1 - 0.5 * i / points
        made.append(Point(days * i / points, s, s - 0.05, s + 0.05, 200 - 9 * i))
    return Curve(label, tuple(made))


def survival(shape: Shape) -> str:
    return kaplan_meier([curve("ja", 2000), curve("nee", 1500)], words=SURVIVAL, shape=shape)


def ratios(shape: Shape) -> str:
    lines = [Estimate("Behandeling", 0.64, 0.47, 0.85), Estimate("Graad", None, None, None)]
    return forest(lines, words=FOREST, shape=shape, ratio=True)


def counts(shape: Shape) -> str:
    group = BarGroup("Graad: 1", (Bar("ja", 48), Bar("nee", None)))
    return bars([group], words=BARS, shape=shape)


def hospitals(shape: Shape) -> str:
    made = [Hospital("Maasoever", "up"), Hospital("Peelrand", "down"), Hospital("De Aa")]
    return network(made, title="Netwerk", description="Uitleg", shape=shape)


def incidence(shape: Shape) -> str:
    points = (
        Point(0, 0, 0, 0, 200),
        Point(700, 0.06, 0.04, 0.09, 120),
        Point(900, 0.1, 0.07, 0.13, 90),
    )
    return kaplan_meier([Curve("ja", points)], words=SURVIVAL, shape=shape)


def differences(shape: Shape) -> str:
    lines = [Estimate("Leeftijd", 0.8, 0.3, 1.3), Estimate("Graad", -0.2, -0.9, 0.5)]
    return forest(lines, words=FOREST, shape=shape, ratio=False, null=0.0)


def bars_of_ages(shape: Shape) -> str:
    columns = (Column(40, 50, 30), Column(50, 60, None), Column(60, 80, 60))
    panels = [Panel("nee", columns), Panel("ja", columns)]
    return histogram(panels, words=HISTOGRAM, shape=shape)


LIMITS = [
    Limit(e, (1 - 2 / e**0.5, 1 + 2 / e**0.5), (1 - 3 / e**0.5, 1 + 3 / e**0.5))
    for e in (1, 9, 100)
]


def funnel_of_three(shape: Shape) -> str:
    marks = [
        Mark("Maasoever", 40, 1.05, 0),
        Mark("Peelrand", 60, 1.3, 95),
        Mark("De Aa", 90, 0.4, 998),
    ]
    return funnel(marks, LIMITS, words=FUNNEL, shape=shape)


def answers_given(shape: Shape) -> str:
    lines = [AnswerLine("Maasoever", (120, 10, None)), AnswerLine("De Aa", (None, None, None))]
    return answers(lines, words=ANSWERS, shape=shape)


PICTURES: list[Callable[[Shape], str]] = [
    survival, ratios, counts, hospitals, incidence, differences, bars_of_ages, funnel_of_three,
    answers_given,
]  # fmt: skip


def root_of(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314  our own text


def words_in(svg: str) -> list[str]:
    return [element.text or "" for element in root_of(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.name)
@pytest.mark.parametrize("draw", PICTURES)
def test_every_picture_passes_the_security_policy(
    draw: Callable[[Shape], str], shape: Shape
) -> None:
    svg = draw(shape)
    root = root_of(svg)
    assert all("style" not in element.attrib for element in root.iter())
    assert not list(root.iter(f"{SVG}script"))
    assert not list(root.iter(f"{SVG}style"))
    assert root.get("class") == f"draw-{shape.name}"
    assert "nan" not in svg
    assert "inf" not in svg


@pytest.mark.parametrize("draw", PICTURES)
def test_ids_of_the_two_drawings_do_not_meet(draw: Callable[[Shape], str]) -> None:
    ids = [
        element.get("id")
        for s in SHAPES
        for element in root_of(draw(s)).iter()
        if element.get("id")
    ]
    assert len(ids) == len(set(ids))


def test_a_curve_ends_where_the_released_points_end() -> None:
    short, long = curve("nee", 1500), curve("ja", 2000)
    assert short.at(1500) is not None
    assert short.at(1501) is None
    assert short.at_risk(1501) is None
    words = words_in(kaplan_meier([long, short], words=SURVIVAL, shape=WIDE))
    # The axis runs to five years; the short curve's last number is hidden, never 0.
    assert "<10" in words
    assert "0" not in words[words.index("Nog gevolgd") :]


def test_the_number_at_risk_is_the_next_released_one() -> None:
    made = Curve("x", (Point(0, 1, 1, 1, 50), Point(100, 0.9, 0.8, 1, 40)))
    assert [made.at_risk(t) for t in (0, 1, 100)] == [50, 40, 40]


def test_curves_start_with_everybody_and_skip_hidden_groups() -> None:
    groups = [
        {
            "level": "yes",
            "n": 30,
            "curve": [
                {"t": 60, "at_risk": 28, "s": 0.9, "low": 0.8, "high": 0.95},
                {"t": 90, "at_risk": None, "s": None, "low": None, "high": None},
            ],
        },
        {"level": None, "n": None, "curve": None},
    ]
    first, second = curves_of(groups, "Iedereen")
    assert (first.points[0].t, first.points[0].s, first.points[0].at_risk) == (0, 1, 30)
    assert first.end == 60
    assert (second.label, second.points) == ("Iedereen", ())


def test_a_band_surrounds_each_curve() -> None:
    filled = [e for e in root_of(survival(WIDE)).iter(f"{SVG}path") if e.get("fill") != "none"]
    assert len(filled) == 2


@pytest.mark.parametrize(("days", "unit"), [(60, "days"), (400, "months"), (2000, "years")])
def test_the_axis_uses_a_readable_unit(days: float, unit: str) -> None:
    assert time_unit(days) == unit
    assert SURVIVAL.time_axis[unit] in words_in(
        kaplan_meier([curve("x", days)], words=SURVIVAL, shape=PHONE)
    )


def test_a_hidden_estimate_says_so_and_has_no_mark() -> None:
    svg = ratios(WIDE)
    assert "niet getoond" in words_in(svg)
    assert "0.64 (0.47 tot 0.85)" in words_in(svg)
    diamonds = [e for e in root_of(svg).iter(f"{SVG}path") if e.get("d", "").endswith("Z")]
    assert len(diamonds) == 1


def test_shape_tells_clear_of_one_as_well_as_colour() -> None:
    lines = [Estimate("los", 2.0, 1.5, 2.6), Estimate("niet los", 1.1, 0.9, 1.4)]
    root = root_of(forest(lines, words=FOREST, shape=WIDE, ratio=True))
    assert len([e for e in root.iter(f"{SVG}path")]) == 1  # the diamond
    assert len([e for e in root.iter(f"{SVG}rect")]) == 1  # the square


def test_means_have_a_straight_axis() -> None:
    lines = [Estimate("ja", 53.1, 52.2, 54.0), Estimate("nee", 56.0, 54.8, 57.1)]
    words = words_in(forest(lines, words=FOREST, shape=WIDE, ratio=False, digits=1))
    assert {"53", "54", "55", "56", "57"} <= set(words)


def test_a_hidden_bar_looks_the_same_whatever_it_hides() -> None:
    svg = counts(WIDE)
    assert "<10" in words_in(svg)
    assert "0" in words_in(svg)  # the axis
    dashed = [e for e in root_of(svg).iter(f"{SVG}rect") if e.get("stroke-dasharray")]
    assert [e.get("width") for e in dashed] == ["18"]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.name)
def test_the_network_shows_state_by_shape(shape: Shape) -> None:
    root = root_of(hospitals(shape))
    assert len(list(root.iter(f"{SVG}path"))) == 1  # the diamond of the silent one
    assert {"Maasoever", "Peelrand", "De Aa"} <= set(words_in(hospitals(shape)))


def test_nothing_to_draw_is_an_error_not_an_empty_picture() -> None:
    hidden = [Estimate("x", None, None, None)]
    for draw in (
        lambda: kaplan_meier([Curve("x", ())], words=SURVIVAL, shape=WIDE),
        lambda: forest(hidden, words=FOREST, shape=WIDE, ratio=True),
        lambda: bars([], words=BARS, shape=WIDE),
        lambda: network([], title="t", description="d", shape=WIDE),
    ):
        with pytest.raises(ValueError, match="no "):
            draw()


def test_a_rare_event_gets_an_axis_that_fits_it() -> None:
    words = words_in(incidence(WIDE))
    assert "15%" in words
    assert "100%" not in words
    assert "100%" in words_in(survival(WIDE))


def test_differences_have_a_line_at_nothing() -> None:
    strong = [
        e for e in root_of(differences(WIDE)).iter(f"{SVG}line") if e.get("stroke-width") == "1.8"
    ]
    assert len(strong) == 1
    # One stands clear of 0 and is a diamond; the other is a square.
    assert len([e for e in root_of(differences(WIDE)).iter(f"{SVG}path")]) == 1
    plain_means = forest([Estimate("a", 2, 1, 3)], words=FOREST, shape=WIDE, ratio=False)
    assert 'stroke-width="1.8"' not in plain_means


def test_the_area_of_a_bar_is_its_patients() -> None:
    bars_drawn = [e for e in root_of(bars_of_ages(WIDE)).iter(f"{SVG}rect")]
    first, hidden, wide = bars_drawn[:3]
    area = [float(e.get("width", "0")) * float(e.get("height", "0")) for e in (first, wide)]
    assert area[1] / area[0] == pytest.approx(2, rel=0.02)
    assert hidden.get("stroke-dasharray")
    assert words_in(bars_of_ages(WIDE)).count("<10") == 2


def test_every_hidden_bar_is_as_high() -> None:
    columns = (Column(0, 1, None), Column(1, 2, None), Column(2, 3, 500))
    svg = histogram([Panel("", columns)], words=HISTOGRAM, shape=WIDE)
    heights = [
        e.get("height") for e in root_of(svg).iter(f"{SVG}rect") if e.get("stroke-dasharray")
    ]
    assert heights == ["18", "18"]
    with pytest.raises(ValueError, match="no released bar"):
        histogram([Panel("", columns[:2])], words=HISTOGRAM, shape=WIDE)


def test_only_hospitals_outside_the_limits_are_named() -> None:
    root = root_of(funnel_of_three(WIDE))
    words = words_in(funnel_of_three(WIDE))
    assert "Maasoever" not in words
    assert {"Peelrand", "De Aa"} <= set(words)
    # Three shapes, so that colour is not needed to tell them apart.
    assert len(list(root.iter(f"{SVG}circle"))) == 1
    assert len(list(root.iter(f"{SVG}rect"))) == 1
    closed = [e for e in root.iter(f"{SVG}path") if e.get("d", "").endswith("Z")]
    assert len([each for each in closed if each.get("stroke")]) == 1
    assert len(closed) == 3, "the diamond and the two shades between the limits"


def test_a_funnel_needs_a_hospital() -> None:
    with pytest.raises(ValueError, match="no released ratio"):
        funnel([], LIMITS, words=FUNNEL, shape=WIDE)


def test_hidden_answers_are_stubs_of_one_width() -> None:
    for shape in (WIDE, PHONE):
        svg = answers_given(shape)
        assert words_in(svg).count("<10") == 4
        widths = [rect.get("width") for rect in root_of(svg).iter(f"{SVG}rect")]
        assert widths.count("14") == 4
        assert len(set(widths)) == 3
    with pytest.raises(ValueError, match="no hospital"):
        answers([], words=ANSWERS, shape=WIDE)
