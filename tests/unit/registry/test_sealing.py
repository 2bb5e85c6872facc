"""Sealed values: one use, one owner, nothing readable, nothing changed unseen."""

from __future__ import annotations

import pytest

from registry.accounts.sealing import derived, opened, seal

SECRET = "a secret of the hub that is long enough 0123456789"
KEY = derived(SECRET, "proof")
VALUE = {"letter": "ABC123", "key": "ab" * 32}


def test_what_was_sealed_opens_for_the_same_use_and_owner_only() -> None:
    sealed = seal(KEY, VALUE, "session-1")
    assert opened(KEY, sealed, "session-1") == VALUE
    assert opened(KEY, sealed, "session-2") is None
    assert opened(derived(SECRET, "other"), sealed, "session-1") is None
    assert opened(derived(SECRET + "x", "proof"), sealed, "session-1") is None
    assert "ABC123" not in sealed
    assert sealed != seal(KEY, VALUE, "session-1")


def test_every_changed_character_is_noticed() -> None:
    sealed = seal(KEY, VALUE, "s")
    for at, mark in enumerate(sealed[:-1]):  # the last one may hold spare bits
        other = "A" if mark != "A" else "B"
        assert opened(KEY, sealed[:at] + other + sealed[at + 1 :], "s") is None


@pytest.mark.parametrize("text", ["", "A", "AAAA", "é", "not sealed at all", "A" * 5000, "{}"])
def test_anything_else_is_nothing(text: str) -> None:
    assert opened(KEY, text, "s") is None
