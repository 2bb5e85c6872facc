"""A text for patients with eleven items in several groups, one of them on a screen of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from consent.items import ITEMS
from studies.seeds.hormone_therapy_text import CONTENT

RICH_ITEMS: Final = (
    "use.record",
    "use.network",
    "use.past",
    "use.images",
    "contact.questionnaire",
    "contact.newstudy",
    "design.twics",
    "bio.leftover",
    "bio.blood",
    "bio.store",
    "study.join",
)


def rich_content() -> dict[str, Any]:
    """The demo's text, but with these items; the words of the new ones are the catalogue's."""
    return {"items": list(RICH_ITEMS), "nl": _part("nl"), "en": _part("en")}


def _part(language: str) -> dict[str, Any]:
    part: Mapping[str, Any] = CONTENT[language]
    asks = "Mag dit: {}?" if language == "nl" else "Is this allowed: {}?"
    own = part["questions"]
    questions = {
        item: own.get(item)
        or {
            "legend": asks.format(ITEMS[item].label(language).lower()),
            "explain": ITEMS[item].text(language),
        }
        for item in RICH_ITEMS
    }
    return {**part, "questions": questions}
