"""A vantage6 server that cheats: a proxy in front of the real one, whose rules may change, drop,
repeat or make up anything that passes. What it can do, whoever runs a vantage6 server can do."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Exchange:
    """One request and, once it is there, its answer; a rule may change either."""

    method: str
    path: str  # without /api/ and query
    query: dict[str, str]
    body: Any
    status: int = 0
    answer: Any = None
    lost: bool = False  # the answer does not arrive

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of an answer that is a list or a single object."""
        if not isinstance(self.answer, dict):
            return []
        data = self.answer.get("data", [self.answer])
        return data if isinstance(data, list) else []


#: Sees an exchange before it is passed on (status 0: may answer by itself) and after.
Rule = Callable[[Exchange], None]


@dataclass
class HostileServer:
    """Runs from ``with`` to its end; honest while ``rules`` is empty."""

    port: int  # of the real server
    rules: list[Rule] = field(default_factory=list)
    seen: list[tuple[str, str]] = field(default_factory=list)
    bytes_seen: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextlib.contextmanager
    def cheating(self, *rules: Rule) -> Iterator[None]:
        self.rules.extend(rules)
        try:
            yield
        finally:
            for rule in rules:
                self.rules.remove(rule)

    def count(self, method: str, path: str) -> int:
        return self.seen.count((method, path))

    def __enter__(self) -> HostileServer:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_: Any) -> None:
                pass

            def _any(self) -> None:
                with contextlib.suppress(ConnectionError, http.client.HTTPException):
                    outer._handle(self)

            do_GET = do_POST = do_PATCH = do_DELETE = _any

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length)
        parts = urlsplit(handler.path)
        if not parts.path.startswith("/api/"):  # the events' line passes as it is
            if handler.headers.get("Upgrade"):
                handler.send_error(400)
                return
            self._send(handler, *self._ask(handler, handler.path, body))
            return
        exchange = Exchange(
            str(handler.command),
            parts.path.removeprefix("/api/"),
            {name: values[0] for name, values in parse_qs(parts.query).items()},
            json.loads(body) if body else None,
        )
        self.seen.append((exchange.method, exchange.path))
        self.bytes_seen.append(body)
        for rule in list(self.rules):
            rule(exchange)
        if not exchange.status and not exchange.lost:
            sent = json.dumps(exchange.body).encode() if body else b""
            status, kind, data = self._ask(handler, handler.path, sent)
            self.bytes_seen.append(data)
            exchange.status = status
            exchange.answer = json.loads(data) if "json" in kind else None
            for rule in list(self.rules):
                rule(exchange)
        if exchange.lost:
            handler.close_connection = True
            return
        self._send(
            handler, exchange.status, "application/json", json.dumps(exchange.answer).encode()
        )

    def _ask(
        self, handler: BaseHTTPRequestHandler, path: str, body: bytes
    ) -> tuple[int, str, bytes]:
        kept = {"authorization", "content-type", "accept"}
        headers = {name: value for name, value in handler.headers.items() if name.lower() in kept}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(str(handler.command), path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type") or "", answer.read()
        finally:
            connection.close()

    @staticmethod
    def _send(handler: BaseHTTPRequestHandler, status: int, kind: str, data: bytes) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)
