"""``oncokring worker``: carries questions and consent between hub and sites."""

from __future__ import annotations

import logging
import signal
import threading

import click

from registry import settings
from registry import worker as program
from registry.commands.opening import open_hub_database
from registry.database import utc_now
from registry.hub_keys import hub_key, published_keys
from registry.mail.postman import Postman


@click.command()
@click.option("--public-key", is_flag=True, help="Only print the hub's public key, for site init.")
def worker(public_key: bool) -> None:
    """Carry questions and consent, until SIGTERM."""
    chosen = settings.from_environ()
    key = hub_key(chosen)
    if public_key:
        click.echo(key.public)
        return
    published_keys(chosen, utc_now())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    factory = open_hub_database()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    engine = program.make_engine(chosen, factory)
    postman = None if chosen.mail is None else Postman(factory, chosen.mail, chosen.address)
    if postman is not None:
        postman.start()
    click.echo("The worker runs.", err=True)
    try:
        program.run(factory, engine, key, stop, name=chosen.engine)
    finally:
        if postman is not None:
            postman.close()
        engine.close()
