"""Starts the real vantage6 server 4.15 in its own environment, unchanged but for five repairs.

    python vantage6_launcher.py server.yaml 127.0.0.1 5601  < password-of-root

Runs under the Python of ``.venv-vantage6`` and imports nothing of ours. Standard input holds one
line, the password that the root user gets when the database is new, and stays open for as long as
the server is wanted: when it closes, however the starter ended, the server ends too.

1. Python 3.11 changed how an enum that is also a string is written in an f-string, and vantage6
   builds the names of its permissions that way (``'RuleCollection' object has no attribute
   'v_glo'``; upstream supports 3.10 only, vantage6 issue 1722). Both enums get the old way back
   before the server is made.
2. The root user never has the default password, not even for a moment.
3. bcrypt gets 16 rounds in place of 4096. A node logs in by trying its key against every node, a
   quarter of a second each, which for ten nodes holds this one-process server up for 14 seconds.
   Slow hashes protect guessable passwords; every secret of a local server is random (128 bits).
4. An answer leaves at once: without TCP_NODELAY each waits 40 ms for the other side's confirmation.
5. SQLite does not wait for the disk. The server writes who was last seen on every request, 10 ms
   each. What a kill leaves behind is whole all the same; a power cut may cost the last moments.
"""

import functools
import importlib
import os
import socket
import sys
from typing import Any

#: The exponent of 16; bcrypt takes no less.
ROUNDS = 4


def keep_names_of_permissions() -> None:
    """Repair 1, on the two enums from which names are built."""
    rule = importlib.import_module("vantage6.server.model.rule")
    for enum in (rule.Operation, rule.Scope):
        enum.__str__ = lambda self: str.__str__(self.value)
        enum.__format__ = lambda self, how: str.__format__(self.value, how)


def end_with_standard_input() -> None:
    """No server outlives whoever started it. Waits in gevent's own pool of real threads."""
    gevent = importlib.import_module("gevent")
    tp_read = importlib.import_module("gevent.os").tp_read

    def wait() -> None:
        while tp_read(0, 1024):
            pass
        os._exit(0)

    gevent.spawn(wait)


def answer_at_once() -> None:
    """Repair 4: sockets that are accepted inherit the option from the one that listens."""
    pywsgi = importlib.import_module("gevent.pywsgi")
    init_socket = pywsgi.WSGIServer.init_socket

    def without_waiting(self: Any) -> None:
        init_socket(self)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    pywsgi.WSGIServer.init_socket = without_waiting


def do_not_wait_for_the_disk() -> None:
    """Repair 5, on every connection to the database."""
    sqlalchemy = importlib.import_module("sqlalchemy")
    engine = importlib.import_module("sqlalchemy.engine").Engine

    def connected(connection: Any, _: object) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")

    sqlalchemy.event.listen(engine, "connect", connected)


def main(config: str, host: str, port: int) -> None:
    password = sys.stdin.buffer.readline().strip()
    server = importlib.import_module("vantage6.server")  # patches the sockets on import
    bcrypt = importlib.import_module("bcrypt")
    keep_names_of_permissions()
    vars(bcrypt)["gensalt"] = functools.partial(bcrypt.gensalt, ROUNDS)
    os.environ["V6_INIT_SUPER_PASS_HASHED"] = bcrypt.hashpw(password, bcrypt.gensalt()).decode()
    end_with_standard_input()
    answer_at_once()
    do_not_wait_for_the_disk()
    application = server.run_server(config, system_folders=False)
    server.run_dev_server(application, host=host, port=port)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
