"""What a patient can say yes or no to: the catalogue (design: consent.md 3.9, the first three).

Labels and sentences are drafts in Dutch B1 with English beside them, in the same order.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from consent.errors import ConsentError

LANGUAGES: Final[tuple[str, ...]] = ("nl", "en")


@dataclass(frozen=True)
class Item:
    """One thing to choose about. A withdrawn parent closes its children.

    category: the kind of data it is about, a field of the scope of a choice.
    """

    code: str
    parents: tuple[str, ...]
    category: str
    label_nl: str
    label_en: str
    text_nl: str
    text_en: str

    def label(self, language: str) -> str:
        """A few words: in Dutch for "nl", in English otherwise."""
        return self.label_nl if language == "nl" else self.label_en

    def text(self, language: str) -> str:
        """One sentence: in Dutch for "nl", in English otherwise."""
        return self.text_nl if language == "nl" else self.text_en


_ITEMS: Final[tuple[Item, ...]] = (
    Item(
        code="use.record",
        parents=(),
        category="record",
        label_nl="Gegevens uit uw dossier",
        label_en="Data from your record",
        text_nl=(
            "Onderzoekers mogen gegevens over uw ziekte en behandeling gebruiken, "
            "maar zij zien uw naam niet."
        ),
        text_en=(
            "Researchers may use data about your illness and treatment, "
            "but they do not see your name."
        ),
    ),
    Item(
        code="use.network",
        parents=("use.record",),
        category="record",
        label_nl="Meetellen in het netwerk",
        label_en="Count in the network",
        text_nl=(
            "Uw gegevens blijven in uw ziekenhuis, "
            "en alleen totalen van veel patiënten samen gaan naar buiten."
        ),
        text_en=(
            "Your data stay in your hospital, and only totals of many patients together leave it."
        ),
    ),
    Item(
        code="study.join",
        parents=(),
        category="record",
        label_nl="Meedoen aan deze studie",
        label_en="Join this study",
        text_nl="U doet mee aan deze studie, nadat u de informatie heeft gelezen.",
        text_en="You take part in this study, after you have read the information.",
    ),
)

ITEMS: Final[Mapping[str, Item]] = MappingProxyType({item.code: item for item in _ITEMS})


def with_parents(codes: Iterable[str]) -> tuple[str, ...]:
    """`codes` and everything they rest on, parents first, each once.

    Raises ConsentError `requirement_set_empty` for nothing, `unknown_item` for a code that is not
    in the catalogue: neither may ever mean "no condition".
    """
    found: dict[str, None] = {}

    def add(code: str) -> None:
        item = ITEMS.get(code)
        if item is None:
            raise ConsentError("unknown_item")
        for parent in item.parents:
            add(parent)
        found[code] = None

    for code in codes:
        add(code)
    if not found:
        raise ConsentError("requirement_set_empty")
    return tuple(found)
