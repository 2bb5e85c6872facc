"""What a site makes of messages that are not what they should be, and of those it must approve."""

import json
from datetime import timedelta

import pytest
from joserfc import jws

from federation.protocol.encoding import canonical
from federation.protocol.keys import SigningKey
from federation.protocol.messages import TYP_REPLY, TYP_STEP, sign
from federation.site.steward.deciding import approve_query
from federation.site.steward.overview import Overview
from federation.site.steward.status import read_status

COUNT = {"kind": "count", "by": ["stage"]}
MEAN = {"kind": "describe", "variables": ["ca125"]}
COMMON = ("v", "iss", "aud", "iat", "exp", "jti")


@pytest.fixture
def claims(net, read):
    return read(net.driver(net.plan(net.query(COUNT))).messages(net.now)["h0"])


def signed(net, claims, key=None, typ=TYP_STEP, **more):
    own = {k: v for k, v in claims.items() if k not in COMMON}
    settings = {
        "issuer": "hub",
        "audience": "h0",
        "now": net.now,
        "lifetime": timedelta(minutes=5),
    }
    return sign(typ, own, key or net.hub, **{**settings, **more})


def verdict(net, message):
    reply = net.claims("h0", message)
    return reply["status"], reply.get("code")


REFUSED = ("refused", "PROTOCOL")


def test_a_good_message_is_answered(net, claims):
    assert verdict(net, signed(net, claims)) == ("ok", None)


def test_someone_elses_signature(net, claims):
    assert verdict(net, signed(net, claims, key=SigningKey.generate())) == REFUSED


def test_a_sites_own_key_is_not_the_hubs(net, claims):
    assert verdict(net, signed(net, claims, key=net.directories["h1"].sign)) == REFUSED


@pytest.mark.parametrize(
    "more",
    [
        {"audience": "h1"},
        {"issuer": "h1"},
        {"typ": TYP_REPLY},
        {"lifetime": timedelta(minutes=-5)},
    ],
)
def test_a_message_for_another_or_out_of_time(net, claims, more):
    assert verdict(net, signed(net, claims, **more)) == REFUSED


def test_a_message_from_the_future(net, claims):
    message = signed(net, claims, now=net.now + timedelta(minutes=5))

    assert verdict(net, message) == REFUSED


@pytest.mark.parametrize("key", [
    "run", "step", "step_name", "query", "query_sha256", "codebook", "roster", "terms",
    "min_snapshot", "approval", "again", "previous",
])  # fmt: skip
def test_each_key_is_needed_and_typed(net, claims, key):
    without = {k: v for k, v in claims.items() if k != key}
    assert verdict(net, signed(net, without)) == REFUSED

    for wrong in (None, [1], "x y", -1, 1.5):
        assert verdict(net, signed(net, {**claims, key: wrong}))[0] == "refused"
    assert net.ledger("h0") == 0


def test_an_unknown_key(net, claims):
    assert verdict(net, signed(net, {**claims, "debug": True})) == REFUSED


@pytest.mark.parametrize("key", ["t_cell", "km"])
def test_terms_must_be_complete(net, claims, key):
    terms = {k: v for k, v in claims["terms"].items() if k != key}
    assert verdict(net, signed(net, {**claims, "terms": terms})) == REFUSED
    assert verdict(net, signed(net, {**claims, "terms": {**claims["terms"], "x": 1}})) == REFUSED


def test_a_message_number_used_for_other_content(net, claims):
    """The hub's key, but an old number."""

    def with_jti(own, jti):
        header = {"alg": "Ed25519", "typ": TYP_STEP, "kid": net.hub.kid}
        payload = canonical({**claims, **own, "jti": jti})
        return jws.serialize_compact(header, payload, net.hub.jwk, algorithms=["Ed25519"]).encode()

    assert verdict(net, with_jti({}, "one"))[0] == "ok"
    other = {"run": "another-run"}
    assert verdict(net, with_jti(other, "one")) == REFUSED
    assert verdict(net, with_jti({**other, "again": True}, "two"))[0] == "ok"


