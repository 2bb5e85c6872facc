"""match.yaml: from which columns of the hospital a patient's text for private matching is made.

    key: Patiëntnummer                 # as in the mapping
    table: patients                    # only where the source has several
    birth_date: {column: Geboortedatum, format: "%d-%m-%Y"}
    sex: {column: Geslacht, map: {M: m, V: f}}
    birth_name: {column: Geboortenaam}
    initials: {column: Voorletters}

A file of its own, so that names never come near the columns that questions are answered from. The
text of a patient is never stored and never sent; docs/explanation/counted-once.md says what
becomes of it. No national number is among the items (ADR 0039).
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from federation.query.yaml_data import YamlError, load_yaml
from federation.site.choices.pseudonyms import HandleMaker
from federation.site.data.date_formats import ISO_DATE, day_reader, wrong_format
from federation.site.data.mapping import Mapped
from federation.site.data.meanings import text_of
from federation.site.data.sources import open_source
from federation.site.errors import SetupError
from federation.site.files import read_small

MATCH_FILE: Final = "match.yaml"
NAME_LETTERS: Final = 8
"""Of the name at birth this many letters count, as in the linkage of Dutch registries."""

_ITEMS: Final = ("birth_date", "sex", "birth_name", "initials")
_SEXES: Final = ("m", "f")
_PARTICLES: Final = frozenset("van von de der den het t ten ter te in op la le du el al".split())
_NO_LETTER = re.compile(r"[^a-z]+")


@dataclass(frozen=True)
class MatchItems:
    """The checked file. sexes: raw text -> "m" or "f"."""

    key: str
    table: str
    birth_date: str
    date_format: str
    sex: str
    sexes: Mapping[str, str]
    birth_name: str
    initials: str

    def texts(self, mapped: Mapped, handles: HandleMaker, wanted: Collection[bytes]) -> set[str]:
        """The texts of the patients whose handles are wanted, each once. Whoever lacks an item has
        none. Raises DataError."""
        columns = (self.key, self.birth_date, self.sex, self.birth_name, self.initials)
        day, null = day_reader(self.date_format), mapped.source.null
        source = mapped.source.only(self.table) if self.table else mapped.source
        found = set()
        for block in open_source(source).blocks(columns):
            for raw in zip(*block, strict=True):
                number, *items = ("" if text in null else text for text in map(text_of, raw))
                if number and handles.handle(number) in wanted:
                    found.add(self._text(items, day))
        return found - {""}

    def _text(self, items: list[str], day: Callable[[str], date | None]) -> str:
        born, sex, name, initials = items
        return match_text(day(born), self.sexes.get(sex, ""), name, initials)


def match_text(born: date | None, sex: str, birth_name: str, initials: str) -> str:
    """A patient's text, the same at every hospital that knows the same; "" when an item lacks.

    Of the name: without accents and particles, ij as y, its first eight letters; one initial.
    """
    words = [word for word in _words(birth_name) if word not in _PARTICLES]
    name = "".join(words).replace("ij", "y")[:NAME_LETTERS]
    initial = "".join(_words(initials))[:1]
    if born is None or sex not in _SEXES or not name or not initial:
        return ""
    return f"{born.isoformat()}|{sex}|{name}|{initial}"


def _words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(each for each in plain if not unicodedata.combining(each))
    return [word for word in _NO_LETTER.split(letters) if word]


def read_match_items(path: Path) -> MatchItems | None:
    """match.yaml in the site directory `path`; None when there is none. SetupError otherwise."""
    if not (path / MATCH_FILE).exists():
        return None
    try:
        value = load_yaml(read_small(path / MATCH_FILE))
    except (YamlError, OSError) as error:
        raise SetupError(f"{MATCH_FILE} cannot be read; correct it.") from error
    table = _table(value, {"key", "table", *_ITEMS}, {"key", *_ITEMS}, "")
    items = {
        name: _table(table[name], {"column"} | more, {"column"}, f" {name}:")
        for name, more in zip(_ITEMS, ({"format"}, {"map"}, set(), set()), strict=True)
    }
    form = items["birth_date"].get("format", ISO_DATE)
    if problem := wrong_format(form) or ("" if "%d" in str(form) else "needs the day, %d"):
        raise SetupError(f"{MATCH_FILE}: birth_date.format {problem}.")
    sexes = items["sex"].get("map", {sex: sex for sex in _SEXES})
    if not isinstance(sexes, dict) or not set(sexes.values()) <= set(_SEXES):
        raise SetupError(f"{MATCH_FILE}: sex.map must map texts to m or f.")
    return MatchItems(
        key=_name(table["key"], "key"),
        table=_name(table["table"], "table") if "table" in table else "",
        birth_date=_name(items["birth_date"]["column"], "birth_date.column"),
        date_format=str(form),
        sex=_name(items["sex"]["column"], "sex.column"),
        sexes={str(raw): sex for raw, sex in sexes.items()},
        birth_name=_name(items["birth_name"]["column"], "birth_name.column"),
        initials=_name(items["initials"]["column"], "initials.column"),
    )


def _table(
    value: object, known: Collection[str], needed: Collection[str], where: str
) -> dict[str, object]:
    if not isinstance(value, dict):
        raise SetupError(f"{MATCH_FILE}:{where} must consist of named keys.")
    for key in value:
        if key not in known:
            raise SetupError(f"{MATCH_FILE}:{where} unknown key '{str(key)[:60]}'; remove it.")
    for key in needed:
        if key not in value:
            raise SetupError(f"{MATCH_FILE}:{where} the key '{key}' is missing; add it.")
    return value


def _name(value: object, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise SetupError(f"{MATCH_FILE}: {where} must be a text.")
    return value
