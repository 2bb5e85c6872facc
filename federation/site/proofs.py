"""Which of the acts that came with a consent list were really made by whom they name.

Each is checked by this hospital's own books: the key of a letter it made, a passkey such a letter
vouches for, or a form on paper that two people here checked.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consent.evidence import KINDS, Packed, yes_of
from consent.passkeys import Enrolment, proves
from consent.proof import ACT_BYTES, LETTER, MAC_BYTES, PASSKEY, Statement, StatementForm
from federation.site.paper import vouched
from federation.site.pseudonyms import handle_text
from federation.site.store import milliseconds, moment

NEVER: Final = -1
"""The moment of an act whose proof fails."""


@dataclass(frozen=True)
class _Letter:
    handle: bytes
    party: str
    key: bytes
    ended_at: int | None


class Proofs:
    """Checks acts by the letters, passkeys and forms of one hospital."""

    def __init__(self, database: sqlite3.Connection, *, network: str, slug: str) -> None:
        self._database = database
        self._network = network
        self._slug = slug

    def moments(self, evidence: Packed, handles: Sequence[bytes], latest: int) -> NDArray[np.int64]:
        """For each act the moment it counts from, in milliseconds; NEVER when its proof fails, or
        when it claims to be of after `latest`: it would be later than every "no" to come."""
        letters, texts = self._letters(), [handle_text(handle) for handle in handles]
        passkeys = self._passkeys(evidence, letters)
        forms: dict[tuple[int, int, int, int], StatementForm | None] = {}
        moments = np.full(len(evidence.acts), NEVER, np.int64)
        for place, row in enumerate(evidence.acts.tolist()):
            handle, study, text, party, kind, items, at, act, by, mac = row
            if not 0 <= at <= latest:
                continue
            name, proof = act.ljust(ACT_BYTES, b"\0").hex(), mac.ljust(MAC_BYTES, b"\0")
            same = (study, text, party, items)
            if same not in forms:
                forms[same] = self._form(evidence, *same)
            form = forms[same]
            if form is None:
                continue
            if KINDS[kind] == LETTER:
                letter = letters.get(by)
                spoken = (handles[handle], evidence.parties[party])
                if letter is None or (letter.handle, letter.party) != spoken:
                    continue
                whose = texts[handle]
                if _in_time(letter, at) and form.proved_by(whose, at, name, proof, letter.key):
                    moments[place] = at
                continue
            whole = self._statement(evidence, study, text, party, items)
            made = replace(whole, handle=texts[handle], at=moment(at), act=name)
            more = evidence.more.get(place, {})
            if KINDS[kind] == PASSKEY:
                enrolled = passkeys.get(str(more.get("by")))
                if enrolled is None or not _in_time(enrolled[1], at):
                    continue
                if proves(made, more, enrolled[0]):
                    # A passkey signs a little before the choice is written down.
                    moments[place] = min(at, more["at"])
            elif self._vouched(made, handles[handle]):
                moments[place] = at
        return moments

    def _statement(
        self, evidence: Packed, study: int, text: int, party: int, items: int
    ) -> Statement:
        """Without handle, moment and name of the act."""
        return Statement(
            network=self._network,
            site=self._slug,
            handle="",
            party=evidence.parties[party],
            study=evidence.studies[study],
            text_version=evidence.texts[text],
            yes=yes_of(evidence, items),
            at=moment(0),
            act="",
        )

    def _form(
        self, evidence: Packed, study: int, text: int, party: int, items: int
    ) -> StatementForm | None:
        try:
            return StatementForm.of(self._statement(evidence, study, text, party, items))
        except ValueError:
            return None

    def _letters(self) -> dict[bytes, _Letter]:
        rows = self._database.execute(
            "SELECT code_id, handle, party, proof_key, ended_at FROM letter"
        )
        return {
            code.encode(): _Letter(handle, party, key, ended)
            for code, handle, party, key, ended in rows
        }

    def _vouched(self, statement: Statement, handle: bytes) -> bool:
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
        self, evidence: Packed, letters: Mapping[bytes, _Letter]
    ) -> Mapping[str, tuple[Enrolment, _Letter]]:
        """Passkeys, each with the letter of this hospital that vouches for it."""
        found = {}
        for claims in evidence.passkeys:
            enrolment = _enrolment(claims)
            letter = letters.get(str(claims.get("by")).encode("utf-8", "replace"))
            if enrolment is None or letter is None:
                continue
            own = (self._network, self._slug, handle_text(letter.handle), letter.party)
            said = (enrolment.network, enrolment.site, enrolment.handle, enrolment.party)
            if own == said and enrolment.proved_by(_mac(claims), letter.key):
                found[enrolment.credential_id] = (enrolment, letter)
        return found


def _in_time(letter: _Letter, at: int) -> bool:
    """Whether a letter, or a passkey it vouches for, could still say yes at this moment."""
    return letter.ended_at is None or at <= letter.ended_at


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
