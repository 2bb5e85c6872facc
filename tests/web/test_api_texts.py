"""Texts for patients and the auditor's reading by API: the same people, rules and refusals as on
the pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask.testing import FlaskClient

from consent import no_consent
from consent.alarms import raise_alarm
from federation.runs.models import Run
from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.events import announce
from studies.models import Network
from studies.seeds.oncozon import ONCOZON

from .conftest import FOREIGN, OWN, Clock

AT = f"/api/v1/studies/{OWN}"
TEXTS, ROUTES = f"{AT}/texts", f"{AT}/use-without-asking"
WHY = {"nl": "Er stond een fout in.", "en": "There was a mistake in it."}


class Caller:
    """One person's program: JSON, the form token, and a sign-in of just now."""

    def __init__(self, client: FlaskClient, token: str) -> None:
        self._client, self._headers = client, {"X-CSRFToken": token}

    def __call__(self, method: str, path: str, body: Any = None, **more: str) -> Any:
        headers = self._headers | {name.replace("_", "-"): value for name, value in more.items()}
        return self._client.open(path, method=method, json=body, headers=headers)


def test_a_text_from_draft_to_force_and_out_of_it(
    signed_in: Callable[..., FlaskClient],
    form_token: Callable[[FlaskClient], str],
    factory: SessionFactory,
    clock: Clock,
) -> None:
    def caller(who: str, *, fresh: bool = True) -> Caller:
        client = signed_in(who, fresh=fresh)
        return Caller(client, form_token(client))

    writer, anna, bas = caller("coordinator"), caller("committee"), caller("board")
    key = {"Idempotency_Key": "one-draft-of-mine"}
    made = writer("POST", f"{TEXTS}/drafts", {}, **key)
    assert made.status_code == 201
    assert writer("POST", f"{TEXTS}/drafts", {}, **key).headers["Idempotency-Replayed"] == "true"
    assert anna("POST", f"{TEXTS}/drafts", {}).status_code == 403
    draft = made.get_json()
    here = f"{TEXTS}/drafts/{draft['draft']}"
    content = {**draft["content"], "nl": {**draft["content"]["nl"], "title": "Hormonen"}}
    said = {"content": content, "change_class": "wider", "widened": ["use.network"]}
    assert writer("PUT", here, said).status_code == 428
    assert writer("PUT", here, said, If_Match=f'"{"0" * 64}"').status_code == 412
    one_language = {**content, "en": {**content["en"], "stop": []}}
    uneven = writer("PUT", here, {**said, "content": one_language}, If_Match=made.headers["ETag"])
    assert uneven.get_json()["code"] == "text_not_valid"
    odd = {**said, "ethics_reference": "METC\x00"}
    assert writer("PUT", here, odd, If_Match=made.headers["ETag"]).status_code == 422
    changed = writer("PUT", here, said, If_Match=made.headers["ETag"])
    assert (changed.status_code, changed.get_json()["content"]["nl"]["title"]) == (200, "Hormonen")
    assert changed.headers["ETag"] != made.headers["ETag"]

    judged = {"sha256": draft["sha256"], "judged_class": "wider"}
    assert anna("POST", f"{here}/approve", judged).get_json()["code"] == "draft_changed"
    judged["sha256"] = anna("GET", here).get_json()["sha256"]
    assert caller("committee", fresh=False)("POST", f"{here}/approve", judged).status_code == 403
    assert writer("POST", f"{here}/approve", judged).status_code == 403
    objected = anna("POST", f"{here}/approve", {**judged, "judged_class": "urgent"}).get_json()
    assert (len(objected["objected_by"]), objected["approved_by"]) == (1, [])
    assert writer("POST", f"{here}/publish", {}).get_json()["code"] == "draft_objected"
    for each in (anna, bas):
        assert each("POST", f"{here}/approve", judged).status_code == 200
    other = f"/api/v1/studies/{FOREIGN}/texts/drafts/{draft['draft']}"
    assert anna("GET", other).status_code == 404
    published = writer("POST", f"{here}/publish", {"begins": None})
    assert (published.status_code, published.get_json()["number"]) == (201, 2)
    assert writer("POST", f"{here}/publish", {}).get_json()["code"] == "draft_published"
    listed = bas("GET", TEXTS).get_json()
    assert [each["change_class"] for each in listed["versions"]] == ["first", "wider"]
    assert draft["draft"] not in [each["draft"] for each in listed["drafts"]]

    asked = bas("POST", f"{TEXTS}/2/suspensions", {"why": WHY})
    assert asked.status_code == 201
    at = f"{TEXTS}/2/suspensions/{asked.get_json()['id']}"
    assert bas("POST", at, {"suspends": True}).get_json()["code"] == "two_people_needed"
    assert anna("POST", at, {"suspends": True}).get_json()["suspends"] is True
    assert anna("GET", f"{TEXTS}/2/suspensions").get_json()[0]["why"] == WHY
    assert anna("GET", f"{TEXTS}/7/suspensions").status_code == 404
    assert bas("GET", TEXTS).get_json()["versions"][1]["suspended_at"] is not None

    until = (clock() + timedelta(days=300)).date().isoformat()
    route = {"ground": "a", "reason": "Vragen kan niet.", "reference": "METC-1", "until": until}
    assert anna("POST", ROUTES, route).get_json()["code"] == "route_not_allowed"
    with unit_of_work(factory, SYSTEM) as session:
        network = session.get_one(Network, ONCOZON.slug)
        no_consent.switch(session, network, on=True, actor=SYSTEM)
    proposed = anna("POST", ROUTES, route)
    assert (proposed.status_code, proposed.get_json()["state"]) == (201, "proposed")
    at = f"{ROUTES}/{proposed.get_json()['id']}"
    assert anna("POST", at, {"act": "decide"}).get_json()["code"] == "two_people_needed"
    assert bas("POST", at, {"act": "decide"}).get_json()["state"] == "decided"
    assert bas("POST", at, {"act": "end"}).get_json()["state"] == "ended"
    assert writer("GET", ROUTES).get_json()[0]["state"] == "ended"
    foreign = f"/api/v1/studies/{FOREIGN}/use-without-asking/{proposed.get_json()['id']}"
    assert anna("POST", foreign, {"act": "end"}).status_code == 404


