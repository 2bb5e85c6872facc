"""A patient's signature under a choice, made with a passkey on the check page.

The page shows what will be signed as a sealed field; the browser's script asks the passkey and
fills in the answer; `prover_of` compares what was signed with what is written down. Without
JavaScript the field stays empty and the letter's code is asked, as ever.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from flask import g, request

from consent import passkeys as statements
from consent.errors import ConsentError
from consent.models import Subject
from consent.models_people import Passkey
from consent.proof import Prove, Statement, act_of
from registry.accounts import passkeys, proving, sealing
from registry.accounts.passkeys import Place
from registry.transaction import current_session

USE = "oncokring-signing"
STATEMENT_FIELD, ANSWER_FIELD = "signed_statement", "signed_answer"


def place() -> Place:
    """The name and address under which this browser sees the hub."""
    settings = proving.settings()
    if settings.is_local:
        # Here the page may be opened as localhost, which passkeys accept, or as 127.0.0.1.
        return Place(request.host.split(":")[0], request.host_url.rstrip("/"))
    return Place(settings.host, settings.address.rstrip("/"))


def for_page(
    subject: Subject, *, study: str, text_version: str, yes: tuple[str, ...], form_key: str
) -> dict[str, str] | None:
    """What the check page needs so that a passkey can sign these yes-answers.

    None without a passkey that works here. Keys: `statement` (the sealed field's value), `options`
    (JSON for the script).
    """
    here = place()
    session = current_session()
    keys = [
        key
        for key in passkeys.keys_of(session, subject, g.visit.party)
        if key.enrolled.get("rp_id") == here.rp_id and passkeys.may_sign(session, key)
    ]
    if not keys or not yes or not here.usable:
        return None
    statement = Statement(
        network=subject.network,
        site=subject.site,
        handle=subject.handle,
        party=g.visit.party,
        study=study,
        text_version=text_version,
        yes=tuple(sorted(yes)),
        at=g.now.replace(microsecond=g.now.microsecond // 1000 * 1000),
        act=act_of(form_key),
    )
    kept = {
        "study": study,
        "text": text_version,
        "yes": list(statement.yes),
        "act": statement.act,
        "at": statement.at.isoformat(),
    }
    options = passkeys.ask_options(here, statement.digest, keys)
    return {
        "statement": sealing.seal(_key(), kept, _bound()),
        "options": json.dumps(options, separators=(",", ":")),
    }


def prover_of(form: Mapping[str, str]) -> Prove | None:
    """What proves a yes with the passkey's answer in this form; None when there is no good one.

    The proof is checked as the hospital will check it: a signature under something else than what
    is written down raises ConsentError ``proof_needed``, so that nothing is recorded on it.
    """
    kept = sealing.opened(_key(), form.get(STATEMENT_FIELD, ""), _bound())
    answer = _answer(form.get(ANSWER_FIELD, ""))
    if kept is None or answer is None:
        return None
    session = current_session()
    key = session.get(Passkey, str(answer.get("id", ""))[:400])
    if key is None or not passkeys.may_sign(session, key):
        return None
    if (key.subject_id, key.party) != (g.actor.id, g.visit.party):
        return None
    subject = session.get_one(Subject, key.subject_id)
    enrolment = passkeys.enrolment_of(subject, key)

    def prove(statement: Statement) -> Mapping[str, Any]:
        same = (statement.study, statement.text_version, statement.act, sorted(statement.yes))
        proof = _proof(statement, kept, answer, key, enrolment)
        if proof is None or same != (kept["study"], kept["text"], kept["act"], kept["yes"]):
            raise ConsentError("proof_needed")
        return proof

    return prove


def _proof(
    statement: Statement,
    kept: Mapping[str, Any],
    answer: Mapping[str, Any],
    key: Passkey,
    enrolment: statements.Enrolment,
) -> Mapping[str, Any] | None:
    signed = replace(statement, at=datetime.fromisoformat(kept["at"]))
    try:
        proof = statements.proof_of(signed, key.credential_id, answer["response"])
    except (KeyError, TypeError):
        return None
    return proof if statements.proves(statement, proof, enrolment) else None


def _answer(text: str) -> dict[str, Any] | None:
    if not text or len(text) > 8000:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _key() -> bytes:
    return sealing.derived(proving.settings().secret_key, USE)


def _bound() -> str:
    return f"{USE}|{g.actor.id}|{g.visit.party}"
