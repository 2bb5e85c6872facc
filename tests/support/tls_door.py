"""HTTPS in front of a server on this machine, as a reverse proxy does it, with an own authority.

Certificates are made here: good ones, ones for another name, ones that have run out. The door
notes the first line of each request that came through, so a test can show that nothing did.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

NO_UPGRADE = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Authority:
    """An authority of our own; its certificate is in ``file``."""

    def __init__(self, folder: Path, name: str = "Authority") -> None:
        self._folder, self._name = folder, x509.Name([x509.NameAttribute(_COMMON, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        made = (
            self._builder(self._name, self._key.public_key(), days=30)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_KEY_USAGE, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / f"{name.lower()}.pem"
        self.file.write_bytes(made.public_bytes(Encoding.PEM))

    def certificate(self, name: str = "localhost", *, days: int = 30) -> Path:
        """A server's certificate with its key, in one file. ``days`` below 0: it has run out."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(_COMMON, name)])
        made = (
            self._builder(subject, key.public_key(), days)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        file = self._folder / f"{name}-{made.serial_number}.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(private + made.public_bytes(Encoding.PEM))
        return file

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, days: int
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        own = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=60))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(own, critical=False)
        )


_COMMON = x509.NameOID.COMMON_NAME
_KEY_USAGE = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


class TlsDoor:
    """From ``with`` to its end: TLS on a port of this machine, plain HTTP to ``port`` behind it.

    ``websockets`` False: it refuses the upgrade, as an old proxy does.
    """

    def __init__(self, port: int, certificate: Path, *, websockets: bool = True) -> None:
        self._target = ("127.0.0.1", port)
        self._websockets = websockets
        self._certificate = certificate
        self.requests: list[str] = []
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self._listener.getsockname()[1]}"

    def show(self, certificate: Path) -> None:
        """New connections get this certificate; the old ones are closed."""
        self._certificate = certificate
        self._close_all()

    @property
    def upgrades(self) -> int:
        """How many websockets were asked for."""
        return sum("transport=websocket" in line for line in self.requests)

    def __enter__(self) -> TlsDoor:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._close_all()

    def _close_all(self) -> None:
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate)
        with contextlib.suppress(OSError), contextlib.ExitStack() as closing:
            closing.callback(plain.close)
            near = closing.enter_context(context.wrap_socket(plain, server_side=True))
            far = closing.enter_context(socket.create_connection(self._target))
            self._ends += [near, far]
            while True:
                # What TLS has read already does not show in select.
                ready = [near] if near.pending() else select.select([near, far], [], [], 30)[0]
                for end in ready:
                    data = end.recv(65536)
                    if not data:
                        return
                    if end is near and not self._let_through(data):
                        near.sendall(NO_UPGRADE)
                        return
                    (far if end is near else near).sendall(data)

    def _let_through(self, data: bytes) -> bool:
        first = data.split(b"\r\n", 1)[0].decode("latin-1")
        if first.endswith("HTTP/1.1"):
            self.requests.append(first)
            return self._websockets or "transport=websocket" not in first
        return True
