"""Which questions stand on a form: of texts that the consent list in use brought, or of the
catalogue.

A text comes with its own words; its number is worked out from them here, so the hub cannot put
other questions under a number.
"""

import json
import re
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from consent.items import ITEMS, in_groups
from consent.text_id import content_id
from federation.protocol.encoding import unb64

FULL: Final = 64
SHORTEST: Final = 8
_HEX: Final = re.compile(rf"[0-9a-f]{{{SHORTEST},{FULL}}}")
_LANGUAGES: Final = ("nl", "en")


@dataclass(frozen=True)
class Question:
    """One subject on a form. `words`: the question as it is printed, by language."""

    item: str
    words: Mapping[str, str]


@dataclass(frozen=True)
class FormText:
    """The text of a form. `number` has 64 hexadecimal digits. `known`: whether these are its own
    questions; else they are all that can be asked."""

    number: str
    study: str
    title: Mapping[str, str]
    questions: tuple[Question, ...]
    known: bool


def texts_here(database: sqlite3.Connection) -> dict[str, FormText]:
    """By number, the texts that came with the consent list in use. A text that cannot be read is
    left out: the catalogue stands in for it."""
    row = database.execute("SELECT message FROM snapshot").fetchone()
    if row is None:
        return {}
    # It was verified before it was kept.
    claims = json.loads(unb64(row[0].split(b".", 2)[1].decode("ascii")))
    found = {}
    for each in claims.get("evidence", {}).get("words", ()):
        text = _text(each)
        if text is not None:
            found[text.number] = text
    return found


def read_number(typed: str, known: Iterable[str]) -> str | None:
    """The whole number of a text: all 64 digits, or at least eight first ones of a known text.
    None when it is neither."""
    wanted = "".join(typed.split()).casefold()
    if not _HEX.fullmatch(wanted):
        return None
    if len(wanted) == FULL:
        return wanted
    fits = [number for number in known if number.startswith(wanted)]
    return fits[0] if len(fits) == 1 else None


def any_text(number: str, study: str) -> FormText:
    """A text that is not known here: everything the catalogue can ask."""
    items = [code for code, item in ITEMS.items() if item.regime == "consent"]
    ordered = [item for _, members in in_groups(items) for item in members]
    return FormText(
        number=number,
        study=study,
        title={},
        questions=tuple(
            Question(item.code, {lang: item.label(lang) for lang in _LANGUAGES}) for item in ordered
        ),
        known=False,
    )


def label(item: str, lang: str) -> str:
    """What a subject is called; its code when the catalogue does not know it."""
    return ITEMS[item].label(lang) if item in ITEMS else item


def _text(each: Mapping[str, Any]) -> FormText | None:
    try:
        study, content = each["study"], each["content"]
        questions = tuple(
            Question(
                item, {lang: str(content[lang]["questions"][item]["legend"]) for lang in _LANGUAGES}
            )
            for item in content["items"]
        )
        title = {lang: str(content[lang]["title"]) for lang in _LANGUAGES}
        return FormText(content_id(study, content), str(study), title, questions, known=True)
    except (KeyError, TypeError):
        return None
