"""Inviting many at once, and a spreadsheet of the past: nothing is written before the end."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from coordinated import ROADS, STUDY, field, make_trial, rows_of, with_file, words_of
from flask.testing import FlaskClient
from sqlalchemy import select

from registry import audit
from registry.app import HubApp
from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.events import announce
from studies.exchange import importing
from studies.hospitals import moving as site_moving
from studies.models import Institution, Participation, Study

SignedIn = Callable[..., FlaskClient]
HEAD = "studie;ziekenhuis;stand;datum;contact\n"
INVITE = f"/c/study/{STUDY}/invite"
FREE = {"maastricht-umc", "sjg-weert", "st-anna", "zuyderland", "maastro"}


@pytest.fixture
def coordinator(factory: SessionFactory, signed_in: SignedIn, clock: Any) -> FlaskClient:
    make_trial(factory, clock.now)
    client = signed_in("coordinator")
    client.set_cookie("language", "nl")
    return client


def parts(factory: SessionFactory) -> dict[str, Participation]:
    with factory() as session:
        found = session.scalars(select(Participation).where(Participation.study == STUDY))
        return {part.institution: part for part in found}


def test_all_hospitals_are_invited_in_two_steps(
    coordinator: FlaskClient, factory: SessionFactory, form_token: Any, clock: Any
) -> None:
    html = coordinator.get(INVITE).text
    assert all(f'name="hospital" value="{slug}" checked' in html for slug in FREE)
    assert not any(f'value="{slug}"' in html for slug in ROADS)
    assert "Tijdelijk gestopt sinds 20 feb 2026" in words_of(html)
    none = coordinator.get(f"{INVITE}/check")
    assert none.status_code == 422
    assert "Kies ten minste één ziekenhuis" in none.text

    with unit_of_work(factory, SYSTEM) as session:
        session.get_one(Institution, "st-anna").contact = "onderzoeksbureau"
        announce(session, actor=SYSTEM, action="institution.changed", about="x")
    chosen = ["st-anna", "maastro", "zuyderland", "catharina", "nowhere"]
    html = coordinator.get(f"{INVITE}/check", query_string={"hospital": chosen}).text
    assert "3 ziekenhuizen worden uitgenodigd" in words_of(html)
    assert field(html, "contact-st-anna") == "onderzoeksbureau"
    assert field(html, "due") == (clock.now.date() + timedelta(days=14)).isoformat()
    assert set(parts(factory)) == set(ROADS), "nothing is written yet"

    form = {"csrf_token": form_token(coordinator), "hospital": chosen[:3]}
    late = coordinator.post(INVITE, data={**form, "due": "2026-03-01"})
    assert late.status_code == 422
    somebody = coordinator.post(INVITE, data={**form, "contact-st-anna": "Patiënt 12345678"})
    assert somebody.status_code == 422
    assert 'href="#contact-st-anna"' in somebody.text
    with unit_of_work(factory, SYSTEM) as session:  # somebody else is quicker with one of them
        study = session.get_one(Study, STUDY)
        site_moving.invite(session, study, "maastro", actor=SYSTEM, now=clock.now)
    answer = coordinator.post(
        INVITE, data={**form, "due": "2026-03-20", "contact-st-anna": "Bureau"}
    )
    assert answer.status_code == 303
    page = words_of(coordinator.get(answer.headers["Location"]).text)
    assert "2 ziekenhuizen zijn uitgenodigd. 1 zat al in de studie" in page
    there = parts(factory)
    assert set(there) == {*ROADS, "st-anna", "zuyderland", "maastro"}
    assert (there["st-anna"].contact, there["st-anna"].answer_due) == ("Bureau", date(2026, 3, 20))
    assert there["maastro"].answer_due is None


def look(client: FlaskClient, token: str, body: bytes) -> Any:
    return client.post("/c/import", **with_file(body, csrf_token=token))


def test_a_file_is_shown_first_and_written_when_confirmed(
    coordinator: FlaskClient, factory: SessionFactory, form_token: Any, app: HubApp, clock: Any
) -> None:
    token = form_token(coordinator)
    assert "Neem een rekenblad over" in coordinator.get("/c/import").text
    text = (
        f"{STUDY};Zuyderland;Uitgenodigd;03-02-2025;bureau\n"
        f"{STUDY};Zuyderland;Haalbaarheid;17-02-2025;\n"
        f"{STUDY};Máxima Medisch Centrum;Haalbaarheid;1-3-2026;\n"
        f"{STUDY};St. Anna Ziekenhuis;Open;31-02-2026;\n"
        "other-study;Zuyderland;Open;01-01-2026;\n"
        "<script>;x;y;z\n"
        f"{STUDY};Maastro;Uitgenodigd;03-02-2025;patiënt 12345678\n"
    )
    answer = look(coordinator, token, (HEAD + text).encode("cp1252"))
    assert answer.status_code == 200
    html = answer.text
    words = words_of(html)
    assert "Windows-1252" in words
    assert [row[0] for row in rows_of(html, "problem-lines")] == ["5", "6", "7", "8"]
    assert "Noem een balie of een rol" in words
    assert "12345678" not in words
    assert "“31-02-2026” is geen datum" in words
    assert "Geen studie van u heet “other-study”" in words, "another coordinator’s"
    assert "<script>;" not in html
    shown = rows_of(html, "part-lines")
    assert [(row[1], row[2], row[5]) for row in shown] == [
        ("Zuyderland", "Haalbaarheid", "nieuw"),
        ("Máxima Medisch Centrum", "Haalbaarheid", "gaat verder"),
    ]
    assert set(parts(factory)) == set(ROADS), "nothing is written yet"

    kept = {"csrf_token": token, "kept": field(html, "kept")}
    folder = app.extensions["oncokring"].settings.data / "imports"
    (path,) = folder.glob("*.csv")
    assert path.stat().st_mode & 0o777 == 0o600
    for spoilt in ({"kept": "x"}, {"kept": kept["kept"][:-2] + "AA"}):
        refused = coordinator.post("/c/import/confirm", data={**kept, **spoilt})
        assert refused.status_code == 409
    # Somebody else brings the file further in the meantime: as many hospitals, fewer steps.
    with unit_of_work(factory, SYSTEM) as session:
        study = session.get_one(Study, STUDY)
        at = importing.moment_of(date(2025, 2, 3), clock.now)
        given = {"actor": SYSTEM, "now": clock.now}
        site_moving.take_over(session, study, {"zuyderland": [("invited", at)]}, **given)
    changed = coordinator.post("/c/import/confirm", data=kept)
    assert changed.status_code == 409
    assert "Er is iets veranderd" in words_of(changed.text)
    assert parts(factory)["zuyderland"].state == "invited"
    kept["kept"] = field(changed.text, "kept")
    done = coordinator.post("/c/import/confirm", data=kept)
    assert done.status_code == 303
    page = words_of(coordinator.get(done.headers["Location"]).text)
    assert "2 ziekenhuizen zijn overgenomen" in page
    there = parts(factory)
    assert [there[each].state for each in ("zuyderland", "maxima-mc")] == ["feasibility"] * 2
    assert "st-anna" not in there
    assert list(folder.glob("*.csv")) == []
    with factory() as session:
        last = list(audit.lines(session))[-1]
    assert (last.action, last.actor_name) == ("participation.taken_over", "Test coordinator")
    # once more does nothing
    again = look(coordinator, token, (HEAD + text).encode())
    assert "Er is niets op te schrijven" in words_of(again.text)


def test_what_one_sent_another_cannot_confirm_and_a_day_later_nobody(
    coordinator: FlaskClient,
    signed_in: SignedIn,
    form_token: Any,
    app: HubApp,
    factory: SessionFactory,
) -> None:
    token = form_token(coordinator)
    body = (HEAD + f"{STUDY};Zuyderland;Uitgenodigd;03-02-2025;\n").encode()
    html = look(coordinator, token, body).text
    kept = {"kept": field(html, "kept")}
    other = signed_in("coordinator2")
    stolen = other.post("/c/import/confirm", data={**kept, "csrf_token": form_token(other)})
    assert stolen.status_code == 409
    folder = app.extensions["oncokring"].settings.data / "imports"
    (path,) = folder.glob("*.csv")
    old = path.stat().st_mtime - 400 * 86_400
    os.utime(path, (old, old))
    look(coordinator, token, body.replace(b"Zuyderland", b"MAASTRO clinic"))
    assert not path.exists(), "a file that nobody confirmed is taken away"
    late = coordinator.post("/c/import/confirm", data={**kept, "csrf_token": token})
    assert late.status_code == 409
    assert set(parts(factory)) == set(ROADS)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "Kies een bestand"),
        (b"PK\x03\x04", "Dit is een werkmap"),
        (b"a\x00b", "Dit is geen tekstbestand"),
        (HEAD.encode() + b"a;\x81;c;d\n", "In regel 2 staan letters"),
        (b"naam;stand\n", "Er ontbreekt: study, hospital, date"),
        (b"studie;study;ziekenhuis;stand;datum\n", "staat er twee keer"),
        (HEAD.encode() + b'a;"b\n', "Vanaf regel 2"),
        (HEAD.encode() + b"a;b;c;d\n" * 100_001, "meer dan 100.000 regels"),
    ],
)
def test_a_broken_file_says_what_is_wrong(
    coordinator: FlaskClient, form_token: Any, body: bytes, said: str
) -> None:
    answer = look(coordinator, form_token(coordinator), body)
    assert answer.status_code == 422
    assert said in words_of(answer.text)
