"""match.yaml, and the text that a patient's items become."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from federation.site.choices.pseudonyms import HandleMaker
from federation.site.data.mapping import read_mapping
from federation.site.directory import SiteDirectory
from federation.site.errors import SetupError
from federation.site.match_items import match_text, read_match_items

FILE = """
key: nr
birth_date: {column: born, format: "%d-%m-%Y"}
sex: {column: sex, map: {M: m, V: f, "1": m}}
birth_name: {column: name}
initials: {column: initials}
"""
BORN = date(1953, 2, 1)


@pytest.mark.parametrize(
    ("name", "initials", "text"),
    [
        ("Jansen", "J.P.", "1953-02-01|f|jansen|j"),
        ("van der  JANSEN", " j", "1953-02-01|f|jansen|j"),
        ("Müller-Özdemir", "Ö", "1953-02-01|f|mulleroz|o"),
        ("Bruijn, de", "A", "1953-02-01|f|bruyn|a"),
        ("de Bruyn", "A", "1953-02-01|f|bruyn|a"),
        ("'t Hart", "K", "1953-02-01|f|hart|k"),
        ("Nguyễn", "T", "1953-02-01|f|nguyen|t"),
        ("Longernamethan8", "K", "1953-02-01|f|longerna|k"),
        ("van de", "K", ""),
        ("Jansen", "-", ""),
        ("王", "K", ""),
    ],
)
def test_the_same_person_is_the_same_text_however_it_is_written(
    name: str, initials: str, text: str
) -> None:
    assert match_text(BORN, "f", name, initials) == text


def test_an_item_that_lacks_makes_no_text() -> None:
    assert match_text(None, "f", "Jansen", "J") == ""
    assert match_text(BORN, "", "Jansen", "J") == ""
    assert match_text(BORN, "x", "Jansen", "J") == ""


def test_only_the_wanted_patients_are_read_each_once(tmp_path: Path) -> None:
    (tmp_path / "match.yaml").write_text(FILE)
    (tmp_path / "data.csv").write_text(
        "nr,born,sex,name,initials\n"
        "1,01-02-1953,V,Jansen,J\n"
        "2,01-02-1953,V,van Jansen,J.\n"
        "3,02-02-1953,1,Pietersen,K\n"
        "4,NA,M,Smit,L\n"
        "5,31-02-1953,M,Smit,L\n"
        "6,03-02-1953,?,Smit,L\n"
        ",04-02-1953,M,Zonder,L\n"
        "7,05-02-1953,M,Stop,L\n"
    )
    mapping = b"codebook: x/1\nkey: nr\nvariables: {age: {column: age}}\n"
    mapped = read_mapping(mapping, {"kind": "csv", "path": "data.csv"}, tmp_path, "mapping.yaml")
    handles = HandleMaker(bytes(32), "network", "site")
    wanted = {handles.handle(number) for number in "123456"} | {handles.handle("")}
    items = read_match_items(tmp_path)
    assert items is not None
    assert items.texts(mapped, handles, wanted) == {
        "1953-02-01|f|jansen|j",
        "1953-02-02|m|pieterse|k",
    }


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("key: nr\n", "", "the key 'key' is missing"),
        ("key: nr\n", "key: nr\nbsn: {column: bsn}\n", "unknown key 'bsn'"),
        ("{column: name}", "{column: name, times: 2}", "unknown key 'times'"),
        ("{column: name}", "name", "must consist of named keys"),
        ("{column: name}", "{column: 3}", "birth_name.column must be a text"),
        ("%d-%m-%Y", "%m-%Y", "needs the day"),
        ("%d-%m-%Y", "%d", "must be a date format"),
        ("V: f", "V: female", "must map texts to m or f"),
        ("key: nr\n", "key: [\n", "cannot be read"),
    ],
)
def test_a_wrong_file_is_told_in_one_sentence(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    assert old in FILE
    (tmp_path / "match.yaml").write_text(FILE.replace(old, new, 1))
    with pytest.raises(SetupError, match=sentence):
        read_match_items(tmp_path)


def test_a_wrong_file_stops_the_start_of_the_site(make_site: Any) -> None:
    site = make_site()
    (site.path / "match.yaml").write_text(FILE.replace("key: nr\n", ""))
    with pytest.raises(SetupError, match=r"match\.yaml: the key 'key' is missing"):
        SiteDirectory.load(site.path)


def test_without_the_file_there_is_no_matching(tmp_path: Path) -> None:
    assert read_match_items(tmp_path) is None
