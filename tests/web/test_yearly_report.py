"""The yearly report: its numbers against the rows they come from, its files, who may read it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from consent.rounding import rounded
from registry.database import SessionFactory
from registry.pages.report import report_of
from registry.receipts import pdf
from registry.transaction import unit_of_work
from studies import service
from studies.actor import SYSTEM
from studies.errors import StudiesError
from studies.events import announce
from studies.models import Study
from studies.participants.models import Participant
from studies.recruitment import accrual
from studies.register.yearly import bounds, year_of_studies, years

from .conftest import FOREIGN, NOW, OTHER_SITE, OWN, SITE

SignedIn = Callable[..., FlaskClient]
PAGE = f"/report/oncozon/{NOW.year}"


def test_numbers_are_those_of_the_registry(factory: SessionFactory) -> None:
    with unit_of_work(factory, SYSTEM) as session:
        for number, (study, site, ago) in enumerate(
            ((OWN, SITE, 1), (OWN, OTHER_SITE, 2), (FOREIGN, OTHER_SITE, 400))
        ):
            on_study = NOW - timedelta(days=ago)
            session.add(
                Participant(
                    study=study,
                    pseudonym=f"X-{number}",
                    site=site,
                    state="on-study",
                    since=on_study,
                    on_study=on_study,
                    credited=site,
                )
            )
        announce(session, actor=SYSTEM, action="participant.entered", about=f"study:{OWN}")
    with factory() as session:
        year = year_of_studies(session, "oncozon", NOW.year, NOW)
        assert (year.running, year.opened, year.ended, year.participants) == (2, 2, 0, 2)
        assert not year.complete
        by_site = {line.slug: line for line in year.hospitals}
        assert by_site[SITE].participants == by_site[OTHER_SITE].participants == 1
        assert (by_site[SITE].running, by_site[OTHER_SITE].running) == (1, 2)
        # A study in two hospitals is one study of its group, and of the network.
        groups = {line.slug: line for line in year.groups}
        assert (groups["breast"].running, groups["breast"].participants) == (2, 2)
        found = accrual.accrual(session, session.get_one(Study, OWN), NOW)
        assert found.n == sum(line.participants for line in year.hospitals)
        before = year_of_studies(session, "oncozon", NOW.year - 1, NOW)
        assert (before.complete, before.running, before.participants) == (True, 0, 0)
        assert years(session, "oncozon", NOW) == [NOW.year]
        with pytest.raises(StudiesError, match="not_found"):
            bounds(NOW.year + 1, NOW)


def test_a_study_that_ended_is_counted_as_ended(factory: SessionFactory) -> None:
    next_year = NOW.replace(year=NOW.year + 1)
    with unit_of_work(factory, SYSTEM) as session:
        part = service.get_participation(session, FOREIGN, OTHER_SITE)
        service.move(session, part, "closed", actor=SYSTEM, now=next_year, reason="study_finished")
    with factory() as session:
        year = year_of_studies(session, "oncozon", NOW.year + 1, next_year + timedelta(days=1))
        assert (year.running, year.opened, year.ended) == (1, 0, 1)


def test_choices_are_rounded_and_never_of_this_week(factory: SessionFactory) -> None:
    assert [rounded(n) for n in (None, 0, 9, 10, 14, 15)] == [None, None, None, 10, 10, 20]
    with factory() as session:
        report = report_of(session, "oncozon", NOW.year, NOW)
    assert report.choices_until.astimezone(NOW.tzinfo) <= NOW
    assert (NOW - report.choices_until) < timedelta(days=7)
    assert report.choices.answered is None  # two patients


def test_participants_of_a_hospital_are_exact_only_for_who_coordinates(
    signed_in: SignedIn, factory: SessionFactory
) -> None:
    with unit_of_work(factory, SYSTEM) as session:
        for number in range(24):
            site = SITE if number < 3 else OTHER_SITE
            session.add(
                Participant(
                    study=OWN,
                    pseudonym=f"X-{number}",
                    site=site,
                    state="on-study",
                    since=NOW - timedelta(days=1),
                    on_study=NOW - timedelta(days=1),
                    credited=site,
                )
            )
        announce(session, actor=SYSTEM, action="participant.entered", about=f"study:{OWN}")
    places = {("network", "OncoZON"), ("hospital", SITE), ("hospital", OTHER_SITE)}
    for who, told in (
        ("coordinator", {"3", "21", "24"}),
        *((who, {"<10", "20"}) for who in ("board", "group", "chair", "committee", "auditor")),
    ):
        client = signed_in(who)
        data = client.get(f"{PAGE}.csv").data.decode("utf-8-sig")
        rows = [
            row
            for row in csv.DictReader(io.StringIO(data), delimiter=";")
            if row["number"] == "participants"
        ]
        assert {row["value"] for row in rows if (row["part"], row["of"]) in places} == told, who
        exact = {row["value"] for row in rows} & {"3", "21", "24"}
        assert bool(exact) == (who == "coordinator")
        page = client.get(PAGE).get_data(as_text=True)
        assert ("ziet de precieze aantallen" in page) == (who != "coordinator")
        assert (">21<" in page, ">24<" in page) == (who == "coordinator",) * 2


def test_page_and_files(signed_in: SignedIn, browser: FlaskClient) -> None:
    board = signed_in("board")
    page = board.get(PAGE).get_data(as_text=True)
    assert "Lopende studies" in page
    assert board.get("/report").status_code == 200
    assert board.get("/report/oncozon/1999").status_code == 404
    assert board.get("/report/nowhere/2026").status_code == 404
    table = board.get(f"{PAGE}.csv")
    rows = list(csv.DictReader(io.StringIO(table.data.decode("utf-8-sig")), delimiter=";"))
    told: dict[tuple[str, str, str], Any] = {
        (row["part"], row["of"], row["number"]): row["value"] for row in rows
    }
    assert told["network", "OncoZON", "running"] == "2"
    assert told["choices", "OncoZON", "answered"] == "<10"
    assert told["hospital", OTHER_SITE, "running"] == "2"
    if pdf.available():
        assert board.get(f"{PAGE}.pdf").data.startswith(b"%PDF-")
    else:
        assert board.get(f"{PAGE}.pdf").status_code == 404
    assert signed_in("researcher").get(PAGE).status_code == 403
    assert signed_in("observer").get(PAGE).status_code == 403
    assert browser.get(PAGE).status_code == 303
