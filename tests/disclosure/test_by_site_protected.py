"""Results per hospital under protection: who has to agree, what leaves, and who can read it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hospitals import claims_of

from federation.disclosure.policy import Policy
from federation.methods.base import Step
from federation.methods.own import OWN
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import BoxKey, key_id
from federation.protocol.sealing import open_result

WITH_FORM = replace(Policy.strict(), institution_disclosure="RvB-2026-17", site_level_output=True)
COUNT = {"kind": "count", "by": ["stage"]}
COX = {"kind": "cox", "time": "fu_days", "event": "death", "formula": "age + trt"}
STANDARD = {"kind": "standardise", "outcome": "death", "formula": "age + C(sex)"}
KEY = BoxKey.generate()


@pytest.fixture
def benchmark(build: Any) -> Any:
    """Five hospitals whose boards signed, in a study that stores results at the hub."""
    return build(policy=WITH_FORM, study={"by_site": "hub"})


@pytest.fixture
def sealing(build: Any) -> Any:
    """Five hospitals that seal their results to the key of the study."""
    return build(policy=WITH_FORM, study={"by_site": "sealed", "result_key": KEY.public})


def keep_few(rows: list[dict[str, str]], most: int = 6) -> None:
    """Leave so many patients in stage IV at this hospital."""
    found = [row for row in rows if row["HDR_STAGE"] == "IV"]
    for row in found[most:]:
        row["HDR_STAGE"] = "I"


def of(net: Any, site: str, column: str, value: str) -> int:
    return sum(row[column] == value for row in net.rows[site])


@pytest.mark.parametrize("analysis", [COUNT, COX, STANDARD], ids=lambda a: a["kind"])
def test_each_hospital_answers_alone_and_nothing_is_pooled(
    benchmark: Any, analysis: dict[str, Any]
) -> None:
    outcome = benchmark.ask(analysis, output="by_site")
    answer = outcome.envelope
    assert (outcome.status, answer["result"]) == ("complete", {})
    assert {site: own["n"] for site, own in answer["by_site"].items()} == {
        site: len(rows) for site, rows in benchmark.rows.items()
    }


def test_what_leaves_is_counted_exactly_and_small_cells_are_hidden_at_each_hospital(
    build: Any, five: dict[str, list[dict[str, str]]]
) -> None:
    keep_few(five["h0"])
    net = build(five, policy=WITH_FORM, study={"by_site": "hub"})
    answer = net.ask(COUNT, output="by_site").envelope["by_site"]
    for site, own in answer.items():
        cells = {cell["by"]["stage"]: cell["n"] for cell in own["cells"]}
        if site == "h0":
            assert cells["IV"] is None
            assert sum(n is None for n in cells.values()) == 2  # and a complement
        for level, n in cells.items():
            assert n is None or n == of(net, site, "HDR_STAGE", level)
    assert {"where": "cells[3]", "why": "small_cell"} in answer["h0"]["hidden"]
    assert all(cell["n"] for cell in answer["h1"]["cells"])


@pytest.mark.parametrize(
    "case", ["no form", "policy says no", "no agreement with the study", "one of five says no"]
)
def test_without_every_agreement_nobody_answers(build: Any, case: str) -> None:
    policy = WITH_FORM
    study: dict[str, Any] | None = {"by_site": "hub"}
    if case == "no form":
        policy, study = Policy.strict(), None
    elif case == "policy says no":
        policy, study = replace(WITH_FORM, site_level_output=False), None
    elif case == "no agreement with the study":
        study = None
    net = build(policy=policy, study=study)
    net.delivery = "hub"
    if case == "one of five says no":
        file = net.folder / "h3" / "site.toml"
        file.write_text(file.read_text().replace('by_site = "hub"\n', ""))
        net.start("h3")
        net.publish()
    outcome = net.ask(COUNT, output="by_site")
    assert (outcome.status, outcome.code) == ("refused", "INSTITUTION_HIDDEN")
    assert "by_site" not in outcome.envelope


def test_a_sealed_result_is_read_by_the_study_and_not_by_the_hub(sealing: Any) -> None:
    before = len(sealing.bodies)
    answer = sealing.ask(COUNT, output="by_site").envelope
    for site, own in answer["by_site"].items():
        assert set(own) == {"sealed"}
        identity = sealing.directories[site].identity
        claims = open_result(
            own["sealed"],
            KEY,
            site=site,
            study="onco",
            query_sha256=answer["query_sha256"],
            signer={key_id(identity.sign): identity.sign}.get,
        )
        assert claims["released"]["result"]["n"] == len(sealing.rows[site])
    # neither clear text nor a sum of one hospital stands in any message of the run
    for body in sealing.bodies[before:]:
        assert not {"plain", "released"} & set(claims_of(body))


def test_a_hub_that_swaps_the_key_gets_nothing_that_it_can_open(sealing: Any) -> None:
    """The key is the hospital's to pin; a message has no place for one."""
    forged = BoxKey.generate()
    answer = sealing.ask(COUNT, output="by_site").envelope
    blob = answer["by_site"]["h0"]["sealed"]
    for key, code in ((forged, "UNKNOWN_KEY"), (sealing.directories["h1"].box, "UNKNOWN_KEY")):
        with pytest.raises(ProtocolError) as caught:
            open_result(
                blob,
                key,
                site="h0",
                study="onco",
                query_sha256=answer["query_sha256"],
                signer=lambda _kid: None,
            )
        assert caught.value.code == code


