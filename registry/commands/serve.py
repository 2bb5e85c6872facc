"""``oncokring serve``: the hub under gunicorn, one process with threads."""

from __future__ import annotations

import logging
from typing import Any

import click
from flask import Flask

from registry import settings
from registry.app import create_app
from registry.commands.opening import open_hub_database

THREADS = 24
GRACE_S = 25


@click.command()
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", default=8000, type=click.IntRange(1, 65535))
def serve(host: str, port: int) -> None:
    """Serve the hub's pages and API."""
    chosen = settings.from_environ()
    factory = open_hub_database()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    app = create_app(chosen, factory=factory)
    click.echo(f"Oncokring listens on http://{host}:{port}", err=True)
    if chosen.debug:
        app.run(host=host, port=port, debug=True, use_reloader=False, threaded=True)
    else:
        run_gunicorn(app, host, port)


def run_gunicorn(app: Flask, host: str, port: int) -> None:
    """Run until SIGTERM; requests under way get 25 seconds."""
    from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

    class Server(BaseApplication):  # type: ignore[misc, unused-ignore]
        def load_config(self) -> None:
            options: dict[str, Any] = {
                "bind": f"{host}:{port}",
                "workers": 1,
                "worker_class": "gthread",
                "threads": THREADS,
                "graceful_timeout": GRACE_S,
                "timeout": 60,
                "limit_request_line": 4094,
                "limit_request_fields": 64,
                "errorlog": "-",
                "loglevel": "warning",
                "control_socket_disable": True,
            }
            for name, value in options.items():
                if name in self.cfg.settings:
                    self.cfg.set(name, value)

        def load(self) -> Flask:
            return app

    Server().run()
