"""What differs between two versions of a text, sentence by sentence and word by word. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Final, Literal

from consent.catalogue import LANGUAGES
from consent.reading_level import sentences

Kind = Literal["same", "changed", "added", "removed"]
ANSWERS: Final = ("yes", "no", "later")


@dataclass(frozen=True)
class Piece:
    """Some words of a sentence; `new` when the other version does not have them."""

    words: str
    new: bool


@dataclass(frozen=True)
class Line:
    """One sentence as it was and as it is; one side is empty when it was added or removed."""

    kind: Kind
    old: tuple[Piece, ...]
    new: tuple[Piece, ...]

    @property
    def old_text(self) -> str:
        """The sentence as it was."""
        return " ".join(piece.words for piece in self.old)

    @property
    def new_text(self) -> str:
        """The sentence as it is."""
        return " ".join(piece.words for piece in self.new)


@dataclass(frozen=True)
class Part:
    """A part of the form: "title", "summary", "story", "answers", "stop", "after", or an item."""

    code: str
    lines: tuple[Line, ...]

    @property
    def kind(self) -> Kind:
        """One word for the whole part."""
        kinds = {line.kind for line in self.lines}
        if len(kinds) == 1:
            return next(iter(kinds))
        return "changed" if kinds else "same"


def compare(
    old: Mapping[str, Any] | None, new: Mapping[str, Any], language: str
) -> tuple[Part, ...]:
    """The parts of two contents (consent.texts) in one language, in the order of the form.

    Items follow the new order; those that went come last. `old` None: everything is added.
    """
    before = {} if old is None else _parts(old, language)
    after = _parts(new, language)
    gone = [code for code in before if code not in after]
    return tuple(
        Part(code, tuple(_lines(before.get(code, []), after.get(code, []))))
        for code in (*after, *gone)
    )


def changed_items(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """Items of `new` that are not in `old` or are asked in other words, in any language."""
    return tuple(
        item
        for item in new["items"]
        if item not in old["items"]
        or any(
            old[language]["questions"][item] != new[language]["questions"][item]
            for language in LANGUAGES
        )
    )


def _parts(content: Mapping[str, Any], language: str) -> dict[str, list[str]]:
    part = content[language]
    return {
        "title": [part["title"]],
        "summary": sentences(part["summary"]),
        "story": [
            sentence
            for panel in part["story"]
            for sentence in (panel["heading"], *_split(panel["text"]))
        ],
        **{
            item: [
                part["questions"][item]["legend"],
                *sentences(part["questions"][item]["explain"]),
            ]
            for item in content["items"]
        },
        "answers": [part["answers"][answer] for answer in ANSWERS],
        "stop": _split(part["stop"]),
        "after": _split(part["after"]),
    }


def _split(texts: Sequence[str]) -> list[str]:
    return [sentence for text in texts for sentence in sentences(text)]


def _lines(old: Sequence[str], new: Sequence[str]) -> Iterator[Line]:
    for step, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if step == "equal":
            for sentence in old[i:j]:
                whole = (Piece(sentence, False),)
                yield Line("same", whole, whole)
            continue
        pairs = min(j - i, m - k)
        for before, after in zip(old[i : i + pairs], new[k : k + pairs], strict=True):
            yield Line("changed", *_pieces(before, after))
        for sentence in old[i + pairs : j]:
            yield Line("removed", (Piece(sentence, True),), ())
        for sentence in new[k + pairs : m]:
            yield Line("added", (), (Piece(sentence, True),))


def _pieces(old: str, new: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    was, now = old.split(), new.split()
    left: list[Piece] = []
    right: list[Piece] = []
    for step, i, j, k, m in SequenceMatcher(None, was, now, autojunk=False).get_opcodes():
        if i < j:
            left.append(Piece(" ".join(was[i:j]), step != "equal"))
        if k < m:
            right.append(Piece(" ".join(now[k:m]), step != "equal"))
    return tuple(left), tuple(right)
