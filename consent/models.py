"""What the hub keeps of consent: texts, opaque subjects, choices, the log, receipts, snapshots.

Nothing here says who a patient is. `consent_event` and `log_leaf` are append-only: the database
itself refuses to change or delete a row (consent/append_only.py, run by the migration).
"""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from studies.base import Base, Json, UtcTime, new_id
from studies.models import ID, SLUG

SHA256 = String(64)
HANDLE = String(27)  # 20 bytes in base64url

ANSWERED_KINDS = ("granted", "refused", "deferred")
EVENT_KINDS = (*ANSWERED_KINDS, "withdrawn", "objected")
MARK_KINDS = ("confirmed", "suspended", "resumed", "invalidated")
CHANGE_CLASSES = ("first", "editorial", "clarifying", "wider", "narrower", "urgent")


def _one_of(column: str, words: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(word) for word in words)})"


class TextVersion(Base):
    """All words of one study's form in all languages; `id` is the SHA-256 of its content.

    Never changed. `suspended_at` is set when the text turned out wrong: what was agreed to on it
    does not count from then on. `widened`: items that mean more here than in the versions before;
    `changes`: by language what is new, in a sentence.
    """

    __tablename__ = "consent_text"
    __table_args__ = (
        UniqueConstraint("study", "number"),
        CheckConstraint(_one_of("change_class", CHANGE_CLASSES), name="change_class"),
    )

    id: Mapped[str] = mapped_column(SHA256, primary_key=True)
    study: Mapped[str] = mapped_column(ForeignKey("study.slug"))
    number: Mapped[int]
    content: Mapped[dict[str, Any]] = mapped_column(Json)
    change_class: Mapped[str] = mapped_column(String(12))
    widened: Mapped[list[str]] = mapped_column(Json, default=list, server_default="[]")
    changes: Mapped[dict[str, str]] = mapped_column(Json, default=dict, server_default="{}")
    ethics_reference: Mapped[str] = mapped_column(String(100), default="")
    approved_by: Mapped[list[str]] = mapped_column(Json)
    valid_from: Mapped[datetime] = mapped_column(UtcTime)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    suspended_at: Mapped[datetime | None] = mapped_column(UtcTime)


