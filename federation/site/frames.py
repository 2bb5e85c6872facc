"""Messages over a pipe: four bytes big-endian length, then the bytes."""

import struct
from typing import BinaryIO

MAX_FRAME_BYTES = 128 * 1024 * 1024
_HEADER = struct.Struct(">I")


class FrameError(Exception):
    """The stream ended inside a frame, or announced one that is too long."""


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next frame, or None when the stream ends between two frames.

    Raises FrameError when it ends inside one or announces more than MAX_FRAME_BYTES; nothing
    that follows on the stream can be understood then.
    """
    header = _read_exactly(stream, _HEADER.size)
    if header is None:
        return None
    (length,) = _HEADER.unpack(header)
    if length > MAX_FRAME_BYTES:
        raise FrameError
    body = _read_exactly(stream, length)
    if body is None:
        raise FrameError
    return body


def write_frame(stream: BinaryIO, body: bytes) -> None:
    """Write one frame and flush it; FrameError when it is longer than MAX_FRAME_BYTES."""
    if len(body) > MAX_FRAME_BYTES:
        raise FrameError
    stream.write(_HEADER.pack(len(body)) + body)
    stream.flush()


def _read_exactly(stream: BinaryIO, count: int) -> bytes | None:
    """`count` bytes; None when the stream ends before the first; FrameError when in between."""
    received = bytearray()
    while len(received) < count:
        chunk = stream.read(count - len(received))
        if not chunk:
            if received:
                raise FrameError
            return None
        received += chunk
    return bytes(received)
