"""What a snapshot carries so that a hospital need not believe it: acts with proofs, and denials.

Pure; numpy only. The hub packs what stands in its log; the hospital checks every act it counts on
(federation/site/choices/proving.py). Of a million acts no more travels than cannot be left out:
columns of bytes (consent/columns.py) that go behind the signed part of the message, about 46 bytes
an act.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consent.columns import as_bytes, pack_numbers, read_numbers, read_texts
from consent.rule import ANY
from consent.text_id import content_id

HANDLE_BYTES: Final = 20
MOST_ITEMS: Final = 63
MOST_ACTS: Final = 10_000_000
KINDS: Final = ("letter", "passkey", "site")
_EVERY: Final = 0xFFFF  # the place of "*" in a denial
_LATEST: Final = 1 << 48  # milliseconds; the year 10889
_ACT_BYTES: Final = 16
_BY_BYTES: Final = 6
_MAC_BYTES: Final = 16
_DENIAL: Final = np.dtype([("handle", "S20"), ("study", "<u2"), ("item", "<u2"), ("at", "<i8")])
_KEYS: Final = frozenset(
    {"studies", "texts", "items", "parties", "forms", "form", "step", "since", "at", "act", "by"}
    | {"mac", "denied", "own", "more", "passkeys", "words"}
)


@dataclass(frozen=True, slots=True)
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
class Acts:
    """The acts of a list as columns, in the order of its handles.

    handle: uint32, places in the list. at: int64, milliseconds. act, by, mac: bytes, as they came.
    form: which of `forms` each is: acts that differ in none of study, text, party, kind and items
    have the same. forms: (how many, 5), uint64, those five, as places among the names; items as
    bits.
    """

    handle: NDArray[np.uint32]
    at: NDArray[np.int64]
    act: NDArray[np.bytes_]
    by: NDArray[np.bytes_]
    mac: NDArray[np.bytes_]
    form: NDArray[np.uint64]
    forms: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.handle)

    def __getitem__(self, column: str) -> NDArray[Any]:
        """A column by its name, also study, text, party, kind and items."""
        if column in _OF_A_FORM:
            of: NDArray[Any] = self.forms[:, _OF_A_FORM.index(column)][self.form]
            return of
        found: NDArray[Any] = getattr(self, column)
        return found


_OF_A_FORM: Final = ("study", "text", "party", "kind", "items")


def _no_acts() -> Acts:
    return Acts(
        handle=np.zeros(0, np.uint32),
        at=np.zeros(0, np.int64),
        act=np.zeros(0, f"S{_ACT_BYTES}"),
        by=np.zeros(0, f"S{_BY_BYTES}"),
        mac=np.zeros(0, f"S{_MAC_BYTES}"),
        form=np.zeros(0, np.uint64),
        forms=np.zeros((0, len(_OF_A_FORM)), np.uint64),
    )


@dataclass(frozen=True)
class Packed:
    """Evidence as a hospital reads it: arrays, and the names that their numbers stand for."""

    studies: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    parties: tuple[str, ...] = ()
    acts: Acts = field(default_factory=_no_acts)
    denied: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, _DENIAL))
    more: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    passkeys: tuple[Mapping[str, Any], ...] = ()
    own: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, _DENIAL))
    asked: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By id of a text that came along, what it asks; the id is worked out from the text itself."""


NOTHING: Final = Packed()


