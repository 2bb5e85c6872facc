"""A real vantage6 server for the tests of one process, and collaborations on it.

The server takes seconds to start, so it is started once per test process (`server()`), on first
use, and ends with it. Each test module makes the collaborations it needs (`collaboration()`), with
organisations, keys, nodes and a user of its own, so modules do not meet. All of it is set up with
plain requests: what is under test has no part in it.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import functools
import hashlib
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from federation.carriage.wire import ALLOW_UNENCRYPTED
from federation.site.vantage6.settings import PRIVATE_KEY_FILE, join
from registry.trial.vantage6_server import Credentials, LocalServer, find_python

#: vantage6 makes keys of 4096 bits, which takes seconds each; 2048 do for a test.
BITS = 2048
#: A node needs a second when the machine is quiet.
START_SECONDS = 60.0
ROOT = Path(__file__).parents[2]


@functools.cache
def server() -> LocalServer:
    """The server of this process; the test is skipped (a failure in CI) where it is not there."""
    python = find_python()
    if python is None:
        pytest.skip("no vantage6 server here: python3 dev.py test makes .venv-vantage6")
    folder = Path(tempfile.mkdtemp(prefix="oncokring-vantage6-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    started = LocalServer(folder, python)
    atexit.register(started.stop)
    started.start()
    return started


@dataclass(frozen=True)
class Key:
    """An RSA key: the private half as PEM (also in a file for who wants one), the public as PEM."""

    private: bytes = field(repr=False)
    public: bytes = field(repr=False)
    der: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the public key's DER, in hexadecimal."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def on_the_server(self) -> str:
        """As vantage6 passes a public key on: base64 of the PEM."""
        return base64.b64encode(self.public).decode()


def make_key() -> Key:
    key = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    public = key.public_key()
    return Key(
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    )


@dataclass(frozen=True)
class Member:
    """One organisation of a collaboration; the hub's has no node and so no api key."""

    slug: str
    organization: int
    key: Key
    key_file: Path
    api_key: str = field(repr=False)


@dataclass(frozen=True)
class Collaboration:
    """A collaboration with a hub, its user, and one node per site."""

    id: int
    encrypted: bool
    url: str
    user: Credentials
    hub: Member
    sites: dict[str, Member]

    @property
    def organizations(self) -> dict[str, int]:
        return {slug: member.organization for slug, member in self.sites.items()}

    @property
    def fingerprints(self) -> dict[str, str]:
        return {slug: member.key.fingerprint for slug, member in self.sites.items()}


class Administrator:
    """The root user of a server, over plain requests; an answer that is no success raises."""

    def __init__(self, url: str, credentials: Credentials) -> None:
        self._url = f"{url}/api"
        self._session = requests.Session()
        answer = self.post(
            "token/user", username=credentials.username, password=credentials.password
        )
        self._session.headers["Authorization"] = f"Bearer {answer['access_token']}"

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        return self._read(self._session.post(f"{self._url}/{path}", json=body, timeout=60))

    def patch(self, path: str, **body: Any) -> dict[str, Any]:
        return self._read(self._session.patch(f"{self._url}/{path}", json=body, timeout=60))

    def get(self, path: str, **parameters: Any) -> Any:
        return self._read(self._session.get(f"{self._url}/{path}", params=parameters, timeout=60))

    def delete(self, path: str) -> None:
        self._read(self._session.delete(f"{self._url}/{path}", timeout=60))

    def close(self) -> None:
        self._session.close()

    @staticmethod
    def _read(answer: requests.Response) -> Any:
        assert answer.ok, answer.text
        return answer.json()


def collaboration(
    folder: Path, sites: Sequence[str], *, encrypted: bool = True, role: str = "Researcher"
) -> Collaboration:
    """A new collaboration with these sites on the server of this process; keys go into `folder`."""
    started = server()
    root = Administrator(started.url, started.root)
    mark = secrets.token_hex(4)
    try:
        members = {slug: _organization(root, folder, slug, mark) for slug in (*sites, "hub")}
        made = root.post(
            "collaboration",
            name=f"network {mark}",
            organization_ids=[organization for organization, _, _ in members.values()],
            encrypted=int(encrypted),
        )
        api_keys = {
            slug: root.post(
                "node",
                collaboration_id=made["id"],
                organization_id=members[slug][0],
                name=f"{slug} {mark}",
            )["api_key"]
            for slug in sites
        }
        found = {
            slug: Member(slug, organization, key, path, api_keys.get(slug, ""))
            for slug, (organization, key, path) in members.items()
        }
        hub = found.pop("hub")
        user = add_user(root, hub.organization, role)
        return Collaboration(made["id"], encrypted, started.url, user, hub, found)
    finally:
        root.close()


def invitation(together: Collaboration, slug: str) -> dict[str, Any]:
    """What the network office sends a hospital."""
    member = together.sites[slug]
    return {
        "url": f"{together.url}/api",
        "collaboration": together.id,
        "organization": member.organization,
        "hub_organization": together.hub.organization,
        "slug": slug,
        "api_key": member.api_key,
        "encrypted": together.encrypted,
        "hub_key_sha256": together.hub.key.fingerprint if together.encrypted else "",
    }


@contextlib.contextmanager
def nodes(
    together: Collaboration, paths: Sequence[Path], **other: Any
) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """The sites of these directories (named by slug), each as a node in a process of its own.

    Comes back when all of them are online. What a node says is in `node.log` of its directory.
    ``other`` replaces parts of the invitation.
    """
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for path in paths:
            key = path / PRIVATE_KEY_FILE
            if together.encrypted and not key.exists():  # the one whose public half the server has
                key.touch(mode=0o600)
                key.write_bytes(together.sites[path.name].key.private)
            words = "" if together.encrypted else ALLOW_UNENCRYPTED
            join(path, invitation(together, path.name) | other, allow_unencrypted=words)
            with (path / "node.log").open("ab") as log:
                running[path.name] = subprocess.Popen(
                    [sys.executable, "-P", "-m", "federation.site.vantage6.connect", path],
                    stdout=log,
                    stderr=log,
                    cwd=ROOT,
                )
        for path in paths:
            until = time.monotonic() + START_SECONDS
            while b" ONLINE\n" not in (path / "node.log").read_bytes():
                assert running[path.name].poll() is None, (path / "node.log").read_text()
                assert time.monotonic() < until, "the node does not get online"
                time.sleep(0.05)
        yield running
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait(30)


def add_user(root: Administrator, organization: int, role: str = "Researcher") -> Credentials:
    """A user of this organisation with one of vantage6's own roles."""
    (found,) = [one for one in root.get("role", per_page=100)["data"] if one["name"] == role]
    name = f"user-{secrets.token_hex(4)}"
    password = f"Aa1!{secrets.token_urlsafe(24)}"  # the server wants all four kinds
    root.post(
        "user",
        username=name,
        firstname=name,
        lastname=name,
        password=password,
        email=f"{name}@example.org",
        organization_id=organization,
        roles=[found["id"]],
        rules=[],
    )
    return Credentials(name, password)


def _organization(root: Administrator, folder: Path, slug: str, mark: str) -> tuple[int, Key, Path]:
    key = make_key()
    path = folder / f"{slug}-{mark}.pem"
    path.touch(mode=0o600)
    path.write_bytes(key.private)
    made = root.post(
        "organization",
        name=f"{slug} {mark}",
        domain=f"{slug}.example.org",
        address1="-",
        address2="-",
        zipcode="0000",
        country="NL",
        public_key=key.on_the_server,
    )
    return made["id"], key, path
