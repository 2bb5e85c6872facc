"""Attacks 21, 22 and 35 to 40: a hub or hospital that breaks rules (disclosure.md section 6)."""

import dataclasses
import json
import shutil
import subprocess
import sys
from datetime import timedelta

import numpy as np
import pytest
from net10 import OLD, SIZES, everybody, leaf

from federation.disclosure.policy import Policy
from federation.protocol import fixed
from federation.protocol.encoding import pack_array, unpack_array
from federation.protocol.keys import BoxKey, PublicIdentity, SigningKey
from federation.protocol.messages import TYP_REPLY, TYP_STEP, sign
from federation.protocol.sums import check_layout

COUNT = {"kind": "count", "by": ["stage"]}
COX = {"kind": "cox", "time": "time_days", "event": "event", "formula": "age + ca125"}
COMMON = ("v", "iss", "aud", "iat", "exp", "jti")


def claims_of(body):
    from federation.protocol.encoding import parse_json, unb64

    return parse_json(unb64(body.split(b".")[1].decode()), 1 << 26)


def step(net, driver, slug="S01", **more):
    """The message of this step for one hospital with other claims, signed by the hub."""
    claims = claims_of(driver.messages(net.now)[slug])
    claims = {k: v for k, v in claims.items() if k not in COMMON}
    return sign(
        TYP_STEP,
        {**claims, **more},
        net.hub,
        issuer="hub",
        audience=slug,
        now=net.now,
        lifetime=timedelta(minutes=5),
    )


def after_steps(net, name, **more):
    """A run of COX brought to where the next step is `name`."""
    driver = net.driver(net.plan(net.query(COX, **more)))
    for _ in range(20):
        if claims_of(driver.messages(net.now)["S01"])["step_name"] == name:
            return driver
        assert net.round(driver) == "step"
    raise AssertionError(name)


def test_21_a_coefficient_of_ones_own(net10):
    driver = after_steps(net10, "cox.score")

    for more in (
        {"beta": [-96.5, 1.0]},
        {"params": {"newton": {"beta": [-96.5, 1.0]}}},
        {"start": [0.0, 5.0]},
    ):
        assert net10.send("S01", step(net10, driver, **more))["code"] == "PROTOCOL"


def test_22_sums_of_the_hubs_own(net10):
    """The hub changes one hospital's masked reply, leaves one out, or takes one of another run."""
    driver = after_steps(net10, "cox.score")
    previous = claims_of(driver.messages(net10.now)["S01"])["previous"]
    other = after_steps(net10, "cox.score", cohort=OLD)
    foreign = claims_of(other.messages(net10.now)["S01"])["previous"]
    changed = [*previous[:5], previous[5][:-8] + "AAAAAAAA", *previous[6:]]

    for made_up in (changed, previous[:9], [*previous[:5], foreign[5], *previous[6:]], []):
        answer = net10.send("S01", step(net10, driver, previous=made_up))
        assert answer["status"] == "refused"
        assert answer["code"] in ("PROTOCOL", "ROSTER")


def _forged(net, slug, reply, name, change):
    """A reply of a hospital that lies: `change` added to the sum called `name`, well signed."""
    claims = {k: v for k, v in claims_of(reply).items() if k not in COMMON}
    vector = unpack_array(claims["masked"])
    at = 0
    for found, shape, _ in check_layout(claims["layout"]):
        size = int(np.prod(shape))
        if found == name:
            more = fixed.encode(np.resize(np.asarray(change, np.float64), size))
            vector[at : at + size] = fixed.add(vector[at : at + size], more)
        at += size
    site = net.directories[slug]
    return sign(
        TYP_REPLY,
        {**claims, "masked": pack_array(vector)},
        site.sign,
        issuer=slug,
        audience="hub",
        now=net.now,
        lifetime=timedelta(days=1),
    )


def test_22_a_hospital_with_the_hub_drives_the_fit_to_a_half_space(net10):
    """A dishonest hospital adds what it likes to its own masked score. The fit then runs to where
    few patients carry all weight, and the others stop. (Its own program, which is honest here,
    stops too: what the hub passes on as its sum is not what it sent.)"""
    driver = after_steps(net10, "cox.score")
    codes = {}
    for _ in range(12):
        messages = driver.messages(net10.now)
        if not messages:
            break
        for slug, message in messages.items():
            handle = net10.engine.send(slug, message)
            body = None
            while body is None:
                found = {r.handle: r.body for r in net10.engine.replies(30.0)}
                body = found.get(handle)
            if slug == "S10" and claims_of(body)["status"] == "ok":
                body = _forged(net10, slug, body, "score", [-3000.0, 3000.0])
            elif claims_of(body)["status"] == "refused":
                codes[slug] = claims_of(body)["code"]
            driver.receive(slug, body, net10.now)
        outcome = driver.advance(net10.now)
        if outcome != "step":
            break
    assert outcome.code == "MODEL_UNSTABLE"
    assert codes.pop("S10", "PROTOCOL") == "PROTOCOL"
    assert codes
    assert set(codes.values()) == {"MODEL_UNSTABLE"}, codes


