"""The driver against replies that are right, doubled, foreign, late or malformed.

The hospitals here are keys and rows: they sign and mask what the real method counts.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from federation.disclosure.looking import Votes
from federation.disclosure.marks import WORDS
from federation.methods.base import Ask, Column, Rows, Step
from federation.methods.labels import set_labels
from federation.methods.registry import KINDS, parse
from federation.protocol.basis import sign_basis
from federation.protocol.encoding import pack_array
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import BoxKey, PublicIdentity, SigningKey, key_id
from federation.protocol.masks import mask
from federation.protocol.messages import TYP_REPLY, TYP_STEP, sign, verify
from federation.protocol.sums import flatten
from federation.query.codebook import Codebook
from federation.query.terms import Terms
from federation.runs.driver import Driver, Outcome, RunPlan
from federation.runs.lanes import ByHospital, driver_for

NOW = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
HUB_KEY = SigningKey.generate()
CODEBOOK = Codebook.from_dict(
    {
        "codebook": "small/1",
        "variables": {"stage": {"type": "category", "levels": ["i", "ii", "iii"]}},
    }
)
QUERY = parse(
    {
        "version": 1,
        "study": "s",
        "codebook": "small/1",
        "analysis": {"kind": "count", "by": ["stage"]},
    },
    CODEBOOK,
)
COUNTS = {"a": (12, 15, 20), "b": (14, 11, 30), "c": (10, 16, 13)}


class Hospital:
    """A site's keys, and the stage of each of its patients."""

    def __init__(self, slug: str, counts: tuple[int, ...]) -> None:
        self.sign_key, self.box = SigningKey.generate(), BoxKey.generate()
        self.identity = PublicIdentity(slug, self.sign_key.public, self.box.public)
        codes = np.repeat(np.arange(len(counts), dtype=np.int16), counts)
        self.rows = Rows({"stage": Column(CODEBOOK.variables["stage"], codes)}, codes.size)

    def claims(self, plan: RunPlan, step: int = 0) -> dict[str, Any]:
        ask = Ask(query=plan.query, codebook=CODEBOOK, terms=plan.terms, site=self.identity.slug)
        n, sets = self.rows.n, len(set_labels(KINDS["count"], ask)) + 1
        said = (
            Votes((False,) * sets, (5,) * sets, (False,) * sets, ((0,) * WORDS,) * sets).sums()
            if step == 0 and ask.strict
            else KINDS["count"].site(ask, Step("count.cells"), self.rows)
        )
        sums = {**said, "_roster": np.array([1, n, n * n])}
        layout, vector = flatten(sums)
        boxes = {slug: identity.box for slug, identity in plan.roster.items()}
        context = f"{plan.run_id}{step}".encode()
        masked = mask(vector, self.box, self.identity.slug, boxes, context)
        return {
            **self.common(plan, step),
            "status": "ok",
            "basis": self.basis(plan),
            "layout": layout,
            "masked": pack_array(masked),
        }

    def basis(self, plan: RunPlan) -> str:
        told = {name: v for name, v in self.common(plan).items() if name != "step"}
        more = {"study": "s", "software": "x/1", "policy_sha256": "0" * 64, "log": None}
        said = {**told, **more, "requires": ["use.record"]}
        return sign_basis(self.sign_key, self.identity.slug, NOW, said).decode()

    def common(self, plan: RunPlan, step: int = 0) -> dict[str, Any]:
        return {
            "run": plan.run_id,
            "step": step,
            "query_sha256": plan.query.sha256,
            "roster_sha256": plan.roster_sha256,
            "snapshot": 7,
        }

    def signed(
        self, claims: Mapping[str, Any], now: datetime = NOW, audience: str = "hub"
    ) -> bytes:
        return sign(
            TYP_REPLY,
            claims,
            self.sign_key,
            issuer=self.identity.slug,
            audience=audience,
            now=now,
            lifetime=timedelta(days=1),
        )


HOSPITALS = {slug: Hospital(slug, counts) for slug, counts in COUNTS.items()}


