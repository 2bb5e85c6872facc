"""Consent and Provenance in FHIR R4 (4.0.1): base deny, one nested permit per yes that counts."""

from base64 import b64encode
from datetime import datetime
from typing import Final

from consent import fhir_codes as codes
from consent.fhir_codes import Json, Surroundings
from consent.fhir_model import Checked, ConsentNow

VERSION: Final = "4.0"


def consent(told: ConsentNow, around: Surroundings, changed: datetime) -> Json:
    """One Consent. `status` has the words of R4 as they are."""
    made: Json = {
        "resourceType": "Consent",
        "id": told.id,
        "meta": codes.meta(told, changed),
        "extension": codes.extensions(told, around),
        "identifier": [codes.identifier(told)],
        "status": told.status,
        "scope": codes.concept(codes.SCOPE, "research", "Research"),
        "category": [codes.concept(codes.LOINC, "59284-0", "Consent Document")],
        "patient": codes.patient(around),
        "dateTime": codes.instant(told.effective_at),
        "performer": codes.speakers(told, around),
        "organization": [codes.hospital(around)],
        "policyRule": codes.concept(codes.GDPR, "A9-2-a"),
        "provision": _provision(told, around),
    }
    if told.receipt is not None:
        made["sourceReference"] = {"identifier": codes.receipt_identifier(told.receipt)}
    if told.text_version is not None:
        made["policy"] = [{"uri": codes.text_url(told.text_version, around)}]
    if told.checked is not None:
        made["verification"] = [_verification(told.checked, around)]
    return {name: value for name, value in made.items() if value != []}


def _provision(told: ConsentNow, around: Surroundings) -> Json:
    root: Json = {"type": "deny", "period": {"start": codes.instant(told.effective_at)}}
    nested = [
        {"type": "permit", **codes.provision(told, item, around)} for item in codes.shown(told)
    ]
    return {**root, "provision": nested} if nested else root


def _verification(checked: Checked, around: Surroundings) -> Json:
    if checked.at is None:
        return {"verified": False}
    return {
        "verified": True,
        "verifiedWith": codes.patient(around),
        "verificationDate": codes.instant(checked.at),
    }


def provenance(
    told: ConsentNow, around: Surroundings, *, jws: str | None, signed_at: datetime | None = None
) -> Json:
    """Where an act comes from and when it was written down, with the receipt's signature."""
    made: Json = {
        "resourceType": "Provenance",
        "id": told.id,
        "target": [{"reference": f"Consent/{told.id}"}],
        "occurredDateTime": codes.instant(told.effective_at),
        "recorded": codes.instant(told.recorded_at),
        "activity": codes.concept(
            "http://terminology.hl7.org/CodeSystem/v3-DataOperation", "CREATE", "create"
        ),
        "agent": [
            {
                "type": codes.concept(
                    "http://terminology.hl7.org/CodeSystem/provenance-participant-type", "author"
                ),
                "who": who,
            }
            for who in codes.speakers(told, around)
        ],
        "entity": [{"role": "source", "what": {"identifier": codes.receipt_identifier(told.id)}}],
    }
    if told.text_version is not None:
        made["policy"] = [codes.text_url(told.text_version, around)]
    if jws is not None:
        made["signature"] = [signature(jws, around, signed_at or told.recorded_at)]
    return made


def signature(jws: str, around: Surroundings, when: datetime) -> Json:
    """The hub's signature over a receipt: the whole JWS in base64, as FHIR wants it."""
    return {
        "type": [
            codes.coding("urn:iso-astm:E1762-95:2013", "1.2.840.10065.1.12.1.5", "Verification")
        ],
        "when": codes.instant(when),
        "who": codes.network(around),
        "targetFormat": "application/json",
        "sigFormat": "application/jose",
        "data": b64encode(jws.encode("ascii")).decode("ascii"),
    }
