"""The API over groups, agreements, announcements and finding: whose it is, once, and as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select

from registry import audit
from registry.database import SessionFactory
from studies.free_text import sha256_of
from studies.models import WorkingGroupMember
from studies.network.groups import find_group
from studies.network.models import Agreement

from .conftest import FOREIGN, OTHER_SITE, OWN, SITE

SignedIn = Callable[..., FlaskClient]
FormToken = Callable[[FlaskClient], str]
GROUPS = "/api/v1/networks/oncozon/groups"
BREAST = f"{GROUPS}/breast"
SAID = {"name_nl": "Mammacarcinoom", "name_en": "Breast cancer", "tumours": ["C50"], "expected": []}
NEWS = {
    "network": "oncozon",
    "title_nl": "Nieuws",
    "title_en": "News",
    "text_nl": "Er is nieuws.",
    "text_en": "There is news.",
}


def sender(signed_in: SignedIn, form_token: FormToken, who: str, **more: bool) -> Any:
    client = signed_in(who, **more)
    token = {"X-CSRFToken": form_token(client)}

    def send(path: str, body: Any = None, version: str | None = None, **headers: str) -> Any:
        method = client.put if version is not None or "/meetings/" in path else client.post
        seen = {"If-Match": version} if version else {}
        return method(path, json=body, headers=token | seen | headers)

    send.get = client.get  # type: ignore[attr-defined]
    return send


def test_a_group_is_made_described_and_called_otherwise_by_who_saw_it(
    signed_in: SignedIn, form_token: FormToken, browser: FlaskClient, factory: SessionFactory
) -> None:
    office = sender(signed_in, form_token, "administrator")
    key = {"Idempotency-Key": "a-group-of-mine"}
    made = office(GROUPS, {**SAID, "slug": "rare"}, **key)
    assert (made.status_code, made.headers["Location"]) == (201, f"{GROUPS}/rare")
    assert made.get_json()["version"] == 1
    assert office(GROUPS, {**SAID, "slug": "rare"}, **key).headers["Idempotency-Replayed"]
    assert office(GROUPS, {**SAID, "slug": "rare"}).get_json()["code"] == "name_taken"
    assert office(GROUPS, {**SAID, "slug": "r2", "tumours": ["x"]}).status_code == 409
    assert sender(signed_in, form_token, "chair")(GROUPS, {**SAID, "slug": "r3"}).status_code == 403

    seen = browser.get(BREAST)
    version, before = seen.headers["ETag"], seen.get_json()
    assert before["seats"]
    assert "person" not in str(before["seats"])
    now = office(BREAST, {**SAID, "tumours": ["C50", "D05"]}, version)
    assert (now.status_code, now.get_json()["name_nl"]) == (200, "Mammacarcinoom")
    assert now.headers["ETag"] != version
    late = office(BREAST, SAID, version)
    assert (late.status_code, late.get_json()["code"]) == (412, "changed_meanwhile")
    assert office(BREAST, SAID, '"x"').status_code == 412
    assert office(f"{GROUPS}/none", SAID, version).status_code == 404
    with factory() as session:
        group = find_group(session, "oncozon.breast")
        assert group is not None
        names = [each.name_nl for each in group.names]
        assert names == [before["name_nl"], "Mammacarcinoom"]

    # Seats: by name, added only when asked for, ended and then still readable.
    seats = f"{BREAST}/seats"
    sits = {"person": "Nel Nieuw", "discipline": "radiology", "site": SITE}
    assert office(seats, sits).status_code == 404
    held = office(seats, {**sits, "new": True, "since": "2026-02-01"})
    assert (held.status_code, held.get_json()["site"]) == (201, SITE)
    number = held.get_json()["id"]
    again = office(seats, {**sits, "discipline": "pathology", "role": "chair"})
    assert again.get_json()["role"] == "chair"
    assert office(f"{seats}/{number}/end", {"on": "2026-01-31"}).status_code == 422
    assert office(f"{seats}/{number}/end", {}).get_json()["until"].startswith("2026-03-02")
    assert office(f"{seats}/nobody/end", {}).status_code == 404
    with factory() as session:
        assert session.get(WorkingGroupMember, number) is not None


def test_a_chair_writes_the_log_and_the_agenda_of_their_own_group(
    signed_in: SignedIn, form_token: FormToken, world: Any, factory: SessionFactory
) -> None:
    chair = sender(signed_in, form_token, "chair")
    log = f"{BREAST}/decisions"
    said = {"text": "We doen mee.", "links": [{"kind": "study", "id": OWN}]}
    first = chair(log, said, **{"Idempotency-Key": "a-line-of-mine"})
    assert first.status_code == 201, first.get_json()
    number = first.get_json()["number"]
    assert chair(log, said, **{"Idempotency-Key": "a-line-of-mine"}).get_json()["number"] == number
    other = chair(log, {"text": "Toch niet.", "replaces": number})
    assert other.get_json()["replaces"] == number
    run = {"kind": "query", "id": world.runs[OWN]}
    assert chair(log, {"text": "En dit.", "links": [run]}).status_code == 201
    for links in ([{"kind": "study", "id": "nothing"}], [{"kind": "query", "id": OWN}]):
        assert chair(log, {"text": "Anders.", "links": links}).status_code == 404
    assert chair(log, {"text": "Patiënt 12345678"}).status_code == 422
    assert chair(f"{GROUPS}/lung/decisions", said).status_code == 404
    member = sender(signed_in, form_token, "group")
    assert member(log, said).status_code == 403
    numbers = [each["number"] for each in member.get(log).get_json()]
    assert numbers == sorted(numbers)
    assert numbers[-3:] == [number, number + 1, number + 2]
    assert signed_in("chair2").get(log).status_code == 404
    assert signed_in("observer").get(log).status_code == 403

    with factory() as session:
        told = [line for line in audit.lines(session) if line.action == "group.decided"]
        assert told[-1].facts["text_sha256"] == sha256_of("En dit.")

    day = f"{BREAST}/meetings/2026-03-09"
    planned = chair(day, {"agenda": ["Nieuwe studie"]})
    assert planned.get_json()["agenda"][-1] == "Nieuwe studie"
    assert chair(day, {"agenda": ["Anders"]}).get_json()["id"] == planned.get_json()["id"]
    assert chair(f"{BREAST}/meetings/soon", {"agenda": []}).status_code == 404
    lay = signed_in("representative").get(f"{BREAST}/meetings").get_json()
    assert "Anders" in lay[-1]["agenda"]


def test_agreements_are_added_by_the_office_and_signed_by_a_board_in_person(
    signed_in: SignedIn, form_token: FormToken, factory: SessionFactory
) -> None:
    office = sender(signed_in, form_token, "administrator")
    all_of = "/api/v1/networks/oncozon/agreements"
    new = {"kind": "queries", "version": "9", "title_nl": "Vragen", "title_en": "Questions"}
    made = office(all_of, {**new, "since": "2026-01-01"})
    assert made.status_code == 201, made.get_json()
    assert office(all_of, {**new, "since": "2026-01-01"}).status_code == 409
    number, mine = made.get_json()["id"], f"/api/v1/sites/{SITE}/agreements"
    board = sender(signed_in, form_token, "board")
    sign = {"act": "sign", "agreement": number}
    assert sender(signed_in, form_token, "board", fresh=False)(mine, sign).status_code == 403
    wrong = board(mine, {**sign, "sha256": "0" * 64})
    assert (wrong.status_code, wrong.get_json()["code"]) == (409, "document_altered")
    assert board(mine, sign).get_json()["site"] == SITE
    assert board(mine, sign).get_json()["code"] == "already_signed"
    assert board(f"/api/v1/sites/{OTHER_SITE}/agreements", sign).status_code == 404
    gone = board(mine, {**sign, "act": "withdraw"})
    assert gone.get_json()["withdrawn_at"]
    told = board.get(all_of)
    [found] = [each for each in told.get_json() if each["id"] == number]
    assert [each["site"] for each in found["signatures"]] == [SITE]
    again = board.get(all_of, headers={"If-None-Match": told.headers["ETag"]})
    assert again.status_code == 304
    assert board.get("/api/v1/networks/nothing/agreements").status_code == 404
    with factory() as session:
        assert session.scalars(select(Agreement.version).where(Agreement.id == number)).all()


def test_announcements_are_told_read_and_taken_back(
    signed_in: SignedIn, form_token: FormToken
) -> None:
    mine, theirs = (sender(signed_in, form_token, who) for who in ("coordinator", "coordinator2"))
    all_of = "/api/v1/announcements"
    told = mine(all_of, NEWS, **{"Idempotency-Key": "news-of-mine"})
    assert (told.status_code, told.get_json()["own"]) == (201, True)
    assert mine(all_of, NEWS, **{"Idempotency-Key": "news-of-mine"}).status_code == 201
    assert len(mine.get(all_of).get_json()) == 1
    assert mine(all_of, {**NEWS, "network": "nothing"}).status_code == 404
    assert mine(all_of, {**NEWS, "text_nl": "Bel 06 of 12345678"}).status_code == 422
    one = f"{all_of}/{told.get_json()['id']}"
    heard = theirs(f"{one}/mark", {"interest": True}).get_json()
    assert (heard["read"], heard["interest"], heard["own"]) == (True, True, False)
    assert theirs(f"{one}/withdrawal").status_code == 403
    assert mine(f"{one}/withdrawal").status_code == 204
    assert theirs(f"{one}/mark", {}).status_code == 404
    assert mine.get(all_of).get_json() == []
    assert sender(signed_in, form_token, "researcher")(all_of, NEWS).status_code == 403


def test_a_program_finds_the_nearest_open_study(browser: FlaskClient) -> None:
    def look(**wish: str) -> Any:
        return browser.get("/api/v1/open-studies", query_string=wish)

    [first, *_] = look(place="Eindhoven").get_json()
    assert (first["study"], first["open_at"][0]["site"]) == (OWN, "catharina")
    assert first["open_at"][0]["km"] == 0
    distances = [each["km"] for each in first["open_at"]]
    assert distances == sorted(distances)
    assert {each["study"] for each in look(tumour="C50.4").get_json()} == {OWN, FOREIGN}
    assert look(tumour="C34").get_json() == []
    page = look(limit="1")
    assert len(page.get_json()) == 1
    following = page.headers["Link"].removeprefix("<").partition(">")[0]
    assert browser.get(following).get_json()[0]["study"] != page.get_json()[0]["study"]
    for wrong, code in (({"place": "Nergens"}, "unknown_code"), ({"show": "x"}, None)):
        answer = look(**wrong)
        assert answer.status_code == 422
        assert code in (None, answer.get_json()["code"])
    assert look(tumour="lung").get_json()["code"] == "bad_tumour"
