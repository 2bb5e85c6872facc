"""What the ledger keeps of a hospital's own answers: what they show, from the first sums on, and of
what the hospital was silent. Attacks over several questions, on real sites."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hospitals import CODEBOOK, MAPPING, Net, claims_of, patients

from federation.disclosure.policy import Policy
from federation.query.codebook import load_codebook

WITH_FORM = replace(Policy.strict(), institution_disclosure="RvB-2026-17", site_level_output=True)
BOOK = CODEBOOK + b"  wait: {type: duration, min: 0, max: 1000, cuts: [0, 7, 14, 21, 28, 42]}\n"
WAITS = MAPPING + b"  wait: {column: HDR_WAIT}\n"
TOTAL = {"kind": "count"}
BY_STAGE = {"kind": "count", "by": ["stage"]}
WOMEN = {"var": "sex", "op": "=", "value": "f"}
RARE = {"var": "hist", "op": "=", "value": "8502"}
PERIOD = {"date": "diagnosed", "first": "2019-01", "last": "2019-12"}
TREND = {"kind": "trend", **PERIOD, "outcome": "death"}
WITHIN = {"kind": "trend", **PERIOD, "variable": "wait", "within": 21}
WAITING = {"kind": "waiting_time", "variable": "wait", "norms": [21]}
MONTHS = ["01", "04", "07", "10"]

Rows = dict[str, list[dict[str, str]]]


def seen_in(quarters: list[list[int]], waits: list[int], slug: str) -> list[dict[str, str]]:
    """Patients of a hospital: per quarter of 2019 how many died and how many did not; `waits` are
    the days they waited, one after another."""
    kinds = [
        (month, died)
        for month, (yes, no) in zip(MONTHS, quarters, strict=True)
        for died in ["ja"] * yes + ["nee"] * no
    ]
    found = patients(slug, len(kinds), seed=len(slug) + sum(map(sum, quarters)))
    for number, (row, (month, died)) in enumerate(zip(found, kinds, strict=True)):
        row |= {"HDR_DIAG": f"12-{month}-2019", "HDR_DEATH": died, "HDR_STAGE": "II"}
        row["HDR_WAIT"] = str(waits[number % len(waits)])
    return found


@pytest.fixture
def network(build: Any) -> Any:
    def made(rows: Rows) -> Net:
        more = {"codebook": load_codebook(BOOK), "mapping": WAITS}
        found: Net = build(rows, policy=WITH_FORM, study={"by_site": "hub"}, **more)
        return found

    return made


def own(answer: Any, slug: str = "h0") -> dict[str, Any]:
    found: dict[str, Any] = answer.envelope.get("by_site", {}).get(slug, {})
    return found


def quarter(number: int) -> list[dict[str, Any]]:
    month = int(MONTHS[number])
    return [
        {"var": "diagnosed", "op": ">=", "value": f"2019-{month:02d}"},
        {"var": "diagnosed", "op": "<=", "value": f"2019-{month + 2:02d}"},
        {"var": "death", "op": "=", "value": True},
    ]


def observed(answer: Any, slug: str = "h0") -> list[int | None]:
    return [each["observed"] for each in own(answer, slug).get("quarters", [])]


def test_a_cell_of_a_trend_on_its_way_is_no_pooled_one(network: Any) -> None:
    """Three with the outcome in the first quarter of h0, so that fifteen in the third are hidden
    beside them. Asked for while the trend is on its way, they would stand in an answer already."""
    few = [[3, 30], [24, 30], [15, 30], [24, 30]]
    much = [[24, 30]] * 4
    rows = {f"h{n}": seen_in(much if n else few, [10], f"h{n}") for n in range(5)}
    net = network(rows)
    slow = net.driver(net.plan(net.query(TREND, output="by_site")))
    assert [net.round(slow), net.round(slow)] == ["step", "step"]  # look, and the first sums
    third = {"all": quarter(2)}
    between = net.ask(TOTAL, output="by_site", cohort=third)
    assert (own(between)["code"], own(between, "h1")["n"]) == ("SMALL_GROUP", 24)
    assert observed(net.drive(slow)) == [None, 24, None, 24]
    # those that are shown may be asked for, and shown; nothing tells the third
    assert own(net.ask(TOTAL, output="by_site", cohort={"all": quarter(1)}))["n"] == 24
    assert own(net.ask(TOTAL, output="by_site", cohort=third, plan={"again": True}))["code"]
    assert net.ask(TOTAL, cohort=third).status == "refused"


def test_what_bars_show_may_be_shown_by_quarter_and_no_more(network: Any) -> None:
    """Half of the patients of h1 wait up to 21 days, and of h0 only four, which its bars do not
    part; so its quarters do not either, whoever asks."""
    much = [[24, 30]] * 4
    half = [5, 12, 20, 25, 40, 60]
    rows = {f"h{n}": seen_in(much, half, f"h{n}") for n in range(5)}
    for number, row in enumerate(rows["h0"]):
        row["HDR_WAIT"] = "20" if number in (0, 60, 120, 180) else str(25 + number % 30)
    net = network(rows)
    waited = net.ask(WAITING, output="by_site")
    assert own(waited)["within"][0]["n"] is None
    assert own(waited, "h1")["within"][0]["n"] == 108
    trend = net.ask(WITHIN, output="by_site")
    assert observed(trend) == [None] * 4
    assert observed(trend, "h1") == [27] * 4
    within = {"var": "wait", "op": "<=", "value": 21}
    answer = net.ask(TOTAL, output="by_site", cohort=within)
    assert own(answer, "h1")["n"] == 108
    assert own(answer)["code"] == "SMALL_GROUP"


def test_two_own_numbers_that_pooled_answers_told_are_not_subtracted(network: Any) -> None:
    """Three women of h0 have a rare type, and forty of each other hospital. Both pooled numbers are
    known, so that neither set is new at h0; its own ones would leave the three."""
    rows = {f"h{n}": patients(f"h{n}", 200, seed=n) for n in range(5)}
    for slug, found in rows.items():
        for number, row in enumerate(found):
            row |= {"HDR_SEX": "VROUW" if number < 100 else "MAN", "HDR_WAIT": "9"}
            row["HDR_HIST"] = "8502" if number < (3 if slug == "h0" else 40) else "8140"
    net = network(rows)
    without = {"all": [WOMEN, {"not": RARE}]}
    for cohort in (WOMEN, without):
        assert net.ask(TOTAL, cohort=cohort).status == "complete"
    assert own(net.ask(TOTAL, output="by_site", cohort=WOMEN))["n"] == 100
    assert own(net.ask(TOTAL, output="by_site", cohort=without)).get("n") is None


@pytest.mark.parametrize("first", ["by_site", "pooled"])
def test_cells_of_which_a_hospital_was_silent_are_in_no_pooled_answer(
    network: Any, first: str
) -> None:
    """h0 has three patients outside the cohort, so it gives no answer of its own. The pooled table
    less the others' tables would be its own, with four in stage IV."""
    rows = {f"h{n}": patients(f"h{n}", 160, seed=n) for n in range(5)}
    for slug, found in rows.items():
        for number, row in enumerate(found):
            row["HDR_HIST"] = "8502" if number < (3 if slug == "h0" else 40) else "8140"
            row["HDR_STAGE"] = "IV" if 40 <= number < (44 if slug == "h0" else 70) else "II"
            row["HDR_WAIT"] = "9"
    net = network(rows)
    cohort = {"not": RARE}
    answers = {}
    for output in (first, "pooled" if first == "by_site" else "by_site"):
        answers[output] = net.ask(BY_STAGE, output=output, cohort=cohort)
    assert answers[first].status == "complete"
    (other,) = [answer for output, answer in answers.items() if output != first]
    assert (other.status, other.code) == ("refused", "SMALL_GROUP")
    if first == "by_site":
        assert own(other).get("n") is None
        assert own(answers["by_site"])["code"] == "SMALL_GROUP"
        assert own(answers["by_site"], "h1")["n"] == 120
        # parts of it neither: the second stage alone leaves the fourth
        part = {"all": [cohort, {"var": "stage", "op": "=", "value": "II"}]}
        assert net.ask(TOTAL, cohort=part).status == "refused"
        # about other patients everybody answers
        assert net.ask(TOTAL, cohort=WOMEN).status == "complete"
        # and whoever asks again gets the same: h0 says nothing, the others what they said
        again = net.ask(BY_STAGE, output="by_site", cohort=cohort, plan={"again": True})
        assert own(again)["code"] == "SMALL_GROUP"
        assert own(again, "h1")["cells"] == own(answers["by_site"], "h1")["cells"]


