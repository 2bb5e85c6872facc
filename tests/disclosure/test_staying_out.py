"""A hospital that may not answer beside what it answered before stays out of a question by_site:
zeros under its masks, SMALL_GROUP in place of its answer, and nothing of it in anybody else's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hospitals import claims_of, patients

from federation.disclosure.policy import Policy

WITH_FORM = replace(Policy.strict(), institution_disclosure="RvB-2026-17", site_level_output=True)
TOTAL = {"kind": "count"}
BY_STAGE = {"kind": "count", "by": ["stage"]}
WITHOUT = {"not": {"var": "hist", "op": "=", "value": "8502"}}
WOMEN = {"var": "sex", "op": "=", "value": "f"}
MEN = {"not": WOMEN}
THIRD = {"var": "stage", "op": "=", "value": "III"}


def near_at_h0(five: dict[str, list[dict[str, str]]], secret: int) -> dict[str, list[Any]]:
    """Three patients of h0 have a type that 40 of each other hospital have; `secret`: how many of
    h0 died, and how high its marker is."""
    for slug, rows in five.items():
        for number, row in enumerate(rows):
            row["HDR_HIST"] = "8502" if number < (3 if slug == "h0" else 40) else "8140"
    for number, row in enumerate(five["h0"]):
        row["HDR_DEATH"] = "ja" if number < secret else "nee"
        row["HDR_CA125"] = str(secret + number)
    return five


@pytest.mark.parametrize(
    "analysis",
    [
        {"kind": "standardise", "outcome": "death", "formula": "age"},
        {"kind": "adjusted_mean", "outcome": "ca125", "formula": "age"},
        {
            "kind": "trend",
            "date": "diagnosed",
            "first": "2015-01",
            "last": "2015-12",
            "outcome": "death",
        },
    ],
    ids=lambda a: a["kind"],
)
def test_nothing_of_it_stands_in_anybody_elses_answer(
    build: Any, five: dict[str, list[dict[str, str]]], analysis: dict[str, Any]
) -> None:
    """The others answer the same, to the last digit, whatever its patients are like."""
    found = []
    for secret in (40, 80):
        net = build(near_at_h0(five, secret), policy=WITH_FORM, study={"by_site": "hub"})
        assert net.ask(TOTAL, output="by_site").status == "complete"
        answer = net.ask(analysis, output="by_site", cohort=WITHOUT)
        assert answer.status == "complete"
        own = answer.envelope["by_site"]
        assert (own["h0"]["status"], own["h0"]["code"]) == ("refused", "SMALL_GROUP")
        found.append({slug: own[slug] for slug in ("h1", "h2", "h3", "h4")})
        assert all(part["n"] for part in found[-1].values())
    assert found[0] == found[1]


def test_an_answer_between_look_and_sums_asks_for_a_new_look(
    build: Any, five: dict[str, list[dict[str, str]]]
) -> None:
    """At the look it might answer; since then it told something beside which it may not."""
    net = build(near_at_h0(five, 50), policy=WITH_FORM, study={"by_site": "hub"})
    slow = net.driver(net.plan(net.query(TOTAL, output="by_site", cohort=WITHOUT)))
    assert net.round(slow) == "step"
    assert net.ask(TOTAL, output="by_site").status == "complete"
    own = net.drive(slow).envelope["by_site"]  # which looks anew, as the hub's worker does
    assert (own["h0"]["status"], own["h0"]["code"]) == ("refused", "SMALL_GROUP")
    assert own["h1"]["n"] == len(five["h1"]) - 40


@pytest.fixture
def ask(build: Any) -> Any:
    """Five hospitals, four women with stage IV in h0: III is hidden beside it."""
    rows = {}
    for n in range(5):
        counts = {"VROUW": (60, 50, 45, 14 if n else 4), "MAN": (60, 50, 50, 26)}
        kinds = [
            (sex, stage)
            for sex, numbers in counts.items()
            for stage, number in zip(("I", "II", "III", "IV"), numbers, strict=True)
            for _ in range(number)
        ]
        rows[f"h{n}"] = patients(f"h{n}", len(kinds), seed=n)
        for number, (row, (sex, stage)) in enumerate(zip(rows[f"h{n}"], kinds, strict=True)):
            row |= {"HDR_SEX": sex, "HDR_STAGE": stage, "HDR_DEATH": ("ja", "nee")[number % 2]}
    net = build(rows, policy=WITH_FORM, study={"by_site": "hub"})

    def asked(analysis: dict[str, Any], cohort: Any) -> dict[str, Any]:
        outcome = net.ask(analysis, output="by_site", cohort=cohort)
        found: dict[str, Any] = outcome.envelope.get("by_site", {}).get("h0", {})
        return found

    return asked


def _cells(found: dict[str, Any]) -> list[int | None]:
    return [cell["n"] for cell in found.get("cells") or [{"n": None}] * 4]


def test_cells_of_two_answers_never_add_up_to_a_hidden_one(ask: Any) -> None:
    """45 women with III: 95 with III in all, less 50 men."""
    assert _cells(ask(BY_STAGE, WOMEN)) == [60, 50, None, None]
    whole, men = _cells(ask(BY_STAGE, {})), _cells(ask(BY_STAGE, MEN))
    for place in (2, 3):
        assert whole[place] is None or men[place] is None


@pytest.mark.parametrize("first", ["cells", "model"])
def test_a_group_of_a_model_opens_no_cell_that_was_hidden(ask: Any, first: str) -> None:
    """Nobody was shown how many have III when a model allowed for stage: so it is no reason to show
    it now, where a table hid it."""
    model = {"kind": "standardise", "outcome": "death", "formula": "age + C(stage)"}
    for analysis in (BY_STAGE, model) if first == "cells" else (model, BY_STAGE):
        found = ask(analysis, WOMEN)
        if analysis is BY_STAGE:
            assert found["n"] == 159
            assert _cells(found) == [60, 50, None, None]
        else:  # measured by the others' model only, or out altogether where a table hid the level
            assert found.get("n") == (159 if first == "model" else None)
            assert found.get("expected") is None
    assert ask(TOTAL, {"all": [WOMEN, THIRD]}).get("n") is None


def test_the_same_outcome_and_the_same_levels_may_be_asked_of_again(ask: Any) -> None:
    """What was shown may be shown again, small levels or not: indicators share case mix."""
    for outcome, formula in (("death", "age"), ("death", "age + C(stage)"),
                             ("trt", "age + C(stage)"), ("trt", "age")):  # fmt: skip
        found = ask({"kind": "standardise", "outcome": outcome, "formula": formula}, {})
        assert found["observed"] is not None, (outcome, formula)
        assert found["expected"] is not None


def test_no_pooled_answer_less_the_others_tells_what_it_kept_back(
    build: Any, five: dict[str, list[dict[str, str]]]
) -> None:
    """Three patients of h0 lie between two questions. In whatever order they are asked, pooled and
    by hospital, never both of its numbers follow."""
    net = build(near_at_h0(five, 50), policy=WITH_FORM, study={"by_site": "hub"})

    def told(answer: Any, pooled: int | None) -> int | None:
        """The number of h0: its own, or the pooled one less the others' (where they stand)."""
        own = answer.envelope.get("by_site")
        if own is None:
            return None
        if own["h0"].get("n") is not None:
            return int(own["h0"]["n"])
        others = [own[slug]["n"] for slug in ("h1", "h2", "h3", "h4")]
        return None if pooled is None else pooled - sum(others)

    second = net.ask(TOTAL, cohort=WITHOUT).envelope["result"]["n"]
    first_own = net.ask(TOTAL, output="by_site")
    second_own = net.ask(TOTAL, output="by_site", cohort=WITHOUT)
    after = net.ask(TOTAL)
    first = after.envelope["result"]["n"] if after.status == "complete" else None
    # h0 has three patients outside the second cohort: it answers neither, and since the others'
    # numbers would tell its own beside the pooled one, nor do they.
    assert (second_own.status, second_own.code) == ("refused", "SMALL_GROUP")
    assert [told(second_own, second), told(first_own, first)] == [None, None]
    assert (after.status, after.code) == ("refused", "SMALL_GROUP")


