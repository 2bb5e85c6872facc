"""A hub, a hospital, or both mean ill in a private match (ADR 0039, who learns what)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sharing_hospitals import STUDY, Sharing, person

from federation.protocol import private_match as match
from federation.protocol.encoding import b64, parse_json, unb64
from federation.protocol.keys import BoxKey, PublicIdentity, SigningKey
from federation.protocol.match_steps import BLIND, COUNT, DOUBLE, named, run_sha256
from federation.protocol.messages import TYP_MATCH, TYP_MATCH_REPLY, sign
from federation.query.terms import Terms
from federation.runs.driver import HUB, LIFETIME, Outcome
from federation.runs.match_driver import MatchDriver, MatchPlan
from federation.site.match_items import match_text

PATIENTS = {"a": range(30), "b": range(20, 50), "c": range(45, 75)}
PAIRS = 10 + 5
COMMON = ("v", "iss", "aud", "iat", "exp", "jti")
Claims = dict[str, Any]
Bend = Callable[[int, str, Claims], Claims | None]


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sharing]:
    monkeypatch.setattr(match, "MADE_UP", 64)  # short lists: what is attacked is not their length
    made = Sharing(tmp_path, PATIENTS, in_process=True)
    yield made
    made.close()


def claims_of(body: bytes) -> Claims:
    found = parse_json(unb64(body.split(b".")[1].decode()), 1 << 26)
    return {name: value for name, value in found.items() if name not in COMMON}


def carried(
    network: Sharing, plan: MatchPlan, hub: Bend | None = None, peer: Bend | None = None
) -> Outcome | dict[str, str]:
    """One match by hand. `hub` bends what a hospital is asked, `peer` what hospital a replies;
    each gets step, hospital and claims. What hospitals refused ends it: code by hospital."""
    driver, now = MatchDriver(plan, network.hub), network.now
    while True:
        refused = {}
        for site, message in driver.messages(now).items():
            bent = None if hub is None else hub(driver.number, site, claims_of(message))
            if bent is not None:
                message = signed_by_hub(network, site, bent)
            body, said = network.send(site, message)
            if said["status"] == "refused":
                refused[site] = said["code"]
                continue
            wrong = (
                None if peer is None or site != "a" else peer(driver.number, site, claims_of(body))
            )
            if wrong is not None:
                body = sign(
                    TYP_MATCH_REPLY,
                    wrong,
                    network.directories["a"].sign,
                    issuer="a",
                    audience=HUB,
                    now=now,
                    lifetime=LIFETIME,
                )
            driver.receive(site, body, now)
        if refused:
            return refused
        after = driver.advance(now)
        if isinstance(after, Outcome):
            return after


def signed_by_hub(network: Sharing, site: str, claims: Mapping[str, Any]) -> bytes:
    return sign(
        TYP_MATCH,
        claims,
        network.hub,
        issuer=HUB,
        audience=site,
        now=network.now,
        lifetime=LIFETIME,
    )


def reasons(network: Sharing, site: str) -> list[str]:
    """What a hospital's own log says of its last refusal."""
    rows = network.database(site, "SELECT facts FROM audit WHERE event = 'STEP' ORDER BY seq DESC")
    return [found["reason"] for (text,) in rows if "reason" in (found := json.loads(text))]


# -- the hub --------------------------------------------------------------------------------------