def test_the_same_step_with_other_content(net, claims):
    assert verdict(net, signed(net, claims))[0] == "ok"
    other = net.query(MEAN)
    changed = {
        **claims,
        "query": other.to_dict(),
        "query_sha256": other.sha256,
        "approval": {**claims["approval"], "query_sha256": other.sha256},
    }

    assert verdict(net, signed(net, changed)) == REFUSED
    assert net.ledger("h0") == 0, "only a look has left"


@pytest.mark.parametrize("step", [1, 2, 999, 1000, 10**9])
def test_a_step_out_of_turn(net, claims, step):
    assert verdict(net, signed(net, {**claims, "step": step})) == REFUSED


def test_a_first_step_with_a_past(net, claims):
    assert verdict(net, signed(net, {**claims, "previous": ["x"]})) == REFUSED


def test_a_step_after_the_last(net, read):
    driver = net.driver(net.plan(net.query(COUNT)))
    assert net.round(driver) == "step"
    messages = driver.messages(net.now)
    claims = read(messages["h0"])
    previous = [net.send(slug, message).decode() for slug, message in messages.items()]

    assert claims["step"] == 1
    assert verdict(net, signed(net, {**claims, "step": 2, "previous": previous})) == REFUSED


def test_a_refusal_about_patients_stays_the_same_bytes(net, read):
    """The step after the look, which a hostile hub asks for although the look said no."""
    few = [{"var": "age", "op": ">=", "value": 85}, {"var": "stage", "op": "=", "value": "IV"}]
    net.ask(COUNT)
    plan = net.plan(net.query({"kind": "count"}, cohort={"not": {"all": few}}))
    messages = net.driver(plan).messages(net.now)
    looks = [net.send(slug, messages[slug]).decode() for slug in sorted(messages)]
    asked = {"step": 1, "step_name": "count.cells", "previous": looks}
    message = signed(net, {**read(messages["h0"]), **asked})

    first = net.send("h0", message)
    net.withdrawn.update(row["HDR_PATIENT_NO"] for row in net.rows["h0"][:40])
    net.publish()

    assert verdict(net, message) == ("refused", "SMALL_GROUP")
    assert net.send("h0", message) == first


def test_the_hospitals_own_switch(net, claims):
    stop = net.folder / "h0" / "STOP"
    stop.touch()
    assert verdict(net, signed(net, claims)) == ("refused", "PAUSED")

    stop.unlink()
    assert verdict(net, signed(net, claims))[0] == "ok"


def test_kinds_and_variables_that_the_hospital_closed(build, read):
    net = build(study={"kinds": ["count"], "variables": ["stage", "age"]})
    claims = read(net.driver(net.plan(net.query(MEAN))).messages(net.now)["h0"])
    assert verdict(net, signed(net, claims)) == ("refused", "NOT_IN_CATALOGUE")

    query = net.query({"kind": "count", "by": ["sex"]})
    reply = net.claims("h0", net.driver(net.plan(query)).messages(net.now)["h0"])
    assert (reply["code"], reply["terms_named"]) == ("NOT_IN_CATALOGUE", ["sex"])
    assert net.ask(COUNT).status == "complete"


def test_a_variable_that_is_not_mapped_here(net, claims):
    path = net.folder / "h0" / "mapping.yaml"
    path.write_text(path.read_text().replace("  stage: {column: HDR_STAGE}\n", ""))
    net.start("h0")

    assert verdict(net, signed(net, claims)) == ("refused", "DATA_MISMATCH")


def test_a_hospital_that_approves_itself(build):
    net = build(study={"approve": "here"})
    query = net.query(COUNT)
    assert net.ask(COUNT).code == "QUERY_NOT_APPROVED"

    for slug in net.programs:
        path = net.folder / slug
        (waiting,) = Overview(path).waiting()
        assert waiting.query_sha256 == query.sha256
        assert waiting.query == query.to_dict()
        approve_query(path, query.sha256, "steward", net.now)
        assert Overview(path).waiting() == []

    assert net.ask(COUNT).status == "complete"
    assert net.ask(MEAN).code == "QUERY_NOT_APPROVED"


