"""How many patients hospitals share: real site processes, known overlaps, nothing else told."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sharing_hospitals import STUDY, Sharing, local, person, policy

from federation.protocol import private_match
from federation.protocol.encoding import parse_json, unb64
from federation.protocol.errors import ProtocolError
from federation.protocol.match_steps import DOUBLE, LOOKING
from federation.protocol.messages import TYP_MATCH_REPLY, sign
from federation.runs.driver import HUB, LIFETIME, Outcome
from federation.runs.match_driver import MatchDriver
from federation.site import audit
from federation.site.steward.overview import Overview
from federation.site.steward.sent import Register
from federation.site.steward.sent_words import contents, what_left

# a and b share 28 to 39; b and c share 65, 66 and 67; 28 is in all three; 90 has no other hospital
PATIENTS = {"a": range(40), "b": range(28, 68), "c": [28, *range(65, 105)]}
PAIRS = 12 + 3 + 1 + 1


def killed_once(site: str, where: str) -> Any:
    """An environment in which this site's first process dies at a named point."""

    def environment(slug: str, starts: int) -> Mapping[str, str]:
        return {"ONCOKRING_CRASH": where} if (slug, starts) == (site, 0) else {}

    return environment


def test_a_patient_at_two_hospitals_is_found_and_nobody_is_named(tmp_path: Path) -> None:
    network = Sharing(tmp_path, PATIENTS)
    try:
        before = network.match()
        assert (before.status, before.envelope) == ("complete", {"pairs": PAIRS})

        for slug in network.directories:
            _nothing_is_left_that_tells(network, slug)
    finally:
        network.close()


def _nothing_is_left_that_tells(network: Sharing, slug: str) -> None:
    assert network.database(slug, "SELECT step, secret FROM match_run") == [(3, None)]
    database = sqlite3.connect(network.folder / slug / "site.sqlite")
    sent = [each for each in Register(database).messages() if each.step_name.startswith("match.")]
    assert audit.first_break(database) is None
    assert Register(database).first_changed() is None
    assert [each.step_name for each in sent] == [
        "match.count",
        "match.double",
        "match.blind",
        "match.look",
    ]
    left = b"".join(each.body or b"" for each in sent)
    for number in network.patients[slug]:
        known = person(number)
        for text in (known["name"].split()[-1], known["born"], local(slug, number)):
            assert text.encode() not in left
    assert {each.kind for each in sent} == {"match"}
    known = Overview(network.folder / slug, "nl").run(sent[0].run)
    assert known is not None
    assert known.question.title == "Hoeveel patiënten delen de ziekenhuizen?"
    assert known.question.study == STUDY
    # each patient who took part can read on their page that data were used
    told = network.database(slug, "SELECT query_id, study FROM use_told")
    assert told == [(sent[0].query_sha256, STUDY)]
    dutch = [what_left(each, contents(each), "nl") for each in sent]
    assert "2 verzegelde lijsten" in dutch[1][0]
    assert "1 getallen onder een masker" in dutch[0][0]
    assert not any("niet kent" in line for lines in dutch for line in lines)
    lists = [_claims(each.body)["lists"] for each in sent[1:3]]
    # as long as filled lists are, whoever is in them
    assert all((len(unb64(text)) - 20) % 8192 == 0 for each in lists for text in each.values())
    database.close()


def _claims(body: bytes | None) -> dict[str, Any]:
    return parse_json(unb64((body or b"").split(b".")[1].decode()), 1 << 24)


@pytest.mark.parametrize("where", ["N4:2", "N5:3"])
def test_a_hospital_that_is_killed_half_way_answers_as_if_it_was_not(
    tmp_path: Path, where: str
) -> None:
    network = Sharing(tmp_path, PATIENTS, environment=killed_once("b", where))
    try:
        assert network.match().envelope == {"pairs": PAIRS}
        assert network.engine.starts("b") == 2
    finally:
        network.close()


@pytest.fixture
def sharing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(private_match, "MADE_UP", 64)  # the real number: in the tests above
    network = Sharing(tmp_path, PATIENTS, in_process=True)
    yield network
    network.close()


def test_it_is_asked_once_in_a_period_and_only_of_patients_who_agree_now(sharing: Any) -> None:
    sharing.withdrawn = {local("b", 30), local("a", 31), local("c", 104)}
    sharing.publish()
    assert sharing.match().envelope == {"pairs": PAIRS - 2}

    again = sharing.match()
    assert (again.status, again.code) == ("refused", "BUDGET")
    sharing.days_pass(89)
    assert sharing.match().code == "BUDGET"
    sharing.withdrawn = set()
    sharing.days_pass(2)
    assert sharing.match().envelope == {"pairs": PAIRS}


def test_a_hospital_with_too_few_patients_adds_nobody(tmp_path: Path) -> None:
    few = {**PATIENTS, "d": range(28, 37)}
    network = Sharing(tmp_path, few, in_process=True)
    try:
        # two hospitals and a name: each of the two sees that before it sends a list
        assert network.match(network.plan(["a", "b", "d"])).code == "INSTITUTION_HIDDEN"
        assert network.database("a", "SELECT step, secret IS NULL FROM match_run") == [(0, 0)]
        # d's nine patients are all known elsewhere, and nobody hears of it
        assert network.match().envelope == {"pairs": PAIRS}
    finally:
        network.close()


