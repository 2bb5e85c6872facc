"""What the API takes and gives about hospitals in studies, recruitment and participants."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from registry.api.schemas import SLUG, known_day
from studies.hospitals.pathway import BY_CODE
from studies.participants.states import LEAVINGS, MILESTONES, STATES

CODE = validate.Length(1, 40)
MONTH = validate.Regexp(r"^\d{4}-(0[1-9]|1[0-2])$")


class Invitation(Schema):
    """Ask a hospital to take part."""

    site = fields.String(required=True, validate=SLUG)
    contact = fields.String(load_default="", validate=validate.Length(max=200))
    at = fields.AwareDateTime(load_default=None, allow_none=True)
    reason = fields.String(load_default=None, allow_none=True, validate=CODE)


class Move(Schema):
    """Take a hospital to its next step."""

    to = fields.String(required=True, validate=validate.OneOf(sorted(BY_CODE)))
    at = fields.AwareDateTime(
        load_default=None,
        allow_none=True,
        metadata={"description": "When it happened; an earlier day needs a reason."},
    )
    reason = fields.String(load_default=None, allow_none=True, validate=CODE)


class PartRow(Schema):
    """A hospital's part in a study, in a list."""

    site = fields.String(required=True)
    state = fields.String(required=True)
    since = fields.AwareDateTime(required=True)
    version = fields.Integer(required=True)


class BarStep(Schema):
    """A step of the road: done, now, ahead or passed by."""

    state = fields.String(required=True)
    place = fields.String(required=True)
    planned = fields.Date(required=True, allow_none=True)
    actual = fields.Date(required=True, allow_none=True)


class NextStep(Schema):
    """A step that may follow, and the codes of what it still needs."""

    to = fields.String(required=True)
    missing = fields.List(fields.String(), required=True)
    needs_reason = fields.Boolean(required=True)


class HistoryStep(Schema):
    """A step that was taken."""

    number = fields.Integer(required=True)
    state = fields.String(required=True)
    at = fields.AwareDateTime(required=True)
    recorded_at = fields.AwareDateTime(required=True)
    reason = fields.String(required=True, allow_none=True)


class VersionInUse(Schema):
    """A version of the study's protocol or texts, as this hospital stands to it."""

    kind = fields.String(required=True)
    version = fields.String(required=True)
    in_force_from = fields.Date(required=True)
    in_use_since = fields.Date(required=True, allow_none=True)
    in_force = fields.Boolean(required=True)
    pending = fields.Boolean(required=True)


class Card(PartRow):
    """All about one hospital in one study."""

    name = fields.String(required=True)
    days_in_state = fields.Integer(required=True)
    may_enrol = fields.Boolean(required=True)
    steps = fields.List(fields.Nested(BarStep), required=True)
    next = fields.List(fields.Nested(NextStep), required=True)
    versions = fields.List(fields.Nested(VersionInUse), required=True)
    history = fields.List(fields.Nested(HistoryStep), required=True)


REASONS_COUNTED = fields.Dict(
    keys=fields.String(validate=CODE), values=fields.Integer(strict=True), load_default=dict
)
COUNTED = fields.Integer(load_default=0, strict=True, validate=validate.Range(0, 1_000_000))


class Counts(Schema):
    """The screening log of a month: Screened, Eligible, Approached, Registered (SEAR)."""

    screened = COUNTED
    not_eligible = REASONS_COUNTED
    eligible = COUNTED
    not_approached = REASONS_COUNTED
    approached = COUNTED
    declined = REASONS_COUNTED
    deciding = COUNTED
    consented = COUNTED
    registered = COUNTED


class ScreeningMonth(Schema):
    """A month of a hospital."""

    site = fields.String(required=True)
    month = fields.String(required=True)
    version = fields.Integer(required=True)
    counts = fields.Nested(Counts, required=True)
    recorded_at = fields.AwareDateTime(required=True)


class Screening(Schema):
    """The screening log of a study."""

    study = fields.String(required=True)
    months = fields.List(fields.Nested(ScreeningMonth), required=True)
    total = fields.Nested(Counts, required=True)
    missing = fields.List(
        fields.Nested(
            Schema.from_dict({"site": fields.String(), "month": fields.String()}, name="NoCounts")
        ),
        required=True,
        metadata={"description": "Months in which a hospital was open, without counts."},
    )


class Letter(Schema):
    """That the patient agreed, by the number of the hospital's letter."""

    number = fields.String(required=True, validate=validate.Length(1, 20))


class SignedForm(Schema):
    """That the patient agreed, by a form that the hospital keeps."""

    signed_on = fields.Date(required=True, validate=known_day)
    text = fields.String(required=True, validate=validate.Length(1, 64))
    checked_by = fields.String(load_default=None, allow_none=True, validate=validate.Length(36, 36))


class Entry(Schema):
    """A new participant, by study number only; exactly one of `letter` and `form`."""

    site = fields.String(required=True, validate=SLUG)
    pseudonym = fields.String(required=True, validate=validate.Length(1, 20))
    state = fields.String(load_default="screening", validate=validate.OneOf(sorted(STATES)))
    letter = fields.Nested(Letter, load_default=None, allow_none=True)
    form = fields.Nested(SignedForm, load_default=None, allow_none=True)
    at = fields.AwareDateTime(load_default=None, allow_none=True)
    reason = fields.String(load_default=None, allow_none=True, validate=CODE)


class When(Schema):
    """When something happened, and why it is told late."""

    at = fields.AwareDateTime(load_default=None, allow_none=True)
    reason = fields.String(load_default=None, allow_none=True, validate=CODE)


class ParticipantMove(When):
    """The next state of a participant."""

    to = fields.String(required=True, validate=validate.OneOf(sorted(STATES)))


class Reached(When):
    """A milestone of a participant."""

    milestone = fields.String(required=True, validate=validate.OneOf(sorted(MILESTONES)))


class Leaving(When):
    """How a participant leaves; a stop of the use of data reaches every hospital."""

    way = fields.String(required=True, validate=validate.OneOf(sorted(LEAVINGS)))


class Participant(Schema):
    """One participant by study number."""

    pseudonym = fields.String(required=True)
    site = fields.String(required=True)
    state = fields.String(required=True)
    since = fields.AwareDateTime(required=True)
    on_study = fields.AwareDateTime(required=True, allow_none=True)
    version = fields.Integer(required=True)


class Left(Participant):
    """A participant who left, and which hospitals the stop of the use of data goes to."""

    sites = fields.List(fields.String(), required=True)
    unreached = fields.Boolean(
        required=True,
        metadata={
            "description": "No letter is linked: the hospital writes the stop down at its own desk."
        },
    )
