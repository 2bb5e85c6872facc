"""`oncokring site …`: what a hospital's administrator does on the hospital's own machine."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from federation.query.builtin import find_codebook, names
from federation.query.codebook import Codebook
from federation.query.errors import QueryError
from federation.site.cli_consent import COMMANDS as CONSENT_COMMANDS
from federation.site.cli_decide import decide
from federation.site.cli_notices import COMMANDS as NOTICE_COMMANDS
from federation.site.cli_prom import COMMANDS as PROM_COMMANDS
from federation.site.cli_steward import COMMANDS
from federation.site.cli_vantage6 import COMMANDS as VANTAGE6_COMMANDS
from federation.site.cli_words import FAILED, OK, WRONG_USE, or_stop, print_json, stop
from federation.site.errors import DataError, SetupError, one_line
from federation.site.files import read_given

_FOLDER = click.Path(path_type=Path)
_NAMED = click.Path(path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("site")
def site() -> None:
    """Set up, check and run a hospital's site."""


@site.command()
@click.argument("directory", type=_FOLDER)
@click.option("--slug", required=True, help="Short name of the hospital, as the network uses it.")
@click.option("--name", required=True, help="Full name of the hospital.")
@click.option("--network", required=True, help="Short name of the network.")
@click.option("--hub", required=True, help="Public key of the hub, from the network office.")
@click.option(
    "--kind",
    type=click.Choice(["csv", "parquet", "sqlite", "duckdb", "postgresql"]),
    default="csv",
)
@click.option("--data", default=None, help="The data file; not for PostgreSQL.")
@click.option("--dsn-file", default=None, help="File (0600) with the address of PostgreSQL.")
@click.option("--delimiter", default=None, help="Of a CSV file; a comma unless said otherwise.")
@click.option("--table", "tables", multiple=True, help="Table of a database.")
@click.option("--mapping", required=True, type=_NAMED, help="A mapping file, or a shipped one.")
@click.option("--policy", type=_FILE, default=None, help="Disclosure policy; strict without it.")
@click.option("--study", required=True, help="Short name of the study that is agreed here.")
@click.option("--codebook", required=True, type=_NAMED, help="A codebook file, or oncomin/1.")
@click.option("--requires", required=True, multiple=True, help="Consent item that is needed.")
@click.option("--approve", type=click.Choice(["committee", "here"]), default="committee")
def init(**given: Any) -> None:
    """Make DIRECTORY with fresh keys, and print what the network office needs to know."""
    from federation.disclosure.policy import Policy
    from federation.site.data.shipped import mapping_bytes
    from federation.site.directory import init_site

    source: dict[str, Any] = {"kind": given["kind"]}
    if given["data"] is not None:
        source["path"] = str(Path(given["data"]).resolve())
    if given["dsn_file"] is not None:
        source["dsn_file"] = str(Path(given["dsn_file"]).resolve())
    if given["delimiter"] is not None:
        source["delimiter"] = given["delimiter"]
    if given["tables"]:
        source["tables"] = list(given["tables"])
    file = given["policy"]
    policy = Policy.strict().to_yaml() if file is None else or_stop(lambda: read_given(file))
    directory = or_stop(
        lambda: init_site(
            given["directory"],
            slug=given["slug"],
            name=given["name"],
            network=given["network"],
            hub_public=given["hub"],
            source=source,
            mapping=mapping_bytes(given["mapping"]),
            policy=policy,
            studies={
                given["study"]: {
                    "codebook": _codebook(given["codebook"]),
                    "requires": list(given["requires"]),
                    "approve": given["approve"],
                }
            },
        )
    )
    print_json({directory.slug: directory.identity.to_dict()})
    click.echo("Send this to the network office; then pin its list of sites: site pin", err=True)


@site.command()
@click.argument("directory", type=_FOLDER)
@click.argument("peers", type=_FILE)
def pin(directory: Path, peers: Path) -> None:
    """Pin the network's list of sites (PEERS, a JSON file) in DIRECTORY."""
    from federation.site.directory import pin_peers
    from federation.site.settings import parse_peers, read_settings

    def checked() -> list[str]:
        settings = read_settings(directory)
        found = parse_peers(read_given(peers))
        if settings.slug not in found:
            raise SetupError(f"the list does not hold this site, {settings.slug}; ask for another.")
        pin_peers(directory, found)
        return sorted(found)

    print_json({"pinned": or_stop(checked)})


@site.command()
@click.argument("directory", type=_FOLDER)
@click.option("--codebook", type=_NAMED, default=None, help="Check against this codebook instead.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def check(directory: Path, codebook: Path | None, as_json: bool) -> None:
    """Show how well the data in DIRECTORY fit the codebook. Stays on this machine."""
    from federation.site.choices.state import to_do
    from federation.site.data.checking import reports as read_reports
    from federation.site.data.report import sentence
    from federation.site.directory import DATABASE_FILE
    from federation.site.tables import show_report

    try:
        book = None if codebook is None else _codebook(codebook)
        reports = or_stop(lambda: read_reports(directory, book))
    except DataError as error:
        stop(sentence(error), FAILED)
    if as_json:
        print_json([report.to_dict() for report in reports])
    else:
        for report in reports:
            show_report(report)
        for line in or_stop(lambda: to_do(directory / DATABASE_FILE)):
            click.echo(line, err=True)
    sys.exit(OK if all(report.usable for report in reports) else FAILED)


@site.command()
@click.argument("directory", type=_FOLDER)
def run(directory: Path) -> None:
    """Serve DIRECTORY over stdin and stdout, as the embedded engine does."""
    from federation.site.process import main

    sys.exit(main([str(directory)]))


@site.command()
@click.argument("directory", type=_FOLDER)
@click.option("--json", "as_json", is_flag=True, help="Print the state as JSON.")
def status(directory: Path, as_json: bool) -> None:
    """Show what DIRECTORY has answered, which consent it counts by, and whether its log holds."""
    from federation.site.steward.status import read_status
    from federation.site.tables import show_status

    found = or_stop(lambda: read_status(directory, datetime.now(UTC)))
    if as_json:
        print_json(found)
    else:
        show_status(found)
    sys.exit(OK if found["audit_intact"] else FAILED)


for _command in (
    *COMMANDS,
    *CONSENT_COMMANDS,
    decide,
    *NOTICE_COMMANDS,
    *PROM_COMMANDS,
    *VANTAGE6_COMMANDS,
):
    site.add_command(_command)


def _codebook(path: Path) -> Codebook:
    try:
        return find_codebook(path)
    except QueryError as error:
        stop(f"{path.name}: {error}", WRONG_USE)
    except OSError:
        known = ", ".join(names())
        stop(f"{one_line(str(path))} cannot be read; give a file, or one of: {known}.", WRONG_USE)
