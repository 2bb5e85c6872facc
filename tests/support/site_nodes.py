"""Real hospitals as nodes of a real vantage6 server, the hub in plain requests, a line to cut."""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hospitals
import pytest
from vantage6.common.encryption import DummyCryptor, RSACryptor
from vantage6_lab import Administrator, Collaboration, Member, collaboration, server

from federation.carriage.wire import (
    ALLOW_UNENCRYPTED,
    IMAGE,
    decode_result,
    encode_input,
    task_name,
)
from federation.query.model import Query
from federation.site.directory import SiteDirectory
from federation.site.program import SiteProgram
from federation.site.vantage6.connect import Node
from federation.site.vantage6.node import SiteClient
from federation.site.vantage6.settings import (
    PRIVATE_KEY_FILE,
    join,
    read_node_settings,
)

ROOT = Path(__file__).parents[2]
SECONDS = 30.0
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ [A-Z][A-Z0-9_]*\n")


def wait_for(what: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """What `what` gives as soon as it is true; the test fails when it stays false."""
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)
    return found


def journal(path: Path) -> list[tuple[str, bytes]]:
    """The code and the bytes of every reply that the site in `path` wrote down, oldest first."""
    database = sqlite3.connect(path / "site.sqlite")
    rows = database.execute("SELECT code, reply FROM journal ORDER BY rowid").fetchall()
    database.close()
    return rows


class Hub:
    """The hub's user on the vantage6 server, without any of our own code for it."""

    def __init__(self, together: Collaboration) -> None:
        self.together = together
        self.user = Administrator(together.url, together.user)
        self.cryptor = (
            type("HubKey", (RSACryptor,), {})(together.hub.key_file)
            if together.encrypted
            else type("NoKey", (DummyCryptor,), {})()
        )

    def post(
        self,
        site: Member,
        message: bytes,
        *,
        image: str = IMAGE,
        clear: bytes | None = None,
        user: Administrator | None = None,
    ) -> int:
        """A task for one site, by its number. clear: this input instead of the message."""
        given = self.cryptor.encrypt_bytes_to_str(
            encode_input(message) if clear is None else clear, site.key.on_the_server
        )
        task = (user or self.user).post(
            "task",
            name=task_name(os.urandom(16).hex()),
            image=image,
            description="",
            collaboration_id=self.together.id,
            organizations=[{"id": site.organization, "input": given}],
            databases=[],
        )
        return int(task["id"])

    def run(self, task: int) -> dict[str, Any]:
        (found,) = self.user.get("run", task_id=task)["data"]
        return dict(found)

    def ended(self, task: int, seconds: float = SECONDS) -> dict[str, Any]:
        """The run of a task when it has ended, with its result as the server keeps it."""
        run = wait_for(lambda: (f := self.run(task))["finished_at"] and f, seconds)
        (result,) = self.user.get("result", task_id=task)["data"]
        return {**run, "result": result["result"]}

    def answer(self, task: int, seconds: float = SECONDS, log: str | None = None) -> bytes:
        """The site's signed reply to a task, and nothing in its log but `log`."""
        run = self.ended(task, seconds)
        assert (run["status"], run["log"]) == ("completed", log)
        reply, _ = decode_result(self.cryptor.decrypt(run["result"]))
        assert reply is not None
        return reply

    def node(self, site: Member) -> dict[str, Any]:
        return next(
            dict(node)
            for node in self.user.get("node", per_page=100)["data"]
            if node["organization"]["id"] == site.organization
            and node["collaboration"]["id"] == self.together.id
        )


class Running:
    """A site as a node in a thread of this process, as `oncokring site connect` runs it."""

    def __init__(self, path: Path, *, bucket: float = 0.0) -> None:
        self.lines: list[str] = []
        self.code: int | None = None
        self.client = SiteClient(read_node_settings(path))
        self._path, self._bucket = path, bucket
        self._made = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        assert self._made.wait(SECONDS)

    def _serve(self) -> None:
        program = SiteProgram(SiteDirectory.load(self._path))
        self.node = Node(
            program,
            self.client,
            self.lines.append,
            bucket_seconds=self._bucket,
            poll_seconds=read_node_settings(self._path).poll_seconds,
        )
        self._made.set()
        try:
            self.code = self.node.stay()
        finally:
            program.close()
            self.client.close()

    def says(self, code: str, times: int = 1) -> None:
        wait_for(lambda: self.lines.count(code) >= times)

    def stop(self) -> int | None:
        self.node.end()
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()
        return self.code

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Process:
    """`python -m federation.site.vantage6.connect` as a process of its own."""

    def __init__(self, path: Path, *options: str, crash: str = "") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "federation.site.vantage6.connect", *options, str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **({"ONCOKRING_CRASH": crash} if crash else {})},
        )

    def says(self, code: str) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            assert LINE.fullmatch(line), line
            if line.endswith(f" {code}\n"):
                return
        raise AssertionError(f"ended without {code}")

    def ended(self) -> tuple[int, str, str]:
        out, errors = self._process.communicate(timeout=SECONDS)
        return self._process.returncode, out, errors

    def terminate(self) -> tuple[int, str, str]:
        self._process.terminate()
        return self.ended()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        """A test that failed leaves nothing behind."""
        self._process.kill()
        self._process.communicate()


