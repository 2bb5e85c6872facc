"""The six digits: forgiving to type, tied to their letter, useless without it."""

from __future__ import annotations

import pytest

from consent import letters
from consent.proof import proof_key
from consent.second_factor import new_digits, read_digits, second_key

KEY = proof_key("ABC123", "0123456789ABCDEF")


@pytest.mark.parametrize("typed", ["604117", " 604 117 ", "604-117", "6 0 4 1 1 7", "604.117\n"])
def test_any_spelling_of_the_digits(typed: str) -> None:
    assert read_digits(typed) == "604117"


@pytest.mark.parametrize("typed", ["", "60411", "6041177", "60411a", "٦٠٤١١٧", "²04117", "1" * 50])
def test_what_cannot_be_digits(typed: str) -> None:
    assert read_digits(typed) is None


def test_new_digits_are_six_and_differ() -> None:
    made = [new_digits() for _ in range(200)]
    assert all(read_digits(one) == one for one in made)
    assert len(set(made)) > 190


def test_the_same_digits_of_another_letter_are_other_digits() -> None:
    kept = letters.second_verifier("ABC123", "0123456789ABCDEF", "604117")
    assert letters.is_verifier(kept)
    assert letters.second_proves(kept, KEY, "604117")
    assert not letters.second_proves(kept, KEY, "604118")
    assert not letters.second_proves(kept, proof_key("ABC123", "0123456789ABCDEG"), "604117")
    assert not letters.second_proves("broken", KEY, "604117")
    assert second_key(KEY, "604117") != second_key(KEY, "604118")


def test_without_the_proof_key_the_verifier_says_nothing_of_the_digits() -> None:
    # What a thief of the hub's database would try: all digits, with any key the hub has.
    kept = letters.second_verifier("ABC123", "0123456789ABCDEF", "604117")
    assert not letters.second_proves(kept, bytes(32), "604117")
    assert not letters.second_proves(kept, b"", "604117")
