"""Whether a hospital's next consent list is due, and which one will do for a question."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from sqlalchemy import Text, func, select, type_coerce
from sqlalchemy.orm import Session

from consent import reporting
from consent.errors import ConsentError
from consent.grounds import Column
from consent.items import only_messages, with_parents
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
from consent.models_people import SiteMessage
from consent.renewing import periods_of
from consent.rule import OLDER_DATA
from consent.site_messages import processed
from studies.base import canonical_json
from studies.models import Membership, Participation, Study

REFRESH: Final = timedelta(minutes=5)
AFTER_REFUSALS: Final = timedelta(minutes=2)
AFTER_DEATH: Final = "after.death"
#: So many messages of the use of data come together when more wait (federation/site's outbox).
MANY_USES: Final = 50


def latest_snapshot(session: Session, site: str) -> SnapshotRecord | None:
    """The newest snapshot made for a site."""
    return session.scalars(
        select(SnapshotRecord)
        .where(SnapshotRecord.site == site)
        .order_by(SnapshotRecord.seq.desc())
        .limit(1)
    ).first()


def required_seq(session: Session, site: str) -> int:
    """The lowest snapshot number that holds everything decided for this site until now.

    It may be one that is still to be made: then `publish_snapshots` makes it next. A query that
    demands this number cannot miss a "no" that a patient has seen confirmed, nor a text or a
    participation that was stopped. Raises ConsentError `unknown_site`.
    """
    last = latest_snapshot(session, site)
    if last is None:
        return 1
    shared = Shared.read(session, network_of(session, site))
    return last.seq + 1 if _has_changed(session, site, shared, last) else last.seq


@dataclass(frozen=True)
class Standing:
    """Where the lists of one hospital stand. `due`: the next one is to be made now, see
    `publish_snapshots`. `required`: see `required_seq`. `unconfirmed`: the number of the newest
    one, unless the hospital confirmed that it uses it; None where there is none either."""

    due: bool
    required: int
    unconfirmed: int | None


def standings(
    session: Session, sites: Iterable[str], *, now: datetime, refresh: timedelta = REFRESH
) -> dict[str, Standing]:
    """Where the lists of these hospitals stand, by hospital; reads only.

    What the hospitals of a network share is read once for all of them. A hospital that belongs to
    no network or to several is left out.
    """
    networks = _networks_of(session, sites)
    shared = {network: Shared.read(session, network) for network in set(networks.values())}
    found = {}
    for site, network in sorted(networks.items()):
        last = latest_snapshot(session, site)
        if last is None:
            found[site] = Standing(True, 1, None)
            continue
        changed = _has_changed(session, site, shared[network], last)
        ack = session.get(Ack, (site, last.seq))
        found[site] = Standing(
            changed or _is_old(session, site, last, now, refresh),
            last.seq + 1 if changed else last.seq,
            None if ack is not None and ack.status == "applied" else last.seq,
        )
    return found


def network_of(session: Session, site: str) -> str:
    """The one network of a hospital. ConsentError `unknown_site` without one, or with several."""
    found = _networks_of(session, [site]).get(site)
    if found is None:
        raise ConsentError("unknown_site")
    return found


def _networks_of(session: Session, sites: Iterable[str]) -> dict[str, str]:
    """The network of each of the hospitals that belongs to exactly one."""
    found: dict[str, set[str]] = {}
    for site, network in session.execute(
        select(Membership.institution, Membership.network)
        .where(Membership.institution.in_(sorted(set(sites))), Membership.until.is_(None))
        .distinct()
    ):
        found.setdefault(site, set()).add(network)
    return {site: next(iter(names)) for site, names in found.items() if len(names) == 1}


@dataclass(frozen=True)
class Shared:
    """What the lists of all hospitals of a network rest on.

    asking: per item that no study requires, the studies whose text asks for it. size: of the log of
    choices. suspended, ended: when a text last was, and when an item of one last did.
    """

    network: str
    asking: Mapping[str, set[str]]
    renewal_years: int
    size: int
    suspended: datetime | None
    ended: datetime | None

    @classmethod
    def read(cls, session: Session, network: str) -> "Shared":
        """As it is in the database now."""
        size = session.scalar(select(LogHead.size).where(LogHead.network == network))
        return cls(
            network,
            {item: _asking(session, network, item) for item in (OLDER_DATA, AFTER_DEATH)},
            periods_of(session, network).renewal_years,
            size or 0,
            session.scalar(select(func.max(TextVersion.suspended_at))),
            session.scalar(select(func.max(TextEnd.at))),
        )


def is_due(
    session: Session,
    site: str,
    shared: Shared,
    last: SnapshotRecord,
    now: datetime,
    refresh: timedelta,
) -> bool:
    """Whether a hospital needs a list after its `last` one, see `publish_snapshots`."""
    return _is_old(session, site, last, now, refresh) or _has_changed(session, site, shared, last)


def _is_old(
    session: Session, site: str, last: SnapshotRecord, now: datetime, refresh: timedelta
) -> bool:
    """Whether the next list is due although it would say nothing else of choices."""
    # A last one from the future means that a clock was set back: make one with the right dates.
    fresh = timedelta(0) <= now - last.issued < refresh
    return (
        not fresh
        or _is_refused(session, last, now)
        # Not again and again for a hospital that says nothing of what it got.
        or (not last.carries and reporting.some_wait(session, site))
    )


def _is_refused(session: Session, last: SnapshotRecord, now: datetime) -> bool:
    """Whether the hospital refused the last one, so that it is no use sending it again.

    With its refusal it says which head of the log it saw, and the next list goes on from there;
    when that did not help either, a while passes in between.
    """
    ack = session.get(Ack, (last.site, last.seq))
    if ack is None or ack.status != "refused":
        return False
    before = session.get(Ack, (last.site, last.seq - 1))
    again = before is not None and before.status == "refused"
    return not again or now - ack.received_at >= AFTER_REFUSALS


def _has_changed(session: Session, site: str, shared: Shared, last: SnapshotRecord) -> bool:
    if last.columns_sha256 != basis_sha256(shared, columns_of(session, site, shared)):
        return True
    if any(at is not None and at >= last.issued for at in (shared.suspended, shared.ended)):
        return True
    if _was_told(session, site, last):
        return True
    # Whoever speaks adds a leaf, under the lock of the head: none since then, nothing said since.
    return shared.size != last.log_size and _has_newer_choices(session, site, last)


def _was_told(session: Session, site: str, last: SnapshotRecord) -> bool:
    """Whether the hospital told of its patients what its next list must hold.

    That it used data for a question changes no list, and each question of a night would have one
    made; that the hub has the message, the next list says. Where many come, more of them wait.
    """
    if last.facts == processed(session, site):
        return False
    told = session.scalars(
        select(SiteMessage.kind)
        .where(SiteMessage.site == site, SiteMessage.seq > last.facts)
        .limit(MANY_USES)
    ).all()
    return len(told) >= MANY_USES or any(kind != "use" for kind in told)


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


def columns_of(session: Session, site: str, shared: Shared) -> tuple[Column, ...]:
    """The (study, item) pairs that may be counted at this site now: open studies it is open in."""
    open_here = session.execute(
        select(Study.slug, Study.requires)
        .join(Participation, Participation.study == Study.slug)
        .where(
            Study.network == shared.network,
            Study.state == "open",
            Study.asks_data,
            Participation.institution == site,
            Participation.state == "open",
        )
    ).all()
    asked = shared.asking
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


def basis_sha256(shared: Shared, columns: Sequence[Column]) -> str:
    """What a list is about: its columns, and after how many years a yes is asked again."""
    about = [list(column) for column in columns]
    return sha256(canonical_json([about, shared.renewal_years]).encode()).hexdigest()
