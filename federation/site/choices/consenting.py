"""The newest snapshot of consent this site has accepted, and who may be counted under it."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consent.errors import ConsentError
from consent.evidence import NOTHING
from consent.periods import Periods
from consent.snapshot import Snapshot, parse_claims
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import PublicIdentity, key_id
from federation.protocol.messages import TYP_SNAPSHOT, verify
from federation.query.refusals import Refused
from federation.site.books import Books
from federation.site.choices.log_watch import OTHERS, check_head, check_others, head_told, keep_head
from federation.site.choices.notices import NoticeBook
from federation.site.choices.proving import AS_DESIGNED, Proving
from federation.site.choices.record_days import rows_that_count
from federation.site.data.columns import Table
from federation.site.step_message import HUB
from federation.site.store import milliseconds

MAX_SNAPSHOT_BYTES = 128 * 1024 * 1024


class Consenting:
    """Consent at one site: accepts numbered snapshots, answers who may be counted."""

    def __init__(
        self,
        database: sqlite3.Connection,
        *,
        slug: str,
        network: str,
        hub_public: str,
        peers: Mapping[str, PublicIdentity] | None = None,
        periods: Periods = AS_DESIGNED,
        notice_days: int | None = None,
    ) -> None:
        self._database = database
        self._slug = slug
        self._network = network
        self._peers = peers or {}
        self.alone = False
        """Whether the list read last told of too few other hospitals what they saw of the log."""
        self._keys = {key_id(hub_public): hub_public}
        self._proving = Proving(
            database, network=network, slug=slug, periods=periods, notice_days=notice_days
        )
        self._notices = NoticeBook(database, self._proving.proofs)
        self._books = Books(database, notices=notice_days is not None)
        self._times_used = 0
        self._told: Snapshot | None = None
        self._current: Snapshot | None = None
        self._masks: dict[tuple[str, str, tuple[str, ...]], NDArray[np.bool_]] = {}
        self._restore()

    @property
    def seq(self) -> int:
        """The number of the snapshot in use; 0 without one."""
        return 0 if self._current is None else self._current.seq

    @property
    def state(self) -> tuple[int, int]:
        """Changes whenever somebody may count now who did not before, or the other way round."""
        return self.seq, self._times_used

    @property
    def snapshot(self) -> Snapshot | None:
        """The snapshot in use, fresh or not, with only what this hospital could prove."""
        return self._current

    @property
    def head(self) -> tuple[int, str] | None:
        """Size and root of the log of choices that the snapshot in use told of."""
        return None if self._current is None else head_told(self._current)

    def due(self, until: datetime) -> dict[bytes, int]:
        """Whose yes is due to be said again before `until`, by handle, and from when new data do
        not count, in milliseconds."""
        told = self._kept()
        if told is None:
            return {}
        found = self._proving.due(told, until)
        self._proving.forget()
        return found

    def looked(self, now: datetime) -> tuple[Snapshot, Snapshot, NDArray[np.bool_]] | None:
        """The list that is kept, what is proved of it by the books as they are now, and by its
        handles whose yes waits for its notice. None without a list."""
        told = self._kept()
        if told is None:
            return None
        proven = self.proven(told, now)
        waits = self._proving.waits
        self._proving.forget()
        return told, proven, waits

    def _restore(self, now: datetime | None = None) -> None:
        """Count by the list that is kept, by the books as they are."""
        told = self._kept()
        if told is not None:
            self.use(told, self.proven(told, now or datetime.now(UTC)))

    def _kept(self) -> Snapshot | None:
        """The list that is kept, with its evidence; what was proved of it is not proved again."""
        row = self._database.execute("SELECT message, proved FROM snapshot").fetchone()
        if row is None:
            return None
        claims = self._claims(row[0], now=None)
        told = parse_claims(claims, audience=self._slug, network=self._network)
        self._proving.trust(told, row[1])
        return told

    def _claims(self, message: bytes, now: datetime | None) -> dict[str, Any]:
        return verify(
            TYP_SNAPSHOT,
            message,
            self._keys.get,
            audience=self._slug,
            now=now,
            max_bytes=MAX_SNAPSHOT_BYTES,
            attached=True,
        )

    def verified(self, message: bytes, now: datetime) -> dict[str, Any]:
        """The claims of a snapshot message that the hub signed for this site. Raises
        ProtocolError."""
        claims = self._claims(message, now)
        if claims["iss"] != HUB:
            raise ProtocolError("WRONG_ISSUER")
        return claims

    def read(self, claims: dict[str, Any]) -> Snapshot:
        """The snapshot in verified claims. Raises ConsentError: wrong network or form, older
        than the one in use, or another state under the same number."""
        snapshot = parse_claims(
            claims, audience=self._slug, network=self._network, last_seq=self.seq
        )
        now_used = self._told
        if now_used is not None and snapshot.seq == now_used.seq:
            # Two states under one number: one is a lie. The same state again may only get newer.
            if not _equal(snapshot, now_used) or snapshot.issued < now_used.issued:
                raise ConsentError("snapshot_rollback")
        log, others = snapshot.further.get("log"), snapshot.further.get("witnesses")
        check_head(self._database, log)
        heard = check_others(
            log,
            others,
            self._peers,
            site=self._slug,
            network=self._network,
            issued=snapshot.issued,
        )
        there_are = len(self._peers.keys() - {self._slug})
        self.alone = there_are >= OTHERS and heard < OTHERS
        return snapshot

    def remember(self, told: Snapshot, now: datetime) -> None:
        """Keep every "no" in a snapshot, for ever. Call inside a transaction."""
        self._proving.remember(told, now)

    def proven(self, told: Snapshot, now: datetime) -> Snapshot:
        """The snapshot with only what this hospital can prove, by its books as they are now."""
        self._books.read(now)
        return self._proving.proven(told, now)

    def count_unproven(self, told: Snapshot, proven: Snapshot) -> int:
        """Of how many patients a yes was told that cannot be proved."""
        return self._proving.count_unproven(told, proven)

    def begin_notices(self, now: datetime) -> None:
        """What counts by the list that is kept is taken as told, once. Inside a transaction."""
        if self._notices.begun:
            return
        told = self._kept()
        moments = None if told is None else self._proving.moments(told, now)
        self._notices.begin(told, moments, now)
        self._restore(now)

    def keep(self, told: Snapshot, message: bytes, now: datetime, unproven: int) -> None:
        """Store the snapshot, the head of the log it tells of, and which yeses of it have to be
        told; call inside a transaction, and `use` after it."""
        self._notices.note(told, self._proving.moments(told, now), now)
        keep_head(self._database, told.further.get("log"), now)
        self._database.execute(
            "INSERT INTO unproven (one, seq, patients, at) VALUES (1, ?, ?, ?) ON CONFLICT (one)"
            " DO UPDATE SET seq = excluded.seq, patients = excluded.patients, at = excluded.at",
            (told.seq, unproven, milliseconds(now)),
        )
        self._database.execute(
            "INSERT INTO snapshot (one, seq, message, applied_at, proved) VALUES (1, ?, ?, ?, ?)"
            " ON CONFLICT (one) DO UPDATE SET seq = excluded.seq, message = excluded.message,"
            " applied_at = excluded.applied_at, proved = excluded.proved",
            (told.seq, message, milliseconds(now), self._proving.proved(told)),
        )

    def use(self, told: Snapshot, proven: Snapshot) -> None:
        """Count from now on by what of a snapshot is proved. Of the evidence nothing stays in
        memory: where the books change, the list is read again from the database."""
        handles = told.handles.copy()
        self._told = replace(told, evidence=NOTHING, handles=handles)
        self._current = replace(proven, evidence=NOTHING, handles=handles)
        self._proving.forget()
        self._times_used += 1
        self._masks.clear()

    def check(self, minimum: int, now: datetime, max_age: timedelta) -> None:
        """Raise Refused CONSENT_UNAVAILABLE without a fresh snapshot numbered `minimum` or
        higher. A site that cannot know counts nobody, and says so.

        A "no" at the desk, a confirmed form, a birthday or the end of a yes since the last look
        works from here on.
        """
        if self._told is not None and (self._books.changed(now) or self._overtaken(now)):
            self._restore(now)
        if self._current is None or self._current.seq < minimum:
            raise Refused("CONSENT_UNAVAILABLE")
        try:
            self._current.check_fresh(now, max_age)
        except ConsentError:
            raise Refused("CONSENT_UNAVAILABLE") from None

    def check_still(self, state: tuple[int, int], now: datetime) -> None:
        """Raise Refused CONSENT_UNAVAILABLE when somebody stopped since `state` was counted by.
        Call inside the transaction in which an answer is written down: nobody can write then."""
        if state != self.state or self._books.changed(now) or self._overtaken(now):
            raise Refused("CONSENT_UNAVAILABLE")

    def _overtaken(self, now: datetime) -> bool:
        """Whether a yes ended, or was not renewed, since the list in use was worked out."""
        windows = None if self._current is None else self._current.windows
        return windows is not None and milliseconds(now) >= windows.changes_at

    def mask(self, table: Table, study: str, requires: Sequence[str]) -> NDArray[np.bool_]:
        """Which rows of `table` may be counted for `study`, bool (n,): of patients who agree, and
        of a time of which they let data be used. Worked out once per snapshot, version of the data
        and study. Raises Refused CONSENT_UNAVAILABLE."""
        key = (table.version, study, tuple(requires))
        if key not in self._masks:
            if self._current is None:
                raise Refused("CONSENT_UNAVAILABLE")
            try:
                permitted = rows_that_count(self._current, table, study, requires)
            except ConsentError:
                raise Refused("CONSENT_UNAVAILABLE") from None
            self._masks = {k: v for k, v in self._masks.items() if k[0] == table.version}
            self._masks[key] = permitted & table.countable
        return self._masks[key]


def _equal(one: Snapshot, other: Snapshot) -> bool:
    return (
        one.columns == other.columns
        and np.array_equal(one.handles, other.handles)
        and all(np.array_equal(a, b) for a, b in zip(one.granted, other.granted, strict=True))
    )
