"""The result page and the form of every kind of analysis, wide, on a phone and without script.

The answers are real ones of three small hospitals (tests/support/answers.py), or made up where they
are about hospitals by name; they are laid into a stored run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from answers import ASKED, BOOK, envelope, name_of
from made_answers import MADE
from playwright.sync_api import expect

from federation.query.terms import Terms
from federation.runs.models import Run

pytestmark = pytest.mark.browser

Visit = Seen = Callable[..., Any]
Place = Any
WIDTHS = (1280, 390)


@pytest.fixture
def lay(place: Place) -> Any:
    """`lay(query, outcome)`: the path of a result page with this answer; put back afterwards."""
    run_id = place.runs["count"]
    with place.running.network.factory() as session:
        run = session.get_one(Run, run_id)
        before = {"query": run.query, "outcome": run.outcome, "codebook": run.codebook}
        engine = session.get_bind()

    def write(**values: Any) -> None:
        # Past the services and their audit: this is no change that a person made.
        table = Run.__table__
        with engine.begin() as connection:
            connection.execute(table.update().where(table.c.id == run_id).values(**values))

    def put(query: dict[str, Any], outcome: dict[str, Any], codebook: Any = None) -> str:
        kept = {k: v for k, v in before["outcome"].items() if k not in ("result", "hidden")}
        write(
            query={**before["query"], **query},
            outcome={**kept, "hidden": [], "warnings": [], **outcome, **_origin(before)},
            codebook=codebook or before["codebook"],
        )
        return f"/r/query/{run_id}/result"

    yield put
    write(**before)


def _origin(before: dict[str, Any]) -> dict[str, Any]:
    return {"provenance": before["outcome"]["provenance"]}


@pytest.mark.parametrize("asked", ASKED, ids=name_of)
def test_result_pages(asked: dict[str, Any], lay: Any, visit: Visit, seen: Seen) -> None:
    query = {"analysis": asked, "title": f"Vraag van de soort {asked['kind']}"}
    made = envelope(asked, Terms.strict())
    drawn = asked.get("formula") is not None or asked["kind"] != "standardise"
    path = lay(query, made, BOOK.to_dict())
    page = visit(path, who="researcher", width=WIDTHS[0])
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        expect(page.locator(".finding")).not_to_be_empty()
        expect(page.locator("table caption").first).to_be_visible()
        expect(page.locator("figure svg:visible")).to_have_count(int(drawn))
        seen(page, f"result-{name_of(asked)}-{width}", with_axe=width == WIDTHS[0])


def test_a_result_in_english_without_script(lay: Any, visit: Visit, seen: Seen) -> None:
    asked = next(a for a in ASKED if a["kind"] == "mixed")
    path = lay({"analysis": asked}, envelope(asked, Terms.strict()), BOOK.to_dict())
    page = visit(path, who="researcher", language="en", javascript=False)
    expect(page.locator(".finding")).to_contain_text("lies between hospitals")
    seen(page, "result-english")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", MADE)
def test_answers_about_hospitals(name: str, width: int, lay: Any, visit: Visit, seen: Seen) -> None:
    query, outcome, drawn = MADE[name]
    page = visit(lay(query, {"analysis": "standardise", **outcome}), who="researcher", width=width)
    expect(page.locator(".finding")).not_to_be_empty()
    expect(page.locator("figure svg:visible")).to_have_count(int(drawn))
    seen(page, f"result-{name}-{width}")


@pytest.mark.parametrize("kind", sorted({asked["kind"] for asked in ASKED}))
def test_the_form_of_each_kind(kind: str, visit: Visit, seen: Seen) -> None:
    page = visit(
        f"/r/query/new?study=hormone-therapy&kind={kind}",
        who="researcher",
        width=390,
        javascript=False,
    )
    expect(page.locator(f'input[name="kind"][value="{kind}"]')).to_be_checked()
    expect(page.locator('[id^="param-"]').first).to_be_attached()
    seen(page, f"form-{kind}")
