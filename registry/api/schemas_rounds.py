"""What the API takes and gives about evaluation rounds."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from registry.api.schemas_studies import MONTH

TEXT = validate.Length(1, 2000)
#: A hospital in a round: its letter, or its short name where the reader sees that.
PLACE = validate.Regexp(r"^([A-Z]{1,3}|[a-z0-9][a-z0-9-]{0,62})$")


class Round(Schema):
    """A round, whatever its state: nothing in it tells what is not released."""

    id = fields.String(required=True)
    group = fields.String(required=True)
    number = fields.Integer(required=True)
    kind = fields.String(required=True)
    parent = fields.String(required=True, allow_none=True)
    previous = fields.String(required=True, allow_none=True)
    study = fields.String(required=True)
    title = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    state = fields.String(required=True)
    version = fields.Integer(required=True)
    indicators = fields.List(fields.String(), required=True)
    period = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    sites = fields.List(fields.String(), required=True)
    names = fields.Boolean(required=True)
    freeze_at = fields.String(required=True)
    release_at = fields.String(required=True)
    released_at = fields.String(required=True, allow_none=True)
    plan_sha256 = fields.String(required=True, allow_none=True)
    planned_by = fields.String(required=True)
    approved_by = fields.String(required=True, allow_none=True)
    why = fields.String(required=True, allow_none=True)


class Covers(Schema):
    """Whether a hospital can answer an indicator; null while it has not said."""

    indicator = fields.String(required=True)
    site = fields.String(required=True)
    can = fields.Boolean(required=True, allow_none=True)
    missing = fields.List(fields.String(), required=True)


class Action(Schema):
    """Something to do about a finding."""

    indicator = fields.String(required=True, validate=validate.Length(1, 63))
    text = fields.String(required=True, validate=TEXT)
    owner = fields.String(required=True, validate=validate.Length(1, 200))
    due = fields.Date(required=True)
    site = fields.String(load_default=None, allow_none=True, validate=PLACE)
    cause = fields.String(load_default="", validate=validate.Length(max=2000))
    first = fields.String(load_default=None, allow_none=True, validate=MONTH)
    last = fields.String(load_default=None, allow_none=True, validate=MONTH)
    measure_at = fields.AwareDateTime(load_default=None, allow_none=True)


class ChangedAction(Schema):
    """An open action as it is from now on; the indicator and the hospital stay."""

    text = fields.String(required=True, validate=TEXT)
    owner = fields.String(required=True, validate=validate.Length(1, 200))
    due = fields.Date(required=True)
    cause = fields.String(load_default="", validate=validate.Length(max=2000))
    first = fields.String(load_default=None, allow_none=True, validate=MONTH)
    last = fields.String(load_default=None, allow_none=True, validate=MONTH)
    measure_at = fields.AwareDateTime(load_default=None, allow_none=True)


class Note(Schema):
    """Something to write down about a round; `indicator` is needed for help, as are both sites."""

    kind = fields.String(load_default="note", validate=validate.OneOf(["note", "cause", "help"]))
    text = fields.String(required=True, validate=TEXT)
    indicator = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 63))
    from_site = fields.String(load_default=None, allow_none=True, validate=PLACE)
    to_site = fields.String(load_default=None, allow_none=True, validate=PLACE)


class Cause(Schema):
    """By which groups an indicator is asked again, and when everybody sees the answer."""

    indicator = fields.String(required=True, validate=validate.Length(1, 63))
    variables = fields.List(
        fields.String(validate=validate.Length(1, 63)),
        required=True,
        validate=validate.Length(1, 20),
    )
    release_at = fields.AwareDateTime(required=True)
