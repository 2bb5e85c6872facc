"""Whether a yes in a consent list is really the patient's: checked by this hospital's own books.

A bit of a snapshot counts only when every person whose yes is needed made an act that verifies
(with the key of a letter that this hospital made, a passkey such a letter vouches for, or a form on
paper that two people here checked), that names the item and the study, and that is later than every
"no" this hospital ever saw. So nobody at the hub can make a yes (invariant 6), and a yes of before
a "no" does not come back.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consent.evidence import KINDS, Packed, denials_of, yes_of
from consent.passkeys import Enrolment, proves
from consent.proof import ACT_BYTES, LETTER, MAC_BYTES, PASSKEY, Statement
from consent.rule import ANY, SELF
from consent.snapshot import HANDLE_BYTES, Mask, Snapshot
from federation.site import denials, parties
from federation.site.paper import vouched
from federation.site.pseudonyms import handle_text
from federation.site.store import milliseconds, moment

AFTER_DEATH: Final = "after.death"


@dataclass(frozen=True)
class _Letter:
    handle: bytes
    party: str
    key: bytes
    ended_at: int | None


class Proving:
    """Reduces a snapshot to what this hospital can prove. One per site program."""

    def __init__(self, database: sqlite3.Connection, *, network: str, slug: str) -> None:
        self._database = database
        self._network = network
        self._slug = slug

    def remember(self, snapshot: Snapshot) -> None:
        """Keep every "no" of the snapshot for ever. Call inside a transaction.

        None counts as said after the list was made: else a hub could shut a patient out for good.
        """
        # `issued` is in whole seconds, rounded down.
        known, latest = self._denied(), milliseconds(snapshot.issued) + 999
        for handle, study, item, said in denials_of(snapshot.evidence):
            at = min(said, latest)
            if known.get((handle, study, item), -1) < at:
                when = moment(at)
                denials.close(self._database, handle, study, [item], when)

    def proven(self, snapshot: Snapshot, now: datetime) -> Snapshot:
        """The same snapshot with only the bits that are proved."""
        evidence = snapshot.evidence
        handles = [handle.ljust(HANDLE_BYTES, b"\0") for handle in snapshot.handles.tolist()]
        counts_from = self._counts_from(evidence, handles)
        denied = self._denied_at(snapshot, handles)
        granted = self._agreed(snapshot, counts_from, denied, handles, now)
        return replace(snapshot, granted=self._after_death(snapshot, granted, handles))

    def count_unproven(self, told: Snapshot, proven: Snapshot) -> int:
        """Of how many patients something was told that could not be proved."""
        lost = np.zeros(len(told.handles), np.bool_)
        for one, other in zip(told.granted, proven.granted, strict=True):
            lost |= one & ~other
        return int(np.count_nonzero(lost))

    def _letters(self) -> dict[str, _Letter]:
        rows = self._database.execute(
            "SELECT code_id, handle, party, proof_key, ended_at FROM letter"
        )
        return {
            code: _Letter(handle, party, key, ended) for code, handle, party, key, ended in rows
        }

    def _counts_from(self, evidence: Packed, handles: list[bytes]) -> NDArray[np.int64]:
        """For each act the moment it counts from, in milliseconds; -1 when its proof fails."""
        letters, texts = self._letters(), [handle_text(handle) for handle in handles]
        passkeys = self._passkeys(evidence, letters)
        moments = np.full(len(evidence.acts), -1, np.int64)
        yes: dict[int, tuple[str, ...]] = {}
        for place, row in enumerate(evidence.acts.tolist()):
            handle, study, text, party, kind, items, at, act, by, mac = row
            if items not in yes:
                yes[items] = yes_of(evidence, items)
            statement = Statement(
                network=self._network,
                site=self._slug,
                handle=texts[handle],
                party=evidence.parties[party],
                study=evidence.studies[study],
                text_version=evidence.texts[text],
                yes=yes[items],
                at=moment(at),
                act=act.ljust(ACT_BYTES, b"\0").hex(),
            )
            more = evidence.more.get(place, {})
            letter = letters.get(by.decode("ascii", "replace"))
            proof = mac.ljust(MAC_BYTES, b"\0")
            if self._holds(KINDS[kind], statement, letter, handles[handle], proof, more, passkeys):
                # A passkey signs a little before the choice is written down.
                moments[place] = min(at, more["at"]) if KINDS[kind] == PASSKEY else at
        return moments

    def _holds(
        self,
        kind: str,
        statement: Statement,
        letter: _Letter | None,
        handle: bytes,
        mac: bytes,
        more: Mapping[str, Any],
        passkeys: Mapping[str, tuple[Enrolment, _Letter]],
    ) -> bool:
        if kind == LETTER:
            return (
                letter is not None
                and letter.handle == handle
                and letter.party == statement.party
                and _in_time(letter, statement.at)
                and statement.proved_by(mac, letter.key)
            )
        if kind == PASSKEY:
            enrolled = passkeys.get(str(more.get("by")))
            return (
                enrolled is not None
                and _in_time(enrolled[1], statement.at)
                and proves(statement, more, enrolled[0])
            )
        own = vouched(self._database, statement.act)
        return (
            own is not None
            and own.handle == handle
            and own.party == statement.party
            and own.study == statement.study
            and own.text_version == statement.text_version
            and set(statement.yes) <= set(own.yes)
            and milliseconds(statement.at) == milliseconds(own.at)
        )

    def _passkeys(
        self, evidence: Packed, letters: Mapping[str, _Letter]
    ) -> Mapping[str, tuple[Enrolment, _Letter]]:
        """Passkeys, each with the letter of this hospital that vouches for it."""
        found = {}
        for claims in evidence.passkeys:
            enrolment = _enrolment(claims)
            letter = letters.get(str(claims.get("by")))
            if enrolment is None or letter is None:
                continue
            own = (self._network, self._slug, handle_text(letter.handle), letter.party)
            said = (enrolment.network, enrolment.site, enrolment.handle, enrolment.party)
            if own == said and enrolment.proved_by(_mac(claims), letter.key):
                found[enrolment.credential_id] = (enrolment, letter)
        return found

    def _denied(self) -> dict[tuple[bytes, str, str], int]:
        rows = self._database.execute("SELECT handle, study, item, at FROM denial")
        return {(handle, study, item): at for handle, study, item, at in rows}

    def _denied_at(self, snapshot: Snapshot, handles: list[bytes]) -> NDArray[np.int64]:
        """The newest "no" per handle and column, int64 (handles, columns); -1 for none."""
        newest = np.full((len(handles), len(snapshot.columns)), -1, np.int64)
        place = {handle: number for number, handle in enumerate(handles)}
        for (handle, study, item), at in self._denied().items():
            row = place.get(handle)
            if row is None:
                continue
            for column, (of_study, of_item) in enumerate(snapshot.columns):
                if study in (ANY, of_study) and item in (ANY, of_item):
                    newest[row, column] = max(newest[row, column], at)
        return newest

    def _agreed(
        self,
        snapshot: Snapshot,
        counts_from: NDArray[np.int64],
        denied: NDArray[np.int64],
        handles: list[bytes],
        now: datetime,
    ) -> tuple[Mask, ...]:
        """The bits for which everyone whose yes is needed has one that holds."""
        evidence = snapshot.evidence
        needs = parties.needs(self._database, now)
        told = {place: needs[handle] for place, handle in enumerate(handles) if handle in needs}
        granted = []
        for column, bits in enumerate(snapshot.granted):
            acts = self._usable(snapshot, column, counts_from, denied)
            proved = np.zeros(len(handles), np.bool_)
            alone = _party(evidence, SELF)
            proved[acts["handle"][acts["party"] == alone]] = True
            for place, wanted in told.items():
                said = {
                    evidence.parties[party]
                    for party in acts["party"][acts["handle"] == place].tolist()
                }
                proved[place] = bool(wanted) and wanted <= said
            granted.append(bits & proved)
        return tuple(granted)

    def _usable(
        self,
        snapshot: Snapshot,
        column: int,
        counts_from: NDArray[np.int64],
        denied: NDArray[np.int64],
    ) -> NDArray[np.void]:
        """The acts that say yes to one column, with a proof that holds, after every no."""
        evidence, acts = snapshot.evidence, snapshot.evidence.acts
        study, item = snapshot.columns[column]
        if study not in evidence.studies or item not in evidence.items:
            return acts[:0]
        bit = np.uint64(1 << evidence.items.index(item))
        usable: NDArray[np.void] = acts[
            (acts["study"] == evidence.studies.index(study))
            & ((acts["items"] & bit) != 0)
            & (counts_from > denied[acts["handle"], column])
        ]
        return usable

    def _after_death(
        self, snapshot: Snapshot, granted: tuple[Mask, ...], handles: list[bytes]
    ) -> tuple[Mask, ...]:
        """After a death only those count who agreed to that for the study (consent.md 3.6, 20)."""
        rows = self._database.execute("SELECT DISTINCT handle FROM fact WHERE kind = 'death'")
        died = {handle for (handle,) in rows}
        if not died:
            return granted
        gone = np.array([handle in died for handle in handles], np.bool_)
        agreed = {
            study: granted[column]
            for column, (study, item) in enumerate(snapshot.columns)
            if item == AFTER_DEATH
        }
        nobody = np.zeros(len(handles), np.bool_)
        return tuple(
            bits & (~gone | agreed.get(study, nobody))
            for bits, (study, _) in zip(granted, snapshot.columns, strict=True)
        )


def _in_time(letter: _Letter, at: datetime) -> bool:
    """Whether a letter, or a passkey it vouches for, could still say yes at this moment."""
    return letter.ended_at is None or milliseconds(at) <= letter.ended_at


def _party(evidence: Packed, party: str) -> int:
    """The number of a party in the acts; one that no act has when nobody spoke as this party."""
    return evidence.parties.index(party) if party in evidence.parties else len(evidence.parties)


def _enrolment(claims: Mapping[str, Any]) -> Enrolment | None:
    words = ("network", "site", "handle", "party", "credential_id", "public_key", "rp_id")
    at = claims.get("at")
    if not all(isinstance(claims.get(word), str) for word in words) or type(at) is not int:
        return None
    if not 0 <= at < 1 << 45:
        return None
    return Enrolment(**{word: claims[word] for word in words}, at=moment(at))


def _mac(claims: Mapping[str, Any]) -> bytes:
    try:
        return bytes.fromhex(str(claims.get("mac")))
    except ValueError:
        return b""
