"""What the API takes and gives about the file of a study and the work at a hospital."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from registry.api.schemas import SLUG, known_day
from registry.api.schemas_studies import CODE
from studies.hospitals.committee import BODIES, OUTCOMES
from studies.hospitals.documents import KINDS
from studies.hospitals.versions import VERSION_KINDS

VERSION = validate.Regexp(r"^[0-9A-Za-z][0-9A-Za-z._-]{0,19}$")
ID = validate.Length(36, 36)


class Decision(Schema):
    """What a committee decided about a study."""

    body = fields.String(required=True, validate=validate.OneOf(sorted(BODIES)))
    outcome = fields.String(required=True, validate=validate.OneOf(sorted(OUTCOMES)))
    reference = fields.String(required=True, validate=validate.Length(1, 60))
    decided_on = fields.Date(required=True, validate=known_day)
    conditions = fields.List(
        fields.String(validate=validate.Length(1, 300)),
        load_default=list,
        validate=validate.Length(max=50),
    )
    document_id = fields.String(load_default=None, allow_none=True, validate=ID)


class KeptDecision(Decision):
    """A decision as it is kept."""

    number = fields.Integer(required=True)
    recorded_at = fields.AwareDateTime(required=True)


class Version(Schema):
    """A version of protocol, consent form or information that comes into force."""

    kind = fields.String(required=True, validate=validate.OneOf(sorted(VERSION_KINDS)))
    version = fields.String(required=True, validate=VERSION)
    in_force_from = fields.Date(required=True, validate=known_day)
    adopt_by = fields.Date(
        required=True,
        validate=known_day,
        metadata={"description": "After this day hospitals that do not use it enrol nobody new."},
    )
    document_id = fields.String(load_default=None, allow_none=True, validate=ID)


class KeptVersion(Version):
    """A version as it is kept; its id is what a hospital adopts."""

    id = fields.String(required=True)


class Document(Schema):
    """A PDF file of a study, or of one hospital in it."""

    kind = fields.String(required=True, validate=validate.OneOf(sorted(KINDS)))
    name = fields.String(required=True, validate=validate.Length(1, 200))
    version = fields.String(required=True, validate=VERSION)
    valid_from = fields.Date(required=True, validate=known_day)
    valid_until = fields.Date(load_default=None, allow_none=True, validate=known_day)
    site = fields.String(load_default=None, allow_none=True, validate=SLUG)
    pdf = fields.String(
        required=True,
        load_only=True,
        validate=validate.Length(max=9_500_000),
        metadata={"description": "The file in base64 (RFC 4648, 4)."},
    )


class KeptDocument(Schema):
    """A document as it is kept."""

    id = fields.String(required=True)
    kind = fields.String(required=True)
    name = fields.String(required=True)
    version = fields.String(required=True)
    valid_from = fields.Date(required=True)
    valid_until = fields.Date(required=True, allow_none=True)
    site = fields.String(required=True, allow_none=True, attribute="institution")
    sha256 = fields.String(required=True)
    size = fields.Integer(required=True)
    uploaded_at = fields.AwareDateTime(required=True)


class StudyFile(Schema):
    """Everything that belongs to the study as a whole."""

    study = fields.String(required=True)
    kind = fields.String(required=True)
    phase = fields.String(required=True, allow_none=True)
    design = fields.String(required=True, allow_none=True)
    standing = fields.String(required=True)
    identifiers = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    decisions = fields.List(fields.Nested(KeptDecision), required=True)
    versions = fields.List(fields.Nested(KeptVersion), required=True)
    documents = fields.List(fields.Nested(KeptDocument), required=True)


#: What each kind of work needs besides itself.
WORK: Mapping[str, tuple[str, ...]] = {
    "answer": ("interest",),
    "confirm": (),
    "plan": ("step",),
    "milestone": ("kind", "day"),
    "ask_annex": ("department", "day"),
    "take_annex": ("department", "day", "outcome"),
    "add_condition": ("words",),
    "meet_condition": ("source", "number", "day"),
    "adopt": ("version_id", "day"),
}


class Work(Schema):
    """Something done at a hospital between two steps; what it needs depends on the act."""

    act = fields.String(
        required=True,
        validate=validate.OneOf(sorted(WORK)),
        metadata={
            "description": "; ".join(
                f"{act}: {', '.join(needs) or 'nothing more'}" for act, needs in WORK.items()
            )
        },
    )
    interest = fields.Boolean(load_default=None, allow_none=True)
    expected_per_year = fields.Integer(
        load_default=None, allow_none=True, strict=True, validate=validate.Range(0, 100_000)
    )
    step = fields.String(load_default=None, allow_none=True, validate=CODE)
    kind = fields.String(load_default=None, allow_none=True, validate=CODE)
    day = fields.Date(load_default=None, allow_none=True, validate=known_day)
    due = fields.Date(load_default=None, allow_none=True, validate=known_day)
    reason = fields.String(load_default=None, allow_none=True, validate=CODE)
    department = fields.String(load_default=None, allow_none=True, validate=CODE)
    outcome = fields.String(load_default=None, allow_none=True, validate=CODE)
    words = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 300))
    source = fields.String(load_default=None, allow_none=True, validate=CODE)
    number = fields.Integer(
        load_default=None, allow_none=True, strict=True, validate=validate.Range(1, 1000)
    )
    version_id = fields.String(load_default=None, allow_none=True, validate=ID)

    @validates_schema
    def needs(self, data: Mapping[str, Any], **_others: object) -> None:
        """Refuse an act without what it needs."""
        lacking = [name for name in WORK[data["act"]] if data.get(name) is None]
        if lacking:
            raise ValidationError({name: ["This act needs it."] for name in lacking})
