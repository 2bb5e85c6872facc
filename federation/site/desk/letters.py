"""Letters that invite a patient, or somebody who speaks for one, to choose.

The secret of a letter is printed and kept nowhere. The hub gets what recognises it; this hospital
keeps the key that proves a yes made with it.
"""

import os
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from consent.parties import SELF, UNDER_12, needed
from consent.proof import login_key, proof_key
from consent.second_factor import new_digits, second_key
from federation.site import audit
from federation.site.choices.outbox import Outbox
from federation.site.choices.parties import Person, person
from federation.site.choices.pseudonyms import handle_text
from federation.site.errors import SetupError
from federation.site.store import milliseconds

VALID_FOR: Final = timedelta(days=90)
LANGUAGES: Final = ("nl", "en")
ID_LENGTH: Final = 6
SECRET_LENGTH: Final = 16
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford: no I, L, O, U


@dataclass(frozen=True)
class Letter:
    """What goes to one person: the printed code, and by another way the six digits ("" when the
    letter alone opens)."""

    code_id: str
    printed: str
    digits: str
    language: str
    party: str
    role: str
    expires: datetime


@dataclass(frozen=True)
class Prepared:
    """A letter that is not out yet. `key` proves a yes made with it; `told`: what the hub gets."""

    letter: Letter
    handle: bytes
    key: bytes
    told: Mapping[str, Any]


class Letters:
    """Makes letters of one site. `by`: the person who does, for the log; "" when nobody said."""

    def __init__(self, database: sqlite3.Connection, outbox: Outbox, by: str = "") -> None:
        self._database = database
        self._outbox = outbox
        self._by = by

    def prepare(
        self,
        handle: bytes,
        studies: Sequence[str],
        now: datetime,
        *,
        language: str = "nl",
        party: str = SELF,
        second: bool = True,
        valid_for: timedelta = VALID_FOR,
    ) -> Prepared:
        """A letter with a fresh code (80 secret bits); nothing is written down yet.

        SetupError for a person who does not speak for this patient, and for a patient who has
        died.
        """
        role = self._role(handle, party, now, valid_for)
        code_id, secret = _random_code(ID_LENGTH), _random_code(SECRET_LENGTH)
        key = proof_key(code_id, secret)
        digits = new_digits() if second else ""
        groups = [secret[at : at + 4] for at in range(0, SECRET_LENGTH, 4)]
        expires = now + valid_for
        told = {
            "handle": handle_text(handle),
            "code_id": code_id,
            "verifier": _verifier(login_key(code_id, secret)),
            "second_verifier": _verifier(second_key(key, digits)) if second else None,
            "studies": sorted(set(studies)),
            "language": language,
            "party": party,
            "role": role,
            "expires": milliseconds(expires),
        }
        printed = "-".join([code_id, *groups])
        letter = Letter(code_id, printed, digits, language, party, role, expires)
        return Prepared(letter, handle, key, told)

    def keep(self, prepared: Prepared, now: datetime) -> Letter:
        """Write the letter down and tell the hub; an earlier one to the same person about this
        patient ends. Call inside a transaction."""
        letter = prepared.letter
        self._keep(letter.code_id, prepared.handle, letter.party, letter.role, prepared.key, now)
        self._outbox.add("invitation", prepared.told, now)
        return letter

    def make(self, handle: bytes, studies: Sequence[str], now: datetime, **more: Any) -> Letter:
        """`prepare` and `keep` at once. Call inside a transaction."""
        return self.keep(self.prepare(handle, studies, now, **more), now)

    def _role(self, handle: bytes, party: str, now: datetime, valid_for: timedelta) -> str:
        known = person(self._database, handle)
        if known.died:
            raise SetupError("this patient has died; no letter is made.", "died")
        roles = {SELF: SELF} | {each.party: each.role for each in known.speakers}
        if party not in roles:
            raise SetupError(
                "this patient has no representative with this name; see site person.",
                "party_unknown",
            )
        soon = needed(known.needed, now) | needed(known.needed, now + valid_for)
        if known.needed and party not in soon and (party != SELF or _is_child(known)):
            raise SetupError(
                "the yes of this person is not needed now; see whose is with: site person.",
                "yes_not_needed",
            )
        return roles[party]

    def _keep(
        self, code_id: str, handle: bytes, party: str, role: str, key: bytes, now: datetime
    ) -> None:
        self._database.execute(
            "UPDATE letter SET ended_at = ? WHERE handle = ? AND party = ? AND ended_at IS NULL",
            (milliseconds(now), handle, party),
        )
        self._database.execute(
            "INSERT INTO letter (code_id, handle, party, role, proof_key, made_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (code_id, handle, party, role, key, milliseconds(now)),
        )
        made_by = {"names": self._by} if self._by else {}
        audit.record(self._database, "LETTER", {"kind": role, **made_by}, now)


def counts(database: sqlite3.Connection) -> dict[str, int]:
    """How many letters are out, and how many a newer one replaced."""
    out, ended = database.execute(
        "SELECT count(*) FILTER (WHERE ended_at IS NULL), count(ended_at) FROM letter"
    ).fetchone()
    return {"out": int(out), "ended": int(ended)}


def _is_child(known: Person) -> bool:
    return known.age is not None and known.age.age_class == UNDER_12


def _verifier(text: str) -> str:
    """Argon2id as a PHC string, with the parameters of consent.letters."""
    hasher = Argon2id(salt=os.urandom(16), length=32, iterations=2, lanes=1, memory_cost=19_456)
    return hasher.derive_phc_encoded(text.encode())


def _random_code(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
