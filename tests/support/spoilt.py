"""A hospital's directory to be spoilt, and `oncokring site check` on it under `limited`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from limited import Ended, oncokring, said_in_a_sentence

from federation.disclosure.policy import Policy
from federation.protocol.keys import SigningKey
from federation.query.codebook import Codebook, load_codebook
from federation.site.directory import init_site

CODEBOOK = b"""
codebook: gbsg/1
variables:
  age: {type: integer, unit: years, min: 18, max: 110, cuts: {step: 5}}
  grade: {type: category, levels: ["1", "2", "3"]}
  diagnosed: {type: date}
"""
MAPPING = b"""
codebook: gbsg/1
key: nr
variables:
  age: {column: leeftijd}
  grade: {column: graad}
  diagnosed: {column: datum, format: "%d-%m-%Y"}
"""
DATA = b"nr,leeftijd,graad,datum\n" + b"".join(
    b"P%d,%d,%d,01-02-2020\n" % (n, 30 + n % 60, 1 + n % 3) for n in range(50)
)
CANARY = "CANARY-7f3a"
"""Stands in a file beside the directory that nothing may open."""


def make(folder: Path, mapping: bytes, codebook: Codebook) -> Path:
    """A directory `site` in `folder` that works."""
    path = folder / "site"
    path.mkdir()
    (path / "data.csv").write_bytes(DATA)
    init_site(
        path,
        slug="h0",
        name="Ziekenhuis",
        network="net",
        hub_public=SigningKey.generate().public,
        source={"kind": "csv", "path": "data.csv"},
        mapping=mapping,
        policy=Policy.strict().to_yaml(),
        studies={"onco": {"codebook": codebook, "requires": ["use.network"]}},
    )
    return path


class Site:
    """A copy of the good directory, to be spoilt and then checked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "site"

    def write(self, name: str, data: bytes | str) -> None:
        self.path.joinpath(name).write_bytes(data.encode() if isinstance(data, str) else data)

    def replace(self, name: str, old: str, new: str) -> None:
        text = self.path.joinpath(name).read_text("utf-8")
        assert old in text
        self.write(name, text.replace(old, new))

    def check(self, *more: str | Path) -> Ended:
        return oncokring("site", "check", self.path, *more, cwd=self.folder)

    def refused(self, *more: str | Path) -> str:
        """The sentence with which the program ends; it opened and ran nothing."""
        ended = self.check(*more)
        sentence = said_in_a_sentence(ended, folder=self.folder)
        assert CANARY not in ended.out + ended.err
        assert not (self.folder / "owned").exists()
        assert not (self.path / "owned").exists()
        return sentence


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that works."""
    return make(tmp_path_factory.mktemp("good"), MAPPING, load_codebook(CODEBOOK))


def copied(good: Path, folder: Path) -> Site:
    """A copy to spoil, with a file beside it that nothing may open."""
    shutil.copytree(good, folder / "site")
    (folder / "secret.csv").write_text(f"nr,leeftijd,graad,datum\n{CANARY},44,{CANARY},x\n")
    return Site(folder)


@pytest.fixture
def site(good: Path, tmp_path: Path) -> Site:
    return copied(good, tmp_path)


def rows_of(ended: Ended) -> int:
    """How many rows the report of a good directory says; AssertionError when it is not good."""
    assert (ended.code, ended.err) == (0, ""), ended
    return int(json.loads(ended.out)[0]["rows"])
