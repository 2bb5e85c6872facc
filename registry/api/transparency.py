"""What anyone may check: texts, catalogue, keys, the log's heads and proofs, receipts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flask import Response, g, json
from sqlalchemy import select
from sqlalchemy.orm import Session

from consent import tree
from consent.catalogue import document as catalogue_document
from consent.differences import compare
from consent.errors import ConsentError
from consent.items import CATALOGUE, LANGUAGES
from consent.models import LogHead, TextVersion
from consent.models_trust import Witness
from consent.receipts import document_sha256
from consent.tree_heads import latest_head
from consent.witnessing import newest_words
from federation.protocol.errors import ProtocolError
from federation.protocol.transparency import open_witness
from registry.access import rule
from registry.api import transparency_schemas as schemas
from registry.api.part import Part
from registry.app import hub
from registry.hub_keys import keys_document, published_keys
from registry.receipts.looking import look
from registry.receipts.words import sentence
from registry.transaction import current_session
from studies.models import Network, SiteNode

_ID = re.compile(r"[0-9a-f]{64}")
blueprint = Part("api-transparency", __name__, description="What anyone may check")


@blueprint.get("/texts/<text>")
@rule("public")
@blueprint.also(404)
@blueprint.gives(200, schemas.Text)
def get_text(text: str) -> Mapping[str, Any]:
    """A text for patients, in both languages. Its id is the SHA-256 of study and content."""
    return _shown(_text(current_session(), text))


@blueprint.get("/texts/<text>/diff/<other>")
@rule("public")
@blueprint.also(404)
@blueprint.gives(200, schemas.Difference)
def get_difference(text: str, other: str) -> Mapping[str, Any]:
    """What the text says that `other` said otherwise, sentence by sentence."""
    session = current_session()
    new, old = _text(session, text), _text(session, other)
    if new.study != old.study:
        raise ConsentError("text_not_found")
    return {
        "study": new.study,
        "old": {"id": old.id, "number": old.number},
        "new": {"id": new.id, "number": new.number, "change_class": new.change_class},
        "parts": {
            language: [
                {
                    "part": part.code,
                    "kind": part.kind,
                    "lines": [
                        {"kind": line.kind, "old": line.old_text, "new": line.new_text}
                        for line in part.lines
                    ],
                }
                for part in compare(old.content, new.content, language)
            ]
            for language in LANGUAGES
        },
    }


@blueprint.get("/catalogue")
@rule("public")
@blueprint.gives(200, schemas.Catalogue)
def get_catalogue() -> Mapping[str, Any]:
    """Everything a patient can say yes or no to."""
    return {"sha256": CATALOGUE.sha256, "document": catalogue_document(CATALOGUE)}


@blueprint.get("/keys")
@rule("public")
@blueprint.gives(200)
@blueprint.says(
    responses={
        "200": {
            "description": "The keys file for `oncokring receipt verify --keys`.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    }
)
def keys() -> Response:
    """Every public key the hub ever signed with, and when it was in use."""
    body = json.dumps(keys_document(published_keys(hub().settings, g.now)), indent=1)
    return Response(body, mimetype="application/json")


@blueprint.get("/log/head")
@rule("public")
@blueprint.takes(schemas.OfNetwork, location="query")
@blueprint.also(404)
@blueprint.gives(200, schemas.Head)
def log_head(query: Mapping[str, Any]) -> Mapping[str, Any]:
    """The newest signed head of the log of choices."""
    session = current_session()
    network = _network(session, query["network"])
    head = latest_head(session, network)
    if head is None:
        raise ConsentError("head_not_found")
    return {
        "network": network,
        "size": head.size,
        "root": head.root,
        "at": head.at,
        "signed": head.body.decode("ascii"),
    }


@blueprint.get("/log/witnesses")
@rule("public")
@blueprint.takes(schemas.OfNetwork, location="query")
@blueprint.also(404)
@blueprint.gives(200, schemas.Seen(many=True))
def log_witnesses(query: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The newest head that each hospital saw, in the hospital's own signed words."""
    session = current_session()
    nodes = {node.institution: node.sign_pub for node in session.scalars(select(SiteNode))}
    return [
        {
            "site": each.site,
            "seq": each.seq,
            "size": each.size,
            "root": each.root,
            "at": each.at,
            "signed": _for_everybody(each, nodes.get(each.site)),
            "key": nodes.get(each.site),
        }
        for each in newest_words(session, _network(session, query["network"]))
    ]


