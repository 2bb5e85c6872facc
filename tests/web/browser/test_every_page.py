"""Every page at both widths and in both languages: axe, no sideways scroll, large letters."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

STUDY = "hormone-therapy"
PUBLIC = (
    "/",
    "/studies",
    f"/studies/{STUDY}",
    f"/studies/{STUDY}/codebook",
    "/sign-in",
    "/privacy",
    "/accessibility",
    "/help",
    "/mijn",
)
SIGNED_IN = (
    ("researcher", "/r"),
    ("researcher", f"/r/query/new?study={STUDY}&kind=count"),
    ("researcher", f"/r/query/new?study={STUDY}&kind=describe"),
    ("researcher", f"/r/query/new?study={STUDY}&kind=survival"),
    ("researcher", f"/r/query/new?study={STUDY}&kind=cox"),
    ("researcher", f"/r/query/new/json?study={STUDY}"),
    ("researcher", "/r/query/{count}"),
    ("researcher", "/r/query/{count}/result"),
    ("researcher", "/r/query/{describe}/result"),
    ("researcher", "/r/query/{survival}/result"),
    ("researcher", "/r/query/{cox}/result"),
    ("committee", "/approvals"),
    ("committee", "/approvals/{count}"),
    ("committee", "/sign-in/confirm"),
    ("coordinator", "/c"),
    ("coordinator", f"/c/study/{STUDY}/hospitals"),
    ("auditor", "/audit"),
    ("auditor", "/audit?verify=1"),
)
PATIENT = (
    "/mijn/keuzes",
    f"/mijn/{STUDY}/uitleg",
    f"/mijn/{STUDY}/vraag/1",
    f"/mijn/{STUDY}/stoppen",
    "/mijn/stoppen",
    "/mijn/geschiedenis",
)


def look(page: Page, seen, width: int, language: str, name: str) -> None:
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.locator("h1")).to_have_count(1)
    seen(page, f"{name}-{language}-{width}")
    page.set_viewport_size({"width": 320, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320, page.url
    page.set_viewport_size({"width": width, "height": 900})


@pytest.mark.parametrize("language", ["nl", "en"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("path", PUBLIC)
def test_public_page(visit, seen, path: str, width: int, language: str) -> None:
    page = visit(path, width=width, language=language)
    look(page, seen, width, language, "public" + path.replace("/", "-"))


@pytest.mark.parametrize("language", ["nl", "en"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize(("who", "path"), SIGNED_IN)
def test_page_of_a_role(visit, place, seen, who: str, path: str, width: int, language: str) -> None:
    page = visit(path.format(**place.runs), who=who, width=width, language=language)
    name = path.split("{")[-1].replace("}", "") if "{" in path else path.split("=")[-1]
    look(page, seen, width, language, f"{who}-{name.strip('/').replace('/', '-')}")


@pytest.mark.parametrize("language", ["nl", "en"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_of_a_patient(patient, place, seen, width: int, language: str) -> None:
    page = patient("/mijn/keuzes", width=width, language=language, answer="yes")
    for path in PATIENT:
        page.goto(place.address + path)
        look(page, seen, width, language, "patient" + path.replace("/", "-"))