def test_small_hospitals_have_no_answer_of_their_own(
    build: Any, five: dict[str, list[dict[str, str]]]
) -> None:
    five["h1"] = five["h1"][:9]
    net = build(five, policy=WITH_FORM, study={"by_site": "hub"})
    answer = net.ask(COUNT, output="by_site")
    assert answer.status == "complete"
    own = answer.envelope["by_site"]
    assert (own["h1"]["status"], own["h1"]["code"]) == ("refused", "SMALL_GROUP")
    assert own["h2"]["n"] == len(five["h2"])


class TestBesideOtherAnswers:
    """Pooled minus what the other hospitals answered alone is what the last one hides."""

    def test_a_pooled_answer_and_the_hospitals_own_ones_do_not_give_a_small_cell_away(
        self, build: Any, five: dict[str, list[dict[str, str]]]
    ) -> None:
        keep_few(five["h0"])
        net = build(five, policy=WITH_FORM, study={"by_site": "hub"})
        pooled = net.ask(COUNT)
        assert [cell["n"] is None for cell in pooled.envelope["result"]["cells"]] == [False] * 4
        own = net.ask(COUNT, output="by_site")
        assert (own.status, own.code) == ("refused", "SMALL_GROUP")

    def test_nor_in_the_other_order(
        self, build: Any, five: dict[str, list[dict[str, str]]]
    ) -> None:
        keep_few(five["h0"])
        net = build(five, policy=WITH_FORM, study={"by_site": "hub"})
        assert net.ask(COUNT, output="by_site").status == "complete"
        pooled = net.ask(COUNT)
        assert (pooled.status, pooled.code) == ("refused", "SMALL_GROUP")

    def test_without_small_cells_both_are_given(self, benchmark: Any) -> None:
        assert benchmark.ask(COUNT).status == "complete"
        assert benchmark.ask(COUNT, output="by_site").status == "complete"
        assert (
            benchmark.ask({"kind": "count", "by": ["trt"]}, output="by_site").status == "complete"
        )
        assert benchmark.ask({"kind": "count", "by": ["trt"]}).status == "complete"

    def test_two_questions_that_differ_by_few_at_one_hospital(
        self, build: Any, five: dict[str, list[dict[str, str]]]
    ) -> None:
        """Pooled, the other hospitals' patients make up for it; alone, nobody's do."""
        for slug, rows in five.items():
            for number, row in enumerate(rows):
                row["HDR_HIST"] = "8502" if number < (3 if slug == "h0" else 40) else "8140"
        net = build(five, policy=WITH_FORM, study={"by_site": "hub"})
        without = {"not": {"var": "hist", "op": "=", "value": "8502"}}
        total = {"kind": "count"}
        assert net.ask(total, output="by_site").status == "complete"
        own = net.ask(total, output="by_site", cohort=without).envelope["by_site"]
        assert (own["h0"]["status"], own["h0"]["code"]) == ("refused", "SMALL_GROUP")
        assert own["h1"]["n"] == len(five["h1"]) - 40  # what h0 may not tell costs nobody else

    def test_the_same_question_again_gets_the_stored_answer(self, benchmark: Any) -> None:
        first = benchmark.ask(COUNT, output="by_site")
        again = benchmark.ask(COUNT, output="by_site")
        assert (first.status, again.status) == ("complete", "replay")
        assert again.replay_of == (first.envelope["id"],)

    def test_a_pooled_question_close_to_an_own_answer_is_refused(
        self, build: Any, five: dict[str, list[dict[str, str]]]
    ) -> None:
        for slug, rows in five.items():
            for number, row in enumerate(rows):
                row["HDR_HIST"] = "8502" if number < (3 if slug == "h0" else 40) else "8140"
        net = build(five, policy=WITH_FORM, study={"by_site": "hub"})
        without = {"not": {"var": "hist", "op": "=", "value": "8502"}}
        assert net.ask({"kind": "count"}, output="by_site").status == "complete"
        pooled = net.ask({"kind": "count"}, cohort=without)
        assert (pooled.status, pooled.code) == ("refused", "SMALL_GROUP")


