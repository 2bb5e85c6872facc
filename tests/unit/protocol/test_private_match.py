"""The points and lists of private matching, against RFC 7748 and a curve written out here."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.protocol import private_match as match
from federation.protocol.errors import ProtocolError

RUN = hashlib.sha256(b"a run").digest()
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493  # of the base point (RFC 7748, 4.1)


def ladder(k: int, u: int) -> int:
    """The u-coordinate of k times a point, 0 for the point at infinity (Montgomery 1987)."""
    x2, z2, x3, z3 = 1, 0, u, 1
    for bit in bin(k)[2:]:
        if bit == "1":
            x2, z2, x3, z3 = x3, z3, x2, z2
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        x3, z3 = (d * a + c * b) ** 2 % P, u * (d * a - c * b) ** 2 % P
        x2, z2 = (a * b) ** 2 % P, (e := a * a - b * b) * (a * a + 121665 * e) % P
        if bit == "1":
            x2, z2, x3, z3 = x3, z3, x2, z2
    return x2 * pow(z2, P - 2, P) % P


def number(seed: str) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(hashlib.sha256(seed.encode()).digest())


def test_a_multiple_is_that_of_rfc_7748() -> None:
    k = X25519PrivateKey.from_private_bytes(
        bytes.fromhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
    )
    u = bytes.fromhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
    assert match.multiplied([u], k)[0].hex() == (
        "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"
    )


def test_points_are_on_the_curve_and_never_on_its_twist() -> None:
    # 8 times the order takes every point of the curve, and none of the twist, to infinity
    points = [int.from_bytes(match.point_of(f"patient {n}", RUN), "little") for n in range(25)]
    assert {ladder(8 * ORDER, u) for u in points} == {0}
    twisted = [u for u in range(2, 40) if not match.on_curve(u)]
    assert len(twisted) > 10
    assert 0 not in {ladder(8 * ORDER, u) for u in twisted}


def test_a_text_is_the_same_point_at_every_hospital_and_another_one_in_every_run() -> None:
    text = "1953-02-01|f|jansen|j"
    assert match.point_of(text, bytes(32)).hex() == GOLDEN
    assert match.point_of(text, RUN).hex() != GOLDEN
    assert match.point_of("1953-02-01|f|jansen|k", bytes(32)).hex() != GOLDEN


GOLDEN = "6fd45f87bfa20b35959c85310291da1fd9e770ea3934acf811427b0be3ee5f65"

TEXTS = st.sets(st.text(max_size=6), max_size=12)


@settings(max_examples=20)
@given(TEXTS, TEXTS)
def test_what_is_counted_is_exactly_what_is_shared(one: set[str], other: set[str]) -> None:
    a, b = number("a"), number("b")
    common = [match.point_of(f"made up {n}", RUN) for n in range(3)]

    def list_of(texts: set[str], key: X25519PrivateKey) -> list[bytes]:
        points = [match.point_of(text, RUN) for text in texts]
        return match.filled(match.multiplied([*points, *common], key))

    first, second = list_of(one, a), list_of(other, b)
    assert len(first) == match.filled_length(len(one) + 3) == match.BLOCK
    twice = match.shuffled(match.multiplied(first, b)), match.multiplied(second, a)
    assert match.in_both(*twice) == len(one & other) + 3
    # with one number only, nothing is shared but by chance
    assert match.in_both(first, second) == 0


def test_made_up_patients_are_the_same_for_both_and_for_nobody_else() -> None:
    made = match.made_up(bytes(32), ["b", "a"], RUN)
    assert made == match.made_up(bytes(32), ["a", "b"], RUN)
    assert 0 <= len(made) < match.MADE_UP
    assert len(set(made)) == len(made)
    assert not set(made) & set(match.made_up(bytes(32), ["a", "c"], RUN))
    assert len(made) == match.how_many(bytes(32), ["b", "a"], RUN)
    counts = [match.how_many(bytes([n]) * 32, ["a", "b"], RUN) for n in range(200)]
    # evenly over the whole range: quarters of it are as likely
    quarters = [sum(n // (match.MADE_UP // 4) == q for n in counts) for q in range(4)]
    assert all(30 <= n <= 70 for n in quarters), quarters
    assert {match.on_curve(int.from_bytes(point, "little")) for point in made} <= {True}


def test_a_list_that_counts_somebody_twice_is_refused() -> None:
    point = match.point_of("somebody", RUN)
    with pytest.raises(ProtocolError, match="BAD_LIST"):
        match.multiplied([point, point], number("b"))
    # the same point written otherwise: u + p, and with the unused bit
    u = int.from_bytes(point, "little")
    again = (u | 1 << 255).to_bytes(32, "little")
    with pytest.raises(ProtocolError, match="BAD_LIST"):
        match.multiplied([point, again], number("b"))
    with pytest.raises(ProtocolError, match="BAD_LIST"):
        match.in_both([point, point], [point])
    # a point of small order added: eight points that come out as one. (0, 0) has order 2, and
    # P + (0, 0) has the coordinate 1/u
    other = pow(u, P - 2, P).to_bytes(32, "little")
    with pytest.raises(ProtocolError, match="BAD_LIST"):
        match.multiplied([point, other], number("b"))


@pytest.mark.parametrize("u", [0, 1, P - 1, P, P + 1])
def test_points_of_small_order_are_refused(u: int) -> None:
    with pytest.raises(ProtocolError, match="BAD_POINT"):
        match.multiplied([u.to_bytes(32, "little")], number("b"))


def test_a_sealed_list_opens_at_its_place_only() -> None:
    place = ["run", "1", "a", "b", "b"]
    points = match.filled([])
    sealed = match.seal_list(bytes(32), place, points, 512)
    assert match.open_list(bytes(32), place, sealed) == (points, 512)
    for wrong in (["run", "2", *place[2:]], ["other", *place[1:]], ["run", "1", "b", "a", "b"]):
        with pytest.raises(ProtocolError, match="BAD_SEAL"):
            match.open_list(bytes(32), wrong, sealed)
    with pytest.raises(ProtocolError, match="BAD_SEAL"):
        match.open_list(b"\1" * 32, place, sealed)
    with pytest.raises(ProtocolError, match="BAD_SEAL"):
        match.open_list(bytes(32), place, sealed[:-1] + bytes([sealed[-1] ^ 1]))
    with pytest.raises(ProtocolError, match="BAD_SEAL"):
        match.open_list(bytes(32), place, b"")


@pytest.mark.parametrize("length", [0, 1, match.BLOCK - 1, match.BLOCK + 1])
def test_a_list_has_whole_blocks(length: int) -> None:
    point = match.point_of("x", RUN)
    sealed = match.seal_list(bytes(32), ["p"], [point] * length)
    with pytest.raises(ProtocolError, match="BAD_LIST"):
        match.open_list(bytes(32), ["p"], sealed)


def test_too_many_patients_are_refused_and_not_cut_off() -> None:
    with pytest.raises(ProtocolError, match="BAD_LIST"):
        match.filled([bytes(32)] * (match.MOST_POINTS + 1))


def test_the_third_hospital_is_the_same_for_all_and_never_one_of_the_pair() -> None:
    roster = ["a", "b", "c", "d", "e"]
    found = set()
    for n in range(30):
        run = hashlib.sha256(bytes([n])).digest()
        third = match.third_of(["a", "b"], roster, run)
        assert third == match.third_of(["b", "a"], roster[::-1], run)
        found.add(third)
    assert found == {"c", "d", "e"}
