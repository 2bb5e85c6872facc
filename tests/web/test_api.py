"""The JSON API: what it gives, what it takes, and that its document tells the truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from registry import audit
from registry.database import SessionFactory

SignedIn = Callable[..., FlaskClient]
FormToken = Callable[[FlaskClient], str]
OWN, FOREIGN = "hormone-therapy", "other-study"
QUERY = {
    "version": 1,
    "study": OWN,
    "title": "Another count",
    "purpose": "To see how many people there are.",
    "codebook": "gbsg/1",
    "sites": "all",
    "cohort": {"all": [{"var": "age", "op": ">=", "value": 40}]},
    "analysis": {"kind": "count", "by": ["grade"]},
    "output": "pooled",
}


def post(
    client: FlaskClient, path: str, form_token: FormToken, body: Any = None, **more: str
) -> Any:
    return client.post(path, json=body, headers={"X-CSRFToken": form_token(client), **more})


def test_the_public_register_needs_no_account(browser: FlaskClient) -> None:
    studies = browser.get("/api/v1/studies").get_json()
    assert [study["slug"] for study in studies] == [OWN, FOREIGN]
    one = browser.get(f"/api/v1/studies/{OWN}").get_json()
    assert one == studies[0]
    assert {part["state"] for part in one["hospitals"]} == {"open"}
    codebook = browser.get(f"/api/v1/studies/{OWN}/codebook").get_json()
    assert codebook["codebook"] == one["codebook"] == "gbsg/1"
    sites = browser.get("/api/v1/sites").get_json()
    assert len(sites) == 10
    assert browser.get("/api/v1/schema").get_json()["type"] == "object"
    assert browser.get("/api/v1/studies/nothing").status_code == 404


def test_a_question_from_submission_to_decision(signed_in: SignedIn, form_token: FormToken) -> None:
    researcher, committee = signed_in("researcher"), signed_in("committee")
    made = post(researcher, "/api/v1/queries", form_token, QUERY)
    assert made.status_code == 201, made.get_json()
    address = made.headers["Location"]
    whole = researcher.get(address).get_json()
    assert whole["status"] == "submitted"
    assert whole["query"]["cohort"] == {"var": "age", "op": ">=", "value": 40}
    assert post(researcher, "/api/v1/queries", form_token, QUERY).get_json()["id"] == whole["id"]
    assert post(researcher, f"{address}/approve", form_token).status_code == 403
    done = post(committee, f"{address}/approve", form_token)
    assert done.status_code == 200
    assert done.get_json()["decided_by"] == "Test committee"
    assert post(committee, f"{address}/approve", form_token).status_code == 409
    listed = researcher.get("/api/v1/queries?status=approved").get_json()
    assert [row["id"] for row in listed] == [whole["id"]]
    waiting = researcher.get(f"{address}/result")
    assert waiting.status_code == 202
    assert waiting.get_json()["status"] == "approved"


def test_a_status_that_did_not_change_is_not_sent_again(signed_in: SignedIn, world: Any) -> None:
    client = signed_in("researcher")
    path = f"/api/v1/queries/{world.runs[OWN]}/status"
    first = client.get(path)
    assert first.get_json()["status"] == "submitted"
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304


def test_a_cancelled_question_says_so(
    signed_in: SignedIn, form_token: FormToken, world: Any
) -> None:
    client = signed_in("researcher")
    path = f"/api/v1/queries/{world.runs[OWN]}"
    assert post(client, f"{path}/cancel", form_token).get_json()["status"] == "cancelled"
    result = client.get(f"{path}/result")
    assert result.status_code == 200
    assert result.get_json()["status"] == "cancelled"


@pytest.mark.parametrize(
    ("change", "status", "code", "where"),
    [
        ({"colour": 1}, 422, "UNKNOWN_KEY", None),
        ({"analysis": {"kind": "cound"}}, 422, "UNKNOWN_KIND", "analysis.kind"),
        ({"study": FOREIGN}, 404, "NOT_FOUND", None),
        ({"study": "nothing"}, 404, "NOT_FOUND", None),
        ({"study": 3}, 422, "BAD_VALUE", "study"),
    ],
)
def test_a_wrong_question_is_explained(
    signed_in: SignedIn,
    form_token: FormToken,
    change: dict[str, Any],
    status: int,
    code: str,
    where: str | None,
) -> None:
    response = post(signed_in("researcher"), "/api/v1/queries", form_token, {**QUERY, **change})
    body = response.get_json()
    assert (response.status_code, body["code"], body.get("where")) == (status, code, where)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b'{"a": 1, "a": 2}', 400),
        (b'{"a": NaN}', 400),
        (b"\xff", 400),
        (b"[" * 100_000, 400),
        (b'{"a": "' + b"x" * 300_000 + b'"}', 413),
    ],
)
def test_hostile_json_is_refused(
    signed_in: SignedIn, form_token: FormToken, data: bytes, status: int
) -> None:
    client = signed_in("researcher")
    response = client.post(
        "/api/v1/queries",
        data=data,
        content_type="application/json",
        headers={"X-CSRFToken": form_token(client)},
    )
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"


def test_everybody_sees_their_own_questions_only(signed_in: SignedIn, world: Any) -> None:
    for name, runs in (
        ("researcher", [OWN]),
        ("researcher2", [FOREIGN]),
        ("committee", [OWN]),
        ("coordinator2", [FOREIGN]),
    ):
        listed = signed_in(name).get("/api/v1/queries").get_json()
        assert [row["id"] for row in listed] == [world.runs[run] for run in runs]


def test_a_patient_reads_changes_and_stops(
    signed_in: SignedIn, form_token: FormToken, factory: SessionFactory, world: Any
) -> None:
    client = signed_in("mine")
    (choices,) = client.get("/api/v1/me/choices").get_json()
    assert choices["study"] == OWN
    assert choices["counts"]
    answers = {item["item"]: "no" for item in choices["items"]}
    body = {"text_version": choices["text_version"], "answers": answers, "language": "nl"}
    path = f"/api/v1/me/studies/{OWN}/choices"
    key = {"Idempotency-Key": "form-0001"}
    first = post(client, path, form_token, body, **key)
    assert first.status_code == 200, first.get_json()
    again = post(client, path, form_token, body, **key)
    assert again.get_json()["receipt"] == first.get_json()["receipt"]
    assert post(client, path, form_token, body).status_code == 422
    other = {**body, "answers": dict.fromkeys(answers, "yes")}
    assert post(client, path, form_token, other, **key).status_code == 409
    assert not client.get("/api/v1/me/choices").get_json()[0]["counts"]
    stop = post(
        client,
        "/api/v1/me/withdrawals",
        form_token,
        {"study": None, "language": "nl"},
        **{"Idempotency-Key": "form-0002"},
    )
    assert stop.status_code == 200
    assert stop.get_json()["deliveries"][0]["site"] == "catharina"
    history = client.get("/api/v1/me/history").get_json()
    assert history[0]["kind"] == "withdrawn"
    receipt = client.get(f"/api/v1/me/receipts/{stop.get_json()['receipt']}")
    assert receipt.get_json()["document"]["act"] == "withdraw"
    with factory() as session:
        lines = [line for line in audit.lines(session) if line.actor_id == world.patients["mine"]]
    # Each reading and each act once; the repeated form is no second act.
    assert [line.action for line in lines if line.action != "consent.read"][-2:] == [
        "consent.recorded",
        "consent.withdrawn",
    ]
    assert sum(line.action == "consent.read" for line in lines) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"answers": {}},
        {"answers": {"use.record": "maybe"}},
        {"language": "de"},
        {"text_version": "short"},
        {"extra": 1},
    ],
)
def test_a_wrong_form_is_explained_field_by_field(
    signed_in: SignedIn, form_token: FormToken, change: dict[str, Any]
) -> None:
    client = signed_in("mine")
    body = {"text_version": "0" * 64, "answers": {"use.record": "no"}, "language": "nl", **change}
    response = post(
        client,
        f"/api/v1/me/studies/{OWN}/choices",
        form_token,
        body,
        **{"Idempotency-Key": "form-0003"},
    )
    assert response.status_code == 422
    assert next(iter(change)) in str(response.get_json()["errors"])


def test_no_role_but_the_patients_reaches_choices(signed_in: SignedIn) -> None:
    for role in ("administrator", "auditor", "steward", "board", "coordinator"):
        assert signed_in(role).get("/api/v1/me/choices").status_code == 403


def test_the_document_is_openapi_3_1_and_complete(app: Any, browser: FlaskClient) -> None:
    document = browser.get("/api/v1/openapi.json").get_json()
    assert document["openapi"] == "3.1.0"
    paths = {
        (route.rule.replace("<", "{").replace(">", "}"), method.lower())
        for route in app.url_map.iter_rules()
        if route.rule.startswith("/api/v1/") and not route.rule.endswith("openapi.json")
        for method in (route.methods or set()) - {"HEAD", "OPTIONS"}
    }
    told = {
        (path, method)
        for path, item in document["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert told == paths
    for path, method in told:
        assert document["paths"][path][method]["summary"], path