def test_a_hub_that_moves_sealed_lists_is_refused(network: Sharing) -> None:
    earlier: dict[str, dict[str, str]] = {}

    def swaps(step: int, site: str, claims: Claims) -> Claims | None:
        lists = claims["lists"]
        if step == DOUBLE:
            earlier[site] = lists
        if (step, site) == (DOUBLE, "b"):
            return {**claims, "lists": {"a": lists["c"], "c": lists["a"]}}
        return None

    assert carried(network, network.plan(), hub=swaps) == {"b": "PROTOCOL"}
    assert reasons(network, "b") == ["BAD_SEAL"]

    def repeats(step: int, site: str, claims: Claims) -> Claims | None:
        # a's list for b of the match before, in which a sealed it for the same step and hospital
        if (step, site) == (DOUBLE, "b"):
            return {**claims, "lists": {**claims["lists"], "a": earlier["b"]["a"]}}
        return None

    assert carried(network, network.plan(), hub=repeats) == {"b": "PROTOCOL"}

    def exchanges(step: int, site: str, claims: Claims) -> Claims | None:
        if step == COUNT and len(claims["lists"]) == 2:
            one, other = claims["lists"]
            lists = {one: claims["lists"][other], other: claims["lists"][one]}
            return {**claims, "lists": lists}
        return None

    refused = carried(network, network.plan(), hub=exchanges)
    assert set(refused.values()) == {"PROTOCOL"}  # type: ignore[union-attr]


def test_a_hub_that_leaves_lists_out_or_makes_them_up_is_refused(network: Sharing) -> None:
    for lists in ({}, {"a": ""}, {"a": "", "b": "", "c": ""}, {"a": "AAAA", "c": "AAAA"}):

        def bends(
            step: int, site: str, claims: Claims, lists: dict[str, str] = lists
        ) -> Claims | None:
            return {**claims, "lists": lists} if (step, site) == (DOUBLE, "b") else None

        assert carried(network, network.plan(), hub=bends) == {"b": "PROTOCOL"}
    # what a hospital has not answered, it can still be asked; its secret is there for that only
    rows = network.database("b", "SELECT DISTINCT step, secret IS NULL FROM match_run")
    assert rows == [(BLIND, 0)]


def test_a_hub_that_says_something_else_half_way_is_refused(network: Sharing) -> None:
    forged = {
        "study": "other",
        "terms": {**Terms.strict().to_dict(), "t_cell": 11},
        "approval": {"by": "me", "at": "2026", "query_sha256": "0" * 64},
    }
    for name, value in forged.items():

        def bends(
            step: int, site: str, claims: Claims, name: str = name, value: Any = value
        ) -> Claims | None:
            return {**claims, name: value} if (step, site) == (BLIND, "b") else None

        refused = carried(network, network.plan(), hub=bends)
        assert set(refused) == {"b"}, name  # type: ignore[arg-type]

    def leaves_one_out(step: int, site: str, claims: Claims) -> Claims | None:
        previous = claims["previous"]
        return {**claims, "previous": previous[:2]} if (step, site) == (BLIND, "b") else None

    assert carried(network, network.plan(), hub=leaves_one_out) == {"b": "PROTOCOL"}
    skips = {"step": DOUBLE, "lists": {"a": "", "c": ""}}

    def jumps(step: int, site: str, claims: Claims) -> Claims | None:
        return {**claims, **skips} if (step, site) == (BLIND, "b") else None

    assert carried(network, network.plan(), hub=jumps) == {"b": "PROTOCOL"}
    assert reasons(network, "b")[0] == "STEP_OUT_OF_TURN"


def test_a_hub_cannot_ask_what_it_may_not(network: Sharing) -> None:
    plan = network.plan()

    def code(made: MatchPlan) -> str | None:
        found = carried(network, made)
        return found.code if isinstance(found, Outcome) else found["b"]

    stranger = PublicIdentity("c", SigningKey.generate().public, BoxKey.generate().public)
    assert code(replace(plan, run_id="r1", approval={})) == "QUERY_NOT_APPROVED"
    assert code(replace(plan, run_id="r2", terms=Terms.open_data())) == "PROTOCOL"
    assert code(network.plan(["a", "b"], run_id="r3")) == "ROSTER"
    for name in ("c", "d"):
        roster = {**{slug: plan.roster[slug] for slug in "ab"}, name: stranger}
        made = replace(
            plan, run_id=f"r-{name}", roster=roster, min_snapshots=dict.fromkeys(roster, 1)
        )
        made = replace(made, approval={**plan.approval, "query_sha256": made.match_sha256})
        message = MatchDriver(made, network.hub).messages(network.now)["b"]
        assert network.send("b", message)[1]["code"] == "ROSTER", name
    assert network.database("b", "SELECT * FROM match_run") == []


