"""From hospitals' answers to what a snapshot says: sums of what is shown, and nothing more."""

import math
import random
from collections.abc import Mapping
from typing import Any

import held_round
import pytest

from federation.indicators.asking import Period
from federation.indicators.catalogue import shipped
from federation.indicators.definition import Indicator
from federation.query.codebook import Codebook
from federation.rounds.answers import Answer
from federation.rounds.days import known_of, quantile
from federation.rounds.findings import finding_of
from federation.rounds.headlines import headline, lay_headline
from federation.rounds.snapshot import IndicatorFinding, Network, Row
from federation.rounds.without import without
from studies.seeds.loading import shipped_codebook

BOOK = Codebook.from_dict(shipped_codebook("gbsg"))
PERIOD = Period("2024-01", "2024-12")
NAMES = {"a": "Aldenhof", "b": "Berkrijk", "c": "Kempenhof"}
SMALL = {"status": "refused", "code": "SMALL_GROUP", "message": "Too few."}
WAIT = {
    **{name: part for name, part in held_round.SHARE.items() if name != "numerator"},
    "id": "wait",
    "measure": "time",
    "time": "rfs_days",
    "norms": [365],
    "strata": [],
    "targets": [
        {"at_least": 0.8, "within": 365, "since": "2000-01-01", "set_by": "x", "confirmed": True,
         "source": "y"}
    ],
}  # fmt: skip


def found(definition: Mapping[str, Any], own: Mapping[str, Any], **out: str) -> IndicatorFinding:
    answer = Answer(tuple(own), (), None, {"by_site": own}, None)
    reasons = dict.fromkeys(NAMES, "no_data") | out
    indicator = Indicator.from_dict(definition, BOOK)
    return finding_of(indicator, {"main": answer}, out=reasons, period=PERIOD, names=NAMES)


def test_a_network_is_the_sum_of_what_is_shown_and_no_hidden_number_is_nought() -> None:
    own = {"a": held_round.own_share(100, 40), "b": held_round.own_share(300, None), "c": SMALL}
    made = found(held_round.SHARE, own)
    rows = {row.site: row for row in made.rows}
    assert (rows["a"].value, rows["a"].hidden) == (0.4, None)
    assert (rows["b"].n, rows["b"].observed, rows["b"].hidden) == (300, None, "small")
    assert (rows["c"].n, rows["c"].hidden) == (None, "small")
    # b's patients are not in the sum either: its observed number would follow from the share.
    assert (made.network.n, made.network.observed, made.network.hospitals_in) == (100, 40, 1)
    nothing = found(held_round.SHARE, {"a": SMALL, "b": SMALL})
    assert nothing.network.n is None
    assert {row.hidden for row in nothing.rows} == {"small", "no_data"}


def test_the_days_of_all_are_of_the_hospitals_that_are_counted_beside_them() -> None:
    """One hospital's days under the number of three would be that hospital's median."""
    shown = {"n": 50, "missing": 1, "bins": [{"low": 0, "high": 9, "n": 30},
                                             {"low": 10, "high": 10, "n": 20}]}  # fmt: skip
    own = {"a": shown, "b": {"n": 200, "missing": 2}, "c": {"n": 300, "missing": 0}}
    made = found(WAIT, own)
    assert (made.network.hospitals_in, made.network.n, made.network.missing) == (1, 50, 1)
    assert made.network.for_outsiders().median is None


def test_outside_the_limits_is_a_reason_to_look_closer_on_the_worse_side_only() -> None:
    high = {"a": held_round.own_share(100, 60), "b": held_round.own_share(100, 38)}
    made = found(held_round.SHARE, high)
    assert "Aldenhof" in made.headline["en"]
    assert made.headline["en"].endswith("A reason to look closer, not a verdict.")
    assert made.headline["nl"].endswith("Een reden om beter te kijken, geen oordeel.")
    assert [row.attention for row in made.rows] == [True, False, None]
    better = found({**held_round.SHARE, "better": "higher"}, high)
    assert [row.attention for row in better.rows] == [False, False, None]
    # On which side, or a hospital that does well reads as one that does not.
    assert "Aldenhof lies above the 99.8% limits: worse than expected." in made.headline["en"]
    assert "Aldenhof ligt boven de 99,8%-grenzen: beter dan verwacht." in better.headline["nl"]
    assert "2 of 3 hospitals are shown." in made.headline["en"]
    inside = found(held_round.SHARE, {"a": held_round.own_share(100, 40)})
    assert inside.headline["en"] == (
        "The hospitals that are shown (1 of 3) are inside expected variation."
    )
    whole = found(held_round.SHARE, {site: held_round.own_share(100, 40) for site in NAMES})
    assert whole.headline["nl"] == "Alle ziekenhuizen liggen binnen de verwachte variatie."


