"""/api/v1/fhir: one patient's choices as FHIR R4 or R5, for the patient and for their hospital.

Nobody else reads it, and nobody reads several patients at once: a search names one handle. A
hospital asks with an API token of its own system (role steward), never with a person's browser.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import ModuleType
from typing import Any

from flask import Response, g, request
from flask_smorest import abort  # type: ignore[import-untyped]
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotAcceptable, NotFound
from werkzeug.http import parse_options_header

from consent import fhir, fhir_log, fhir_r4, fhir_r5, speakers
from consent.fhir_codes import Json, Surroundings, handle_system
from consent.fhir_model import ConsentNow
from consent.models import Receipt, Subject
from consent.receipts import Signers, document_sha256, receipt_document, receipt_jws
from consent.recording import as_of
from registry import access
from registry.access import rule
from registry.accounts import visitor
from registry.accounts.proving import settings
from registry.api import schemas_fhir as schemas
from registry.api.etags import etagged
from registry.api.part import Part
from registry.hub_keys import signers
from registry.transaction import current_session
from studies.actor import Actor
from studies.events import announce
from studies.exchange.fhir_research import Version

blueprint = Part("api-fhir", __name__, description="One patient's choices as FHIR R4 or R5")
READERS = ("patient", "steward")
MEDIA = "application/fhir+json"
WRITERS: Mapping[Version, ModuleType] = {"4.0": fhir_r4, "5.0": fhir_r5}


@access.scope("subject")
def _own_subject(
    _session: Session, _actor: Actor, _arguments: Mapping[str, Any], roles: frozenset[str]
) -> bool:
    # Whose the object is, is looked up in the view; here: no person reads for a hospital.
    return "patient" in roles or visitor.by_token()


@dataclass(frozen=True)
class _Export:
    """One patient's choices, told in one version of FHIR."""

    version: Version
    told: tuple[ConsentNow, ...]
    around: Surroundings
    documents: Mapping[str, Json]
    pen: Signers
    changed: datetime

    def consents(self) -> list[Json]:
        return [WRITERS[self.version].consent(one, self.around, self.changed) for one in self.told]

    def provenances(self) -> list[Json]:
        writer = WRITERS[self.version]
        jws = {number: receipt_jws(each, self.pen) for number, each in self.documents.items()}
        return [
            writer.provenance(one, self.around, jws=jws.get(one.id))
            for one in self.told
            if not one.computed
        ]


@blueprint.get("/fhir/Consent")
@rule(roles=READERS, scope="subject")
@etagged
@blueprint.takes(schemas.FhirSearch, location="query")
@blueprint.also(304, "Nothing has changed since the ETag that was sent.")
@blueprint.also(406)
@blueprint.gives(200, schemas.FhirBundle, media=MEDIA)
def search_consents(asked: Mapping[str, str]) -> Response:
    """The Consents of one patient: one per act, and the computed result per study.

    A patient needs no parameter; a hospital's system must name one handle in `patient:identifier`.
    """
    version = asked_version()
    subject = _one(current_session(), asked)
    found = [] if subject is None else _export(subject, version).consents()
    return _bundle(found, version)


@blueprint.get("/fhir/Consent/<consent_id>")
@rule(roles=READERS, scope="subject")
@etagged
@blueprint.also(304, "Nothing has changed since the ETag that was sent.")
@blueprint.also(404)
@blueprint.also(406)
@blueprint.gives(200, schemas.FhirResource, media=MEDIA)
def get_consent(consent_id: str) -> Response:
    """One Consent: of an act by the number of its receipt, or the computed one of a study."""
    version = asked_version()
    found = _export(_owner(consent_id), version).consents()
    return resource_answer(_named(found, consent_id), version)


@blueprint.get("/fhir/Provenance")
@rule(roles=READERS, scope="subject")
@blueprint.takes(schemas.FhirProvenanceSearch, location="query")
@blueprint.also(406)
@blueprint.gives(200, schemas.FhirBundle, media=MEDIA)
def search_provenances(asked: Mapping[str, str]) -> Response:
    """Where each act of one patient comes from, with the signature of its receipt."""
    version = asked_version()
    subject = _one(current_session(), asked)
    found = [] if subject is None else _export(subject, version).provenances()
    if target := asked.get("target"):
        wanted = {"reference": f"Consent/{target.removeprefix('Consent/')}"}
        found = [one for one in found if wanted in one["target"]]
    return _bundle(found, version)


@blueprint.get("/fhir/Provenance/<consent_id>")
@rule(roles=READERS, scope="subject")
@blueprint.also(404)
@blueprint.also(406)
@blueprint.gives(200, schemas.FhirResource, media=MEDIA)
def get_provenance(consent_id: str) -> Response:
    """Where one act comes from, by the number of its receipt."""
    version = asked_version()
    found = _export(_owner(consent_id), version).provenances()
    return resource_answer(_named(found, consent_id), version)


def address() -> str:
    """The hub's address as receipts name it, so that their hashes are the printed ones."""
    return settings().address.rstrip("/")


