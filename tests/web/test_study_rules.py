"""The study's page says which rules its answers obey."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from federation.query.terms import Terms
from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies.actor import SYSTEM
from studies.models import SiteNode, Study
from studies.service import choose_delivery, enrol_node, note_node, tighten_terms

PAGE = "/studies/hormone-therapy"


def test_the_defaults_while_no_hospital_has_said_its_own(browser: FlaskClient) -> None:
    text = browser.get(PAGE, headers={"Accept-Language": "en"}).text
    assert "Rules for every answer" in text or "Regels voor elk antwoord" in text
    assert '<strong class="num">10</strong>' in text


def test_the_strictest_of_hospitals_and_study(
    browser: FlaskClient, factory: SessionFactory, clock: Any
) -> None:
    with unit_of_work(factory, SYSTEM) as session:
        study = session.get_one(Study, "hormone-therapy")
        tighten_terms(session, study, {"t_cell": 23, "diff": {"replay_days": 365}}, actor=SYSTEM)
        choose_delivery(session, study, "sealed", result_key="A" * 43, actor=SYSTEM)
        node = session.get(SiteNode, "catharina") or enrol_node(
            session,
            institution="catharina",
            sign_pub="A" * 43,
            box_pub="A" * 43,
            engine="embedded",
            actor=SYSTEM,
            now=clock(),
        )
        terms = Terms.strict().to_dict()
        note_node(
            session,
            node,
            terms={**terms, "min_sites": 4, "group_share_max": 0.8},
            policy_sha256="0" * 64,
            software="",
            actor=SYSTEM,
            now=clock(),
        )
    text = browser.get(PAGE).text
    for value in ("23", "365", "4", "80%"):
        assert f'<strong class="num">{value}</strong>' in text
    assert "sealed" in text or "verzegeld" in text


@pytest.mark.parametrize("delivery", [None, "hub"])
def test_how_results_per_hospital_come(
    browser: FlaskClient, factory: SessionFactory, delivery: str | None
) -> None:
    with unit_of_work(factory, SYSTEM) as session:
        study = session.get_one(Study, "hormone-therapy")
        choose_delivery(session, study, delivery, benchmark="2026-17", actor=SYSTEM)
    text = browser.get(PAGE).text
    said = ("geen resultaten per", "no results per") if delivery is None else ("alleen aan", "only")
    assert any(words in text for words in said)