def test_nobody_is_named_for_what_chance_gives_and_limits_widen_where_hospitals_differ() -> None:
    """With ten hospitals and twenty indicators ten are outside 95% by chance."""
    own = {site: {**held_round.own_share(100, 40 + 9 * place), "outside": 95 * (place > 0)}
           for place, site in enumerate("abc")}  # fmt: skip
    made = found(held_round.SHARE, own)
    assert made.headline["en"].startswith("Outside the 95% limits: 2 of 3 hospitals; by chance")
    assert not any(name in made.headline["en"] for name in NAMES.values())
    assert [row.attention for row in made.rows] == [False, True, True]
    own["a"] = {**held_round.own_share(100, 60), "limits95_widened": [0.4, 1.6],
                "limits998_widened": [0.2, 1.8]}  # fmt: skip
    assert own["a"]["outside"] == 998
    wide = found(held_round.SHARE, {"a": own["a"]})
    assert (wide.rows[0].outside, wide.rows[0].attention) == (0, False)


def test_a_hospital_that_sees_few_in_time_asks_for_attention() -> None:
    """82% within the norm where nine others have 97%: under the 99.8% limits of a funnel."""

    def one(seen: int, signal: bool | None = False) -> dict[str, Any]:
        return {"n": 500, "missing": 0, "bins": [{"low": 0, "high": 365, "n": 500}],
                "median": [200, 200], "p80": [300, 300],
                "within": [{"days": 365, "n": seen, "share": seen / 500}],
                "rule": {"signal": signal, "ratio": None, "why": None}}  # fmt: skip

    made = found(WAIT, {"a": one(410), "b": one(485), "c": one(485)})
    assert [row.attention for row in made.rows] == [True, False, False]
    assert "Aldenhof: fewer within 365 days than chance explains" in made.headline["en"]
    assert made.rows[0].within[0]["outside"] == 998
    same = found(WAIT, {site: one(485) for site in NAMES})
    assert [row.attention for row in same.rows] == [False] * 3
    assert same.headline["en"] == (
        "At no hospital is the median at least twice that of all others together. Nowhere fewer"
        " within 365 days than chance explains."
    )
    alone = found(WAIT, {"a": one(485), "b": one(485, None)})
    assert "At none of the hospitals that were compared (1 of 3)" in alone.headline["en"]


@pytest.mark.parametrize(
    ("value", "observed", "said"),
    [(0.0, 0, "in 0 of"), (0.002, 1, "in fewer than 1 of"), (0.04, 20, "in 4 of"),
     (0.998, 499, "in more than 99 of"), (1.0, 500, "in 100 of")],
)  # fmt: skip
def test_in_plain_words_few_is_not_nobody_and_most_is_not_everybody(
    value: float, observed: int, said: str
) -> None:
    network = Network(3, n=500, observed=observed, value=value)
    assert said in lay_headline(Indicator.from_dict(held_round.SHARE, BOOK), network)["en"]


@pytest.mark.parametrize(
    ("median", "said"),
    [((8.0, 21.0), "21 days or less"), ((14.0, 14.0), "14 days or less"),
     ((181.0, None), "181 days or more")],
)  # fmt: skip
def test_in_plain_words_a_wait_is_one_number(median: Any, said: str) -> None:
    network = Network(3, n=500, median=median)
    words = lay_headline(Indicator.from_dict(WAIT, BOOK), network)["en"]
    assert words == f"Half of the people waited {said}."


def test_in_plain_words_survival_a_change_and_two_groups_are_numbers_of_a_hundred() -> None:
    at = (
        {"days": 365, "share": 0.86},
        {"days": 1095, "share": 0.64},
        {"days": 1825, "share": None},
    )
    alive = lay_headline(shipped()["overall_survival"], Network(3, n=500, at=at))
    assert alive["en"] == "86 of every 100 people after 1 year; 64 after 3 years."
    assert alive["nl"] == "86 van elke 100 mensen na 1 jaar; 64 na 3 jaar."
    change = shipped()["prom_change_physical"]
    for value, said in (
        (-8.4, "8 points lower"),
        (0.3, "about the same"),
        (3.6, "4 points higher"),
    ):
        assert said in lay_headline(change, Network(3, n=500, value=value))["en"]
    groups = {"events": 21, "n": 123, "other_events": 38, "other_n": 128}
    apart = shipped()["severe_complications_prehabilitation"]
    words = lay_headline(apart, Network(3, n=251), groups)["nl"]
    assert words == "Met: 17 van elke 100 mensen. Zonder: 30 van elke 100."
    assert lay_headline(apart, Network(3, n=251), {"hidden": "small"})["en"].startswith("251")