def test_35_a_roster_of_two_or_of_strangers(net10):
    query = net10.query(COUNT)
    names = list(net10.directories)
    identity = {slug: net10.directories[slug].identity for slug in names}
    strangers = {
        slug: PublicIdentity(slug, SigningKey.generate().public, BoxKey.generate().public)
        for slug in ("S02", "S03")
    }
    for roster in (
        {slug: identity[slug] for slug in names[:2]},
        {"S01": identity["S01"], **strangers},
        {"S01": identity["S01"], "X1": strangers["S02"], "X2": strangers["S03"]},
    ):
        driver = net10.driver(
            net10.plan(query, roster=roster, min_snapshots=dict.fromkeys(roster, 1))
        )
        message = step(net10, driver)
        assert net10.send("S01", message)["code"] == "ROSTER"


def test_36_the_same_question_to_one_hospital_less(net10):
    names = sorted(SIZES)
    first = net10.ask(COUNT, OLD, sites=names)
    second = net10.ask(COUNT, OLD, sites=names[:-1])

    assert first.ok
    assert second.code == "ROSTER"


def test_36_three_rosters_that_give_one_hospital(net10):
    """{1..10} - {1..7} - {8, 9, and two more} + ... : no two of them differ by one hospital."""
    names = sorted(SIZES)
    rosters = (names, names[:7], [*names[4:7], *names[7:9]], names[4:7])

    codes = [net10.ask(COUNT, OLD, sites=roster).code for roster in rosters]

    assert codes[0] is None
    assert set(codes[1:]) <= {"ROSTER", "SMALL_GROUP"}


def test_36_a_hospital_that_dropped_out_answers_later_in_the_same_roster(net10):
    query = net10.query(COUNT, cohort=OLD)
    driver = net10.driver(net10.plan(query))
    assert net10.round(driver) == "step"
    messages = driver.messages(net10.now)
    for slug in sorted(messages)[:-1]:  # all but S10 send their sums, then the hub gives up
        net10.send(slug, messages[slug])

    smaller = net10.ask(COUNT, OLD, sites=sorted(SIZES)[:-1])
    whole = net10.ask(COUNT, OLD)

    assert smaller.code == "ROSTER"
    assert whole.ok
    assert whole.result["n"] == sum(
        int(row["age"]) >= 60 for rows in net10.rows.values() for row in rows
    )


def test_37_a_cohort_that_one_hospital_has(net10_of):
    rows = everybody()
    for slug, found in rows.items():
        for n, row in enumerate(found):
            row["hist"] = "other" if slug == "S04" and n < 25 else "8500"
    net = net10_of(rows)

    assert net.ask({"kind": "count", "by": []}, leaf("hist", "=", "other")).code == (
        "INSTITUTION_HIDDEN"
    )


def test_37_the_hub_makes_one_hospital_the_only_contributor(net10):
    """Other terms for the others: under them they have too few patients and send noughts."""
    plan = net10.plan(net10.query({"kind": "count", "by": []}, cohort=OLD))
    strict = net10.driver(plan)
    harsh = net10.driver(
        dataclasses.replace(plan, terms=dataclasses.replace(plan.terms, t_cohort_site=1_000_000))
    )
    bodies = {}
    for slug in net10.directories:
        messages = (strict if slug == "S01" else harsh).messages(net10.now)
        handle = net10.engine.send(slug, messages[slug])
        while slug not in bodies:
            found = {r.handle: r.body for r in net10.engine.replies(30.0)}
            if handle in found:
                bodies[slug] = found[handle]
    previous = [bodies[slug].decode() for slug in sorted(bodies)]
    claims = claims_of(strict.messages(net10.now)["S01"])
    message = step(net10, strict, step=1, step_name="count.cells", previous=previous)

    answer = net10.send("S01", message)

    assert claims["step"] == 0
    assert answer["status"] == "refused"
    assert net10.ledger("S01") == 0


