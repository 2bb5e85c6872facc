"""Passkeys in Chromium with its virtual device: add one, come in, sign a choice, remove it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from consent import letters, passkeys
from consent import service as consent
from consent.models import ConsentEvent, Receipt, Subject
from consent.models_people import Passkey
from consent.proof import Statement, act_of
from registry.accounts.passkeys import enrolment_of
from registry.transaction import unit_of_work
from studies.actor import SYSTEM

pytestmark = pytest.mark.browser

Seen = Callable[..., Any]
STUDY, DIGITS = "hormone-therapy", "604117"


def letter_of(place: Any, site: str) -> letters.Letter:
    """A letter with digits for a patient of a hospital who has not answered yet."""
    made = letters.new_letter()
    with unit_of_work(place.running.network.factory, SYSTEM) as session:
        consent.invite(
            session,
            site=site,
            handle=made.secret.encode().ljust(20, b"0"),
            code_id=made.code_id,
            verifier=letters.verifier(made.code_id, made.secret),
            second_verifier=letters.second_verifier(made.code_id, made.secret, DIGITS),
            studies=[STUDY],
            language="nl",
            actor=SYSTEM,
            now=datetime.now(UTC),
        )
    return made


@pytest.fixture
def letter(place: Any) -> letters.Letter:
    return letter_of(place, "catharina")


@pytest.fixture
def phone(chromium: Browser, place: Any) -> Iterator[Page]:
    """A page at localhost (passkeys know names, not numbers) with a device that says yes."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, locale="nl-NL")
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    devices = context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    devices.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    yield page
    context.close()
    assert not complaints, complaints


def at(place: Any, path: str) -> str:
    return str(place.address.replace("127.0.0.1", "localhost") + path)


def test_a_passkey_from_the_letter_to_a_signed_choice(
    phone: Page, place: Any, letter: letters.Letter, seen: Seen
) -> None:
    phone.goto(at(place, f"/mijn#{letter.printed}"))  # as the letter's QR code opens it
    expect(phone.locator("#code")).to_have_value(letter.printed)
    assert "#" not in phone.url
    seen(phone, "inloggen")
    phone.click("text=Ga verder")
    expect(phone.locator("h1")).to_have_text("Vul uw zes cijfers in")
    seen(phone, "cijfers")
    phone.fill("#digits", DIGITS)
    phone.click("text=Ga verder")
    phone.wait_for_url("**/mijn/keuzes")

    phone.goto(at(place, "/mijn/inloggen"))
    seen(phone, "manieren")
    phone.click("[data-act]")
    expect(phone.locator("main")).to_contain_text("Passkey van")
    seen(phone, "manieren-met-passkey")

    phone.context.clear_cookies()
    phone.goto(at(place, "/mijn"))
    phone.click("[data-act]")
    phone.wait_for_url("**/mijn/keuzes")

    sign_everything(phone, place)
    seen(phone, "ondertekend")
    with place.running.network.factory() as session:
        check_proof(session)

    phone.goto(at(place, "/mijn/inloggen"))
    phone.click("form[action$='/weg'] button")
    expect(phone.locator("main")).not_to_contain_text("Passkey van")


def sign_everything(phone: Page, place: Any) -> None:
    """Answer yes to all of the study's questions and sign them: the letter is not at hand."""
    answer_yes(phone, place)
    expect(phone.locator("#letter")).to_be_visible()  # the other way, always there
    phone.click("[data-passkey-sign] [data-act]")
    phone.wait_for_url(re.compile("/klaar/|/bewijs/"))


def answer_yes(page: Page, place: Any) -> None:
    """Say yes to every question, up to the check page."""
    start = place.address if place.address in page.url else at(place, "")
    page.goto(f"{start}/mijn/{STUDY}/vraag/1")
    for _ in range(12):
        if "/controleer" in page.url:
            break
        for radio in page.locator('input[type="radio"][value="yes"]').all():
            radio.check()
        page.click("text=Ga verder")
        page.wait_for_load_state()


