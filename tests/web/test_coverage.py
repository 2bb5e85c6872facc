"""What the hospitals have filled, on the pages of those who ask, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient

from federation.query.codebook import Codebook
from federation.runs.coverage import keep_coverage
from registry.database import SessionFactory
from studies.models import Study

STUDY, OTHER = "hormone-therapy", "other-study"
SITE = "catharina"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SignedIn = Callable[..., FlaskClient]


@pytest.fixture
def told(factory: SessionFactory) -> None:
    """One hospital has said what it has; it lacks the grade and has few ages."""
    with factory() as session:
        codebook = Codebook.from_dict(session.get_one(Study, STUDY).codebook)
        levels = {**dict.fromkeys(codebook.variables, "over_90"), "grade": "absent", "age": "none"}
        claim = {
            "codebook_sha256": codebook.sha256,
            "as_of": "2026-03-01",
            "variables": levels,
            "rules": {},
        }
        keep_coverage(session, SITE, {STUDY: claim}, NOW)
        session.commit()


def page(client: FlaskClient, address: str, language: str = "en") -> str:
    client.set_cookie("language", language)
    answer = client.get(address)
    assert answer.status_code == 200, answer.status_code
    return " ".join(answer.get_data(as_text=True).split())


@pytest.mark.usefixtures("told")
def test_the_form_shows_who_has_what_before_anybody_asks(signed_in: SignedIn) -> None:
    client = signed_in("researcher")
    shown = page(client, f"/r/query/new?study={STUDY}&kind=count")
    assert "1 of 10 hospitals has said how much of its data is filled." in shown
    assert "not here</span>" in shown
    assert "over 90%</span>" in shown
    assert "1 March 2026" in shown
    dutch = page(client, f"/r/query/new?study={STUDY}&kind=count", "nl")
    assert "1 van de 10 ziekenhuizen heeft gemeld" in dutch
    assert "niet hier</span>" in dutch


@pytest.mark.usefixtures("told")
def test_the_codebook_shows_it_to_those_who_work_on_the_study_only(
    signed_in: SignedIn, browser: FlaskClient
) -> None:
    address = f"/studies/{STUDY}/codebook"
    for name in ("researcher", "coordinator", "committee"):
        assert "What the hospitals have filled" in page(signed_in(name), address), name
    for name in ("researcher2", "steward", "auditor", "board"):
        assert "What the hospitals have filled" not in page(signed_in(name), address), name
    assert "What the hospitals have filled" not in page(browser, address)


@pytest.mark.usefixtures("told")
def test_the_check_of_a_question_names_the_hospitals_that_miss_something(
    signed_in: SignedIn, form_token: Callable[[FlaskClient], str]
) -> None:
    client = signed_in("researcher")
    client.set_cookie("language", "en")
    for by, lacking in (("grade", True), ("hormone", False)):
        query = {
            "version": 1,
            "study": STUDY,
            "codebook": "gbsg/1",
            "title": "Count",
            "purpose": "To count.",
            "analysis": {"kind": "count", "by": [by]},
        }
        fields = {"csrf_token": form_token(client), "study": STUDY, "json": json.dumps(query)}
        answer = client.post("/r/query/new/json", data=fields, follow_redirects=True)
        shown = " ".join(answer.get_data(as_text=True).split())
        assert "Can the hospitals answer it?" in shown
        assert ("misses something this question needs" in shown) == lacking
        assert shown.count("<tr>") == 2, by  # the head and the one variable of the question


@pytest.mark.usefixtures("told")
def test_programs_get_the_same(signed_in: SignedIn) -> None:
    found = signed_in("researcher").get(f"/api/v1/studies/{STUDY}/coverage").get_json()
    assert len(found) == 10
    (one,) = [each for each in found if each["variables"] is not None]
    assert (one["site"], one["as_of"]) == (SITE, "2026-03-01")
    assert (one["variables"]["grade"], one["rules"]) == ("absent", {})
    assert {each["as_of"] for each in found} == {None, "2026-03-01"}


def test_a_study_without_any_word_of_a_hospital_says_so(signed_in: SignedIn) -> None:
    shown = page(signed_in("researcher"), f"/r/query/new?study={STUDY}&kind=count")
    assert "0 of 10 hospitals have said" in shown
    assert "not told</span>" in shown
