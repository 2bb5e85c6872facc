"""Patients as the hub knows them: a handle of one hospital, a letter, a way to sign in."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from consent import letters
from consent.errors import ConsentError
from consent.items import LANGUAGES
from consent.models import Invitation, Subject
from consent.second_factor import read_digits
from consent.snapshot import HANDLE_BYTES
from consent.speakers import has_begun, has_ended
from studies.actor import SYSTEM, Actor
from studies.events import announce
from studies.models import Institution, Participation, Study

VALID_FOR: Final = timedelta(days=90)
MAX_FAILED: Final = 5
LOCKED_FOR: Final = timedelta(hours=1)
_PARTY: Final = re.compile(r"self|p-[A-Za-z0-9_-]{1,38}")

# Compared with when no letter has the typed code, so that the answer takes as long.
_NOBODY: Final = letters.verifier("0" * letters.ID_LENGTH, "0" * letters.SECRET_LENGTH)
LETTER_LEVEL: Final = "letter"
SECOND_LEVEL: Final = "letter+second"


@dataclass(frozen=True)
class SignIn:
    """What came of a typed code. `subject` is None for every kind of refusal.

    A refusal is not an exception, because the failed try must be committed. `actor` acts for the
    patient; `studies` are those the letter names. `letter` is the code's id, `party` whose letter
    it is, `level` how sure this is. `waits_for_digits`: the letter is right, but nobody is signed
    in before its six digits came too (:func:`sign_in_with_digits`). `not_begun`: all was right, but
    the appointment of this representative begins later.
    """

    subject: Subject | None
    actor: Actor | None
    studies: tuple[str, ...] = ()
    language: str = "nl"
    letter: str = ""
    party: str = "self"
    level: str = LETTER_LEVEL
    waits_for_digits: bool = False
    not_begun: bool = False

    def accepted(self) -> Subject:
        """The subject; raises ConsentError `code_invalid`, one message for every refusal."""
        if self.subject is None:
            raise ConsentError("code_invalid")
        return self.subject


def handle_text(handle: bytes) -> str:
    """A handle as the hub stores it: 20 bytes in base64url. Raises ValueError for other lengths."""
    if len(handle) != HANDLE_BYTES:
        raise ValueError("a handle has 20 bytes")
    return base64.urlsafe_b64encode(handle).rstrip(b"=").decode("ascii")


def handle_bytes(text: str) -> bytes:
    """The 20 bytes of a stored handle. Raises ValueError for anything else."""
    try:
        handle = base64.b64decode(text.encode("ascii") + b"=", altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("not a handle") from error
    if handle_text(handle) != text:
        raise ValueError("not a handle")
    return handle


def patient(subject: Subject) -> Actor:
    """The actor that stands for this subject; it has no name, the hub never knows one."""
    return Actor(kind="patient", id=subject.id, roles=frozenset({"patient"}))


def add_subject(
    session: Session,
    *,
    site: str,
    handle: bytes,
    network: str,
    now: datetime,
    actor: Actor = SYSTEM,
) -> Subject:
    """The subject with this handle at `site`, made when it is new.

    Raises ConsentError `unknown_site`; ValueError for a handle of another length.
    """
    text = handle_text(handle)
    there = session.scalars(
        select(Subject).where(Subject.site == site, Subject.handle == text)
    ).first()
    if there is not None:
        return there
    if session.get(Institution, site) is None:
        raise ConsentError("unknown_site")
    subject = Subject(site=site, handle=text, network=network, created_at=now)
    session.add(subject)
    session.flush()
    announce(session, actor=actor, action="consent.subject_added", about=f"institution:{site}")
    return subject


def invite(
    session: Session,
    *,
    site: str,
    handle: bytes,
    code_id: str,
    verifier: str,
    studies: Sequence[str],
    language: str,
    actor: Actor,
    now: datetime,
    valid_for: timedelta = VALID_FOR,
    party: str = "self",
    role: str = "self",
    second_verifier: str | None = None,
) -> Invitation:
    """Store the letter that the hospital `site` made for one of its patients.

    verifier: what `letters.verifier` makes of the secret; the secret itself never comes here.
    second_verifier: of the six digits that go another way; None when the letter alone opens.
    party, role: for whom the letter is, the patient ("self") or a representative. An earlier
    letter to the same person about this patient stops working. Raises ConsentError
    `invitation_not_valid`, `unknown_language`, `unknown_site`, `study_not_found` (also for a
    study in which the hospital has no part).
    """
    if language not in LANGUAGES:
        raise ConsentError("unknown_language")
    well_formed = len(code_id) == letters.ID_LENGTH and set(code_id) <= set(letters.ALPHABET)
    if not well_formed or not letters.is_verifier(verifier) or not studies:
        raise ConsentError("invitation_not_valid")
    if second_verifier is not None and not letters.is_verifier(second_verifier):
        raise ConsentError("invitation_not_valid")
    if (party == "self") != (role == "self") or not _PARTY.fullmatch(party):
        raise ConsentError("invitation_not_valid")
    if session.get(Invitation, code_id) is not None:
        raise ConsentError("invitation_not_valid")
    network = _common_network(session, site, studies)
    subject = add_subject(session, site=site, handle=handle, network=network, now=now, actor=actor)
    session.execute(
        update(Invitation)
        .where(
            Invitation.subject_id == subject.id,
            Invitation.party == party,
            Invitation.replaced_at.is_(None),
        )
        .values(replaced_at=now)
    )
    invitation = Invitation(
        code_id=code_id,
        subject_id=subject.id,
        party=party,
        role=role,
        verifier=verifier,
        second_verifier=second_verifier,
        studies=sorted(set(studies)),
        language=language,
        created_at=now,
        expires_at=now + valid_for,
        failed=0,
    )
    session.add(invitation)
    session.flush()
    announce(
        session,
        actor=actor,
        action="consent.invited",
        about=f"institution:{site}",
        facts={"studies": len(invitation.studies), "language": language},
    )
    return invitation


def _common_network(session: Session, site: str, studies: Sequence[str]) -> str:
    if session.get(Institution, site) is None:
        raise ConsentError("unknown_site")
    networks = set(
        session.scalars(
            select(Study.network)
            .join(Participation, Participation.study == Study.slug)
            .where(Study.slug.in_(studies), Participation.institution == site)
        )
    )
    known = session.scalars(
        select(Participation.study).where(
            Participation.study.in_(studies), Participation.institution == site
        )
    )
    if set(known) != set(studies) or len(networks) != 1:
        raise ConsentError("study_not_found")
    return networks.pop()


def code_to_check(session: Session, typed: str) -> tuple[str, str, str]:
    """What `letters.proves` takes for a typed code; of nobody when no letter has it. Reads only."""
    code = letters.read_code(typed)
    invitation = None if code is None else session.get(Invitation, code.code_id)
    return _to_check(invitation, code)


def digits_to_check(
    session: Session, code_id: str, key: bytes, typed: str
) -> tuple[str, bytes, str]:
    """What `letters.second_proves` takes for typed digits; reads only."""
    return _digits_to_check(session.get(Invitation, code_id), key, typed)


def sign_in_with_code(
    session: Session, typed: str, *, now: datetime, checking: letters.Checking | None = None
) -> SignIn:
    """Who the typed code belongs to. The caller commits also when it is refused.

    A wrong, replaced, expired, resting or never issued code gives the same answer after the same
    work, so that nothing can be learnt from it. Five wrong tries in a row let a code rest for an
    hour: with 80 random bits that stops guessing, and a typing error never locks a patient out of
    stopping for long. A code stays good until it expires, so that stopping is as easy as joining.
    checking: has checked the code before this transaction (`code_to_check`).
    """
    code = letters.read_code(typed)
    invitation = None if code is None else _letter(session, code.code_id)
    asked = _to_check(invitation, code)
    code_id = asked[1]
    proven = (checking or letters.Checking()).proves(*asked)
    why = _not_open(session, invitation, now)
    if why is not None or invitation is None:
        return _refused(session, why or "unknown")
    if not proven:
        return _wrong(session, invitation, now)
    if invitation.second_verifier is not None:
        return SignIn(None, None, letter=code_id, party=invitation.party, waits_for_digits=True)
    return _open(session, invitation, LETTER_LEVEL, now)


def sign_in_with_digits(
    session: Session,
    code_id: str,
    key: bytes,
    typed: str,
    *,
    now: datetime,
    resting: bool = False,
    checking: letters.Checking | None = None,
) -> SignIn:
    """Who is signed in by a letter (its proof key, from the code before) and its six digits.

    The same answer after the same work for every refusal. Wrong digits count with the wrong tries
    of the letter's code, and only both together clear that count. resting: too many digits were
    tried, so that even the right ones are refused. checking: as `sign_in_with_code`, with
    `digits_to_check`.
    """
    invitation = _letter(session, code_id)
    stored = None if invitation is None else invitation.second_verifier
    digits = read_digits(typed)
    proven = (checking or letters.Checking()).second_proves(
        *_digits_to_check(invitation, key, typed)
    )
    why = _not_open(session, invitation, now)
    if why is not None or invitation is None:
        return _refused(session, why or "unknown")
    if resting:
        return _refused(session, "resting")
    if stored is None or digits is None or not proven:
        return _wrong(session, invitation, now)
    return _open(session, invitation, SECOND_LEVEL, now)


def letter_of(
    session: Session,
    subject: Subject,
    party: str,
    typed: str,
    now: datetime,
    checking: letters.Checking | None = None,
) -> str:
    """The id of the letter that was typed again to prove a yes, when it is this person's own.

    Raises ConsentError `code_invalid` for every other code, after the same work. A wrong try of
    this person's own letter counts with those of the door. checking: as `sign_in_with_code`.
    """
    code = letters.read_code(typed)
    invitation = None if code is None else _letter(session, code.code_id)
    asked = _to_check(invitation, code)
    code_id = asked[1]
    proven = (checking or letters.Checking()).proves(*asked)
    if invitation is None or _not_open(session, invitation, now) is not None:
        raise ConsentError("code_invalid")
    if (invitation.subject_id, invitation.party) != (subject.id, party):
        raise ConsentError("code_invalid")
    if not proven:
        _wrong(session, invitation, now)
        raise ConsentError("code_invalid")
    return code_id


def role_of(session: Session, subject: Subject, party: str) -> str:
    """In which role this party speaks about the patient: "self", "parent", "guardian" and so on."""
    newest = (
        select(Invitation.role)
        .where(Invitation.subject_id == subject.id, Invitation.party == party)
        .order_by(Invitation.created_at.desc())
    )
    return session.scalars(newest).first() or "self"


def _to_check(invitation: Invitation | None, code: letters.Letter | None) -> tuple[str, str, str]:
    stored = _NOBODY if invitation is None else invitation.verifier
    return (stored, "", "") if code is None else (stored, code.code_id, code.secret)


def _digits_to_check(
    invitation: Invitation | None, key: bytes, typed: str
) -> tuple[str, bytes, str]:
    stored = None if invitation is None else invitation.second_verifier
    return stored or _NOBODY, key, read_digits(typed) or ""


def _letter(session: Session, code_id: str) -> Invitation | None:
    query = select(Invitation).where(Invitation.code_id == code_id).with_for_update()
    return session.scalars(query).first()


def _not_open(session: Session, invitation: Invitation | None, now: datetime) -> str | None:
    """Why a letter opens nothing at `now`, whatever was typed; None when it may."""
    if invitation is None:
        return "unknown"
    if invitation.replaced_at is not None or now >= invitation.expires_at:
        return "ended"
    if has_ended(session, invitation.subject_id, invitation.party, now):
        return "ended"
    if invitation.locked_until is not None and now < invitation.locked_until:
        return "resting"
    return None


def _wrong(session: Session, invitation: Invitation, now: datetime) -> SignIn:
    invitation.failed += 1
    if invitation.failed >= MAX_FAILED:
        invitation.failed = 0
        invitation.locked_until = now + LOCKED_FOR
    session.flush()
    return _refused(session, "wrong")


def _open(session: Session, invitation: Invitation, level: str, now: datetime) -> SignIn:
    invitation.failed = 0
    invitation.locked_until = None
    if not has_begun(session, invitation.subject_id, invitation.party, now):
        return replace(_refused(session, "not_begun"), not_begun=True)
    invitation.first_used_at = invitation.first_used_at or now
    invitation.last_used_at = now
    session.flush()
    subject = invitation.subject
    actor = patient(subject)
    announce(session, actor=actor, action="consent.signed_in", about=f"institution:{subject.site}")
    return SignIn(
        subject,
        actor,
        tuple(invitation.studies),
        invitation.language,
        invitation.code_id,
        invitation.party,
        level,
    )


def _refused(session: Session, why: str) -> SignIn:
    # The audit says why; the patient, and whoever tries codes, gets one message.
    announce(
        session,
        actor=Actor(kind="patient", id="unknown"),
        action="consent.sign_in_refused",
        about="letter",
        facts={"why": why},
    )
    return SignIn(None, None)
