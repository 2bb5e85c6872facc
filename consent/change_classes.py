"""Whether a change of a text may be called what it is called. Pure.

Only people can say what words mean. These checks find what certainly is more than was said: an
"editorial" change with a "not" more or less, a new item that is called a clarification. They never
say that a class is right; two approvers do.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from consent.catalogue import LANGUAGES
from consent.differences import Line, compare
from consent.models import CHANGE_CLASSES

#: So many words of one sentence may differ in a correction of spelling or of a phone number.
EDITORIAL_WORDS: Final = 2
# A sentence with one of these more or fewer means something else.
_WEIGHTY: Final = frozenset(
    "niet geen nooit nee niemand zonder mag mogen moet moeten kan kunnen alle alleen altijd ook "
    "not no never nobody without may must can all only always also".split()
)


def problems(
    old: Mapping[str, Any] | None,
    new: Mapping[str, Any],
    change_class: str,
    widened: Sequence[str],
) -> tuple[str, ...]:
    """Codes of what cannot be right, none when nothing is found.

    `class_unknown`; `class_first` (first although there is an earlier text, or the other way
    round); `widened_unknown` (an item that old and new do not share); `widened_not_wider` (widened
    items in another class); `wider_names_nothing`; `items_added` (only wider, narrower or urgent
    may add items, and narrower not alone); `items_removed` (a class that says nothing went);
    `more_than_editorial`.
    """
    if change_class not in CHANGE_CLASSES:
        return ("class_unknown",)
    if (old is None) != (change_class == "first"):
        return ("class_first",)
    if old is None:
        return ("widened_not_wider",) if widened else ()
    shared = set(old["items"]) & set(new["items"])
    added, removed = set(new["items"]) - shared, set(old["items"]) - shared
    found = []
    if not set(widened) <= shared:
        found.append("widened_unknown")
    if widened and change_class != "wider":
        found.append("widened_not_wider")
    if change_class == "wider" and not widened and not added:
        found.append("wider_names_nothing")
    if added and change_class not in ("wider", "urgent"):
        found.append("items_added")
    if removed and change_class in ("editorial", "clarifying"):
        found.append("items_removed")
    if change_class == "editorial" and _is_more_than_editorial(old, new):
        found.append("more_than_editorial")
    return tuple(found)


def _is_more_than_editorial(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return any(
        line.kind in ("added", "removed") or (line.kind == "changed" and _weighs(line))
        for language in LANGUAGES
        for part in compare(old, new, language)
        for line in part.lines
    )


def _weighs(line: Line) -> bool:
    for pieces in (line.old, line.new):
        words = [word for piece in pieces if piece.new for word in piece.words.split()]
        if len(words) > EDITORIAL_WORDS:
            return True
    # Counted over the whole sentence, so that a moved word is no change of meaning by itself.
    return _weighty(line.old_text) != _weighty(line.new_text)


def _weighty(sentence: str) -> list[str]:
    return sorted(word for word in re.findall(r"\w+", sentence.lower()) if word in _WEIGHTY)
