"""What a snapshot carries so that a hospital need not believe it: acts with proofs, and denials.

Pure; numpy only. The hub packs what stands in its log; the hospital checks every act it counts on
(federation/site/proving.py). Arrays are little-endian bytes in base64url, so that 50,000 patients
are read in a fraction of a second.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consent.encoding import b64, unb64
from consent.rule import ANY
from consent.text_id import content_id

HANDLE_BYTES: Final = 20
MOST_ITEMS: Final = 63
MOST_ACTS: Final = 10_000_000
KINDS: Final = ("letter", "passkey", "site")
_EVERY: Final = 0xFFFF  # the place of "*" in a denial
_ACT: Final = np.dtype(
    [
        ("handle", "<u4"),
        ("study", "<u2"),
        ("text", "<u2"),
        ("party", "<u2"),
        ("kind", "u1"),
        ("items", "<u8"),
        ("at", "<i8"),
        ("act", "S16"),
        ("by", "S6"),
        ("mac", "S16"),
    ]
)
_DENIAL: Final = np.dtype([("handle", "S20"), ("study", "<u2"), ("item", "<u2"), ("at", "<i8")])
_REST: Final = np.dtype([("column", "<u2"), ("handle", "<u4"), ("act", "<u4")])
_KEYS: Final = frozenset({"studies", "texts", "items", "parties", "acts", "denied", "more"})


@dataclass(frozen=True)
class Act:
    """One act of agreeing: the fields of its statement (consent/proof.py) and its proof.

    handle: place in the snapshot's handles. at: milliseconds. act: 32 hex digits. by: the letter's
    code. mac: 16 bytes, or nothing. more: what another kind of proof needs, as JSON.
    """

    handle: int
    study: str
    text: str
    party: str
    kind: str
    yes: tuple[str, ...]
    at: int
    act: str
    by: str = ""
    mac: bytes = b""
    more: Mapping[str, Any] | None = None

    def at_place(self, handle: int) -> "Act":
        """The same act at another place; much quicker than `dataclasses.replace`."""
        return Act(
            handle,
            self.study,
            self.text,
            self.party,
            self.kind,
            self.yes,
            self.at,
            self.act,
            self.by,
            self.mac,
            self.more,
        )


@dataclass(frozen=True)
class Denial:
    """The newest "no" of a patient about an item of a study; "*" for all. at: milliseconds."""

    handle: bytes
    study: str
    item: str
    at: int


@dataclass(frozen=True)
class Evidence:
    """The acts on which the bits of a snapshot rest, and denials.

    A bit may need several acts, one for each person whose yes is needed. passkeys: enrolments of
    passkeys (consent/passkeys.py), each vouched for by a letter. own: those of the denials that
    patients said in person, who have others to speak for them. texts: (study, content) of the texts
    that the acts name; a hospital finds in them what was asked.
    """

    acts: Sequence[Act] = ()
    denied: Sequence[Denial] = ()
    passkeys: Sequence[Mapping[str, Any]] = ()
    own: Sequence[Denial] = ()
    texts: Sequence[tuple[str, Mapping[str, Any]]] = ()


@dataclass(frozen=True)
class Packed:
    """Evidence as a hospital reads it: arrays, and the names that their numbers stand for."""

    studies: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    parties: tuple[str, ...] = ()
    acts: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, _ACT))
    denied: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, _DENIAL))
    more: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    passkeys: tuple[Mapping[str, Any], ...] = ()
    own: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, _DENIAL))
    asked: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By id of a text that came along, what it asks; the id is worked out from the text itself."""


NOTHING: Final = Packed()


def pack(evidence: Evidence) -> dict[str, Any]:
    """The claims of `evidence`. Raises ValueError for more than 63 items or 65,535 names."""
    denied = [*evidence.denied, *evidence.own]
    studies = _names([each.study for each in evidence.acts], [each.study for each in denied])
    # Many acts say yes to the same items.
    said = {each.yes for each in evidence.acts}
    items = _names([item for yes in said for item in yes], [d.item for d in denied])
    texts, parties = (
        _names([each.text for each in evidence.acts]),
        _names([each.party for each in evidence.acts]),
    )
    if len(items) > MOST_ITEMS:
        raise ValueError("a snapshot tells of at most 63 items")
    bit = {item: 1 << place for place, item in enumerate(items)}
    bits = {yes: sum(bit[item] for item in yes) for yes in said}
    study_at, text_at, party_at = _places(studies), _places(texts), _places(parties)
    item_at = _places(items)
    acts = np.array(
        [
            (
                each.handle,
                study_at[each.study],
                text_at[each.text],
                party_at[each.party],
                KINDS.index(each.kind),
                bits[each.yes],
                each.at,
                bytes.fromhex(each.act),
                each.by.encode("ascii"),
                each.mac,
            )
            for each in evidence.acts
        ],
        _ACT,
    )

    def packed(said: Sequence[Denial]) -> str:
        rows = [
            (d.handle, study_at.get(d.study, _EVERY), item_at.get(d.item, _EVERY), d.at)
            for d in said
        ]
        return b64(np.array(rows, _DENIAL).tobytes())

    return {
        "studies": list(studies),
        "texts": list(texts),
        "items": list(items),
        "parties": list(parties),
        "acts": b64(acts.tobytes()),
        "denied": packed(evidence.denied),
        "own": packed(evidence.own),
        "words": [{"study": study, "content": dict(text)} for study, text in evidence.texts],
        "more": {str(n): dict(a.more) for n, a in enumerate(evidence.acts) if a.more is not None},
        "passkeys": [dict(each) for each in evidence.passkeys],
    }


