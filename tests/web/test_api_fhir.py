"""One patient's choices as FHIR, DPV and DUO over the API: who may read what, and what they get."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fhir.resources.bundle import Bundle as BundleR5
from fhir.resources.subscription import Subscription as SubscriptionR5
from fhir.resources.subscriptionstatus import SubscriptionStatus as SubscriptionStatusR5
from fhir.resources.subscriptiontopic import SubscriptionTopic as SubscriptionTopicR5
from fhir_reading import believed, check, states
from flask.testing import FlaskClient

from consent import service as consent
from consent.models import Receipt, Subject
from consent.receipts import document_sha256, receipt_document
from registry import audit
from registry.accounts import service
from registry.accounts.models import Account
from registry.app import HubApp
from registry.database import SessionFactory
from registry.hub_keys import signers
from registry.transaction import unit_of_work
from studies.actor import SYSTEM

SignedIn = Callable[..., FlaskClient]
FormToken = Callable[[FlaskClient], str]
OWN = "hormone-therapy"
CONSENTS = "/api/v1/fhir/Consent"
PROVENANCES = "/api/v1/fhir/Provenance"
ACCEPT = {
    "r4": "application/fhir+json; fhirVersion=4.0",
    "r5": "application/fhir+json; fhirVersion=5.0",
}
BOTH = pytest.mark.parametrize("version", ["r4", "r5"])


@pytest.fixture
def by_token(app: HubApp, factory: SessionFactory, world: Any, clock: Any) -> Callable[[str], Any]:
    """``by_token("steward")("/api/v1/...")``: a program with that account's token."""

    def make(name: str) -> Callable[..., Any]:
        with unit_of_work(factory, SYSTEM) as session:
            account = session.get_one(Account, world.accounts[name])
            _row, token = service.issue_token(
                session,
                account,
                label="system",
                scopes={"read"},
                expires_at=clock.now + timedelta(days=1),
                by=SYSTEM,
                now=clock.now,
            )
        headers = {"Authorization": f"Bearer {token}"}

        def get(path: str, query: dict[str, str] | None = None, **more: str) -> Any:
            client = app.test_client()
            return client.get(path, query_string=query, headers={**headers, **more})

        return get

    return make


@pytest.fixture
def handles(factory: SessionFactory, world: Any) -> dict[str, str]:
    with factory() as session:
        return {name: session.get_one(Subject, key).handle for name, key in world.patients.items()}


def resources(response: Any, version: str) -> list[dict[str, Any]]:
    """The resources of a bundle, all of it checked."""
    assert response.status_code == 200, response.get_data(as_text=True)
    assert response.content_type == ACCEPT[version]
    bundle = json.loads(response.data)
    check(bundle, version)
    found = [entry["resource"] for entry in bundle.get("entry", [])]
    assert bundle["total"] == len(found)
    for resource in found:
        check(resource, version)
    return found


@BOTH
def test_a_patient_reads_their_own_and_no_other(
    signed_in: SignedIn, world: Any, handles: dict[str, str], version: str
) -> None:
    client = signed_in("mine")
    accept = {"Accept": ACCEPT[version]}
    found = resources(client.get(CONSENTS, headers=accept), version)
    assert {study for study, _item in believed(found, version)} <= {OWN}
    act, computed = found
    assert act["id"] == world.receipts["mine"]
    assert set(states(computed)) >= set(states(act))
    for resource in found:
        one = client.get(f"{CONSENTS}/{resource['id']}", headers=accept)
        assert json.loads(one.data) == resource
        assert one.headers["Vary"] == "Accept"
    # By handle as well; somebody else's handle finds nothing, and their numbers are absent.
    system = f"urn:oncokring:handle:oncozon:catharina|{handles['mine']}"
    for named, many in (
        (handles["mine"], 2),
        (system, 2),
        (handles["theirs"], 0),
        (f"urn:other|{handles['mine']}", 0),
    ):
        for parameter in ("patient:identifier", "subject:identifier"):
            got = client.get(CONSENTS, query_string={parameter: named}, headers=accept)
            assert len(resources(got, version)) == many
    theirs = client.get(f"{CONSENTS}/{world.receipts['theirs']}", headers=accept)
    nobodys = client.get(f"{CONSENTS}/{'0' * 36}", headers=accept)
    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.get_json() == nobodys.get_json()


