"""/api/v1/me: a signed-in patient's own choices. No other role reaches these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g
from sqlalchemy.orm import Session

from consent import service
from consent.errors import ConsentError
from consent.models import Receipt, Subject
from registry.access import SignInNeeded, rule
from registry.api import schemas
from registry.api.part import Part
from registry.transaction import current_session

blueprint = Part("api-consent", __name__, description="A patient's own choices")


@blueprint.get("/me/choices")
@rule(roles={"patient"})
@blueprint.gives(200, schemas.Choices(many=True))
def my_choices() -> list[Mapping[str, Any]]:
    """Each study you were asked about, and what you said."""
    session, subject = _me()
    return [
        {
            "study": found.study.slug,
            "title_nl": found.study.title_nl,
            "title_en": found.study.title_en,
            "open": found.open,
            "answered": found.answered,
            "counts": found.counts,
            "receipt": found.receipt_id,
            "text_version": _text_version(session, found.study.slug),
            "items": found.items,
        }
        for found in service.choices(session, subject, g.now)
    ]


@blueprint.get("/me/history")
@rule(roles={"patient"})
@blueprint.gives(200, schemas.Said(many=True))
def my_history() -> list[service.HistoryLine]:
    """Everything you ever said, newest first."""
    session, subject = _me()
    return list(service.history(session, subject))  # a tuple would be body, status, headers


@blueprint.get("/me/receipts/<receipt_id>")
@rule(roles={"patient"})
@blueprint.also(404)
@blueprint.gives(200, schemas.Receipt)
def my_receipt(receipt_id: str) -> Mapping[str, Any]:
    """A receipt, and which hospital has received the choice."""
    session, subject = _me()
    return _shown(session, subject, service.receipt(session, subject, receipt_id))


@blueprint.post("/me/studies/<study>/choices")
@rule(roles={"patient"})
@blueprint.takes(schemas.FormKey, location="headers")
@blueprint.takes(schemas.Answers)
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(200, schemas.Receipt)
def give(header: Mapping[str, str], form: Mapping[str, Any], study: str) -> Mapping[str, Any]:
    """Answer the questions of one study. The same Idempotency-Key gives the same receipt."""
    session, subject = _me()
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
        circumstances=service.Circumstances(channel="api"),
    )
    return _shown(session, subject, made)


@blueprint.post("/me/withdrawals")
@rule(roles={"patient"})
@blueprint.takes(schemas.FormKey, location="headers")
@blueprint.takes(schemas.Withdrawal)
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(200, schemas.Receipt)
def withdraw(header: Mapping[str, str], form: Mapping[str, Any]) -> Mapping[str, Any]:
    """Stop with one study, or with all. The same Idempotency-Key gives the same receipt."""
    session, subject = _me()
    made = service.withdraw(
        session,
        subject=subject,
        study=form["study"],
        language=form["language"],
        form_key=header["key"],
        actor=g.actor,
        now=g.now,
        circumstances=service.Circumstances(channel="api"),
    )
    return _shown(session, subject, made)


def _me() -> tuple[Session, Subject]:
    """The patient's own record; current_session audits each look at it."""
    session = current_session()
    subject = session.get(Subject, g.actor.id)
    if subject is None:
        raise SignInNeeded
    return session, subject


def _text_version(session: Session, study: str) -> str | None:
    try:
        return service.text_for(session, study, g.now).id
    except ConsentError:
        return None


def _shown(session: Session, subject: Subject, made: Receipt) -> Mapping[str, Any]:
    return {
        "receipt": made.id,
        "recorded_at": made.recorded_at,
        "document": service.receipt_document(session, made),
        "deliveries": service.deliveries(session, subject, made),
    }
