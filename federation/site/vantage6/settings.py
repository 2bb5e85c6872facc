"""vantage6.toml: how this site is connected to a vantage6 server, and the keys for that.

    url = "https://vantage6.example.nl/api"    with the path of the API
    collaboration = 3                          numbers the server gave, from the network office
    organization = 7
    hub_organization = 1                       only this one's tasks are looked at
    hub_key_sha256 = "…64 hexadecimal digits…" pinned: replies are encrypted for this key only
    api_key_file = "keys/vantage6-node.key"
    private_key_file = "keys/vantage6.pem"
    poll_seconds = 20
    ca_file = "vantage6-ca.pem"                only these authorities may sign the certificate

Without `ca_file` the machine's authorities count. An unencrypted collaboration has neither
fingerprint nor private key, and is used only when `allow_unencrypted` holds the sentence that says
what it means. Nothing here decides what may be answered: that is site.toml, policy.yaml and the
hub's signature.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from federation.carriage.address import AddressError, read_address
from federation.carriage.authorities import check_authorities
from federation.carriage.keys import (
    BITS,
    KeyUnreadable,
    fingerprint,
    make_private,
    public_pem,
    read_private,
)
from federation.carriage.wire import ALLOW_UNENCRYPTED
from federation.protocol.keys import read_secret, write_secret
from federation.site.errors import SetupError
from federation.site.files import read_small
from federation.site.settings import load_toml, read_settings

NODE_FILE = "vantage6.toml"
API_KEY_FILE = "keys/vantage6-node.key"
PRIVATE_KEY_FILE = "keys/vantage6.pem"
PUBLIC_KEY_FILE = "keys/vantage6.pub"
CA_FILE = "vantage6-ca.pem"
POLL_SECONDS = 20

_SHA256 = re.compile(r"[0-9a-f]{64}")
_API_KEY = re.compile(r"[\x21-\x7e]{1,500}")
_NUMBERS = ("collaboration", "organization", "hub_organization")
_GIVEN = ("url", *_NUMBERS, "slug", "api_key", "encrypted", "hub_key_sha256")
_KEYS = ("url", *_NUMBERS, "hub_key_sha256", "api_key_file", "private_key_file", "poll_seconds")
_OPTIONAL = ("allow_unencrypted", "ca_file")


@dataclass(frozen=True)
class NodeSettings:
    """vantage6.toml, checked, with the node's key read. `private_key` is None when unencrypted."""

    url: str
    collaboration: int
    organization: int
    hub_organization: int
    hub_key_sha256: str
    api_key: str = field(repr=False)
    private_key: Path | None
    public_sha256: str
    poll_seconds: float
    ca_file: Path | None = None

    @property
    def encrypted(self) -> bool:
        return self.private_key is not None