def test_few_with_the_outcome_do_not_follow_from_the_pooled_number(
    build: Any, five: dict[str, list[dict[str, str]]]
) -> None:
    """Seven of h0 died: pooled less the other four. Where the pooled number is known nobody answers
    alone, since staying out would not hide it; and the other way round."""
    asked = {"kind": "standardise", "outcome": "death"}
    for first, then in (("pooled", "by_site"), ("by_site", "pooled")):
        net = build(near_at_h0(five, 7), policy=WITH_FORM, study={"by_site": "hub"})
        assert net.ask(asked, output=first).status == "complete"
        answer = net.ask(asked, output=then)
        assert (answer.status, answer.code) == ("refused", "SMALL_GROUP")


def test_expected_numbers_of_levels_are_not_given_beside_a_pooled_table(
    build: Any, five: dict[str, list[dict[str, str]]]
) -> None:
    """Three women at h0: the pooled number of women, less those of the other four, which their
    expected numbers let one solve where the model holds levels only."""
    for slug, rows in five.items():
        for number, row in enumerate(rows):
            row["HDR_SEX"] = "VROUW" if number < (3 if slug == "h0" else 40) else "MAN"
    net = build(five, policy=WITH_FORM, study={"by_site": "hub"})
    assert net.ask({"kind": "count", "by": ["sex"]}).status == "complete"
    asked = {"kind": "standardise", "outcome": "death"}
    levels = net.ask({**asked, "formula": "C(sex)"}, output="by_site")
    assert levels.status == "refused"
    line = {"kind": "adjusted_mean", "outcome": "ca125", "formula": "age + C(sex)"}
    assert net.ask(line, output="by_site").status == "refused"
    # nor with a measure beside them: the asker takes one that moves nothing
    assert net.ask({**asked, "formula": "age + C(sex)"}, output="by_site").status == "refused"


