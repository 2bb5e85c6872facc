"""The words that FHIR R4 and R5 share: systems of codes, references without a person, times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from consent.fhir_model import ConsentNow, ItemNow
from consent.items import ITEMS
from consent.rule import ANY, SELF

Json = dict[str, Any]

ITEM: Final = "urn:oncokring:consent-item"
STATE: Final = "urn:oncokring:consent-item-state"
EXPORT: Final = "urn:oncokring:consent-export"
STUDY: Final = "urn:oncokring:study"
NETWORK: Final = "urn:oncokring:network"
SITE: Final = "urn:oncokring:institution"
COMPUTED: Final = "urn:oncokring:consent-computed"
UUID: Final = "urn:ietf:rfc:3986"
EXTENSION_STATE: Final = "urn:oncokring:fhir:item-state"
EXTENSION_RECEIPT: Final = "urn:oncokring:fhir:receipt-sha256"
EXTENSION_STUDY: Final = "urn:oncokring:fhir:research-study"

SCOPE: Final = "http://terminology.hl7.org/CodeSystem/consentscope"
LOINC: Final = "http://loinc.org"
REASON: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
ROLE: Final = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
DUO: Final = "http://purl.obolibrary.org/obo/duo.owl"
GDPR: Final = "https://w3id.org/dpv/legal/eu/gdpr"


@dataclass(frozen=True)
class Surroundings:
    """What a Consent needs besides what was said. No name of a patient is in here.

    base: the hub's address with a slash at its end. handle: the hospital's opaque name of its
    patient. receipts: per act the SHA-256 of its receipt.
    """

    base: str
    network: str
    network_name: str
    site: str
    site_name: str
    handle: str
    receipts: Mapping[str, str]
    titles: Mapping[str, str]


def concept(system: str, code: str, display: str | None = None) -> Json:
    """A CodeableConcept with one coding."""
    return {"coding": [coding(system, code, display)]}


def coding(system: str, code: str, display: str | None = None) -> Json:
    """A Coding."""
    made = {"system": system, "code": code}
    return made if display is None else {**made, "display": display}


def patient(around: Surroundings) -> Json:
    """The patient by handle: a logical reference, there is no Patient resource."""
    return {"type": "Patient", "identifier": handle(around)}


def handle(around: Surroundings) -> Json:
    """The handle as an identifier; its system is of this network and hospital."""
    return {"system": handle_system(around.network, around.site), "value": around.handle}


def handle_system(network: str, site: str) -> str:
    """The system of a hospital's handles."""
    return f"urn:oncokring:handle:{network}:{site}"


def hospital(around: Surroundings) -> Json:
    """The hospital, by identifier."""
    return _organization(SITE, around.site, around.site_name)


def network(around: Surroundings) -> Json:
    """The network, by identifier."""
    return _organization(NETWORK, around.network, around.network_name)


def _organization(system: str, value: str, display: str) -> Json:
    identifier = {"system": system, "value": value}
    return {"type": "Organization", "identifier": identifier, "display": display}


def speakers(consent: ConsentNow, around: Surroundings) -> list[Json]:
    """Who decided: the patient, or representatives by the opaque id the hospital gave them."""
    return [_speaker(party, role, around) for party, role in consent.by]


def _speaker(party: str, role: str, around: Surroundings) -> Json:
    if party == SELF:
        return patient(around)
    identifier = {"system": f"{handle_system(around.network, around.site)}:party", "value": party}
    return {"type": "RelatedPerson", "identifier": identifier, "display": role}


def identifier(consent: ConsentNow) -> Json:
    """The id of the event set: the receipt's UUID, or that of the computed result."""
    if consent.computed:
        return {"system": COMPUTED, "value": consent.id}
    return receipt_identifier(consent.id)


def receipt_identifier(receipt: str) -> Json:
    """A receipt's UUID as an identifier."""
    return {"system": UUID, "value": f"urn:uuid:{receipt}"}


def text_url(text_version: str, around: Surroundings) -> str:
    """Where the words of a text version are."""
    return f"{around.base}api/v1/texts/{text_version}"


def meta(consent: ConsentNow, changed: datetime) -> Json:
    """`computed` or `historical`, and when something was last written down about the patient."""
    tag = "computed" if consent.computed else "historical"
    return {"lastUpdated": instant(changed), "tag": [coding(EXPORT, tag)]}


def extensions(consent: ConsentNow, around: Surroundings) -> list[Json]:
    """What FHIR cannot say otherwise: the state of every item, and the hash of the receipt."""
    told = [_state(item) for item in consent.items]
    digest = around.receipts.get(consent.receipt or "")
    if digest is not None:
        told.append({"url": EXTENSION_RECEIPT, "valueString": digest})
    return told


def _state(item: ItemNow) -> Json:
    parts: list[Json] = [
        {"url": "study", "valueIdentifier": {"system": STUDY, "value": item.study}},
        {"url": "item", "valueCoding": item_coding(item.item)},
        {"url": "state", "valueCode": item.state},
    ]
    if item.since is not None:
        parts.append({"url": "since", "valueDateTime": instant(item.since)})
    if item.data_until is not None:
        parts.append({"url": "dataUntil", "valueDateTime": instant(item.data_until)})
    return {"url": EXTENSION_STATE, "extension": parts}


def item_coding(item: str) -> Json:
    """An item of the catalogue; "*" is everything."""
    known = ITEMS.get(item)
    return coding(ITEM, item, known.label_en if known else None)


def shown(consent: ConsentNow) -> Sequence[ItemNow]:
    """The yeses to write as provisions: what counts now, or for an act that ended what counted."""
    if consent.status == "active":
        return [item for item in consent.items if item.permits]
    if consent.status == "inactive":
        return [item for item in consent.items if item.ended is not None and item.item != ANY]
    return []


def provision(consent: ConsentNow, item: ItemNow, around: Surroundings) -> Json:
    """What R4 and R5 say alike of one yes."""
    since = item.since or consent.effective_at
    period = {"start": instant(since)}
    end = item.ended or item.until
    if end is not None:
        period["end"] = instant(max(end, since))
    known = ITEMS.get(item.item)
    duo = known.duo_granted if known else ()
    made: Json = {
        "period": period,
        "actor": [_study(item.study, around)],
        "purpose": [coding(REASON, "HRESCH"), *(coding(DUO, term) for term in duo)],
        "code": [{"coding": [item_coding(item.item)]}],
    }
    if consent.only_new_data and (known is None or not known.contact):
        made["dataPeriod"] = {"start": instant(since)}
    return made


def _study(study: str, around: Surroundings) -> Json:
    identifier = {"system": STUDY, "value": study}
    reference: Json = {"identifier": identifier}
    if study in around.titles:
        reference["display"] = around.titles[study]
    of_study = {"type": "ResearchStudy", "identifier": identifier}
    return {
        "extension": [{"url": EXTENSION_STUDY, "valueReference": of_study}],
        "role": concept(ROLE, "IRCP", "information recipient"),
        "reference": reference,
    }


def instant(moment: datetime) -> str:
    """A moment in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def day(moment: datetime) -> str:
    """The day in UTC."""
    return moment.astimezone(UTC).date().isoformat()
