"""QLQ-C30 and EQ-5D-5L: the published and hand-made vectors, and what must hold for any answers."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.prom import eq5d, qlq_c30
from federation.prom.instruments import INSTRUMENTS, QLQ_VARIABLES, by_slug, scores_of
from federation.prom.schedule import MONTHS, SHIPPED, Window, read_pathways, windows
from federation.prom.thresholds import THRESHOLDS
from federation.prom.wording import read_wording

BEST = dict.fromkeys(range(1, 29), 1) | {29: 7, 30: 7}
WORST = dict.fromkeys(range(1, 29), 4) | {29: 1, 30: 1}
HALF = (
    BEST
    | {1: 2, 2: 3, 3: None, 4: None, 5: 1, 10: 2, 12: 3, 18: None, 29: 5, 30: 6}
    | dict.fromkeys((21, 22, 23))
)
GOOD = ("QL", "PF", "RF", "EF", "CF", "SF")

answers = st.fixed_dictionaries(
    {item: st.none() | st.integers(1, qlq_c30.highest(item)) for item in qlq_c30.ITEMS}
)


def test_the_vectors_of_published_truth() -> None:
    best, worst, half = map(qlq_c30.scores, (BEST, WORST, HALF))
    assert {best[code] for code in (*GOOD, "SUM")} == {100.0}
    assert {worst[code] for code in (*GOOD, "SUM")} == {0.0}
    symptoms = set(qlq_c30.SCALES) - set(GOOD)
    assert {best[code] for code in symptoms} == {0.0}
    assert {worst[code] for code in symptoms} == {100.0}
    assert half["PF"] == pytest.approx(66.6667, abs=5e-5)
    assert (half["FA"], half["QL"], half["EF"], half["SUM"]) == (50.0, 75.0, None, None)
    # Two of four items are half; one is not. The example of domain.md 3.4: answers 2, 3, -, -, 1.
    assert qlq_c30.scores({21: 2, 22: 2})["EF"] == pytest.approx(66.6667, abs=5e-5)
    assert qlq_c30.scores({1: 2, 2: 3, 5: 1})["PF"] == pytest.approx(66.6667, abs=5e-5)
    assert sorted(item for each in qlq_c30.SCALES.values() for item in each.items) == list(
        range(1, 31)
    )


@pytest.mark.parametrize(
    ("state", "value"),
    [("11111", 1), ("21111", 0.918), ("55511", 0.39), ("44444", -0.289), ("55555", -0.446)],
)
def test_the_dutch_values_of_eq5d(state: str, value: float) -> None:
    assert eq5d.score(dict(zip(eq5d.DIMENSIONS, map(int, state), strict=True))) == value


def test_an_answer_that_cannot_be_given_makes_nothing() -> None:
    for wrong in ({1: 0}, {1: 5}, {29: 8}, {31: 1}, {1: True}, {1: 2.0}, {1: "2"}):
        with pytest.raises(ValueError, match="item"):
            qlq_c30.scores(wrong)  # type: ignore[arg-type]
    for level in ({"mo": 6}, {"mo": 0}, {"xx": 1}):
        with pytest.raises(ValueError, match=r"level|dimension"):
            eq5d.score(level)
    nan = np.nan
    found = qlq_c30.scale("SL", [np.array([1.0, 2.0, 4.0, 5.0, 1.5, np.inf, nan])])
    assert np.isinf(found).tolist() == [False, False, False, True, True, True, False]
    assert np.isnan(found).tolist() == [False] * 6 + [True]
    columns = [np.array([1.0, 3.0, 6.0])] * 4 + [np.array([nan, 3.0, 1.0])]
    found = eq5d.index(columns)
    assert np.isnan(found[0])
    assert np.isinf(found[2])
    for wrong_count in (qlq_c30.summary, eq5d.index):
        with pytest.raises(ValueError, match=r"is made of|dimensions"):
            wrong_count([np.array([1.0])])
    with pytest.raises(ValueError, match="has 5 items"):
        qlq_c30.scale("PF", [np.array([1.0])])
    with pytest.raises(KeyError):
        qlq_c30.highest(31)
    thirteen = [np.array([50.0, 50.0, 101.0])] * 12 + [np.array([50.0, nan, 50.0])]
    found = qlq_c30.summary(thirteen)
    assert (found[0], np.isnan(found[1]), np.isinf(found[2])) == (50.0, True, True)


@given(answers)
@settings(max_examples=60, deadline=None)
def test_scores_stay_in_bounds_and_need_half_of_the_items(given_: dict[int, int | None]) -> None:
    found = qlq_c30.scores(given_)
    for code, scale in qlq_c30.SCALES.items():
        there = [given_[item] for item in scale.items if given_[item] is not None]
        assert (found[code] is not None) == (2 * len(there) >= len(scale.items))
        if found[code] is not None:
            raw = sum(there) / len(there)  # type: ignore[arg-type]
            part = (raw - 1) / (6 if code == "QL" else 3)
            wanted = 100 * (1 - part if scale.kind == "function" else part)
            assert found[code] == pytest.approx(wanted)
    there = [found[code] for code in qlq_c30.IN_SUMMARY]
    assert (found["SUM"] is None) == (None in there)
    assert all(each is None or 0 <= each <= 100 for each in found.values())


@given(answers, st.sampled_from(qlq_c30.ITEMS))
@settings(max_examples=60, deadline=None)
def test_a_worse_answer_never_makes_a_better_score(
    given_: dict[int, int | None], item: int
) -> None:
    code = next(code for code, each in qlq_c30.SCALES.items() if item in each.items)
    was = given_[item]
    if was is None or was == qlq_c30.highest(item):
        return
    before, after = qlq_c30.scores(given_), qlq_c30.scores({**given_, item: was + 1})
    if before[code] is not None:
        higher = after[code] > before[code]  # type: ignore[operator]
        assert higher == (qlq_c30.SCALES[code].kind != "function")
        if before["SUM"] is not None and code in qlq_c30.IN_SUMMARY:
            assert after["SUM"] < before["SUM"]  # type: ignore[operator]


@given(st.lists(st.integers(1, 5), min_size=5, max_size=5), st.integers(0, 4))
@settings(max_examples=60, deadline=None)
def test_eq5d_never_rises_with_a_worse_level(levels: list[int], place: int) -> None:
    names = dict(zip(eq5d.DIMENSIONS, levels, strict=True))
    value = eq5d.score(names)
    assert value is not None
    assert eq5d.WORST <= value <= 1
    assert (value == 1) == (levels == [1] * 5)
    if levels[place] < 5:
        worse = eq5d.score({**names, eq5d.DIMENSIONS[place]: levels[place] + 1})
        assert worse is not None
        assert worse <= value
    assert eq5d.score({**names, eq5d.DIMENSIONS[place]: None}) is None


def test_scores_of_one_person_have_the_names_of_the_codebook() -> None:
    made = scores_of("QLQ-C30", {f"q{n}": a for n, a in BEST.items()})
    assert set(made) == set(QLQ_VARIABLES.values())
    assert scores_of("QLQ-C30", {"q1": 1}) == {}
    assert scores_of("EQ-5D-5L", {**dict.fromkeys(eq5d.DIMENSIONS, 1), "vas": 70}) == {
        "eq5d_index": 1.0,
        "eq_vas": 70.0,
    }
    for wrong in ({"q1": 5}, {"q31": 1}, {"q1": True}, {"vas": 50}):
        with pytest.raises(ValueError, match="does not have"):
            scores_of("QLQ-C30", wrong)
    with pytest.raises(ValueError, match="no such"):
        scores_of("SF-36", {})
    sizes = [len(page) for page in INSTRUMENTS["QLQ-C30"].pages]
    assert sum(sizes) == 30
    assert max(sizes) <= 5
    assert by_slug("eq-5d-5l") is INSTRUMENTS["EQ-5D-5L"]
    assert by_slug("EQ-5D-5L") is None


def test_thresholds_say_that_nobody_confirmed_them() -> None:
    assert not any(each.confirmed for each in THRESHOLDS.values())
    assert all(each.source for each in THRESHOLDS.values())
    assert THRESHOLDS["qlq_physical"].reached(82.9)
    assert not THRESHOLDS["qlq_physical"].reached(83.0)
    assert THRESHOLDS["qlq_fatigue"].reached(39.1)
    assert not THRESHOLDS["qlq_fatigue"].reached(39.0)


def test_windows_and_states() -> None:
    path = read_pathways(
        {
            "short": {
                "instruments": ["QLQ-C30"],
                "timepoints": {"6m": {"before": 7, "after": 14}, "T0": {"before": 3, "after": 0}},
            }
        }
    )["short"]
    first, half_year = windows(path, date(2026, 8, 31))
    assert first == Window("QLQ-C30", "T0", date(2026, 8, 28), date(2026, 8, 31), date(2026, 8, 31))
    # The last day of a shorter month stands for the 31st.
    assert (half_year.day, half_year.opens) == (date(2027, 2, 28), date(2027, 2, 21))
    assert half_year.closes == date(2027, 3, 14)
    states = [half_year.state(None, date(2027, 2, d)) for d in (20, 21)]
    assert states == ["later", "due"]
    assert half_year.state(None, date(2027, 3, 14)) == "due"
    assert half_year.state(None, date(2027, 3, 15)) == "missed"
    assert half_year.state(date(2027, 3, 14), date(2027, 4, 1)) == "received"
    assert half_year.state(date(2027, 3, 15), date(2027, 4, 1)) == "late"
    assert len(windows(SHIPPED["standard"], date(2024, 2, 29))) == 10
    assert windows(SHIPPED["standard"], date(2024, 2, 29))[-1].day == date(2026, 2, 28)
    assert list(MONTHS) == sorted(MONTHS, key=lambda code: MONTHS[code])


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        {},
        {"A": {}},
        {"a": {"instruments": ["QLQ-C30"]}},
        {"a": {"instruments": ["SF-36"], "timepoints": {"T0": {"before": 0, "after": 0}}}},
        {"a": {"instruments": ["QLQ-C30"] * 2, "timepoints": {"T0": {"before": 0, "after": 0}}}},
        {"a": {"instruments": [], "timepoints": {"T0": {"before": 0, "after": 0}}}},
        {"a": {"instruments": ["QLQ-C30"], "timepoints": {"4m": {"before": 0, "after": 0}}}},
        {"a": {"instruments": ["QLQ-C30"], "timepoints": {"T0": {"before": 0}}}},
        {"a": {"instruments": ["QLQ-C30"], "timepoints": {"T0": {"before": -1, "after": 0}}}},
    ],
)
def test_a_pathway_that_is_wrong_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="pathway"):
        read_pathways(wrong)


def wording() -> dict[str, object]:
    return {
        "wording": "EQ-5D-5L",
        "version": "1",
        "language": "nl",
        "licence": "made up for a test",
        "items": dict.fromkeys(("mo", "sc", "ua", "pd", "ad", "vas"), "a question of a test"),
        "answers": {"1-5": ["a", "b", "c", "d", "e"]},
    }


def test_a_wording_is_read_or_refused() -> None:
    found = read_wording(wording())
    assert found.answers["mo"] == ("a", "b", "c", "d", "e")
    assert "vas" not in found.answers
    assert read_wording(found.to_dict()) == found
    for key, value in (
        ("wording", "SF-36"),
        ("version", "2"),
        ("language", "de"),
        ("licence", " "),
        ("licence", "a\nb"),
        ("items", {"mo": "one only"}),
        ("items", dict.fromkeys(("mo", "sc", "ua", "pd", "ad", "vas"), "x" * 401)),
        ("answers", {"1-5": ["a", "b"]}),
        ("answers", []),
        ("script", "x"),
    ):
        with pytest.raises(ValueError, match=r"."):
            read_wording({**wording(), key: value})
    with pytest.raises(ValueError, match="must have"):
        read_wording({"wording": "EQ-5D-5L"})