def test_shares_that_are_not_judged_are_told_with_their_ends_and_that_they_are_not() -> None:
    rows = [Row("a", n=100, value=0.679), Row("b", n=80, value=0.786), Row("c", hidden="small")]
    words = headline(shipped()["textbook_outcome_colon"], rows, {})
    assert "between 67.9% and 78.6% in 2 hospitals; too little" in words["en"]
    assert "tussen 67,9% en 78,6% in 2 ziekenhuizen" in words["nl"]
    alive = headline(shipped()["overall_survival"], rows, {})["nl"]
    assert alive == "Totale overleving: tussen 67,9% en 78,6% in 2 ziekenhuizen."


@pytest.mark.parametrize(("days", "signal"), [(28, True), (27, False)])
def test_the_rule_of_the_seeds_is_the_hospitals_own_word(days: int, signal: bool) -> None:
    """28 against 14 days signals, 27 does not: decided inside the hospital, to the day."""

    def waits(middle: int, told: bool) -> dict[str, Any]:
        return {
            "n": 20,
            "missing": 0,
            "over_cap": 0,
            "bins": [
                {"low": 0, "high": middle, "n": 10},
                {"low": middle + 1, "high": None, "n": 10},
            ],
            "median": [middle, middle],
            "p80": [middle + 9, middle + 9],
            "within": [{"days": 365, "n": 20, "share": 1.0}],
            "rule": {"signal": told, "ratio": [middle / 14, middle / 14], "others": [14, 14],
                     "why": None},
        }  # fmt: skip

    made = found(WAIT, {"a": waits(days, signal), "b": waits(14, False), "c": waits(14, False)})
    assert [row.signal for row in made.rows] == [signal, False, False]
    assert ("Aldenhof: the median is at least twice" in made.headline["en"]) is signal
    assert ("(28 days against 14)" in made.headline["en"]) is signal
    assert ("(28 dagen tegen 14)" in made.headline["nl"]) is signal
    assert ("At no hospital is the median at least twice" in made.headline["en"]) is not signal
    assert [row.attention for row in made.rows] == [False] * 3  # all within the norm
    assert made.target is not None
    assert made.network.within[0]["n"] == 60
    # Ten of the twenty of the slow hospital are seen by its median and not before, so 29 of all 60
    # are seen by day 14 at most; and by day 23 sixteen of each of the others.
    assert made.network.median == (15.0, 23.0)


def test_what_is_missing_beside_a_number_of_patients_says_why() -> None:
    """A median that may be any day says nothing; the rule's own word stands without it."""
    anywhere = [{"low": 0, "high": 365, "n": 40}]
    rule = {"signal": True, "ratio": None, "why": None}
    waits = {"n": 40, "missing": 0, "bins": anywhere, "median": [0, 365], "p80": [0, None],
             "within": [], "rule": rule}  # fmt: skip
    made = found(WAIT, {"a": waits, "b": {**waits, "rule": None}})
    row = made.rows[0]
    assert (row.n, row.median, row.p80, row.value, row.hidden) == (40, None, None, None, "small")
    assert row.signal is True
    assert "Aldenhof: the median is at least twice" in made.headline["en"]
    network = made.network
    assert (network.n, network.median, network.value) == (80, None, None)
    assert network.hidden == "not_close"
    assert "365" not in made.headline_lay["en"]


SURVIVAL = {
    **{name: part for name, part in WAIT.items() if name not in ("norms", "targets")},
    "id": "survival",
    "measure": "survival",
    "time": "rfs_days",
    "event": "relapse",
    "at": [365, 1095],
}


