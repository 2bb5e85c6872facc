"""Every text of the pages is there in Dutch, with the same gaps, and nothing is left over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po
from flask.testing import FlaskClient
from jinja2.ext import babel_extract

import registry
from consent.errors import CODES as CONSENT_CODES
from federation.rounds.errors import CODES as ROUND_CODES
from federation.runs.errors import CODES as RUN_CODES
from registry import errors, translate
from registry.accounts.errors import ACCOUNT_ERRORS
from registry.app import HubApp
from registry.forms.query_form import LABELS
from registry.pages.shell import NAVIGATION
from registry.pages.warning_words import FIXED, PATTERNS
from registry.receipts import words as receipt_words
from studies.errors import CODES as STUDY_CODES

HOME = Path(registry.__file__).parent
KEYWORDS = {"_": None, "translate_count": (1, 2), "ngettext": (1, 2)}
GAP = re.compile(r"%\((\w+)\)s")
# Units of the codebooks that come with the product; others are shown as they are.
UNITS = ("years", "months", "days", "nodes")
# Errors of commands and of machines, which no page of ours shows.
NOT_ON_PAGES = (
    "snapshot_",
    "ack_",
    "clock_",
    "consent_state",
    "unknown_site",
    "invitation_",
    "text_not_valid",
)

MessageId = str | tuple[str, str]


def in_code() -> Iterator[tuple[MessageId, str]]:
    for folder in ("pages", "forms"):
        for path in (HOME / folder).glob("*.py"):
            with path.open("rb") as source:
                for _line, found, _comments, _context in extract("python", source, KEYWORDS):
                    yield found, path.name


def in_templates() -> Iterator[tuple[MessageId, str]]:
    for path in (HOME / "templates").rglob("*.html"):
        with path.open("rb") as source:
            for _line, call, found, _comments in babel_extract(source, ["_", "ngettext"], [], {}):
                texts = tuple(t for t in found if t) if isinstance(found, tuple) else (found,)
                if texts and texts[0]:
                    yield (texts[:2] if call == "ngettext" else texts[0]), path.name  # type: ignore[misc]


def elsewhere() -> Iterator[tuple[MessageId, str]]:
    """Texts that reach a page through a variable."""
    fixed = [errors.CSRF_TEXT, errors.FRESH_TEXT, errors.AUDIT_TEXT, *errors.TEXTS.values()]
    for _code, what, todo in fixed:
        yield what, "errors.py"
        yield todo, "errors.py"
    for code in ("WRONG_SIGN_IN", "LOCKED"):
        for text in ACCOUNT_ERRORS[code]:
            yield text, "accounts"
    for text in (*RUN_CODES.values(), *ROUND_CODES.values()):
        yield text, "runs"
    for code, text in CONSENT_CODES.items():
        if not code.startswith(NOT_ON_PAGES):
            yield text, "consent"
    for text in STUDY_CODES.values():
        yield text, "studies"
    for _role, label, _endpoint in NAVIGATION:
        yield label, "navigation"
    for sentences in (receipt_words.NAMES, receipt_words.HOLDS, receipt_words.WHY):
        for text in sentences.values():
            yield text, "receipts"
    yield receipt_words.OTHERWISE, "receipts"
    for text in (*LABELS.values(), *UNITS, *FIXED, *PATTERNS.values()):
        yield text, "tables"


@pytest.fixture(scope="module")
def dutch() -> Catalog:
    with (HOME / "translations" / "nl.po").open("rb") as source:
        return read_po(source, locale="nl", abort_invalid=True)


@pytest.fixture(scope="module")
def used() -> dict[MessageId, str]:
    return {
        found: where
        for source in (in_code, in_templates, elsewhere)
        for found, where in source()
        if found
    }


def key(message: Message) -> MessageId:
    return tuple(message.id) if isinstance(message.id, tuple | list) else str(message.id)  # type: ignore[return-value]


def test_every_text_is_there_in_dutch(used: dict[MessageId, str], dutch: Catalog) -> None:
    there = {key(m) for m in dutch if m.id and m.string and not m.fuzzy}
    missing = {found: where for found, where in used.items() if found not in there}
    assert not missing


def test_nothing_is_left_over(used: dict[MessageId, str], dutch: Catalog) -> None:
    # Sentences of other packages may come and go without leaving the catalogue broken.
    known = set(used)
    assert {key(m) for m in dutch if m.id} - known == set()


def test_translations_fill_the_same_gaps(dutch: Catalog) -> None:
    for message in dutch:
        if not message.id:
            continue
        ids = message.id if isinstance(message.id, tuple | list) else [message.id]
        strings = message.string if isinstance(message.string, tuple | list) else [message.string]
        gaps = {gap for text in ids for gap in GAP.findall(text)}
        for text in strings:
            assert {*GAP.findall(text)} <= gaps, message.id
            assert gaps <= {*GAP.findall(text)} | {"num", "count"}, message.id


def test_no_text_speaks_to_patients_in_difficult_words() -> None:
    banned = ("pseudonimiseren", "verwerkingsverantwoordelijke", "retrospectief", "aggregaat")
    texts = (HOME / "translations" / "nl.po").read_text("utf-8").casefold()
    assert [word for word in banned if word in texts] == []


@pytest.mark.parametrize(
    ("cookie", "accept", "chosen"),
    [
        (None, [], "nl"),
        (None, ["de", "en-US"], "en"),
        (None, ["nl-BE", "en"], "nl"),
        ("en", ["nl"], "en"),
        ("xx", ["fr"], "nl"),
    ],
)
def test_the_language_is_the_readers(cookie: str | None, accept: list[str], chosen: str) -> None:
    assert translate.choose(cookie, accept) == chosen


def test_numbers_and_dates_are_written_as_the_reader_writes_them(app: HubApp) -> None:
    moment = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
    for language, written in (
        ("nl", ("1.234,5", "62,0%", "< 0,001", "2 juli 2026", "2 juli 2026, 00:30")),
        ("en", ("1,234.5", "62.0%", "< 0.001", "2 July 2026", "2 July 2026, 00:30")),
    ):
        with app.test_request_context(headers={"Cookie": f"language={language}"}):
            assert (
                translate.number(1234.5, 1),
                translate.percent(0.62),
                translate.p_value(0.0002),
                translate.day(moment),
                translate.moment(moment),
            ) == written
    assert translate.number(None) == "–"
    assert translate.number(-3) == "−3"


def test_the_button_keeps_the_page_and_sets_the_language(browser: FlaskClient, form_token) -> None:  # type: ignore[no-untyped-def]
    sent = {"language": "en", "next": "/studies?x=1", "csrf_token": form_token(browser)}
    answer = browser.post("/language", data=sent)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/studies?x=1")
    assert 'lang="en"' in browser.get("/studies").text
    for elsewhere_ in ("https://example.org/", "//example.org/", "/\\example.org"):
        answer = browser.post("/language", data={**sent, "next": elsewhere_})
        assert answer.headers["Location"] == "/"