@pytest.fixture
def plan() -> RunPlan:
    return RunPlan(
        run_id="run-1",
        query=QUERY,
        codebook=CODEBOOK,
        roster={slug: hospital.identity for slug, hospital in HOSPITALS.items()},
        terms=Terms.strict(),
        min_snapshots=dict.fromkeys(HOSPITALS, 7),
        approval={"by": "c1", "at": "2026-03-05T08:00:00Z", "query_sha256": QUERY.sha256},
    )


@pytest.fixture
def driver(plan: RunPlan) -> Driver:
    return Driver(plan, HUB_KEY)


def answer(driver: Driver, *sites: str) -> None:
    for site in sites:
        hospital = HOSPITALS[site]
        body = hospital.signed(hospital.claims(driver.plan, driver.number))
        driver.receive(site, body, NOW)


def look(driver: Driver) -> Driver:
    """Bring the run to where the first sums are asked."""
    answer(driver, "a", "b", "c")
    assert driver.advance(NOW) == "step"
    return driver


def refuse(driver: Driver, site: str, code: str, **more: Any) -> None:
    hospital = HOSPITALS[site]
    claims = {**hospital.common(driver.plan), "status": "refused", "code": code, **more}
    driver.receive(site, hospital.signed(claims), NOW)


def outcome(driver: Driver) -> Outcome:
    after = driver.advance(NOW)
    assert isinstance(after, Outcome)
    return after


class TestAsking:
    def test_each_site_gets_a_message_of_its_own(self, driver: Driver) -> None:
        messages = driver.messages(NOW)
        keys = {HUB_KEY.kid: HUB_KEY.public}
        assert sorted(messages) == ["a", "b", "c"]
        for site, message in messages.items():
            claims = verify(TYP_STEP, message, keys.get, audience=site, now=NOW)
            assert (claims["iss"], claims["run"], claims["step"]) == ("hub", "run-1", 0)
            assert claims["step_name"] == "look"
            assert claims["previous"] == []
            assert claims["min_snapshot"] == 7
            assert sorted(claims["roster"]) == ["a", "b", "c"]

    def test_only_who_has_not_answered_is_asked_again(self, driver: Driver) -> None:
        answer(driver, "b")
        assert driver.waiting == {"a", "c"}
        assert sorted(driver.messages(NOW)) == ["a", "c"]

    def test_a_question_the_method_refuses_reaches_nobody(self, plan: RunPlan) -> None:
        driver = Driver(replace(plan, terms=replace(plan.terms, max_cells=2)), HUB_KEY)
        assert driver.messages(NOW) == {}
        assert (outcome(driver).status, outcome(driver).code) == ("refused", "TOO_FINE")


class TestAnswers:
    def test_the_sum_over_all_sites(self, driver: Driver) -> None:
        look(driver)
        answer(driver, "a", "b", "c")
        done = outcome(driver)
        assert done.status == "complete"
        cells = {c["by"]["stage"]: c["n"] for c in done.envelope["result"]["cells"]}
        assert cells == {"i": 36, "ii": 42, "iii": 63}

    def test_nothing_while_a_site_is_missing(self, driver: Driver) -> None:
        answer(driver, "a", "b")
        assert driver.advance(NOW) is None

    def test_at_the_deadline_nothing_is_released(self, driver: Driver) -> None:
        answer(driver, "a", "b")
        late = driver.at_deadline()
        assert (late.status, late.code) == ("insufficient", "SITE_UNREACHABLE")
        assert late.envelope["sites"]["silent"] == ["c"]
        assert "result" not in late.envelope

    def test_the_same_bytes_again_change_nothing(self, driver: Driver) -> None:
        look(driver)
        body = HOSPITALS["a"].signed(HOSPITALS["a"].claims(driver.plan, 1))
        driver.receive("a", body, NOW)
        driver.receive("a", body, NOW)
        answer(driver, "b", "c")
        assert outcome(driver).envelope["result"]["n"] == 141

    def test_rebuilt_from_stored_replies_it_gives_the_same(self, plan: RunPlan) -> None:
        first, second = Driver(plan, HUB_KEY), Driver(plan, HUB_KEY)
        for step in (0, 1):
            bodies = {s: h.signed(h.claims(plan, step)) for s, h in HOSPITALS.items()}
            for site, body in bodies.items():
                first.receive(site, body, NOW)
            for site, body in reversed(bodies.items()):
                second.receive(site, body, None)
            if step == 0:
                assert (first.advance(NOW), second.advance(NOW)) == ("step", "step")
        assert outcome(first).envelope == outcome(second).envelope