def test_ten_hospitals_of_which_each_is_third_for_some_pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty-five pairs: each hospital shares six with the next one, and all share two."""
    monkeypatch.setattr(private_match, "MADE_UP", 16)  # the real numbers: in the tests above
    monkeypatch.setattr(private_match, "BLOCK", 32)
    lists = {f"h{n}": [900, 901, *range(n * 20, n * 20 + 26)] for n in range(10)}
    network = Sharing(tmp_path, lists, in_process=True)
    try:
        assert network.match().envelope == {"pairs": 9 * 6 + 45 * 2}
        thirds = [network.database(slug, "SELECT step, secret FROM match_run") for slug in lists]
        assert thirds == [[(3, None)]] * 10
    finally:
        network.close()


def test_the_hub_takes_only_a_hospitals_own_reply_to_the_present_step(sharing: Any) -> None:
    now = sharing.now
    driver, other = (MatchDriver(sharing.plan(), sharing.hub) for _ in range(2))
    own = sharing.send("a", driver.messages(now)["a"])[0]
    elsewhere = sharing.send("a", other.messages(now)["a"])[0]
    unread = sharing.send("a", other.messages(now)["b"])[0]  # for b: a cannot trust it
    for site, body, code in (
        ("d", own, "ROSTER"),
        ("b", own, "UNKNOWN_KEY"),
        ("a", elsewhere, "WRONG_RUN"),
        ("a", unread, "NOT_ACCEPTED"),
        ("a", own[:-4] + b"AAAA", "BAD_SIGNATURE"),
    ):
        with pytest.raises(ProtocolError, match=code):
            driver.receive(site, body, now)
    driver.receive("a", own, now)
    driver.receive("a", own, now)
    assert (driver.waiting, driver.advance(now)) == ({"b", "c"}, None)
    changed = sign(
        TYP_MATCH_REPLY,
        {**_claims(own), "snapshot": 7},
        sharing.directories["a"].sign,
        issuer="a",
        audience=HUB,
        now=now,
        lifetime=LIFETIME,
    )
    with pytest.raises(ProtocolError, match="CONFLICT"):
        driver.receive("a", changed, now)
    # without all nothing can be read
    silent = driver.at_deadline()
    assert (silent.status, silent.code, silent.envelope) == ("insufficient", "SITE_UNREACHABLE", {})


def test_somebody_who_stops_between_two_steps_ends_it(sharing: Any) -> None:
    driver = MatchDriver(sharing.plan(), sharing.hub)
    for site, message in driver.messages(sharing.now).items():
        driver.receive(site, sharing.send(site, message)[0], sharing.now)
    assert driver.advance(sharing.now) == "step"
    ((secret,),) = sharing.database("b", "SELECT secret FROM match_run")
    assert secret in _on_disk(sharing, "b")
    sharing.withdrawn = {local("b", 30)}
    sharing.publish()
    said = {site: sharing.send(site, m)[1] for site, m in driver.messages(sharing.now).items()}
    assert [said[site]["status"] for site in "abc"] == ["ok", "refused", "ok"]
    assert said["b"]["code"] == "CONSENT_UNAVAILABLE"


def _on_disk(network: Any, slug: str) -> bytes:
    return b"".join(path.read_bytes() for path in (network.folder / slug).glob("site.sqlite*"))


def test_what_would_trace_a_point_to_a_patient_leaves_the_disk(sharing: Any) -> None:
    driver = MatchDriver(sharing.plan(), sharing.hub)
    secrets: dict[str, bytes] = {}
    while not isinstance(after := driver.advance(sharing.now), Outcome):
        for site, message in driver.messages(sharing.now).items():
            driver.receive(site, sharing.send(site, message)[0], sharing.now)
            if driver.number == LOOKING:
                ((secrets[site],),) = sharing.database(site, "SELECT secret FROM match_run")
                assert secrets[site] in _on_disk(sharing, site)
            if driver.number == DOUBLE:
                assert secrets[site] not in _on_disk(sharing, site)
    assert after.envelope == {"pairs": PAIRS}


def test_nothing_is_matched_unless_two_people_of_each_hospital_switched_it_on(
    tmp_path: Path,
) -> None:
    network = Sharing(tmp_path, PATIENTS, policies={"b": policy(on=False)}, in_process=True)
    try:
        assert (network.match().code, network.database("b", "SELECT * FROM match_run")) == (
            "NO_MATCH",
            [],
        )
        network.rewrite_policy("b", policy())
        network.restart()
        assert network.match().envelope == {"pairs": PAIRS}
        # the decision ends: from then on the hospital answers nothing, as for any looser key
        network.now = datetime.now(UTC)
        network.days_pass(310)
        assert network.match().code == "STUDY_NOT_OPEN"
    finally:
        network.close()
