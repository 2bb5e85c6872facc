"""The form in which a coordinator writes a text: plain fields for each part, in both languages.

A story is typed as blocks with an empty line between them, the heading on the first line of each;
what patients read at the end is one sentence on each line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from consent.items import ITEMS, LANGUAGES, with_parents
from consent.texts import ANSWERS, check_content

MOST_LETTERS: Final = 20_000
#: What can be wrong with a field; registry/pages/text_words.py says it in words.
MISTAKES: Final = ("empty", "too_long", "story", "lengths", "no_items", "required")


@dataclass(frozen=True)
class Entered:
    """What was typed: a whole content, or None with a code of MISTAKES by field id.

    `lacking`: items the study cannot do without and that were not chosen.
    """

    values: Mapping[str, str]
    items: tuple[str, ...]
    content: dict[str, Any] | None
    mistakes: Mapping[str, str]
    lacking: tuple[str, ...]


def fields(content: Mapping[str, Any]) -> dict[str, str]:
    """The value of each text field for a content."""
    values = {}
    for language in LANGUAGES:
        part = content[language]
        values[f"{language}-title"] = part["title"]
        values[f"{language}-summary"] = part["summary"]
        values[f"{language}-story"] = "\n\n".join(
            "\n".join([panel["heading"], *panel["text"]]) for panel in part["story"]
        )
        for item in content["items"]:
            for name in ("legend", "explain"):
                values[f"{language}-{name}-{item}"] = part["questions"][item][name]
        for answer in ANSWERS:
            values[f"{language}-answer-{answer}"] = part["answers"][answer]
        for name in ("stop", "after"):
            values[f"{language}-{name}"] = "\n".join(part[name])
    return values


def choosable() -> tuple[str, ...]:
    """The items that a text may ask about, in the order of the catalogue."""
    return tuple(code for code, item in ITEMS.items() if item.regime == "consent")


def read(
    sent: Callable[[str], str],
    chosen: Iterable[str],
    *,
    before: Sequence[str],
    requires: Sequence[str],
) -> Entered:
    """Read the form. `sent` gives a field's value, "" for none.

    `before`: the items of the draft as it was, whose order is kept; a newly chosen item brings
    along what it rests on and starts with the words of the catalogue. `requires`: what the study
    cannot do without.
    """
    items = _items(chosen, before)
    values = {
        name: sent(name).replace("\r\n", "\n").strip() or given
        for name, given in _names(items, before)
    }
    mistakes: dict[str, str] = {}
    for name, value in values.items():
        if not value:
            mistakes[name] = "empty"
        elif len(value) > MOST_LETTERS:
            mistakes[name] = "too_long"
    lacking = tuple(code for code in with_parents(requires) if code not in items)
    if not items:
        mistakes["items"] = "no_items"
    elif lacking:
        mistakes["items"] = "required"
    content = _content(values, items, mistakes)
    if mistakes:
        return Entered(values, items, None, mistakes, lacking)
    check_content(content)
    return Entered(values, items, content, {}, ())


def _items(chosen: Iterable[str], before: Sequence[str]) -> tuple[str, ...]:
    allowed = set(choosable())
    wanted = [code for code in chosen if code in allowed]
    whole = with_parents(wanted) if wanted else ()
    kept = [code for code in before if code in whole]
    return (*kept, *(code for code in whole if code not in kept))


def _names(items: Sequence[str], before: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Each field and what it holds when nothing was sent: for a new item the catalogue's words."""
    for language in LANGUAGES:
        for name in ("title", "summary", "story", "stop", "after"):
            yield f"{language}-{name}", ""
        for answer in ANSWERS:
            yield f"{language}-answer-{answer}", ""
        for item in items:
            new = item not in before
            label, text = ITEMS[item].label(language), ITEMS[item].text(language)
            yield f"{language}-legend-{item}", f"{label}?" if new else ""
            yield f"{language}-explain-{item}", text if new else ""


def _content(
    values: Mapping[str, str],
    items: Sequence[str],
    mistakes: dict[str, str],
) -> dict[str, Any]:
    made: dict[str, Any] = {"items": list(items)}
    for language in LANGUAGES:
        story = [_panel(block) for block in _blocks(values[f"{language}-story"])]
        if any(not panel["text"] for panel in story):
            mistakes.setdefault(f"{language}-story", "story")
        made[language] = {
            "title": values[f"{language}-title"],
            "summary": values[f"{language}-summary"],
            "story": story,
            "questions": {
                item: {name: values[f"{language}-{name}-{item}"] for name in ("legend", "explain")}
                for item in items
            },
            "answers": {answer: values[f"{language}-answer-{answer}"] for answer in ANSWERS},
            **{name: _lines(values[f"{language}-{name}"]) for name in ("stop", "after")},
        }
    nl, en = made["nl"], made["en"]
    if [len(panel["text"]) for panel in nl["story"]] != [len(p["text"]) for p in en["story"]]:
        mistakes.setdefault("nl-story", "lengths")
    for name in ("stop", "after"):
        if len(nl[name]) != len(en[name]):
            mistakes.setdefault(f"nl-{name}", "lengths")
    return made


def _blocks(text: str) -> list[list[str]]:
    blocks: list[list[str]] = [[]]
    for line in text.split("\n"):
        if line.strip():
            blocks[-1].append(line.strip())
        elif blocks[-1]:
            blocks.append([])
    return [block for block in blocks if block]


def _panel(block: Sequence[str]) -> dict[str, Any]:
    return {"heading": block[0], "text": list(block[1:])}


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]
