"""The sign-in services of hospitals (OpenID Connect): which there are, read once from one file.

DigiD, or whatever a hospital uses, ends at its broker inside the hospital. The hub gets an opaque
handle and how sure the hospital is, and talks to no address but those in this file.

    [catharina]
    issuer = "https://login.catharina.example"
    client_id = "oncokring"
    client_secret_file = "/etc/oncokring/catharina.secret"
    acr = ["http://eidas.europa.eu/LoA/substantial", "http://eidas.europa.eu/LoA/high"]
    claim = "sub"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from registry.settings import SettingsError

_KEYS = frozenset({"issuer", "client_id", "client_secret_file", "acr", "claim"})
_NEEDED = _KEYS - {"claim"}
_LOCAL = "127.0.0.1"


@dataclass(frozen=True)
class Broker:
    """One hospital's sign-in service.

    acr: the values of that claim that are sure enough ("substantial" or better). claim: where the
    handle stands; the broker makes it for us alone (a pairwise subject).
    """

    site: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    acr: frozenset[str]
    claim: str = "sub"


def load(path: Path | None) -> Mapping[str, Broker]:
    """The brokers by hospital; none without a file. Raises SettingsError."""
    if path is None:
        return {}
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(
            "ONCOKRING_BROKERS names a file that cannot be read as TOML. "
            "See docs/how-to/sign-in-through-a-hospital.md."
        ) from error
    return {site: _broker(site, given) for site, given in found.items()}


def is_safe(address: str) -> bool:
    """Whether we talk to this address: https, or this machine while developing."""
    parts = urlsplit(address)
    if parts.username or parts.fragment or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname == _LOCAL)


def _broker(site: str, given: Any) -> Broker:
    if not isinstance(given, dict) or set(given) - _KEYS or _NEEDED - set(given):
        raise _wrong(site, f"needs {', '.join(sorted(_NEEDED))}, may have claim, and no more")
    if not all(
        isinstance(given[name], str) and given[name] for name in _KEYS - {"acr"} & set(given)
    ):
        raise _wrong(site, "holds something other than text")
    acr = given["acr"]
    if not isinstance(acr, list) or not acr or not all(isinstance(one, str) for one in acr):
        raise _wrong(site, "must list in acr what is sure enough; without it nobody could sign in")
    if not is_safe(given["issuer"]) or urlsplit(given["issuer"]).query:
        raise _wrong(site, "has an issuer that is not an https address")
    try:
        secret = Path(given["client_secret_file"]).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(site, "names a client_secret_file that cannot be read") from error
    if not secret:
        raise _wrong(site, "has an empty client_secret_file")
    return Broker(
        site=site,
        issuer=given["issuer"].rstrip("/"),
        client_id=given["client_id"],
        client_secret=secret,
        acr=frozenset(acr),
        claim=given.get("claim", "sub"),
    )


def _wrong(site: str, what: str) -> SettingsError:
    return SettingsError(f"ONCOKRING_BROKERS: the entry of {site} {what}.")
