"""A patient's receipt: what was said, which words were read, and the proof that it is in the log.

The document can be checked by anyone with the hub's public key and nothing of the hub itself
(consent/receipt_check.py). It holds no name, no handle, no date of birth.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent.acts import event_content
from consent.items import ITEMS
from consent.models import ConsentEvent, Receipt, Subject, TextVersion
from consent.models_trust import Erasure
from consent.receipt_check import JURISDICTION, PROFILE, VERSION
from consent.renewing import periods_of
from consent.tree import inclusion_proof, leaf_at
from consent.tree_heads import SignHead, head_claims, latest_head
from consent.verifying import columns_of
from studies.base import canonical_json
from studies.models import Institution, Network, Study

RIGHTS: Final = ("eu-gdpr:A7-3", "eu-gdpr:A13", "eu-gdpr:A15", "eu-gdpr:A16", "eu-gdpr:A17")
LEGAL_BASIS: Final = "eu-gdpr:A9-2-a"

#: Gets the claims of a receipt, gives the signed message (JWS, Ed25519, `consent-receipt+jws`).
SignReceipt = Callable[[Mapping[str, Any]], bytes]


@dataclass(frozen=True)
class Signers:
    """The hub's pen: for heads, for receipts, and the id of its key."""

    head: SignHead
    receipt: SignReceipt
    kid: str


def reference(receipt_id: str) -> str:
    """The short name of a receipt, as on the page and in the names of its files."""
    return receipt_id[:8].upper()


def file_name(receipt_id: str, ending: str) -> str:
    """A name without a word about illness: `keuzes-1A2B3C4D.json`."""
    return f"keuzes-{reference(receipt_id)}.{ending}"


def receipt_document(
    session: Session, of: Receipt, *, signers: Signers, base: str = ""
) -> dict[str, Any]:
    """The whole receipt as JSON, without its signature. base: address of the hub, for links.

    What was erased after its time of keeping is said to be so; its leaf and path stay.
    """
    subject = session.get_one(Subject, of.subject_id)
    site = session.get_one(Institution, subject.site)
    network = session.get_one(Network, of.network)
    study = session.get(Study, of.study)
    size, root, head = _head(session, of, signers)
    events = {
        event.leaf: event
        for event in session.scalars(
            select(ConsentEvent).where(ConsentEvent.receipt_id == of.id).order_by(ConsentEvent.leaf)
        )
    }
    text = _text(session, events.values())
    return {
        "profile": PROFILE,
        "version": VERSION,
        "receipt": of.id,
        "network": {"slug": network.slug, "name": network.name},
        "controller": {"name": site.name, "city": site.city, "phone": site.phone},
        "subject": subject_reference(of.subject_id),
        "act": of.act,
        "actor_role": next((event.actor_role for event in events.values()), None),
        "study": None
        if study is None
        else {"slug": study.slug, "title": {"nl": study.title_nl, "en": study.title_en}},
        "language": of.language,
        "recorded_at": of.recorded_at.isoformat(timespec="milliseconds"),
        "legal_basis": LEGAL_BASIS,
        "ask_again": _ask_again(session, of, events.values()),
        "ends": _ends(events.values()),
        "said": [
            _said(session, of, number, size, events.get(number), text)
            for number in range(of.first_leaf, of.first_leaf + of.leaves)
        ],
        "text": None
        if text is None
        else {
            "id": text.id,
            "number": text.number,
            "study": text.study,
            "content": text.content,
        },
        "withdraw": {"address": f"{base}/mijn", "phone": site.phone},
        "verify": f"{base}/verify",
        "rights": list(RIGHTS),
        "jurisdiction": JURISDICTION,
        "log": {"size": size, "root": root, "head": head},
        "key": signers.kid,
    }


def receipt_jws(document: Mapping[str, Any], signers: Signers) -> str:
    """The receipt as one signed message (JWS compact)."""
    return signers.receipt(document).decode("ascii")


def signed_document(document: Mapping[str, Any], signers: Signers) -> dict[str, Any]:
    """The receipt as a file: the document, and the hub's signature over all of it."""
    return {**document, "signature": receipt_jws(document, signers)}


