"""The file of a study by program: papers, versions, decisions, and the work at a hospital."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

from flask.testing import FlaskClient

from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.events import announce
from studies.models import Study

PDF = b"%PDF-1.7\n1 0 obj\nendobj\n%%EOF\n"


def test_the_same_by_api_with_versions_and_files(
    signed_in: Callable[..., FlaskClient],
    form_token: Callable[[FlaskClient], str],
    factory: SessionFactory,
) -> None:
    client = signed_in("coordinator")
    study = "/api/v1/studies/hormone-therapy"
    site = f"{study}/sites/catharina"
    headers = {"X-CSRFToken": form_token(client)}

    def post(path: str, status: int, **body: Any) -> Any:
        answer = client.post(path, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json

    paper = {"kind": "protocol", "name": "P", "version": "2", "valid_from": "2026-03-01"}
    assert post(f"{study}/documents", 422, pdf="not base64!", **paper)["code"] == "not_pdf"
    kept = post(f"{study}/documents", 201, pdf=b64encode(PDF).decode(), **paper)
    assert (kept["size"], kept["site"]) == (len(PDF), None)
    got = client.get(f"{study}/documents/{kept['id']}")
    assert (got.data, got.mimetype) == (PDF, "application/pdf")
    assert client.get(f"/api/v1/studies/other-study/documents/{kept['id']}").status_code == 404
    # A hospital's own papers are for who coordinates, not for who decides about data.
    papers = {**paper, "kind": "cv", "site": "catharina"}
    cv = post(f"{study}/documents", 201, pdf=b64encode(PDF).decode(), **papers)
    judge = signed_in("committee")
    for number, who, status in (
        (kept["id"], judge, 200),
        (cv["id"], judge, 404),
        (cv["id"], client, 200),
    ):
        assert who.get(f"{study}/documents/{number}").status_code == status
    days = {"in_force_from": "2026-03-02", "adopt_by": "2026-03-02"}
    version = post(
        f"{study}/versions", 201, kind="protocol", version="2", document_id=kept["id"], **days
    )
    decided = {"body": "nwmo", "reference": "W1", "decided_on": "2026-03-01"}
    yes = {**decided, "outcome": "conditions", "conditions": ["A reader"]}
    assert post(f"{study}/decisions", 422, **yes)["code"] == "letter_needed"
    paper |= {"kind": "decision"}
    letter = post(f"{study}/documents", 201, pdf=b64encode(PDF).decode(), **paper)["id"]
    post(f"{study}/decisions", 201, **yes, document_id=letter)
    mine = {**decided, "body": "data_access", "outcome": "positive"}
    assert post(f"{study}/decisions", 403, **mine)["code"] == "wrong_role"
    found = client.get(f"{study}/file").json
    assert found["standing"] == "recruiting"
    assert [each["conditions"] for each in found["decisions"]] == [["A reader"]]
    assert [each["version"] for each in found["versions"]] == ["2"]

    def work(status: int = 200, **body: Any) -> Any:
        return post(f"{site}/work", status, **body)

    assert work(428, act="confirm")["status"] == 428
    headers["If-Match"] = client.get(site).headers["ETag"]
    for body in ({"act": "milestone"}, {"act": "dance"}, {"act": "answer", "interest": None}):
        work(422, **body)
    day = "2026-03-02"
    for body in (
        {"act": "confirm"},
        {"act": "plan", "step": "closed", "day": day},
        {"act": "plan", "step": "closed", "day": None},
        {"act": "milestone", "kind": "green_light", "day": day},
        {"act": "meet_condition", "source": "committee", "number": 1, "day": day},
        {"act": "adopt", "version_id": version["id"], "day": day},
    ):
        card = work(**body)
        headers["If-Match"] = f'"v{card["version"]}"'
    # Neither a department nor a contract is on the road of a study with data that are there.
    asked = {"act": "ask_annex", "department": "data", "day": day}
    added = {"act": "add_condition", "words": "A fridge"}
    assert [work(422, **body)["code"] for body in (asked, added)] == ["unknown_step"] * 2
    card_page = client.get("/c/study/hormone-therapy/hospitals/catharina").text
    assert ("ask-annex" in card_page, "add-condition" in card_page) == (False, False)
    with unit_of_work(factory, SYSTEM) as session:
        session.get_one(Study, "hormone-therapy").kind = "nwmo"
        announce(session, actor=SYSTEM, action="study.described", about="study:hormone-therapy")
    took = {"act": "take_annex", "department": "data", "day": day, "outcome": "ok"}
    for body in (asked, took, added):
        headers["If-Match"] = f'"v{work(**body)["version"]}"'
    assert [each["pending"] for each in card["versions"]] == [False]
    # An open hospital does not answer its invitation again; an old version changes nothing.
    assert work(409, act="answer", interest=True)["code"] == "step_not_allowed"
    headers["If-Match"] = '"v1"'
    assert work(412, act="confirm")["code"] == "changed_meanwhile"
