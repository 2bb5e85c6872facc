"""What patients read: short Dutch sentences, no hard words, both languages alike."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from consent.errors import ConsentError
from consent.items import ITEMS
from consent.texts import check_content
from studies.seeds.hormone_therapy_text import CONTENT
from studies.seeds.oncozon import ONCOZON

MOST_WORDS = 18
FORBIDDEN = (
    "pseudonimi",
    "verwerkingsverantwoordelijke",
    "retrospectief",
    "aggrega",
    "cohort",
    "data-",
    "informed consent",
    "participeren",
    "geen bezwaar",
    "bedankt",
)


def words_in(part: Any) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict):
        for value in part.values():
            yield from words_in(value)
    else:
        for value in part:
            yield from words_in(value)


def sentences(part: Any) -> list[str]:
    return [
        sentence
        for text in words_in(part)
        for sentence in re.split(r"(?<=[.?!])\s+", text)
        if sentence
    ]


DUTCH = sentences(
    [
        CONTENT["nl"],
        [study.question_nl for study in ONCOZON.studies],
        [study.purpose_nl for study in ONCOZON.studies],
    ]
)


def test_dutch_sentences_are_short() -> None:
    long = [sentence for sentence in DUTCH if len(sentence.split()) > MOST_WORDS]
    assert not long
    assert sum(len(sentence.split()) for sentence in DUTCH) / len(DUTCH) <= 12


@pytest.mark.parametrize("word", FORBIDDEN)
def test_no_hard_words_in_dutch(word: str) -> None:
    assert not [sentence for sentence in DUTCH if word in sentence.lower()]


def test_the_reader_is_addressed_with_u() -> None:
    words = set(re.findall(r"\w+", " ".join(DUTCH).lower()))
    assert "u" in words
    assert not words & {"je", "jij", "jouw"}


def test_yes_and_no_weigh_the_same() -> None:
    for language in ("nl", "en"):
        answers = CONTENT[language]["answers"]
        yes, no = len(answers["yes"].split()), len(answers["no"].split())
        assert no - yes <= 1


def test_the_fixed_lines_stand_in_both_languages() -> None:
    assert "U mag altijd stoppen. U hoeft niet te zeggen waarom." in CONTENT["nl"]["stop"]
    assert "You can always stop. You do not have to say why." in CONTENT["en"]["stop"]
    story = sentences(CONTENT["nl"]["story"])
    assert "Zegt u nee?" in story
    assert "Dan verandert er niets aan uw behandeling." in story


def test_items_are_the_requirement_set_in_order() -> None:
    assert tuple(CONTENT["items"]) == ONCOZON.studies[0].requires
    assert all(item in ITEMS for item in CONTENT["items"])


def changed(**changes: Any) -> dict[str, Any]:
    return {**CONTENT, **changes}


def part(language: str, **changes: Any) -> dict[str, Any]:
    return {**CONTENT[language], **changes}


def test_the_text_is_well_formed() -> None:
    check_content(CONTENT)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no English": ({key: CONTENT[key] for key in ("items", "nl")}, "text_not_valid"),
    "no items": (changed(items=[]), "requirement_set_empty"),
    "items not a list": (changed(items="use.record"), "text_not_valid"),
    "unknown item": (changed(items=["use.all"]), "unknown_item"),
    "parent not asked": (changed(items=["use.network"]), "text_not_valid"),
    "not a part": (changed(nl="tekst"), "text_not_valid"),
    "part without stop": (
        changed(nl={key: value for key, value in CONTENT["nl"].items() if key != "stop"}),
        "text_not_valid",
    ),
    "question missing": (changed(nl=part("nl", questions={})), "text_not_valid"),
    "answer pre-empted": (changed(nl=part("nl", answers={"yes": "Ja"})), "text_not_valid"),
    "empty title": (changed(nl=part("nl", title=" ")), "text_not_valid"),
    "title is a number": (changed(nl=part("nl", title=5)), "text_not_valid"),
    "story without heading": (changed(nl=part("nl", story=[{"text": ["a"]}])), "text_not_valid"),
    "story shorter in one language": (
        changed(nl=part("nl", story=CONTENT["nl"]["story"][:2])),
        "text_not_valid",
    ),
    "one more line after": (changed(en=part("en", after=["One."])), "text_not_valid"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_text_that_misses_something_is_refused(name: str) -> None:
    content, code = WRONG[name]
    with pytest.raises(ConsentError) as failure:
        check_content(content)
    assert failure.value.code == code