@pytest.mark.parametrize(
    ("hides", "told"),
    [
        ({}, True),
        ({"c": "all"}, False),
        ({"c": 1095}, False),
        ({"c": "events"}, False),
        ({"b": "all", "c": "all"}, True),
        ({"b": 365, "c": 1095}, False),
    ],
)
def test_the_survival_of_all_tells_no_hidden_hospital(hides: dict[str, Any], told: bool) -> None:
    """Less the others' it would be exact without censoring, and near it with."""

    def part(site: str) -> dict[str, Any]:
        hide = hides.get(site)
        at = [{"t": day, "s": None if day == hide else 0.8} for day in (365, 1095)]
        if hide == "all":
            return {"n": 40, "missing": 0, "groups": [{"events": None, "at": []}]}
        return {"n": 40, "missing": 0,
                "groups": [{"events": None if hide == "events" else 12, "at": at}]}  # fmt: skip

    answers = {
        "main": Answer(tuple("abc"), (), None, {"by_site": {s: part(s) for s in "abc"}}, None),
        "pooled": Answer(tuple("abc"), (), None, {"result": part("")}, None),
    }
    indicator = Indicator.from_dict(SURVIVAL, BOOK)
    made = finding_of(indicator, answers, out=dict.fromkeys("abc", "no_data"), period=PERIOD,
                      names=NAMES)  # fmt: skip
    assert (made.network.value, made.network.hidden) == (
        (0.8, None) if told else (None, "derivable")
    )
    assert bool(made.network.at) is told
    for row in made.rows:
        assert row.n == 40
        assert (row.hidden is None) is (row.value is not None)


def of_bins(*bins: tuple[int, int | None, int], **more: Any) -> Row:
    parts = tuple({"low": low, "high": high, "n": n} for low, high, n in bins)
    return Row("a", n=sum(n for _, _, n in bins), bins=parts, **more)


def test_a_quantile_of_merged_bins_holds_the_true_day() -> None:
    single = known_of(of_bins(*((day, day, 1) for day in range(1, 101))))
    assert quantile([single], 0.5) == (50.0, 50.0)
    assert quantile([known_of(of_bins((0, 20, 50), (21, None, 50)))], 0.8) == (21.0, None)
    assert quantile([], 0.5) is None
    # The medians that hospitals show beside their bins say more than the bins alone.
    wide = ((0, 21, 90), (22, None, 10))
    assert quantile([known_of(of_bins(*wide))] * 2, 0.5) == (0.0, 21.0)
    shown = [of_bins(*wide, median=(12.0, 14.0)), of_bins(*wide, median=(13.0, 16.0))]
    assert quantile([known_of(each) for each in shown], 0.5) == (12.0, 16.0)
    few = Row("a", n=500, bins=shown[0].bins, median=(12.0, 14.0))  # not all stand in the bins
    assert quantile([known_of(few)], 0.5) == (0.0, 21.0)
    # Whatever the days are, and however each hospital joins them: the true day is inside.
    dice = random.Random(4)  # noqa: S311 - no secret
    for _time in range(200):
        rows, everybody = [], []
        for _hospital in range(dice.randint(1, 4)):
            days = sorted(dice.randint(0, 60) for _patient in range(dice.randint(1, 40)))
            cuts = sorted(dice.sample(range(1, 60), dice.randint(0, 3)))
            ends = list(zip([0, *cuts], [cut - 1 for cut in cuts] + [60], strict=True))
            parts = [(low, high, sum(low <= day <= high for day in days)) for low, high in ends]
            half = days[math.ceil(len(days) / 2) - 1]
            around = (float(half - dice.randint(0, 5)), float(half + dice.randint(0, 5)))
            rows.append(of_bins(*parts, median=around if dice.random() < 0.7 else None))
            everybody += days
        for share in (0.5, 0.8):
            true = sorted(everybody)[math.ceil(share * len(everybody) - 1e-9) - 1]
            found = quantile([known_of(row) for row in rows], share)
            assert found is not None
            assert found[0] <= true <= (found[1] or 0)


def test_without_a_hospital_nothing_is_left_that_was_worked_out_with_it() -> None:
    own = {"a": held_round.own_share(100, 40), "b": held_round.own_share(300, 90), "c": SMALL}
    envelope = {"by_site": own, "result": {"n": 400}, "hidden": [{"where": "x"}]}
    made = without(envelope, {"b"})
    assert made["result"] == {}
    assert made["by_site"]["b"].keys() == {"status", "code", "message"}
    assert made["by_site"]["c"] == SMALL
    assert made["by_site"]["a"]["observed"] == 40
    assert made["by_site"]["a"]["share"] == 0.4
    for name in ("expected", "ratio", "limits95", "variance", "outside"):
        assert made["by_site"]["a"][name] is None
    assert envelope["by_site"]["b"]["n"] == 300
