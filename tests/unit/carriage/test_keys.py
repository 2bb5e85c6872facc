"""Keys of vantage6: one fingerprint for hub, hospital and server, and limits on what is read."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from federation.carriage import keys
from federation.carriage.authorities import check_authorities
from federation.carriage.cryptor import make_cryptor
from federation.carriage.keys import KeyUnreadable


@pytest.fixture(scope="module")
def pem() -> bytes:
    return keys.make_private(2048)


def test_the_fingerprint_is_the_one_that_openssl_works_out(pem: bytes, tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(pem)
    der = subprocess.run(
        ["openssl", "pkey", "-in", str(file), "-pubout", "-outform", "DER"],
        capture_output=True,
        check=True,
    ).stdout
    private = keys.read_private(pem)
    public = keys.public_pem(private)
    wanted = hashlib.sha256(der).hexdigest()
    assert keys.fingerprint(private) == wanted
    assert keys.fingerprint(keys.read_public(public)) == wanted
    assert keys.shown_fingerprint(base64.b64encode(public).decode()) == wanted


def test_each_caller_has_a_cryptor_of_its_own(pem: bytes, tmp_path: Path) -> None:
    """vantage6's are singletons, and the second key of a process would be the first."""
    other = keys.make_private(2048)
    files = [tmp_path / "a.pem", tmp_path / "b.pem"]
    for file, key in zip(files, (pem, other), strict=True):
        file.write_bytes(key)
    first, second = (make_cryptor(file) for file in files)
    shown = base64.b64encode(keys.public_pem(keys.read_private(other))).decode()
    assert second.decrypt(first.encrypt_bytes_to_str(b'{"x": 1}', shown)) == b'{"x": 1}'
    with pytest.raises(KeyUnreadable):
        make_cryptor(tmp_path / "none.pem")


def test_what_is_no_key_of_ours_says_what_it_is(pem: bytes) -> None:
    edwards = ed25519.Ed25519PrivateKey.generate()
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
    locked = keys.read_private(pem).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")
    )
    for data, kind in (
        (b"", "unreadable"),
        (locked, "unreadable"),
        (pem + b"\n" * keys.MAX_PEM, "unreadable"),
        (edwards.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), "not rsa"),
    ):
        with pytest.raises(KeyUnreadable, match=kind):
            keys.read_private(data)
    form = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for data, kind in (
        (b"-----BEGIN PUBLIC KEY-----", "unreadable"),
        (b"\n" * (keys.MAX_PEM + 1), "unreadable"),
        (edwards.public_key().public_bytes(*form), "not rsa"),
        (small.public_key().public_bytes(*form), "too short"),
    ):
        with pytest.raises(KeyUnreadable, match=kind):
            keys.read_public(data)
        assert keys.shown_fingerprint(base64.b64encode(data).decode()) == ""
    for shown in (None, 7, "", "no base64!", "é", "A" * (3 * keys.MAX_PEM)):
        assert keys.shown_fingerprint(shown) == ""


def test_a_file_of_authorities_holds_certificates(pem: bytes) -> None:
    broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    for data in (b"", pem, b"\xff", broken):
        with pytest.raises(ValueError, match=r"certificate|ascii"):
            check_authorities(data)
