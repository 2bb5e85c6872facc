"""Carrying snapshots of consent to sites, and what the sites say about them to the store."""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from consent import service as consent
from consent.errors import ConsentError
from consent.kept import Kept
from consent.models import Ack, LogHead, SnapshotRecord
from consent.tree_heads import sign_head
from consent.witnessing import note_witness
from federation.engines.interface import Engine, EngineError, Reply
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import SigningKey, key_id
from federation.protocol.messages import TYP_ACK, TYP_SNAPSHOT, sign, verify
from federation.protocol.transparency import head_signer, open_witness
from federation.runs.coverage import keep_coverage
from federation.runs.driver import HUB
from federation.runs.site_messages import bodies_in, take_messages
from studies.actor import Actor
from studies.events import announce
from studies.looking import read_only
from studies.models import SiteNode

#: How old a snapshot may be, also for a site that nobody asks: with its confirmation comes what the
#: hospital has to tell, such as a no at the desk.
REFRESH = timedelta(minutes=5)
VALID = timedelta(minutes=60)
#: Between two looks for new choices, and before an unconfirmed snapshot is sent again.
LOOK = timedelta(seconds=2)
RESEND = timedelta(minutes=2)
SEEN_EVERY = timedelta(hours=1)
_ROOT = re.compile(r"[0-9a-f]{64}")


