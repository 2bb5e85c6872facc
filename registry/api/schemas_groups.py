"""What the API takes and gives about working groups, agreements and announcements."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from registry.api.schemas import SLUG, known_day
from registry.api.schemas_file import ID
from studies.network.decisions import LINK_KINDS, MAX_TEXT
from studies.network.words import AGREEMENT_KINDS, DISCIPLINES, SEAT_ROLES
from studies.notices import MOST_TEXT, MOST_TITLE

NAME = validate.Length(1, 200)
TUMOURS = {"description": "ICD-10 codes and ranges, such as C50 or C18-C20."}


class Described(Schema):
    """What a working group is about, and what it is called."""

    name_nl = fields.String(required=True, validate=NAME)
    name_en = fields.String(required=True, validate=NAME)
    tumours = fields.List(
        fields.String(validate=validate.Length(1, 20)),
        required=True,
        validate=validate.Length(max=100),
        metadata=TUMOURS,
    )
    expected = fields.List(
        fields.String(validate=validate.OneOf(sorted(DISCIPLINES))),
        required=True,
        validate=validate.Length(max=len(DISCIPLINES)),
        metadata={"description": "Disciplines that are wanted at its table."},
    )


class Group(Described):
    """A working group as it is from now on."""

    since = fields.Date(
        load_default=None,
        allow_none=True,
        validate=known_day,
        metadata={"description": "From which day it is called so; without it, from today."},
    )


class NewGroup(Group):
    """A working group that was not there."""

    slug = fields.String(required=True, validate=SLUG)


class Seat(Schema):
    """Somebody's seat in a working group: hospital and discipline, no name."""

    site = fields.String(required=True, allow_none=True, attribute="institution")
    discipline = fields.String(required=True)
    role = fields.String(required=True)


class NewSeat(Schema):
    """Let somebody sit in a working group, for a hospital and a discipline."""

    person = fields.String(
        required=True,
        validate=NAME,
        metadata={"description": "The name, or the id where several have it."},
    )
    new = fields.Boolean(
        load_default=False, metadata={"description": "Add the person, who is not known here yet."}
    )
    site = fields.String(load_default=None, allow_none=True, validate=SLUG)
    discipline = fields.String(required=True, validate=validate.OneOf(sorted(DISCIPLINES)))
    role = fields.String(load_default="member", validate=validate.OneOf(sorted(SEAT_ROLES)))
    since = fields.Date(load_default=None, allow_none=True, validate=known_day)


class KeptSeat(Seat):
    """A seat as it is kept; its id is what ends it."""

    id = fields.String(required=True)
    since = fields.AwareDateTime(required=True)
    until = fields.AwareDateTime(required=True, allow_none=True)


class Until(Schema):
    """From which day something holds no more."""

    on = fields.Date(
        load_default=None,
        allow_none=True,
        validate=known_day,
        metadata={"description": "The first day without; today."},
    )


class GroupWhole(Described):
    """A working group with who sits in it."""

    slug = fields.String(required=True)
    network = fields.String(required=True)
    since = fields.AwareDateTime(required=True, allow_none=True)
    version = fields.Integer(required=True)
    seats = fields.List(fields.Nested(Seat), required=True)


class Link(Schema):
    """A study or a question that a decision is about."""

    kind = fields.String(required=True, validate=validate.OneOf(LINK_KINDS))
    id = fields.String(required=True, validate=validate.Length(1, 63))


class NewDecision(Schema):
    """A line for a group's log."""

    text = fields.String(required=True, validate=validate.Length(1, MAX_TEXT))
    on = fields.Date(
        load_default=None,
        allow_none=True,
        validate=known_day,
        metadata={"description": "The day of the decision; without it, today."},
    )
    links = fields.List(fields.Nested(Link), load_default=list, validate=validate.Length(max=10))
    replaces = fields.Integer(
        load_default=None,
        allow_none=True,
        strict=True,
        validate=validate.Range(1, 100_000),
        metadata={"description": "The number of the line that this one takes the place of."},
    )


