"""Where a vantage6 server is, read from what a person wrote; hub and site have the same rules."""

import ipaddress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

#: What is wrong: no address at all, more than an address and a path, or http to another machine.
Fault = Literal["form", "extras", "plain"]


class AddressError(ValueError):
    """``fault`` says what is wrong; the sentence for it belongs to whoever asked."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault: Fault = fault


@dataclass(frozen=True)
class Address:
    """``port`` is None when it was left out; ``path`` has no slash at its end, and may be ""."""

    scheme: str
    host: str
    port: int | None
    path: str

    @property
    def base(self) -> str:
        """Scheme and host, as vantage6's clients want them; IPv6 in brackets."""
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}"

    @property
    def origin(self) -> str:
        """Scheme, host and port: where the open line begins."""
        return self.base if self.port is None else f"{self.base}:{self.port}"


def read_address(text: object) -> Address:
    """The address in ``text``; AddressError for anything else.

    Passwords and keys travel there, so only this machine itself may be reached without TLS.
    """
    try:
        parts = urlsplit(text) if isinstance(text, str) and text.isascii() else None
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            raise AddressError("form")
        port = parts.port
    except ValueError:  # a port that is no number, brackets that do not close
        raise AddressError("form") from None
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise AddressError("extras")
    if parts.scheme == "http" and not is_here(parts.hostname):
        raise AddressError("plain")
    return Address(parts.scheme, parts.hostname, port, parts.path.rstrip("/"))


def is_here(host: str) -> bool:
    """Whether ``host`` is this machine, by its name or number alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
