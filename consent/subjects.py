"""Patients as the hub knows them: a handle of one hospital, a letter, a way to sign in."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from consent import letters
from consent.errors import ConsentError
from consent.items import LANGUAGES
from consent.models import Invitation, Subject
from consent.snapshot import HANDLE_BYTES
from studies.actor import SYSTEM, Actor
from studies.events import announce
from studies.models import Institution, Participation, Study

VALID_FOR: Final = timedelta(days=90)
MAX_FAILED: Final = 5
LOCKED_FOR: Final = timedelta(hours=1)

# Compared with when no letter has the typed code, so that the answer takes as long.
_NOBODY: Final = letters.verifier("0" * letters.SECRET_LENGTH)


@dataclass(frozen=True)
class SignIn:
    """What came of a typed code. `subject` is None for every kind of refusal.

    A refusal is not an exception, because the failed try must be committed. `actor` acts for the
    patient; `studies` are those the letter names.
    """

    subject: Subject | None
    actor: Actor | None
    studies: tuple[str, ...] = ()
    language: str = "nl"

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
) -> Invitation:
    """Store the letter that the hospital `site` made for one of its patients.

    verifier: what `letters.verifier` makes of the secret; the secret itself never comes here.
    An earlier letter to the same patient stops working. Raises ConsentError
    `invitation_not_valid`, `unknown_language`, `unknown_site`, `study_not_found` (also for a
    study in which the hospital has no part).
    """
    if language not in LANGUAGES:
        raise ConsentError("unknown_language")
    well_formed = len(code_id) == letters.ID_LENGTH and set(code_id) <= set(letters.ALPHABET)
    if not well_formed or not letters.is_verifier(verifier) or not studies:
        raise ConsentError("invitation_not_valid")
    if session.get(Invitation, code_id) is not None:
        raise ConsentError("invitation_not_valid")
    network = _common_network(session, site, studies)
    subject = add_subject(session, site=site, handle=handle, network=network, now=now, actor=actor)
    session.execute(
        update(Invitation)
        .where(Invitation.subject_id == subject.id, Invitation.replaced_at.is_(None))
        .values(replaced_at=now)
    )
    invitation = Invitation(
        code_id=code_id,
        subject_id=subject.id,
        verifier=verifier,
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


def sign_in_with_code(session: Session, typed: str, *, now: datetime) -> SignIn:
    """Who the typed code belongs to. The caller commits also when it is refused.

    A wrong, replaced, expired, resting or never issued code gives the same answer after the same
    work, so that nothing can be learnt from it. Five wrong tries in a row let a code rest for an
    hour: with 80 random bits that stops guessing, and a typing error never locks a patient out of
    stopping for long. A code stays good until it expires, so that stopping is as easy as joining.
    """
    code = letters.read_code(typed)
    invitation = (
        None
        if code is None
        else session.scalars(
            select(Invitation).where(Invitation.code_id == code.code_id).with_for_update()
        ).first()
    )
    secret = "" if code is None else code.secret
    proven = letters.proves(_NOBODY if invitation is None else invitation.verifier, secret)
    if invitation is None:
        return _refused(session, "unknown")
    if invitation.replaced_at is not None or now >= invitation.expires_at:
        return _refused(session, "ended")
    if invitation.locked_until is not None and now < invitation.locked_until:
        return _refused(session, "resting")
    if not proven:
        invitation.failed += 1
        if invitation.failed >= MAX_FAILED:
            invitation.failed = 0
            invitation.locked_until = now + LOCKED_FOR
        session.flush()
        return _refused(session, "wrong")
    invitation.failed = 0
    invitation.locked_until = None
    invitation.first_used_at = invitation.first_used_at or now
    invitation.last_used_at = now
    session.flush()
    subject = invitation.subject
    actor = patient(subject)
    announce(session, actor=actor, action="consent.signed_in", about=f"institution:{subject.site}")
    return SignIn(subject, actor, tuple(invitation.studies), invitation.language)


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
