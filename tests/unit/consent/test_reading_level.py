"""Every Dutch text that a patient of this product reads can be read by most people (B1)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.extract import extract
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

import registry
from consent.errors import CODES
from consent.items import GROUPS, ITEMS
from consent.reading_level import (
    AIM_WORDS,
    FORBIDDEN,
    MOST_WORDS,
    measure,
    sentences,
    too_hard,
    words_of,
)
from registry.receipts.words import HOLDS, WHY
from studies.seeds.oncozon import ONCOZON

HOME = Path(registry.__file__).parent
PATIENT_PAGES = ("patient*", "door*", "linking*", "receipt*", "verify*")
#: Refusals that only staff, commands and machines meet.
FOR_STAFF = (
    "snapshot_",
    "ack_",
    "clock_",
    "consent_state",
    "unknown_site",
    "invitation_",
    "text_",
    "draft_",
    "own_draft",
    "change_class",
    "log_",
    "proof_not",
    "alarm_",
    "head_",
    "two_people",
    "study_not_ended",
    "keeping_",
    "message_",
    "route_",
    "destroy_",
    "order_",
    "party_",
)
LONG = "Wij " + "en " * 17 + "gaan."


def test_sentences_are_found() -> None:
    assert sentences("Zegt u nee? Dan verandert er niets.  Uw arts blijft.") == [
        "Zegt u nee?",
        "Dan verandert er niets.",
        "Uw arts blijft.",
    ]
    assert sentences("Neem bijv. een appel. ‘Goed.’ Klaar") == [
        "Neem bijv. een appel.",
        "‘Goed.",
        "Klaar",
    ]
    assert sentences("Bel %(name)s: <strong>nu</strong>") == ["Bel Naam: nu"]
    assert sentences(" ") == []


def test_what_is_too_hard_is_said() -> None:
    assert measure(["U mag stoppen."]).fits
    assert too_hard([LONG]) == [f"19 words: {LONG}"]
    assert too_hard(["Wij doen dit conform de regels, met je gegevens."]) == [
        "9 words, conform, je: Wij doen dit conform de regels, met je gegevens."
    ]
    # Half of a longer word is not that word, and a formal complaint may be handed in.
    assert too_hard(["U kunt een klacht indienen.", "Alle bestanddelen tellen."]) == []
    assert not measure([f"{'een ' * 12}zin."] * 2).fits, "on average too long"
    # English has the lengths only.
    assert measure(["Data and cohorts."], "en").fits
    assert not measure([LONG], "en").fits


def test_the_worst_come_first() -> None:
    middle = "Deze zin is met opzet net iets langer dan twaalf woorden, meer niet."
    reading = measure(["Kort.", middle, LONG, "Wij middelen data."])
    assert [each.text for each in reading.worst] == ["Wij middelen data.", LONG, middle]
    assert (reading.longest, len(reading.sentences)) == (19, 4)
    assert measure([]).average == 0


@pytest.mark.parametrize("word", FORBIDDEN)
def test_each_hard_word_is_found(word: str) -> None:
    assert not measure([f"Wij gaan {word} verder."]).fits


def catalogue() -> list[str]:
    words = [text for item in ITEMS.values() for text in (item.label_nl, item.text_nl)]
    return [*words, *(group.label_nl for group in GROUPS.values())]


def seeds() -> list[str]:
    return [
        text
        for study in ONCOZON.studies
        for text in (*words_of(study.text["nl"]), study.question_nl, study.purpose_nl)
    ]


def messages() -> Iterator[str]:
    """The English texts of the pages for patients, which are the keys of the Dutch ones."""
    for pattern in PATIENT_PAGES:
        for path in (HOME / "pages").glob(f"{pattern}.py"):
            with path.open("rb") as source:
                for _line, found, _comments, _context in extract("python", source, {"_": None}):
                    yield str(found)
        for path in (HOME / "templates").glob(f"{pattern}/**/*.html"):
            with path.open("rb") as source:
                for _line, _call, found, _c in babel_extract(source, ["_", "ngettext"], [], {}):
                    yield str(found[0] if isinstance(found, tuple) else found)


def refusals() -> Iterator[str]:
    """What a patient reads when something is not possible, or does not fit."""
    for code, sentence in CODES.items():
        if not code.startswith(FOR_STAFF):
            yield sentence
    yield from (*HOLDS.values(), *WHY.values())


def pages() -> list[str]:
    with (HOME / "translations" / "nl.po").open("rb") as source:
        dutch = read_po(source, locale="nl")
    texts: list[str] = []
    for message in sorted({*messages(), *refusals()}):
        there = dutch.get(message)
        if there is not None:
            texts += there.string if isinstance(there.string, tuple | list) else [there.string]
    assert len(texts) > 50, "the pages for patients were not found"
    return [text for text in texts if text]


@pytest.mark.parametrize("which", [catalogue, seeds, pages])
def test_every_shipped_text_can_be_read(which: object) -> None:
    assert callable(which)
    texts: list[str] = which()
    reading = measure(texts)
    print(f"{len(reading.sentences)} sentences, {reading.average:.1f} words on average")
    for sentence in reading.worst:
        print(f"  {sentence.words:2} {' '.join(sentence.hard)} {sentence.text}")
    assert too_hard(texts) == [], f"at most {MOST_WORDS} words, and no hard words"
    assert reading.average <= AIM_WORDS
