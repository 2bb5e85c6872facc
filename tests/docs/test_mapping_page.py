"""docs/reference/mapping.md: its examples are run, and no form of the language is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from federation.query.builtin import builtin_codebook
from federation.query.codebook import Codebook, load_codebook
from federation.site.choices.pseudonyms import HandleMaker
from federation.site.data import expressions, mapping, mapping_forms, mapping_tables
from federation.site.data.columns import DataStore
from federation.site.data.derived import derived_of
from federation.site.data.shipped import mapping_names
from federation.site.data.source_options import _KEYS as SOURCE_KEYS

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGE = (REFERENCE / "mapping.md").read_text("utf-8")
BLOCK = re.compile(r"^```(\w+)(?: (\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def codebook() -> Codebook:
    first = next(match[3] for match in BLOCK.finditer(PAGE) if match[1] == "yaml")
    return load_codebook(first.encode())


def examples() -> Iterator[tuple[dict[str, str], str, str]]:
    """(files by name, mapping, what comes out) in the order of the page."""
    files: dict[str, str] = {}
    given = ""
    for kind, name, text in BLOCK.findall(PAGE):
        if kind == "csv":
            files[name] = text
        elif kind == "yaml" and "tables:" in text:
            given = text
        elif kind == "text":
            yield files, given, text
            files = {}


def values(table: object, name: str) -> str:
    column = table.columns[name]  # type: ignore[attr-defined]
    variable = table.codebook.variables[name]  # type: ignore[attr-defined]
    if column.dtype == np.int16:
        return ", ".join("-" if c < 0 else variable.group_labels[c] for c in column.tolist())
    return ", ".join("-" if np.isnan(v) else f"{v:g}" for v in column.tolist())


@pytest.mark.parametrize("number", range(5))
def test_every_example_gives_what_the_page_says(number: int, tmp_path: Path) -> None:
    files, text, expected = list(examples())[number]
    for name, content in files.items():
        (tmp_path / f"{name or 'data'}.csv").write_text(content)
    source: dict[str, object] = {"kind": "csv"}
    if set(files) == {""}:
        source["path"] = "data.csv"
    else:
        source["files"] = {name: f"{name}.csv" for name in files}
    mapped = mapping.read_mapping(text.encode(), source, tmp_path, "mapping.yaml")
    store = DataStore(mapped, HandleMaker(b"k" * 32, "net", "s"))

    for line in expected.splitlines():
        unit, name, shown = re.fullmatch(r"(\w+): (\w+) = (.*)", line).groups()  # type: ignore[union-attr]
        assert values(store.table(codebook().at(unit)), name) == shown, line


def test_there_are_no_more_examples_than_are_run() -> None:
    assert len(list(examples())) == 5


def described() -> set[str]:
    return {
        word
        for line in PAGE.splitlines()
        if line.startswith("| ")
        for code in re.findall(r"`+([^`]+)`+", line.split("|")[1])
        for word in re.findall(r"[a-z_]+", code)
    }


def test_every_form_and_key_is_described() -> None:
    words = described()

    assert set(mapping_forms._KEYS) <= words
    assert set().union(*mapping_forms._KEYS.values()) <= words | {"rules", "by", "plus_days"}
    assert set(mapping_tables._RESERVED) <= words
    assert set(mapping._KEYS[2]) <= words
    assert set(expressions.FUNCTIONS) <= words
    assert set(mapping_forms.OTHERWISE) <= set(re.findall(r"[a-z]+", PAGE))


def test_every_shipped_mapping_is_named() -> None:
    for name in mapping_names():
        assert f"`{name}`" in PAGE


def test_the_bounds_on_the_page_are_those_of_the_program() -> None:
    bounds = PAGE.partition("At most 1 MB, ")[2].partition("\n\n")[0]
    assert [int(number) for number in re.findall(r"[0-9]+", bounds)] == [
        mapping_tables.MAX_TABLES,
        mapping_tables.MAX_ITEMS,
        mapping_tables.MAX_JOINS,
        mapping_forms.MAX_LABELS,
        mapping_forms.MAX_RULES,
        expressions.MAX_LENGTH,
        expressions.MAX_DEPTH,
    ]


def test_every_key_of_a_source_is_described() -> None:
    page = (REFERENCE / "site-directory.md").read_text("utf-8")
    for key in set().union(*SOURCE_KEYS.values()):
        assert f"| `{key}`" in page, key
    for kind in SOURCE_KEYS:
        assert f"`{kind}`" in page


def test_the_page_of_oncomin_lists_every_variable_and_item() -> None:
    page = (REFERENCE / "oncomin.md").read_text("utf-8")
    book = builtin_codebook("oncomin/1")
    assert book is not None
    named = set(re.findall(r"`([a-z0-9_]+)`", page))

    assert set(book.variables) <= named
    for items in derived_of("oncomin/1").items.values():
        assert items <= named
    file = yaml.safe_load((ROOT / "federation/codebooks/oncomin-1.derived.yaml").read_text())
    derived = {name for names in file["derived"].values() for name in names}
    marked = set(re.findall(r"`([a-z0-9_]+)` \(derived\)", page))
    assert derived & set(book.variables) == marked