class TestAHubThatSkipsSteps:
    def test_the_own_step_comes_after_the_look_only(self, benchmark: Any, read: Any) -> None:
        plan = benchmark.plan(benchmark.query(COUNT, output="by_site"))
        driver = benchmark.driver(plan)
        driver._step = Step(OWN)
        replies = {
            slug: read(benchmark.send(slug, message))
            for slug, message in driver.messages(benchmark.now).items()
        }
        assert {reply["code"] for reply in replies.values()} == {"PROTOCOL"}

    def test_one_hospital_alone_is_no_roster(self, benchmark: Any) -> None:
        outcome = benchmark.ask(COUNT, output="by_site", sites=["h0"])
        assert (outcome.status, outcome.code) == ("refused", "ROSTER")

    def test_nothing_comes_after_the_own_step(self, benchmark: Any, read: Any) -> None:
        driver = benchmark.driver(benchmark.plan(benchmark.query(COUNT, output="by_site")))
        assert benchmark.round(driver) == "step"
        replies = [benchmark.send(s, m) for s, m in driver.messages(benchmark.now).items()]
        driver._previous = [reply.decode() for reply in replies]
        driver.number, driver._step = 2, Step("count.cells")
        more = [benchmark.claims(s, m) for s, m in driver.messages(benchmark.now).items()]
        assert {reply["code"] for reply in more} == {"PROTOCOL"}

    def test_the_hub_takes_no_answer_in_another_way_than_the_study_chose(
        self, benchmark: Any
    ) -> None:
        benchmark.delivery = "sealed"
        driver = benchmark.driver(benchmark.plan(benchmark.query(COUNT, output="by_site")))
        assert [benchmark.round(driver), benchmark.round(driver)] == ["step", "step"]
        for slug, message in driver.messages(benchmark.now).items():
            with pytest.raises(ProtocolError) as caught:
                driver.receive(slug, benchmark.send(slug, message), benchmark.now)
            assert caught.value.code == "BAD_REPLY"


