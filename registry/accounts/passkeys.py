"""Passkeys of patients: enrolled under a letter, then a way in and a signature under a choice.

Only ES256 with user verification, and no attestation: what a device says of its make is neither
asked for nor read, so no certificate is ever checked. A challenge is used once. The table keeps a
public key and the code of the letter over it; nothing about the device.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import webauthn
from sqlalchemy import select
from sqlalchemy.orm import Session
from webauthn.helpers import base64url_to_bytes, options_to_json, parse_attestation_object
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.decode_credential_public_key import (
    DecodedEC2PublicKey,
    decode_credential_public_key,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AttestationFormat,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from consent import passkeys as statements
from consent.catalogue import LOGIN_LEVELS
from consent.encoding import b64
from consent.errors import ConsentError
from consent.models import Invitation, Subject
from consent.models_people import Passkey
from consent.speakers import may_speak
from consent.subjects import LETTER_LEVEL, SECOND_LEVEL, patient
from registry.access import ANONYMOUS
from registry.accounts import attempts
from registry.accounts.letter_door import Arrived, LetterKey, Trier
from registry.accounts.sessions import start
from registry.database import SessionFactory
from registry.transaction import unit_of_work
from studies.actor import Actor
from studies.events import announce

PASSKEY_LEVEL = "letter+second+passkey"
MOST_KEYS = 10
SHOWN_NAME = "Mijn keuzes"  # what the device lists; says nothing about an illness
_NEEDED = UserVerificationRequirement.REQUIRED


@dataclass(frozen=True)
class Place:
    """Where the browser sees us: `rp_id` is the host name, `origin` the address of the page."""

    rp_id: str
    origin: str

    @property
    def usable(self) -> bool:
        """Browsers bind passkeys to names, not to numbers such as 127.0.0.1."""
        return self.rp_id == "localhost" or any(letter.isalpha() for letter in self.rp_id)


def enrol_options(
    session: Session, subject: Subject, party: str, place: Place, challenge: bytes
) -> dict[str, Any]:
    """What the browser needs to make a passkey."""
    owner = sha256(f"{subject.id}|{party}".encode()).digest()
    options = webauthn.generate_registration_options(
        rp_id=place.rp_id,
        rp_name=SHOWN_NAME,
        user_name=SHOWN_NAME,
        user_id=owner,
        challenge=challenge,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=_NEEDED
        ),
        supported_pub_key_algs=[COSEAlgorithmIdentifier.ECDSA_SHA_256],
        exclude_credentials=_described(keys_of(session, subject, party)),
    )
    return _plain(options_to_json(options))


def enrol(
    session: Session,
    *,
    subject: Subject,
    party: str,
    level: str,
    letter: LetterKey,
    credential: Mapping[str, Any],
    challenge: bytes,
    place: Place,
    now: datetime,
) -> Passkey:
    """Keep a new passkey of somebody who is signed in, with their letter's code over it.

    Raises ConsentError ``passkey_refused``.
    """
    if not attempts.use_once(session, challenge.hex(), now):
        raise ConsentError("passkey_refused")
    if len(keys_of(session, subject, party)) >= MOST_KEYS:
        raise ConsentError("passkey_refused")
    credential_id, point, count = _registered(credential, challenge, place)
    if session.get(Passkey, credential_id) is not None:
        raise ConsentError("passkey_refused")
    enrolment = statements.Enrolment(
        network=subject.network,
        site=subject.site,
        handle=subject.handle,
        party=party,
        credential_id=credential_id,
        public_key=b64(point),
        rp_id=place.rp_id,
        at=now,
    )
    made = Passkey(
        credential_id=credential_id,
        subject_id=subject.id,
        party=party,
        public_key=point,
        sign_count=count,
        enrolled={
            "by": letter.code_id,
            "mac": enrolment.mac(letter.key).hex(),
            "rp_id": place.rp_id,
            "level": level,
        },
        created_at=now,
    )
    session.add(made)
    session.flush()
    _announce(session, patient(subject), "consent.passkey_enrolled", subject)
    return made


def enrolment_of(subject: Subject, key: Passkey) -> statements.Enrolment:
    """What the letter's code in `key.enrolled` is over."""
    return statements.Enrolment(
        network=subject.network,
        site=subject.site,
        handle=subject.handle,
        party=key.party,
        credential_id=key.credential_id,
        public_key=b64(key.public_key),
        rp_id=str(key.enrolled["rp_id"]),
        at=key.created_at,
    )


def keys_of(session: Session, subject: Subject, party: str) -> list[Passkey]:
    """The passkeys that this person may use about this patient, oldest first."""
    query = (
        select(Passkey)
        .where(
            Passkey.subject_id == subject.id,
            Passkey.party == party,
            Passkey.removed_at.is_(None),
        )
        .order_by(Passkey.created_at, Passkey.credential_id)
    )
    return [key for key in session.scalars(query) if is_good(session, key)]


def is_good(session: Session, key: Passkey) -> bool:
    """Whether a passkey may still be used.

    Not when it was removed, nor when the letter that vouched for it was replaced while it was good:
    then the letter may have been in other hands, and so may what was made with it. A letter that
    merely came to its end leaves its passkeys alone.
    """
    if key.removed_at is not None:
        return False
    letter = session.get(Invitation, str(key.enrolled.get("by", "")))
    if letter is None:
        return False
    return letter.replaced_at is None or letter.replaced_at >= letter.expires_at


