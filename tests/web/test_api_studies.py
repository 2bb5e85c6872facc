"""The API over hospitals in studies: pages, versions, keys of one act, and whose study it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from flask.testing import FlaskClient
from sqlalchemy import select

from registry import audit
from registry.audit import AuditLine
from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies import service
from studies.actor import SYSTEM
from studies.events import announce
from studies.models import Institution, Membership, Study
from studies.participants.numbers import settle_prefix

from .conftest import FOREIGN, NOW, OTHER_SITE, OWN, SITE

SignedIn = Callable[..., FlaskClient]
FormToken = Callable[[FlaskClient], str]
KEY = "0190-an-act-of-mine"
SITES = f"/api/v1/studies/{OWN}/sites"
PEOPLE = f"/api/v1/studies/{OWN}/participants"


def sender(client: FlaskClient, form_token: FormToken) -> Callable[..., Any]:
    token = form_token(client)

    def send(path: str, body: Any, version: str | None = None, **more: str) -> Any:
        method = client.put if "/screening/" in path else client.post
        headers = {"X-CSRFToken": token, **({"If-Match": version} if version else {})}
        return method(path, json=body, headers=headers | more)

    return send


def test_a_hospital_is_taken_further_once_and_by_who_saw_it(
    signed_in: SignedIn, form_token: FormToken, factory: SessionFactory
) -> None:
    client = signed_in("coordinator")
    send = sender(client, form_token)

    first = client.get(f"{SITES}?limit=4")
    assert len(first.get_json()) == 4
    following = first.headers["Link"].removeprefix("<").partition(">")[0]
    rows = first.get_json()
    while following:
        page = client.get(following)
        rows += page.get_json()
        following = page.headers.get("Link", "").removeprefix("<").partition(">")[0]
    names = [row["site"] for row in rows]
    assert names == sorted(set(names))
    assert len(names) == 10

    card = client.get(f"{SITES}/{SITE}")
    assert card.get_json()["state"] == "open"
    version = card.headers["ETag"]
    hold = {"to": "on_hold", "reason": "no_capacity"}
    assert send(f"{SITES}/{SITE}/moves", hold).status_code == 428
    done = send(f"{SITES}/{SITE}/moves", hold, version, **{"Idempotency-Key": KEY})
    assert (done.status_code, done.get_json()["state"]) == (200, "on_hold")
    again = send(f"{SITES}/{SITE}/moves", hold, version, **{"Idempotency-Key": KEY})
    assert (again.status_code, again.get_data()) == (200, done.get_data())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["ETag"] == done.headers["ETag"] != version
    with factory() as session:
        part = service.get_participation(session, OWN, SITE)
        assert [step.state for step in part.steps].count("on_hold") == 1

    late = send(f"{SITES}/{SITE}/moves", hold, version)
    assert late.status_code == 412
    assert late.get_json()["code"] == "changed_meanwhile"
    shown, now = (int(tag.strip('"v')) for tag in (version, done.headers["ETag"]))
    assert late.get_json()["versions"] == {"shown": shown, "now": now}
    other = send(
        f"{SITES}/{SITE}/moves", {**hold, "to": "open"}, version, **{"Idempotency-Key": KEY}
    )
    assert (other.status_code, other.get_json()["code"]) == (422, "KEY_USED")
    bad = send(f"{SITES}/{SITE}/moves", hold, version, **{"Idempotency-Key": "short"})
    assert (bad.status_code, bad.get_json()["code"]) == (400, "BAD_KEY")
    # A refusal is not kept: put right, the same key does the act.
    key = {"Idempotency-Key": "another-act-of-mine"}
    refused = send(f"{SITES}/{SITE}/moves", {"to": "vgo_signed"}, done.headers["ETag"], **key)
    assert (refused.status_code, refused.get_json()["code"]) == (409, "step_not_allowed")
    resumed = send(f"{SITES}/{SITE}/moves", {"to": "open"}, done.headers["ETag"], **key)
    assert (resumed.status_code, resumed.get_json()["state"]) == (200, "open")

    foreign = f"/api/v1/studies/{FOREIGN}/sites/{SITE}"
    assert client.get(foreign).status_code == 404
    assert signed_in("researcher").get(f"{SITES}/{SITE}").status_code == 403


def test_another_account_with_the_same_key_does_its_own_act(
    signed_in: SignedIn, form_token: FormToken, factory: SessionFactory
) -> None:
    with unit_of_work(factory, SYSTEM) as session:
        session.add(Institution(slug="nieuw", name="Nieuw", kind="general", city="Ergens"))
        session.flush()
        network = session.get_one(Study, OWN).network
        session.add(Membership(network=network, institution="nieuw", since=NOW))
        announce(session, actor=SYSTEM, action="network.changed", about=f"network:{network}")
    send = sender(signed_in("coordinator"), form_token)
    asked = send(SITES, {"site": "nieuw"}, **{"Idempotency-Key": KEY})
    assert asked.status_code == 201, asked.get_json()
    assert asked.headers["Location"] == f"{SITES}/nieuw"
    assert asked.get_json()["state"] == "invited"
    assert send(SITES, {"site": "nieuw"}, **{"Idempotency-Key": KEY}).status_code == 201
    assert send(SITES, {"site": "nieuw"}).get_json()["code"] == "name_taken"


def test_a_network_on_any_day_and_a_study_in_fhir(
    browser: FlaskClient, signed_in: SignedIn
) -> None:
    assert [each["slug"] for each in browser.get("/api/v1/networks").get_json()] == ["oncozon"]
    now = browser.get("/api/v1/networks/oncozon").get_json()
    assert len(now["members"]) == 10
    less = browser.get(f"/api/v1/networks/oncozon?without={SITE}").get_json()
    assert (len(less["members"]), less["open_places"]) == (9, now["open_places"] - 1)
    assert browser.get("/api/v1/networks/oncozon?on=2010-01-01").get_json()["members"] == []
    assert browser.get("/api/v1/networks/nowhere").status_code == 404
    groups = browser.get("/api/v1/networks/oncozon/groups").get_json()
    assert len(groups) == 16
    assert not {"name"} & {key for group in groups for seat in group["seats"] for key in seat}
    coordinator = signed_in("coordinator")
    for version, kind in (("5.0", "ResearchStudy"), ("4.0", "ResearchStudy")):
        accept = {"Accept": f"application/fhir+json; fhirVersion={version}"}
        told = coordinator.get(f"/api/v1/fhir/ResearchStudy/{OWN}", headers=accept)
        assert told.content_type == f"application/fhir+json; fhirVersion={version}"
        assert told.get_json()["entry"][0]["resource"]["resourceType"] == kind
    assert coordinator.get(f"/api/v1/fhir/ResearchStudy/{FOREIGN}").status_code == 404


def test_the_public_sees_of_a_hospital_only_what_is_open(
    browser: FlaskClient, signed_in: SignedIn, factory: SessionFactory
) -> None:
    """What a hospital declined or is preparing is of who works in the network."""
    with unit_of_work(factory, SYSTEM) as session:
        for place, state, reason in (
            (SITE, "on_hold", "no_capacity"),
            ("maxima-mc", "closed", "study_finished"),
        ):
            part = service.get_participation(session, OWN, place)
            service.move(session, part, state, actor=SYSTEM, now=NOW, reason=reason)
    address = "/api/v1/networks/oncozon"
    day = NOW.date().isoformat()
    for client in (browser, signed_in("mine"), signed_in("observer"), signed_in("representative")):
        for asked in ("", f"?on={day}", f"?without={OTHER_SITE}"):
            told = client.get(f"{address}{asked}").get_json()
            assert {state for each in told["members"] for state in each["studies"]} == {"open"}
            assert told["studies"] == told["studies_open"]
    told = signed_in("committee").get(address).get_json()
    states = {each["slug"]: each["studies"] for each in told["members"]}
    assert (states[SITE], states["maxima-mc"]) == ({"on_hold": 1}, {"closed": 1})


def test_a_study_that_leaves_with_its_participants_is_written_down(
    signed_in: SignedIn, factory: SessionFactory
) -> None:
    coordinator = signed_in("coordinator")
    accept = {"Accept": "application/fhir+json; fhirVersion=4.0"}
    coordinator.get(f"/api/v1/fhir/ResearchStudy/{OWN}", headers=accept)
    coordinator.get(f"/c/study/{OWN}/download/fhir-r5.json?participants=1")
    coordinator.get(f"/c/study/{OWN}/download/fhir-r4.json")
    with factory() as session:
        told = [line for line in audit.lines(session) if line.action == "study.exported"]
        assert {line.about for line in told} == {f"study:{OWN}"}
        assert [(line.facts["as"], line.facts["participants"]) for line in told] == [
            ("fhir-4.0", 1),
            ("fhir-5.0", 1),
            ("fhir-4.0", 0),
        ]


def test_counts_of_a_month_and_what_follows_from_them(
    signed_in: SignedIn, form_token: FormToken
) -> None:
    client = signed_in("coordinator")
    send = sender(client, form_token)
    month = f"{SITES}/{SITE}/screening/2026-02"
    assert client.get(month).status_code == 404
    counts = {"screened": 10, "eligible": 7, "not_eligible": {"other": 3}, "approached": 7}
    wrong = send(month, counts, '"v0"')
    assert (wrong.status_code, wrong.get_json()["code"]) == (422, "counts_differ")
    assert wrong.get_json()["faults"] == ["approached_differs"]
    made = send(month, {**counts, "consented": 7, "registered": 6}, '"v0"')
    assert (made.status_code, made.headers["ETag"]) == (200, '"v1"')
    assert send(month, {**counts, "deciding": 7}, '"v0"').status_code == 412
    assert client.get(month).headers["ETag"] == '"v1"'
    whole = client.get(f"/api/v1/studies/{OWN}/screening").get_json()
    assert whole["total"]["screened"] == 10
    flow = client.get(f"/api/v1/studies/{OWN}/consort").get_json()
    assert [flow[box] for box in ("screened", "excluded", "registered")] == [10, 4, 6]
    read = client.get(f"/api/v1/studies/{OWN}/accrual")
    assert read.get_json()["n"] == 0
    unchanged = client.get(
        f"/api/v1/studies/{OWN}/accrual", headers={"If-None-Match": read.headers["ETag"]}
    )
    assert unchanged.status_code == 304
    assert len(client.get(f"/api/v1/studies/{OWN}/start-up").get_json()["sites"]) == 10


def test_a_participant_comes_in_after_a_yes_and_leaves(
    signed_in: SignedIn, form_token: FormToken, factory: SessionFactory, world: Any
) -> None:
    with unit_of_work(factory, SYSTEM) as session:
        settle_prefix(session, session.get_one(Study, OWN), "HT", actor=SYSTEM, now=NOW)
    client = signed_in("coordinator")
    send = sender(client, form_token)
    body = {"site": SITE, "pseudonym": "HT-0001"}
    assert send(PEOPLE, body).status_code == 422
    nobody = send(PEOPLE, {**body, "letter": {"number": "AAAAAA"}})
    assert nobody.status_code == 404
    with factory() as session:
        action = select(AuditLine.action).where(AuditLine.action == "participant.letter_refused")
        assert session.scalars(action).all() == ["participant.letter_refused"]
    # Who checked a form is somebody who works here, not just a number that looks like one.
    for checker, status in ((str(uuid4()), 422), (world.accounts["researcher2"], 422)):
        form = {"signed_on": "2026-03-02", "text": "1", "checked_by": checker}
        refused = send(PEOPLE, {**body, "form": form})
        assert (refused.status_code, refused.get_json()["code"]) == (status, "unknown_checker")
    form["checked_by"] = world.accounts["researcher"]
    assert send(PEOPLE, {**body, "pseudonym": "HT-9", "form": form}).status_code == 201
    made = send(PEOPLE, {**body, "letter": {"number": world.codes["mine"][:6]}})
    assert made.status_code == 201, made.get_json()
    one = client.get(made.headers["Location"])
    assert one.get_json()["state"] == "screening"
    # A day of another century is a typing error, in a form as in a milestone.
    form |= {"signed_on": "0001-01-01"}
    assert send(PEOPLE, {**body, "pseudonym": "HT-8", "form": form}).status_code == 422
    early = {"milestone": "screened", "at": "0001-01-01T00:00:00+00:00", "reason": "mistake"}
    early_one = send(f"{PEOPLE}/HT-0001/milestones", early, one.headers["ETag"])
    assert (early_one.status_code, early_one.get_json()["code"]) == (422, "too_long_ago")
    on = send(f"{PEOPLE}/HT-0001/moves", {"to": "eligible"}, one.headers["ETag"])
    assert on.status_code == 200, on.get_json()
    gone = send(f"{PEOPLE}/HT-0001/departure", {"way": "data_all"}, on.headers["ETag"])
    assert gone.status_code == 200, gone.get_json()
    assert gone.get_json()["sites"] == [SITE]
    assert [row["pseudonym"] for row in client.get(PEOPLE).get_json()] == ["HT-0001", "HT-9"]
