"""A patient's local number as a handle that nobody outside the hospital can reverse.

handle = first 20 bytes of HMAC-SHA-256(portal key, "oncoreg/v1|portal|network|site|" + local id)
(design: consent.md 3.2). Whoever holds the portal key can test numbers against handles, so the
key is treated as identity: it never leaves keys/portal.key.
"""

import base64
import hmac
from collections.abc import Iterable
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

HANDLE_BYTES = 20
_BLOCK = 64  # of SHA-256

Handles = NDArray[np.bytes_]
"""(n,) of numpy's S20, as consent.snapshot takes them. Take single ones with `tobytes`: an
element read as a Python object has lost its trailing zero bytes."""


class HandleMaker:
    """Makes the handles of one site in one network."""

    def __init__(self, portal_key: bytes, network: str, site: str) -> None:
        self._key = portal_key
        short = portal_key if len(portal_key) <= _BLOCK else sha256(portal_key).digest()
        self._block = short.ljust(_BLOCK, b"\0")
        self._label = f"oncoreg/v1|portal|{network}|{site}|".encode()

    def handle(self, local_id: str) -> bytes:
        """The 20 bytes of one local number, which is used exactly as it is written."""
        return hmac.digest(self._key, self._label + local_id.encode(), "sha256")[:HANDLE_BYTES]

    def handles(self, local_ids: Iterable[str]) -> Handles:
        """The handles of many local numbers, in their order."""
        # HMAC written out (RFC 2104, 2): key and label go in once, not once for each patient.
        inner, outer = (sha256(bytes(byte ^ pad for byte in self._block)) for pad in (0x36, 0x5C))
        inner.update(self._label)
        made = []
        for local_id in local_ids:
            within = inner.copy()
            within.update(local_id.encode())
            whole = outer.copy()
            whole.update(within.digest())
            made.append(whole.digest()[:HANDLE_BYTES])
        return np.frombuffer(b"".join(made), f"S{HANDLE_BYTES}")


def handle_text(handle: bytes) -> str:
    """A handle as the hub stores it: base64url without padding, 27 characters."""
    return base64.urlsafe_b64encode(handle).rstrip(b"=").decode("ascii")
