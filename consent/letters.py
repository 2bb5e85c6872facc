"""The code in a patient's letter: six characters that name it and sixteen that prove it.

Crockford base32 without I, L, O and U, so that a code can be read aloud and typed from paper. The
secret has 80 bits. The site makes the letter; the hub keeps only a verifier (Argon2id) of a key
made from the secret, from which the key that proves a yes cannot be made (consent/proof.py).
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from consent.proof import login_key, proof_key
from consent.second_factor import second_key

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ID_LENGTH: Final = 6
SECRET_LENGTH: Final = 16
MAX_TYPED: Final = 100

# What a reader may take one character for; U is not in the alphabet and stays wrong.
_TAKEN_FOR: Final = str.maketrans({"O": "0", "I": "1", "L": "1"})
# Characters that people and word processors put between groups.
_BETWEEN: Final = frozenset(" -_.\t\r\n\u00a0\u00ad\u2010\u2011\u2012\u2013\u2014\u2212")

# OWASP's smallest setting for Argon2id: the secret is random with 80 bits, so a slower one would
# add nothing against guessing and would cost the hub memory when many people sign in.
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


@dataclass(frozen=True)
class Letter:
    """A fresh code. `secret` goes into the letter and is then forgotten."""

    code_id: str
    secret: str

    @property
    def printed(self) -> str:
        """As it stands in the letter: ABC123-XXXX-XXXX-XXXX-XXXX."""
        groups = [self.secret[at : at + 4] for at in range(0, SECRET_LENGTH, 4)]
        return "-".join([self.code_id, *groups])


def new_letter(choose: Callable[[str], str] = secrets.choice) -> Letter:
    """A new random code. `choose` picks one character; give another only in tests."""
    return Letter(
        code_id="".join(choose(ALPHABET) for _ in range(ID_LENGTH)),
        secret="".join(choose(ALPHABET) for _ in range(SECRET_LENGTH)),
    )


def read_code(typed: str) -> Letter | None:
    """What a patient typed, forgiving case, spaces, dashes, O for 0 and I or L for 1.

    None when it cannot be a code; the caller answers as for a wrong one.
    """
    plain = read_plain(typed, ID_LENGTH + SECRET_LENGTH)
    if plain is None:
        return None
    return Letter(code_id=plain[:ID_LENGTH], secret=plain[ID_LENGTH:])


def read_plain(typed: str, length: int) -> str | None:
    """The characters of any code of ours of this length, as forgivingly as `read_code`."""
    if len(typed) > MAX_TYPED:
        return None
    plain = "".join(mark for mark in typed.upper() if mark not in _BETWEEN).translate(_TAKEN_FOR)
    if len(plain) != length or any(mark not in ALPHABET for mark in plain):
        return None
    return plain


def verifier(code_id: str, secret: str) -> str:
    """What the hub keeps of a letter: Argon2id of its login key as a PHC string, own salt."""
    return _HASHER.hash(login_key(code_id, secret))


def second_verifier(code_id: str, secret: str, digits: str) -> str:
    """What the hub keeps of the six digits that go with a letter (consent/second_factor.py)."""
    return _HASHER.hash(second_key(proof_key(code_id, secret), digits))


def is_verifier(text: str) -> bool:
    """Whether `text` is a PHC string of Argon2id."""
    return text.startswith("$argon2id$v=19$") and text.count("$") == 5 and len(text) <= 200


def proves(stored: str, code_id: str, secret: str) -> bool:
    """Whether `stored` is of this letter; a damaged verifier proves nothing."""
    return _fits(stored, login_key(code_id, secret))


def second_proves(stored: str, key: bytes, digits: str) -> bool:
    """Whether `stored` is of these digits; `key`: the proof key of the letter they go with."""
    return _fits(stored, second_key(key, digits))


class Checking:
    """Checks secrets, each of them once: what was found before is known afterwards.

    Argon2id takes its time on purpose. Asked before the transaction in which the answer counts, it
    keeps nobody waiting who wants to write; in the transaction the same question costs nothing, and
    another one (a letter that was replaced in between) is worked out anew.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], bool] = {}

    def proves(self, stored: str, code_id: str, secret: str) -> bool:
        """As `proves`."""
        return self._fits(stored, login_key(code_id, secret))

    def second_proves(self, stored: str, key: bytes, digits: str) -> bool:
        """As `second_proves`."""
        return self._fits(stored, second_key(key, digits))

    def _fits(self, stored: str, text: str) -> bool:
        asked = (stored, text)
        if asked not in self._found:
            self._found[asked] = _fits(stored, text)
        return self._found[asked]


def _fits(stored: str, text: str) -> bool:
    """One try, always one run of Argon2id: tests count the calls, so that no refusal is quicker."""
    try:
        return _HASHER.verify(stored, text)
    except (Argon2Error, InvalidHashError):
        return False
