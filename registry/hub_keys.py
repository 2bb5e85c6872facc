"""The hub's key that signs snapshots, heads and receipts, and the public keys it ever had.

`hub.key` is the secret one, readable by the service's user only. `history.json` beside it lists
every public key with the time it was in use: that is the keys file with which a receipt can be
checked when the hub is gone.
"""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

from consent.receipts import Signers
from federation.protocol.encoding import canonical, parse_json
from federation.protocol.errors import ProtocolError
from federation.protocol.keys import SigningKey
from federation.protocol.transparency import (
    PublishedKey,
    SignClaims,
    head_signer,
    keys_from,
    receipt_signer,
)
from registry.settings import Settings, SettingsError

KEY_FILE = "hub.key"
HISTORY_FILE = "history.json"
#: Signed receipts and heads that are remembered in this process, some 40 kB each.
REMEMBERED = 200
_SIGNED: OrderedDict[tuple[str, str, bytes], bytes] = OrderedDict()
_LOCK = Lock()


def hub_key(settings: Settings) -> SigningKey:
    """The hub's signing key; made at the first start, readable by the service's user only."""
    path = settings.keys_directory / KEY_FILE
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Pages and worker may start at the same time: whoever comes second takes the first's key.
        with suppress(FileExistsError):
            SigningKey.generate().save(path)
    return SigningKey.load(path)


def signers(settings: Settings, now: datetime) -> Signers:
    """What signs heads and receipts at this moment."""
    key = hub_key(settings)
    published_keys(settings, now)
    head, receipt = head_signer(key, now), receipt_signer(key, now)
    return Signers(_once(key.kid, "head", head), _once(key.kid, "receipt", receipt), key.kid)


def _once(kid: str, kind: str, sign: SignClaims) -> SignClaims:
    """Signs the same claims once, so that the same receipt asked for again is the same file."""

    def signed(claims: Mapping[str, Any]) -> bytes:
        name = (kid, kind, sha256(canonical(claims)).digest())
        with _LOCK:
            if name in _SIGNED:
                _SIGNED.move_to_end(name)
                return _SIGNED[name]
        made = sign(claims)
        with _LOCK:
            kept = _SIGNED.setdefault(name, made)
            while len(_SIGNED) > REMEMBERED:
                _SIGNED.popitem(last=False)
        return kept

    return signed


def published_keys(settings: Settings, now: datetime) -> tuple[PublishedKey, ...]:
    """Every public key of this hub with the time it was in use, oldest first.

    A key that is new here is added and the one before it closed. Raises SettingsError when the
    history cannot be read: a history that silently began anew would make old receipts worthless.
    """
    path = settings.keys_directory / HISTORY_FILE
    key = hub_key(settings)
    listed = _read(path)
    if any(each.kid == key.kid and each.until is None for each in listed):
        return listed
    since = _made(settings.keys_directory / KEY_FILE, now)
    closed = [PublishedKey(each.kid, each.public, each.since, each.until or now) for each in listed]
    made = (*closed, PublishedKey(key.kid, key.public, since))
    _write(path, keys_document(made))
    return made


def keys_document(keys: tuple[PublishedKey, ...]) -> dict[str, Any]:
    """The keys file: what `/api/v1/keys` gives and `oncokring receipt verify --keys` reads."""
    return {"issuer": "hub", "keys": [key.to_dict() for key in keys]}


def _read(path: Path) -> tuple[PublishedKey, ...]:
    if not path.exists():
        return ()
    try:
        return keys_from(parse_json(path.read_bytes()))
    except ProtocolError as error:
        raise SettingsError(
            f"{path} cannot be read, so it is not known with which keys receipts were signed. "
            "Put it back from a backup."
        ) from error


def _made(path: Path, now: datetime) -> datetime:
    return min(now, datetime.fromtimestamp(int(path.stat().st_mtime), UTC))


def _write(path: Path, document: dict[str, Any]) -> None:
    new = path.with_suffix(".new")
    new.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    os.replace(new, path)
