"""/api/v1/dpv, /api/v1/studies/<study>/duo and /odrl: consent in other vocabularies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, g, json

from consent import duo, odrl
from consent.dpv import dpv_record
from consent.receipts import receipt_document
from registry.access import rule
from registry.accounts.proving import settings
from registry.api import schemas_fhir as schemas
from registry.api.etags import etagged
from registry.api.fhir import READERS, address, owner_of_receipt
from registry.api.part import Part
from registry.api.studies import find
from registry.hub_keys import signers
from registry.transaction import current_session

blueprint = Part("api-records", __name__, description="Consent in DPV, DUO and ODRL")
JSON_LD = "application/ld+json"


@blueprint.get("/dpv/<receipt_id>")
@rule(roles=READERS, scope="subject")
@etagged
@blueprint.also(304, "Nothing has changed since the ETag that was sent.")
@blueprint.also(404)
@blueprint.gives(200, schemas.DpvRecord, media=JSON_LD)
def dpv(receipt_id: str) -> Response:
    """A receipt as a consent record of ISO/IEC TS 27560, in JSON-LD with the DPV vocabulary.

    For the patient whose receipt it is, and for the hospital's own system with a token.
    """
    receipt, _subject = owner_of_receipt(receipt_id)
    base = address()
    document = receipt_document(
        current_session(), receipt, signers=signers(settings(), g.now), base=base
    )
    return Response(json.dumps(dpv_record(document, base)), content_type=JSON_LD)


@blueprint.get("/studies/<study>/duo")
@rule("public")
@etagged
@blueprint.also(304, "Nothing has changed since the ETag that was sent.")
@blueprint.also(404)
@blueprint.gives(200, schemas.DuoLabel)
def duo_label(study: str) -> Mapping[str, Any]:
    """The conditions of use of a study's data as terms of the Data Use Ontology (GA4GH DUO).

    It follows from what the study requires of every patient, never from what single patients said.
    """
    found = find(study)
    label = duo.label(found.requires)
    sites = [part.institution for part in found.participations if part.state == "open"]
    return {"study": found.slug, "terms": label.terms, "local": label.local, "sites": sites}


@blueprint.get("/studies/<study>/odrl")
@rule("public")
@etagged
@blueprint.also(304, "Nothing has changed since the ETag that was sent.")
@blueprint.also(404)
@blueprint.gives(200, schemas.OdrlPolicy, media=JSON_LD)
def odrl_policy(study: str) -> Response:
    """The same as an ODRL policy: a rule per subject, also where DUO has no term.

    What the study requires of every patient is permitted, with the duty to have each one's yes; all
    else is prohibited.
    """
    found = find(study)
    made = odrl.policy(found.slug, found.network, found.requires, address())
    return Response(json.dumps(made), content_type=JSON_LD)
