"""A hospital's word about whom it counted by: opened with its own key, or not at all."""

from datetime import UTC, datetime
from typing import Any

import pytest

from federation.protocol.basis import open_basis, sign_basis
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import SigningKey

NOW = datetime(2026, 11, 23, tzinfo=UTC)
KEY = SigningKey.generate()
WORD: dict[str, Any] = {
    "run": "r",
    "study": "s",
    "software": "oncokring/1",
    "query_sha256": "a" * 64,
    "roster_sha256": "b" * 64,
    "policy_sha256": "c" * 64,
    "snapshot": 3,
    "log": {"size": 9, "root": "d" * 64},
    "requires": ["use.record"],
}


@pytest.mark.parametrize("log", [WORD["log"], None])
def test_it_comes_back_as_it_was_said(log: object) -> None:
    told = {**WORD, "log": log}
    opened = open_basis(sign_basis(KEY, "here", NOW, told), "here", KEY.public)
    assert {name: opened[name] for name in told} == told


def test_nobody_else_says_it() -> None:
    said = sign_basis(KEY, "here", NOW, WORD)
    for site, public, code in (
        ("there", KEY.public, "UNKNOWN_KEY"),
        ("here", SigningKey.generate().public, "UNKNOWN_KEY"),
    ):
        with pytest.raises(ProtocolError, match=code):
            open_basis(said, site, public)


@pytest.mark.parametrize(
    "change",
    [
        {"query_sha256": "a"},
        {"policy_sha256": 1},
        {"run": None},
        {"study": "x" * 101},
        {"snapshot": True},
        {"snapshot": -1},
        {"log": 3},
        {"log": {"size": 9}},
        {"log": {"size": -1, "root": "d" * 64}},
        {"log": {"size": 9, "root": "d"}},
        {"requires": []},
        {"requires": "use.record"},
        {"requires": [1]},
        {"requires": ["x" * 65]},
    ],
)
def test_anything_else_is_no_word(change: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError, match="BAD_CLAIMS"):
        open_basis(sign_basis(KEY, "here", NOW, {**WORD, **change}), "here", KEY.public)


@pytest.mark.parametrize("name", sorted(WORD))
def test_nothing_is_left_out(name: str) -> None:
    told = {key: value for key, value in WORD.items() if key != name}
    with pytest.raises(ProtocolError, match="BAD_CLAIMS"):
        open_basis(sign_basis(KEY, "here", NOW, told), "here", KEY.public)
