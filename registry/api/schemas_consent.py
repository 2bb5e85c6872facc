"""What a patient's part of the API takes and gives, beyond schemas.py."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from consent.withdrawing import LEVELS
from registry.api.schemas import LANGUAGE, SLUG, Answers

_MAC = validate.Regexp(r"^[0-9a-f]{32}$")


class TwoTimes(Schema):
    """Which moment, and by what was known when."""

    at = fields.AwareDateTime(
        metadata={"description": "What counted at this moment. Now when it is left out."}
    )
    known_at = fields.AwareDateTime(
        metadata={
            "description": "By what was written down until then, so that late paperwork can be "
            "told apart. Everything when it is left out."
        }
    )


class ItemAt(Schema):
    """One item of a study at the asked moment."""

    item = fields.String(required=True)
    state = fields.String(
        required=True,
        metadata={
            "description": "not_asked, invited, deferred, granted, refused, withdrawn, objected, "
            "expired, suspended, superseded, invalidated, due (a yes that has to be said again) or "
            "no_new_data. Only granted counts; with the last two hospitals go on counting data of "
            "before `data_until`."
        },
    )
    data_until = fields.AwareDateTime(
        required=True,
        allow_none=True,
        metadata={"description": "Only data recorded before it are counted; null: no such limit."},
    )
    since = fields.AwareDateTime(required=True, allow_none=True)
    permits = fields.Boolean(required=True)


class StateAt(Schema):
    """The choices in one study at the asked moment."""

    study = fields.String(required=True)
    at = fields.AwareDateTime(required=True)
    known_at = fields.AwareDateTime(required=True, allow_none=True)
    text_version = fields.String(required=True, allow_none=True)
    items = fields.List(fields.Nested(ItemAt), required=True)


class ReceiptRow(Schema):
    """A receipt in a list."""

    receipt = fields.String(required=True)
    act = fields.String(required=True)
    study = fields.String(required=True, metadata={"description": '"*" is every study.'})
    recorded_at = fields.AwareDateTime(required=True)
    latest = fields.Boolean(
        required=True, metadata={"description": "Nothing was said since about the same."}
    )


class DeliveryRow(Schema):
    """Whether a hospital has a choice."""

    receipt = fields.String(required=True)
    site = fields.String(required=True)
    name = fields.String(required=True)
    received_at = fields.AwareDateTime(required=True, allow_none=True)
    counts_nobody_from = fields.AwareDateTime(
        required=True,
        allow_none=True,
        metadata={
            "description": "From then on the hospital counts nobody, unless it gets a newer state; "
            "null: it has none and counts nobody."
        },
    )
    notice_days = fields.Integer(
        required=True,
        allow_none=True,
        metadata={
            "description": "A yes counts there so many days after the hospital told the person of "
            "it; null: at once."
        },
    )


class UseRow(Schema):
    """A question that could count the patient."""

    query_sha256 = fields.String(required=True)
    study = fields.String(required=True)
    site = fields.String(required=True)
    at = fields.AwareDateTime(required=True)


class StatementParts(Schema):
    """What a program needs, besides the answers, to prove a yes with the letter's secret."""

    network = fields.String(required=True)
    site = fields.String(required=True)
    handle = fields.String(required=True)
    party = fields.String(required=True)
    study = fields.String(required=True)
    text_version = fields.String(required=True)


class ClientProof(Schema):
    """A proof of the yes-answers, made by the client; the letter's secret never leaves it."""

    by = fields.String(
        required=True,
        validate=validate.Length(6, 6),
        metadata={"description": "The first six characters of the letter's code."},
    )
    at = fields.AwareDateTime(
        required=True,
        metadata={"description": "The moment in the statement; at most five minutes ago."},
    )
    mac = fields.String(
        required=True,
        validate=_MAC,
        metadata={"description": "HMAC-SHA-256-128 of the statement, 32 hex digits."},
    )


class ProvedAnswers(Answers):
    """A filled-in form about one study. A yes needs a letter_code or a proof."""

    letter_code = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 80),
        metadata={
            "description": "The whole code of the letter. It is used once to prove this yes and "
            "is kept nowhere."
        },
    )
    proof = fields.Nested(ClientProof, load_default=None, allow_none=True)


class Stop(Schema):
    """Stop with one study, or with all when ``study`` is null."""

    study = fields.String(required=True, allow_none=True, validate=SLUG)
    language = fields.String(required=True, validate=LANGUAGE)
    level = fields.String(
        load_default="W3",
        validate=validate.OneOf(["W0", *LEVELS]),
        metadata={
            "description": "W0 one item (name it), W1 no more messages, W2 nothing new, W3 use "
            "nothing, W4 also destroy what can be destroyed, after 14 days in which it can be "
            "taken back."
        },
    )
    item = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 40),
        metadata={"description": "For W0 only, with a study."},
    )


class Objection(Schema):
    """Object to use without being asked, or to all use."""

    everything = fields.Boolean(required=True, truthy={True}, falsy={False})
    language = fields.String(required=True, validate=LANGUAGE)
