"""A patient's answers while the form is being filled in: encrypted, for seven days, never counted.

One draft per patient, speaker and study. It is not bound to a session, so that who is signed out
halfway goes on where they were. Only the hub's secret opens it, and only in its own place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from secrets import token_bytes
from typing import Final
from uuid import uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import delete
from sqlalchemy.orm import Session

from consent.models_people import Draft as Row

KEPT: Final = timedelta(days=7)
_NONCE: Final = 12


@dataclass(frozen=True)
class Place:
    """Whose draft it is and about what; the hub's secret that opens it."""

    subject: str
    party: str
    study: str
    secret: str = field(repr=False)

    @property
    def bound(self) -> bytes:
        return "\n".join((self.subject, self.party, self.study)).encode("utf-8")

    def cipher(self) -> AESGCM:
        """AES-256-GCM under a key that is used for drafts only."""
        derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"oncokring/v1/draft")
        return AESGCM(derive.derive(self.secret.encode("utf-8")))


@dataclass(frozen=True)
class Answers:
    """The answers so far: item code -> "yes", "no" or "later"; `text` is what they are about.

    key: makes sending the form twice one act. way: how the patient wanted to choose. read: the
    languages in which pages of this form were read. receipt: what the last sending became.
    """

    text: str
    key: str
    given: Mapping[str, str] = field(default_factory=dict)
    way: str = ""
    read: tuple[str, ...] = ()
    receipt: str = ""

    def answering(self, new: Mapping[str, str], language: str) -> Answers:
        """With these answers too, read in this language; after a receipt it is a new form."""
        begun = replace(self, receipt="", key=str(uuid4())) if self.receipt else self
        return replace(begun, given={**self.given, **new}).reading(language)

    def reading(self, language: str) -> Answers:
        """With this language among those it was read in."""
        return replace(self, read=tuple(sorted({*self.read, language})))

    def recorded(self, receipt: str) -> Answers:
        """Without the answers: they are in the log now."""
        return Answers(self.text, str(uuid4()), read=(), receipt=receipt)


def get(session: Session, place: Place, text: str, now: datetime) -> Answers:
    """The draft at this place; a fresh one when there is none, it is old, or the text changed."""
    row = session.get(Row, (place.subject, place.party, place.study))
    fresh = Answers(text, str(uuid4()))
    if row is None or now - row.updated_at > KEPT:
        return fresh
    found = _opened(place, row.sealed)
    return found if found is not None and found.text == text else fresh


def keep(session: Session, place: Place, answers: Answers, now: datetime) -> None:
    """Store the draft, and forget every draft that has had its seven days."""
    forget_old(session, now)
    row = session.get(Row, (place.subject, place.party, place.study))
    if row is None:
        row = Row(subject_id=place.subject, party=place.party, study=place.study)
        session.add(row)
    row.sealed, row.updated_at = _sealed(place, answers), now
    session.flush()


def forget_old(session: Session, now: datetime) -> None:
    """Delete the drafts that have had their seven days; the worker does it too."""
    session.execute(delete(Row).where(Row.updated_at < now - KEPT))


def _sealed(place: Place, answers: Answers) -> bytes:
    plain = {
        "text": answers.text,
        "key": answers.key,
        "given": dict(answers.given),
        "way": answers.way,
        "read": list(answers.read),
        "receipt": answers.receipt,
    }
    nonce = token_bytes(_NONCE)
    return nonce + place.cipher().encrypt(nonce, json.dumps(plain).encode("utf-8"), place.bound)


def _opened(place: Place, sealed: bytes) -> Answers | None:
    try:
        plain = place.cipher().decrypt(sealed[:_NONCE], sealed[_NONCE:], place.bound)
    except (InvalidTag, ValueError):
        return None  # sealed under an older secret, or moved here from elsewhere: not a draft
    found = json.loads(plain)
    return Answers(
        found["text"],
        found["key"],
        found["given"],
        found["way"],
        tuple(found["read"]),
        found["receipt"],
    )
