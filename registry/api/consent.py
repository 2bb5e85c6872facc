"""/api/v1/me: what a signed-in patient chose, then and now. No other role reaches these.

Where several people decide for a patient, nobody sees what another one answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import g
from flask_smorest import abort  # type: ignore[import-untyped]
from sqlalchemy import select
from sqlalchemy.orm import Session

from consent import fhir, fhir_log, receipts, service, speakers, uses
from consent.errors import ConsentError
from consent.models import Receipt, Subject
from consent.recording import as_of
from registry.access import SignInNeeded, rule
from registry.api import schemas, schemas_consent
from registry.api.etags import etagged
from registry.api.part import Part
from registry.app import hub
from registry.hub_keys import signers
from registry.transaction import current_session

blueprint = Part("api-consent", __name__, description="A patient's own choices")
UNCHANGED = "Nothing has changed since the ETag that was sent."
MANY = 50


@blueprint.get("/me/choices")
@rule(roles={"patient"})
@etagged
@blueprint.also(304, UNCHANGED)
@blueprint.gives(200, schemas.Choices(many=True))
def my_choices() -> list[Mapping[str, Any]]:
    """Each study you were asked about, and what you said."""
    session, subject = me()
    found_here = service.choices(session, subject, g.now, party=_only(session, subject))
    return [
        {
            "study": found.study.slug,
            "title_nl": found.study.title_nl,
            "title_en": found.study.title_en,
            "open": found.open,
            "answered": found.answered,
            "counts": found.counts,
            "ask_again": found.ask_again,
            "ends": found.ends,
            "receipt": found.receipt_id,
            "text_version": text_version(session, found.study.slug),
            "items": found.items,
        }
        for found in found_here
    ]


@blueprint.get("/me/state")
@rule(roles={"patient"})
@etagged
@blueprint.takes(schemas_consent.TwoTimes, location="query")
@blueprint.also(304, UNCHANGED)
@blueprint.gives(200, schemas_consent.StateAt(many=True))
def my_state(asked: Mapping[str, datetime]) -> list[Mapping[str, Any]]:
    """What counted at a moment, by what was known at a moment: both are now unless you say so."""
    session, subject = me()
    known_at = asked.get("known_at")
    at = asked.get("at") or as_of(session, subject.network, g.now)
    if at > as_of(session, subject.network, g.now):
        why = "What will count later cannot be told; ask for a moment that has passed."
        abort(422, messages={"query": {"at": [why]}})
    told = fhir.consents(
        fhir_log.patient(session, subject, at, known_at), at, party=_only(session, subject)
    )
    return [
        {
            "study": one.study,
            "at": at,
            "known_at": known_at,
            "text_version": one.text_version,
            "items": one.items,
        }
        for one in told
        if one.computed
    ]


@blueprint.get("/me/history")
@rule(roles={"patient"})
@etagged
@blueprint.also(304, UNCHANGED)
@blueprint.gives(200, schemas.Said(many=True))
def my_history() -> list[service.HistoryLine]:
    """Everything you ever said, newest first."""
    session, subject = me()
    only = _only(session, subject)
    # A list: a tuple would be body, status, headers.
    return [line for line in service.history(session, subject) if only in (None, line.party)]


@blueprint.get("/me/receipts")
@rule(roles={"patient"})
@etagged
@blueprint.also(304, UNCHANGED)
@blueprint.gives(200, schemas_consent.ReceiptRow(many=True))
def my_receipts() -> list[Mapping[str, Any]]:
    """Your receipts, newest first, at most fifty."""
    session, subject = me()
    return [
        {
            "receipt": one.id,
            "act": one.act,
            "study": one.study,
            "recorded_at": one.recorded_at,
            "latest": receipts.is_latest(session, one),
        }
        for one in _receipts(session, subject)
    ]


@blueprint.get("/me/receipts/<receipt_id>")
@rule(roles={"patient"})
@etagged
@blueprint.also(304, UNCHANGED)
@blueprint.also(404)
@blueprint.gives(200, schemas.Receipt)
def my_receipt(receipt_id: str) -> Mapping[str, Any]:
    """A receipt, and which hospital has received the choice."""
    session, subject = me()
    found = service.receipt(session, subject, receipt_id)
    if _only(session, subject) not in (None, found.party):
        raise ConsentError("receipt_not_found")
    return shown(session, subject, found)


@blueprint.get("/me/deliveries")
@rule(roles={"patient"})
@etagged
@blueprint.also(304, UNCHANGED)
@blueprint.gives(200, schemas_consent.DeliveryRow(many=True))
def my_deliveries() -> list[Mapping[str, Any]]:
    """Per receipt: when the hospital received the choice, or that it has not yet."""
    session, subject = me()
    return [
        {
            "receipt": one.id,
            "site": delivery.site,
            "name": delivery.name,
            "received_at": delivery.received_at,
            "counts_nobody_from": delivery.counts_nobody_from,
            "notice_days": delivery.notice_days,
        }
        for one in _receipts(session, subject)
        for delivery in service.deliveries(session, subject, one)
    ]


@blueprint.get("/me/uses")
@rule(roles={"patient"})
@etagged
@blueprint.also(304, UNCHANGED)
@blueprint.gives(200, schemas_consent.UseRow(many=True))
def my_uses() -> list[Mapping[str, Any]]:
    """The questions that could count you, newest first: your hospital tells which it answered."""
    session, subject = me()
    return [
        {
            "query_sha256": line.query_id,
            "study": line.study.slug,
            "site": line.site,
            "at": line.at,
        }
        for line in uses.uses(session, subject)
    ]


@blueprint.get("/me/studies/<study>/statement")
@rule(roles={"patient"})
@etagged
@blueprint.also(304, UNCHANGED)
@blueprint.also(404)
@blueprint.gives(200, schemas_consent.StatementParts)
def my_statement(study: str) -> Mapping[str, Any]:
    """What a program signs, besides the answers, to prove a yes and keep the letter's code."""
    session, subject = me()
    asked = {found.study.slug for found in service.choices(session, subject, g.now)}
    if study not in asked:
        raise ConsentError("study_not_found")
    return {
        "network": subject.network,
        "site": subject.site,
        "handle": subject.handle,
        "party": g.visit.party,
        "study": study,
        "text_version": service.text_for(session, study, g.now).id,
    }