def qr_text(document: Mapping[str, Any]) -> str:
    """What the QR code holds: the receipt's id and the hash of the document, nothing else."""
    return f"{document['receipt']}#{document_sha256(document)}"


def document_sha256(document: Mapping[str, Any]) -> str:
    """The fingerprint of a receipt: SHA-256 over its number, moment and leaves.

    The leaves stand for all that was said, so it is the same for each copy of the receipt, with
    whatever head of the log it came, also after content was erased.
    """
    lasting = {
        "receipt": document["receipt"],
        "network": document["network"]["slug"],
        "recorded_at": document["recorded_at"],
        "leaves": [[one["number"], one["leaf"]] for one in document["said"]],
    }
    return sha256(canonical_json(lasting).encode("utf-8")).hexdigest()


def subject_reference(subject_id: str) -> str:
    """A name for the patient that stands for nothing outside this hub: no handle, no number."""
    return sha256(f"oncokring/v1/receipt-subject\n{subject_id}".encode()).hexdigest()[:32]


def is_latest(session: Session, of: Receipt) -> bool:
    """Whether the same person said nothing since about the same study, or about everything."""
    later = session.scalar(
        select(Receipt.id)
        .where(
            Receipt.subject_id == of.subject_id,
            Receipt.party == of.party,
            Receipt.first_leaf > of.first_leaf,
            Receipt.network == of.network,
            Receipt.study.in_((of.study, "*")) if of.study != "*" else Receipt.id.is_not(None),
        )
        .limit(1)
    )
    return later is None


def _head(session: Session, of: Receipt, signers: Signers) -> tuple[int, str, str]:
    """A signed head that covers this act: a published one, or one of the moment of the act."""
    published = latest_head(session, of.network, at_least=of.first_leaf + of.leaves)
    if published is not None:
        return published.size, published.root, published.body.decode("ascii")
    claims = head_claims(of.network, of.tree_size, of.tree_root, of.recorded_at)
    return of.tree_size, of.tree_root, signers.head(claims).decode("ascii")


def _ask_again(session: Session, of: Receipt, events: Iterable[ConsentEvent]) -> str | None:
    """The day from which a yes is asked again: after it new data do not count without another."""
    said = [event.effective_at for event in events if event.kind == "granted"]
    if not said:
        return None
    again = min(said) + periods_of(session, of.network).renewal
    return again.date().isoformat()


def _ends(events: Iterable[ConsentEvent]) -> str | None:
    """The day on which a yes ends; None when nothing was said yes to, or it has no end."""
    ends = [event.until for event in events if event.kind == "granted" and event.until is not None]
    return min(ends).date().isoformat() if ends else None


def _text(session: Session, events: Iterable[ConsentEvent]) -> TextVersion | None:
    named = {event.text_version for event in events if event.text_version is not None}
    # One act is about one text: the form shows one, and a stop shows none.
    return session.get(TextVersion, named.pop()) if len(named) == 1 else None


def _said(
    session: Session,
    of: Receipt,
    number: int,
    size: int,
    event: ConsentEvent | None,
    text: TextVersion | None,
) -> dict[str, Any]:
    path = inclusion_proof(session, of.network, number, size)
    proof = {
        "number": number,
        "leaf": leaf_at(session, of.network, number).hex(),
        "path": [beside.hex() for beside in path],
    }
    if event is None:
        erased = session.get(Erasure, (of.network, number))
        return {"erased": None if erased is None else erased.at.date().isoformat(), **proof}
    return {
        "item": event.item,
        "label": _label(event.item),
        "question": _question(text, event.item, of.language),
        "answer": event.kind,
        "study": event.study,
        "category": event.category,
        "effective_at": event.effective_at.isoformat(timespec="milliseconds"),
        "text_version": event.text_version,
        "content": event_content(columns_of(event)),
        "salt": event.salt.hex(),
        **proof,
    }


def _label(item: str) -> dict[str, str] | None:
    known = ITEMS.get(item)
    return None if known is None else {"nl": known.label("nl"), "en": known.label("en")}


def _question(text: TextVersion | None, item: str, language: str) -> str | None:
    if text is None or item not in text.content["items"]:
        return None
    words: Sequence[Any] | Mapping[str, Any] = text.content[language]["questions"]
    return str(words[item]["legend"]) if isinstance(words, Mapping) else None
