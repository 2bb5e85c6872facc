"""The study finder and the results library, as anybody reads them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from flask.testing import FlaskClient

from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.errors import StudiesError
from studies.events import announce
from studies.models import Study
from studies.network.places import find_place
from studies.register import results as library
from studies.register.finding import Wish, find_studies
from studies.register.results import Outcome

from .conftest import FOREIGN, NOW, OTHER_SITE, OWN, SITE

WRITTEN = Outcome(
    "Minder vaak terug",
    "Less often back",
    "De kanker kwam minder vaak terug.",
    "The cancer came back less often.",
    date(2026, 2, 1),
    "https://doi.org/10.1200/JCO.1994.12.10.2086",
)


def found(factory: SessionFactory, **wish: object) -> list[str]:
    with factory() as session:
        return [one.study.slug for one in find_studies(session, Wish(**wish), NOW)]  # type: ignore[arg-type]


def test_a_study_is_found_by_tumour_stage_hospital_and_place(
    browser: FlaskClient, factory: SessionFactory
) -> None:
    with unit_of_work(factory, SYSTEM) as session:
        session.get_one(Study, OWN).stages = ["nodes"]
        announce(session, actor=SYSTEM, action="study.described", about=f"study:{OWN}")
    assert set(found(factory)) == {OWN, FOREIGN}
    assert found(factory, group="oncozon.lung") == []
    # A study that names no stage is for any; one that names one only for that.
    assert set(found(factory, stage="nodes")) == {OWN, FOREIGN}
    assert found(factory, stage="spread") == [FOREIGN]
    assert found(factory, hospital=SITE) == [OWN]
    assert found(factory, show="closed") == []
    assert found(factory, words="lymfeklieren HORMOON")[0] == OWN
    with pytest.raises(StudiesError, match="unknown_code"):
        found(factory, stage="IV")
    # Heerlen is where the other study's one hospital is; from Eindhoven this one is nearer.
    assert found(factory, place=find_place("Eindhoven"))[0] == OWN
    near = browser.get("/studies?place=eindhoven&group=oncozon.breast&stage=nodes").get_data(True)
    assert "Catharina Ziekenhuis (0 km)" in near
    assert browser.get("/studies?place=Nergens").status_code == 200
    assert "error-summary" in browser.get("/studies?place=Nergens").get_data(True)
    odd = browser.get("/studies?group=x&stage=IV&hospital=%00&show=x&page=99999999999999999999999")
    assert odd.status_code == 200


def test_a_study_on_hold_is_not_offered(factory: SessionFactory) -> None:
    with unit_of_work(factory, SYSTEM) as session:
        study = session.get_one(Study, FOREIGN)
        for part in study.participations:
            part.state = "on_hold"
        announce(session, actor=SYSTEM, action="participation.on_hold", about=f"study:{FOREIGN}")
    assert found(factory, hospital=OTHER_SITE) == [OWN]
    assert FOREIGN in found(factory, hospital=OTHER_SITE, show="open")


def test_what_came_out_is_published_put_right_and_taken_back(
    browser: FlaskClient, factory: SessionFactory
) -> None:
    assert browser.get("/results").status_code == 200
    with unit_of_work(factory, SYSTEM) as session:
        study = session.get_one(Study, OWN)
        made = library.publish_result(session, study, WRITTEN, actor=SYSTEM, now=NOW)
        assert (made.number, made.doi) == (1, "10.1200/jco.1994.12.10.2086")
        for change, code in (
            ({"doi": "see our site"}, "bad_doi"),
            ({"text_nl": "  "}, "empty_text"),
            ({"published_on": NOW.date() + timedelta(days=1)}, "in_the_future"),
            ({"published_on": date(1, 1, 1)}, "too_long_ago"),
            ({"text_en": "Patient 12345678 did well."}, "points_at_somebody"),
            ({"title_en": "Born 03/04/1951"}, "points_at_somebody"),
            ({"text_nl": "Goed\x00 nieuws"}, "control_sign"),
        ):
            wrong = Outcome(**{**WRITTEN.__dict__, **change})
            with pytest.raises(StudiesError, match=code):
                library.publish_result(session, study, wrong, actor=SYSTEM, now=NOW)
        right = Outcome(**{**WRITTEN.__dict__, "title_nl": "Veel minder vaak terug", "doi": ""})
        same = {"actor": SYSTEM, "now": NOW}
        library.correct_result(session, made, right, expected=1, **same)  # type: ignore[arg-type]
        with pytest.raises(StudiesError, match="changed_meanwhile"):
            library.correct_result(session, made, right, expected=1, **same)  # type: ignore[arg-type]
    for path in ("/results", f"/studies/{OWN}"):
        page = browser.get(path).get_data(True)
        assert "Veel minder vaak terug" in page
        assert "doi.org" not in page
    with unit_of_work(factory, SYSTEM) as session:
        library.withdraw_result(session, library.get_result(session, OWN, 1), actor=SYSTEM, now=NOW)
    assert "Ingetrokken op" in browser.get("/results").get_data(True)


def test_a_coordinator_publishes_what_came_out(
    signed_in: Callable[..., FlaskClient], form_token: Callable[[FlaskClient], str]
) -> None:
    client = signed_in("coordinator")
    address = f"/c/study/{OWN}/results"
    token = {"csrf_token": form_token(client)}
    typed = {
        **token,
        "title_nl": "Minder vaak terug",
        "title_en": "Less often back",
        "text_nl": "De kanker kwam minder vaak terug.",
        "text_en": "The cancer came back less often.",
        "published_on": "01-02-2026",
    }
    wrong = client.post(address, data={**typed, "doi": "on our site", "text_en": " "})
    assert wrong.status_code == 422
    assert "Minder vaak terug" in wrong.get_data(True)  # nothing that was typed is lost
    wrong = client.post(address, data={**typed, "doi": "on our site"})
    assert (wrong.status_code, 'id="doi-error"' in wrong.get_data(True)) == (422, True)
    assert client.post(address, data=typed).status_code == 303
    assert "Less often back" in client.get(f"{address}/1").get_data(True)
    put_right = {**typed, "title_nl": "Veel minder vaak terug", "version": "1"}
    assert client.post(f"{address}/1", data=put_right).status_code == 303
    late = client.post(f"{address}/1", data=put_right)
    assert late.status_code == 422
    assert "error-summary" in late.get_data(True)
    assert "Veel minder vaak terug" in client.get(address).get_data(True)
    assert client.post(f"{address}/1/withdraw", data=token).status_code == 303
    assert client.post(f"/c/study/{FOREIGN}/results", data=typed).status_code == 404
