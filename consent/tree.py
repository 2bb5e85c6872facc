"""Proofs over a network's log as it stands in the database, without reading all of it each time.

Of each full block of 256 leaves the root is remembered in this process: leaves never change, so a
proof over a million leaves reads a few hundred. A block that was read inside a transaction which
was rolled back is forgotten again, because its last leaf is compared at each use.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from threading import Lock
from typing import Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent.errors import ConsentError
from consent.log import Frontier, consistency_parts, inclusion_parts
from consent.models import LogLeaf

BLOCK: Final = 256
_PAGE: Final = 64 * BLOCK


@dataclass
class _Blocks:
    """Roots of the full blocks from the first on, each with the last leaf it was made of."""

    roots: list[bytes] = field(default_factory=list)
    lasts: list[bytes] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)


_REMEMBERED: WeakKeyDictionary[Any, dict[str, _Blocks]] = WeakKeyDictionary()
_MAKING: Final = Lock()


def root_at(session: Session, network: str, size: int) -> bytes:
    """The root of the first `size` leaves. Raises ConsentError `log_inconsistent` without them."""
    return _part(session, network, _up_to(session, network, size), 0, size)


def inclusion_proof(session: Session, network: str, number: int, size: int) -> list[bytes]:
    """The inclusion path of leaf `number` in the tree of the first `size` leaves.

    Raises ConsentError `proof_not_possible` when there is no such leaf in such a tree,
    `log_inconsistent` when leaves are missing.
    """
    try:
        parts = inclusion_parts(number, size)
    except IndexError as error:
        raise ConsentError("proof_not_possible") from error
    blocks = _up_to(session, network, size)
    return [_part(session, network, blocks, first, end) for first, end in parts]


def consistency_proof(session: Session, network: str, old_size: int, size: int) -> list[bytes]:
    """The path that shows that the tree of `size` leaves begins with that of `old_size`.

    Raises ConsentError `proof_not_possible` unless 1 <= old_size <= size, `log_inconsistent` when
    leaves are missing.
    """
    try:
        parts = consistency_parts(old_size, size)
    except ValueError as error:
        raise ConsentError("proof_not_possible") from error
    blocks = _up_to(session, network, size)
    return [_part(session, network, blocks, first, end) for first, end in parts]


def leaf_at(session: Session, network: str, number: int) -> bytes:
    """One leaf. Raises ConsentError `log_inconsistent` when it is not there."""
    leaf = session.get(LogLeaf, (network, number))
    if leaf is None:
        raise ConsentError("log_inconsistent")
    return leaf.hash


def _part(session: Session, network: str, blocks: list[bytes], first: int, end: int) -> bytes:
    """The root over the leaves from `first` up to `end`, which must be one subtree."""
    full = (end - first) // BLOCK if first % BLOCK == 0 else 0
    start = first // BLOCK
    known = Frontier.of(blocks[start : start + full])
    rest = Frontier.of(_leaves(session, network, first + full * BLOCK, end))
    # All full subtrees of the rest are smaller than a block, so the peaks stay in order.
    return Frontier(end - first, known.peaks + rest.peaks).root


def _up_to(session: Session, network: str, size: int) -> list[bytes]:
    """The roots of the full blocks within the first `size` leaves."""
    with _MAKING:
        mine = _REMEMBERED.setdefault(session.get_bind().engine, {})
        blocks = mine.setdefault(network, _Blocks())
    with blocks.lock:
        _forget_undone(session, network, blocks)
        have = len(blocks.roots)
        if have < size // BLOCK:
            wanted = _stream(session, network, have * BLOCK, size // BLOCK * BLOCK)
            while part := list(islice(wanted, BLOCK)):
                if len(part) < BLOCK:
                    raise ConsentError("log_inconsistent")
                blocks.roots.append(Frontier.of(part).peaks[0])
                blocks.lasts.append(part[-1])
            if len(blocks.roots) < size // BLOCK:
                raise ConsentError("log_inconsistent")
        return blocks.roots[: size // BLOCK]


def _forget_undone(session: Session, network: str, blocks: _Blocks) -> None:
    while blocks.roots:
        number = len(blocks.roots) * BLOCK - 1
        found = session.scalar(
            select(LogLeaf.hash).where(LogLeaf.network == network, LogLeaf.number == number)
        )
        if found == blocks.lasts[-1]:
            return
        blocks.roots.pop()
        blocks.lasts.pop()


def _stream(session: Session, network: str, first: int, end: int) -> Iterator[bytes]:
    for start in range(first, end, _PAGE):
        rows = session.execute(
            select(LogLeaf.number, LogLeaf.hash)
            .where(
                LogLeaf.network == network,
                LogLeaf.number >= start,
                LogLeaf.number < min(start + _PAGE, end),
            )
            .order_by(LogLeaf.number)
        ).all()
        for expected, (number, found) in enumerate(rows, start=start):
            if number != expected:
                raise ConsentError("log_inconsistent")
            yield found


def _leaves(session: Session, network: str, first: int, end: int) -> list[bytes]:
    found = list(_stream(session, network, first, end)) if end > first else []
    if len(found) != end - first:
        raise ConsentError("log_inconsistent")
    return found
