"""vantage6's own encryption, with the key that is named and no other. Needs vantage6-client."""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from vantage6.common.encryption import CryptorBase, DummyCryptor, RSACryptor

from federation.carriage.keys import KeyUnreadable


def make_cryptor(key: Path | None) -> CryptorBase:
    """One for the private key in this file, or one that only encodes. KeyUnreadable for no key.

    Its classes are singletons: the second key of a process would silently be the first. This goes
    past that (``type.__call__``), so each caller has its own.
    """
    if key is None:
        return type.__call__(DummyCryptor)
    try:
        return type.__call__(RSACryptor, key)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyUnreadable("unreadable") from None