def test_a_hub_that_leaves_one_out_at_the_end_gets_no_pooled_answer_of_it(network: Any) -> None:
    """The others answer alone once all have said that they are ready; so it counts at h0 as well,
    of which the hub never fetches the answer. Four of its patients are in stage IV."""
    rows = {f"h{n}": patients(f"h{n}", 160, seed=n) for n in range(5)}
    for slug, found in rows.items():
        for number, row in enumerate(found):
            row["HDR_STAGE"] = "IV" if number < (4 if slug == "h0" else 30) else "II"
            row["HDR_WAIT"] = "9"
    net = network(rows)
    for analysis, steps in ((BY_STAGE, 2), ({"kind": "standardise", "outcome": "death"}, 3)):
        driver = net.driver(net.plan(net.query(analysis, output="by_site")))
        assert {net.round(driver) for _ in range(steps)} == {"step"}
        messages = driver.messages(net.now)
        assert net.claims("h1", messages["h1"])["released"]["result"]["n"] == 160
    answer = net.ask(BY_STAGE)
    assert (answer.status, answer.code) == ("refused", "SMALL_GROUP")
    # nor do the others answer before h0 said so
    driver = net.driver(net.plan(net.query({**BY_STAGE, "by": ["sex"]}, output="by_site")))
    assert net.round(driver) == "step"
    early = {slug: body for slug, body in driver.messages(net.now).items() if slug != "h0"}
    assert {net.claims(slug, body)["step"] for slug, body in early.items()} == {1}
    assert not any("released" in net.claims(slug, body) for slug, body in early.items())