def check_proof(session: Any) -> None:
    """What was written down is what the passkey signed, checked as a hospital checks it."""
    key = session.scalars(select(Passkey)).one()
    subject = session.get_one(Subject, key.subject_id)
    events = session.scalars(
        select(ConsentEvent).where(
            ConsentEvent.subject_id == subject.id, ConsentEvent.kind == "granted"
        )
    ).all()
    assert events
    receipt = session.get_one(Receipt, events[0].receipt_id)
    statement = Statement(
        network=subject.network,
        site=subject.site,
        handle=subject.handle,
        party="self",
        study=STUDY,
        text_version=events[0].text_version,
        yes=tuple(sorted(event.item for event in events)),
        at=events[0].effective_at,
        act=act_of(receipt.form_key),
    )
    for event in events:
        assert event.login_level == "letter+second+passkey"
        assert passkeys.proves(statement, event.proof, enrolment_of(subject, key))


def test_without_scripts_the_letter_does_it_all(
    visit: Callable[..., Page], place: Any, letter: letters.Letter, seen: Seen
) -> None:
    page = visit("/mijn", javascript=False)
    expect(page.locator("[data-passkey]")).to_be_hidden()
    page.fill("#code", letter.printed)
    page.click("text=Ga verder")
    page.fill("#digits", DIGITS)
    page.click("text=Ga verder")
    page.wait_for_url("**/mijn/keuzes")
    page.goto(place.address + "/mijn/koppelen")
    page.click("text=Toon een code")
    expect(page.locator("strong.code")).to_have_text(re.compile(r"^[0-9A-Z]{5}-[0-9A-Z]{5}$"))
    page.fill("#link_code", "00000-00000")
    page.click("form[action$='/koppelen'] button")
    expect(page.locator("#link_code-error")).to_contain_text("werkt hier niet")
    seen(page, "koppelen-fout")
    page.click("text=Meer tijd")
    expect(page.locator("h1")).to_be_visible()


@pytest.mark.parametrize("path", ["inloggen", "koppelen", "zekerder", "ziekenhuis"])
def test_pages_of_the_door(
    visit: Callable[..., Page], place: Any, letter: letters.Letter, seen: Seen, path: str
) -> None:
    page = visit("/mijn", width=390)
    page.fill("#code", letter.printed)
    page.click("text=Ga verder")
    page.fill("#digits", DIGITS)
    page.click("text=Ga verder")
    page.wait_for_url("**/mijn/keuzes")
    for language in ("nl", "en"):
        page.context.add_cookies([{"name": "language", "value": language, "url": place.address}])
        page.goto(f"{place.address}/mijn/{path}")
        expect(page.locator("h1")).to_have_count(1)
        for width in (320, 390, 1280):
            page.set_viewport_size({"width": width, "height": 844})
            seen(page, f"deur-{path}-{language}-{width}", with_axe=width != 320)


def come_in(page: Page, letter: letters.Letter) -> None:
    page.fill("#code", letter.printed)
    page.click("text=Ga verder")
    page.fill("#digits", DIGITS)
    page.click("text=Ga verder")
    page.wait_for_url("**/mijn/keuzes")


def test_a_choice_is_taken_along_to_a_linked_hospital(
    visit: Callable[..., Page], place: Any, letter: letters.Letter, seen: Seen
) -> None:
    theirs = letter_of(place, "zuyderland")
    there, here = visit("/mijn"), visit("/mijn", width=390)
    come_in(there, theirs)
    come_in(here, letter)
    answer_yes(here, place)
    here.click("main button.button-large")
    here.wait_for_url(re.compile("/klaar/|/bewijs/"))
    there.goto(place.address + "/mijn/koppelen")
    there.click("text=Toon een code")
    code = there.inner_text("strong.code")
    here.goto(place.address + "/mijn/koppelen")
    here.fill("#link_code", code)
    here.click("form[action$='/koppelen'] button")
    here.click("text=Mijn keuze meenemen")
    seen(here, "meenemen")
    here.fill("#letter", theirs.printed)
    here.click("text=Dit daar ook vastleggen")
    expect(here.locator("main")).to_contain_text("Er is niets om mee te nemen")
    seen(here, "gekoppeld")
    there.goto(place.address + "/mijn/keuzes")
    expect(there.locator("main .tag").first).not_to_have_text("nog niet beantwoord")
