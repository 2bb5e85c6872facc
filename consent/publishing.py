"""Giving each site the state of consent of its own patients: whole, numbered, signed, confirmed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent import carrying, refreshing
from consent.errors import ConsentError
from consent.further import further_claims
from consent.kept import Kept
from consent.list_due import (
    REFRESH,
    Shared,
    basis_sha256,
    columns_of,
    is_due,
    latest_snapshot,
    network_of,
)
from consent.log import EMPTY_ROOT
from consent.models import (
    Ack,
    LogHead,
    SnapshotRecord,
)
from consent.recording import as_of
from consent.site_messages import processed
from consent.snapshot import build_claims
from studies.actor import SYSTEM, Actor
from studies.base import canonical_json
from studies.events import account_later, announce
from studies.models import Institution

VALID_FOR: Final = timedelta(minutes=60)
ACK_STATUSES: Final = ("applied", "refused")

Sign = Callable[[str, dict[str, Any]], bytes]


def publish_snapshots(
    session: Session,
    sign: Sign,
    sites: Iterable[str],
    *,
    now: datetime,
    valid_for: timedelta = VALID_FOR,
    refresh: timedelta = REFRESH,
    actor: Actor = SYSTEM,
) -> list[SnapshotRecord]:
    """Make the next numbered snapshot for each of `sites` that needs one; give the new ones.

    A site needs one when it has none, when a choice of one of its patients, a text or its studies
    changed since the last one, when it refused the last one, or when that is `refresh` old. A grant
    that ends before the snapshot does is left out, so that nobody is counted past an end.
    sign: gets the site's slug and the claims, gives the signed message.
    Raises ConsentError `unknown_site` for a site that belongs to no network or to several.
    """
    made = []
    for site in sorted(set(sites)):
        prepared = prepare_snapshot(session, site, now=now, valid_for=valid_for, refresh=refresh)
        if prepared is not None:
            record = store_snapshot(session, prepared, sign(site, prepared.claims), actor=actor)
            if record is not None:
                made.append(record)
    return made


@dataclass(frozen=True)
class Prepared:
    """The next snapshot of a site, not signed or stored yet. `record`: all but its body."""

    claims: dict[str, Any]
    record: Mapping[str, Any]


def prepare_snapshot(
    session: Session,
    site: str,
    *,
    now: datetime,
    valid_for: timedelta = VALID_FOR,
    refresh: timedelta = REFRESH,
    kept: Kept | None = None,
) -> Prepared | None:
    """The next snapshot of a site when it needs one, see `publish_snapshots`; reads only.

    kept: what is remembered of the patients from the time before, to judge only who changed.
    Working it out may take seconds: do that in a reading transaction, `store_snapshot` in another.
    Raises ConsentError `unknown_site`.
    """
    network = network_of(session, site)
    last = latest_snapshot(session, site)
    shared = Shared.read(session, network)
    if last is not None and not is_due(session, site, shared, last, now, refresh):
        return None
    # The head is read before the choices: what is added in between is in the snapshot as well,
    # but the record does not promise it.
    head = session.get(LogHead, network, populate_existing=True)
    facts = processed(session, site)
    columns = columns_of(session, site, shared)
    valid_until = now + valid_for
    moment = as_of(session, network, now)
    size = 0 if head is None else head.size
    state = (kept or Kept()).state_of(
        session, site, network, columns, moment, max(moment, valid_until), size
    )
    seq = 1 if last is None else last.seq + 1
    claims = build_claims(
        network=network,
        seq=seq,
        issued=now,
        valid_until=valid_until,
        columns=state.columns,
        handles=state.handles,
        granted=state.granted,
        within=state.within,
        evidence=state.evidence,
        further={
            **further_claims(session, site, network, head, now),
            "renewal_years": shared.renewal_years,
        },
    )
    content = _content_sha256(claims)
    carries = carrying.load(session, site, last, content, claims)
    record = {
        "site": site,
        "seq": seq,
        "network": network,
        "issued": now,
        "valid_until": valid_until,
        "log_size": size,
        "log_root": EMPTY_ROOT.hex() if head is None else head.root,
        "columns_sha256": basis_sha256(shared, columns),
        "content_sha256": content,
        "facts": facts,
        "carries": carries,
    }
    return Prepared(claims, record)


def store_snapshot(
    session: Session, prepared: Prepared, body: bytes, *, actor: Actor = SYSTEM
) -> SnapshotRecord | None:
    """Keep a prepared snapshot with its signed `body`; None when another has its number by now."""
    record = SnapshotRecord(**prepared.record, body=body)
    site, seq = record.site, record.seq
    # Two workers could have prepared the same number: the second waits here.
    session.execute(select(Institution.slug).where(Institution.slug == site).with_for_update())
    if session.get(SnapshotRecord, (site, seq)) is not None:
        return None
    session.add(record)
    carrying.forget_bodies(session, record)
    session.flush()
    if refreshing.says_nothing_new(session, record):
        account_later(session, SnapshotRecord.__tablename__)
        return record
    announce(
        session,
        actor=actor,
        action=refreshing.PUBLISHED,
        about=f"institution:{site}",
        facts={
            "seq": seq,
            "log_size": record.log_size,
            "content": record.content_sha256,
            **refreshing.facts_before(session, record),
        },
    )
    return record


def snapshot_to_send(session: Session, site: str) -> SnapshotRecord | None:
    """The newest snapshot of a site with its body, unless the site confirmed that it uses it."""
    last = latest_snapshot(session, site)
    if last is None:
        return None
    ack = session.get(Ack, (site, last.seq))
    if ack is not None and ack.status == "applied":
        return None
    session.refresh(last, ["body"])
    return last


def store_ack(
    session: Session,
    *,
    site: str,
    seq: int,
    status: str,
    code: str | None,
    applied_at: datetime | None,
    now: datetime,
    unproven: object = None,
    notice_days: object = None,
    actor: Actor | None = None,
) -> Ack:
    """Keep what `site` (as authenticated by its signature) says about snapshot `seq`.

    status: "applied" (with `applied_at`) or "refused" (with a code). The same word again changes
    nothing; "applied" after "refused" counts. Raises ConsentError `ack_malformed`,
    `snapshot_never_sent`.
    """
    if status not in ACK_STATUSES or (status == "applied") != (applied_at is not None):
        raise ConsentError("ack_malformed")
    if session.get(SnapshotRecord, (site, seq)) is None:
        raise ConsentError("snapshot_never_sent")
    ack = session.get(Ack, (site, seq))
    if ack is not None and (ack.status == "applied" or ack.status == status):
        return ack
    if ack is None:
        ack = Ack(site=site, seq=seq)
        session.add(ack)
    ack.status, ack.code, ack.applied_at, ack.received_at = status, code, applied_at, now
    ack.unproven = unproven if isinstance(unproven, str) and len(unproven) <= 20 else None
    ack.notice_days = notice_days if type(notice_days) is int and 0 <= notice_days <= 366 else None
    if status == "applied":
        carrying.arrived(session, site, seq)
    session.flush()
    if refreshing.confirms_nothing_new(session, ack):
        account_later(session, Ack.__tablename__)
        return ack
    announce(
        session,
        actor=actor or Actor(kind="site", id=site),
        action="consent.snapshot_acknowledged",
        about=f"institution:{site}",
        facts={"seq": seq, "status": status, "code": code},
    )
    return ack


def _content_sha256(claims: Mapping[str, Any]) -> str:
    told = sha256(canonical_json(claims["columns"]).encode())
    for name in ("handles", "granted", "within"):
        part: bytes = claims.get(name, b"")
        told.update(len(part).to_bytes(8, "little") + part)
    return told.hexdigest()
