"""A licensed wording of a questionnaire, brought by whoever has the licence. None is shipped.

wording: QLQ-C30
version: "3.0"
language: nl
licence: "number and date of the licence"
items: {q1: "…", …}                       # exactly the items of the questionnaire
answers: {"1-4": ["…", "…", "…", "…"], "1-7": […]}   # words per range of answers
answers_of: {mo: ["…", …]}                # instead, for an item with words of its own
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from federation.prom.instruments import INSTRUMENTS, Item

MAX_TEXT: Final = 400
_KEYS: Final = frozenset({"wording", "version", "language", "licence", "items"})


@dataclass(frozen=True)
class Wording:
    """items: the question of each. answers: per item the words of its answers, the lowest first;
    not for an item that is answered with a number."""

    instrument: str
    version: str
    language: str
    licence: str
    items: Mapping[str, str]
    answers: Mapping[str, tuple[str, ...]]

    def to_dict(self) -> dict[str, Any]:
        """As it is stored; `read_wording` reads it again."""
        return {
            "wording": self.instrument,
            "version": self.version,
            "language": self.language,
            "licence": self.licence,
            "items": dict(self.items),
            "answers_of": {code: list(words) for code, words in self.answers.items()},
        }


def read_wording(value: object) -> Wording:
    """Read a wording that somebody brought. ValueError with one sentence for anything wrong."""
    if not isinstance(value, dict) or not _KEYS <= set(value):
        raise ValueError(f"a wording must have: {', '.join(sorted(_KEYS))}.")
    if unknown := set(value) - _KEYS - {"answers", "answers_of"}:
        raise ValueError(f"a wording has no '{str(min(unknown, key=str))[:40]}'; remove it.")
    instrument = INSTRUMENTS.get(str(value["wording"]))
    if instrument is None:
        raise ValueError(f"wording must be one of: {', '.join(INSTRUMENTS)}.")
    if str(value["version"]) != instrument.version:
        raise ValueError(f"version must be {instrument.version}: scores are made for that one.")
    if value["language"] not in ("nl", "en"):
        raise ValueError("language must be nl or en.")
    items = _items(value["items"], {item.code for item in instrument.items})
    return Wording(
        instrument.code,
        instrument.version,
        value["language"],
        _text(value["licence"], "licence"),
        items,
        {
            item.code: _words(item, value.get("answers", {}), value.get("answers_of", {}))
            for item in instrument.items
            if not item.scored
        },
    )


def _items(value: object, codes: set[str]) -> dict[str, str]:
    if not isinstance(value, dict) or set(value) != codes:
        raise ValueError(f"items must be exactly the {len(codes)} items of the questionnaire.")
    return {code: _text(text, f"items.{code}") for code, text in value.items()}


def _words(item: Item, by_range: object, by_item: object) -> tuple[str, ...]:
    if not isinstance(by_range, dict) or not isinstance(by_item, dict):
        raise ValueError("answers and answers_of must give lists of words.")
    given = by_item.get(item.code, by_range.get(f"{item.low}-{item.high}"))
    count = item.high - item.low + 1
    if not isinstance(given, list) or len(given) != count:
        raise ValueError(f"{item.code} needs {count} words for its answers.")
    return tuple(_text(each, f"answers of {item.code}") for each in given)


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_TEXT:
        raise ValueError(f"{where} must be a text of at most {MAX_TEXT} characters.")
    if not all(mark.isprintable() for mark in value):
        raise ValueError(f"{where} holds a sign that is not shown; remove it.")
    return value.strip()