class Subject(Base):
    """One patient of one hospital, known by the handle that only that hospital can turn back."""

    __tablename__ = "consent_subject"
    __table_args__ = (UniqueConstraint("site", "handle"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    site: Mapped[str] = mapped_column(ForeignKey("institution.slug"))
    handle: Mapped[str] = mapped_column(HANDLE)
    network: Mapped[str] = mapped_column(ForeignKey("network.slug"))
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class Invitation(Base):
    """A letter with a code. Only a verifier of its secret is kept (Argon2id, PHC string).

    `party` is whose letter it is: "self", or a representative in `role`. `second_verifier` is of
    the six digits that came another way; None when the letter alone opens.
    `failed` counts wrong tries since the last right one; at five the code rests until
    `locked_until`. A newer letter to the same subject sets `replaced_at`.
    """

    __tablename__ = "consent_invitation"
    __table_args__ = (CheckConstraint("failed >= 0", name="failed_counts"),)

    code_id: Mapped[str] = mapped_column(String(6), primary_key=True)
    subject_id: Mapped[str] = mapped_column(ForeignKey("consent_subject.id"), index=True)
    party: Mapped[str] = mapped_column(String(40), default="self", server_default="self")
    role: Mapped[str] = mapped_column(String(20), default="self", server_default="self")
    verifier: Mapped[str] = mapped_column(String(200))
    second_verifier: Mapped[str | None] = mapped_column(String(200))
    studies: Mapped[list[str]] = mapped_column(Json)
    language: Mapped[str] = mapped_column(String(2))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    expires_at: Mapped[datetime] = mapped_column(UtcTime)
    failed: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None] = mapped_column(UtcTime)
    first_used_at: Mapped[datetime | None] = mapped_column(UtcTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcTime)
    replaced_at: Mapped[datetime | None] = mapped_column(UtcTime)

    subject: Mapped[Subject] = relationship()


class Receipt(Base):
    """One act of a patient and the head of the log right after it.

    `form_key` makes a repeated post the same act; `form_sha256` tells a repeat from another
    content. Leaves `first_leaf` to `first_leaf + leaves - 1` belong to it.
    """

    __tablename__ = "consent_receipt"
    __table_args__ = (UniqueConstraint("subject_id", "form_key"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    subject_id: Mapped[str] = mapped_column(ForeignKey("consent_subject.id"), index=True)
    network: Mapped[str] = mapped_column(ForeignKey("network.slug"))
    act: Mapped[str] = mapped_column(String(10))
    party: Mapped[str] = mapped_column(String(40), default="self", server_default="self")
    study: Mapped[str] = mapped_column(SLUG)
    form_key: Mapped[str] = mapped_column(String(64))
    form_sha256: Mapped[str] = mapped_column(SHA256)
    language: Mapped[str] = mapped_column(String(2))
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)
    first_leaf: Mapped[int]
    leaves: Mapped[int]
    tree_size: Mapped[int]
    tree_root: Mapped[str] = mapped_column(SHA256)


class ConsentEvent(Base):
    """One thing said, for ever. A correction is a new event.

    The scope is (network, site, item, study, category), each a value or "*". `evidence` is what
    was on the screen as hashes and codes; `salt` hides the content behind the leaf hash.
    `complete` is false when something is still missing for a grant to count. `party` said it:
    "self" or a representative. `proof` is what lets the hospital check a grant without trusting the
    hub (consent/proof.py); an event without one is a "no", or counts nowhere.
    """

    __tablename__ = "consent_event"
    __table_args__ = (
        UniqueConstraint("network", "leaf", name="uq_consent_event_leaf"),
        CheckConstraint(_one_of("kind", EVENT_KINDS), name="kind"),
        Index("ix_consent_event_subject", "subject_id", "leaf"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    subject_id: Mapped[str] = mapped_column(ForeignKey("consent_subject.id"))
    receipt_id: Mapped[str] = mapped_column(ForeignKey("consent_receipt.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    network: Mapped[str] = mapped_column(SLUG)
    site: Mapped[str] = mapped_column(SLUG)
    item: Mapped[str] = mapped_column(SLUG)
    study: Mapped[str] = mapped_column(SLUG)
    category: Mapped[str] = mapped_column(SLUG)
    effective_at: Mapped[datetime] = mapped_column(UtcTime)
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)
    until: Mapped[datetime | None] = mapped_column(UtcTime)
    complete: Mapped[bool] = mapped_column(default=True)
    text_version: Mapped[str | None] = mapped_column(ForeignKey("consent_text.id"))
    language: Mapped[str] = mapped_column(String(2))
    actor_kind: Mapped[str] = mapped_column(String(10))
    actor_id: Mapped[str] = mapped_column(String(64))
    actor_role: Mapped[str] = mapped_column(String(20))
    login_level: Mapped[str] = mapped_column(String(40))
    channel: Mapped[str] = mapped_column(String(20))
    evidence: Mapped[dict[str, Any]] = mapped_column(Json)
    corrects: Mapped[str | None] = mapped_column(ForeignKey("consent_event.id"))
    party: Mapped[str] = mapped_column(String(40), default="self", server_default="self")
    proof: Mapped[dict[str, Any] | None] = mapped_column(Json)
    salt: Mapped[bytes] = mapped_column(LargeBinary(16))
    leaf: Mapped[int]


class ConsentMark(Base):
    """Something that became known about an earlier event; a leaf of the same log.

    `confirmed`: a second person checked a yes on paper. `suspended` until `resumed`: doubt.
    `invalidated`: it should never have counted (wrong person, pressure, wrong text).
    """

    __tablename__ = "consent_mark"
    __table_args__ = (
        UniqueConstraint("network", "leaf", name="uq_consent_mark_leaf"),
        CheckConstraint(_one_of("kind", MARK_KINDS), name="kind"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    event_id: Mapped[str] = mapped_column(ForeignKey("consent_event.id"), index=True)
    network: Mapped[str] = mapped_column(SLUG)
    kind: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str] = mapped_column(String(40))
    actor_kind: Mapped[str] = mapped_column(String(10))
    actor_id: Mapped[str] = mapped_column(String(64))
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)
    salt: Mapped[bytes] = mapped_column(LargeBinary(16))
    leaf: Mapped[int]


class TextEnd(Base):
    """From `at` a yes on this text no longer counts for `item` ("*": for any), and why."""

    __tablename__ = "consent_text_end"

    text_version: Mapped[str] = mapped_column(ForeignKey("consent_text.id"), primary_key=True)
    item: Mapped[str] = mapped_column(SLUG, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime)
    why: Mapped[str] = mapped_column(String(12))


class LogLeaf(Base):
    """One leaf of a network's log: its hash stays also when the content it stands for is erased."""

    __tablename__ = "log_leaf"

    network: Mapped[str] = mapped_column(ForeignKey("network.slug"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))


class LogHead(Base):
    """The head of a network's log: the row that is locked so that leaves get their numbers in turn.

    `frontier` are the roots of the complete subtrees from left to right, as hex: with them a leaf
    is appended without reading the others.
    """

    __tablename__ = "log_head"

    network: Mapped[str] = mapped_column(ForeignKey("network.slug"), primary_key=True)
    size: Mapped[int] = mapped_column(default=0)
    root: Mapped[str] = mapped_column(SHA256)
    frontier: Mapped[list[str]] = mapped_column(Json)
    at: Mapped[datetime] = mapped_column(UtcTime)


class SnapshotRecord(Base):
    """One numbered state of consent made for a site; `body` is the signed message.

    `carries`: how many sealed questionnaires travel with it; its body goes when they have arrived.
    `log_size` is the size of the network's log it was made from: choices at leaves below it are in.
    `content_sha256` is over columns, handles and bits, without number and dates. `facts`: how
    many messages of this site had been worked in. `body` may be megabytes, and is read only when it
    is asked for.
    """

    __tablename__ = "consent_snapshot"

    site: Mapped[str] = mapped_column(ForeignKey("institution.slug"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    network: Mapped[str] = mapped_column(ForeignKey("network.slug"))
    issued: Mapped[datetime] = mapped_column(UtcTime)
    valid_until: Mapped[datetime] = mapped_column(UtcTime)
    log_size: Mapped[int]
    log_root: Mapped[str] = mapped_column(SHA256)
    columns_sha256: Mapped[str] = mapped_column(SHA256)
    content_sha256: Mapped[str] = mapped_column(SHA256)
    facts: Mapped[int] = mapped_column(default=0, server_default="0")
    carries: Mapped[int] = mapped_column(default=0, server_default="0")
    body: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)


class Ack(Base):
    """What a site said about one snapshot; the first word about each number is kept.

    `unproven`: of how many patients a yes could not be verified there, as a band; None for nobody.
    `notice_days`: a yes counts there so many days after its notice was sent; None for at once.
    """

    __tablename__ = "consent_ack"

    site: Mapped[str] = mapped_column(ForeignKey("institution.slug"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    status: Mapped[str] = mapped_column(String(10))
    code: Mapped[str | None] = mapped_column(String(40))
    applied_at: Mapped[datetime | None] = mapped_column(UtcTime)
    received_at: Mapped[datetime] = mapped_column(UtcTime)
    unproven: Mapped[str | None] = mapped_column(String(20))
    notice_days: Mapped[int | None]