def test_one_that_is_too_small_costs_the_others_neither_number_nor_model(network: Any) -> None:
    """h4 has six patients of the rare type, and 100 in all, who were answered about: the others'
    numbers of the type, and without it, tell nothing of the six, as nothing pooled is known."""
    much = [[24, 30]] * 4
    rows = {f"h{n}": seen_in(much, [10], f"h{n}") for n in range(5)}
    for slug, found in rows.items():
        for number, row in enumerate(found):
            row["HDR_HIST"] = (
                "8502" if number % 4 == 0 and (slug != "h4" or number < 24) else "8140"
            )
    net = network(rows)
    deaths = {"kind": "standardise", "outcome": "death", "formula": "age"}
    assert own(net.ask(deaths, output="by_site"), "h4")["n"] == 216
    rest = net.ask(deaths, output="by_site", cohort={"not": RARE})
    taken_out = net.ask(TOTAL, output="by_site", cohort=RARE)
    assert own(taken_out)["n"] == 54
    assert own(taken_out, "h4")["code"] == "SMALL_GROUP"
    for slug in ("h0", "h1", "h2", "h3"):
        assert own(rest, slug)["n"] == 162
        assert own(rest, slug)["expected"]
    # the rest of h4 is so near to all of it that it gives no number: the six would be told
    assert own(rest, "h4")["code"] == "SMALL_GROUP"
    # a second outcome of the same patients has a model as well
    assert own(net.ask({**deaths, "outcome": "trt"}, output="by_site"))["expected"]


def test_the_ledger_says_of_no_number_that_it_was_shown_which_was_not(network: Any) -> None:
    """Over hospitals with cells of every size: each set that is kept as shown has a number in the
    answer, and with it whatever the answer has a number of."""
    sizes = [[4, 9, 10, 11], [12, 30, 2, 25], [10, 10, 10, 10], [40, 9, 40, 0], [16, 16, 3, 60]]
    rows = {}
    for n, yes in enumerate(sizes):
        quarters = [[each, 14 + 7 * place] for place, each in enumerate(yes)]
        rows[f"h{n}"] = seen_in(quarters, [3, 9, 16, 20, 25, 33, 60][n:], f"h{n}")
        for number, row in enumerate(rows[f"h{n}"]):
            row["HDR_STAGE"] = ["I", "II", "III", "IV"][(number % 17) // 5]
    net = network(rows)
    asked = ({"kind": "standardise", "outcome": "death"}, WAITING, BY_STAGE, TREND, WITHIN)
    for analysis in asked:
        answer = net.ask(analysis, output="by_site")
        assert answer.status == "complete"
        for slug in rows:
            kept = net.programs[slug]._database.execute(
                "SELECT bits FROM own_set WHERE what = 'shown' AND run = ?",
                (answer.envelope["id"],),
            )
            shown = {int.from_bytes(bits, "little").bit_count() for (bits,) in kept}
            assert shown == _counts(own(answer, slug)), (analysis, slug)


def _counts(found: dict[str, Any]) -> set[int]:
    """Every number of patients in an answer that is one set's own."""
    parts = [found, *found.get("cells", []), *found.get("bins", []), *found.get("quarters", [])]
    numbers = [part.get(key) for part in parts for key in ("n", "observed", "over_cap")]
    return {n for n in numbers if n is not None}


def test_a_run_is_one_by_site_from_its_look_on(network: Any) -> None:
    net = network({f"h{n}": seen_in([[24, 30]] * 4, [10], f"h{n}") for n in range(5)})
    driver = net.driver(net.plan(net.query(TREND, output="by_site")))
    net.round(driver)
    (message, *_) = driver.messages(net.now).values()
    run = claims_of(message)["run"]
    found = net.programs["h0"]._database.execute("SELECT run, by_site, answered FROM run")
    assert found.fetchall() == [(run, 1, 0)]
    net.ask(TOTAL)
    pooled = net.programs["h0"]._database.execute("SELECT count(*) FROM run WHERE by_site = 0")
    assert pooled.fetchone() == (1,)