def pack(evidence: Evidence) -> dict[str, Any]:
    """The claims of `evidence`; the acts go in the order of the handles. Raises ValueError for more
    than 63 items or 65,535 names."""
    denied = [*evidence.denied, *evidence.own]
    acts = sorted(evidence.acts, key=lambda each: each.handle)
    forms = {(a.study, a.text, a.party, a.kind, a.yes): 0 for a in acts}
    for place, same in enumerate(forms):
        forms[same] = place
    studies = _names([same[0] for same in forms], [each.study for each in denied])
    items = _names([item for same in forms for item in same[4]], [d.item for d in denied])
    texts, parties = _names([same[1] for same in forms]), _names([same[2] for same in forms])
    if len(items) > MOST_ITEMS:
        raise ValueError("a snapshot tells of at most 63 items")
    study_at, text_at, party_at = _places(studies), _places(texts), _places(parties)
    item_at = _places(items)
    at = np.array([each.at for each in acts], np.int64)
    since = int(at.min()) if len(at) else 0
    handle = np.array([each.handle for each in acts], np.int64)

    def packed(said: Sequence[Denial]) -> bytes:
        rows = [
            (d.handle, study_at.get(d.study, _EVERY), item_at.get(d.item, _EVERY), d.at)
            for d in said
        ]
        return np.array(rows, _DENIAL).tobytes()

    return {
        "studies": list(studies),
        "texts": list(texts),
        "items": list(items),
        "parties": list(parties),
        "forms": [
            [study_at[s], text_at[t], party_at[p], KINDS.index(k), sorted(item_at[i] for i in yes)]
            for s, t, p, k, yes in forms
        ],
        "form": pack_numbers(
            np.array([forms[a.study, a.text, a.party, a.kind, a.yes] for a in acts], np.uint64)
        ),
        # Handles as the step from the one before, moments since the first: small numbers.
        "step": pack_numbers(np.diff(handle, prepend=0)),
        "since": since,
        "at": pack_numbers(at - since),
        "act": bytes.fromhex("".join([each.act for each in acts])),
        "by": b"".join([each.by.encode("ascii").ljust(_BY_BYTES, b"\0") for each in acts]),
        "mac": b"".join([each.mac.ljust(_MAC_BYTES, b"\0") for each in acts]),
        "denied": packed(evidence.denied),
        "own": packed(evidence.own),
        "words": [{"study": study, "content": dict(text)} for study, text in evidence.texts],
        "more": {str(n): dict(a.more) for n, a in enumerate(acts) if a.more is not None},
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
    acts = _read_acts(claims, names, handles)
    denied, own = _denials(claims["denied"]), _denials(claims["own"])
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
        passkeys=_read_passkeys(claims["passkeys"]),
        own=own,
        asked=_read_texts(claims["words"]),
    )


def _read_acts(
    claims: Mapping[str, Any], names: Mapping[str, tuple[str, ...]], handles: int
) -> Acts:
    rows = len(as_bytes(claims["act"])) // _ACT_BYTES
    if rows > MOST_ACTS:
        raise ValueError("a snapshot tells of at most ten million acts")
    since = claims["since"]
    if type(since) is not int or not 0 <= since < _LATEST:
        raise TypeError("acts have a first moment")
    forms = _read_forms(claims["forms"], names)
    steps = read_numbers(claims["step"], rows, max(handles, 1))
    # Below ten million steps of less than five million each: no sum is too large for 64 bits.
    handle = np.cumsum(steps, dtype=np.uint64)
    if rows and int(handle[-1]) >= handles:
        raise ValueError("a number in the evidence stands for nothing")
    at = read_numbers(claims["at"], rows, _LATEST).view(np.int64)
    at += since
    return Acts(
        handle=handle.astype(np.uint32),
        at=at,
        act=read_texts(claims["act"], rows, _ACT_BYTES),
        by=read_texts(claims["by"], rows, _BY_BYTES),
        mac=read_texts(claims["mac"], rows, _MAC_BYTES),
        form=read_numbers(claims["form"], rows, len(forms)),
        forms=forms,
    )


def _read_forms(value: object, names: Mapping[str, tuple[str, ...]]) -> NDArray[np.uint64]:
    ends = (len(names["studies"]), len(names["texts"]), len(names["parties"]), len(KINDS))
    if not isinstance(value, list) or len(value) > MOST_ACTS:
        raise TypeError("forms are a list")
    found = np.zeros((len(value), len(_OF_A_FORM)), np.uint64)
    for row, form in zip(found, value, strict=True):
        if not isinstance(form, list) or len(form) != len(ends) + 1:
            raise TypeError("a form has five parts")
        *places, items = form
        if not isinstance(items, list) or len(set(items)) != len(items):
            raise TypeError("a form names each item once")
        for place, end in (
            *zip(places, ends, strict=True),
            *((i, len(names["items"])) for i in items),
        ):
            if type(place) is not int or not 0 <= place < end:
                raise ValueError("a number in the evidence stands for nothing")
        row[:] = (*places, sum(1 << item for item in items))
    return found


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


def _denials(value: object) -> NDArray[np.void]:
    data = as_bytes(value)
    if len(data) % _DENIAL.itemsize or len(data) // _DENIAL.itemsize > MOST_ACTS:
        raise ValueError("not whole rows")
    return np.frombuffer(data, _DENIAL) if len(data) else np.zeros(0, _DENIAL)


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
