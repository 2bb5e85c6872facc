"""The grid, its list and its picture show what the database holds, and only to whose it is."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from io import BytesIO, StringIO
from typing import Any
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest
from coordinated import ROADS, STUDY, field, make_trial, rows_of, words_of
from flask.testing import FlaskClient
from sqlalchemy import select

from registry.database import SessionFactory
from registry.pictures.state_marks import phase
from studies.hospitals.pathway import BY_CODE
from studies.models import Participation

SignedIn = Callable[..., FlaskClient]


@pytest.fixture
def coordinator(factory: SessionFactory, signed_in: SignedIn, clock: Any) -> FlaskClient:
    make_trial(factory, clock.now)
    client = signed_in("coordinator")
    client.set_cookie("language", "nl")
    return client


def states(factory: SessionFactory, study: str) -> dict[str, str]:
    with factory() as session:
        found = session.execute(
            select(Participation.institution, Participation.state).where(
                Participation.study == study
            )
        )
        return {place: state for place, state in found}


def test_three_views_show_what_the_database_holds(
    coordinator: FlaskClient, factory: SessionFactory
) -> None:
    there = states(factory, STUDY)
    assert there == {place: road[-1][0] for place, road in ROADS.items()}
    html = coordinator.get("/c").text
    (row,) = rows_of(html, "grid")
    shown = Counter(BY_CODE[state].name_nl for state in there.values())
    for name, n in shown.items():
        assert sum(cell.startswith(name) for cell in row[1:]) == n, name
    assert "other-study" not in html, "another coordinator’s"
    local = next(cell for cell in row if cell.startswith("Lokale toetsing"))
    assert local == "Lokale toetsing 150 dagen → VGO getekend · raad van bestuur"
    assert next(cell for cell in row if cell.startswith("Open")) == "Open 90 dagen"
    assert html.count("<symbol") == 13

    lines = rows_of(coordinator.get("/c/list").text, "list")
    assert [line[3] for line in lines] == ["150", "90", "50", "30", "10"]
    assert sorted(line[2] for line in lines) == sorted(shown.elements())

    html = coordinator.get("/c/picture").text
    (counts,) = rows_of(html, "counts")
    phases = Counter(phase(state) for state in there.values())
    assert counts[1:] == [
        *(str(phases[kind]) for kind in ("open", "start", "hold", "ended", "declined")),
        str(len(there)),
    ]
    assert html.count("<svg") == 2 + 1 + html.count('class="mark-of"') + html.count("0 0 32 32")


def test_filters_and_orders_keep_what_was_chosen(coordinator: FlaskClient) -> None:
    html = coordinator.get("/c?state=on_hold&q=hormoon").text
    assert len(rows_of(html, "grid")) == 1
    assert "2 keuzes" in words_of(html)
    assert 'href="/c">Alles wissen' in html
    assert 'href="/c?q=hormoon"' in html, "take one choice away"
    html = coordinator.get("/c/list?state=on_hold&sort=hospital").text
    assert [line[2] for line in rows_of(html, "list")] == ["Tijdelijk gestopt"]
    assert 'aria-sort="ascending"' in html
    assert "order=down" in html
    assert "Geen studie past" in words_of(coordinator.get("/c?q=bestaat-niet").text)
    # what an address cannot mean is left out, without an error
    for odd in (
        "state=<b>",
        "page=-1",
        "page=99999999999999999999",
        "sort=x",
        "kind='",
        "group=%00",
    ):
        assert coordinator.get(f"/c?{odd}").status_code == 200, odd


def test_who_coordinates_nothing_sees_nothing(signed_in: SignedIn, browser: FlaskClient) -> None:
    assert signed_in("researcher").get("/c").status_code == 403
    assert browser.get("/c/list").status_code == 303
    other = signed_in("coordinator2").get("/c").text
    assert "/c/study/other-study/hospitals" in other
    assert f"/c/study/{STUDY}/hospitals" not in other


def test_downloads_hold_the_same_and_calculate_nothing(
    coordinator: FlaskClient, factory: SessionFactory
) -> None:
    with factory() as session:
        part = session.scalars(
            select(Participation).where(
                Participation.study == STUDY, Participation.institution == "catharina"
            )
        ).one()
        version = part.version
    html = coordinator.get(f"/c/study/{STUDY}/hospitals/catharina").text
    assert field(html, "expected") == str(version)
    answer = coordinator.get(f"/c/study/{STUDY}/download/steps.csv")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    lines = list(csv.reader(StringIO(answer.data.decode("utf-8-sig"), newline=""), delimiter=";"))
    assert lines[0] == ["studie", "ziekenhuis", "stand", "datum", "contact"]
    assert len(lines) == 1 + sum(len(road) for road in ROADS.values())
    for name in ("hospitals", "accrual", "screening"):
        assert coordinator.get(f"/c/study/{STUDY}/download/{name}.csv").status_code == 200

    book = coordinator.get(f"/c/study/{STUDY}/download/study.xlsx").data
    with ZipFile(BytesIO(book)) as archive:
        sheets = [name for name in archive.namelist() if "worksheets" in name]
        cells = ElementTree.fromstring(archive.read(sheets[0]))  # noqa: S314
    assert len(sheets) == 4
    assert "trialbureau" in "".join(cells.itertext())

    listed = coordinator.get("/c/download.csv?state=open").data.decode("utf-8-sig")
    assert listed.count("\r\n") == 2
    assert coordinator.get("/c/download.xlsx").data[:2] == b"PK"

    for version_of, kind in (("r5", "progressStatus"), ("r4", "ResearchStudy")):
        answer = coordinator.get(f"/c/study/{STUDY}/download/fhir-{version_of}.json")
        assert answer.mimetype == "application/fhir+json"
        bundle = json.loads(answer.data)
        assert bundle["resourceType"] == "Bundle"
        assert kind in answer.text
        assert all(e["resource"]["resourceType"] != "ResearchSubject" for e in bundle["entry"])
    page = words_of(coordinator.get(f"/c/study/{STUDY}/download").text)
    assert "FHIR R5" in page
    assert coordinator.get("/c/study/other-study/download/study.xlsx").status_code == 404
