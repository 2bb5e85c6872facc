"""The door for patients with a letter: its code, then the six digits, each under one limiter.

These functions sit at the edge: each opens its own unit of work, because a wrong try must be
counted and audited although the request fails. The secret itself is checked before that unit of
work, because Argon2id takes its time and only one can write at a time. The key that proves a yes is
handed back to go into the browser's sealed cookie; it is never written down here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from consent import letters, subjects
from consent.errors import ConsentError
from consent.models import Subject
from consent.proof import proof_key
from registry.access import ANONYMOUS
from registry.accounts import attempts
from registry.accounts.sessions import start
from registry.database import SessionFactory
from registry.transaction import reading, unit_of_work
from studies.actor import Actor


@dataclass(frozen=True)
class Trier:
    """Who tries a secret: its session (or what stands for one) and the hash of its address."""

    session: str
    address: str

    def keys(self) -> tuple[str, ...]:
        """What a wrong try counts under, and what may lock it."""
        session = (attempts.session_key(self.session),) if self.session else ()
        return (*session, attempts.address_key(self.address), attempts.overall_key())


@dataclass(frozen=True)
class LetterKey:
    """A letter that was shown to be right: its code's id and the key that proves a yes."""

    code_id: str
    key: bytes


@dataclass(frozen=True)
class Waiting:
    """The letter is right; its six digits are still to come. Nobody is signed in."""

    letter: LetterKey


@dataclass(frozen=True)
class Arrived:
    """A patient is signed in: the new session's id, who, and the letter they proved (if any)."""

    session_id: str
    actor: Actor
    letter: LetterKey | None


def sign_in_with_letter(
    factory: SessionFactory,
    *,
    typed: str,
    trier: Trier,
    now: datetime,
    previous: str | None = None,
) -> Arrived | Waiting:
    """Try the code of a letter; a new session replaces `previous`.

    Raises ConsentError ``code_invalid`` for every kind of wrong code, ``not_begun`` for a right one
    of a representative before their appointment begins, or AccountError LOCKED when there were too
    many wrong tries from here.
    """
    checking = letters.Checking()
    with reading(factory) as session:
        attempts.check(session, trier.keys(), now)
        asked = subjects.code_to_check(session, typed)
    checking.proves(*asked)
    with unit_of_work(factory, ANONYMOUS) as session:
        attempts.check(session, trier.keys(), now)
        found = subjects.sign_in_with_code(session, typed, now=now, checking=checking)
        arrived = _settle(session, found, trier, now, previous)
    _check_begun(found)
    if found.waits_for_digits:
        return Waiting(_key_of(typed))
    if arrived is None:
        raise ConsentError("code_invalid")
    return Arrived(*arrived, _key_of(typed))


def sign_in_with_digits(
    factory: SessionFactory,
    *,
    letter: LetterKey,
    typed: str,
    trier: Trier,
    now: datetime,
    previous: str | None = None,
) -> Arrived:
    """Try the six digits that go with a letter that was right.

    Raises ConsentError ``code_invalid``, also for digits that are locked: nobody who guesses learns
    when to stop. AccountError LOCKED as for the letter.
    """
    key = attempts.digits_key(letter.code_id)
    checking = letters.Checking()
    with reading(factory) as session:
        attempts.check(session, trier.keys(), now)
        asked = subjects.digits_to_check(session, letter.code_id, letter.key, typed)
    checking.second_proves(*asked)
    with unit_of_work(factory, ANONYMOUS) as session:
        attempts.check(session, trier.keys(), now)
        found = subjects.sign_in_with_digits(
            session,
            letter.code_id,
            letter.key,
            typed,
            now=now,
            resting=attempts.is_locked(session, key, now),
            checking=checking,
        )
        arrived = _settle(session, found, trier, now, previous)
        if arrived is None and not found.not_begun:
            attempts.count(session, (key,), now)
        else:
            attempts.clear(session, key)
    _check_begun(found)
    if arrived is None:
        raise ConsentError("code_invalid")
    return Arrived(*arrived, letter)


def confirm_letter(
    factory: SessionFactory,
    *,
    actor: Actor,
    party: str,
    typed: str,
    trier: Trier,
    now: datetime,
    about: str | None = None,
) -> LetterKey:
    """The letter's code once more, from somebody who is signed in, to prove a yes.

    Only a letter to this person about this patient will do; `about` names another subject that
    the caller knows to be the same patient. Raises as `sign_in_with_letter`.
    """
    checking = letters.Checking()
    with reading(factory) as session:
        attempts.check(session, trier.keys(), now)
        asked = subjects.code_to_check(session, typed)
    checking.proves(*asked)
    with unit_of_work(factory, actor) as session:
        attempts.check(session, trier.keys(), now)
        subject = session.get_one(Subject, about or actor.id)
        right = True
        try:
            subjects.letter_of(session, subject, party, typed, now, checking)
        except ConsentError:
            right = False
            attempts.count(session, trier.keys(), now)
    if not right:
        raise ConsentError("code_invalid")
    return _key_of(typed)


def _settle(
    session: Session,
    found: subjects.SignIn,
    trier: Trier,
    now: datetime,
    previous: str | None,
) -> tuple[str, Actor] | None:
    """The new session of whoever was found; None (and one more wrong try) for nobody."""
    if found.actor is not None:
        made = start(
            session,
            now=now,
            subject_id=found.actor.id,
            previous=previous,
            level=found.level,
            party=found.party,
        )
        return made, found.actor
    if not found.waits_for_digits and not found.not_begun:
        attempts.count(session, trier.keys(), now)
    return None


def _check_begun(found: subjects.SignIn) -> None:
    """Only who holds the letter, and its digits, learns that it is too early."""
    if found.not_begun:
        raise ConsentError("not_begun")


def _key_of(typed: str) -> LetterKey:
    code = letters.read_code(typed)
    if code is None:
        raise ConsentError("code_invalid")
    return LetterKey(code.code_id, proof_key(code.code_id, code.secret))
