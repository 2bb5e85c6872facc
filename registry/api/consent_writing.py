"""/api/v1/me: choosing, stopping and objecting by a program that the patient is signed in with.

A yes counts at a hospital only with proof made from the letter's secret. The program gives the
letter's code once (`letter_code`), or makes the proof itself (`proof`) and keeps the secret; in a
browser that signed in with the letter, the sealed cookie of the sign-in does. A no needs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import g
from flask_smorest import abort  # type: ignore[import-untyped]
from sqlalchemy.orm import Session

from consent import service, withdrawing
from consent.errors import ConsentError
from consent.models import Invitation, Receipt, Subject
from consent.proof import LETTER, Prove, Statement
from registry.access import rule
from registry.accounts import proving
from registry.api import schemas, schemas_consent
from registry.api.consent import me, shown
from registry.api.part import Part
from registry.pages.patient_carry import carry
from registry.transaction import current_session

blueprint = Part("api-consent-writing", __name__, description="A patient's own acts")
CLOCKS_APART = timedelta(minutes=5)
YES = "yes"


@blueprint.post("/me/studies/<study>/choices")
@rule(roles={"patient"})
@blueprint.takes(schemas.FormKey, location="headers")
@blueprint.takes(schemas_consent.ProvedAnswers)
@blueprint.also(401, "The code of the letter is not right, or it can no longer be used.")
@blueprint.also(404)
@blueprint.also(409)
@blueprint.also(429, "Too many codes were tried.")
@blueprint.gives(200, schemas.Receipt)
def give(header: Mapping[str, str], form: Mapping[str, Any], study: str) -> Mapping[str, Any]:
    """Answer the questions of one study. The same Idempotency-Key gives the same receipt.

    A yes needs `letter_code` or `proof`; without one of them it is refused (`proof_needed`). What
    is proved is written down at the moment of the proof.
    """
    # Trying a code has a transaction of its own, so it comes first.
    typed = form["letter_code"]
    prove = proving.prover_of_letter(typed) if typed else None
    session, subject = me()
    given = form["proof"]
    signed_on = None
    if given is not None and prove is None:
        prove, signed_on = _made_by_client(given), given["at"]
    circumstances = proving.circumstances("", prove, channel="api", signed_on=signed_on)
    if YES in form["answers"].values() and circumstances.prove is None:
        raise ConsentError("proof_needed")
    made = service.record(
        session,
        subject=subject,
        study=study,
        answers=form["answers"],
        text_version=form["text_version"],
        language=form["language"],
        form_key=header["key"],
        actor=g.actor,
        now=g.now,
        based_on=form["based_on"],
        circumstances=circumstances,
    )
    carry(session, made)
    return shown(session, subject, made)


@blueprint.post("/me/withdrawals")
@rule(roles={"patient"})
@blueprint.takes(schemas.FormKey, location="headers")
@blueprint.takes(schemas_consent.Stop)
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(200, schemas.Receipt)
def withdraw(header: Mapping[str, str], form: Mapping[str, Any]) -> Mapping[str, Any]:
    """Stop with one study, or with all. The same Idempotency-Key gives the same receipt.

    It asks for no reason and works at once. Totals that were made before stay.
    """
    session, subject = me()
    same: dict[str, Any] = {
        "subject": subject,
        "language": form["language"],
        "form_key": header["key"],
        "actor": g.actor,
        "now": g.now,
        "circumstances": proving.circumstances("", channel="api"),
    }
    study, item, level = form["study"], form["item"], form["level"]
    if (level == "W0") is not (item is not None and study is not None):
        why = "Level W0 names an item and a study; the other levels name no item."
        abort(422, messages={"json": {"item": [why]}})
    if level == "W0":
        made = withdrawing.withdraw_item(session, study=study, item=item, **same)
    else:
        made = withdrawing.withdraw_level(session, study=study, level=level, **same)
    carry(session, made, level)
    return _stopped(session, subject, made)


@blueprint.post("/me/objections")
@rule(roles={"patient"})
@blueprint.takes(schemas.FormKey, location="headers")
@blueprint.takes(schemas_consent.Objection)
@blueprint.also(409)
@blueprint.gives(200, schemas.Receipt)
def object_to(header: Mapping[str, str], form: Mapping[str, Any]) -> Mapping[str, Any]:
    """Object to use without being asked, or to all use. It never expires.

    After an objection to everything a later yes to one study opens that study again.
    """
    session, subject = me()
    made = withdrawing.object_to(
        session,
        subject=subject,
        everything=form["everything"],
        language=form["language"],
        form_key=header["key"],
        actor=g.actor,
        now=g.now,
        circumstances=proving.circumstances("", channel="api"),
    )
    carry(session, made)
    return _stopped(session, subject, made)


def _stopped(session: Session, subject: Subject, made: Receipt) -> Mapping[str, Any]:
    """As `shown`; where the log is damaged without the document. A "no" is never held up."""
    try:
        return shown(session, subject, made)
    except ConsentError as error:
        if error.code != "log_inconsistent":
            raise
    return {
        "receipt": made.id,
        "recorded_at": made.recorded_at,
        "document": {},
        "deliveries": service.deliveries(session, subject, made),
    }


def _made_by_client(given: Mapping[str, Any]) -> Prove:
    """A proof that the client made of exactly this act. The hub cannot check it; the hospital does.

    Refused here is what could not be right: another person's letter, or another moment than the
    one that is written down.
    """
    at: datetime = given["at"]
    if not g.now - CLOCKS_APART <= at <= g.now or at.microsecond % 1000:
        why = "A moment of the last five minutes, in whole milliseconds; compare the clocks."
        abort(422, messages={"json": {"proof": {"at": [why]}}})
    letter = current_session().get(Invitation, given["by"])
    if (
        letter is None
        or letter.replaced_at is not None
        or g.now >= letter.expires_at
        or (letter.subject_id, letter.party) != (g.actor.id, g.visit.party)
    ):
        raise ConsentError("code_invalid")

    def prove(statement: Statement) -> Mapping[str, Any]:
        if statement.at != at:
            raise ConsentError("proof_needed")
        return {"kind": LETTER, "by": given["by"], "mac": given["mac"]}

    return prove