@BOTH
def test_a_hospitals_system_reads_its_own_handles_one_at_a_time(
    by_token: Any, world: Any, handles: dict[str, str], version: str
) -> None:
    get = by_token("steward")
    accept = ACCEPT[version]
    own = resources(get(CONSENTS, {"patient:identifier": handles["mine"]}, Accept=accept), version)
    assert len(own) == 2
    assert (
        resources(get(CONSENTS, {"patient:identifier": handles["theirs"]}, Accept=accept), version)
        == []
    )
    # Never a list over patients.
    for path in (CONSENTS, PROVENANCES):
        listed = get(path, Accept=accept)
        assert (listed.status_code, listed.mimetype) == (422, "application/problem+json")
        assert "patient:identifier" in str(listed.get_json()["errors"])
    for path in (CONSENTS, PROVENANCES, "/api/v1/dpv"):
        assert get(f"{path}/{world.receipts['mine']}").status_code == 200, path
        assert get(f"{path}/{world.receipts['theirs']}").status_code == 404, path
    computed = next(one["id"] for one in own if one["id"] != world.receipts["mine"])
    assert get(f"{CONSENTS}/{computed}").status_code == 200
    assert by_token("steward2")(f"{CONSENTS}/{computed}").status_code == 404


def test_nobody_else_reads_and_no_person_for_a_hospital(
    signed_in: SignedIn, browser: FlaskClient, by_token: Any, world: Any, handles: dict[str, str]
) -> None:
    paths = [
        CONSENTS,
        f"{CONSENTS}?patient:identifier={handles['mine']}",
        f"{CONSENTS}/{world.receipts['mine']}",
        PROVENANCES,
        f"{PROVENANCES}/{world.receipts['mine']}",
        f"/api/v1/dpv/{world.receipts['mine']}",
    ]
    for path in paths:
        assert browser.get(path).status_code == 401, path
        assert signed_in("steward").get(path).status_code == 404, path
    for role in ("administrator", "auditor", "board", "coordinator", "researcher", "committee"):
        client, get = signed_in(role), by_token(role)
        for path in paths:
            assert client.get(path).status_code == 403, (role, path)
            assert get(path).status_code == 403, (role, path)


@BOTH
def test_provenance_has_the_order_and_the_signature(
    signed_in: SignedIn, world: Any, version: str
) -> None:
    client = signed_in("mine")
    accept = {"Accept": ACCEPT[version]}
    (one,) = resources(client.get(PROVENANCES, headers=accept), version)
    assert one["target"] == [{"reference": f"Consent/{world.receipts['mine']}"}]
    head, _body, _sign = b64decode(one["signature"][0]["data"]).split(b".")
    assert b"Ed25519" in b64decode(head + b"==")
    target = {"target": f"Consent/{world.receipts['mine']}"}
    assert (
        len(resources(client.get(PROVENANCES, query_string=target, headers=accept), version)) == 1
    )
    target = {"target": "Consent/other"}
    assert resources(client.get(PROVENANCES, query_string=target, headers=accept), version) == []
    single = client.get(f"{PROVENANCES}/{world.receipts['mine']}", headers=accept)
    assert single.get_json()["id"] == world.receipts["mine"]


@BOTH
def test_after_a_stop_a_reader_of_the_status_finds_no_permit(
    signed_in: SignedIn, factory: SessionFactory, world: Any, clock: Any, version: str
) -> None:
    """T30, over the API and the real log."""
    client = signed_in("mine")
    accept = {"Accept": ACCEPT[version]}
    clock.now += timedelta(hours=1)  # the same day
    with unit_of_work(factory, SYSTEM) as session:
        subject = session.get_one(Subject, world.patients["mine"])
        stop = consent.withdraw(
            session,
            subject=subject,
            study=OWN,
            language="nl",
            form_key="stop-form-0001",
            actor=consent.patient(subject),
            now=clock.now,
        ).id
    client = signed_in("mine")
    found = resources(client.get(CONSENTS, headers=accept), version)
    assert believed(found, version) == set()
    status = {one["id"]: one["status"] for one in found}
    assert (status.pop(world.receipts["mine"]), status.pop(stop)) == ("inactive", "active")
    assert list(status.values()) == ["active"]
    recorded = {
        one["id"]: one["recorded"]
        for one in resources(client.get(PROVENANCES, headers=accept), version)
    }
    assert recorded[world.receipts["mine"]] < recorded[stop]