def test_a_level_that_was_hidden_follows_from_no_model_with_a_measure_in_it(
    build: Any, five: dict[str, list[dict[str, str]]]
) -> None:
    """Three women at h0 and a marker that has nothing to do with anything: from the others' counts
    and expected numbers the chances of women and men follow, and from h0's its women."""
    women = {"h0": 3, "h1": 80, "h2": 60, "h3": 40, "h4": 20}
    for slug, rows in five.items():
        for number, row in enumerate(rows):
            row["HDR_SEX"] = "VROUW" if number < women[slug] else "MAN"
            row["HDR_DEATH"] = "ja" if number % 3 < (2 if number < women[slug] else 1) else "nee"
            row["HDR_CA125"] = str(20 + number * 37 % 50)
    asked = {"kind": "standardise", "outcome": "death", "formula": "ca125 + C(sex)"}
    net = build(five, policy=WITH_FORM, study={"by_site": "hub"})
    own = net.ask(asked, output="by_site").envelope["by_site"]
    assert own["h0"]["observed"] is not None
    assert (own["h0"]["expected"], own["h0"]["limits95"]) == (None, [None, None])
    assert all(own[slug]["expected"] for slug in ("h1", "h2", "h3", "h4"))
    # in the order in which a table hid it first
    net = build(five, policy=WITH_FORM, study={"by_site": "hub"})
    net.ask({"kind": "count", "by": ["sex"]}, output="by_site")
    after = net.ask(asked, output="by_site").envelope.get("by_site", {"h0": {}})["h0"]
    assert after.get("expected") is None


def test_a_cell_hidden_to_protect_another_is_in_no_pooled_answer(
    build: Any, five: dict[str, list[dict[str, str]]]
) -> None:
    """At h0 stage III (3) is hidden and II (26) beside it. The pooled number with II, less those
    that the others show, would be that of h0, and the rest of its total the three. Where the pooled
    number is known already h0 hides all its cells."""
    for slug, rows in five.items():
        numbers = (3, 26, 40) if slug == "h0" else (30, 26, 40)
        stages = [s for s, n in zip(("III", "II", "I"), numbers, strict=True) for _ in range(n)]
        for row, stage in zip(rows, stages + ["IV"] * len(rows), strict=False):
            row["HDR_STAGE"] = stage
    net = build(five, policy=WITH_FORM, study={"by_site": "hub"})
    own = net.ask(BY_STAGE, output="by_site").envelope["by_site"]
    assert [cell["n"] is None for cell in own["h0"]["cells"]] == [False, True, True, False]
    assert all(cell["n"] for cell in own["h1"]["cells"])
    for stage, code in (("II", "SMALL_GROUP"), ("III", "SMALL_GROUP")):
        answer = net.ask(TOTAL, cohort={"var": "stage", "op": "=", "value": stage})
        assert (answer.status, answer.code) == ("refused", code)
    assert net.ask(TOTAL).status == "complete"
    # nor is it the difference of two pooled answers
    others = {"all": [{"not": WOMEN}, {"var": "stage", "op": "in", "value": ["I", "IV"]}]}
    assert net.ask(TOTAL, cohort=others).status == "complete"
    assert net.ask(TOTAL, cohort={"all": [{"not": WOMEN}, {"not": THIRD}]}).status == "complete"
    second = {"var": "stage", "op": "=", "value": "II"}
    answer = net.ask(TOTAL, cohort={"any": [second, others]})
    assert (answer.status, answer.code) == ("refused", "SMALL_GROUP")

    net = build(five, policy=WITH_FORM, study={"by_site": "hub"})
    assert net.ask(TOTAL, cohort=second).envelope["result"]["n"] == 130
    own = net.ask(BY_STAGE, output="by_site").envelope["by_site"]
    assert own["h0"]["n"] == len(five["h0"])
    assert {cell["n"] for cell in own["h0"]["cells"]} == {None}


def test_sums_of_two_hospitals_are_not_pooled_whoever_else_answers(
    build: Any, five: dict[str, list[dict[str, str]]]
) -> None:
    """Three hospitals are too small to shape the model: the masked sums would be of the others. So
    none leave, and each hospital shows what it may without a model."""
    for slug in ("h0", "h1", "h2"):
        for number, row in enumerate(five[slug]):
            row["HDR_DEATH"] = "ja" if number < 4 else "nee"
    net = build(five, policy=WITH_FORM, study={"by_site": "hub"})
    asked = {"kind": "standardise", "outcome": "death", "formula": "age"}
    driver = net.driver(net.plan(net.query(asked, output="by_site")))
    names = []
    while (outcome := net.round(driver)) == "step":
        names += {claims_of(body)["step_name"] for body in driver.messages(net.now).values()}
    assert names == ["ready", "standardise.own"]
    own = outcome.envelope["by_site"]
    assert [own[slug]["n"] for slug in sorted(own)] == [len(five[slug]) for slug in sorted(own)]
    assert [own[slug]["observed"] is None for slug in sorted(own)] == [True] * 3 + [False] * 2
    assert {own[slug]["expected"] for slug in own} == {None}
    assert all("No expected number" in own[slug]["warnings"][-1] for slug in own)