def test_a_query_the_committee_did_not_approve_is_not_even_shown(build):
    net = build(study={"approve": "here"})
    other = net.query(MEAN).sha256
    net.ask(COUNT, plan={"approval": {"by": "x", "at": "x", "query_sha256": other}})

    assert Overview(net.folder / "h0").waiting() == []


def test_a_query_under_the_hash_of_another_is_not_shown(build, read):
    """Else people would approve one text and the hub would ask the other."""
    net = build(study={"approve": "here"})
    claims = read(net.driver(net.plan(net.query(COUNT))).messages(net.now)["h0"])
    harmless = net.query(MEAN).to_dict()

    assert verdict(net, signed(net, {**claims, "query": harmless})) == REFUSED
    assert Overview(net.folder / "h0").waiting() == []


def test_the_state_of_a_site(net):
    net.ask(COUNT)
    net.ask(COUNT)
    found = read_status(net.folder / "h0", net.now + timedelta(minutes=3))

    assert found["answers"] == {"OK": 2, "REPLAY": 1}
    assert {kind: found["sent"][kind] for kind in ("look", "answer", "replay")} == {
        "look": 1,
        "answer": 1,
        "replay": 1,
    }
    assert (found["ledger_entries"], found["snapshot"]) == (1, net.seq)
    assert found["snapshot_age_minutes"] == 3.0
    assert found["audit_intact"]
    assert found["sites_pinned"] == sorted(net.programs)
    json.dumps(found)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"cohort": {"var": "age", "op": ">=", "value": 41}}, "TOO_FINE"),
        ({"cohort": {"var": "age", "op": "=", "value": 40}}, "TOO_FINE"),
        ({"cohort": {"var": "stage", "op": "=", "value": "V"}}, "NOT_IN_CATALOGUE"),
        ({"cohort": {"var": "name", "op": "=", "value": "x"}}, "NOT_IN_CATALOGUE"),
        ({"analysis": {"kind": "rows"}}, "NOT_IN_CATALOGUE"),
        ({"analysis": {"kind": "count", "by": ["stage"], "seed": 1}}, "NOT_IN_CATALOGUE"),
        ({"vector": [1, 0, 0]}, "NOT_IN_CATALOGUE"),
    ],
)
def test_a_query_the_language_does_not_have(net, claims, change, code):
    """Whatever the hub let through, the site reads the query itself."""
    query = {**claims["query"], **change}

    assert verdict(net, signed(net, {**claims, "query": query})) == ("refused", code)


def test_a_codebook_that_is_none(net, claims):
    for codebook in ({}, {"codebook": "onco/1"}, {**claims["codebook"], "codebook": "onco/2"}):
        message = signed(net, {**claims, "codebook": codebook})
        assert verdict(net, message) == ("refused", "DATA_MISMATCH")


def test_a_coarser_grid_than_the_codebook_has(build):
    """The hospital wants ages in steps of ten and dates by year."""
    from dataclasses import replace

    from federation.disclosure.policy import Policy

    net = build(policy=replace(Policy.strict(), age_grid_years=10, date_grid="year"))
    old = {"var": "age", "op": ">=", "value": 60}
    recent = {"var": "diagnosed", "op": ">=", "value": "2018-01"}

    assert net.ask(COUNT, cohort=old).code == "TOO_FINE"
    assert net.ask(COUNT, cohort=recent).code == "TOO_FINE"
    # a table or a histogram by age asks for the same steps as a filter
    assert net.ask({"kind": "count", "by": ["age"]}).code == "TOO_FINE"
    assert net.ask({"kind": "histogram", "variable": "age"}).code == "TOO_FINE"
    # a mean of ages, and age in a model, ask for none
    assert net.ask({"kind": "describe", "variables": ["age"]}).status == "complete"
    assert net.ask(COUNT).status == "complete"


def test_plain_sums_are_replayed_too(build):
    """Without protection a method may send sums per hospital; each site adds them up itself."""
    from federation.disclosure.policy import Policy

    net = build(policy=Policy.open_data())
    exact = {"kind": "survival", "time": "fu_days", "event": "death", "by": "trt"}

    assert net.ask(exact).status == "complete"
    assert net.ask({"kind": "describe", "variables": ["ca125"]}, output="by_site").status == (
        "complete"
    )