class Wire:
    """A TCP line to the server that can be cut, and grow silent, and be mended."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._ends: list[socket.socket] = []
        self._silent = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def cut(self) -> None:
        """Every connection breaks, and new ones are refused."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # or a waiting accept() goes on
        self._listener.close()
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        if self._silent:
            self.cut()
            self._silent = False
        self._listener = wait_for(self._listening)
        threading.Thread(target=self._accept, daemon=True).start()

    def silence(self) -> None:
        """Connections stay and nothing passes, as behind a firewall that forgot them."""
        self._silent = True

    def close(self) -> None:
        self.cut()
        for end in self._ends:
            end.close()

    def _listening(self) -> socket.socket | None:
        with contextlib.suppress(OSError):
            return socket.create_server(("127.0.0.1", self.port))
        return None

    def _accept(self) -> None:
        listener = self._listener
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                try:
                    far = socket.create_connection(self._target)
                except OSError:  # the server is away
                    near.close()
                    continue
                self._ends += [near, far]
                threading.Thread(target=self._pass_on, args=(near, far), daemon=True).start()

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                for end in select.select([near, far], [], [], 0.5)[0]:
                    data = end.recv(65536)
                    if not data:
                        near.shutdown(socket.SHUT_RDWR)
                        far.shutdown(socket.SHUT_RDWR)
                        return
                    if not self._silent:
                        (far if end is near else near).sendall(data)


class Lab:
    """A network of hospitals that joined one collaboration."""

    def __init__(self, folder: Path, *, encrypted: bool = True) -> None:
        slugs = [f"h{n}" for n in range(3)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(hospitals, "START", datetime.now(UTC))
            self.net = hospitals.Net(
                folder, {slug: hospitals.patients(slug, 60, seed=n) for n, slug in enumerate(slugs)}
            )
        self.net.close()
        self.together = collaboration(folder, slugs, encrypted=encrypted)
        self.hub = Hub(self.together)
        self.folder = folder
        for slug in slugs:
            self.join(slug)

    def invitation(self, slug: str, **other: Any) -> dict[str, Any]:
        """What the network office sends a hospital."""
        together = self.together
        return {
            "url": f"{together.url}/api",
            "collaboration": together.id,
            "organization": together.sites[slug].organization,
            "hub_organization": together.hub.organization,
            "slug": slug,
            "api_key": together.sites[slug].api_key,
            "encrypted": together.encrypted,
            "hub_key_sha256": together.hub.key.fingerprint if together.encrypted else "",
            **other,
        }

    def join(self, slug: str, **other: Any) -> None:
        """With the key that the office put on the server, which saves making a second one."""
        path = self.path(slug)
        key = path / PRIVATE_KEY_FILE
        if self.together.encrypted and not key.exists():
            key.touch(0o600)
            key.write_bytes(self.together.sites[slug].key.private)
        words = "" if self.together.encrypted else ALLOW_UNENCRYPTED
        join(path, self.invitation(slug, **other), allow_unencrypted=words)

    def path(self, slug: str) -> Path:
        return self.folder / slug

    def set(self, slug: str, **values: Any) -> None:
        """Change keys of a site's vantage6.toml."""
        file = self.path(slug) / "vantage6.toml"
        text = file.read_text("utf-8")
        for key, value in values.items():
            text = re.sub(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.MULTILINE)
        file.write_text(text, "utf-8")

    def message(self, slug: str, query: Mapping[str, Any] | Query | None = None) -> bytes:
        """A question of the hub to one site, as the first step of a run of its own."""
        if not isinstance(query, Query):
            query = self.net.query(query or {"kind": "count"})
        plan = self.net.plan(query)
        return self.net.driver(replace(plan)).messages(datetime.now(UTC))[slug]

    def close(self) -> None:
        self.hub.user.close()


@contextlib.contextmanager
def a_lab(folder: Path, *, encrypted: bool = True) -> Iterator[Lab]:
    lab = Lab(folder, encrypted=encrypted)
    try:
        yield lab
    finally:
        lab.close()


def root() -> Administrator:
    """The administrator of the server."""
    return Administrator(server().url, server().root)