def test_the_version_is_chosen_by_media_type(signed_in: SignedIn) -> None:
    client = signed_in("mine")
    for accept, status, version in (
        ("", 200, "4.0"),
        ("*/*", 200, "4.0"),
        ("application/json", 200, "4.0"),
        ("application/fhir+json", 200, "4.0"),
        ("application/fhir+json; fhirVersion=4.0.1", 200, "4.0"),
        ("application/fhir+json; fhirVersion=5.0", 200, "5.0"),
        ("application/fhir+json; fhirVersion=3.0", 406, ""),
        ("application/fhir+xml", 406, ""),
        ("application/fhir+xml, application/fhir+json; fhirVersion=5.0; q=0.5", 200, "5.0"),
    ):
        response = client.get(CONSENTS, headers={"Accept": accept} if accept else {})
        assert response.status_code == status, accept
        if status == 200:
            assert response.content_type.endswith(f"fhirVersion={version}"), accept
        else:
            assert response.get_json()["code"] == "NOT_ACCEPTABLE"


def test_the_same_answer_again_is_304_and_both_looks_are_audited(
    signed_in: SignedIn, factory: SessionFactory, world: Any, clock: Any
) -> None:
    client = signed_in("mine")
    paths = (CONSENTS, f"{CONSENTS}/{world.receipts['mine']}", f"/api/v1/studies/{OWN}/duo")
    for path in paths:
        etag = client.get(path).headers["ETag"]
        clock.now += timedelta(minutes=1)
        again = client.get(path, headers={"If-None-Match": etag})
        assert (again.status_code, again.data) == (304, b""), path
        assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    with factory() as session:
        about = f"subject:{world.patients['mine']}"
        read = [one for one in audit.lines(session) if one.action == "consent.read"]
    assert [one.about for one in read] == [about] * 6


def test_a_hospitals_system_asks_what_happened_and_reads_it_one_by_one(
    by_token: Any, browser: FlaskClient, world: Any, factory: SessionFactory, clock: Any
) -> None:
    get = by_token("steward")
    subscriptions = "/api/v1/fhir/Subscription"
    listed = json.loads(get(subscriptions).data)
    [own] = [entry["resource"] for entry in listed["entry"]]
    SubscriptionR5.model_validate(own)
    topic = browser.get(own["topic"].removeprefix("http://localhost"))
    SubscriptionTopicR5.model_validate(json.loads(topic.data))
    assert own["topic"] == json.loads(topic.data)["url"]

    def events(**query: Any) -> dict[str, Any]:
        response = get(f"{subscriptions}/catharina/$events", query)
        assert response.status_code == 200, response.data
        assert response.content_type.endswith("fhirVersion=5.0")
        bundle = json.loads(response.data)
        BundleR5.model_validate(bundle)
        assert bundle["type"] == "subscription-notification"
        [entry] = bundle["entry"]
        SubscriptionStatusR5.model_validate(entry["resource"])
        return dict(entry["resource"])

    before = events()
    total = int(before["eventsSinceSubscriptionStart"])
    numbers = [int(each["eventNumber"]) for each in before["notificationEvent"]]
    assert numbers == list(range(1, total + 1))
    acts = {each["focus"]["reference"] for each in before["notificationEvent"]}
    assert f"Consent/{world.receipts['mine']}" in acts
    assert f"Consent/{world.receipts['theirs']}" not in acts  # another hospital's
    for name, _key in world.patients.items():
        assert name not in json.dumps(before)
    # Both are read by number, with the act's own audit line each.
    for each in before["notificationEvent"][:1]:
        for reference in (each["focus"], each["additionalContext"][0]):
            assert get(f"/api/v1/fhir/{reference['reference']}").status_code == 200

    with unit_of_work(factory, SYSTEM) as session:
        subject = session.get_one(Subject, world.patients["mine"])
        stopped = consent.withdraw(
            session,
            subject=subject,
            study=OWN,
            language="nl",
            form_key="stop-for-events",
            actor=consent.patient(subject),
            now=clock.now,
        ).id
    [new] = events(eventsSinceNumber=total + 1)["notificationEvent"]
    assert (new["eventNumber"], new["focus"]["reference"]) == (str(total + 1), f"Consent/{stopped}")
    assert "notificationEvent" not in events(content="empty")
    assert "notificationEvent" not in events(eventsSinceNumber=2, eventsUntilNumber=1)
    counted = json.loads(get(f"{subscriptions}/catharina/$status").data)["entry"][0]["resource"]
    assert counted["eventsSinceSubscriptionStart"] == str(total + 1)
    # After thirty days they are counted and not named.
    clock.now += timedelta(days=31)
    get = by_token("steward")
    assert "notificationEvent" not in events()
    assert events()["eventsSinceSubscriptionStart"] == str(total + 1)
    for path in ("zuyderland", "nowhere", "zuyderland/$events", "zuyderland/$status"):
        assert get(f"{subscriptions}/{path}").status_code == 404
    assert browser.get(f"{subscriptions}/catharina/$events").status_code == 401
    with factory() as session:
        asked = [one for one in audit.lines(session) if one.action == "consent.events_read"]
    assert {one.about for one in asked} == {"institution:catharina"}


