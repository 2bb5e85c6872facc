"""A real vantage6 server on this machine, for the tests, ``demo --engine vantage6`` and the bench.

Not for production: one process, SQLite, no TLS, and cheap password hashes (see the launcher). It
listens on 127.0.0.1 only and keeps everything, its log too, in the folder it is given.
"""

import http.client
import os
import secrets
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import yaml

#: dev.py passes the Python of the server's own environment in this variable.
PYTHON_VARIABLE = "ONCOKRING_VANTAGE6_SERVER_PYTHON"
HOST = "127.0.0.1"
#: Seconds a server may take to answer; 3 when the machine is quiet.
START_SECONDS = 90.0
LAUNCHER = Path(__file__).with_name("vantage6_launcher.py")
_ROOT = Path(__file__).parents[2]


class ServerError(Exception):
    """The local server did not start; the sentence says where its log is."""


@dataclass(frozen=True)
class Credentials:
    """A user of the vantage6 server."""

    username: str
    password: str = field(repr=False)


def find_python() -> Path | None:
    """The Python that holds vantage6-server: named by dev.py, or beside this clone; else None."""
    named = os.environ.get(PYTHON_VARIABLE)
    python = Path(named) if named else _ROOT / ".venv-vantage6" / "bin" / "python"
    return python if python.exists() else None


class LocalServer:
    """A server that runs from ``with`` to its end; a killed parent takes it along.

    The same folder gives the same server again: its database, its secret, the root password.
    """

    def __init__(self, folder: Path, python: Path, port: int = 0) -> None:
        self.folder = folder
        self.log = folder / "server.log"
        self.port = port or _free_port()
        self.url = f"http://{HOST}:{self.port}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root = Credentials("root", _kept(folder / "root.password"))
        self._python = python
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        config = self.folder / "server.yaml"
        config.write_text(yaml.safe_dump(self._config()), encoding="utf-8")
        home = {"HOME": str(self.folder)} | {
            f"XDG_{kind}_HOME": str(self.folder / "xdg" / kind.lower())
            for kind in ("CONFIG", "DATA", "CACHE", "STATE")
        }
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  a fixed program, no shell
                [self._python, "-P", LAUNCHER, config, HOST, str(self.port)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"PATH": os.defpath, "LANG": "C.UTF-8", **home},
                cwd=self.folder,
            )
        assert self._process.stdin is not None  # noqa: S101  we asked for a pipe
        self._process.stdin.write(self.root.password.encode() + b"\n")
        self._process.stdin.flush()
        self._wait_until_healthy(self._process)

    def stop(self) -> None:
        """End it at once, as a power cut would; a second call does nothing."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        assert process.stdin is not None  # noqa: S101
        process.stdin.close()

    def restart(self) -> None:
        """End and start: the same address, database and secret, so tokens stay valid."""
        self.stop()
        self.start()

    def __enter__(self) -> "LocalServer":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _config(self) -> dict[str, object]:
        """All keys but api_path and jwt_secret_key are demanded by the server's own check."""
        return {
            "description": "oncokring",
            "ip": HOST,
            "port": self.port,
            "api_path": "/api",
            "uri": f"sqlite:///{self.folder.resolve() / 'server.sqlite'}",
            "allow_drop_all": False,
            # fixed, or every restart would end every session
            "jwt_secret_key": _kept(self.folder / "jwt.secret"),
            "logging": {
                "level": "INFO",
                "file": "vantage6.log",
                "use_console": True,
                "backup_count": 2,
                "max_size": 1024,
                "format": "%(asctime)s %(levelname)s %(message)s",
                "datefmt": "%Y-%m-%d %H:%M:%S",
            },
        }

    def _wait_until_healthy(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and process.poll() is None:
            if self._answers():
                return
            time.sleep(0.05)
        raise ServerError(f"The vantage6 server did not start; its log is {self.log}.")

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=5)
        try:
            connection.request("GET", "/api/version")
            return connection.getresponse().status == http.client.OK
        except OSError:
            return False
        finally:
            connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _kept(path: Path) -> str:
    """A secret of 256 bits, made once and kept in a file that only its owner reads."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32), encoding="ascii")
    return path.read_text(encoding="ascii")
