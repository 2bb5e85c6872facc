"""Waiting times and trends of single hospitals, over real sites: what leaves, and what follows."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hospitals import Net, claims_of

from federation.disclosure.policy import Policy
from federation.protocol.pooling import pool
from federation.query.codebook import load_codebook

WITH_FORM = replace(Policy.strict(), institution_disclosure="RvB-2026-17", site_level_output=True)
BOOK = load_codebook(
    b"""
codebook: wait/1
variables:
  wait: {type: duration, unit: days, min: 0, max: 1000, cuts: [7, 14, 21, 28, 42, 56, 90]}
  seen: {type: date}
  bad:  {type: boolean}
  kind: {type: category, levels: [a, b]}
  age:  {type: integer, unit: years, min: 18, max: 110, cuts: {step: 5}}
"""
)
MAPPING = b"""
codebook: wait/1
key: HDR_NR
variables:
  wait: {days_between: [HDR_REFERRED, HDR_SEEN], format: "%d-%m-%Y"}
  seen: {column: HDR_SEEN, format: "%d-%m-%Y"}
  bad: {column: HDR_BAD, map: {ja: true, nee: false}}
  kind: {column: HDR_KIND}
  age: {column: HDR_AGE}
"""
ASKED = {"kind": "waiting_time", "variable": "wait", "norms": [21, 28]}
TREND = {"kind": "trend", "date": "seen", "first": "2024-01", "last": "2024-12", "outcome": "bad"}
TIMES = {
    "kind": "trend",
    "date": "seen",
    "first": "2024-01",
    "last": "2024-12",
    "variable": "wait",
    "within": 21,
}


def hospital(slug: str, days: list[int], share: float = 0.4) -> list[dict[str, str]]:
    """Patients seen evenly over 2024, in another order than in the file."""
    chance = random.Random(slug)  # noqa: S311  test data
    rows = []
    for number, wait in enumerate(days):
        seen = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number * 366 // len(days))
        rows.append(
            {
                "HDR_NR": f"{slug}-{number}",
                "HDR_REFERRED": f"{seen - timedelta(days=wait):%d-%m-%Y}",
                "HDR_SEEN": f"{seen:%d-%m-%Y}",
                "HDR_BAD": "ja" if chance.random() < share else "nee",
                "HDR_KIND": "a" if number % 2 else "b",
                "HDR_AGE": str(chance.randrange(40, 90)),
            }
        )
    chance.shuffle(rows)
    return rows


def around(median: int, n: int, spread: int = 20) -> list[int]:
    return [max(0, round(median + spread * (2 * i / (n - 1) - 1))) for i in range(n)]


Rows = dict[str, list[dict[str, str]]]


def hospitals(days: dict[str, list[int]]) -> Rows:
    return {slug: hospital(slug, found) for slug, found in days.items()}


@pytest.fixture
def network(build: Any) -> Any:
    """`network(rows)`: real hospitals whose boards signed."""

    def make(rows: Rows) -> Net:
        agreed = {"policy": WITH_FORM, "study": {"by_site": "hub"}}
        made: Net = build(rows, codebook=BOOK, mapping=MAPPING, **agreed)
        return made

    return make


def drive(net: Net, analysis: dict[str, Any], **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The hospitals' own answers, and what the hub added up in each step on the way."""
    driver = net.driver(net.plan(net.query(analysis, output="by_site", **more)))
    sums: dict[str, Any] = {}
    while True:
        for slug, message in driver.messages(net.now).items():
            driver.receive(slug, net.send(slug, message), net.now)
        claims = {slug: answer.claims for slug, answer in driver._answers.items()}
        if all("masked" in each for each in claims.values()):
            sums[driver._step.name] = pool(claims, labelled=False)
        after = driver.advance(net.now)
        if after != "step":
            assert after is not None
            return after.envelope, sums


NETWORK = {
    "h0": around(28, 181),
    "h1": around(14, 161),
    "h2": around(14, 141),
    "h3": around(14, 201),
    "h4": [*[5] * 90, *[24] * 20, *[60] * 4],  # at its second norm only four are later
}


