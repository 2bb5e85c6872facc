"""What the API takes and gives about texts for patients, and what two people decide about them."""

from __future__ import annotations

import unicodedata
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from consent.models import CHANGE_CLASSES
from consent.no_consent import GROUNDS, LONGEST, MOST_WORDS
from consent.texts import ANSWERS
from registry.api.schemas import known_day
from registry.forms.text_form import MOST_LETTERS

CLASS = validate.OneOf(CHANGE_CLASSES)
ITEM = validate.Regexp(r"^[a-z]+\.[a-z_]+$")
HASH = validate.Regexp(r"^[0-9a-f]{64}$")
FEW = validate.Length(max=60)


def plain(text: str) -> None:
    """Words that can be shown and kept: no control signs and no halves of a sign."""
    if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in text):
        raise ValidationError("Control signs do not belong in a text.")


def words(most: int = MOST_LETTERS, **more: Any) -> fields.String:
    """Some words, at most so many signs."""
    return fields.String(validate=[validate.Length(max=most), plain], **more)


class StoryPanel(Schema):
    """One idea of the short story."""

    heading = words(required=True)
    text = fields.List(words(), required=True, validate=FEW)


class AskedItem(Schema):
    """What is asked, and what it means."""

    legend = words(required=True)
    explain = words(required=True)


class TextWording(Schema):
    """A text in one language."""

    title = words(required=True)
    summary = words(required=True)
    story = fields.List(fields.Nested(StoryPanel), required=True, validate=FEW)
    questions = fields.Dict(
        keys=fields.String(validate=ITEM), values=fields.Nested(AskedItem), required=True
    )
    answers = fields.Dict(
        keys=fields.String(validate=validate.OneOf(ANSWERS)), values=words(), required=True
    )
    stop = fields.List(words(), required=True, validate=FEW)
    after = fields.List(words(), required=True, validate=FEW)


class TextContent(Schema):
    """What is asked, in this order, in both languages: as `content` of GET /texts/<text>."""

    items = fields.List(fields.String(validate=ITEM), required=True, validate=FEW)
    nl = fields.Nested(TextWording, required=True)
    en = fields.Nested(TextWording, required=True)


class BothLanguages(Schema):
    """A sentence in each language."""

    nl = words(300, required=True)
    en = words(300, required=True)


class Said(Schema):
    """What a draft says beside its words."""

    widened = fields.List(
        fields.String(validate=ITEM),
        load_default=list,
        validate=FEW,
        metadata={"description": "The items that mean more than before."},
    )
    changes = fields.Nested(
        BothLanguages,
        load_default=lambda: {"nl": "", "en": ""},
        metadata={"description": "What is new, in a sentence for patients."},
    )
    ethics_reference = words(100, load_default="")


class NewDraft(Said):
    """A draft; without `content` a copy of the newest text."""

    content = fields.Nested(TextContent, load_default=None, allow_none=True)
    change_class = fields.String(load_default=None, allow_none=True, validate=CLASS)


class ChangedDraft(Said):
    """All of what a draft says from now on."""

    content = fields.Nested(TextContent, required=True)
    change_class = fields.String(required=True, validate=CLASS)


class Judgement(Schema):
    """What an approver thinks of the draft whose hash they name."""

    sha256 = fields.String(required=True, validate=HASH)
    judged_class = fields.String(
        required=True,
        validate=CLASS,
        metadata={"description": "Another class than the draft's is an objection and stops it."},
    )


class PublishText(Schema):
    """From when a text is in force."""

    begins = fields.Date(
        load_default=None,
        allow_none=True,
        validate=known_day,
        metadata={"description": "From the start of this day; at once when it is left out."},
    )


class DraftRow(Schema):
    """A draft in a list."""

    draft = fields.String(required=True)
    change_class = fields.String(required=True)
    changed_at = fields.AwareDateTime(required=True)
    approvals = fields.Integer(required=True)


class Draft(Schema):
    """A draft, who judged it, and what is not right about its class."""

    draft = fields.String(required=True)
    study = fields.String(required=True)
    content = fields.Dict(required=True)
    change_class = fields.String(required=True)
    widened = fields.List(fields.String(), required=True)
    changes = fields.Dict(required=True)
    ethics_reference = fields.String(required=True)
    changed_at = fields.AwareDateTime(required=True)
    sha256 = fields.String(
        required=True, metadata={"description": "Of all that an approver approves."}
    )
    approved_by = fields.List(fields.String(), required=True)
    objected_by = fields.List(fields.String(), required=True)
    problems = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "Codes: why the class is wrong."},
    )
    published = fields.String(required=True, allow_none=True)


class PublishedText(Schema):
    """A published text in a list."""

    id = fields.String(required=True)
    number = fields.Integer(required=True)
    change_class = fields.String(required=True)
    widened = fields.List(fields.String(), required=True)
    ethics_reference = fields.String(required=True)
    valid_from = fields.AwareDateTime(required=True)
    suspended_at = fields.AwareDateTime(required=True, allow_none=True)


class Texts(Schema):
    """The texts of a study: what was published, the first one first, and what is being written."""

    study = fields.String(required=True)
    versions = fields.List(fields.Nested(PublishedText), required=True)
    drafts = fields.List(fields.Nested(DraftRow), required=True)


class AskSuspension(Schema):
    """Why a text must stop, in the words that patients will read."""

    why = fields.Nested(BothLanguages, required=True)


class DecideSuspension(Schema):
    """Stop the text, or leave it as it is."""

    suspends = fields.Boolean(required=True)


class Suspension(Schema):
    """A request to suspend a text, and what became of it."""

    id = fields.String(required=True)
    why = fields.Dict(required=True)
    asked_at = fields.AwareDateTime(required=True)
    decided_at = fields.AwareDateTime(required=True, allow_none=True)
    suspends = fields.Boolean(required=True)


class NewRoute(Schema):
    """A proposal to use data without asking; nobody counts by it."""

    ground = fields.String(required=True, validate=validate.OneOf(GROUNDS))
    reason = words(MOST_WORDS, required=True)
    reference = words(MOST_WORDS, required=True)
    until = fields.Date(
        required=True,
        validate=known_day,
        metadata={"description": f"The last day, at most {LONGEST.days} days from now."},
    )


class RouteAct(Schema):
    """What is done with a proposal or decision."""

    act = fields.String(required=True, validate=validate.OneOf(["decide", "end"]))


class DecidedRoute(Schema):
    """A decision to use data without asking, and where it stands."""

    id = fields.String(required=True)
    ground = fields.String(required=True)
    reason = fields.String(required=True)
    reference = fields.String(required=True)
    until = fields.AwareDateTime(required=True)
    asked_at = fields.AwareDateTime(required=True)
    decided_at = fields.AwareDateTime(required=True, allow_none=True)
    ended_at = fields.AwareDateTime(required=True, allow_none=True)
    state = fields.String(
        required=True, metadata={"description": "off, ended, proposed or decided."}
    )
