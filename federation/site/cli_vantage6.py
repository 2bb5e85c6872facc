"""`oncokring site join | connect | doctor | link`: a site as a node of a vantage6 server."""

import signal
import sys
from pathlib import Path

import click

from federation.site.cli_words import FAILED, or_stop, print_json, stop

_FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("directory", type=_FOLDER)
@click.argument("file", type=_FOLDER)
@click.option("--allow-unencrypted", default="", help="The sentence that accepts it, in full.")
def join(directory: Path, file: Path, allow_unencrypted: str) -> None:
    """Set DIRECTORY up for the vantage6 server of FILE, which the network office sent."""
    from federation.site.vantage6.settings import join as joined
    from federation.site.vantage6.settings import read_given_file, read_node_settings

    given = or_stop(lambda: read_given_file(file))
    public = or_stop(lambda: joined(directory, given, allow_unencrypted=allow_unencrypted))
    settings = or_stop(lambda: read_node_settings(directory))
    print_json(
        {
            "url": settings.url,
            "encrypted": settings.encrypted,
            "public_key_sha256": settings.public_sha256,
            "hub_key_sha256": settings.hub_key_sha256,
        }
    )
    if public is not None:
        click.echo(
            f"Send {public.name} to the network office and compare both fingerprints by phone; "
            "then: oncokring site connect",
            err=True,
        )
    click.echo("The file holds the node's key: destroy it now.", err=True)


@click.command()
@click.argument("directory", type=_FOLDER)
@click.option("--once", is_flag=True, help="Answer what waits now, then end.")
def connect(directory: Path, once: bool) -> None:
    """Answer the hub's messages through the vantage6 server, until SIGTERM; prints codes."""
    from federation.site.vantage6.connect import main

    sys.exit(main([str(directory), *(["--once"] if once else [])]))


@click.command()
@click.argument("directory", type=_FOLDER)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option(
    "--node-config", type=_FOLDER, default=None, help="Configuration of a stock vantage6 node."
)
def doctor(directory: Path, as_json: bool, node_config: Path | None) -> None:
    """Look at everything between DIRECTORY and the vantage6 server, and say what to change."""
    from federation.site.silence import be_silent
    from federation.site.vantage6.doctor import BAD, GOOD, WARN, look

    be_silent()
    findings = list(or_stop(lambda: list(look(directory, node_config))))
    if as_json:
        print_json([each.to_dict() for each in findings])
    else:
        signs = {GOOD: "ok   ", WARN: "look ", BAD: "WRONG"}
        for each in findings:
            click.echo(f"{signs[each.state]} {each.code}: {each.sentence}")
            if each.change:
                click.echo(f"      {each.change}")
    states = {each.state for each in findings}
    sys.exit(FAILED if BAD in states else 4 if WARN in states else 0)


@click.command()
@click.argument("directory", type=_FOLDER)
@click.option("--host", default="0.0.0.0", help="Address to listen on.")  # noqa: S104  a container
@click.option("--port", default=7700, show_default=True, help="Port to listen on.")
def link(directory: Path, host: str, port: int) -> None:
    """Serve DIRECTORY to the algorithm containers of a stock vantage6 node, until SIGTERM."""
    from federation.site.silence import be_silent
    from federation.site.vantage6.link import Link, run

    be_silent()

    def on_end(made: Link) -> None:
        signal.signal(signal.SIGTERM, made.end)
        signal.signal(signal.SIGINT, made.end)

    try:
        sys.exit(or_stop(lambda: run(directory, host, port, sys.stdout, on_end)))
    except OSError:
        stop(f"LINK_PORT: port {port} cannot be opened here; choose another one.", FAILED)


COMMANDS = (join, connect, doctor, link)