def test_the_rule_over_real_hospitals(network: Any) -> None:
    """28 days against 14 signals. One hospital hides its second norm: the hub has the days of all
    up to the one before it, so that what the others show leaves nothing of that."""
    net = network(hospitals(NETWORK))
    answer, sums = drive(net, ASKED)
    own = answer["by_site"]
    assert {s: part["rule"]["signal"] for s, part in own.items()} == {
        "h0": True, "h1": False, "h2": False, "h3": False, "h4": False,
    }  # fmt: skip
    assert [w["n"] for w in own["h4"]["within"]] == [90, None]
    days = sums["waiting_time.days"]["days"]
    assert (days.size - 2, days.sum()) == (27, sum(part["n"] for part in own.values()))
    assert days[:22].sum() == sum(part["within"][0]["n"] for part in own.values())
    # By themselves the hospitals part their days at the norms and nowhere else.
    assert {b["high"] for part in own.values() for b in part["bins"]} <= {21, 28, 365}
    assert answer["result"] == {}
    # Nothing of one hospital but its own answer left in clear.
    assert not any("plain" in claims_of(body) for body in net.bodies)


def test_another_cap_tells_nothing_new_of_a_quantile(network: Any) -> None:
    """Review 8b.3, pooled: the highest cap with a quantile at the cap was one patient's day."""
    net = network(hospitals({slug: around(60, 60, spread=55) for slug in ("h0", "h1", "h2")}))
    found = [net.ask({**ASKED, "cap": cap}) for cap in (94, 93, 365)]
    assert [each.status for each in found] == ["complete"] * 3
    said = [{k: each.envelope["result"][k] for k in ("n", "median", "p80")} for each in found]
    assert said == [said[0]] * 3
    low, high = said[0]["p80"]
    assert low < 93 <= high


@pytest.mark.parametrize("analysis", [ASKED, TREND], ids=lambda a: a["kind"])
def test_own_answers_and_a_pooled_one_are_never_both_given_where_one_hides(
    network: Any, analysis: dict[str, Any]
) -> None:
    """In either order: the pooled number less what four hospitals show is what the fifth hides."""
    rows = hospitals(NETWORK)
    for row in rows["h0"]:  # few with the outcome in the second quarter
        number, month = int(row["HDR_NR"].split("-")[1]), int(row["HDR_SEEN"][3:5])
        row["HDR_BAD"] = "ja" if number % (7 if 4 <= month <= 6 else 3) == 0 else "nee"
    for first, second in (("pooled", "by_site"), ("by_site", "pooled")):
        net = network(rows)
        assert net.ask(analysis, output=first).status == "complete"
        after = net.ask(analysis, output=second)
        assert (after.status, after.code) == ("refused", "SMALL_GROUP")


def test_the_same_question_again_gets_the_same_answer(network: Any) -> None:
    net = network(hospitals(NETWORK))
    first = net.ask(ASKED, output="by_site")
    again = net.ask(ASKED, output="by_site")
    assert (first.status, again.status) == ("complete", "replay")


def test_two_questions_that_differ_by_few_patients_of_a_hospital(network: Any) -> None:
    """Everybody, and everybody but three of h1: no two answers of h1 alone may tell of those."""
    rows = hospitals(NETWORK)
    for place, row in enumerate(rows["h1"]):
        row["HDR_KIND"] = "b" if place < 3 else "a"
    net = network(rows)
    assert net.ask(ASKED, output="by_site").status == "complete"
    most = {"var": "kind", "op": "=", "value": "a"}
    answer, sums = drive(net, ASKED, cohort=most)
    own = answer["by_site"]
    assert own["h1"]["code"] == "SMALL_GROUP"
    assert "n" not in own["h1"]
    counted = {slug: sum(row["HDR_KIND"] == "a" for row in rows[slug]) for slug in rows}
    assert sums["waiting_time.days"]["days"].sum() == sum(counted[s] for s in counted if s != "h1")


def test_what_an_earlier_answer_makes_small_is_not_left_by_the_sum(network: Any) -> None:
    """h3 has 30 patients beyond 28 days; an earlier answer told of all but three of them. So it
    hides that norm, and the days end before it, that the others may not leave it either."""
    rows = hospitals({slug: [*[5] * 90, *[24] * 30, *[60] * 30] for slug in NETWORK})
    late = [row for row in rows["h3"] if waited(row) == 60]
    for row in [row for slug in rows for row in rows[slug]]:
        row["HDR_KIND"] = "a"
    for row in late[:3]:
        row["HDR_KIND"] = "b"
    for slug in ("h0", "h1", "h2", "h4"):
        for row in [row for row in rows[slug] if waited(row) == 5][:40]:
            row["HDR_KIND"] = "b"
    net = network(rows)
    narrow = {"all": [{"var": "kind", "op": "=", "value": "a"},
                      {"var": "wait", "op": ">=", "value": 42}]}  # fmt: skip
    assert net.ask({"kind": "count"}, output="by_site", cohort=narrow).status == "complete"
    answer, sums = drive(net, ASKED)
    own = answer["by_site"]
    assert own["h0"]["within"][1]["n"] == 120
    assert own["h3"]["n"] is None or own["h3"]["within"][1]["n"] is None
    days = sums["waiting_time.days"]["days"]
    assert (days.size - 2, days.sum()) == (27, 5 * 150)


