"""Numbers as exact 128-bit fixed point, so that masked sums lose nothing.

A number x travels as the integer round(x * 2**60) modulo 2**128, in two uint64 limbs
(low, high). Adding modulo 2**128 is exact and does not depend on the order, so the sum of
masked vectors equals the sum of the plain ones to the last bit. A float64 of magnitude 2**-8
and more is kept exactly; smaller ones to within 2**-61 (ADR 0003).
"""

import numpy as np
from numpy.typing import NDArray

from federation.protocol.errors import ProtocolError

Limbs = NDArray[np.uint64]

SCALE_BITS = 60
LIMIT = 2.0**60


def encode(values: NDArray[np.int64] | NDArray[np.float64]) -> Limbs:
    """`values` (any shape, integers or floats, below 2**60 in magnitude) as uint64 of (n, 2).

    Raises ProtocolError("OUT_OF_RANGE") for larger numbers, NaN and infinity.
    """
    flat = values.reshape(-1)
    if flat.dtype.kind in "iu":
        return _encode_integers(flat.astype(np.int64))
    return _encode_floats(flat.astype(np.float64))


def _encode_integers(values: NDArray[np.int64]) -> Limbs:
    if values.size and max(-int(values.min()), int(values.max())) >= int(LIMIT):
        raise ProtocolError("OUT_OF_RANGE")
    low = values.view(np.uint64) << np.uint64(SCALE_BITS)
    high = (values >> np.int64(64 - SCALE_BITS)).view(np.uint64)
    return np.stack([low, high], axis=1)


def _encode_floats(values: NDArray[np.float64]) -> Limbs:
    if not np.all(np.abs(values) < LIMIT):  # also false for NaN
        raise ProtocolError("OUT_OF_RANGE")
    # The magnitude first: every step below is then exact in float64 (scaling by a power of
    # two, floor, and the difference of two multiples of the same power of two).
    scaled = np.rint(np.ldexp(np.abs(values), SCALE_BITS))
    whole = np.floor(np.ldexp(scaled, -64))
    rest = scaled - np.ldexp(whole, 64)
    limbs = np.stack([rest.astype(np.uint64), whole.astype(np.uint64)], axis=1)
    return np.where((values < 0)[:, None], negate(limbs), limbs)


def add(a: Limbs, b: Limbs) -> Limbs:
    """a + b modulo 2**128, limb by limb."""
    low = a[:, 0] + b[:, 0]
    carry = (low < a[:, 0]).astype(np.uint64)
    return np.stack([low, a[:, 1] + b[:, 1] + carry], axis=1)


def negate(a: Limbs) -> Limbs:
    """-a modulo 2**128."""
    low = ~a[:, 0] + np.uint64(1)
    high = ~a[:, 1] + (low == 0).astype(np.uint64)
    return np.stack([low, high], axis=1)


def decode_integers(total: Limbs) -> NDArray[np.int64]:
    """The integers behind `total`; ProtocolError when one has a fraction or does not fit."""
    fraction = total[:, 0] & np.uint64(2**SCALE_BITS - 1)
    high = total[:, 1].view(np.int64)
    limit = np.int64(1) << np.int64(59)
    if np.any(fraction) or np.any(high >= limit) or np.any(high < -limit):
        raise ProtocolError("NOT_INTEGER")
    return (high << np.int64(64 - SCALE_BITS)) | (total[:, 0] >> np.uint64(SCALE_BITS)).view(
        np.int64
    )


def decode_floats(total: Limbs) -> NDArray[np.float64]:
    """The float64 of each sum, right to one unit in the last place."""
    negative = total[:, 1] >= np.uint64(2**63)
    magnitude = np.where(negative[:, None], negate(total), total)
    value = np.ldexp(magnitude[:, 1].astype(np.float64), 64 - SCALE_BITS) + np.ldexp(
        magnitude[:, 0].astype(np.float64), -SCALE_BITS
    )
    return np.where(negative, -value, value)
