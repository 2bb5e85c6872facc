"""How many patients two hospitals share, counted by a third one that cannot tell who (ADR 0039).

A text about a patient becomes a point of Curve25519. Each hospital of the pair multiplies both
lists by a secret number and shuffles them; (x·a)·b = (x·b)·a, so what is shared stays shared, and
without both numbers no point can be traced to a text (Meadows 1986; De Cristofaro, Gasti and Tsudik
2012).

Nothing here knows a hospital's data, a database or a clock.
"""

import hashlib
import secrets
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from federation.protocol.encoding import canonical
from federation.protocol.errors import ProtocolError

POINT_BYTES: Final = 32
BLOCK: Final = 256
"""Lists are filled up to whole blocks, so that their length says little."""
MADE_UP: Final = 1_024
"""A pair adds fewer than this many common made-up patients."""
MOST_POINTS: Final = 65_536

_PRIME: Final = 2**255 - 19
_A: Final = 486_662  # v^2 = u^3 + A u^2 + u
_LABEL: Final = b"oncokring/1/match\0"
_LENGTH_BYTES: Final = 4

Points = list[bytes]
_by_chance = secrets.SystemRandom()


def point_of(text: str, run: bytes) -> bytes:
    """The point that stands for `text` in this run: nobody knows its logarithm to any other point.

    Candidates are tried until one is on the curve: of a point on the twist every multiple is on the
    twist, which would be one bit that follows a patient through all shuffles.
    """
    start = hashlib.sha512(_LABEL + run + text.encode())
    counter = 0
    while True:
        candidate = start.copy()
        candidate.update(counter.to_bytes(4, "big"))
        u = int.from_bytes(candidate.digest(), "little") % _PRIME
        if u and on_curve(u):
            return u.to_bytes(POINT_BYTES, "little")
        counter += 1


def on_curve(u: int) -> bool:
    """Whether u is a coordinate on the curve and not on its twist (Euler's criterion)."""
    square = u * (u * (u + _A) + 1) % _PRIME
    return pow(square, (_PRIME - 1) // 2, _PRIME) == 1


def number_for(secret: bytes, partner: str) -> X25519PrivateKey:
    """The secret number for one partner, out of the secret of this hospital and run."""
    return X25519PrivateKey.from_private_bytes(_derived(secret, ["number", partner]))


def multiplied(points: Iterable[bytes], number: X25519PrivateKey) -> Points:
    """Each point times the number, in their order. ProtocolError BAD_POINT for one of small order,
    BAD_LIST when two come out the same: a list that repeats somebody counts that person twice."""
    try:
        made = [number.exchange(X25519PublicKey.from_public_bytes(each)) for each in points]
    except ValueError as error:
        raise ProtocolError("BAD_POINT") from error
    if len(set(made)) != len(made):
        raise ProtocolError("BAD_LIST")
    return made


def made_up(shared: bytes, pair: Sequence[str], run: bytes) -> Points:
    """The made-up patients that a pair has in common, fewer than MADE_UP and any number as likely.

    shared: what the two agree on with their pinned keys. As multiples of the base point they are
    quickly made; to a third hospital they are points as all others.
    """
    # The key is used for this one stream only, so a constant nonce is safe.
    key = _derived(shared, ["made up", *sorted(pair), run.hex()])
    stream = Cipher(ChaCha20(key, bytes(16)), mode=None).encryptor()
    numbers = [stream.update(bytes(POINT_BYTES)) for _ in range(how_many(shared, pair, run))]
    return [_public(X25519PrivateKey.from_private_bytes(each)) for each in numbers]


def how_many(shared: bytes, pair: Sequence[str], run: bytes) -> int:
    """How many made-up patients a pair has in common."""
    drawn = _derived(shared, ["how many", *sorted(pair), run.hex()])
    # Many bits modulo a power of two: every number is exactly as likely.
    return int.from_bytes(drawn, "big") % MADE_UP


def filled(points: Collection[bytes]) -> Points:
    """The points with random ones up to a whole number of blocks, at least one, in random order.

    ProtocolError BAD_LIST for more than MOST_POINTS.
    """
    if len(points) > MOST_POINTS:
        raise ProtocolError("BAD_LIST")
    missing = filled_length(len(points)) - len(points)
    return shuffled([*points, *(_public(X25519PrivateKey.generate()) for _ in range(missing))])


def filled_length(points: int) -> int:
    """How long a list of so many points is once it is filled up."""
    return max(1, -(-points // BLOCK)) * BLOCK


def shuffled(points: Iterable[bytes]) -> Points:
    """The points in an order that says nothing."""
    made = list(points)
    _by_chance.shuffle(made)
    return made


def in_both(one: Collection[bytes], other: Collection[bytes]) -> int:
    """How many points two lists share. ProtocolError BAD_LIST when one repeats a point."""
    first, second = set(one), set(other)
    if len(first) != len(one) or len(second) != len(other):
        raise ProtocolError("BAD_LIST")
    return len(first & second)


def third_of(pair: Sequence[str], roster: Collection[str], run: bytes) -> str:
    """Which hospital counts for a pair; every hospital finds the same. At least three needed."""
    others = sorted(set(roster) - set(pair))
    drawn = hashlib.sha256(_LABEL + run + canonical(sorted(pair))).digest()
    return others[int.from_bytes(drawn, "big") % len(others)]


def seal_list(shared: bytes, place: Sequence[str], points: Points, sent: int = 0) -> bytes:
    """A list for one hospital's eyes. shared: what sender and receiver agree on with their keys.

    place: run, step, sender, receiver and partner. The key is for this place only, so a list that
    is moved or repeated somewhere else cannot be opened there. `sent`: how many points this sender
    gave its partner, so that the receiver can see whether all came back.
    """
    plain = sent.to_bytes(_LENGTH_BYTES, "big") + b"".join(points)
    return _cipher(shared, place).encrypt(bytes(12), plain, None)


def open_list(shared: bytes, place: Sequence[str], sealed: bytes) -> tuple[Points, int]:
    """What `seal_list` sealed for this place. ProtocolError BAD_SEAL or BAD_LIST."""
    try:
        plain = _cipher(shared, place).decrypt(bytes(12), sealed, None)
    except InvalidTag as error:
        raise ProtocolError("BAD_SEAL") from error
    sent, data = int.from_bytes(plain[:_LENGTH_BYTES], "big"), plain[_LENGTH_BYTES:]
    if not data or len(data) % (BLOCK * POINT_BYTES) or len(data) > MOST_POINTS * POINT_BYTES:
        raise ProtocolError("BAD_LIST")
    return [data[at : at + POINT_BYTES] for at in range(0, len(data), POINT_BYTES)], sent


def _cipher(shared: bytes, place: Sequence[str]) -> ChaCha20Poly1305:
    # One message per key (the journal sees to it), so that a constant nonce is safe.
    return ChaCha20Poly1305(_derived(shared, ["seal", *place]))


def _derived(secret: bytes, about: Sequence[str]) -> bytes:
    info = _LABEL + canonical(list(about))
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)


def _public(number: X25519PrivateKey) -> bytes:
    return number.public_key().public_bytes_raw()
