"""The state of consent that the hub gives one site: whole, numbered, dated. Pure; numpy only.

Per (study, item) one bit per handle, and the evidence on which the bits rest (consent/evidence.py).
The hub builds the claims, a message signs them; the site parses them, checks the evidence, and asks
`permits` of what is left. What is not in a snapshot is not permitted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consent.columns import as_bytes
from consent.errors import ConsentError
from consent.evidence import NOTHING, Evidence, Packed, pack, unpack
from consent.finding import find, order

HANDLE_BYTES = 20
MAX_HANDLES = 5_000_000
MAX_COLUMNS = 10_000
CLOCK_SKEW = timedelta(minutes=5)
_HANDLE = np.dtype(f"S{HANDLE_BYTES}")
_KEYS = frozenset({"network", "seq", "issued", "valid_until", "columns", "handles", "granted"})
_FURTHER = (
    "log",
    "witnesses",
    "site_seq",
    "site_refused",
    "site_sha256",
    "destroy",
    "renewal_years",
    "prom",
)

NO_START: Final = -(1 << 62)
NO_END: Final = 1 << 62

Handles = Sequence[bytes] | NDArray[np.bytes_]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Windows:
    """Of which time the data of each patient may be, one array per column over the handles.

    Milliseconds since 1970: `since` or later, before `until`; NO_START and NO_END are no limit.
    A hospital works them out by its own books; a snapshot as the hub tells it has none.
    changes_at: when they may be others by themselves, because a yes is due to be renewed, or ends.
    """

    since: tuple[NDArray[np.int64], ...]
    until: tuple[NDArray[np.int64], ...]
    changes_at: int = NO_END


@dataclass(frozen=True)
class Snapshot:
    """The state of consent at one site.

    handles: sorted, without repeats. columns: (study, item). granted: one mask per column, over
    `handles`. Times are UTC, whole seconds. evidence: what the bits rest on; without it a site
    counts nobody. further: what else the hub tells this site, unchecked (the log's head, the
    site's own messages that arrived, orders to destroy, when a yes is asked again). windows: of
    which time the data may be; only where a hospital has worked that out.
    """

    network: str
    seq: int
    issued: datetime
    valid_until: datetime
    columns: tuple[tuple[str, str], ...]
    handles: NDArray[np.bytes_]
    granted: tuple[Mask, ...]
    evidence: Packed = NOTHING
    further: Mapping[str, Any] = field(default_factory=dict)
    windows: Windows | None = None

    def check_fresh(self, now: datetime, max_age: timedelta) -> None:
        """Raise ConsentError `consent_state_too_old` past the end or the age, or `clock_skew`.

        Skew: issued more than five minutes after `now`, so one of the two clocks is wrong.
        """
        if self.issued > now + CLOCK_SKEW:
            raise ConsentError("clock_skew")
        if now >= self.valid_until or now - self.issued > max_age:
            raise ConsentError("consent_state_too_old")

    def permits(self, handles: Handles, study: str, requires: Sequence[str]) -> Mask:
        """For each of `handles` whether every item of `requires` is granted for `study`.

        The result is as long as `handles` and in its order. A handle or item that the snapshot
        does not name is not permitted. Raises ConsentError `requirement_set_empty` for an empty
        requirement set, which may never mean "everyone". For whom it holds with data of some time
        only: see `limits`.
        """
        if not requires:
            raise ConsentError("requirement_set_empty")
        asked = as_handles(handles)
        permitted = np.zeros(len(asked), dtype=np.bool_)
        place = {column: number for number, column in enumerate(self.columns)}
        wanted = [place.get((study, item)) for item in dict.fromkeys(requires)]
        if len(self.handles) == 0 or any(number is None for number in wanted):
            return permitted
        everything = np.logical_and.reduce([self.granted[n] for n in wanted if n is not None])
        at, found = self._places(asked)
        permitted[found] = everything[at[found]]
        return permitted

    def limits(
        self, handles: Handles, study: str, requires: Sequence[str]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each of `handles` from when to when data must be to count for `study`: the narrowest
        window of the items. Of a handle that `permits` leaves out nothing counts.

        Raises ValueError for a snapshot whose windows nobody worked out.
        """
        if self.windows is None:
            raise ValueError("whose data of which time count is worked out by the hospital")
        asked = as_handles(handles)
        since = np.full(len(asked), NO_END, np.int64)
        until = np.full(len(asked), NO_START, np.int64)
        wanted = [n for n, at in enumerate(self.columns) if at[0] == study and at[1] in requires]
        if len(self.handles) == 0 or not wanted:
            return since, until
        at, found = self._places(asked)
        first = np.maximum.reduce([self.windows.since[number] for number in wanted])
        last = np.minimum.reduce([self.windows.until[number] for number in wanted])
        since[found], until[found] = first[at[found]], last[at[found]]
        return since, until

    def _places(self, asked: NDArray[np.bytes_]) -> tuple[NDArray[np.intp], Mask]:
        """Where each handle stands here, and whether it does."""
        return find(self.handles, asked)


def as_handles(handles: Handles) -> NDArray[np.bytes_]:
    """`handles` as an array of 20-byte strings. Raises ValueError for any other length."""
    if isinstance(handles, np.ndarray):
        if handles.dtype != _HANDLE or handles.ndim != 1:
            raise ValueError("handles are a one-dimensional array of 20-byte strings")
        return handles
    if any(len(handle) != HANDLE_BYTES for handle in handles):
        raise ValueError("a handle has 20 bytes")
    return np.frombuffer(b"".join(handles), dtype=_HANDLE)


def build_claims(
    *,
    network: str,
    seq: int,
    issued: datetime,
    valid_until: datetime,
    columns: Sequence[tuple[str, str]],
    handles: Handles,
    granted: Sequence[NDArray[np.bool_]],
    evidence: Evidence | None = None,
    further: Mapping[str, Any] | None = None,
    within: Sequence[NDArray[np.bool_]] = (),
) -> dict[str, Any]:
    """The claims of a snapshot message; the message adds sender, audience and signature.

    Handles, masks and acts are bytes; they go behind the part that is signed.
    granted: one mask per column, over `handles` in the order given; they are sorted here, and so
    are the places in `evidence`. further: other claims of `Snapshot.further`. within: masks like
    `granted` of those who count with data of some time only. They stand apart, because a hospital
    whose program knows nothing of that must count them not at all.
    Raises ValueError for repeated handles or columns and for masks of another length.
    """
    asked = as_handles(handles)
    places = order(asked)
    ordered = asked[places]
    if np.any(ordered[1:] == ordered[:-1]):
        raise ValueError("a handle stands twice in a snapshot")
    if len(set(columns)) != len(columns) or len(granted) != len(columns):
        raise ValueError("a snapshot has one mask per column and each column once")
    if len(within) not in (0, len(columns)):
        raise ValueError("a snapshot has one mask per column")
    if any(mask.shape != ordered.shape for mask in (*granted, *within)):
        raise ValueError("a mask is as long as the handles")
    told = Evidence() if evidence is None else _reordered(evidence, places)
    return {
        **({} if further is None else further),
        "evidence": pack(told),
        "network": network,
        "seq": seq,
        "issued": int(issued.timestamp()),
        "valid_until": int(valid_until.timestamp()),
        "columns": [{"study": study, "item": item} for study, item in columns],
        "handles": ordered.tobytes(),
        "granted": _bits(granted, places),
        **({"within": _bits(within, places)} if any(mask.any() for mask in within) else {}),
    }


def _bits(masks: Sequence[Mask], order: NDArray[np.intp]) -> bytes:
    return b"".join(np.packbits(mask[order], bitorder="little").tobytes() for mask in masks)


def _reordered(evidence: Evidence, order: NDArray[np.intp]) -> Evidence:
    here = np.arange(len(order))
    if np.array_equal(order, here):
        return evidence
    place = np.empty(len(order), np.int64)
    place[order] = here
    at = place.tolist()
    return replace(evidence, acts=[act.at_place(at[act.handle]) for act in evidence.acts])


def parse_claims(
    claims: Mapping[str, Any], *, audience: str, network: str | None = None, last_seq: int = 0
) -> Snapshot:
    """The snapshot in verified claims.

    audience: this site's slug; claims that name another `aud` are refused (claims without `aud`
    too). network: refuse any other when given. last_seq: the number of the snapshot in use; an
    older one is refused, the same one is accepted again.

    Raises ConsentError: `snapshot_malformed`, `snapshot_other_site`, `snapshot_rollback`.
    Age is not checked here: an old snapshot may be stored, but see `check_fresh` before use.
    """
    if claims.get("aud") != audience:
        raise ConsentError("snapshot_other_site")
    if not claims.keys() >= _KEYS:
        raise ConsentError("snapshot_malformed")
    if network is not None and claims["network"] != network:
        raise ConsentError("snapshot_other_site")
    try:
        snapshot = _parse(claims)
    except (ValueError, TypeError, OverflowError, KeyError, OSError) as error:
        raise ConsentError("snapshot_malformed") from error
    if snapshot.seq < last_seq:
        raise ConsentError("snapshot_rollback")
    return snapshot


def _parse(claims: Mapping[str, Any]) -> Snapshot:
    if not isinstance(claims["network"], str):
        raise TypeError("network is text")
    columns = _columns(claims["columns"])
    named = as_bytes(claims["handles"])
    if len(named) > MAX_HANDLES * HANDLE_BYTES:
        raise ValueError("too many handles")
    handles = np.frombuffer(named, dtype=_HANDLE)
    if np.any(handles[1:] <= handles[:-1]):
        raise ValueError("handles are sorted and without repeats")
    granted = _masks(claims["granted"], len(columns), len(handles))
    if "within" in claims:
        # Which of them count with some of their data only, a hospital finds out for itself.
        apart = _masks(claims["within"], len(columns), len(handles))
        granted = tuple(one | other for one, other in zip(granted, apart, strict=True))
    issued, valid_until = _moment(claims["issued"]), _moment(claims["valid_until"])
    if valid_until <= issued:
        raise ValueError("a snapshot ends after it was issued")
    return Snapshot(
        network=claims["network"],
        seq=_whole(claims["seq"]),
        issued=issued,
        valid_until=valid_until,
        columns=columns,
        handles=handles,
        granted=granted,
        evidence=NOTHING
        if "evidence" not in claims
        else unpack(claims["evidence"], handles=len(handles)),
        further={name: claims[name] for name in _FURTHER if name in claims},
    )


def _columns(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, list) or len(value) > MAX_COLUMNS:
        raise ValueError("columns are a list")
    columns: list[tuple[str, str]] = []
    for column in value:
        if not isinstance(column, dict) or set(column) != {"study", "item"}:
            raise ValueError("a column has a study and an item")
        if not isinstance(column["study"], str) or not isinstance(column["item"], str):
            raise TypeError("study and item are text")
        columns.append((column["study"], column["item"]))
    if len(set(columns)) != len(columns):
        raise ValueError("a column stands twice")
    return tuple(columns)


def _masks(packed: object, columns: int, handles: int) -> tuple[Mask, ...]:
    data, size = as_bytes(packed), (handles + 7) // 8
    if len(data) != columns * size:
        raise ValueError("one mask per column, as long as the handles")
    return tuple(_mask(data[at * size : (at + 1) * size], handles) for at in range(columns))


def _mask(data: memoryview, length: int) -> Mask:
    bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8), bitorder="little")
    if bits[length:].any():
        raise ValueError("bits without a handle")
    return bits[:length].view(np.bool_)


def _whole(value: object) -> int:
    if type(value) is not int or value < 1:
        raise TypeError("a whole number above zero")
    return value


def _moment(value: object) -> datetime:
    return datetime.fromtimestamp(_whole(value), UTC)
