"""Reading the catalogue of items: every mistake in it stops the program when it starts."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final, Literal, cast

import yaml

Regime = Literal["consent", "objection", "optout_mirror", "pointer"]

LANGUAGES: Final[tuple[str, ...]] = ("nl", "en")
REGIMES: Final[tuple[str, ...]] = ("consent", "objection", "optout_mirror", "pointer")
#: Ways of signing in, the weakest first. "desk" is not in this order: there a hospital vouches.
LOGIN_LEVELS: Final[tuple[str, ...]] = (
    "letter",
    "letter+second",
    "letter+second+passkey",
    "site-broker-substantial",
)
_NEEDED: Final = frozenset({"group", "regime", "category", "level", "purposes", *LANGUAGES})
_OPTIONAL: Final = frozenset({"parents", "own_screen", "contact", "duo"})
_DUO: Final = frozenset({"granted", "refused", "replaces"})


class CatalogueError(ValueError):
    """The catalogue cannot be used. `code` is stable; the sentence says where and what to do."""

    def __init__(self, code: str, sentence: str) -> None:
        self.code = code
        self.message = sentence
        super().__init__(f"{code}: {sentence}")


@dataclass(frozen=True)
class Group:
    """Items that stand together on a page of the form."""

    code: str
    label_nl: str
    label_en: str

    def label(self, language: str) -> str:
        """A few words: in Dutch for "nl", in English otherwise."""
        return self.label_nl if language == "nl" else self.label_en


@dataclass(frozen=True)
class Item:
    """One thing to choose about. A withdrawn parent closes its children.

    category: the kind of data it is about, a field of the scope of a choice.
    level: the lowest way of signing in that a yes needs where a network says nothing else.
    duo_granted, duo_refused: labels of a data set when it was granted, when it was not;
    duo_replaces: the label that a granted one takes the place of.
    """

    code: str
    group: str
    regime: Regime
    parents: tuple[str, ...]
    category: str
    own_screen: bool
    contact: bool
    level: str
    duo_granted: tuple[str, ...]
    duo_refused: tuple[str, ...]
    duo_replaces: tuple[str, ...]
    purposes: tuple[str, ...]
    label_nl: str
    label_en: str
    text_nl: str
    text_en: str

    @property
    def in_yes_to_all(self) -> bool:
        """Whether "yes to the basic items" may fill it in: never an item with its own screen."""
        return self.regime == "consent" and not self.own_screen

    def label(self, language: str) -> str:
        """A few words: in Dutch for "nl", in English otherwise."""
        return self.label_nl if language == "nl" else self.label_en

    def text(self, language: str) -> str:
        """One to three sentences: in Dutch for "nl", in English otherwise."""
        return self.text_nl if language == "nl" else self.text_en


@dataclass(frozen=True)
class Catalogue:
    """All items by code, in the order of the file; groups in the order of the form.

    `sha256` is over everything that groups and items say.
    """

    version: int
    groups: Mapping[str, Group]
    items: Mapping[str, Item]
    sha256: str


def read_catalogue(text: str) -> Catalogue:
    """The catalogue in a YAML file.

    Raises CatalogueError `catalogue_malformed` (a key too many or too few, an unknown word),
    `catalogue_unknown_parent`, `catalogue_cycle`.
    """
    # A YAML of our own package: safe_load knows no tags that make objects.
    data = yaml.safe_load(text)
    if not isinstance(data, dict) or set(data) != {"catalogue", "groups", "items"}:
        raise _malformed("the file", "holds `catalogue`, `groups` and `items`, and nothing else")
    version, raw = data["catalogue"], data["items"]
    if not isinstance(version, int) or not isinstance(raw, dict) or not raw:
        raise _malformed("the file", "has a whole number under `catalogue` and at least one item")
    groups = _groups(data["groups"])
    items = {code: _item(str(code), entry, groups) for code, entry in raw.items()}
    _check_parents(items)
    return Catalogue(
        version, MappingProxyType(groups), MappingProxyType(items), _hash(groups, items)
    )


def document(catalogue: Catalogue) -> dict[str, Any]:
    """The catalogue as plain data, for the API and for files."""
    return {
        "catalogue": catalogue.version,
        "sha256": catalogue.sha256,
        "groups": [_plain(group) for group in catalogue.groups.values()],
        "items": [_plain(item) for item in catalogue.items.values()],
    }


def _hash(groups: Mapping[str, Group], items: Mapping[str, Item]) -> str:
    said = [*map(_plain, groups.values()), *map(_plain, items.values())]
    return sha256(json.dumps(said, sort_keys=True).encode("utf-8")).hexdigest()


def _plain(of: Item | Group) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(of).items()
    }


def _groups(raw: Any) -> dict[str, Group]:
    if not isinstance(raw, dict):
        raise _malformed("groups", "names each group")
    made = {}
    for code, words in raw.items():
        if not isinstance(words, dict) or set(words) != set(LANGUAGES):
            raise _malformed(str(code), "has a label in each language")
        made[str(code)] = Group(str(code), str(words["nl"]), str(words["en"]))
    return made


def _item(code: str, entry: Any, groups: Mapping[str, Group]) -> Item:
    if not isinstance(entry, dict):
        raise _malformed(code, "is a mapping")
    names = set(entry)
    if not _NEEDED <= names or names - _NEEDED - _OPTIONAL:
        wrong = sorted(map(str, (_NEEDED - names) | (names - _NEEDED - _OPTIONAL)))
        raise _malformed(code, f"has every key and no other; look at {', '.join(wrong)}")
    duo = entry.get("duo", {})
    if not isinstance(duo, dict) or set(duo) - _DUO:
        raise _malformed(code, "has under `duo` only granted, refused and replaces")
    words = {
        f"{name}_{language}": _word(code, entry[language], name)
        for language in LANGUAGES
        for name in ("label", "text")
    }
    return Item(
        code=code,
        group=_one_of(code, entry["group"], tuple(groups)),
        regime=cast(Regime, _one_of(code, entry["regime"], REGIMES)),
        parents=_codes(code, entry.get("parents", [])),
        category=str(entry["category"]),
        own_screen=_flag(code, entry.get("own_screen", False)),
        contact=_flag(code, entry.get("contact", False)),
        level=_one_of(code, entry["level"], LOGIN_LEVELS),
        duo_granted=_codes(code, duo.get("granted", [])),
        duo_refused=_codes(code, duo.get("refused", [])),
        duo_replaces=_codes(code, duo.get("replaces", [])),
        purposes=_codes(code, entry["purposes"]),
        **words,
    )


def _word(code: str, part: Any, name: str) -> str:
    if not isinstance(part, dict) or set(part) != {"label", "text"}:
        raise _malformed(code, "has a label and a text in each language")
    value = part[name]
    if not isinstance(value, str) or not value.strip():
        raise _malformed(code, f"has words under {name} in each language")
    return value


def _one_of(code: str, value: Any, words: tuple[str, ...]) -> str:
    if value not in words:
        raise _malformed(code, f"says one of {', '.join(words)}, not {value!r}")
    return str(value)


def _flag(code: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _malformed(code, "says true or false")
    return value


def _codes(code: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _malformed(code, "lists codes as text")
    return tuple(value)


def _malformed(where: str, must: str) -> CatalogueError:
    return CatalogueError(
        "catalogue_malformed",
        f"In the catalogue of items {where} must be one that {must}. Mend the file.",
    )


def _check_parents(items: Mapping[str, Item]) -> None:
    for item in items.values():
        for parent in item.parents:
            if parent not in items:
                raise CatalogueError(
                    "catalogue_unknown_parent",
                    f"{item.code} rests on {parent}, which is not in the catalogue. "
                    "Add that item or take it out of the parents.",
                )
    for code in items:
        circle = next(_circles(items, code, (code,)), None)
        if circle is not None:
            raise CatalogueError(
                "catalogue_cycle",
                f"Items rest on each other in a circle: {' → '.join(circle)}. "
                "Take one of these parents out.",
            )


def _circles(
    items: Mapping[str, Item], code: str, way: tuple[str, ...]
) -> Iterator[tuple[str, ...]]:
    for parent in items[code].parents:
        if parent == way[0]:
            yield (*way, parent)
        elif parent not in way:
            yield from _circles(items, parent, (*way, parent))
