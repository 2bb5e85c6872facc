"""Which of the acts that came with a consent list were really made by whom they name.

Each is checked by this hospital's own books: the key of a letter it made, a passkey such a letter
vouches for, or a form on paper that two people here checked. That a letter or a passkey proves an
act stays true, so it is worked out once for a list; whether the letter had ended by then is looked
up each time, and so is a form.
"""

import base64
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consent.evidence import KINDS, NOTHING, Packed, yes_of
from consent.passkeys import Enrolment, proves
from consent.proof import ACT_BYTES, LETTER, MAC_BYTES, PASSKEY, SITE, Statement, StatementForm
from consent.snapshot import HANDLE_BYTES, Mask
from federation.site.choices.pseudonyms import handle_text
from federation.site.desk.letter_book import LetterBook
from federation.site.desk.paper import vouched
from federation.site.store import milliseconds, moment

NEVER: Final = -1
"""The moment of an act whose proof fails."""

_SOME: Final = 20_000
"""So many acts are taken in hand at a time: of a million no table of Python objects is made."""
_TEXT: Final = 28
_LETTER, _PASSKEY, _SITE = (KINDS.index(kind) for kind in (LETTER, PASSKEY, SITE))


class Proofs:
    """Checks acts by the letters, passkeys and forms of one hospital."""

    def __init__(self, database: sqlite3.Connection, *, network: str, slug: str) -> None:
        self._database = database
        self._network = network
        self._slug = slug
        self._of: Packed = NOTHING
        self._proved: Mask = np.zeros(0, np.bool_)

    def proved(self, evidence: Packed) -> bytes | None:
        """A bit per act: whether a letter or passkey proves it; None for evidence that was not the
        last to be looked at."""
        if evidence is not self._of:
            return None
        return np.packbits(self._proved, bitorder="little").tobytes()

    def trust(self, evidence: Packed, proved: bytes | None) -> None:
        """Take over what `proved` said of this very evidence, by these very books."""
        count = len(evidence.acts)
        if proved is not None and len(proved) == (count + 7) // 8:
            bits = np.unpackbits(np.frombuffer(proved, np.uint8), bitorder="little")
            self._of, self._proved = evidence, bits[:count].astype(np.bool_)

    def forget(self) -> None:
        """Let go of the evidence looked at last."""
        self._of, self._proved = NOTHING, np.zeros(0, np.bool_)

    def moments(
        self, evidence: Packed, handles: NDArray[np.bytes_], latest: int
    ) -> NDArray[np.int64]:
        """For each act the moment it counts from, in milliseconds; NEVER when its proof fails, or
        when it claims to be of after `latest`: it would be later than every "no" to come."""
        acts = evidence.acts
        if self._of is not evidence:
            self._of, self._proved = evidence, np.zeros(len(acts), np.bool_)
        if not len(acts):
            return np.zeros(0, np.int64)
        kinds, in_time = acts["kind"], (acts.at >= 0) & (acts.at <= latest)
        letters = LetterBook(self._database)
        by_letter = in_time & (kinds == _LETTER)
        for some in _blocks(by_letter & ~self._proved):
            self._prove(evidence, handles, some, letters)
        by_letter &= self._proved & ~letters.ended_before(acts.by, acts.at)
        moments = np.where(by_letter, acts.at, NEVER)
        others = np.flatnonzero(in_time & (kinds != _LETTER))
        if len(others):
            passkeys = self._passkeys(evidence, letters)
            for place in others.tolist():
                moments[place] = self._moment(evidence, handles, place, passkeys)
        return moments

    def _prove(
        self,
        evidence: Packed,
        handles: NDArray[np.bytes_],
        some: NDArray[np.intp],
        letters: LetterBook,
    ) -> None:
        """Note which of some acts their letters prove."""
        acts = evidence.acts
        rows = letters.rows(np.unique(acts.by[some]).tolist())
        of_form = acts.form[some]
        forms = {same: self._form(evidence, same) for same in np.unique(of_form).tolist()}
        party = acts["party"][some].tolist()
        whose, texts = _handles(handles, acts.handle[some])
        names = _hex(acts.act[some], ACT_BYTES)
        for n, (place, same, by, at, mac) in enumerate(
            zip(
                some.tolist(),
                of_form.tolist(),
                acts.by[some].tolist(),
                acts.at[some].tolist(),
                acts.mac[some].tolist(),
                strict=True,
            )
        ):
            form, letter = forms[same], rows.get(by)
            if form is None or letter is None:
                continue
            if (letter.handle, letter.party) != (whose[n], evidence.parties[party[n]]):
                continue
            proof = mac.ljust(MAC_BYTES, b"\0")
            self._proved[place] = form.proved_by(texts[n], at, names[n], proof, letter.key)

    def _moment(
        self,
        evidence: Packed,
        handles: NDArray[np.bytes_],
        place: int,
        passkeys: Mapping[str, tuple[Enrolment, int | None]],
    ) -> int:
        """The moment of an act with a passkey or on paper."""
        acts = evidence.acts
        (whose,), _ = _handles(handles, acts.handle[place : place + 1])
        at = int(acts.at[place])
        try:
            made = self._made(evidence, handles, place)
            StatementForm.of(made)
        except ValueError:
            return NEVER
        if int(acts.forms[int(acts.form[place])][3]) == _SITE:
            return at if self._vouched(made, whose) else NEVER
        more = evidence.more.get(place, {})
        enrolled = passkeys.get(str(more.get("by")))
        if enrolled is None or not _in_time(enrolled[1], at):
            return NEVER
        if not self._proved[place]:
            self._proved[place] = proves(made, more, enrolled[0])
        # A passkey signs a little before the choice is written down.
        return min(at, int(more["at"])) if self._proved[place] else NEVER

    def marks(
        self, evidence: Packed, handles: NDArray[np.bytes_], places: NDArray[np.intp]
    ) -> NDArray[np.bytes_]:
        """Of these acts, which are proved, 16 bytes that name the whole act and no other: the code
        over its statement under the letter's key, or else the hash of the statement."""
        acts = evidence.acts
        found = acts.mac[places].copy()
        for n in np.flatnonzero(acts["kind"][places] != _LETTER).tolist():
            made = self._made(evidence, handles, int(places[n]))
            found[n] = made.digest[:MAC_BYTES]
        return found

    def _made(self, evidence: Packed, handles: NDArray[np.bytes_], place: int) -> Statement:
        """The whole statement of an act. ValueError for what cannot be one."""
        acts, here = evidence.acts, slice(place, place + 1)
        _, (text,) = _handles(handles, acts.handle[here])
        (name,) = _hex(acts.act[here], ACT_BYTES)
        form = acts.forms[int(acts.form[place])]
        whole = self._statement(evidence, *map(int, form[[0, 1, 2, 4]]))
        return replace(whole, handle=text, at=moment(int(acts.at[place])), act=name)

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

    def _form(self, evidence: Packed, same: int) -> StatementForm | None:
        study, text, party, _, items = map(int, evidence.acts.forms[same])
        try:
            return StatementForm.of(self._statement(evidence, study, text, party, items))
        except ValueError:
            return None

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
        self, evidence: Packed, letters: LetterBook
    ) -> Mapping[str, tuple[Enrolment, int | None]]:
        """Passkeys, each with when the letter of this hospital that vouches for it ended."""
        found = {}
        vouching = [
            str(claims.get("by")).encode("utf-8", "replace") for claims in evidence.passkeys
        ]
        rows = letters.rows(vouching)
        for claims, by in zip(evidence.passkeys, vouching, strict=True):
            enrolment, letter = _enrolment(claims), rows.get(by)
            if enrolment is None or letter is None:
                continue
            own = (self._network, self._slug, handle_text(letter.handle), letter.party)
            said = (enrolment.network, enrolment.site, enrolment.handle, enrolment.party)
            if own == said and enrolment.proved_by(_mac(claims), letter.key):
                found[enrolment.credential_id] = (enrolment, letter.ended_at)
        return found