def waited(row: dict[str, str]) -> int:
    ends = [datetime.strptime(row[k], "%d-%m-%Y") for k in ("HDR_REFERRED", "HDR_SEEN")]  # noqa: DTZ007
    return (ends[1] - ends[0]).days


def test_a_trend_hides_what_its_year_would_tell(network: Any) -> None:
    """Rule O14 per quarter, and no quarter that the total and the others leave."""
    rows = hospitals({slug: [10] * 160 for slug in ("h0", "h1", "h2", "h3", "h4")})
    for row in rows["h0"]:  # thirteen in three quarters, two in the second
        number, month = int(row["HDR_NR"].split("-")[1]), int(row["HDR_SEEN"][3:5])
        row["HDR_BAD"] = "ja" if number % (20 if 4 <= month <= 6 else 3) == 0 else "nee"
    net = network(rows)
    answer, sums = drive(net, {**TREND, "formula": "age", "cusum_h": 4.5})
    own = answer["by_site"]["h0"]
    observed = [q["observed"] for q in own["quarters"]]
    assert observed[1] is None
    assert sum(each is None for each in observed) >= 2
    for quarter in own["quarters"]:
        if quarter["observed"] is None:
            assert (quarter["share"], quarter["cusum"]) == (None, None)
        else:
            assert 10 <= quarter["observed"] <= quarter["n"] - 10
            assert set(quarter["cusum"]) == {"max", "signal"}
            peak = quarter["cusum"]["max"]  # null where it is made of fewer than ten patients
            assert peak is None or peak == round(peak, 1)
    # A difference that is shown before all hidden quarters are in it would tell one of them.
    hidden = [i for i, each in enumerate(observed) if each is None]
    for place in range(hidden[0], hidden[-1]):
        assert own["quarters"][place]["vlad"] is None
    # By quarter nothing was pooled: the hub has the model, and each hospital's own answer.
    assert not any("quarters" in name for name in sums)


def test_the_order_of_patients_decides_and_never_leaves(network: Any) -> None:
    """The CUSUM follows the days, not the file; and nothing of a day is in a reply."""
    rows = hospitals({slug: [10] * 160 for slug in ("h0", "h1", "h2")})
    asked = {**TREND, "cusum_h": 2.0}
    net = network(rows)
    first = net.ask(asked, output="by_site").envelope["by_site"]
    peaks = [q["cusum"]["max"] for part in first.values() for q in part["quarters"] if q["cusum"]]
    assert len(set(peaks)) > 3
    replies = "".join(str(claims_of(body)) for body in net.bodies)
    assert "2024-Q1" in replies
    assert not any(row["HDR_SEEN"] in replies for slug in rows for row in rows[slug])
    # The same patients in another order in the file: the same CUSUM.
    again = network({slug: sorted(found, key=str) for slug, found in rows.items()})
    assert again.ask(asked, output="by_site").envelope["by_site"] == first
    # The same outcomes on other days: another one.
    for slug in rows:
        days = sorted((row["HDR_SEEN"], row["HDR_REFERRED"]) for row in rows[slug])
        for row, (seen, referred) in zip(rows[slug], days, strict=True):
            row |= {"HDR_SEEN": seen, "HDR_REFERRED": referred}
    assert network(rows).ask(asked, output="by_site").envelope["by_site"] != first


def test_waiting_per_quarter(network: Any) -> None:
    net = network(hospitals(NETWORK))
    own = net.ask(TIMES, output="by_site").envelope["by_site"]
    for part in own.values():
        for quarter in part["quarters"]:
            assert quarter["median"] is None or quarter["n"] >= 21
            assert quarter["observed"] is None or 10 <= quarter["observed"] <= quarter["n"] - 10
