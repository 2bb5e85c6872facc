"""What is pinned about a vantage6 server: the connection, our key, and how keys are compared.

vantage6 hands out everybody's public key itself, so a key counts only when its fingerprint is the
one that was written down when the hospital joined. That keeps the server from reading along; what
keeps it from being believed are the signatures inside the messages, which are ours.
"""

from dataclasses import dataclass, field
from pathlib import Path

from vantage6.common.encryption import CryptorBase

from federation.carriage.cryptor import make_cryptor
from federation.carriage.keys import KeyUnreadable


class Vantage6Error(Exception):
    """The server could not be used. ``code`` is stable; the text says what to do about it.

    ``unsure``: the request may have reached the server, so it must not simply be made again.
    """

    def __init__(self, code: str, sentence: str, *, unsure: bool = False, status: int = 0) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence
        self.unsure = unsure
        self.status = status


@dataclass(frozen=True)
class Connection:
    """Where the server is and who we are there.

    ``url`` without a path means ``/api``. ``key``: our organisation's private key (PEM), or None
    where the collaboration is not encrypted; ``allow_unencrypted`` must then hold the words of
    ``carriage.wire.ALLOW_UNENCRYPTED``. ``ca_file``: the authorities (PEM) that alone may have
    signed the server's certificate; None for the machine's.
    """

    url: str
    username: str
    password: str = field(repr=False)
    collaboration: int = 0
    key: Path | None = None
    allow_unencrypted: str = ""
    ca_file: Path | None = None


def own_cryptor(key: Path | None) -> CryptorBase:
    """vantage6's encryption with exactly this key; VANTAGE6_OWN_KEY when it cannot be read."""
    try:
        return make_cryptor(key)
    except KeyUnreadable:
        raise Vantage6Error(
            "VANTAGE6_OWN_KEY",
            f"{key} is no private key that can be read. Name the PEM file whose public half the "
            "server has for our organisation.",
        ) from None