def test_a_receipt_as_a_consent_record(
    signed_in: SignedIn, world: Any, handles: dict[str, str]
) -> None:
    response = signed_in("mine").get(f"/api/v1/dpv/{world.receipts['mine']}")
    assert response.mimetype == "application/ld+json"
    record = json.loads(response.data)
    vocabularies = record["@context"]
    assert record["@id"] == f"urn:uuid:{world.receipts['mine']}"
    assert {"dpv", "eu-gdpr", "dct"} <= set(vocabularies)
    assert all(
        address.startswith(("https://w3id.org/", "http://")) for address in vocabularies.values()
    )
    # TS 27560: the fields that a receipt must have; how to withdraw is one of them.
    for needed in (
        "@type",
        "dct:conformsTo",
        "dct:issued",
        "dpv:hasDataSubject",
        "dpv:hasDataController",
        "dpv:hasNotice",
        "dpv:hasProcess",
        "dpv:hasJurisdiction",
        "dpv:hasRight",
        "dpv:hasConsentControl",
    ):
        assert record[needed], needed
    assert _prefixes(record) <= set(vocabularies)
    assert handles["mine"] not in response.get_data(as_text=True)


def _prefixes(value: Any) -> set[str]:
    """The vocabularies used as keys: each must be in the context, or a reader drops the key."""
    if isinstance(value, list):
        return set().union(*map(_prefixes, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    own = {name.partition(":")[0] for name in value if not name.startswith("@")}
    inner = [_prefixes(one) for name, one in value.items() if name != "@context"]
    return own.union(*inner)


def test_the_hash_is_the_one_on_the_receipt(
    app: HubApp, signed_in: SignedIn, factory: SessionFactory, world: Any, settings: Any, clock: Any
) -> None:
    one = signed_in("mine").get(f"{CONSENTS}/{world.receipts['mine']}").get_json()
    (told,) = (e["valueString"] for e in one["extension"] if e["url"].endswith("receipt-sha256"))
    with factory() as session:
        document = receipt_document(
            session,
            session.get_one(Receipt, world.receipts["mine"]),
            signers=signers(settings, clock.now),
            base=settings.address.rstrip("/"),
        )
    assert told == document_sha256(document)


def test_the_conditions_of_use_of_a_study(browser: FlaskClient, signed_in: SignedIn) -> None:
    label = browser.get(f"/api/v1/studies/{OWN}/duo").get_json()
    assert {term["short"] for term in label["terms"]} >= {"DS", "IRB", "PS", "NCU", "GS"}
    assert "catharina" in label["sites"]
    assert browser.get("/api/v1/studies/nothing/duo").status_code == 404
    policy = browser.get(f"/api/v1/studies/{OWN}/odrl")
    assert policy.mimetype == "application/ld+json"
    made = json.loads(policy.data)
    assert made["uid"].endswith(f"/api/v1/studies/{OWN}/odrl")
    assert {rule["target"] for rule in (*made["permission"], *made["prohibition"])} == {
        made["uid"].removesuffix("/odrl")
    }
    assert browser.get("/api/v1/studies/nothing/odrl").status_code == 404
