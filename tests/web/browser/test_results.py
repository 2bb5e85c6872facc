"""The result page of every kind of analysis: what it finds, draws and lists, wide and on a phone.

Most are asked of the demo's hospitals, under its real rules. Answers that the demo cannot give
(competing events, results per hospital) are laid into a stored run instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from federation.runs.models import Run
from registry.demo.questions import Question
from tests.web.browser import envelopes

pytestmark = pytest.mark.browser

Visit = Seen = Callable[..., Any]
Place = Any
OUTCOME = {"time": "rfs_days", "event": "relapse"}
ASKED: dict[str, dict[str, Any]] = {
    "histogram": {"variable": "age", "by": "hormone"},
    "compare": {"variable": "age", "by": "hormone"},
    "compare-levels": {"variable": "grade", "by": "hormone"},
    "regression": {"family": "binomial", "formula": "relapse ~ hormone + age + age^2 + grade"},
    "regression-number": {"family": "gaussian", "formula": "tumour_size ~ hormone + grade + nodes"},
    "regression-rate": {"family": "poisson", "formula": "relapse ~ grade", "offset": "rfs_days"},
    "mantel_haenszel": {"outcome": "relapse", "exposure": "hormone"},
    "mixed": {"formula": "tumour_size ~ hormone + grade + nodes"},
    "standardise": {"outcome": "relapse", "formula": "age + grade + nodes"},
}


@pytest.fixture(scope="module")
def answered(place: Place) -> dict[str, str]:
    """Run ids by name, each answered by the demo's hospitals."""
    ids = {}
    for name, params in ASKED.items():
        query = {
            "version": 1,
            "study": "hormone-therapy",
            "title": f"Vraag van de soort {name}",
            "purpose": "Om te zien of de bladzijde klopt.",
            "codebook": "gbsg/1",
            "sites": "all",
            "cohort": {},
            "analysis": {"kind": name.partition("-")[0], **params},
            "output": "pooled",
        }
        envelope, _seconds = place.running.ask(Question(name, query, lambda _rows, _result: {}))
        assert envelope["status"] == "complete", envelope
        ids[name] = envelope["id"]
    return ids


def laid_in(place: Place, run_id: str, query: dict[str, Any], outcome: dict[str, Any]) -> None:
    """Put a made-up answer in place of a stored one, past the services and their audit."""
    table = Run.__table__
    with place.running.network.factory() as session:
        run = session.get_one(Run, run_id)
        kept = {k: v for k, v in (run.outcome or {}).items() if k not in ("result", "hidden")}
        values = {
            "query": {**run.query, **query},
            "outcome": {**kept, "hidden": [], "warnings": [], **outcome},
        }
        engine = session.get_bind()
    with engine.begin() as connection:
        connection.execute(table.update().where(table.c.id == run_id).values(**values))


def look(page: Any, name: str, seen: Seen) -> None:
    expect(page.locator(".finding")).not_to_be_empty()
    expect(page.locator("table caption").first).to_be_visible()
    seen(page, f"result-{name}")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", ASKED)
def test_kinds(name: str, width: int, answered: dict[str, str], visit: Visit, seen: Seen) -> None:
    page = visit(f"/r/query/{answered[name]}/result", who="researcher", width=width)
    look(page, f"{name}-{width}", seen)
    expect(page.locator("figure svg:visible")).to_have_count(1)
    english = visit(
        f"/r/query/{answered[name]}/result",
        who="researcher",
        width=width,
        language="en",
        javascript=False,
    )
    look(english, f"{name}-{width}-en", seen)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", envelopes.MADE)
def test_answers_that_are_laid_in(
    name: str,
    width: int,
    answered: dict[str, str],
    place: Place,
    visit: Visit,
    seen: Seen,
) -> None:
    query, outcome, drawn = envelopes.MADE[name]
    run_id = answered["standardise"]
    laid_in(place, run_id, query, outcome)
    page = visit(f"/r/query/{run_id}/result", who="researcher", width=width)
    look(page, f"{name}-{width}", seen)
    expect(page.locator("figure svg:visible")).to_have_count(int(drawn))


@pytest.mark.parametrize("kind", sorted({name.partition("-")[0] for name in ASKED}))
def test_the_form_of_each_kind(kind: str, visit: Visit, seen: Seen) -> None:
    page = visit(f"/r/query/new?study=hormone-therapy&kind={kind}", who="researcher", width=390)
    expect(page.locator(f'input[name="kind"][value="{kind}"]')).to_be_checked()
    expect(page.locator('[id^="param-"]').first).to_be_attached()
    seen(page, f"form-{kind}")