def test_the_auditor_reads_checks_and_sees(
    signed_in: Callable[..., FlaskClient],
    form_token: Callable[[FlaskClient], str],
    factory: SessionFactory,
    world: Any,
) -> None:
    client = signed_in("auditor")
    auditor = Caller(client, form_token(client))
    first = auditor("GET", "/api/v1/audit/events?limit=2")
    lines = first.get_json()
    assert [each["seq"] for each in lines] == [1, 2]
    assert lines[1]["previous"] == lines[0]["hash"]
    assert 'rel="next"' in first.headers["Link"]
    assert "after=2" in first.headers["Link"]
    some = auditor("GET", "/api/v1/audit/events?action=consent.&limit=5").get_json()
    assert {each["action"].split(".")[0] for each in some} == {"consent"}

    whole = auditor("GET", "/api/v1/audit/verify").get_json()
    assert whole["holds"] is True
    assert whole["choices"][ONCOZON.slug]["holds"] is True
    known = f"{whole['audit']['seq']}:{whole['audit']['hash']}"
    assert auditor("GET", f"/api/v1/audit/verify?known={known}").get_json()["holds"] is True
    other = known[:-1] + ("0" if known[-1] != "0" else "1")
    broken = auditor("GET", f"/api/v1/audit/verify?known={other}").get_json()
    assert (broken["holds"], broken["audit"]["why"]) == (
        False,
        "log was rewritten since the known head",
    )

    said = {"catharina": {"log": None, "requires": ["use.network"], "software": "1", "said": "x"}}
    with factory() as session:
        number = world.runs[OWN]
        run = session.get_one(Run, number)
        run.state, run.finished_at = "complete", run.submitted_at
        run.outcome = {"result": {"n": 123}, "provenance": {"consent": said}}
        announce(session, actor=SYSTEM, action="run.finished", about=f"run:{number}", facts={})
        raise_alarm(
            session, ONCOZON.slug, "two_histories", {"sites": ["catharina"]}, run.submitted_at
        )
        session.commit()
    [proof] = auditor("GET", "/api/v1/audit/result-proofs").get_json()
    assert (proof["query"], proof["consent"]) == (number, said)
    assert "123" not in str(proof["consent"]) + str(proof["signatures"])
    assert auditor("GET", f"/api/v1/audit/result-proofs?after={number}").get_json() == []
    [alarm] = auditor("GET", "/api/v1/audit/alarms").get_json()
    assert auditor("GET", "/api/v1/audit/verify").get_json()["alarms"] == 1
    seen = auditor("POST", f"/api/v1/audit/alarms/{alarm['id']}/seen")
    assert seen.get_json()["seen_by"] is not None
    assert auditor("GET", "/api/v1/audit/verify").get_json()["alarms"] == 0
    last = auditor("GET", "/api/v1/audit/events?action=audit.read").get_json()
    assert {each["about"] for each in last} >= {"audit", "results", "alarms"}