def unpack(claims: object, *, handles: int) -> Packed:
    """Evidence from claims that came with a snapshot of so many handles.

    Raises ValueError or TypeError for anything that is not what `pack` makes.
    """
    if not isinstance(claims, Mapping) or not claims.keys() >= _KEYS:
        raise ValueError("evidence misses a part")
    names = {key: _read_names(claims[key]) for key in ("studies", "texts", "items", "parties")}
    if len(names["items"]) > MOST_ITEMS:
        raise ValueError("a snapshot tells of at most 63 items")
    acts = _rows(claims["acts"], _ACT)
    denied, own = _rows(claims["denied"], _DENIAL), _rows(claims.get("own", ""), _DENIAL)
    for array, column, end in (
        (acts, "handle", handles),
        (acts, "study", len(names["studies"])),
        (acts, "text", len(names["texts"])),
        (acts, "party", len(names["parties"])),
        (acts, "kind", len(KINDS)),
        (acts, "items", 1 << len(names["items"])),
    ):
        if len(array) and int(array[column].max()) >= end:
            raise ValueError("a number in the evidence stands for nothing")
    for column, end in (("study", len(names["studies"])), ("item", len(names["items"]))):
        for array in (denied, own):
            if np.any((array[column] >= end) & (array[column] != _EVERY)):
                raise ValueError("a number in the evidence stands for nothing")
    return Packed(
        studies=names["studies"],
        texts=names["texts"],
        items=names["items"],
        parties=names["parties"],
        acts=acts,
        denied=denied,
        more=_read_more(claims["more"], len(acts)),
        passkeys=_read_passkeys(claims.get("passkeys", [])),
        own=own,
        asked=_read_texts(claims.get("words", [])),
    )


def denials_of(packed: Packed, *, own: bool = False) -> list[tuple[bytes, str, str, int]]:
    """The denials as (handle, study, item, milliseconds), with "*" for all; or only the own."""
    rows = packed.own if own else packed.denied
    studies = {**dict(enumerate(packed.studies)), _EVERY: ANY}
    items = {**dict(enumerate(packed.items)), _EVERY: ANY}
    handles = rows["handle"]
    return [
        (_whole(handle), studies[study], items[item], at)
        for handle, study, item, at in zip(
            handles.tolist(),
            rows["study"].tolist(),
            rows["item"].tolist(),
            rows["at"].tolist(),
            strict=True,
        )
    ]


def yes_of(packed: Packed, bits: int) -> tuple[str, ...]:
    """The item codes of a bit mask."""
    return tuple(item for place, item in enumerate(packed.items) if bits >> place & 1)


def _whole(handle: bytes) -> bytes:
    # numpy drops trailing zero bytes when it gives one element.
    return handle.ljust(HANDLE_BYTES, b"\0")


def _names(*lists: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({name for names in lists for name in names} - {ANY}))


def _places(names: Sequence[str]) -> dict[str, int]:
    if len(names) >= _EVERY:
        raise ValueError("a snapshot tells of fewer than 65,535 names")
    return {name: place for place, name in enumerate(names)}


def _read_names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) >= _EVERY:
        raise ValueError("names are a list")
    if not all(isinstance(name, str) and 0 < len(name) <= 64 for name in value):
        raise TypeError("a name is text")
    if len(set(value)) != len(value) or ANY in value:
        raise ValueError("a name stands twice")
    return tuple(value)


def _rows(text: object, dtype: np.dtype[np.void]) -> NDArray[np.void]:
    data = unb64(text, MOST_ACTS * dtype.itemsize * 3 // 4 - 3)
    if len(data) % dtype.itemsize:
        raise ValueError("not whole rows")
    return np.frombuffer(data, dtype) if data else np.zeros(0, dtype)


def _read_more(value: object, acts: int) -> dict[int, Mapping[str, Any]]:
    if not isinstance(value, Mapping):
        raise TypeError("further proof is a table")
    found = {}
    for place, proof in value.items():
        if not isinstance(place, str) or not place.isdecimal() or not isinstance(proof, Mapping):
            raise TypeError("further proof belongs to an act")
        if int(place) >= acts:
            raise ValueError("further proof belongs to an act")
        found[int(place)] = proof
    return found


def _read_passkeys(value: object) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
        raise TypeError("passkeys are a list of tables")
    return tuple(value)


def _read_texts(value: object) -> dict[str, frozenset[str]]:
    if not isinstance(value, list) or len(value) >= _EVERY:
        raise TypeError("texts are a list")
    found = {}
    for each in value:
        if not isinstance(each, Mapping) or not isinstance(each.get("content"), Mapping):
            raise TypeError("a text has a study and a content")
        items = each["content"].get("items")
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise TypeError("a text asks for items")
        found[content_id(str(each.get("study")), each["content"])] = frozenset(items)
    return found
