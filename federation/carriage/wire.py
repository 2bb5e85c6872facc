"""How one of our messages looks inside vantage6; both ends, hub and site, import this and agree.

A task for one site carries `IMAGE` as its image, `task_name(handle)` as its name and the signed
message as the one argument of the method `answer`. The site's signed reply, or a code, comes back
as the result. The server sees name and image in the clear, so they hold nothing else.

vantage6's encryption has no integrity check: what is decoded here is believed by nobody before the
signature inside it is verified. Standard library only, and no vantage6.
"""

import base64
import binascii
import json
import re
from typing import Any

#: The image that our node recognises, and that a stock node runs (Dockerfile, target `algorithm`).
IMAGE = "oncokring/site:1"
METHOD = "answer"
#: Without these words in its settings, neither end works with a collaboration without encryption.
ALLOW_UNENCRYPTED = "everybody on the server may read"
#: Bytes of a message or a reply, as for the embedded engine.
MAX_MESSAGE = 128 * 1024 * 1024
#: Bytes of an input or a result: base64 and the words around it.
MAX_ENCODED = MAX_MESSAGE // 3 * 4 + 1024

_HANDLE = re.compile(r"[0-9a-f]{32}")
_CODE = re.compile(r"[A-Z][A-Z0-9_]{1,63}")


class WireError(ValueError):
    """What came out of vantage6 is not ours, or not whole."""


def task_name(handle: str) -> str:
    """The name of the task for `handle`; it is looked up by it before anything is sent again."""
    if not _HANDLE.fullmatch(handle):
        raise ValueError("a handle is 32 hexadecimal digits")
    return f"oncokring {handle}"


def encode_input(message: bytes) -> bytes:
    """The input of a task, before vantage6 encrypts it."""
    if len(message) > MAX_MESSAGE:
        raise ValueError("the message is too large")
    return _dump({"method": METHOD, "args": [], "kwargs": {"message": _text(message)}})


def decode_input(data: bytes) -> bytes:
    """The message in a decrypted input; WireError when it is anything but one of ours."""
    match _load(data):
        case {"method": str(method), "args": [], "kwargs": {"message": str(text), **other}, **more}:
            if method == METHOD and not other and not more:
                return _bytes(text)
    raise WireError("not a message of ours")


def encode_result(*, reply: bytes | None = None, failure: str | None = None) -> bytes:
    """The result of a task, before vantage6 encrypts it: a signed reply or a code, never both."""
    if failure is not None and reply is None and _CODE.fullmatch(failure):
        return _dump({"failure": failure})
    if reply is not None and failure is None and len(reply) <= MAX_MESSAGE:
        return _dump({"reply": _text(reply)})
    raise ValueError("a result is one reply or one code")


def decode_result(data: bytes) -> tuple[bytes | None, str | None]:
    """(reply, None) or (None, code) of a decrypted result; WireError when it is neither."""
    match _load(data):
        case {"reply": str(text), **more} if not more:
            return _bytes(text), None
        case {"failure": str(code), **more} if not more and _CODE.fullmatch(code):
            return None, code
    raise WireError("not a result of ours")


def _dump(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _load(data: bytes) -> Any:
    if len(data) > MAX_ENCODED:
        raise WireError("too large")
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise WireError("not JSON") from None


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise WireError("not base64") from None
