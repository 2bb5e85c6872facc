"""A patient keeps a receipt and checks it on the public page: by file, without JavaScript, on a
phone; changed by one letter it does not hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from consent.models import Invitation, Receipt

pytestmark = pytest.mark.browser

Visit = Seen = Callable[..., Any]
Place = Any


def test_a_receipt_is_kept_and_checked(
    patient: Visit, visit: Visit, place: Place, seen: Seen, tmp_path: Path
) -> None:
    mine = patient("/mijn/geschiedenis", answer="yes", language="nl")
    with place.running.network.factory() as session:
        code = place.letter("yes").code[:6]
        subject = session.get_one(Invitation, code).subject_id
        wanted = select(Receipt.id).where(Receipt.subject_id == subject).limit(1)
        receipt = session.scalars(wanted).one()
    mine.goto(f"{place.address}/mijn/bewijs/{receipt}")
    expect(mine.locator("h1")).to_have_count(1)
    for width in (1280, 390):
        mine.set_viewport_size({"width": width, "height": 844})
        seen(mine, f"receipt-{width}")
    with mine.expect_download() as saved:
        mine.get_by_role("link", name="JSON").click()
    assert saved.value.suggested_filename.startswith("keuzes-")
    file = tmp_path / saved.value.suggested_filename
    saved.value.save_as(file)

    page = visit("/verify", language="en", width=390, javascript=False)
    page.set_input_files("#file", file)
    page.get_by_role("button", name="Check this receipt").click()
    expect(page.get_by_role("heading", name="This receipt is real and unchanged")).to_be_visible()
    file.write_text(file.read_text().replace('"language": "nl"', '"language": "en"', 1))
    page.set_input_files("#file", file)
    page.get_by_role("button", name="Check this receipt").click()
    expect(page.get_by_role("heading", name="This receipt does not hold")).to_be_visible()

    page = visit("/verify", language="nl", width=390)
    page.locator("#text").fill(file.read_text())
    page.get_by_role("button").filter(has_text="Dit bewijs controleren").click()
    for width in (1280, 390, 320):
        page.set_viewport_size({"width": width, "height": 844})
        seen(page, f"verify-{width}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