def me() -> tuple[Session, Subject]:
    """The patient's own record; current_session audits each look at it."""
    session = current_session()
    subject = session.get(Subject, g.actor.id)
    if subject is None:
        raise SignInNeeded
    return session, subject


def shown(session: Session, subject: Subject, made: Receipt) -> Mapping[str, Any]:
    """A receipt as the API gives it; `document` is the file that can be checked anywhere."""
    pen = signers(hub().settings, g.now)
    document = receipts.receipt_document(
        session, made, signers=pen, base=hub().settings.address.rstrip("/")
    )
    return {
        "receipt": made.id,
        "recorded_at": made.recorded_at,
        "document": receipts.signed_document(document, pen),
        "deliveries": service.deliveries(session, subject, made),
    }


def text_version(session: Session, study: str) -> str | None:
    """The text in force of a study; None when there is none."""
    try:
        return service.text_for(session, study, g.now).id
    except ConsentError:
        return None


def _only(session: Session, subject: Subject) -> str | None:
    """Of whom the answers are shown; None for everybody's."""
    reader: str = g.visit.party
    return None if speakers.may_read(session, subject, reader, "another", g.now) else reader


def _receipts(session: Session, subject: Subject) -> list[Receipt]:
    query = select(Receipt).where(Receipt.subject_id == subject.id)
    only = _only(session, subject)
    if only is not None:
        query = query.where(Receipt.party == only)
    return list(session.scalars(query.order_by(Receipt.first_leaf.desc()).limit(MANY)))
