"""The hub's last step of a question by_site: what it takes from a hospital, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hospitals import Net, patients

from federation.disclosure.policy import Policy
from federation.protocol.basis import sign_basis
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import BoxKey
from federation.protocol.messages import TYP_REPLY, sign
from federation.protocol.sealing import seal
from federation.runs.driver import HUB, Outcome

WITH_FORM = replace(Policy.strict(), institution_disclosure="RvB-1", site_level_output=True)
COUNT = {"kind": "count", "by": ["trt"]}
RELEASED = {"result": {"n": 60}, "hidden": [], "warnings": []}


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Net]:
    rows = {slug: patients(slug, 60, number) for number, slug in enumerate(("h0", "h1", "h2"))}
    made = Net(tmp_path, rows, policy=WITH_FORM, study={"by_site": "hub"})
    yield made
    made.close()


@pytest.fixture
def driver(net: Net) -> Any:
    """A driver that stands before the last step."""
    made = net.driver(net.plan(net.query(COUNT, output="by_site")))
    assert [net.round(made), net.round(made)] == ["step", "step"]  # the look; all are ready
    return made


def say(net: Net, driver: Any, site: str, **claims: Any) -> None:
    """Let a hospital say this in the last step, truly signed."""
    plan = driver.plan
    whole = {
        "run": plan.run_id,
        "step": driver.number,
        "query_sha256": plan.query.sha256,
        "roster_sha256": plan.roster_sha256,
        "snapshot": net.seq,
        "policy_sha256": "0" * 64,
        "software": "test",
        "status": "ok",
    }
    key = net.directories[site].sign
    told = {name: value for name, value in whole.items() if name not in ("step", "status")}
    more = {"study": plan.query.study, "log": None, "requires": ["use.record"]}
    whole |= {"basis": sign_basis(key, site, net.now, {**told, **more}).decode(), **claims}
    body = sign(
        TYP_REPLY, whole, key, issuer=site, audience=HUB, now=net.now, lifetime=timedelta(hours=1)
    )
    driver.receive(site, body, net.now)


def test_one_hospitals_refusal_is_its_own(net: Net, driver: Any) -> None:
    say(net, driver, "h0", released=RELEASED)
    say(net, driver, "h1", status="refused", code="MODEL_UNSTABLE")
    assert driver.advance(net.now) is None
    say(net, driver, "h2", released=RELEASED)
    outcome = driver.advance(net.now)
    assert isinstance(outcome, Outcome)
    own = outcome.envelope["by_site"]
    assert (own["h0"], own["h1"]["code"], own["h2"]["n"]) == ({"n": 60}, "MODEL_UNSTABLE", 60)


def test_when_all_refuse_so_does_the_answer(net: Net, driver: Any) -> None:
    for site in ("h0", "h1", "h2"):
        say(net, driver, site, status="refused", code="SMALL_GROUP")
    outcome = driver.advance(net.now)
    assert isinstance(outcome, Outcome)
    assert (outcome.status, outcome.code) == ("refused", "SMALL_GROUP")


@pytest.mark.parametrize("code", ["CONSENT_UNAVAILABLE", "PROTOCOL", "STUDY_NOT_OPEN"])
def test_a_refusal_about_the_run_ends_it_for_all(net: Net, driver: Any, code: str) -> None:
    """So that the worker can begin anew with a newer list of choices, as for any question."""
    say(net, driver, "h0", released=RELEASED)
    say(net, driver, "h1", status="refused", code=code)
    outcome = driver.advance(net.now)
    assert isinstance(outcome, Outcome)
    assert (outcome.status, outcome.code) == ("refused", code)
    assert "by_site" not in outcome.envelope


def test_who_is_silent_at_the_deadline_is_named(net: Net, driver: Any) -> None:
    say(net, driver, "h0", released=RELEASED)
    say(net, driver, "h1", released=RELEASED)
    outcome = driver.at_deadline()
    assert (outcome.status, outcome.envelope["sites"]["silent"]) == ("partial", ["h2"])
    assert outcome.envelope["by_site"]["h2"]["status"] == "insufficient"


def test_without_a_single_answer_there_is_none(net: Net, driver: Any) -> None:
    outcome = driver.at_deadline()
    assert (outcome.status, outcome.code) == ("insufficient", "SITE_UNREACHABLE")


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"released": RELEASED, "sealed": "a.b.c.d.e"},
        {"sealed": seal(b"x", BoxKey.generate().public)},
        {"released": "text"},
        {"released": {**RELEASED, "rows": [1]}},
        {"released": {**RELEASED, "result": {"x": "y" * 301}}},
    ],
    ids=lambda claims: str(claims)[:40],
)
def test_what_is_no_answer_of_one_hospital_is_not_taken(
    net: Net, driver: Any, claims: dict[str, Any]
) -> None:
    with pytest.raises(ProtocolError) as caught:
        say(net, driver, "h0", **claims)
    assert caught.value.code == "BAD_REPLY"


@pytest.mark.parametrize("sealed", [7, "a.b.c.d.e", "", {"n": 60}])
def test_what_is_not_sealed_is_not_taken_as_sealed(net: Net, sealed: Any) -> None:
    net.delivery = "sealed"
    made = net.driver(net.plan(net.query(COUNT, output="by_site")))
    assert [net.round(made), net.round(made)] == ["step", "step"]  # the look; all are ready
    with pytest.raises(ProtocolError) as caught:
        say(net, made, "h0", sealed=sealed)
    assert caught.value.code == "BAD_HEADER"


def test_a_study_without_a_delivery_takes_nothing(net: Net) -> None:
    net.delivery = ""
    made = net.driver(net.plan(net.query(COUNT, output="by_site")))
    assert [net.round(made), net.round(made)] == ["step", "step"]  # the look; all are ready
    with pytest.raises(ProtocolError) as caught:
        say(net, made, "h0", released=RELEASED)
    assert caught.value.code == "BAD_REPLY"


def test_an_own_answer_in_a_pooled_question_is_no_sum(net: Net) -> None:
    made = net.driver(net.plan(net.query(COUNT)))
    for site in ("h0", "h1", "h2"):
        say(net, made, site, released=RELEASED)
    outcome = made.advance(net.now)
    assert isinstance(outcome, Outcome)
    assert (outcome.status, outcome.code) == ("refused", "PROTOCOL")


def test_an_unknown_code_of_one_hospital_is_not_repeated(net: Net, driver: Any) -> None:
    say(net, driver, "h0", released=RELEASED)
    say(net, driver, "h1", released=RELEASED)
    say(net, driver, "h2", status="refused", code="JANSEN, A.")
    outcome = driver.advance(net.now)
    assert isinstance(outcome, Outcome)
    assert outcome.code == "INTERNAL_REFUSED"
    assert "JANSEN" not in str(outcome.envelope)


def test_a_hospital_that_does_not_record_it_adds_nobody_and_stops_nobody(tmp_path: Path) -> None:
    """One indicator of what three of four hospitals record, and one of what all record, about the
    same patients: both asked of all four, so that no hospital sees a roster one smaller."""
    slugs = ("h0", "h1", "h2", "h3")
    rows = {slug: patients(slug, 60, number) for number, slug in enumerate(slugs)}
    net = Net(tmp_path, rows, policy=WITH_FORM, study={"by_site": "hub"})
    try:
        net.programs.pop("h3").close()
        path = net.folder / "h3" / "mapping.yaml"
        path.write_text("\n".join(x for x in path.read_text().splitlines() if "trt:" not in x))
        net.start("h3")
        assert net.ask(COUNT).code == "DATA_MISMATCH"  # of all together: who asks is told
        for by in ("trt", "stage"):
            found = net.ask({"kind": "count", "by": [by]}, output="by_site")
            assert (found.status, found.code) == ("complete", None)
            own = found.envelope["by_site"]
            assert [own[slug].get("n") for slug in slugs[:3]] == [60, 60, 60]
            assert (own["h3"].get("code"), own["h3"].get("n")) == (
                ("SMALL_GROUP", None) if by == "trt" else (None, 60)
            )
    finally:
        net.close()