def may_sign(session: Session, key: Passkey) -> bool:
    """Whether a yes may be signed with it: the hospital takes none under a letter that a newer one
    replaced, whether it had come to its end or not. The way in stays."""
    letter = session.get(Invitation, str(key.enrolled.get("by", "")))
    return is_good(session, key) and letter is not None and letter.replaced_at is None


def remove(
    session: Session, subject: Subject, party: str, credential_id: str, now: datetime
) -> None:
    """A passkey opens and signs nothing any more. One that is not theirs is left alone, silently.

    What it signed before stays proven: the row stays.
    """
    key = session.get(Passkey, credential_id)
    if key is None or (key.subject_id, key.party) != (subject.id, party):
        return
    key.removed_at = key.removed_at or now
    session.flush()
    _announce(session, patient(subject), "consent.passkey_removed", subject)


def ask_options(
    place: Place, challenge: bytes, keys: list[Passkey] | None = None
) -> dict[str, Any]:
    """What the browser needs to use a passkey: any of ours, or one of `keys`."""
    options = webauthn.generate_authentication_options(
        rp_id=place.rp_id,
        challenge=challenge,
        allow_credentials=None if keys is None else _described(keys),
        user_verification=_NEEDED,
    )
    return _plain(options_to_json(options))


def sign_in(
    factory: SessionFactory,
    *,
    credential: Mapping[str, Any],
    challenge: bytes | None,
    place: Place,
    trier: Trier,
    now: datetime,
    previous: str | None = None,
) -> Arrived:
    """The session of whoever owns this passkey.

    Raises ConsentError ``code_invalid`` for every kind of wrong, AccountError LOCKED after many.
    """
    with unit_of_work(factory, ANONYMOUS) as session:
        attempts.check(session, trier.keys(), now)
        key = _asserted(session, credential, challenge, place, now)
        if key is None:
            attempts.count(session, trier.keys(), now)
            unknown = Actor(kind="patient", id="unknown")
            announce(session, actor=unknown, action="consent.sign_in_refused", about="passkey")
        else:
            subject = session.get_one(Subject, key.subject_id)
            actor = patient(subject)
            made = start(
                session,
                now=now,
                subject_id=subject.id,
                previous=previous,
                level=level_of(key),
                party=key.party,
            )
            _announce(session, actor, "consent.signed_in", subject)
    if key is None:
        raise ConsentError("code_invalid")
    return Arrived(made, actor, None)


def raised(level: str, key: Passkey) -> str:
    """The level of a session at `level` whose owner also showed this passkey: never a lower one."""
    return max(level, level_of(key), key=LOGIN_LEVELS.index)


def level_of(key: Passkey) -> str:
    """How sure a sign-in with this passkey is: no surer than the letter that vouched for it."""
    level = str(key.enrolled.get("level", LETTER_LEVEL))
    if LOGIN_LEVELS.index(level) >= LOGIN_LEVELS.index(SECOND_LEVEL):
        return PASSKEY_LEVEL
    return LETTER_LEVEL


def _asserted(
    session: Session,
    credential: Mapping[str, Any],
    challenge: bytes | None,
    place: Place,
    now: datetime,
) -> Passkey | None:
    """The passkey that answered our challenge; None for every kind of wrong."""
    if challenge is None or not attempts.use_once(session, challenge.hex(), now):
        return None
    key = session.get(Passkey, str(credential.get("id", ""))[:400])
    if key is None or not is_good(session, key) or key.enrolled.get("rp_id") != place.rp_id:
        return None
    if not may_speak(session, key.subject_id, key.party, now):
        return None
    try:
        checked = webauthn.verify_authentication_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=place.rp_id,
            expected_origin=place.origin,
            credential_public_key=key.public_key,
            credential_current_sign_count=key.sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError, AttributeError):
        return None
    key.sign_count = checked.new_sign_count
    key.last_used_at = now
    session.flush()
    return key


def _registered(
    credential: Mapping[str, Any], challenge: bytes, place: Place
) -> tuple[str, bytes, int]:
    """Id, public point and counter of a passkey that was made for our challenge."""
    try:
        body = parse_attestation_object(
            base64url_to_bytes(str(credential["response"]["attestationObject"]))
        )
        if body.fmt != AttestationFormat.NONE:
            raise ConsentError("passkey_refused")  # never asked for; its certificates stay unread
        checked = webauthn.verify_registration_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=place.rp_id,
            expected_origin=place.origin,
            require_user_verification=True,
            supported_pub_key_algs=[COSEAlgorithmIdentifier.ECDSA_SHA_256],
        )
        key = decode_credential_public_key(checked.credential_public_key)
    except (WebAuthnException, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConsentError("passkey_refused") from error
    if not isinstance(key, DecodedEC2PublicKey) or len(key.x) != 32 or len(key.y) != 32:
        raise ConsentError("passkey_refused")
    number = b64(checked.credential_id)
    if len(number) > 400:
        raise ConsentError("passkey_refused")
    return number, b"\x04" + key.x + key.y, checked.sign_count


def _described(keys: list[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=statements.decoded(key.credential_id)) for key in keys]


def _plain(text: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(text)
    return made


def _announce(session: Session, actor: Actor, action: str, subject: Subject) -> None:
    announce(session, actor=actor, action=action, about=f"institution:{subject.site}")
