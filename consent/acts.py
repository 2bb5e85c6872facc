"""Appending to the log of a network: events or a mark, their leaves and a receipt, all at once."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Select, func, insert, select
from sqlalchemy.orm import Session

from consent.log import EMPTY_ROOT, Frontier, leaf_hash
from consent.models import ConsentEvent, ConsentMark, LogHead, LogLeaf, Receipt, Subject
from consent.proof import Prove, Statement, act_of
from consent.renewing import periods_of
from consent.rule import SELF
from studies.actor import SYSTEM, Actor
from studies.base import canonical_json, new_id, to_ms
from studies.events import announce

SALT_BYTES: Final = 16
_SAYS_NOTHING: Final = (("party", SELF), ("proof", None))


@dataclass(frozen=True)
class Circumstances:
    """How a choice was made: kept with it as evidence, never an IP address or a device.

    page_sha256: hash of the check page as it was shown. login_level and channel are codes. party:
    who speaks, "self" or a representative in `role`. prove: makes the proof of a yes; without one a
    yes is written down and counts at no hospital. signed_on: the date on paper, which may lie back.
    more: further evidence as codes and hashes.
    """

    login_level: str = "letter"
    channel: str = "portal"
    page_sha256: str = ""
    party: str = SELF
    role: str = "self"
    prove: Prove | None = None
    signed_on: datetime | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


AS_USUAL: Final = Circumstances()


@dataclass(frozen=True)
class Said:
    """One thing said. kind: of consent.models.EVENT_KINDS; the rest is the scope, "*" for all."""

    kind: str
    item: str
    study: str
    category: str


@dataclass(frozen=True)
class Act:
    """What belongs to everything said at once. name: shown in the receipt, ten letters at most."""

    name: str
    study: str
    form_key: str
    form: str
    text_version: str | None
    language: str
    circumstances: Circumstances
    evidence: Mapping[str, Any]


def locked_head(session: Session, network: str, now: datetime) -> LogHead:
    """The head of the log, locked until the commit: leaves get their numbers one after another."""
    query = select(LogHead).where(LogHead.network == network).with_for_update()
    # Another transaction may have moved it since this session read it.
    fresh = query.execution_options(populate_existing=True)
    head = session.scalars(fresh).first()
    if head is not None:
        return head
    return _first_head(session, network, now, fresh)


def _first_head(session: Session, network: str, now: datetime, fresh: Select[LogHead]) -> LogHead:
    if session.get_bind().dialect.name == "postgresql":
        # No row to lock yet: whoever comes second waits here and then finds the row of the first.
        # On SQLite a writing transaction is alone anyway.
        session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"log_head {network}"))))
        made = session.scalars(fresh).first()
        if made is not None:
            return made
    head = LogHead(network=network, size=0, root=EMPTY_ROOT.hex(), frontier=[], at=now)
    session.add(head)
    session.flush()
    announce(session, actor=SYSTEM, action="consent.log_started", about=f"network:{network}")
    return head


@dataclass(frozen=True)
class Drawn:
    """One act as the log takes it in: its receipt, its events and their leaves from `first` on."""

    receipt: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]]
    leaves: Sequence[bytes]
    first: int


def draw_up(
    subject: Subject,
    actor: Actor,
    head: LogHead,
    act: Act,
    said: Sequence[Said],
    now: datetime,
    use: timedelta,
) -> Drawn:
    """Give everything said in one act its place under the locked `head`, which moves on. The caller
    stores it. use: how long a yes lasts (consent.renewing)."""
    receipt_id, first = new_id(), head.size
    moment = _moment(head, now)
    effective = moment
    if act.circumstances.signed_on is not None:
        effective = min(moment, act.circumstances.signed_on)
    proof = _proof(subject, act, said, effective)
    times = (effective, moment, effective + use)
    events = [
        _event(subject, actor, act, one, receipt_id, first + number, times, proof)
        for number, one in enumerate(said)
    ]
    leaves = [leaf_hash(event["salt"], event_content(event).encode("utf-8")) for event in events]
    frontier = _append(head, leaves, moment)
    receipt = {
        "id": receipt_id,
        "subject_id": subject.id,
        "network": subject.network,
        "act": act.name,
        "party": act.circumstances.party,
        "study": act.study,
        "form_key": act.form_key,
        "form_sha256": sha256_hex(act.form),
        "language": act.language,
        "recorded_at": moment,
        "first_leaf": first,
        "leaves": len(leaves),
        "tree_size": frontier.size,
        "tree_root": frontier.root.hex(),
    }
    return Drawn(receipt, events, leaves, first)


def write(
    session: Session,
    subject: Subject,
    actor: Actor,
    head: LogHead,
    act: Act,
    said: Sequence[Said],
    now: datetime,
) -> Receipt:
    """Append everything said in one act, under the locked `head`; give its receipt."""
    drawn = draw_up(subject, actor, head, act, said, now, periods_of(session, subject.network).use)
    receipt = Receipt(**drawn.receipt)
    session.add(receipt)
    session.flush()
    session.execute(insert(ConsentEvent), drawn.events)
    _insert_leaves(session, subject.network, drawn.first, drawn.leaves)
    closes = all(one.kind != "granted" for one in said)
    announce(
        session,
        actor=actor,
        action="consent.withdrawn" if closes and act.name != "record" else "consent.recorded",
        about=f"receipt:{receipt.id}",
        facts={"items": len(drawn.events), "tree_size": receipt.tree_size},
    )
    return receipt


def store(session: Session, network: str, drawn: Sequence[Drawn]) -> None:
    """Keep many acts that were drawn up one after another; the caller announces them."""
    session.flush()
    session.execute(insert(Receipt), [one.receipt for one in drawn])
    session.execute(insert(ConsentEvent), [event for one in drawn for event in one.events])
    _insert_leaves(session, network, drawn[0].first, [x for one in drawn for x in one.leaves])


def write_mark(
    session: Session,
    event: ConsentEvent,
    kind: str,
    reason: str,
    *,
    head: LogHead,
    actor: Actor,
    now: datetime,
) -> ConsentMark:
    """Append a mark on an earlier event, under the locked `head`."""
    moment, leaf = _moment(head, now), head.size
    salt = secrets.token_bytes(SALT_BYTES)
    values = {
        "id": new_id(),
        "event_id": event.id,
        "network": event.network,
        "kind": kind,
        "reason": reason,
        "actor_kind": actor.kind,
        "actor_id": actor.id,
        "recorded_at": moment,
        "salt": salt,
        "leaf": leaf,
    }
    hashed = leaf_hash(salt, mark_content(values).encode("utf-8"))
    _append(head, [hashed], moment)
    mark = ConsentMark(**values)
    session.add(mark)
    session.flush()
    _insert_leaves(session, event.network, leaf, [hashed])
    announce(
        session,
        actor=actor,
        action=f"consent.{kind}",
        about=f"receipt:{event.receipt_id}",
        facts={"reason": reason, "tree_size": head.size},
    )
    return mark


def _moment(head: LogHead, now: datetime) -> datetime:
    # A clock that was set back must not let a later "no" look older than an earlier "yes".
    return now if now > head.at or head.size == 0 else head.at + timedelta(milliseconds=1)


def _append(head: LogHead, leaves: Sequence[bytes], moment: datetime) -> Frontier:
    frontier = Frontier(head.size, tuple(bytes.fromhex(peak) for peak in head.frontier)).append(
        leaves
    )
    head.size, head.root, head.at = frontier.size, frontier.root.hex(), moment
    head.frontier = [peak.hex() for peak in frontier.peaks]
    return frontier


def _insert_leaves(session: Session, network: str, first: int, leaves: Sequence[bytes]) -> None:
    session.execute(
        insert(LogLeaf),
        [
            {"network": network, "number": first + number, "hash": leaf}
            for number, leaf in enumerate(leaves)
        ],
    )


def _proof(
    subject: Subject, act: Act, said: Sequence[Said], at: datetime
) -> Mapping[str, Any] | None:
    """The proof of the yes in this act: one statement over all items that were granted."""
    granted = tuple(sorted(one.item for one in said if one.kind == "granted"))
    prove = act.circumstances.prove
    if not granted or prove is None or act.text_version is None:
        return None
    statement = Statement(
        network=subject.network,
        site=subject.site,
        handle=subject.handle,
        party=act.circumstances.party,
        study=act.study,
        text_version=act.text_version,
        yes=granted,
        at=at,
        act=act_of(act.form_key),
    )
    proof = prove(statement)
    if proof is None:
        return None
    # A passkey says itself when it signed, which is a little earlier.
    return {"at": to_ms(at), **proof, "act": statement.act, "yes": list(granted)}


def _event(
    subject: Subject,
    actor: Actor,
    act: Act,
    one: Said,
    receipt_id: str,
    leaf: int,
    times: tuple[datetime, datetime, datetime],
    proof: Mapping[str, Any] | None,
) -> dict[str, Any]:
    return {
        "id": new_id(),
        "subject_id": subject.id,
        "receipt_id": receipt_id,
        "kind": one.kind,
        "network": subject.network,
        "site": subject.site,
        "item": one.item,
        "study": one.study,
        "category": one.category,
        "effective_at": times[0],
        "recorded_at": times[1],
        # The end of use that the text names; a "no" has no end.
        "until": times[2] if one.kind == "granted" else None,
        "complete": True,
        "text_version": act.text_version,
        "language": act.language,
        "actor_kind": actor.kind,
        "actor_id": actor.id,
        "actor_role": act.circumstances.role,
        "login_level": act.circumstances.login_level,
        "channel": act.circumstances.channel,
        "evidence": {**act.evidence, **act.circumstances.more},
        "corrects": None,
        "party": act.circumstances.party,
        "proof": dict(proof) if proof is not None and one.kind == "granted" else None,
        "salt": secrets.token_bytes(SALT_BYTES),
        "leaf": leaf,
    }


def event_content(event: Mapping[str, Any]) -> str:
    """The canonical text of an event that its leaf stands for: all columns but salt and leaf.

    Times are milliseconds since 1970. This text and the salt are what a receipt needs to check.
    What an event of before revision 0008 did not have is left out when it says nothing.
    """
    content = {
        name: value
        for name, value in event.items()
        if name not in ("salt", "leaf") and (name, value) not in _SAYS_NOTHING
    }
    for name in ("effective_at", "recorded_at", "until"):
        if content[name] is not None:
            content[name] = to_ms(content[name])
    return canonical_json(content)


def mark_content(mark: Mapping[str, Any]) -> str:
    """The canonical text of a mark that its leaf stands for, as `event_content`."""
    content = {name: value for name, value in mark.items() if name not in ("salt", "leaf")}
    return canonical_json({**content, "recorded_at": to_ms(content["recorded_at"])})


def sha256_hex(text: str) -> str:
    """SHA-256 of a text in UTF-8, as 64 hex digits."""
    return sha256(text.encode("utf-8")).hexdigest()