def test_the_same_step_gets_the_same_bytes_and_no_second_list(network: Sharing) -> None:
    plan = network.plan()
    driver = MatchDriver(plan, network.hub)
    for site, message in driver.messages(network.now).items():
        driver.receive(site, network.send(site, message)[0], network.now)
    driver.advance(network.now)
    first, again = (network.send("b", driver.messages(network.now)["b"])[0] for _ in range(2))
    assert first == again
    message = claims_of(driver.messages(network.now)["b"])
    other = signed_by_hub(network, "b", {**message, "min_snapshot": 0})
    assert network.send("b", other)[1]["code"] == "PROTOCOL"
    assert reasons(network, "b") == ["STEP_CONFLICT"]


def test_matches_side_by_side_are_not_more_than_one_after_the_other(network: Sharing) -> None:
    drivers = [MatchDriver(network.plan(), network.hub) for _ in range(7)]
    said: list[str] = []
    for step in range(COUNT + 1):
        for driver in list(drivers):
            codes = set()
            for site, message in driver.messages(network.now).items():
                body, claims = network.send(site, message)
                codes.add(claims.get("code"))
                if claims["status"] == "ok":
                    driver.receive(site, body, network.now)
            if codes != {None}:
                drivers.remove(driver)
                said += sorted(filter(None, codes))
            elif step < COUNT:
                assert driver.advance(network.now) == "step"
    # seven looked and sent lists; five were answered with doubled ones, and one was counted
    assert said == ["BUDGET"] * 6
    assert [driver.advance(network.now).envelope for driver in drivers] == [{"pairs": PAIRS}]  # type: ignore[union-attr]


# -- a hospital -----------------------------------------------------------------------------------


def own_list(network: Sharing, plan: MatchPlan, receiver: str, points: list[bytes]) -> str:
    """What hospital a seals for step 1, whatever it is."""
    run = run_sha256(plan.fixed)
    shared = network.directories["a"].box.agree(plan.roster[receiver].box)
    place = [run, str(BLIND), "a", receiver, receiver]
    return b64(match.seal_list(shared, place, points))


def test_a_hospital_cannot_make_one_person_weigh_more(network: Sharing) -> None:
    for kind in ("twice", "small order", "small order added", "short"):
        plan = network.plan()
        run = bytes.fromhex(run_sha256(plan.fixed))
        number = match.number_for(bytes(32), "b")
        chosen = match.multiplied([match.point_of("a person", run)], number)
        inverse = pow(int.from_bytes(chosen[0], "little"), -1, 2**255 - 19)
        rest = match.filled([])[1:]
        wrong = {
            "twice": [*chosen, *chosen, *rest[1:]],
            "small order": [(1).to_bytes(32, "little"), *rest],
            # a point of order two added: other bytes, the same multiple
            "small order added": [*chosen, inverse.to_bytes(32, "little"), *rest[1:]],
            "short": chosen,
        }[kind]

        def bends(
            step: int,
            site: str,
            claims: Claims,
            plan: MatchPlan = plan,
            wrong: list[bytes] = wrong,
        ) -> Claims | None:
            if step != BLIND:
                return None
            made = own_list(network, plan, "b", wrong)
            return {**claims, "lists": {**claims["lists"], "b": made}}

        assert carried(network, plan, peer=bends) == {"b": "PROTOCOL"}, kind


