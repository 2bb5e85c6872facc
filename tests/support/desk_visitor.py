"""A browser at the desk of a hospital, over a real socket: what it sends is in the test's hands."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from federation.site.desk.server import DeskServer


class Visitor:
    """A browser at a desk: keeps its cookie, and sends what a browser sends with a form."""

    def __init__(self, server: DeskServer) -> None:
        self.server = server
        self.host = f"127.0.0.1:{server.server_port}"
        self.cookie = ""

    def send(
        self, method: str, path: str, headers: Mapping[str, str | None], body: bytes | None = None
    ) -> tuple[int, Any, str]:
        usual = {"Host": self.host, "Cookie": self.cookie or None}
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=20)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in {**usual, **headers}.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(body)
        reply = connection.getresponse()
        found = reply.status, reply.headers, reply.read().decode("utf-8", "replace")
        connection.close()
        return found

    def open(self, code: str | None = None) -> tuple[int, Any, str]:
        code = self.server.gate.start_code if code is None else code
        found = self.send("GET", f"/{self.server.word}/open/{code}", {})
        if (cookie := found[1]["Set-Cookie"]) is not None:
            self.cookie = cookie.partition(";")[0]
        return found

    def get(self, place: str, **headers: str | None) -> tuple[int, Any, str]:
        return self.send("GET", f"/{self.server.word}/{place}", headers)

    def key(self, place: str = "start") -> str:
        found = re.search(r'name="key" value="([^"]+)"', self.get(place)[2])
        assert found is not None
        return found[1]

    def post(
        self, place: str, fields: Mapping[str, Any], key: str | None = None, **headers: str | None
    ) -> tuple[int, Any, str]:
        body = urlencode({"key": self.key() if key is None else key, **fields}, doseq=True).encode()
        usual = {
            "Origin": f"http://{self.host}",
            "Sec-Fetch-Site": "same-origin",
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Length": str(len(body)),
        }
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send("POST", f"/{self.server.word}/{place}", {**usual, **given}, body)

    def follow(self, reply: tuple[int, Any, str]) -> str:
        """The page after an act."""
        assert reply[0] == 303, reply
        status, _, page = self.send("GET", reply[1]["Location"], {})
        assert status == 200
        return page


@contextmanager
def desk(path: Path, by: str = "Anna de Vries") -> Iterator[Visitor]:
    server = DeskServer(path, by)
    thread = threading.Thread(target=server.serve, name=by, daemon=True)
    thread.start()
    visitor = Visitor(server)
    visitor.open()
    try:
        yield visitor
    finally:
        server.over = True
        thread.join(10)
        server.end()
