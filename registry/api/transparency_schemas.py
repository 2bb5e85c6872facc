"""What the transparency part of the API takes and gives."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from registry.api.schemas import SLUG
from registry.receipts.checking import MAX_BYTES

HEX = validate.Regexp(r"^[0-9a-f]{64}$")
COUNT = validate.Range(0, 1 << 40)


class Text(Schema):
    """A text for patients."""

    id = fields.String(required=True)
    study = fields.String(required=True)
    number = fields.Integer(required=True)
    change_class = fields.String(required=True)
    valid_from = fields.AwareDateTime(required=True)
    suspended_at = fields.AwareDateTime(required=True, allow_none=True)
    changes = fields.Dict(required=True)
    content = fields.Dict(required=True)


class Difference(Schema):
    """Two texts beside each other."""

    study = fields.String(required=True)
    old = fields.Dict(required=True)
    new = fields.Dict(required=True)
    parts = fields.Dict(required=True)


class Catalogue(Schema):
    """All items, with the hash of their catalogue."""

    sha256 = fields.String(required=True)
    document = fields.Dict(required=True)


class OfNetwork(Schema):
    """Which log; not needed where there is one network."""

    network = fields.String(load_default=None, validate=SLUG)


class Inclusion(OfNetwork):
    """A leaf and the size of a tree."""

    number = fields.Integer(required=True, validate=COUNT)
    size = fields.Integer(required=True, validate=COUNT)


class Consistency(OfNetwork):
    """Two sizes of the same tree."""

    old_size = fields.Integer(required=True, validate=COUNT)
    size = fields.Integer(required=True, validate=COUNT)


class Head(Schema):
    """A signed head: `signed` is the JWS (Ed25519, typ consent-head+jws)."""

    network = fields.String(required=True)
    size = fields.Integer(required=True)
    root = fields.String(required=True)
    at = fields.AwareDateTime(required=True)
    signed = fields.String(required=True)


class Seen(Schema):
    """A head as a hospital saw it. `signed`: its JWS (typ consent-witness+jws), `key` its key."""

    site = fields.String(required=True)
    seq = fields.Integer(required=True)
    size = fields.Integer(required=True)
    root = fields.String(required=True)
    at = fields.AwareDateTime(required=True)
    signed = fields.String(required=True, allow_none=True)
    key = fields.String(required=True, allow_none=True)


class InclusionProof(Schema):
    """The hashes beside the way up, as hex."""

    network = fields.String(required=True)
    number = fields.Integer(required=True)
    size = fields.Integer(required=True)
    leaf = fields.String(required=True)
    root = fields.String(required=True)
    path = fields.List(fields.String(), required=True)


class ConsistencyProof(Schema):
    """The hashes that join the smaller tree to the larger one, as hex."""

    network = fields.String(required=True)
    old_size = fields.Integer(required=True)
    size = fields.Integer(required=True)
    old_root = fields.String(required=True)
    root = fields.String(required=True)
    path = fields.List(fields.String(), required=True)


class SentReceipt(Schema):
    """The whole text of a receipt's file."""

    receipt = fields.String(required=True, validate=validate.Length(1, MAX_BYTES))


class ReceiptCheck(Schema):
    """One thing that was looked at."""

    name = fields.String(required=True)
    holds = fields.Boolean(required=True)
    why = fields.String(required=True)
    words = fields.String(required=True)


class CheckedReceipt(Schema):
    """`holds`: real and unchanged. `known`: in the hub's log now. `latest`: nothing said since."""

    holds = fields.Boolean(required=True)
    known = fields.Boolean(required=True)
    latest = fields.Boolean(required=True)
    sha256 = fields.String(required=True, allow_none=True)
    erased = fields.Integer(required=True)
    checks = fields.List(fields.Nested(ReceiptCheck), required=True)
