"""By program what the pages do after a release: notes, causes, help, another action; and the same
from the command line."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from shown_round import stored, whole
from sqlalchemy import select

from federation.rounds import following
from federation.rounds.errors import RoundError
from federation.rounds.events import happened
from federation.rounds.models import EvaluationRound, RoundAction, RoundNote
from registry.cli import cli
from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies.actor import SYSTEM, Actor
from studies.events import announce
from studies.network.groups import find_group

from .conftest import NOW

SignedIn = Callable[..., FlaskClient]
ID = whole().round.id


@pytest.fixture
def released(factory: SessionFactory) -> None:
    """The round of tests/support/shown_round.py, with some history."""
    with unit_of_work(factory, SYSTEM) as session:
        group = find_group(session, "oncozon.breast")
        assert group is not None
        session.add_all(stored(whole(), group_id=group.id, now=NOW))
        announce(session, actor=SYSTEM, action="round.planned", about="round:test")
        session.flush()
        row = session.get_one(EvaluationRound, ID)
        chair = Actor("user", "c1", frozenset(), "Petra")
        happened(session, row, "planned", chair, NOW, study=row.study)
        happened(session, row, "hospital_out", SYSTEM, NOW, site="maastro", state="left")
        happened(session, row, "released", SYSTEM, NOW)
        happened(session, row, "action_waits", SYSTEM, NOW, action="x", indicator="access_time")


@pytest.fixture
def act(signed_in: SignedIn, form_token: Callable[[FlaskClient], str]) -> Callable[..., Any]:
    """`act("chair", "notes", {...})`: a request of the API of the round."""

    def send(who: str, path: str, body: Any = None, method: str = "", **headers: str) -> Any:
        client = signed_in(who)
        made = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.open(
            f"/api/v1/rounds/{ID}/{path}",
            method=method or ("GET" if body is None else "POST"),
            json=body,
            headers={"X-CSRFToken": form_token(client), **made},
        )

    return send


@pytest.mark.usefixtures("released")
def test_notes_and_help_are_by_letter_and_only_of_who_may(
    act: Callable[..., Any], factory: SessionFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = {"text": "Twee artsen waren ziek.", "indicator": "access_time", "kind": "cause"}
    assert act("chair", "notes", note).status_code == 201
    for who, code in (("board", 403), ("researcher", 403), ("chair2", 404)):
        assert act(who, "notes", note).status_code == code, who
    help_ = {"kind": "help", "text": "Kom kijken", "indicator": "access_time"}
    # A board helps from its own hospital, which it knows by name, and nobody's letter is told.
    assert act("board", "notes", {**help_, "from_site": "H", "to_site": "A"}).status_code == 403
    named = act("board", "notes", {**help_, "from_site": "catharina", "to_site": "viecuri"})
    assert (named.status_code, named.get_json()["code"]) == (422, "NOT_OF_THIS_ROUND")
    given = act("board", "notes", {**help_, "from_site": "catharina", "to_site": "H"})
    assert (given.status_code, given.get_json()["to_site"]) == (201, "H")
    with factory() as session:
        kept = session.scalars(select(RoundNote).where(RoundNote.kind == "help")).one()
        assert (kept.from_site, kept.to_site) == ("catharina", "viecuri")
    assert act("representative", "notes").status_code in (403, 404)
    told = act("chair", "notes").get_json()
    assert sorted((each["kind"], each["from_site"], each["to_site"]) for each in told) == [
        ("cause", None, None),
        ("help", "C", "H"),
    ]

    # A cause is asked of the hospitals by the service that the page uses.
    asked: list[Any] = []

    def ask(session: Any, row: Any, **given: Any) -> Any:
        asked.append(given)
        if "sex" in given["variables"]:
            raise RoundError("NO_STRATA")
        return row

    monkeypatch.setattr(following, "ask_cause", ask)
    wish = {"indicator": "access_time", "variables": ["stage_group"],
            "release_at": "2029-01-01T08:00:00Z"}  # fmt: skip
    assert act("coordinator", "causes", wish).status_code == 201
    assert asked[0]["variables"] == ["stage_group"]
    refused = act("chair", "causes", {**wish, "variables": ["sex"]})
    assert (refused.status_code, refused.get_json()["code"]) == (422, "NO_STRATA")
    assert act("board", "causes", wish).status_code == 403


@pytest.mark.usefixtures("released")
def test_an_action_is_changed_by_who_saw_its_newest_version(act: Callable[..., Any]) -> None:
    given = {"text": "Extra spreekuur", "owner": "Manager", "due": "2027-06-01"}
    made = act("chair", "actions", {**given, "indicator": "access_time", "site": "H"}).get_json()
    here = f"actions/{made['id']}"
    assert act("chair", here, given, "PUT").status_code == 428
    later = {**given, "due": "2027-09-01"}
    changed = act("coordinator", here, later, "PUT", If_Match='"v1"')
    assert (changed.status_code, changed.get_json()["due"]) == (200, "2027-09-01")
    assert (changed.get_json()["site"], changed.headers["ETag"]) == ("H", '"v2"')
    assert act("chair", here, later, "PUT", If_Match='"v1"').status_code == 412
    assert act("board", here, later, "PUT", If_Match='"v2"').status_code == 403


@pytest.mark.usefixtures("released")
def test_the_page_says_what_happened_when_and_names_no_hospital(signed_in: SignedIn) -> None:
    page = signed_in("chair").get(f"/rounds/{ID}").text.split("Wat er wanneer gebeurde", 1)[1]
    for words in ("gepland", "Petra", "vrijgegeven aan iedereen", "opnieuw meten is uitgesteld"):
        assert words in page, words
    assert "maastro" not in page.lower()


@pytest.mark.usefixtures("released")
def test_what_if_moves_a_volume_and_never_a_hidden_one(signed_in: SignedIn) -> None:
    board = signed_in("board")
    here = f"/rounds/{ID}/volume"
    asked = board.get(f"{here}?from_site=A&to_site=D").text.split('id="what-if-table"', 1)[1]
    cells = re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", asked)
    rows = [cells[at : at + 4] for at in range(4, 4 + 4 * 9, 4)]
    assert rows[0] == ["Ziekenhuis A", "126", "0", "geen meer"]
    assert rows[3] == ["Ziekenhuis D", "84", "210", "gehaald, net als nu"]
    assert rows[2][1:3] == ["486", "486"]
    # J stopped taking part: it is no choice, and asking for it says what to do.
    assert (
        ">Ziekenhuis J<"
        not in board.get(here).text.split('id="what-from"', 1)[1].split("</form>")[0]
    )
    wrong = board.get(f"{here}?from_site=J&to_site=A").text
    assert 'id="what-if-table"' not in wrong
    assert 'class="error-text"' in wrong
    assert 'id="what-if"' not in board.get(f"/rounds/{ID}/access_time").text


@pytest.mark.usefixtures("released")
def test_the_region_is_exported_with_definitions_and_tells_no_letter(signed_in: SignedIn) -> None:
    found = signed_in("coordinator").get(f"/rounds/{ID}/export.json")
    made = found.get_json()
    assert made["snapshot_sha256"] == whole().sha256
    assert {row["level"] for row in made["rows"]} == {"region"}
    assert not any(row["hospitals_in"] for row in made["rows"])
    assert "viecuri" not in found.text.replace("VieCuri", "viecuri")
    sheet = signed_in("board").get(f"/rounds/{ID}/export.csv?without=catharina").text
    assert sheet.splitlines()[1].split(",")[0] == "access_time"
    assert signed_in("representative").get(f"/rounds/{ID}/export.csv").status_code in (403, 404)


@pytest.mark.usefixtures("released")
def test_figures_of_others_are_brought_in_whole_shown_and_taken_back(
    signed_in: SignedIn, form_token: Callable[[FlaskClient], str]
) -> None:
    coordinator, board = signed_in("coordinator"), signed_in("board")
    head = "indicator,region,first,last,n,observed\n"
    line = "mdo_before_treatment,Nederland,2025,2025,41230,39010\n"

    def bring(body: str, **changes: str) -> Any:
        form: dict[str, Any] = {
            "network": "oncozon",
            "source": "IKNL",
            "published": "01-02-2026",
            "csrf_token": form_token(coordinator),
            **changes,
        }
        file = (io.BytesIO(body.encode()), "figures.csv")
        return coordinator.post("/rounds/figures", data={**form, "file": file})

    wrong = bring(head + line.replace("41230", "1"))
    assert wrong.status_code == 422
    assert "line 2" in wrong.text
    assert "IKNL" in wrong.text, "what was typed is not lost"
    for missing, words in (
        ("source", "Zeg wie"),
        ("published", "Vul een dag"),
        ("network", "Kies"),
    ):
        assert words in bring(head + line, **{missing: ""}).text, missing
    assert bring(head + line, network="zuidwest").status_code == 422
    assert bring(head + line).status_code == 303
    page = coordinator.get("/rounds/figures").text
    assert "1 cijfer" in page
    assert board.get("/rounds/figures").status_code == 403

    [place] = re.findall(r"/rounds/figures/[0-9a-f-]{36}/withdraw", page)

    def take_back(reason: str) -> Any:
        form = {"reason": reason, "csrf_token": form_token(coordinator)}
        return coordinator.post(place, data=form)

    assert take_back(" ").status_code == 422
    assert take_back("Een typefout in regel 2").status_code == 303
    assert "Een typefout in regel 2" in coordinator.get("/rounds/figures").text
    assert take_back("Nog eens").status_code == 409


@pytest.mark.usefixtures("released")
def test_the_command_line_writes_down_and_reads_back(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONCOKRING_DATABASE", settings.database_url)

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(cli, ["round", *arguments])

    assert run("note", ID, "Ziekte", "--kind", "cause", "--indicator", "access_time").exit_code == 0
    assert run("note", ID, "Kom kijken", "--kind", "help").exit_code == 2
    help_ = ("--kind", "help", "--indicator", "access_time", "--from-site", "catharina")
    assert run("note", ID, "Kom kijken", *help_, "--to-site", "viecuri").exit_code == 0
    found = json.loads(run("notes", ID, "--json").output)
    assert [each["kind"] for each in found] == ["cause", "help"]
    assert "Kom kijken" in run("notes", ID).output
    refused = run("cause", ID, "access_time", "--by", "sex", "--release-at", "2029-01-01T08:00:00Z")
    assert refused.exit_code == 1
    kinds = [each["what"] for each in json.loads(run("history", ID, "--json").output)]
    assert kinds[:4] == ["planned", "hospital_out", "released", "action_waits"]
    assert "maastro" in run("history", ID).output


@pytest.mark.usefixtures("released")
def test_what_was_agreed_in_an_earlier_round_stands_at_no_letter_of_this_one(
    signed_in: SignedIn, factory: SessionFactory
) -> None:
    """Who knows the action knows whose it was, and would know that hospital's new letter."""
    before = "f0000000-0000-4000-8000-000000000001"

    def agreed(round_id: str, site: str | None, text: str) -> RoundAction:
        return RoundAction(
            round_id=round_id, indicator="access_time", site=site, text=text, owner="Petra",
            due=date(2025, 8, 1), created_at=NOW, created_by="c1",
        )  # fmt: skip

    with unit_of_work(factory, SYSTEM) as session:
        row = session.get_one(EvaluationRound, ID)
        session.add_all(stored(whole(), group_id=row.group_id, now=NOW, number=99, identity=before))
        announce(session, actor=SYSTEM, action="round.planned", about="round:test")
        session.flush()
        row.previous = before
        session.add_all(
            agreed(there, site, f"{site} {there[0]}")
            for there in (ID, before)
            for site in (None, "viecuri", "catharina")
        )
    assert ID[0] != before[0]
    chair, board = (
        signed_in(who).get(f"/rounds/{ID}/access_time").text for who in ("chair", "board")
    )
    for page in (chair, board):
        assert "None f" in page  # of all hospitals: nobody's letter
        assert f"viecuri {ID[0]}" in page
        assert "viecuri f" not in page
    assert "catharina f" in board  # the reader's own
    assert "catharina f" not in chair