class GroupDecision(Schema):
    """A line in a group's log; it is never changed."""

    number = fields.Integer(required=True)
    at = fields.AwareDateTime(required=True)
    recorded_at = fields.AwareDateTime(required=True)
    text = fields.String(required=True)
    links = fields.List(fields.Nested(Link), required=True)
    replaces = fields.Integer(required=True, allow_none=True)


class Agenda(Schema):
    """What a meeting is about, one point after the other."""

    agenda = fields.List(
        fields.String(validate=validate.Length(1, 200)),
        required=True,
        validate=validate.Length(max=30),
    )


class Meeting(Schema):
    """A meeting of a group; `sha256` is there once its state was frozen."""

    id = fields.String(required=True)
    held_on = fields.AwareDateTime(required=True)
    agenda = fields.List(fields.String(), required=True)
    frozen_at = fields.AwareDateTime(required=True, allow_none=True)
    sha256 = fields.String(required=True, allow_none=True)


class NewAgreement(Schema):
    """A version of an agreement that hospitals can sign."""

    kind = fields.String(required=True, validate=validate.OneOf(sorted(AGREEMENT_KINDS)))
    version = fields.String(required=True, validate=validate.Regexp(r"^[0-9A-Za-z._-]{1,40}$"))
    title_nl = fields.String(required=True, validate=NAME)
    title_en = fields.String(required=True, validate=NAME)
    since = fields.Date(required=True, validate=known_day)
    until = fields.Date(load_default=None, allow_none=True, validate=known_day)


class Signature(Schema):
    """A hospital's signature under an agreement."""

    site = fields.String(required=True, attribute="institution")
    signed_at = fields.AwareDateTime(required=True)
    withdrawn_at = fields.AwareDateTime(required=True, allow_none=True)


class Agreement(Schema):
    """A version of an agreement and who signed it."""

    id = fields.String(required=True)
    kind = fields.String(required=True)
    version = fields.String(required=True)
    title_nl = fields.String(required=True)
    title_en = fields.String(required=True)
    since = fields.AwareDateTime(required=True)
    until = fields.AwareDateTime(required=True, allow_none=True)
    sha256 = fields.String(required=True, allow_none=True)
    signatures = fields.List(fields.Nested(Signature), required=True)


class Sign(Schema):
    """Sign a version of an agreement, or take the signature back."""

    act = fields.String(required=True, validate=validate.OneOf(["sign", "withdraw"]))
    agreement = fields.String(required=True, validate=ID)
    sha256 = fields.String(
        load_default="",
        validate=validate.Regexp(r"^([0-9a-f]{64})?$"),
        metadata={"description": "Of the paper that was read; empty where the version has none."},
    )


class NewAnnouncement(Schema):
    """Something to tell everybody who works in a network."""

    network = fields.String(required=True, validate=SLUG)
    title_nl = fields.String(required=True, validate=validate.Length(1, MOST_TITLE))
    title_en = fields.String(required=True, validate=validate.Length(1, MOST_TITLE))
    text_nl = fields.String(required=True, validate=validate.Length(1, MOST_TEXT))
    text_en = fields.String(required=True, validate=validate.Length(1, MOST_TEXT))


class Announcement(NewAnnouncement):
    """An announcement as one reader sees it."""

    id = fields.String(required=True)
    at = fields.AwareDateTime(required=True)
    name = fields.String(required=True)
    read = fields.Boolean(required=True)
    interest = fields.Boolean(required=True)
    readers = fields.Integer(required=True)
    interested = fields.List(fields.String(), required=True)
    own = fields.Boolean(required=True)


class Mark(Schema):
    """That it was read, and whether one wants to hear more of it."""

    interest = fields.Boolean(load_default=None, allow_none=True)