def owner_of_receipt(receipt_id: str) -> tuple[Receipt, Subject]:
    """A receipt that whoever asks may read, and whose it is; NotFound otherwise. Audited."""
    session = current_session()
    receipt = session.get(Receipt, receipt_id)
    subject = None if receipt is None else session.get(Subject, receipt.subject_id)
    if receipt is None or subject is None or not _may_read(subject):
        raise NotFound
    if _party(subject) not in (None, receipt.party):
        raise NotFound
    _audit(subject)
    return receipt, subject


def asked_version() -> Version:
    """The version of FHIR that the Accept header asks for."""
    accepted = [value for value, quality in request.accept_mimetypes if quality > 0]
    for value in accepted:
        kind, options = parse_options_header(value)
        if kind not in (MEDIA, "application/json", "application/*", "*/*"):
            continue
        asked = options.get("fhirversion", "4.0")
        for version in WRITERS:
            if asked == version or asked.startswith(f"{version}."):
                return version
    if accepted:
        raise NotAcceptable
    return "4.0"


def _one(session: Session, asked: Mapping[str, str]) -> Subject | None:
    """The one patient of a search; None when it is nobody that this caller may read."""
    named = asked.get("patient") or asked.get("subject") or ""
    if g.actor.kind == "patient":
        own = session.get(Subject, g.actor.id)
        if own is None:
            raise access.SignInNeeded
        return own if not named or _matches(own, named) else None
    if not named:
        why = "Name one patient by the handle; no search gives a list of patients."
        abort(422, messages={"query": {"patient:identifier": [why]}})
    value = named.rpartition("|")[2]
    found = session.scalars(
        select(Subject).where(Subject.handle == value, Subject.site.in_(_sites()))
    )
    return next((one for one in found if _matches(one, named)), None)


def _matches(subject: Subject, named: str) -> bool:
    system, bar, value = named.rpartition("|")
    right = not bar or system == handle_system(subject.network, subject.site)
    return right and value == subject.handle


def _sites() -> frozenset[str]:
    """The hospitals whose system asks. A role for the whole network is no hospital's."""
    return access.reach(g.actor, "steward", "site") or frozenset()


def _party(subject: Subject) -> str | None:
    """Of whom the answers are shown; None for all. Of two parents neither sees the other's."""
    if g.actor.kind != "patient":
        return None
    reader: str = g.visit.party
    session = current_session()
    return None if speakers.may_read(session, subject, reader, "another", g.now) else reader


def _may_read(subject: Subject) -> bool:
    if g.actor.kind == "patient":
        return bool(subject.id == g.actor.id)
    return subject.site in _sites()


def _owner(consent_id: str) -> Subject:
    """Whose Consent this is, when the caller may read it; NotFound otherwise."""
    session = current_session()
    receipt = session.get(Receipt, consent_id)
    key = consent_id.partition(".")[0] if receipt is None else receipt.subject_id
    subject = session.get(Subject, key)
    if subject is None or not _may_read(subject):
        raise NotFound
    return subject


def _audit(subject: Subject) -> None:
    # The rule of these routes is not the patient's alone, so nothing else writes this line.
    about = f"subject:{subject.id}"
    announce(current_session(), actor=g.actor, action="consent.read", about=about)


def _export(subject: Subject, version: Version) -> _Export:
    session = current_session()
    _audit(subject)
    moment = as_of(session, subject.network, g.now)
    patient = fhir_log.patient(session, subject, moment)
    told = fhir.consents(patient, moment, party=_party(subject))
    pen = signers(settings(), g.now)
    documents = {
        receipt.id: receipt_document(session, receipt, signers=pen, base=address())
        for receipt in _receipts(session, told)
    }
    hashes = {number: document_sha256(document) for number, document in documents.items()}
    around = fhir_log.surroundings(session, subject, f"{address()}/", hashes)
    # Not the moment of asking: what did not change is told in the same words.
    changed = patient.changed or subject.created_at
    return _Export(version, told, around, documents, pen, changed)


def _receipts(session: Session, told: Iterable[ConsentNow]) -> Iterable[Receipt]:
    numbers = [one.receipt for one in told if one.receipt is not None]
    return session.scalars(select(Receipt).where(Receipt.id.in_(numbers)))


def _named(found: Iterable[Json], consent_id: str) -> Json:
    for one in found:
        if one["id"] == consent_id:
            return one
    raise NotFound


def _bundle(found: list[Json], version: str) -> Response:
    base = f"{address()}/api/v1/fhir"
    return resource_answer(
        {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": len(found),
            "link": [{"relation": "self", "url": request.url}],
            "entry": [
                {
                    "fullUrl": f"{base}/{one['resourceType']}/{one['id']}",
                    "resource": one,
                    "search": {"mode": "match"},
                }
                for one in found
            ],
        },
        version,
    )


def resource_answer(resource: Json, version: str) -> Response:
    told = {name: value for name, value in resource.items() if value != []}
    response = Response(json.dumps(told), content_type=f"{MEDIA}; fhirVersion={version}")
    response.headers["Vary"] = "Accept"
    return response
