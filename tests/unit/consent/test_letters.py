"""The code in the letter: forgiving to type, useless to guess, kept only as a verifier."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.letters import (
    ALPHABET,
    Letter,
    is_verifier,
    new_letter,
    proves,
    read_code,
    verifier,
)

LETTER = Letter("ABC123", "0123456789ABCDEF")


@pytest.mark.parametrize(
    "typed",
    [
        "ABC123-0123-4567-89AB-CDEF",
        "abc123-0123-4567-89ab-cdef",
        "  ABC123 0123 4567 89AB CDEF \n",
        "abc1230123456789abcdef",
        "ABC123–O123—4567‑89AB−CDEF",
        "abcI23.oL23.4567.89ab.cdef",
        "A B C 1 2 3 0 1 2 3 4 5 6 7 8 9 A B C D E F",
    ],
)
def test_forgiving(typed: str) -> None:
    assert read_code(typed) == LETTER


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "ABC123",
        "ABC123-0123-4567-89AB-CDE",
        "ABC123-0123-4567-89AB-CDEFF",
        "ABC123-0123-4567-89AB-CDEU",
        "ABC123-0123-4567-89AB-CDE!",
        "ABC123-0123-4567-89AB-CDE\u0660",
        " " * 101,
        "ABC123-0123-4567-89AB-CDEF" + " " * 100,
    ],
)
def test_what_cannot_be_a_code(typed: str) -> None:
    assert read_code(typed) is None


@given(st.text(max_size=120))
def test_reading_never_fails(typed: str) -> None:
    code = read_code(typed)
    if code is not None:
        assert set(code.code_id + code.secret) <= set(ALPHABET)


def test_a_printed_letter_reads_back() -> None:
    for _ in range(50):
        letter = new_letter()
        assert read_code(letter.printed) == letter
        assert read_code(letter.printed.lower().replace("-", " ")) == letter


def test_letters_differ_and_have_no_doubtful_character() -> None:
    letters = {new_letter().printed for _ in range(200)}
    assert len(letters) == 200
    assert not set("ILOU") & set("".join(letters))


def test_a_secret_has_eighty_bits() -> None:
    letter = new_letter()
    assert len(ALPHABET) == 32
    assert len(letter.secret) * 5 == 80


def test_a_verifier_proves_its_secret_only() -> None:
    kept = verifier(LETTER.code_id, LETTER.secret)
    assert is_verifier(kept)
    assert LETTER.secret not in kept
    assert proves(kept, LETTER.code_id, LETTER.secret)
    assert not proves(kept, LETTER.code_id, LETTER.secret[:-1] + "0")
    assert not proves(kept, LETTER.code_id, "")
    assert not proves(kept, "ABC124", LETTER.secret)
    assert kept != verifier(LETTER.code_id, LETTER.secret)


@pytest.mark.parametrize("kept", ["", "secret", "$argon2id$v=19$broken", "$2b$12$abc"])
def test_a_damaged_verifier_proves_nothing(kept: str) -> None:
    assert not proves(kept, LETTER.code_id, LETTER.secret)
    assert not is_verifier(kept)
