"""A small SMTP server on this machine: keeps what it takes, and is as bad as a test likes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from email import message_from_bytes
from email.message import Message


class SmtpServer:
    """From ``with`` to its end. ``answers``: command -> what is said in place of the usual.

    ``at``: called with a command before it is answered ("END" after the last line of a text, before
    it is said that it was taken), so that a test can stop the world there.
    """

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.at: Callable[[str], None] = lambda command: None
        self.taken: list[Message] = []
        self.to: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"smtp://127.0.0.1:{self.port}"

    def __enter__(self) -> SmtpServer:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError), near.makefile("rwb") as lines:

            def say(text: str) -> None:
                lines.write(text.encode() + b"\r\n")
                lines.flush()

            say("220 here")
            to = ""
            for line in lines:
                command = line.split()[0].decode().upper() if line.split() else ""
                self.at(command)
                if command in self.answers:
                    say(self.answers[command])
                    continue
                if command == "RCPT":
                    to = line.decode().partition("<")[2].partition(">")[0]
                if command != "DATA":
                    say("250 fine")
                    continue
                say("354 go on")
                text = b""
                while (part := lines.readline()) not in (b".\r\n", b""):
                    text += part[1:] if part.startswith(b"..") else part
                if not part:
                    return
                self.taken.append(message_from_bytes(text))
                self.to.append(to)
                self.at("END")
                say(self.answers.get("END", "250 taken"))
