"""The demo's web pages, on this machine only."""

import secrets
from pathlib import Path

from rich.console import Console
from werkzeug.serving import make_server

from registry.app import create_app
from registry.demo.printing import print_sign_in
from registry.demo.running import RunningDemo
from registry.settings import Settings

HOST = "127.0.0.1"


def serve_pages(running: RunningDemo, folder: Path, port: int, out: Console) -> None:
    """Serve until Ctrl-C. When `port` is taken, another free one is used and printed."""
    network = running.network
    settings = Settings(
        secret_key=secrets.token_urlsafe(48),
        data=folder,
        database_url=f"sqlite:///{folder / 'hub.sqlite'}",
        address=f"http://{HOST}:{port}",
        sites=folder / "sites",
    )
    app = create_app(settings, factory=network.factory)
    try:
        server = make_server(HOST, port, app, threaded=True)
    except (OSError, SystemExit):
        server = make_server(HOST, 0, app, threaded=True)
    print_sign_in(out, network, f"http://{HOST}:{server.server_port}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        out.print("Stopped.")
    finally:
        server.server_close()
