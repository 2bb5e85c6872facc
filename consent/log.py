"""The tree of hashes over everything said, after RFC 9162 section 2. Pure functions over bytes.

A leaf hides its content behind a random salt: leaf = SHA-256(0x00 || SHA-256(salt || content)),
node = SHA-256(0x01 || left || right). So content can be erased while the tree still verifies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(salt: bytes, content: bytes) -> bytes:
    """The leaf for `content` (canonical JSON in UTF-8) under its own 16-byte salt."""
    return sha256(b"\x00" + sha256(salt + content).digest()).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The node above two subtrees."""
    return sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes; SHA-256 of nothing for none."""
    return Frontier.of(leaves).root


@dataclass(frozen=True)
class Frontier:
    """All that is needed to append: the number of leaves and the roots of the full subtrees.

    `peaks` go from the largest (left) to the smallest (right), one per bit set in `size`.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, leaves: Sequence[bytes]) -> "Frontier":
        """The frontier of a whole tree."""
        return cls().append(leaves)

    def append(self, leaves: Sequence[bytes]) -> "Frontier":
        """The frontier after `leaves` were added on the right."""
        size, peaks = self.size, list(self.peaks)
        for leaf in leaves:
            peaks.append(leaf)
            # Two full subtrees of one height make one of the next, as carrying in a counter.
            carry = size
            while carry & 1:
                right = peaks.pop()
                peaks.append(node_hash(peaks.pop(), right))
                carry >>= 1
            size += 1
        return Frontier(size, tuple(peaks))

    @property
    def root(self) -> bytes:
        """The root of the tree."""
        if not self.peaks:
            return EMPTY_ROOT
        *rest, top = self.peaks
        for peak in reversed(rest):
            top = node_hash(peak, top)
        return top


def _split(size: int) -> int:
    # The largest power of two below `size`.
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_parts(number: int, size: int) -> list[tuple[int, int]]:
    """The parts of the tree beside the way from leaf `number` up, each as (first leaf, after last).

    The root of each part is one hash of the inclusion path (RFC 9162 2.1.3.1). Raises IndexError
    when a tree of `size` leaves has no such leaf.
    """
    if not 0 <= number < size:
        raise IndexError("no such leaf")
    parts: list[tuple[int, int]] = []
    first, end = 0, size
    while end - first > 1:
        cut = first + _split(end - first)
        if number < cut:
            parts.append((cut, end))
            end = cut
        else:
            parts.append((first, cut))
            first = cut
    return parts[::-1]


def inclusion_path(leaves: Sequence[bytes], number: int) -> list[bytes]:
    """The hashes beside the way from leaf `number` up to the root over all `leaves`.

    Raises IndexError when there is no such leaf.
    """
    return [root(leaves[first:end]) for first, end in inclusion_parts(number, len(leaves))]


def verify_inclusion(
    leaf: bytes, number: int, size: int, path: Sequence[bytes], tree_root: bytes
) -> bool:
    """Whether `leaf` stands at `number` in the tree of `size` leaves with `tree_root`."""
    if not 0 <= number < size or not _are_hashes([leaf, *path, tree_root]):
        return False
    at, last, top = number, size - 1, leaf
    for beside in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            top = node_hash(beside, top)
            while not at & 1 and at:
                at >>= 1
                last >>= 1
        else:
            top = node_hash(top, beside)
        at >>= 1
        last >>= 1
    return last == 0 and top == tree_root


def _are_hashes(given: Sequence[bytes]) -> bool:
    """Whether all are 32 bytes: two of other lengths could be read as another pair."""
    return all(len(one) == len(EMPTY_ROOT) for one in given)


def consistency_parts(old_size: int, size: int) -> list[tuple[int, int]]:
    """The parts of the tree whose roots show that it begins with its first `old_size` leaves.

    In the order of the consistency path (RFC 9162 2.1.4.1), each as (first leaf, after last).
    Raises ValueError unless 1 <= old_size <= size.
    """
    if not 1 <= old_size <= size:
        raise ValueError("the old tree has at least one leaf and no more than the new one")
    parts: list[tuple[int, int]] = []
    first, end, whole = 0, size, True
    while old_size < end:
        cut = first + _split(end - first)
        if old_size <= cut:
            parts.append((cut, end))
            end = cut
        else:
            parts.append((first, cut))
            first = cut
            whole = False
    if not whole:
        parts.append((first, end))
    return parts[::-1]


def consistency_path(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """The hashes that show that the tree over `leaves` begins with its first `old_size` leaves.

    Raises ValueError unless 1 <= old_size <= number of leaves.
    """
    return [root(leaves[first:end]) for first, end in consistency_parts(old_size, len(leaves))]


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether the tree with `new_root` begins with the tree with `old_root` (RFC 9162 2.1.4.2)."""
    if not 1 <= old_size <= new_size or not _are_hashes([old_root, *path, new_root]):
        return False
    if old_size == new_size:
        return not path and old_root == new_root
    hashes = list(path)
    if old_size & (old_size - 1) == 0:
        hashes.insert(0, old_root)
    if not hashes:
        return False
    at, last = old_size - 1, new_size - 1
    while at & 1:
        at >>= 1
        last >>= 1
    old_top = new_top = hashes[0]
    for beside in hashes[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old_top = node_hash(beside, old_top)
            new_top = node_hash(beside, new_top)
            while not at & 1 and at:
                at >>= 1
                last >>= 1
        else:
            new_top = node_hash(new_top, beside)
        at >>= 1
        last >>= 1
    return last == 0 and old_top == old_root and new_top == new_root