class TestRefusals:
    def test_one_refusal_ends_the_run_without_naming_the_hospital(self, driver: Driver) -> None:
        answer(driver, "a")
        refuse(driver, "b", "SMALL_GROUP")
        done = outcome(driver)
        assert (done.status, done.code) == ("refused", "SMALL_GROUP")
        assert done.envelope["sites"]["refused"] == []

    def test_a_reason_that_says_nothing_about_patients_names_the_hospital(
        self, driver: Driver
    ) -> None:
        refuse(driver, "b", "STUDY_NOT_OPEN")
        assert outcome(driver).envelope["sites"]["refused"] == ["b"]

    def test_only_names_of_the_codebook_get_through(self, driver: Driver) -> None:
        refuse(driver, "b", "MODEL_TOO_RICH", terms_named=["stage[iii]", "Mrs Jansen"])
        assert outcome(driver).envelope["terms"] == ["stage[iii]"]

    def test_a_code_of_a_sites_own_making_becomes_a_public_one(self, driver: Driver) -> None:
        refuse(driver, "b", "PATIENT_12_IS_MISSING")
        assert outcome(driver).code == "INTERNAL_REFUSED"

    def test_a_replay_names_the_earlier_runs_once(self, driver: Driver) -> None:
        answer(driver, "c")
        for site in ("a", "b"):
            hospital = HOSPITALS[site]
            earlier = {"run": "run-0", "as_of": "2026-01-01T00:00:00Z"}
            claims = {**hospital.common(driver.plan), "status": "replay", "replay_of": earlier}
            driver.receive(site, hospital.signed(claims), NOW)
        done = outcome(driver)
        assert (done.status, done.replay_of) == ("replay", ("run-0",))

    def test_one_hospital_with_nearly_all_patients_is_not_shown(self, plan: RunPlan) -> None:
        few = {"a": (400, 400, 400), "b": (12, 12, 12), "c": (12, 12, 12)}
        hospitals = {slug: Hospital(slug, counts) for slug, counts in few.items()}
        roster = {slug: h.identity for slug, h in hospitals.items()}
        driver = Driver(replace(plan, roster=roster), HUB_KEY)
        for site, hospital in hospitals.items():
            driver.receive(site, hospital.signed(hospital.claims(driver.plan)), NOW)
        assert outcome(driver).code == "INSTITUTION_HIDDEN"


Change = Callable[[Hospital, dict[str, Any]], dict[str, Any]]


