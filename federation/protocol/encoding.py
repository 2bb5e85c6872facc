"""JSON and arrays as bytes: strict when read, one form when written."""

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from federation.protocol.errors import ProtocolError

MAX_MESSAGE_BYTES = 262_144
# A whole run of plain bytes at a time, never going back: replies hold megabytes of base64. The
# closing quote may be absent, so that bytes which are no JSON cost no more than others.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_MANY_STRINGS = 50_000
_DTYPES = {"<i8": np.int64, "<u8": np.uint64, "<f8": np.float64, "|u1": np.uint8}


def canonical(value: Any) -> bytes:
    """The one JSON text of `value`: sorted keys, no spaces, UTF-8, no NaN.

    Raises ValueError for NaN or infinity and TypeError for what JSON cannot hold.
    """
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode("utf-8")


def parse_json(
    data: bytes, max_bytes: int = MAX_MESSAGE_BYTES, max_depth: int = 40
) -> dict[str, Any]:
    """Read one JSON object from outside.

    Refuses (ProtocolError) what two readers could read in two ways or what could
    exhaust us: too many bytes, too deep, duplicate keys, NaN or infinity, bytes
    that are not UTF-8, anything but an object.
    """
    if len(data) > max_bytes:
        raise ProtocolError("TOO_LARGE")
    if _depth(data) > max_depth:
        raise ProtocolError("TOO_DEEP")
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_no_duplicates,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as error:
        raise ProtocolError("BAD_JSON") from error
    if not isinstance(value, dict):
        raise ProtocolError("NOT_AN_OBJECT")
    return value


def _depth(data: bytes) -> int:
    deepest = depth = 0
    for bracket in _outside_strings(data).translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _outside_strings(data: bytes) -> bytes:
    """`data` without its strings. Every second piece between quotes is one, unless a quote is
    escaped; and a piece costs memory, so that of many the slower way is the safe one."""
    if b"\\" in data or data.count(b'"') > _MANY_STRINGS:
        return _STRING.sub(b"", data)
    return b"".join(data.split(b'"')[::2])


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(name)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("number out of range")
    return value


def b64(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64(text: object) -> bytes:
    """The bytes of `b64`; any other spelling of the same bytes is refused."""
    if not isinstance(text, str):
        raise ProtocolError("BAD_BASE64")
    try:
        data = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (ValueError, binascii.Error) as error:
        raise ProtocolError("BAD_BASE64") from error
    if b64(data) != text:
        raise ProtocolError("BAD_BASE64")
    return data


def pack_array(array: NDArray[Any]) -> dict[str, Any]:
    """An array as JSON: little-endian bytes in base64url with dtype and shape.

    Takes int64, uint64, float64 and uint8; raises TypeError for other types.
    """
    dtype = array.dtype.newbyteorder("<").str
    if dtype not in _DTYPES:
        raise TypeError(f"arrays of {array.dtype} are not part of the protocol")
    return {"dtype": dtype, "shape": list(array.shape), "b64": b64(array.astype(dtype).tobytes())}


def unpack_array(value: object) -> NDArray[Any]:
    """The array of `pack_array`; ProtocolError when dtype, shape and bytes do not agree."""
    if not isinstance(value, Mapping) or set(value) != {"dtype", "shape", "b64"}:
        raise ProtocolError("BAD_ARRAY")
    shape = value["shape"]
    if (
        not isinstance(value["dtype"], str)
        or value["dtype"] not in _DTYPES
        or not isinstance(shape, list)
        or len(shape) > 4
        or not all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in shape)
    ):
        raise ProtocolError("BAD_ARRAY")
    data = unb64(value["b64"])
    dtype = np.dtype(value["dtype"])
    if len(data) != dtype.itemsize * math.prod(shape):
        raise ProtocolError("BAD_ARRAY")
    return np.frombuffer(data, dtype=dtype).reshape(shape).astype(_DTYPES[value["dtype"]])