def _blocks(which: Mask) -> Iterator[NDArray[np.intp]]:
    places = np.flatnonzero(which)
    for start in range(0, len(places), _SOME):
        yield places[start : start + _SOME]


def _handles(
    handles: NDArray[np.bytes_], places: NDArray[np.uint32]
) -> tuple[Sequence[bytes], Sequence[str]]:
    """The handles at these places, and each as text (pseudonyms.handle_text)."""
    raw = np.zeros((len(places), HANDLE_BYTES + 1), np.uint8)
    raw[:, :HANDLE_BYTES] = handles[places].view(np.uint8).reshape(-1, HANDLE_BYTES)
    # With a zero byte behind each, all of them are one base64 of four letters per three bytes.
    text = base64.urlsafe_b64encode(raw.tobytes()).decode("ascii")
    data = raw[:, :HANDLE_BYTES].tobytes()
    return (
        [data[at : at + HANDLE_BYTES] for at in range(0, len(data), HANDLE_BYTES)],
        [text[at : at + _TEXT - 1] for at in range(0, len(text), _TEXT)],
    )


def _hex(column: NDArray[np.bytes_], length: int) -> Sequence[str]:
    text = column.tobytes().hex()
    return [text[at : at + 2 * length] for at in range(0, len(text), 2 * length)]


def _in_time(ended_at: int | None, at: int) -> bool:
    """Whether a passkey that a letter vouches for could still say yes at this moment."""
    return ended_at is None or at <= ended_at


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
