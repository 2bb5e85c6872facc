"""Bytes that travel behind the signed part of a message, named in it by length and hash.

Base64 inside a signed part that is base64 itself makes seven bytes of four, and is read and written
twice. A consent list of a million patients is nothing but bytes, so they stand as they are behind
the signed part and a line feed, which no such part holds. What is signed says how many bytes there
are, their SHA-256, and at each place how many of them belong there.

Claims may be bytes, and so may the values of a table that is a claim; nothing deeper.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, Final

from federation.protocol.errors import ProtocolError

_LINE: Final = b"\n"
_CLAIM: Final = "attached"
_PIECE: Final = "behind"


def detach(claims: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Claims as they are signed, and what comes behind them; [] where no claim is bytes."""
    pieces: list[bytes] = []

    def told(value: object) -> object:
        if not isinstance(value, bytes):
            return value
        pieces.append(value)
        return {_PIECE: len(value)}

    def table(claim: object) -> object:
        if not isinstance(claim, Mapping) or not any(isinstance(v, bytes) for v in claim.values()):
            return told(claim)
        return {name: told(claim[name]) for name in sorted(claim)}

    signed = {name: table(claims[name]) for name in sorted(claims)}
    if not pieces:
        return dict(claims), []
    digest = sha256()
    for piece in pieces:
        digest.update(piece)
    signed[_CLAIM] = {"bytes": sum(map(len, pieces)), "sha256": digest.hexdigest()}
    return signed, [_LINE, *pieces]


def split(data: bytes) -> tuple[bytes, memoryview]:
    """The signed part of a message, and what stands behind it."""
    end = data.find(_LINE)
    return (data, memoryview(b"")) if end < 0 else (data[:end], memoryview(data)[end + 1 :])


def attach(claims: Mapping[str, Any], behind: memoryview) -> dict[str, Any]:
    """Claims with the bytes at their places again, as views of `behind`.

    Raises ProtocolError BAD_ATTACHED unless every byte is the one that was signed for, and each
    has one place.
    """
    whole = dict(claims)
    named = whole.pop(_CLAIM, None)
    if named is None:
        if len(behind):
            raise ProtocolError("BAD_ATTACHED")
        return whole
    if named != {"bytes": len(behind), "sha256": sha256(behind).hexdigest()}:
        raise ProtocolError("BAD_ATTACHED")
    at = 0
    for table, name, length in _places(whole):
        table[name] = behind[at : at + length]
        at += length
        if at > len(behind):
            raise ProtocolError("BAD_ATTACHED")
    if at != len(behind):
        raise ProtocolError("BAD_ATTACHED")
    return whole


def _places(whole: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, int]]:
    """Where bytes belong, in the order in which they stand behind: table, name and how many."""
    for name in sorted(whole):
        claim = whole[name]
        if (length := _length(claim)) is not None:
            yield whole, name, length
        elif isinstance(claim, dict):
            for inner in sorted(claim):
                if (length := _length(claim[inner])) is not None:
                    yield claim, inner, length


def _length(value: object) -> int | None:
    """How many bytes belong here; None for what is no place for bytes."""
    if not isinstance(value, dict) or value.keys() != {_PIECE}:
        return None
    length = value[_PIECE]
    if type(length) is not int or length < 0:
        raise ProtocolError("BAD_ATTACHED")
    return length
