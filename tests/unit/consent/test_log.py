"""The tree of hashes, against its definition in RFC 9162 and against tampering."""

import secrets
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.log import (
    EMPTY_ROOT,
    Frontier,
    consistency_path,
    inclusion_path,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [sha256(bytes([number])).digest() for number in range(33)]


def root_by_definition(leaves: list[bytes]) -> bytes:
    """RFC 9162 2.1.1, word by word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    cut = 1
    while cut * 2 < len(leaves):
        cut *= 2
    return sha256(
        b"\x01" + root_by_definition(leaves[:cut]) + root_by_definition(leaves[cut:])
    ).digest()


def cut_of(size: int) -> int:
    """The largest power of two smaller than `size`."""
    cut = 1
    while cut * 2 < size:
        cut *= 2
    return cut


def path_by_definition(number: int, leaves: list[bytes]) -> list[bytes]:
    """PATH(m, D_n) of RFC 9162 2.1.3.1, word by word."""
    if len(leaves) == 1:
        return []
    cut = cut_of(len(leaves))
    if number < cut:
        beside = root_by_definition(leaves[cut:])
        return [*path_by_definition(number, leaves[:cut]), beside]
    beside = root_by_definition(leaves[:cut])
    return [*path_by_definition(number - cut, leaves[cut:]), beside]


def proof_by_definition(old: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """PROOF(m, D_n) and SUBPROOF(m, D_n, b) of RFC 9162 2.1.4.1, word by word."""
    if old == len(leaves):
        return [] if whole else [root_by_definition(leaves)]
    cut = cut_of(len(leaves))
    if old <= cut:
        beside = root_by_definition(leaves[cut:])
        return [*proof_by_definition(old, leaves[:cut], whole), beside]
    beside = root_by_definition(leaves[:cut])
    return [*proof_by_definition(old - cut, leaves[cut:], False), beside]


def rfc_leaf(data: bytes) -> bytes:
    return sha256(b"\x00" + data).digest()


def test_reference_roots_of_certificate_transparency() -> None:
    # The test tree of certificate-transparency-go, which RFC 9162 logs are checked with.
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
    inputs.append("606162636465666768696a6b6c6d6e6f")
    leaves = [rfc_leaf(bytes.fromhex(text)) for text in inputs]
    assert root(leaves[:1]).hex() == (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    )
    assert root(leaves).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@pytest.mark.parametrize("size", range(len(LEAVES) + 1))
def test_the_root_is_that_of_the_definition(size: int) -> None:
    assert root(LEAVES[:size]) == root_by_definition(LEAVES[:size])


def test_the_empty_tree() -> None:
    assert root([]) == EMPTY_ROOT == Frontier().root


@given(st.lists(st.integers(0, 5), max_size=6))
def test_appending_in_any_parts_gives_the_same_tree(parts: list[int]) -> None:
    frontier, done = Frontier(), 0
    for part in parts:
        frontier = frontier.append(LEAVES[done : done + part])
        done += part
    assert frontier == Frontier.of(LEAVES[:done])
    assert len(frontier.peaks) == done.bit_count()


@pytest.mark.parametrize("size", range(1, 18))
def test_each_leaf_proves_itself_and_no_other(size: int) -> None:
    leaves, top = LEAVES[:size], root(LEAVES[:size])
    for number, leaf in enumerate(leaves):
        path = inclusion_path(leaves, number)
        assert verify_inclusion(leaf, number, size, path, top)
        assert not verify_inclusion(LEAVES[20], number, size, path, top)
        assert not verify_inclusion(leaf, number, size, path, LEAVES[20])
        assert not verify_inclusion(leaf, number, size, [*path, LEAVES[3]], top)
        if path:
            assert not verify_inclusion(leaf, number, size, path[:-1], top)
            assert not verify_inclusion(leaf, (number + 1) % size, size, path, top)


@given(st.data())
def test_paths_are_those_of_the_definition(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 64))
    leaves = [sha256(b"leaf" + bytes([number])).digest() for number in range(size)]
    number, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    top, old_top = root_by_definition(leaves), root_by_definition(leaves[:old])
    path, proof = inclusion_path(leaves, number), consistency_path(leaves, old)
    assert path == path_by_definition(number, leaves)
    assert proof == proof_by_definition(old, leaves)
    assert verify_inclusion(leaves[number], number, size, path, top)
    assert verify_consistency(old, old_top, size, top, proof)
    for hashes in (path, proof):
        if hashes:  # one hash changed: neither holds
            at = data.draw(st.integers(0, len(hashes) - 1))
            spoilt = [*hashes[:at], sha256(hashes[at]).digest(), *hashes[at + 1 :]]
            if hashes is path:
                assert not verify_inclusion(leaves[number], number, size, spoilt, top)
            else:
                assert not verify_consistency(old, old_top, size, top, spoilt)


def test_reference_proofs_of_certificate_transparency() -> None:
    # Leaf 6 (counted from 1) of 8, and the step from 6 to 8, of the same test tree.
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
    inputs.append("606162636465666768696a6b6c6d6e6f")
    leaves = [rfc_leaf(bytes.fromhex(text)) for text in inputs]
    assert [each.hex() for each in inclusion_path(leaves, 5)] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert [each.hex() for each in consistency_path(leaves, 6)] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


def test_no_leaf_outside_the_tree() -> None:
    with pytest.raises(IndexError):
        inclusion_path(LEAVES[:4], 4)
    assert not verify_inclusion(LEAVES[0], 4, 4, [], root(LEAVES[:4]))
    assert not verify_inclusion(LEAVES[0], -1, 4, [], root(LEAVES[:4]))


@pytest.mark.parametrize("new", range(1, 18))
def test_a_tree_is_consistent_with_each_of_its_beginnings(new: int) -> None:
    for old in range(1, new + 1):
        path = consistency_path(LEAVES[:new], old)
        tops = root(LEAVES[:old]), root(LEAVES[:new])
        assert verify_consistency(old, tops[0], new, tops[1], path)
        assert not verify_consistency(old, LEAVES[30], new, tops[1], path)
        assert not verify_consistency(old, tops[0], new, LEAVES[30], path)
        assert not verify_consistency(old, tops[0], new, tops[1], [*path, LEAVES[0]])


def test_a_changed_history_has_no_consistency_path() -> None:
    told_to_one = LEAVES[:6]
    told_to_other = [*LEAVES[:3], LEAVES[20], *LEAVES[4:8]]
    path = consistency_path(told_to_other, 6)
    assert not verify_consistency(6, root(told_to_one), 8, root(told_to_other), path)


def test_consistency_needs_two_real_sizes() -> None:
    for old in (0, 5):
        with pytest.raises(ValueError, match="at least one leaf"):
            consistency_path(LEAVES[:4], old)
    assert not verify_consistency(0, EMPTY_ROOT, 4, root(LEAVES[:4]), [])
    assert not verify_consistency(5, LEAVES[0], 4, root(LEAVES[:4]), [])
    assert not verify_consistency(3, root(LEAVES[:3]), 4, root(LEAVES[:4]), [])


def test_a_leaf_depends_on_salt_and_content() -> None:
    salt = secrets.token_bytes(16)
    assert leaf_hash(salt, b"yes") == sha256(b"\x00" + sha256(salt + b"yes").digest()).digest()
    assert leaf_hash(salt, b"yes") != leaf_hash(salt, b"no")
    assert leaf_hash(salt, b"yes") != leaf_hash(secrets.token_bytes(16), b"yes")
    assert node_hash(b"l", b"r") == sha256(b"\x01lr").digest()
