"""What a check of a receipt found, in words. English; pages translate the sentences."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from consent.receipt_check import Check

OBJECT_REUSE: Final = "object.reuse"

NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "form": "The file",
        "signature": "The signature",
        "head": "The head of the log",
        "answers": "The answers",
        "inclusion": "The place in the log",
        "texts": "The text",
    }
)
HOLDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "form": "This is a receipt.",
        "signature": "The hub signed exactly this receipt.",
        "head": "The hub signed the head of its log of choices.",
        "answers": "Each answer is the one that was sealed in the log.",
        "inclusion": "Each answer stands in the log under that head.",
        "texts": "These are the words that were read, to the letter.",
    }
)
WHY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "not_a_receipt": "This is not a receipt, or the file was changed or cut off.",
        "other_version": "This receipt has a form that this program does not know.",
        "document_changed": "The receipt says something else than what the hub signed.",
        "head_changed": "The signed head is not the one that this receipt names.",
        "content_missing": "An answer is missing from the receipt.",
        "answer_changed": "An answer is not the one that was sealed in the log.",
        "not_in_the_log": "An answer does not stand in the log where the receipt says.",
        "text_missing": "The words that were read are missing.",
        "text_changed": "The words are not the ones that were read.",
        "unknown_key": "It was signed with a key that is not one of the hub's.",
        "key_not_in_use": "It was signed with a key of the hub at a time when that was not in use.",
        "bad_signature": "The signature does not fit: something was changed after signing.",
    }
)
OTHERWISE: Final = "The signed message cannot be read: something was changed after signing."
KINDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "granted": ("yes", "ja"),
        "refused": ("no", "nee"),
        "deferred": ("don’t know yet", "weet ik nog niet"),
        "withdrawn": ("stopped", "gestopt"),
        "objected": ("objected", "bezwaar gemaakt"),
    }
)


#: An objection that was withdrawn is taken back; nothing else is stopped by it.
TAKEN_BACK: Final = ("taken back", "teruggenomen")


def answer(one: Mapping[str, Any], language: str) -> str:
    """What was said about one thing in a receipt, in a word or two."""
    back = one["item"] == OBJECT_REUSE and one["answer"] == "withdrawn"
    words = TAKEN_BACK if back else KINDS[one["answer"]]
    return words[language == "nl"]


def sentence(check: Check) -> str:
    """What holds, or why not: an English sentence that pages translate."""
    if check.holds:
        return HOLDS[check.name]
    return WHY.get(check.why, OTHERWISE)


def said_in_words(document: Mapping[str, Any], language: str) -> list[str]:
    """Each answer of a receipt that was read, one line each; nothing for an unreadable one."""
    dutch = language == "nl"
    lines = []
    for one in document.get("said", ()):
        if "erased" in one:
            lines.append("inhoud verwijderd" if dutch else "content erased")
            continue
        label = one["label"][language] if one["label"] else one["item"]
        if one["item"] == "*":
            label = "alles" if dutch else "everything"
        lines.append(f"{label}: {answer(one, language)}")
    return lines
