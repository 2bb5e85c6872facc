"""Consent and Provenance in FHIR R5 (5.0.0): decision deny, one provision per yes that counts."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from consent import fhir_codes as codes
from consent import fhir_r4
from consent.fhir_codes import Json, Surroundings
from consent.fhir_model import Checked, ConsentNow, Status

VERSION: Final = "5.0"
# R5 has no `rejected`: an active deny says it.
STATUS: Final[Mapping[Status, str]] = {
    "proposed": "draft",
    "active": "active",
    "rejected": "active",
    "inactive": "inactive",
    "entered-in-error": "entered-in-error",
}


def consent(told: ConsentNow, around: Surroundings, changed: datetime) -> Json:
    """One Consent. `date` is a day; the moment is in `period` and in Provenance."""
    made: Json = {
        "resourceType": "Consent",
        "id": told.id,
        "meta": codes.meta(told, changed),
        "extension": codes.extensions(told, around),
        "identifier": [codes.identifier(told)],
        "status": STATUS[told.status],
        "category": [
            codes.concept(codes.LOINC, "59284-0", "Consent Document"),
            codes.concept(codes.SCOPE, "research", "Research"),
        ],
        "subject": codes.patient(around),
        "date": codes.day(told.effective_at),
        "period": {"start": codes.instant(told.effective_at)},
        "grantor": codes.speakers(told, around),
        "grantee": [codes.hospital(around)],
        "manager": [codes.network(around)],
        "controller": [codes.hospital(around)],
        "regulatoryBasis": [codes.concept(codes.GDPR, "A9-2-a")],
        "decision": "deny",
        "provision": [codes.provision(told, item, around) for item in codes.shown(told)],
    }
    if told.receipt is not None:
        made["sourceReference"] = [{"identifier": codes.receipt_identifier(told.receipt)}]
    if told.text_version is not None:
        made["policyBasis"] = {"url": codes.text_url(told.text_version, around)}
    if told.checked is not None:
        made["verification"] = [_verification(told.checked, around)]
    return {name: value for name, value in made.items() if value != []}


def _verification(checked: Checked, around: Surroundings) -> Json:
    made: Json = {"verified": checked.at is not None, "verifiedBy": codes.hospital(around)}
    if checked.at is None:
        return made
    return {
        **made,
        "verifiedWith": codes.patient(around),
        "verificationDate": [codes.instant(checked.at)],
    }


def provenance(
    told: ConsentNow, around: Surroundings, *, jws: str | None, signed_at: datetime | None = None
) -> Json:
    """As in R4, and it names the patient."""
    made = fhir_r4.provenance(told, around, jws=jws, signed_at=signed_at)
    return {**made, "patient": codes.patient(around)}