POLICIES = {
    "a key is missing": lambda text: text.replace("t_diff: 10, ", "").replace("  t_diff: 10\n", ""),
    "a key is misspelt": lambda text: text.replace("t_cohort_site", "t_cohort_sites"),
    "below the floor": lambda text: text.replace("t_cell: 10", "t_cell: 3"),
    "looser without a decision": lambda text: text.replace("t_cell: 10", "t_cell: 7"),
    "a decision that has ended": lambda text: (
        text.replace("t_cell: 10", "t_cell: 7")
        + "loosened:\n  t_cell: {by: [An Onym, Pseu Donym], reason: rare tumours, "
        "roles: [data steward, privacy officer], decided: 2024-01-01, until: 2024-06-01}\n"
    ),
    "not YAML": lambda text: text + "\n\t]",
    "empty": lambda text: "",
}


def starts(path):
    """Run the site program as a process with an empty stream of messages: its code and words."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "federation.site.process", str(path)],
        input=b"",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == b""
    return done.returncode, done.stderr.decode()


@pytest.fixture(scope="module")
def one_site(tmp_path_factory, net10_catalogue):
    """A copy of one hospital's directory that starts as it is."""
    path = tmp_path_factory.mktemp("copied") / "S01"
    shutil.copytree(net10_catalogue.folder / "S01", path)
    (path / "site.lock").unlink(missing_ok=True)
    assert starts(path)[0] == 0
    return path


@pytest.mark.parametrize("case", POLICIES)
def test_39_a_site_without_a_whole_policy_does_not_start(one_site, tmp_path, case):
    path = tmp_path / "S01"
    shutil.copytree(one_site, path)
    text = Policy.strict().to_yaml()
    changed = POLICIES[case](text)
    assert changed != text
    (path / "policy.yaml").write_text(changed)

    code, words = starts(path)

    assert code != 0
    assert words
    assert "Traceback" not in words


@pytest.mark.parametrize("name", ["policy.yaml", "keys/sign.key", "mapping.yaml", "peers.json"])
def test_39_nor_without_one_of_its_files(one_site, tmp_path, name):
    path = tmp_path / "S01"
    shutil.copytree(one_site, path)
    (path / name).unlink()

    code, words = starts(path)

    assert code != 0
    assert "Traceback" not in words


def test_39_nor_with_a_ledger_that_is_damaged(one_site, tmp_path):
    path = tmp_path / "S01"
    shutil.copytree(one_site, path)
    for name in ("site.sqlite-wal", "site.sqlite-shm"):
        (path / name).unlink(missing_ok=True)
    (path / "site.sqlite").write_bytes(b"no database" * 500)

    code, words = starts(path)

    assert code != 0
    assert "Traceback" not in words


@pytest.mark.parametrize(
    ("key", "value"), [("t_cell", 1), ("t_cohort_site", 1), ("min_sites", 1), ("t_complement", 0)]
)
def test_40_the_hub_asks_under_looser_terms(net10_catalogue, key, value):
    net = net10_catalogue
    terms = dataclasses.replace(net.policy.terms(), **{key: value})
    driver = net.driver(net.plan(net.query(COUNT), terms=terms))

    assert net.send("S01", step(net, driver))["code"] == "PROTOCOL"


def test_40_a_state_of_consent_that_is_sixteen_minutes_old(net10):
    net10.publish(issued=net10.now - timedelta(minutes=16))

    answer = net10.ask(COUNT, OLD)

    assert answer.code == "CONSENT_UNAVAILABLE"
    assert all(net10.ledger(slug) == 0 for slug in net10.directories)


def test_40_a_reply_has_no_field_more(net10):
    """What leaves is an allow-list: every reply of a whole run has these fields and no other."""
    driver = net10.driver(net10.plan(net10.query(COUNT, cohort=OLD)))
    allowed = {*COMMON, "run", "step", "query_sha256", "roster_sha256", "snapshot"}
    allowed |= {"policy_sha256", "software", "status", "layout", "masked", "basis"}
    seen = 0
    while True:
        for slug, message in driver.messages(net10.now).items():
            handle = net10.engine.send(slug, message)
            body = None
            while body is None:
                body = {r.handle: r.body for r in net10.engine.replies(30.0)}.get(handle)
            assert set(claims_of(body)) <= allowed
            assert json.dumps(claims_of(body)["layout"]).isascii()
            seen += 1
            driver.receive(slug, body, net10.now)
        if driver.advance(net10.now) != "step":
            break
    assert seen == 20
