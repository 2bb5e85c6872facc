"""A receipt in the words of ISO/IEC TS 27560, as JSON-LD with the Data Privacy Vocabulary.

Made from the receipt document alone (consent/receipts.py), so that both say the same. Profile
`dpv-27560:receipt-eu-gdpr` of the W3C guide to TS 27560 with DPV.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from consent.items import ITEMS
from consent.receipt_check import PROFILE

CONTEXT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "dpv": "https://w3id.org/dpv#",
        "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
        "loc": "https://w3id.org/dpv/loc#",
        "dpv-27560": "https://w3id.org/dpv/guides/consent-27560#",
        "dct": "http://purl.org/dc/terms/",
        "xsd": "http://www.w3.org/2001/XMLSchema#",
    }
)
#: What was said -> the state that TS 27560 and DPV know.
STATES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "granted": "dpv:ConsentGiven",
        "refused": "dpv:ConsentRefused",
        "deferred": "dpv:ConsentRequestDeferred",
        "withdrawn": "dpv:ConsentWithdrawn",
        "objected": "dpv:ConsentRefused",
    }
)
_STORED: Final = "The data stay in the hospital; totals over many patients leave it."


def dpv_record(document: Mapping[str, Any], base: str = "") -> dict[str, Any]:
    """The receipt as a consent record: one process and one event per thing that was said."""
    controller = _controller(document)
    return {
        "@context": dict(CONTEXT),
        "@id": f"urn:uuid:{document['receipt']}",
        "@type": "dpv:ConsentReceipt",
        "dct:conformsTo": PROFILE,
        "dct:identifier": document["receipt"],
        "dct:issued": _time(document["recorded_at"]),
        "dpv:hasDataSubject": {
            "@type": "dpv:Patient",
            "dct:identifier": document["subject"],
        },
        "dpv:hasNotice": _notice(document, base),
        "dpv:hasDataController": controller,
        "dpv:hasProcess": [_process(one, document) for one in _kept(document)],
        "dct:hasPart": [_event(one, document) for one in _kept(document)],
        "dpv:hasJurisdiction": f"loc:{document['jurisdiction']}",
        "dpv:hasRight": list(document["rights"]),
        "dpv:hasConsentControl": {
            "@type": "dpv:WithdrawConsent",
            "dct:source": document["withdraw"]["address"],
            "dpv:hasContact": document["withdraw"]["phone"],
        },
        "dpv:hasAuthority": {
            "@type": "dpv:DataProtectionAuthority",
            "dpv:hasName": "Autoriteit Persoonsgegevens",
            "dpv:hasContact": "https://www.autoriteitpersoonsgegevens.nl",
        },
    }


def _kept(document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [one for one in document["said"] if "erased" not in one]


def _controller(document: Mapping[str, Any]) -> dict[str, Any]:
    hospital = document["controller"]
    return {
        "@type": "dpv:DataController",
        "dct:identifier": hospital["name"],
        "dpv:hasName": hospital["name"],
        "dpv:hasAddress": hospital["city"],
        "dpv:hasContact": hospital["phone"],
        "dct:isPartOf": document["network"]["name"],
    }


def _notice(document: Mapping[str, Any], base: str) -> dict[str, Any] | None:
    text = document["text"]
    if text is None:
        return None
    return {
        "@type": "dpv:ConsentNotice",
        "dct:identifier": f"sha256:{text['id']}",
        "dct:hasVersion": text["number"],
        "dct:language": document["language"],
        "dct:source": f"{base}/api/v1/texts/{text['id']}",
    }


def _process(one: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    item = ITEMS.get(one["item"])
    study = document["study"]
    return {
        "@id": f"urn:uuid:{document['receipt']}#process-{one['number']}",
        "@type": "dpv:Process",
        "dct:identifier": one["item"],
        "dct:title": None if one["label"] is None else one["label"][document["language"]],
        "dpv:hasPurpose": list(getattr(item, "purposes", ())) or ["dpv:ScientificResearch"],
        "dct:isPartOf": None if study is None else study["slug"],
        "dpv:hasPersonalData": {
            "@type": "dpv:SpecialCategoryPersonalData",
            "dct:identifier": one["category"],
            "dpv:hasNecessity": "dpv:Optional",
        },
        "dpv:hasProcessing": ["dpv:Use", "dpv:Analyse"],
        "dpv:hasStorageCondition": _STORED,
        "dpv:hasLocation": f"loc:{document['jurisdiction']}",
        "dpv:hasLegalBasis": document["legal_basis"],
        "dpv:hasRecipient": "Researchers of the network, who receive totals only.",
    }


def _event(one: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "@id": f"urn:uuid:{document['receipt']}#event-{one['number']}",
        "@type": "dpv:ExplicitlyExpressedConsent",
        "dpv:hasConsentStatus": STATES.get(one["answer"], "dpv:ConsentUnknown"),
        "dct:date": _time(one["effective_at"]),
        # Open-ended is discouraged: until the day on which the hub asks again, and the end of all.
        "dct:valid": document["ask_again"] if one["answer"] == "granted" else None,
        "dpv:hasDuration": _duration(document) if one["answer"] == "granted" else None,
        "dpv:isIndicatedBy": document["actor_role"],
        "dpv:hasIndicationMethod": "form",
        "dct:relation": f"urn:uuid:{document['receipt']}#process-{one['number']}",
    }


def _duration(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """Until when a yes lasts; None when it was given without an end."""
    ends = document.get("ends")
    if ends is None:
        return None
    return {"@type": "dpv:UntilTimeDuration", "dct:valid": {"@type": "xsd:date", "@value": ends}}


def _time(text: str) -> dict[str, str]:
    return {"@type": "xsd:dateTime", "@value": text}
