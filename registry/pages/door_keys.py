"""Passkeys of patients: my ways of signing in, adding and removing a key, coming in with one.

The script passkey.js talks to the device; the page says what to do without it. A letter stays a
way in.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from flask import Blueprint, g, jsonify, redirect, render_template, request, url_for
from werkzeug.exceptions import UnprocessableEntity
from werkzeug.wrappers import Response

from consent.errors import ConsentError
from registry.access import rule
from registry.accounts import cookies, passkeys, proving, sealing, signing, visitor
from registry.accounts.errors import AccountError
from registry.accounts.letter_door import LetterKey
from registry.pages.door import too_many, wrong_code
from registry.pages.patient_person import me, my_hospital
from registry.pages.shell import local
from registry.transaction import current_session
from registry.translate import translate as _

blueprint = Blueprint("door_keys", __name__, url_prefix="/mijn")

CHALLENGE = "oncokring-challenge"
CHALLENGE_FOR = timedelta(minutes=5)


@blueprint.get("/inloggen")
@rule(roles={"patient"})
def ways() -> str:
    """How I can sign in: my letter, my passkeys."""
    return _page({})


@blueprint.post("/inloggen/brief")
@rule(roles={"patient"})
def letter() -> Response | tuple[str, int]:
    """The letter's code again: a passkey is added only by somebody who has the letter."""
    typed = request.form.get("letter", "")
    if not typed.strip():
        return _page({"letter": _("Fill in the code from your letter")}), 422
    try:
        proving.proof_from_typed(typed)
    except ConsentError:
        return _page({"letter": wrong_code()}), 401
    except AccountError as error:
        return _page({"letter": too_many(error)}), 429
    return redirect(url_for("door_keys.ways"), 303)


@blueprint.post("/inloggen/opties")
@rule(roles={"patient"})
def enrol_options() -> Any:
    """What the script needs to make a passkey."""
    session = current_session()
    challenge = _new_challenge("enrol")
    return jsonify(
        passkeys.enrol_options(session, me(session), g.visit.party, signing.place(), challenge)
    )


@blueprint.post("/inloggen/nieuw")
@rule(roles={"patient"})
def enrol() -> Any:
    """Keep the passkey that the device made; it becomes part of how sure this session is."""
    challenge = _challenge("enrol")
    session = current_session()
    if challenge is None or proving.prover() is None:
        raise ConsentError("passkey_refused")
    key = passkeys.enrol(
        session,
        subject=me(session),
        party=g.visit.party,
        level=g.visit.level,
        letter=LetterKey(g.letter, g.proof_key),
        credential=_sent(),
        challenge=challenge,
        place=signing.place(),
        now=g.now,
    )
    visitor.raise_level(passkeys.raised(g.visit.level, key))
    return jsonify({"next": url_for("door_keys.ways")})


@blueprint.post("/inloggen/weg")
@rule(roles={"patient"})
def remove() -> Response:
    """A passkey opens nothing any more."""
    session = current_session()
    passkeys.remove(session, me(session), g.visit.party, request.form.get("key", ""), g.now)
    return redirect(url_for("door_keys.ways"), 303)


@blueprint.post("/sleutel/opties")
@rule("public")
def ask_options() -> Any:
    """What the script needs to ask the device for a passkey of ours."""
    return jsonify(passkeys.ask_options(signing.place(), _new_challenge("sign-in")))


@blueprint.post("/sleutel")
@rule("public")
def sign_in() -> Any:
    """Come in with a passkey; every kind of wrong gives the same answer."""
    sent = _sent()
    if not sent:
        raise UnprocessableEntity  # nothing was tried
    visitor.arrive(
        passkeys.sign_in(
            g.factory,
            credential=sent,
            challenge=_challenge("sign-in"),
            place=signing.place(),
            trier=proving.trier(),
            now=g.now,
            previous=None if g.visit is None else g.visit.session_id,
        )
    )
    return jsonify({"next": local(request.args.get("next")) or url_for("patient.choices")})


def _page(errors: dict[str, str]) -> str:
    session = current_session()
    subject = me(session)
    return render_template(
        "patient/keys.html",
        errors=errors,
        keys=passkeys.keys_of(session, subject, g.visit.party),
        has_letter=proving.prover() is not None,
        usable=signing.place().usable,
        hospital=my_hospital(session),
    )


def _new_challenge(use: str) -> bytes:
    """Fresh bytes for the device to sign, kept sealed in the browser for five minutes."""
    made = secrets.token_bytes(32)
    value = {"challenge": made.hex(), "at": int(g.now.timestamp())}
    sealed = sealing.seal(_key(), value, _bound(use))
    cookies.put(CHALLENGE, sealed, for_=CHALLENGE_FOR)
    return made


def _challenge(use: str) -> bytes | None:
    """The challenge this browser was given for this use; None when it is gone or too old."""
    found = sealing.opened(_key(), cookies.read(CHALLENGE, proving.settings()), _bound(use))
    cookies.drop(CHALLENGE)
    if found is None or not 0 <= g.now.timestamp() - found["at"] <= CHALLENGE_FOR.total_seconds():
        return None
    return bytes.fromhex(found["challenge"])


def _bound(use: str) -> str:
    return f"{CHALLENGE}|{use}|{g.actor.id}"


def _key() -> bytes:
    return sealing.derived(proving.settings().secret_key, CHALLENGE)


def _sent() -> dict[str, Any]:
    found = request.get_json(silent=True)
    return found if isinstance(found, dict) else {}
