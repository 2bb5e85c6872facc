"""The key that proves a patient's yes: in the browser's sealed cookie, in `g`, nowhere else.

After signing in with a letter, and after typing it again, the letter's proof key goes into a
cookie that only this hub can read (AES-GCM), that scripts cannot read (HttpOnly), that no other
site can cause to be sent (SameSite=Strict), and that opens with the session it was made for and no
other. The hub's database, log and drafts never hold it. For views: `prover`, `prover_of_letter`,
`proof_from_typed`, `circumstances`; `g.proof_key` and `g.letter` are None without such a cookie.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import current_app, g, request

from consent import subjects
from consent.acts import Circumstances
from consent.models import Invitation, Subject
from consent.proof import KEY_BYTES, Prove, letter_prover
from registry.access import SignInNeeded
from registry.accounts import attempts, cookies, letter_door, sealing
from registry.accounts.letter_door import LetterKey, Trier
from registry.accounts.secrets import sha256
from registry.settings import Settings
from registry.transaction import current_session

COOKIE = "oncokring-proof"
HALF_WAY = "oncokring-second"
HALF_WAY_FOR = timedelta(minutes=10)


def load(settings: Settings) -> None:
    """Fill g.proof_key and g.letter from the cookie that belongs to this patient's session."""
    g.proof_key, g.letter = None, None
    visit = g.visit
    if visit is None or visit.session_id is None or visit.actor.kind != "patient":
        return
    sealed = cookies.read(COOKIE, settings)
    found = sealing.opened(_key(settings, COOKIE), sealed, _bound(visit.session_id))
    letter = _letter(found)
    if letter is not None:
        g.proof_key, g.letter = letter.key, letter.code_id


def remember(letter: LetterKey, session_id: str) -> None:
    """Keep the key in this browser for as long as this session lasts."""
    value = {"letter": letter.code_id, "key": letter.key.hex()}
    cookies.put(COOKIE, sealing.seal(_key(settings(), COOKIE), value, _bound(session_id)))
    g.proof_key, g.letter = letter.key, letter.code_id


def forget() -> None:
    """Take the key out of the browser."""
    cookies.drop(COOKIE)
    cookies.drop(HALF_WAY)
    g.proof_key, g.letter = None, None


def keep_half_way(letter: LetterKey) -> None:
    """Remember for ten minutes that the letter was right, until its digits come."""
    value = {
        "letter": letter.code_id,
        "key": letter.key.hex(),
        "at": int(g.now.timestamp()),
        "number": sha256(letter.key.hex() + str(g.now.timestamp())),
    }
    sealed = sealing.seal(_key(settings(), HALF_WAY), value, HALF_WAY)
    cookies.put(HALF_WAY, sealed, for_=HALF_WAY_FOR)


def half_way() -> tuple[LetterKey, str] | None:
    """The letter whose digits are still to come and a number for this try; None when too late."""
    found = sealing.opened(_key(settings(), HALF_WAY), cookies.read(HALF_WAY, settings()), HALF_WAY)
    letter = _letter(found)
    if found is None or letter is None or not isinstance(found.get("at"), int):
        return None
    if not 0 <= g.now.timestamp() - found["at"] <= HALF_WAY_FOR.total_seconds():
        return None
    return letter, str(found.get("number"))


def trier(session: str = "") -> Trier:
    """Who tries a secret in this request, for the limiter."""
    visit = g.visit
    known = session or ("" if visit is None or visit.session_id is None else visit.session_id)
    return Trier(known, address())


def address() -> str:
    """A keyed hash of where this request comes from; another one tomorrow."""
    remote = request.remote_addr or "unknown"
    return attempts.address_of(remote, _key(settings(), "address"), g.now)


def prover() -> Prove | None:
    """What proves this patient's yes without asking; None when the letter must be asked for."""
    if g.proof_key is None or g.letter is None:
        return None
    letter = current_session().get(Invitation, g.letter)
    if letter is None or letter.replaced_at is not None or g.now >= letter.expires_at:
        return None
    if (letter.subject_id, letter.party) != (g.actor.id, g.visit.party):
        return None
    return letter_prover(g.letter, g.proof_key)


def prover_of_letter(typed: str) -> Prove:
    """What proves this patient's yes, from the letter's code typed again; nothing is kept.

    Call it before the view's own session is used. Raises ConsentError ``code_invalid`` for every
    code but a letter of this very person, AccountError LOCKED after too many.
    """
    letter = _confirmed(typed)
    return letter_prover(letter.code_id, letter.key)


def proof_from_typed(typed: str) -> Prove:
    """As `prover_of_letter`; the browser then keeps the key, so that it is asked once."""
    letter = _confirmed(typed)
    remember(letter, g.visit.session_id)
    return letter_prover(letter.code_id, letter.key)


def circumstances(page_sha256: str, prove: Prove | None = None, **more: Any) -> Circumstances:
    """How a choice of the signed-in patient is made: level, for whom, and what proves a yes."""
    session = current_session()
    subject = session.get_one(Subject, g.actor.id)
    return Circumstances(
        login_level=g.visit.level,
        page_sha256=page_sha256,
        party=g.visit.party,
        role=subjects.role_of(session, subject, g.visit.party),
        prove=prove if prove is not None else prover(),
        **more,
    )


def settings() -> Settings:
    """The hub's settings."""
    found: Settings = current_app.extensions["oncokring"].settings
    return found


def _confirmed(typed: str) -> LetterKey:
    if g.visit is None or g.visit.session_id is None or g.actor.kind != "patient":
        raise SignInNeeded
    return letter_door.confirm_letter(
        g.factory,
        actor=g.actor,
        party=g.visit.party,
        typed=typed,
        trier=trier(),
        now=g.now,
    )


def _letter(found: dict[str, Any] | None) -> LetterKey | None:
    if found is None:
        return None
    code_id, text = found.get("letter"), found.get("key")
    if not isinstance(code_id, str) or not isinstance(text, str) or len(text) != 2 * KEY_BYTES:
        return None
    return LetterKey(code_id, bytes.fromhex(text))


def _bound(session_id: str) -> str:
    return f"proof|{sha256(session_id)}"


def _key(found: Settings, use: str) -> bytes:
    return sealing.derived(found.secret_key, use)
