"""What the FHIR, DPV and DUO parts of the API take and give."""

from __future__ import annotations

from marshmallow import INCLUDE, Schema, fields, validate

_IDENTIFIER = validate.Length(1, 300)


class FhirSearch(Schema):
    """Which patient: `system|value` or only the value, the hospital's handle."""

    patient = fields.String(
        data_key="patient:identifier",
        validate=_IDENTIFIER,
        metadata={
            "description": "The handle, as `urn:oncokring:handle:<network>:<site>|<handle>`. A "
            "hospital's system must give it; a patient need not."
        },
    )
    subject = fields.String(
        data_key="subject:identifier",
        validate=_IDENTIFIER,
        metadata={"description": "The same under its name in R5."},
    )


class FhirProvenanceSearch(FhirSearch):
    """Which patient, and perhaps which Consent."""

    target = fields.String(
        validate=_IDENTIFIER, metadata={"description": "`Consent/<number of the receipt>`."}
    )


class FhirEvents(Schema):
    """Which events: from one number to another; and whether they are named or only counted."""

    eventsSinceNumber = fields.Integer(validate=validate.Range(1, 1 << 62))
    eventsUntilNumber = fields.Integer(validate=validate.Range(1, 1 << 62))
    content = fields.String(load_default="id-only", validate=validate.OneOf(["empty", "id-only"]))


class FhirResource(Schema):
    """A FHIR resource; its other elements are those of its own definition."""

    class Meta:
        unknown = INCLUDE

    resourceType = fields.String(required=True)
    id = fields.String(required=True)


class FhirBundle(Schema):
    """A searchset: every resource found."""

    class Meta:
        unknown = INCLUDE

    resourceType = fields.String(required=True)
    type = fields.String(required=True)
    total = fields.Integer(required=True)
    entry = fields.List(fields.Raw(metadata={"type": "object"}))


class FhirCollection(Schema):
    """A collection: resources that belong together."""

    class Meta:
        unknown = INCLUDE

    resourceType = fields.String(required=True)
    type = fields.String(required=True)
    timestamp = fields.String(required=True)
    entry = fields.List(fields.Raw(metadata={"type": "object"}), required=True)


class DuoTerm(Schema):
    """A term of the Data Use Ontology."""

    code = fields.String(required=True, metadata={"example": "DUO:0000007"})
    short = fields.String(required=True, metadata={"example": "DS"})
    label_nl = fields.String(required=True)
    label_en = fields.String(required=True)
    value = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "What it is limited to, where the term needs one."},
    )


class DuoLabel(Schema):
    """The conditions of use of a study's data, and at which hospitals they hold."""

    study = fields.String(required=True)
    terms = fields.List(fields.Nested(DuoTerm), required=True)
    local = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "Required items for which DUO has no term."},
    )
    sites = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "Hospitals where the study is open; the label is the same there."},
    )


class OdrlPolicy(Schema):
    """The conditions of use of a study's data as an ODRL policy, in JSON-LD."""

    class Meta:
        unknown = INCLUDE


class DpvRecord(Schema):
    """A receipt as a consent record of ISO/IEC TS 27560, in JSON-LD with DPV."""

    class Meta:
        unknown = INCLUDE
