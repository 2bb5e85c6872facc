"""How a study fills: screening counts by keyboard, the flow, the curve and the days of start-up."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from coordinated import STUDY, field, make_trial, rows_of, words_of
from flask.testing import FlaskClient

from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.base import new_id
from studies.events import announce
from studies.models import Study
from studies.participants.models import Participant
from studies.participants.numbers import set_arms
from studies.recruitment import accrual, consort, screening

SignedIn = Callable[..., FlaskClient]
HERE = f"/c/study/{STUDY}"
GOOD = {
    "screened": "20",
    "not_eligible.age": "4",
    "not_eligible.tumour": "1",
    "eligible": "15",
    "not_approached.missed": "3",
    "approached": "12",
    "declined.burden": "2",
    "deciding": "1",
    "consented": "9",
    "registered": "8",
}


@pytest.fixture
def coordinator(factory: SessionFactory, signed_in: SignedIn, clock: Any) -> FlaskClient:
    make_trial(factory, clock.now)
    client = signed_in("coordinator")
    client.set_cookie("language", "nl")
    return client


def test_counts_of_a_month_are_checked_and_kept(
    coordinator: FlaskClient, factory: SessionFactory, form_token: Any
) -> None:
    html = coordinator.get(f"{HERE}/screening").text
    # the first month that a hospital owes: it opened a hundred days ago
    assert (field(html, "hospital"), field(html, "month")) == ("laurentius", "2025-11")
    assert field(html, "version") == "0"
    assert len(re.findall(r'class="input input-count"', html)) == 6 + 9 + 7 + 8
    token = form_token(coordinator)

    def send(version: str = "0", **changes: str) -> Any:
        form = {**GOOD, **changes, "hospital": "laurentius", "month": "2025-11"}
        sent = {**form, "version": version, "csrf_token": token}
        return coordinator.post(f"{HERE}/screening", data=sent)

    for changes, at, why in (
        ({"screened": "21"}, "screened", "(20 ≠ 21)"),
        ({"approached": "11"}, "eligible", "(14 ≠ 15)"),
        ({"consented": "10"}, "approached", "(13 ≠ 12)"),
        ({"registered": "10"}, "registered", "meer ingeschreven"),
        ({"declined.burden": "-2"}, "declined-burden", "heel getal"),
        ({"screened": "veel"}, "screened", "heel getal"),
    ):
        answer = send(**changes)
        assert answer.status_code == 422, changes
        assert f'href="#{at}"' in answer.text
        assert f'id="{at}-error"' in answer.text
        assert why in words_of(answer.text)
        for name, value in changes.items():
            assert f'name="{name}" ' in answer.text
            assert f'value="{value}"' in answer.text, "what was typed stays"

    answer = send()
    assert answer.status_code == 303
    assert "month=2025-12" in answer.headers["Location"], "on to the next that is missing"
    html = coordinator.get(answer.headers["Location"].split("#")[0]).text
    assert "De aantallen van nov 2025 zijn opgeslagen." in words_of(html)
    rows = {row[0]: row[1:] for row in rows_of(html, "overview")}
    assert "8 / 20" in rows["Laurentius Ziekenhuis"]
    assert rows["Elkerliek Ziekenhuis"].count("ontbreekt") == 3
    # the same form again, with the version of before: somebody was first
    conflict = send(**{"screened": "22", "not_eligible.age": "6"})
    assert conflict.status_code == 409
    differs = re.search(r"Wat verschilt.*?</table>", conflict.text, re.DOTALL)
    assert differs
    assert words_of(differs[0]).endswith("Bekeken 20 22 Niet geschikt: Leeftijd 4 6")
    assert field(conflict.text, "version") == "1"
    assert send("1", **{"screened": "22", "not_eligible.age": "6"}).status_code == 303
    with factory() as session:
        kept = screening.versions(session, STUDY, "laurentius", "2025-11")
    assert [month.counts.screened for month in kept] == [20, 22]
    odd = coordinator.get(f"{HERE}/screening?hospital=nowhere&month=<b>").text
    assert "<b>" not in odd


def test_the_flow_is_the_sum_of_the_counts(
    coordinator: FlaskClient, factory: SessionFactory, clock: Any
) -> None:
    assert "Er is nog niemand bekeken" in words_of(coordinator.get(f"{HERE}/consort").text)
    with unit_of_work(factory, SYSTEM) as session:
        study = session.get_one(Study, STUDY)
        who: dict[str, Any] = {"actor": SYSTEM, "now": clock.now}
        for site, screened in (("elkerliek", 10), ("laurentius", 30)):
            counts = screening.Counts(
                screened=screened,
                not_eligible={"age": 4},
                eligible=screened - 4,
                approached=screened - 4,
                declined={"burden": 2},
                consented=screened - 6,
                registered=screened - 6,
            )
            screening.record(session, study, site, "2026-01", counts, **who)
        set_arms(session, study, [("a", "Arm A", "Arm A"), ("b", "Arm B", "Arm B")], actor=SYSTEM)
        consort.record_arm(
            session, study, "elkerliek", "a", consort.ArmCounts(14, 14, 1, 0, 13), **who
        )
    html = coordinator.get(f"{HERE}/consort").text
    boxes = {(row[0], row[1]): row[2] for row in rows_of(html, "boxes")}
    assert boxes["Bekeken", "–"] == "40"
    assert boxes["Ingeschreven of geloot", "–"] == "28"
    assert boxes["Niet geschikt", "samen"] == boxes["Niet geschikt", "Leeftijd"] == "8"
    assert rows_of(html, "arms")[0] == ["Arm A", "14", "14", "1", "0", "13"]
    assert "De armen zijn samen niet het aantal dat is ingeschreven." in words_of(html)
    drawn = re.findall(r'<svg[^>]*class="draw-(?:wide|phone)".*?</svg>', html, re.DOTALL)
    assert len(drawn) == 2
    assert all(">40</text>" in svg and ">28</text>" in svg for svg in drawn)
    one = rows_of(coordinator.get(f"{HERE}/consort?hospital=laurentius").text, "boxes")
    assert one[0][2] == "30"


def test_counts_per_arm_are_entered_for_one_hospital(
    coordinator: FlaskClient, factory: SessionFactory, form_token: Any
) -> None:
    with unit_of_work(factory, SYSTEM) as session:
        study = session.get_one(Study, STUDY)
        set_arms(session, study, [("a", "Arm A", "Arm A"), ("b", "Arm B", "Arm B")], actor=SYSTEM)
    assert "Kies een ziekenhuis" in words_of(coordinator.get(f"{HERE}/consort").text)
    html = coordinator.get(f"{HERE}/consort?hospital=elkerliek").text
    assert [field(html, f"{arm}.version") for arm in "ab"] == ["0", "0"]
    token = form_token(coordinator)

    def send(**form: str) -> Any:
        sent = {"hospital": "elkerliek", "a.version": "0", "csrf_token": token, **form}
        return coordinator.post(f"{HERE}/consort", data=sent)

    wrong = send(**{"a.allocated": "5", "a.received": "6", "b.lost": "x"})
    assert wrong.status_code == 422
    assert 'href="#a-allocated"' in wrong.text
    assert 'id="b-lost-error"' in wrong.text
    assert "meer de behandeling" in words_of(wrong.text)
    assert field(wrong.text, "a.received") == "6"
    answer = send(**{"a.allocated": "6", "a.received": "5", "a.analysed": "4"})
    assert answer.status_code == 303
    html = coordinator.get(answer.headers["Location"]).text
    assert rows_of(html, "arms") == [
        ["Arm A", "6", "5", "0", "0", "4"],
        ["Arm B", "0", "0", "0", "0", "0"],
    ]
    conflict = send(**{"a.allocated": "7"})
    assert conflict.status_code == 422
    assert "schreef intussen 6, 5, 0, 0, 4 op voor Arm A" in words_of(conflict.text)
    assert (field(conflict.text, "a.allocated"), field(conflict.text, "a.version")) == ("7", "1")
    assert send(**{"a.allocated": "7", "a.version": "1"}).status_code == 303
    assert send(hospital="nowhere", **{"a.allocated": "1"}).status_code == 404


def test_the_curve_stands_beside_the_plan(
    coordinator: FlaskClient, factory: SessionFactory, form_token: Any, clock: Any
) -> None:
    empty = words_of(coordinator.get(f"{HERE}/accrual").text)
    assert "Zonder plan is er geen verwachting." in empty
    token = form_token(coordinator)
    plan = {"begin": "2025-12-01", "end": "1-6-2026", "target": "40", "csrf_token": token}
    for changes, at in (
        ({"begin": ""}, "begin"),
        ({"end": "2025-11-30"}, "end"),
        ({"target": "nul"}, "target"),
        ({"target": "0"}, "target"),
    ):
        answer = coordinator.post(f"{HERE}/accrual", data={**plan, **changes})
        assert answer.status_code == 422
        assert f'id="{at}-error"' in answer.text
    assert coordinator.post(f"{HERE}/accrual", data=plan).status_code == 303
    with unit_of_work(factory, SYSTEM) as session:
        for n in range(12):
            at = clock.now - timedelta(days=85 - 7 * n)
            session.add(
                Participant(
                    id=new_id(),
                    study=STUDY,
                    pseudonym=f"HT-{n:03}",
                    site="elkerliek",
                    state="on-study",
                    since=at,
                    on_study=at,
                    credited="elkerliek",
                )
            )
        announce(session, actor=SYSTEM, action="participant.entered", about=f"study:{STUDY}")
    html = coordinator.get(f"{HERE}/accrual").text
    with factory() as session:
        found = accrual.accrual(session, session.get_one(Study, STUDY), clock.now)
    assert found.planned is not None
    words = words_of(html)
    assert f"12 van de 40 deelnemers. {round(found.planned) - 12} achter op het plan." in words
    assert "de kans is vier op vijf" in words
    per_site = {row[0]: row for row in rows_of(html, "sites")}
    assert per_site["Elkerliek Ziekenhuis"][2] == "12"
    assert sum(int(row[2]) for row in per_site.values()) == found.n
    months = rows_of(html, "months")
    assert sum(int(row[1]) for row in months) == int(months[-1][2]) == 12
    assert 'href="/c/study/hormone-therapy/accrual" aria-current="page"' in html


def test_start_up_shows_the_days_of_every_step(coordinator: FlaskClient) -> None:
    html = coordinator.get(f"{HERE}/start-up").text
    rows = {row[0].split(" ")[0]: row[1:] for row in rows_of(html, "days")}
    # invited 300, feasibility 250, approved 120, open 90 days ago
    assert rows["Elkerliek"] == ["50", "130", "–", "30", "210", "10"]
    assert rows["Catharina"][:3] == ["20", "30", "150 tot nu"]
    assert "Eerste ziekenhuis open 22 november 2025" in words_of(html)


def test_the_hospitals_of_a_study_stand_with_what_comes_next(coordinator: FlaskClient) -> None:
    html = coordinator.get(f"{HERE}/hospitals").text
    rows = {row[0]: row for row in rows_of(html, "list")}
    assert rows["Catharina Ziekenhuis"][3] == "VGO getekend raad van bestuur"
    assert rows["Elkerliek Ziekenhuis"][3] == "–"
    assert "trialbureau" in rows["Catharina Ziekenhuis"]
    assert "Doet mee 1 van 5" in words_of(html)
