"""What the API takes and gives, field by field; the OpenAPI document is made from these."""

from __future__ import annotations

from datetime import date

from marshmallow import Schema, ValidationError, fields, validate

from consent.recording import KIND_OF_ANSWER
from federation.query.coverage import LEVELS
from federation.runs.states import STATES
from studies.free_text import EARLIEST, LATEST

SLUG = validate.Regexp(r"^[a-z0-9][a-z0-9-]{0,62}$")
LANGUAGE = validate.OneOf(["nl", "en"])


def known_day(day: date) -> None:
    """A day that is no typing error in the year, for `validate=`."""
    if not EARLIEST <= day <= LATEST:
        raise ValidationError("A day here lies between 1990 and 2100.")


class Problem(Schema):
    """RFC 9457: what happened, why and what to do."""

    type = fields.String(required=True, metadata={"example": "urn:oncokring:problem:NOT_FOUND"})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    code = fields.String(required=True, metadata={"description": "Stable; for programs."})
    detail = fields.String(required=True, metadata={"description": "For people."})
    where = fields.String(metadata={"description": "JSON path in what was sent."})
    terms = fields.List(fields.String())
    missing = fields.List(fields.String(), metadata={"description": "Guards that are not met."})
    faults = fields.List(fields.String(), metadata={"description": "Sums that do not add up."})
    versions = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "The version that was shown, and the one that is there now."},
    )
    errors = fields.Dict(keys=fields.String())
    request = fields.String()


class Hospital(Schema):
    """A hospital's part in a study."""

    site = fields.String(required=True)
    name = fields.String(required=True)
    state = fields.String(required=True)
    since = fields.AwareDateTime(required=True)


class Study(Schema):
    """A study as the public register shows it."""

    slug = fields.String(required=True)
    title_nl = fields.String(required=True)
    title_en = fields.String(required=True)
    question_nl = fields.String(required=True)
    question_en = fields.String(required=True)
    purpose_nl = fields.String(required=True)
    purpose_en = fields.String(required=True)
    state = fields.String(required=True)
    codebook = fields.String(required=True, attribute="codebook_id")
    output_by_site = fields.Boolean(required=True)
    hospitals = fields.List(fields.Nested(Hospital), required=True)


class CoverageOfSite(Schema):
    """What a hospital said of its data for a study; all but the name null when it said nothing."""

    site = fields.String(required=True)
    name = fields.String(required=True)
    as_of = fields.Date(required=True, allow_none=True)
    variables = fields.Dict(
        keys=fields.String(),
        values=fields.String(validate=validate.OneOf(LEVELS)),
        required=True,
        allow_none=True,
        metadata={"description": "How much of each variable of the codebook has a value."},
    )
    rules = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(allow_none=True),
        required=True,
        allow_none=True,
        metadata={
            "description": "Rows that break a plausibility rule; null is few, none or nearly all."
        },
    )


class Site(Schema):
    """A hospital of the network."""

    slug = fields.String(required=True)
    name = fields.String(required=True)
    kind = fields.String(required=True)
    city = fields.String(required=True)


class QueryRow(Schema):
    """A submitted question in a list."""

    id = fields.String(required=True)
    study = fields.String(required=True)
    kind = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.String(required=True, attribute="state", validate=validate.OneOf(STATES))
    query_sha256 = fields.String(required=True)
    submitted_at = fields.AwareDateTime(required=True)
    submitted_by = fields.String(required=True, attribute="submitted_by_name")
    decided_at = fields.AwareDateTime(required=True, allow_none=True)
    decided_by = fields.String(required=True, allow_none=True, attribute="decided_by_name")
    finished_at = fields.AwareDateTime(required=True, allow_none=True)


class QueryWhole(QueryRow):
    """A submitted question with all of what was asked."""

    query = fields.Raw(required=True, metadata={"type": "object"})


class QueryFilter(Schema):
    """Which questions to list."""

    study = fields.String(validate=SLUG)
    status = fields.String(validate=validate.OneOf(STATES))
    limit = fields.Integer(load_default=100, validate=validate.Range(1, 100))


class Item(Schema):
    """One item of a study: the patient's last word on it."""

    item = fields.String(required=True)
    state = fields.String(required=True)
    since = fields.AwareDateTime(required=True, allow_none=True)
    counts = fields.Boolean(required=True)


class Choices(Schema):
    """The patient's choices in one study. `ask_again`: from when new data do not count without
    another yes, which may have passed; `ends`: when the yes ends. Null where nothing counts."""

    study = fields.String(required=True)
    title_nl = fields.String(required=True)
    title_en = fields.String(required=True)
    open = fields.Boolean(required=True)
    answered = fields.Boolean(required=True)
    counts = fields.Boolean(required=True)
    ask_again = fields.AwareDateTime(required=True, allow_none=True)
    ends = fields.AwareDateTime(required=True, allow_none=True)
    receipt = fields.String(required=True, allow_none=True)
    text_version = fields.String(required=True, allow_none=True)
    items = fields.List(fields.Nested(Item), required=True)


class Said(Schema):
    """One thing the patient said, at some time."""

    at = fields.AwareDateTime(required=True)
    kind = fields.String(required=True)
    item = fields.String(required=True)
    study = fields.String(required=True)
    receipt = fields.String(required=True, attribute="receipt_id")


class Answers(Schema):
    """A filled-in form about one study."""

    text_version = fields.String(required=True, validate=validate.Length(64, 64))
    answers = fields.Dict(
        keys=fields.String(validate=validate.Length(1, 40)),
        values=fields.String(validate=validate.OneOf(sorted(KIND_OF_ANSWER))),
        required=True,
        validate=validate.Length(1, 20),
    )
    language = fields.String(required=True, validate=LANGUAGE)
    based_on = fields.Integer(load_default=None, allow_none=True, strict=True)


class Withdrawal(Schema):
    """Stop with one study, or with all when ``study`` is null."""

    study = fields.String(required=True, allow_none=True, validate=SLUG)
    language = fields.String(required=True, validate=LANGUAGE)


class FormKey(Schema):
    """Makes a repeat of the same form harmless."""

    key = fields.String(required=True, data_key="Idempotency-Key", validate=validate.Length(8, 64))


class Delivery(Schema):
    """Whether a hospital has received a choice."""

    site = fields.String(required=True)
    name = fields.String(required=True)
    received_at = fields.AwareDateTime(required=True, allow_none=True)


class Receipt(Schema):
    """Proof that a choice was written down, and who has received it."""

    receipt = fields.String(required=True)
    recorded_at = fields.AwareDateTime(required=True)
    document = fields.Raw(required=True, metadata={"type": "object"})
    deliveries = fields.List(fields.Nested(Delivery), required=True)