class Snapshots:
    """Publishes, sends and confirms; belongs to one worker."""

    def __init__(self, factory: sessionmaker[Session], engine: Engine, key: SigningKey) -> None:
        self._factory = factory
        self._engine = engine
        self._key = key
        self._kept = Kept()
        self._sent: dict[str, tuple[str, int]] = {}
        self._again: dict[tuple[str, int], datetime] = {}
        self._looked: datetime | None = None
        self._waiting: set[str] = set()
        self._confirmed: dict[str, int] = {}

    def make(self, sites: Iterable[str], now: datetime, *, renew: bool = False) -> None:
        """Make the next snapshot of each site that needs one, outside any transaction.

        With ``renew`` every site gets a new one, for sites that say theirs is too old.
        """
        age = timedelta(0) if renew else REFRESH
        due = [site for site, one in self._standings(sites, now, age).items() if one.due]
        for site in due:
            if not self._in_flight(site, now):
                self._publish(site, now, age)
        if due:
            # The next look must send what was made here.
            self._looked = None

    def _standings(
        self, sites: Iterable[str], now: datetime, age: timedelta
    ) -> dict[str, consent.Standing]:
        with self._factory() as session:
            read_only(session)
            return consent.standings(session, sites, now=now, refresh=age)

    def _in_flight(self, site: str, now: datetime) -> bool:
        """Whether a list is under way to a hospital. The next one then waits for its word: it has
        to go on from the head of the log that the hospital saw, and choices made in quick
        succession go together."""
        return any(
            target[0] == site and self._again.get(target, now) > now
            for target in self._sent.values()
        )

    def required(self, session: Session, sites: Iterable[str], now: datetime) -> dict[str, int]:
        """The lowest snapshot number that will do, per site; it may still have to be made. Raises
        ConsentError for a site of which it cannot be said."""
        found = consent.standings(session, sites, now=now)
        missing = set(sites) - found.keys()
        if missing:
            raise ConsentError("unknown_site")
        return {site: one.required for site, one in found.items()}

    def _sign(self, now: datetime) -> Any:
        def signed(site: str, claims: Mapping[str, Any]) -> bytes:
            return sign(
                TYP_SNAPSHOT,
                claims,
                self._key,
                issuer=HUB,
                audience=site,
                now=now,
                lifetime=VALID,
            )

        return signed

    def _publish(self, site: str, now: datetime, age: timedelta) -> SnapshotRecord | None:
        """Make the next snapshot of one hospital when it is due; give the one to send, if any.

        It is worked out in a transaction that only reads and written down in one of its own, so
        that patients who are choosing never wait for it.
        """
        with self._factory() as session:
            read_only(session)
            prepared = consent.prepare_snapshot(
                session, site, now=now, valid_for=VALID, refresh=age, kept=self._kept
            )
            if prepared is None:
                return consent.snapshot_to_send(session, site)
        body = self._sign(now)(site, prepared.claims)
        with self._factory() as session:
            # None: another worker was first, and sends it.
            record = consent.store_snapshot(session, prepared, body)
            session.commit()
            return record

    def publish(self, now: datetime) -> bool:
        """Make what choices, texts and time demand, and send what is not confirmed yet."""
        if self._looked is not None and timedelta(0) <= now - self._looked < LOOK:
            return False
        self._looked = now
        with self._factory() as session:
            nodes = sorted(session.scalars(select(SiteNode.institution)))
            for network in session.scalars(select(LogHead.network)).all():
                sign_head(session, head_signer(self._key, now), network, now)
            session.commit()
        unconfirmed = []
        # A node without a network has no patients whose choices could be told: it has no standing.
        for site, one in self._standings(nodes, now, REFRESH).items():
            if self._in_flight(site, now):
                self._waiting.add(site)
                continue
            if not one.due and (one.unconfirmed is None or self._waits(site, one.unconfirmed, now)):
                continue
            with suppress(ConsentError):
                record = self._publish(site, now, REFRESH)
                if record is not None:
                    unconfirmed.append((site, record.seq, record.body))
        sent = False
        for site, seq, body in unconfirmed:
            if body is None or self._waits(site, seq, now):
                continue
            self._again = {k: v for k, v in self._again.items() if k[0] != site}
            self._again[site, seq] = now + RESEND
            self._cancel_older(site)
            try:
                self._sent[self._engine.send(site, body)] = (site, seq)
                sent = True
            except EngineError:
                continue
        return sent

    def _waits(self, site: str, seq: int, now: datetime) -> bool:
        """Whether this list was sent, and it is too soon to send it again."""
        return self._again.get((site, seq), now) > now

    def _cancel_older(self, site: str) -> None:
        """Only the newest snapshot of a site is worth waiting for."""
        for handle in [h for h, target in self._sent.items() if target[0] == site]:
            self._engine.cancel(handle)
            del self._sent[handle]

    def take(self, reply: Reply, now: datetime) -> bool:
        """Whether ``reply`` answers a snapshot; then what it says is stored.

        A reply that is not the site's own confirmation changes nothing, and the snapshot is sent
        again later.
        """
        target = self._sent.pop(reply.handle, None)
        if target is None:
            return False
        if target[0] in self._waiting:
            # There was more to tell: look again at once.
            self._waiting.discard(target[0])
            self._looked = None
        if reply.body is not None:
            with suppress(ProtocolError, ConsentError):
                self._store(target[0], reply.body, now)
        return True

    def _store(self, site: str, body: bytes, now: datetime) -> None:
        with self._factory() as session:
            node = session.get_one(SiteNode, site)
            keys = {key_id(node.sign_pub): node.sign_pub}
            claims = verify(TYP_ACK, body, keys.get, audience=HUB, now=now)
            seq, status, code = (claims.get(name) for name in ("seq", "status", "code"))
            applied = claims.get("applied_at")
            if claims["iss"] != site or type(seq) is not int or not isinstance(status, str):
                raise ProtocolError("BAD_ACK")
            consent.store_ack(
                session,
                site=site,
                seq=seq,
                status=status,
                code=code if isinstance(code, str) else None,
                applied_at=_moment(applied) if status == "applied" else None,
                now=now,
                unproven=claims.get("unproven"),
                notice_days=claims.get("notice_days"),
            )
            self._witness(session, node, claims.get("witness"), now)
            keep_coverage(session, site, claims.get("coverage"), now)
            take_messages(session, node, bodies_in(claims.get("messages")), now)
            self._note_seen(session, node, now)
            session.commit()

    def _witness(self, session: Session, node: SiteNode, said: object, now: datetime) -> None:
        """Keep which head of the log this hospital knows, in its own word that is for everybody.

        What cannot be read changes nothing: the rest of the confirmation counts all the same.
        """
        if not isinstance(said, str) or not said.isascii():
            return
        body = said.encode("ascii")
        with suppress(ProtocolError, ConsentError):
            head = open_witness(body, node.institution, node.sign_pub)
            if _ROOT.fullmatch(head["root"]):
                note_witness(
                    session,
                    site=node.institution,
                    seq=head["seq"],
                    size=head["size"],
                    root=head["root"],
                    body=body,
                    now=now,
                )

    def _note_seen(self, session: Session, node: SiteNode, now: datetime) -> None:
        """Keep, about once an hour, that the site was heard from; each confirmation says so too."""
        if node.last_seen is not None and now - node.last_seen < SEEN_EVERY:
            return
        node.last_seen = now
        announce(
            session,
            actor=Actor(kind="site", id=node.institution),
            action="site.seen",
            about=f"institution:{node.institution}",
        )

    def confirmed(self, site: str, seq: int, now: datetime) -> bool:
        """Whether the site has said that it uses snapshot ``seq`` or a later one."""
        if self._confirmed.get(site, 0) < seq:
            with self._factory() as session:
                read_only(session)
                found = session.scalar(
                    select(Ack.seq)
                    .where(Ack.site == site, Ack.seq >= seq, Ack.status == "applied")
                    .limit(1)
                )
            if found is None:
                return False
            # What a site has said it has said.
            self._confirmed[site] = found
        return True


def _moment(value: object) -> datetime:
    if type(value) is not int or not 0 < value < 1 << 40:
        raise ProtocolError("BAD_ACK")
    return datetime.fromtimestamp(value, UTC)
