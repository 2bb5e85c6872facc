"""The demo's web pages, on this machine only."""

import secrets
import socket
from pathlib import Path

from rich.console import Console
from werkzeug.serving import make_server

from registry.app import create_app
from registry.demo.printing import print_sign_in
from registry.demo.running import RunningDemo
from registry.settings import DemoPerson, Settings

HOST = "127.0.0.1"


def serve_pages(running: RunningDemo, folder: Path, port: int, out: Console) -> None:
    """Serve until Ctrl-C. When `port` is taken, another free one is used and printed."""
    network = running.network
    port = _free(port)
    address = f"http://{HOST}:{port}"
    settings = Settings(
        secret_key=secrets.token_urlsafe(48),
        data=folder,
        database_url=f"sqlite:///{folder / 'hub.sqlite'}",
        address=address,
        sites=folder / "sites",
        demo_people=tuple(
            DemoPerson(a.name, a.shown, a.role, a.password, a.totp_secret) for a in network.accounts
        ),
    )
    app = create_app(settings, factory=network.factory)
    server = make_server(HOST, port, app, threaded=True)
    print_sign_in(out, network, address)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        out.print("Stopped.")
    finally:
        server.server_close()


def _free(port: int) -> int:
    """`port` itself when nobody listens there, otherwise one that is free now."""
    for candidate in (port, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on this machine")