def read_node_settings(path: Path) -> NodeSettings:
    """What vantage6.toml in the site directory `path` says. SetupError for what is wrong first."""
    table = _read(path)
    unknown = sorted(set(table) - {*_KEYS, *_OPTIONAL})
    if unknown:
        raise SetupError(f"{NODE_FILE}: unknown key '{unknown[0][:60]}'; remove or correct it.")
    plain = _allowed_unencrypted(table.get("allow_unencrypted", ""))
    optional = {"hub_key_sha256", "private_key_file"} if plain else set()
    for key in _KEYS:
        if key not in table and key not in optional:
            raise SetupError(f"{NODE_FILE}: the key '{key}' is missing; run: oncokring site join")
    poll = table["poll_seconds"]
    if type(poll) not in (int, float) or not 0.05 <= poll <= 3600:
        raise SetupError(f"{NODE_FILE}: poll_seconds must be a number up to 3600.")
    private = None if plain else path / _name(table, "private_key_file")
    return NodeSettings(
        url=_url(table["url"], NODE_FILE),
        collaboration=_number(table, "collaboration", NODE_FILE),
        organization=_number(table, "organization", NODE_FILE),
        hub_organization=_number(table, "hub_organization", NODE_FILE),
        hub_key_sha256="" if plain else _fingerprint(table["hub_key_sha256"], NODE_FILE),
        api_key=_api_key(path / _name(table, "api_key_file")),
        private_key=private,
        public_sha256="" if private is None else fingerprint(_read_private(private)),
        poll_seconds=float(poll),
        ca_file=_authorities(path / _name(table, "ca_file")) if "ca_file" in table else None,
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return load_toml(read_small(path / NODE_FILE))
    except OSError as error:
        raise SetupError(f"{NODE_FILE} is missing; run: oncokring site join") from error
    except (ValueError, RecursionError) as error:
        raise SetupError(f"{NODE_FILE} is not a TOML file in UTF-8; correct it.") from error


def join(
    path: Path, given: Mapping[str, Any], *, allow_unencrypted: str = "", bits: int = BITS
) -> Path | None:
    """Write vantage6.toml and the keys in the site directory `path`, from what the network office
    sent; the file of the public key that the office must get, None when unencrypted.

    May be run again: the private key stays, a new node key takes the place of the old one, and so
    do authorities when the file names some. The pinned key of the hub is never replaced:
    SetupError, for a person has to compare it first.
    """
    _check_given(given)
    slug = read_settings(path).slug
    if given["slug"] != slug:
        raise SetupError(f"that file is for another hospital than {slug}; ask for the right one.")
    plain = not given["encrypted"]
    if plain and not _allowed_unencrypted(allow_unencrypted):
        raise SetupError(
            "UNENCRYPTED: the collaboration on the server is not encrypted, so the server's "
            "administrators and every member could read the messages. Ask for an encrypted one, "
            f'or give --allow-unencrypted "{ALLOW_UNENCRYPTED}".'
        )
    pinned = "" if plain else _fingerprint(given["hub_key_sha256"], "the file")
    _keep_pin(path, pinned)
    (path / "keys").mkdir(mode=0o700, exist_ok=True)
    table: dict[str, Any] = {
        "url": _url(given["url"], "the file"),
        **{name: _number(given, name, "the file") for name in _NUMBERS},
        "api_key_file": API_KEY_FILE,
        "poll_seconds": POLL_SECONDS,
    }
    if plain:
        table["allow_unencrypted"] = ALLOW_UNENCRYPTED
    else:
        table |= {"hub_key_sha256": pinned, "private_key_file": PRIVATE_KEY_FILE}
        _make_key(path, bits)
    _replace_secret(path / API_KEY_FILE, given["api_key"].encode("ascii"))
    if ca_file := _keep_authorities(path, given.get("ca")):
        table["ca_file"] = ca_file
    # A JSON text of ASCII is a TOML basic string too.
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in table.items()]
    draft = path / (NODE_FILE + ".new")
    draft.write_text("".join(lines), "utf-8")
    draft.replace(path / NODE_FILE)
    return None if plain else path / PUBLIC_KEY_FILE


def _check_given(given: Mapping[str, Any]) -> None:
    for key in _GIVEN:
        if key not in given:
            raise SetupError(f"the file of the network office lacks '{key}'; ask for a new one.")
    key = given["api_key"]
    if type(given["encrypted"]) is not bool or not isinstance(key, str):
        raise SetupError("the file of the network office is damaged; ask for a new one.")
    if not _API_KEY.fullmatch(key):
        raise SetupError("the node key in the file is damaged; ask for a new one.")


def _keep_pin(path: Path, pinned: str) -> None:
    """A key of the hub that was pinned before stays, whatever a later file says."""
    if not (path / NODE_FILE).exists():
        return
    before = _read(path).get("hub_key_sha256", "")
    if before != pinned:
        raise SetupError(
            "HUB_KEY_CHANGED: the file names another key of the hub than was pinned here. Compare "
            f"it with the network office by phone; when it is right, remove {NODE_FILE} and join "
            "again."
        )