@blueprint.get("/log/proof/inclusion")
@rule("public")
@blueprint.takes(schemas.Inclusion, location="query")
@blueprint.also(404)
@blueprint.gives(200, schemas.InclusionProof)
def inclusion(query: Mapping[str, Any]) -> Mapping[str, Any]:
    """The path from leaf `number` to the root of the first `size` leaves (RFC 9162 2.1.3)."""
    session = current_session()
    network = _network(session, query["network"])
    number, size = query["number"], _within(session, network, query["size"])
    path = tree.inclusion_proof(session, network, number, size)
    return {
        "network": network,
        "number": number,
        "size": size,
        "leaf": tree.leaf_at(session, network, number).hex(),
        "root": tree.root_at(session, network, size).hex(),
        "path": [beside.hex() for beside in path],
    }


@blueprint.get("/log/proof/consistency")
@rule("public")
@blueprint.takes(schemas.Consistency, location="query")
@blueprint.also(404)
@blueprint.gives(200, schemas.ConsistencyProof)
def consistency(query: Mapping[str, Any]) -> Mapping[str, Any]:
    """That the first `size` leaves begin with the first `old_size` (RFC 9162 2.1.4)."""
    session = current_session()
    network = _network(session, query["network"])
    old_size, size = query["old_size"], _within(session, network, query["size"])
    path = tree.consistency_proof(session, network, old_size, size)
    return {
        "network": network,
        "old_size": old_size,
        "size": size,
        "old_root": tree.root_at(session, network, old_size).hex(),
        "root": tree.root_at(session, network, size).hex(),
        "path": [beside.hex() for beside in path],
    }


@blueprint.post("/receipts/verify")
@rule("public")
@blueprint.takes(schemas.SentReceipt)
@blueprint.gives(200, schemas.CheckedReceipt)
def verify_receipt(sent: Mapping[str, Any]) -> Mapping[str, Any]:
    """Check a receipt: the text of its file (.json or .jws). Nothing of it is kept."""
    looked = look(sent["receipt"].encode("utf-8", "replace"))
    return {
        "holds": looked.checked.holds,
        "known": looked.known,
        "latest": looked.latest,
        "sha256": document_sha256(looked.checked.document) if looked.checked.holds else None,
        "erased": looked.checked.erased,
        "checks": [
            {"name": each.name, "holds": each.holds, "why": each.why, "words": sentence(each)}
            for each in looked.checked.checks
        ],
    }


def _for_everybody(seen: Witness, public: str | None) -> str | None:
    """The hospital's word, only if it is one that was meant for everybody: a confirmation as a
    whole also tells the hub of patients."""
    if public is None:
        return None
    try:
        open_witness(seen.body, seen.site, public)
    except ProtocolError:
        return None
    return seen.body.decode("ascii")


def _text(session: Session, text_id: str) -> TextVersion:
    found = session.get(TextVersion, text_id) if _ID.fullmatch(text_id) else None
    if found is None:
        raise ConsentError("text_not_found")
    return found


def _shown(of: TextVersion) -> Mapping[str, Any]:
    return {
        "id": of.id,
        "study": of.study,
        "number": of.number,
        "change_class": of.change_class,
        "valid_from": of.valid_from,
        "suspended_at": of.suspended_at,
        "changes": of.changes,
        "content": of.content,
    }


def _network(session: Session, asked: str | None) -> str:
    """The network that was named; without a name the only one there is."""
    if asked is not None and session.get(Network, asked) is not None:
        return asked
    known = session.scalars(select(Network.slug).limit(2)).all() if asked is None else []
    if len(known) != 1:
        raise ConsentError("head_not_found")
    return known[0]


def _within(session: Session, network: str, size: int) -> int:
    head = session.get(LogHead, network)
    if size > (0 if head is None else head.size):
        raise ConsentError("proof_not_possible")
    return size