class TestHostileReplies:
    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"run": "run-2"}, "WRONG_RUN"),
            ({"query_sha256": "0" * 64}, "WRONG_RUN"),
            ({"roster_sha256": "0" * 64}, "WRONG_RUN"),
            ({"step": 1}, "WRONG_STEP"),
            ({"step": False}, "WRONG_STEP"),
            ({"snapshot": 6}, "STALE_SNAPSHOT"),
            ({"snapshot": "7"}, "BAD_REPLY"),
            ({"status": "fine"}, "BAD_REPLY"),
            ({"status": "replay"}, "BAD_REPLY"),
            ({"status": "refused", "run": "unknown"}, "NOT_ACCEPTED"),
        ],
    )
    def test_claims_that_are_not_this_step_of_this_run(
        self, changes: dict[str, Any], code: str, driver: Driver
    ) -> None:
        hospital = HOSPITALS["a"]
        body = hospital.signed({**hospital.claims(driver.plan), **changes})
        with pytest.raises(ProtocolError) as caught:
            driver.receive("a", body, NOW)
        assert caught.value.code == code
        assert "a" in driver.waiting

    def test_another_sites_signature(self, driver: Driver) -> None:
        body = HOSPITALS["b"].signed(HOSPITALS["b"].claims(driver.plan))
        with pytest.raises(ProtocolError) as caught:
            driver.receive("a", body, NOW)
        assert caught.value.code == "UNKNOWN_KEY"

    def test_a_site_outside_the_roster(self, driver: Driver) -> None:
        stranger = Hospital("d", (10, 10, 10))
        with pytest.raises(ProtocolError) as caught:
            driver.receive("d", stranger.signed(stranger.common(driver.plan)), NOW)
        assert caught.value.code == "ROSTER"

    def test_a_message_for_somebody_else(self, driver: Driver) -> None:
        hospital = HOSPITALS["a"]
        body = hospital.signed(hospital.claims(driver.plan), audience="b")
        with pytest.raises(ProtocolError) as caught:
            driver.receive("a", body, NOW)
        assert caught.value.code == "WRONG_AUDIENCE"

    def test_a_message_that_has_expired(self, driver: Driver) -> None:
        hospital = HOSPITALS["a"]
        body = hospital.signed(hospital.claims(driver.plan), now=NOW - timedelta(days=2))
        with pytest.raises(ProtocolError) as caught:
            driver.receive("a", body, NOW)
        assert caught.value.code == "EXPIRED"
        driver.receive("a", body, None)

    def test_other_bytes_for_the_same_step(self, driver: Driver) -> None:
        answer(driver, "a")
        with pytest.raises(ProtocolError) as caught:
            answer(driver, "a")
        assert caught.value.code == "CONFLICT"

    @pytest.mark.parametrize("size", [0, 10_000_000])
    def test_bytes_of_any_length(self, size: int, driver: Driver) -> None:
        with pytest.raises(ProtocolError):
            driver.receive("a", b"x" * size, NOW)

    @pytest.mark.parametrize(
        "change",
        [
            lambda claims: {**claims, "layout": claims["layout"][:-1]},
            lambda claims: {**claims, "layout": None},
            lambda claims: {k: v for k, v in claims.items() if k != "masked"},
            lambda claims: {**claims, "masked": {"dtype": "<u8", "shape": [1, 2], "b64": "AA"}},
            lambda claims: {**claims, "masked": pack_array(np.zeros((2, 2), np.uint64))},
            lambda claims: {**claims, "masked": pack_array(np.zeros((8, 2), np.float64))},
        ],
    )
    def test_sums_that_do_not_fit_end_the_run_without_a_number(
        self, change: Callable[[dict[str, Any]], dict[str, Any]], driver: Driver
    ) -> None:
        hospital = HOSPITALS["a"]
        driver.receive("a", hospital.signed(change(hospital.claims(driver.plan))), NOW)
        answer(driver, "b", "c")
        done = outcome(driver)
        assert (done.status, done.code) == ("refused", "PROTOCOL")
        assert "result" not in done.envelope

    def test_a_site_that_lies_about_its_mask_spoils_the_sum_but_learns_nothing(
        self, driver: Driver
    ) -> None:
        hospital = HOSPITALS["a"]
        claims = hospital.claims(driver.plan)
        size = claims["masked"]["shape"]
        claims["masked"] = pack_array(np.zeros(size, np.uint64))
        driver.receive("a", hospital.signed(claims), NOW)
        answer(driver, "b", "c")
        assert outcome(driver).status == "refused"


class TestByHospital:
    def test_pooled_output_has_no_lanes(self, plan: RunPlan) -> None:
        assert isinstance(driver_for(plan, HUB_KEY), Driver)

    def test_a_lane_asks_each_site_alone_under_a_number_of_its_own(self, plan: RunPlan) -> None:
        query = replace(QUERY, output="by_site")
        plan = replace(plan, query=query, terms=Terms.open_data())
        driver = driver_for(plan, HUB_KEY)
        assert isinstance(driver, ByHospital)
        for site, hospital in HOSPITALS.items():
            driver.receive(site, hospital.signed(hospital.claims(plan)), NOW)
        assert driver.advance(NOW) == "step"
        assert driver.waiting == {"a", "b", "c"}
        assert [driver.number_of(site) for site in "abc"] == [1, 1, 1]
        for site, message in driver.messages(NOW).items():
            key = {key_id(HUB_KEY.public): HUB_KEY.public}
            claims = verify(TYP_STEP, message, key.get, audience=site, now=NOW)
            assert list(claims["roster"]) == [site]
            assert claims["query"]["sites"] == [site]
            assert claims["approval"]["query_sha256"] == claims["query_sha256"]
            assert claims["run"] != plan.run_id