def test_a_hospital_cannot_send_back_more_than_it_got(network: Sharing) -> None:
    # with every point of b many times multiplied, one chosen person would be many points
    plan = network.plan()
    run = run_sha256(plan.fixed)
    third = match.third_of(["a", "b"], plan.roster, bytes.fromhex(run))
    shared = network.directories["a"].box.agree(plan.roster[third].box)

    def bends(step: int, site: str, claims: Claims) -> Claims | None:
        if step != DOUBLE:
            return None
        longer = match.filled([bytes([n % 256, n // 256]) * 16 for n in range(2_100)])
        place = [run, str(DOUBLE), "a", third, "b"]
        sealed = b64(match.seal_list(shared, place, longer, 256))
        return {**claims, "lists": {**claims["lists"], "b": sealed}}

    assert carried(network, plan, peer=bends) == {third: "PROTOCOL"}
    assert reasons(network, third) == ["BAD_LIST"]


def test_a_hospital_that_asks_about_one_person_sees_nothing_of_the_answer(
    network: Sharing,
) -> None:
    """Hospital a puts one person in its list, once somebody whom b knows and once nobody."""
    for wanted in (25, 9_999):
        plan = network.plan()
        run = bytes.fromhex(run_sha256(plan.fixed))
        known = person(wanted)
        day, month, year = map(int, known["born"].split("-"))
        text = match_text(
            date(year, month, day),
            "mv"[wanted % 2].replace("v", "f"),
            known["name"],
            known["initials"],
        )
        point = match.point_of(text, run)
        number = match.number_for(bytes(32), "b")
        chosen = match.filled(match.multiplied([point], number))
        got: dict[str, str] = {}

        def bends(
            step: int,
            site: str,
            claims: Claims,
            plan: MatchPlan = plan,
            chosen: list[bytes] = chosen,
        ) -> Claims | None:
            if step != BLIND:
                return None
            return {
                **claims,
                "lists": {**claims["lists"], "b": own_list(network, plan, "b", chosen)},
            }

        def looks(step: int, site: str, claims: Claims, got: dict[str, str] = got) -> None:
            if (step, site) == (DOUBLE, "a"):
                got.update(claims["lists"])

        carried(network, plan, hub=looks, peer=bends)
        # All that a can open of b: a list under b's secret number, in which it finds nothing that
        # it can make. The number that is counted goes to c.
        shared = network.directories["a"].box.agree(plan.roster["b"].box)
        opened, _ = match.open_list(shared, [run.hex(), str(BLIND), "b", "a", "a"], unb64(got["b"]))
        own = {point, *chosen, *match.multiplied(chosen, number)}
        assert not own & {*opened, *match.multiplied(opened, number)}
        assert len(opened) % match.BLOCK == 0
        network.days_pass(92)


def test_the_third_hospital_sees_a_number_that_is_blurred(network: Sharing) -> None:
    plan = network.plan()
    run = bytes.fromhex(run_sha256(plan.fixed))
    third = match.third_of(["a", "b"], plan.roster, run)
    got: dict[str, str] = {}

    def looks(step: int, site: str, claims: Claims) -> None:
        if step == COUNT:
            got.update(claims["lists"])

    outcome = carried(network, plan, hub=looks)
    assert isinstance(outcome, Outcome)
    assert outcome.envelope == {"pairs": PAIRS}
    lists = []
    for one, other in (("a", "b"), ("b", "a")):
        shared = network.directories[third].box.agree(plan.roster[one].box)
        place = [run.hex(), str(DOUBLE), one, third, other]
        lists.append(match.open_list(shared, place, unb64(got[named(one, other)]))[0])
    # ten are shared; what the third hospital reads is ten and a number only a and b can work out
    of_the_pair = network.directories["a"].box.agree(plan.roster["b"].box)
    assert match.in_both(*lists) == 10 + match.how_many(of_the_pair, ["a", "b"], run)


def test_the_study_is_one_that_the_hospital_takes_part_in(network: Sharing) -> None:
    assert STUDY != "elsewhere"
    plan = network.plan()
    elsewhere = replace(plan, study="elsewhere")
    approved = {**plan.approval, "query_sha256": elsewhere.match_sha256}
    assert network.match(replace(elsewhere, approval=approved)).code == "STUDY_NOT_OPEN"