def _keep_authorities(path: Path, given: object) -> str:
    """The name of the file of authorities: the ones just given, or else those named before."""
    if given is None:
        return str(_read(path).get("ca_file", "")) if (path / NODE_FILE).exists() else ""
    if not isinstance(given, str) or not given.isascii():
        raise SetupError("the authorities in the file are damaged; ask for a new one.")
    draft = path / (CA_FILE + ".new")
    draft.write_text(given, "ascii")
    _authorities(draft)
    draft.replace(path / CA_FILE)
    return CA_FILE


def _authorities(file: Path) -> Path:
    try:
        check_authorities(read_small(file))
    except OSError as error:
        raise SetupError(f"{file.name}, named in {NODE_FILE}, cannot be read.") from error
    except ValueError as error:
        raise SetupError(
            f"{file.name} holds no certificates in PEM; ask the network office for it."
        ) from error
    return file


def _make_key(path: Path, bits: int) -> None:
    file = path / PRIVATE_KEY_FILE
    if not file.exists():
        write_secret(file, make_private(bits))
    (path / PUBLIC_KEY_FILE).write_bytes(public_pem(_read_private(file)))


def _read_private(file: Path) -> rsa.RSAPrivateKey:
    try:
        return read_private(_secret(file))
    except KeyUnreadable as error:
        if error.kind == "not rsa":
            raise SetupError(f"keys/{file.name} is not an RSA key, which vantage6 needs.") from None
        raise SetupError(f"keys/{file.name} is damaged; restore it or join again.") from None


def _api_key(file: Path) -> str:
    text = _secret(file).decode("ascii", "replace").strip()
    if not _API_KEY.fullmatch(text):
        raise SetupError(f"keys/{file.name} does not hold a node key; run: oncokring site join")
    return text


def _secret(file: Path) -> bytes:
    try:
        return read_secret(file)
    except PermissionError as error:
        raise SetupError(f"keys/{file.name} may be read by others; run: chmod 600") from error
    except OSError as error:
        raise SetupError(f"keys/{file.name} is missing; run: oncokring site join") from error


def _replace_secret(file: Path, secret: bytes) -> None:
    draft = file.with_name(file.name + ".new")
    draft.unlink(missing_ok=True)
    write_secret(draft, secret)
    os.replace(draft, file)


def _name(table: Mapping[str, Any], key: str) -> str:
    value = table[key]
    if not isinstance(value, str) or not value:
        raise SetupError(f"{NODE_FILE}: {key} must be the name of a file.")
    return value


def _number(table: Mapping[str, Any], key: str, where: str) -> int:
    value = table[key]
    if type(value) is not int or value < 1:
        raise SetupError(f"{where}: {key} must be a number from the network office.")
    return value


def _fingerprint(value: object, where: str) -> str:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise SetupError(f"{where}: hub_key_sha256 must be 64 hexadecimal digits.")
    return value


def _allowed_unencrypted(value: object) -> bool:
    if value not in ("", ALLOW_UNENCRYPTED):
        raise SetupError(f'allow_unencrypted must be left out, or be "{ALLOW_UNENCRYPTED}".')
    return value == ALLOW_UNENCRYPTED


def _url(value: object, where: str) -> str:
    """The address of the API. The node key travels there, so only this machine needs no TLS."""
    try:
        read_address(value)
    except AddressError as error:
        raise SetupError(f"{where}: url must {_MUST[error.fault]}") from None
    return str(value).rstrip("/")


_MUST = {
    "form": "be an address such as https://server.example.nl/api",
    "extras": "be an address without name, '?' or '#'.",
    "plain": "begin with https, for the node key travels there.",
}


def read_given_file(file: Path) -> dict[str, Any]:
    """The file that the network office sent, as a table. SetupError when it is not one."""
    try:
        found = json.loads(read_small(file))
    except OSError as error:
        raise SetupError(f"{file.name} cannot be read; give the network office's file.") from error
    except (ValueError, RecursionError) as error:
        raise SetupError(
            f"{file.name} is damaged; ask the network office for a new one."
        ) from error
    if not isinstance(found, dict):
        raise SetupError(f"{file.name} is not the network office's file.")
    return found
