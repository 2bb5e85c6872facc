"""From hospitals' answers to what a snapshot says: sums of what is shown, and nothing more."""

from collections.abc import Mapping
from typing import Any

import held_round
import pytest

from federation.indicators.asking import Period
from federation.indicators.definition import Indicator
from federation.query.codebook import Codebook
from federation.rounds.answers import Answer
from federation.rounds.days import quantile
from federation.rounds.findings import finding_of
from federation.rounds.snapshot import IndicatorFinding
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
    inside = found(held_round.SHARE, {"a": held_round.own_share(100, 40)})
    assert inside.headline["en"] == "All hospitals are inside expected variation."


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
            "rule": {"signal": told, "ratio": [middle / 14, middle / 14], "why": None},
        }

    made = found(WAIT, {"a": waits(days, signal), "b": waits(14, False), "c": waits(14, False)})
    assert [row.signal for row in made.rows] == [signal, False, False]
    assert ("twice" in made.headline["en"]) is signal
    assert [row.attention for row in made.rows] == [False] * 3  # all within the norm
    assert made.target is not None
    assert made.network.within[0]["n"] == 60
    # The bins of two hospitals need not begin alike: the median of all is an interval.
    assert made.network.median is not None
    assert made.network.median[0] <= 14 <= (made.network.median[1] or 0)


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
    assert (network.n, network.median, network.value, network.hidden) == (80, None, None, "small")
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


def test_a_quantile_of_merged_bins_holds_the_true_day() -> None:
    whole = [(float(day), float(day), 1) for day in range(1, 101)]
    assert quantile(whole, 0.5) == (50.0, 50.0)
    assert quantile([(0.0, 20.0, 50), (21.0, float("inf"), 50)], 0.8) == (21.0, None)
    assert quantile([], 0.5) is None


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