class TestAKindThatComparesHospitals:
    """`standardise`: observed against what the pooled model expects, at each hospital."""

    def test_on_open_data_the_pooled_part_stands_beside_each_hospitals_own(
        self, build: Any
    ) -> None:
        net = build(policy=Policy.open_data())
        net.delivery = "hub"
        answer = net.ask(STANDARD, output="by_site").envelope
        own = answer["by_site"]
        assert answer["result"]["observed"] == sum(part["observed"] for part in own.values())
        expected = sum(part["expected"] for part in own.values())
        assert expected == pytest.approx(answer["result"]["observed"])
        assert len({part["ratio"] for part in own.values()}) == 5

    def test_under_protection_each_hospital_is_measured_by_the_same_model(
        self, build: Any, five: dict[str, list[dict[str, str]]]
    ) -> None:
        net = build(five, policy=WITH_FORM, study={"by_site": "hub"})
        open_net = build(five, name="open", policy=Policy.open_data())
        open_net.delivery = "hub"
        strict = net.ask(STANDARD, output="by_site").envelope["by_site"]
        plain = open_net.ask(STANDARD, output="by_site").envelope["by_site"]
        for site, part in strict.items():
            assert part["observed"] == plain[site]["observed"]
            assert part["expected"] == pytest.approx(plain[site]["expected"], rel=1e-5)
            assert part["limits95"] == pytest.approx(plain[site]["limits95"], rel=1e-5)

    def test_few_events_are_hidden_and_the_limits_stay(
        self, build: Any, five: dict[str, list[dict[str, str]]]
    ) -> None:
        """Rule O14: observed below ten is shown as hidden, with limits only."""
        for number, row in enumerate(five["h0"]):
            row["HDR_DEATH"] = "ja" if number < 7 else "nee"
        net = build(five, policy=WITH_FORM, study={"by_site": "hub"})
        own = net.ask(STANDARD, output="by_site").envelope["by_site"]["h0"]
        assert (own["observed"], own["ratio"], own["z"], own["outside"]) == (None,) * 4
        assert own["expected"] is not None
        assert None not in own["limits95"]

    def test_a_condition_is_counted_as_the_cohort_it_is_and_kept_apart_like_one(
        self, build: Any, five: dict[str, list[dict[str, str]]]
    ) -> None:
        """Two conditions whose patients differ by three at one hospital are never both answered;
        nor are a condition and the cohort that lies three patients beside it."""
        for slug, rows in five.items():
            for number, row in enumerate(rows):
                row["HDR_HIST"] = "8502" if number < (3 if slug == "h0" else 40) else "8140"
                row["HDR_DEATH"] = "ja" if 20 <= number < 60 else "nee"
        net = build(five, policy=WITH_FORM, study={"by_site": "hub"})
        dead = {"var": "death", "op": "=", "value": True}
        either = {"any": [dead, {"var": "hist", "op": "=", "value": "8502"}]}
        wide = {"kind": "standardise", "outcome": either}
        own = net.ask(wide, output="by_site").envelope["by_site"]
        for slug, rows in five.items():
            found = sum(r["HDR_DEATH"] == "ja" or r["HDR_HIST"] == "8502" for r in rows)
            assert own[slug]["observed"] == found
        reworded = {"not": {"all": [{"not": dead}, {"var": "hist", "op": "!=", "value": "8502"}]}}
        assert net.ask({**wide, "outcome": reworded}, output="by_site").status == "replay"
        narrow = net.ask({"kind": "standardise", "outcome": "death"}, output="by_site")
        cohort = net.ask({"kind": "count"}, output="by_site", cohort=dead)
        for answer in (narrow, cohort):
            found = answer.envelope["by_site"]
            assert (found["h0"]["status"], found["h0"]["code"]) == ("refused", "SMALL_GROUP")
            assert found["h1"]["n"] is not None

    def test_a_condition_is_held_to_the_limits_of_a_cohort(self, build: Any) -> None:
        net = build(policy=WITH_FORM, study={"by_site": "hub"})
        many = [{"var": "stage", "op": "!=", "value": level} for level in ("I", "II", "III", "IV")]
        many += [
            {"var": "hist", "op": "!=", "value": "8502"},
            {"var": "age", "op": "<", "value": 70},
        ]
        many += [{"var": "death", "op": "=", "value": True}]
        seven = net.ask({"kind": "standardise", "outcome": {"any": many}}, output="by_site")
        assert (seven.status, seven.code) == ("refused", "SMALL_GROUP")

    def test_means_against_what_the_mix_of_patients_lets_expect(
        self, build: Any, five: dict[str, list[dict[str, str]]]
    ) -> None:
        net = build(five, policy=WITH_FORM, study={"by_site": "hub"})
        asked = {"kind": "adjusted_mean", "outcome": "ca125", "formula": "age"}
        answer = net.ask(asked, output="by_site")
        own = answer.envelope["by_site"]
        assert answer.envelope["result"] == {}
        assert len(own) == 5
        # the fitted model holds nobody whose difference is hidden
        assert sum(part["n"] * part["difference"] for part in own.values()) == pytest.approx(
            0, abs=1e-3 * sum(part["n"] * abs(part["difference"]) for part in own.values())
        )
