"""Giving each site the state of consent of its own patients: whole, numbered, signed, confirmed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Text, select, type_coerce
from sqlalchemy.orm import Session

from consent import carrying, refreshing, reporting
from consent.errors import ConsentError
from consent.further import further_claims
from consent.grounds import Column
from consent.items import only_messages, with_parents
from consent.kept import Kept
from consent.log import EMPTY_ROOT
from consent.models import (
    Ack,
    ConsentEvent,
    ConsentMark,
    LogHead,
    SnapshotRecord,
    Subject,
    TextEnd,
    TextVersion,
)
from consent.recording import as_of
from consent.renewing import periods_of
from consent.rule import OLDER_DATA
from consent.site_messages import processed
from consent.snapshot import build_claims
from studies.actor import SYSTEM, Actor
from studies.base import canonical_json
from studies.events import account_later, announce
from studies.models import Institution, Membership, Participation, Study

VALID_FOR: Final = timedelta(minutes=60)
REFRESH: Final = timedelta(minutes=5)
AFTER_REFUSALS: Final = timedelta(minutes=2)
AFTER_DEATH: Final = "after.death"
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
    network = _network_of(session, site)
    last = latest_snapshot(session, site)
    if last is not None and not _is_due(session, site, network, last, now, refresh):
        return None
    # The head is read before the choices: what is added in between is in the snapshot as well,
    # but the record does not promise it.
    head = session.get(LogHead, network, populate_existing=True)
    facts = processed(session, site)
    columns = _columns(session, site, network)
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
            "renewal_years": periods_of(session, network).renewal_years,
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
        "columns_sha256": _basis_sha256(session, network, columns),
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


def latest_snapshot(session: Session, site: str) -> SnapshotRecord | None:
    """The newest snapshot made for a site."""
    return session.scalars(
        select(SnapshotRecord)
        .where(SnapshotRecord.site == site)
        .order_by(SnapshotRecord.seq.desc())
        .limit(1)
    ).first()


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


def required_seq(session: Session, site: str) -> int:
    """The lowest snapshot number that holds everything decided for this site until now.

    It may be one that is still to be made: then `publish_snapshots` makes it next. A query that
    demands this number cannot miss a "no" that a patient has seen confirmed, nor a text or a
    participation that was stopped. Raises ConsentError `unknown_site`.
    """
    last = latest_snapshot(session, site)
    if last is None:
        return 1
    changed = _has_changed(session, site, _network_of(session, site), last)
    return last.seq + 1 if changed else last.seq


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


def _network_of(session: Session, site: str) -> str:
    networks = session.scalars(
        select(Membership.network)
        .where(Membership.institution == site, Membership.until.is_(None))
        .distinct()
    ).all()
    if len(networks) != 1:
        raise ConsentError("unknown_site")
    return networks[0]


def _is_due(
    session: Session,
    site: str,
    network: str,
    last: SnapshotRecord,
    now: datetime,
    refresh: timedelta,
) -> bool:
    # A last one from the future means that a clock was set back: make one with the right dates.
    fresh = timedelta(0) <= now - last.issued < refresh
    return (
        not fresh
        or _is_refused(session, last, now)
        or _has_changed(session, site, network, last)
        # Not again and again for a hospital that says nothing of what it got.
        or (not last.carries and reporting.some_wait(session, site))
    )


def _is_refused(session: Session, last: SnapshotRecord, now: datetime) -> bool:
    """Whether the hospital refused the last one, so that it is no use sending it again.

    With its refusal it says which head of the log it saw, and the next list goes on from there;
    when that did not help either, a while passes in between.
    """
    ack, before = (session.get(Ack, (last.site, seq)) for seq in (last.seq, last.seq - 1))
    if ack is None or ack.status != "refused":
        return False
    again = before is not None and before.status == "refused"
    return not again or now - ack.received_at >= AFTER_REFUSALS


def _has_changed(session: Session, site: str, network: str, last: SnapshotRecord) -> bool:
    if last.columns_sha256 != _basis_sha256(session, network, _columns(session, site, network)):
        return True
    suspended = session.scalar(
        select(TextVersion.id).where(TextVersion.suspended_at >= last.issued).limit(1)
    )
    if suspended is not None or last.facts != processed(session, site):
        return True
    return _text_ended(session, last) or _has_newer_choices(session, site, last)


def _text_ended(session: Session, last: SnapshotRecord) -> bool:
    ended = select(TextEnd.item).where(TextEnd.at >= last.issued).limit(1)
    return session.scalar(ended) is not None


def _has_newer_choices(session: Session, site: str, last: SnapshotRecord) -> bool:
    # The network goes with the leaf in the index; every leaf below the size is in.
    said = session.scalar(
        select(ConsentEvent.leaf)
        .join(Subject, Subject.id == ConsentEvent.subject_id)
        .where(
            ConsentEvent.network == last.network,
            ConsentEvent.leaf >= last.log_size,
            Subject.site == site,
        )
        .limit(1)
    )
    if said is not None:
        return True
    mark = session.scalar(
        select(ConsentMark.leaf)
        .join(ConsentEvent, ConsentEvent.id == ConsentMark.event_id)
        .join(Subject, Subject.id == ConsentEvent.subject_id)
        .where(
            ConsentMark.network == last.network,
            ConsentMark.leaf >= last.log_size,
            Subject.site == site,
        )
        .limit(1)
    )
    return mark is not None


def _columns(session: Session, site: str, network: str) -> tuple[Column, ...]:
    """The (study, item) pairs that may be counted at this site now: open studies it is open in."""
    open_here = session.execute(
        select(Study.slug, Study.requires)
        .join(Participation, Participation.study == Study.slug)
        .where(
            Study.network == network,
            Study.state == "open",
            Study.asks_data,
            Participation.institution == site,
            Participation.state == "open",
        )
    ).all()
    asked = {item: _asking(session, network, item) for item in (OLDER_DATA, AFTER_DEATH)}
    return tuple(
        (study, item)
        for study, requires in sorted((slug, tuple(items)) for slug, items in open_here)
        if not only_messages(requires)
        for item in with_parents([*requires, *(i for i in asked if study in asked[i])])
    )


def _asking(session: Session, network: str, item: str) -> set[str]:
    # A hospital needs these answers to judge about older data, and about patients who died, though
    # no study requires them. Looked for in the stored JSON as it is: this is asked every few
    # seconds, and texts are long.
    names_it = type_coerce(TextVersion.content, Text).contains(f'"{item}"')
    return set(
        session.scalars(
            select(TextVersion.study)
            .join(Study, Study.slug == TextVersion.study)
            .where(Study.network == network, names_it)
            .distinct()
        )
    )


def _basis_sha256(session: Session, network: str, columns: Sequence[Column]) -> str:
    """What a list is about: its columns, and after how many years a yes is asked again."""
    about = [list(column) for column in columns]
    years = periods_of(session, network).renewal_years
    return sha256(canonical_json([about, years]).encode()).hexdigest()


def _content_sha256(claims: Mapping[str, Any]) -> str:
    told = sha256(canonical_json(claims["columns"]).encode())
    for name in ("handles", "granted", "within"):
        part: bytes = claims.get(name, b"")
        told.update(len(part).to_bytes(8, "little") + part)
    return told.hexdigest()
