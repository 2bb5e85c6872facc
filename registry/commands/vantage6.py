"""``oncokring vantage6``: set up, check and clear away the hub's side of a vantage6 server."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import click

from federation.engines.vantage6_client import Vantage6Client
from federation.engines.vantage6_keys import Connection
from federation.query.files import read_at_most
from registry import settings
from registry.commands.opening import now, open_hub_database, operator
from registry.database import SessionFactory
from registry.settings import LANGUAGES, Settings, Vantage6Settings
from registry.transaction import reading
from registry.vantage6 import doctor as looking
from registry.vantage6.findings import BAD, Finding, exit_code
from registry.vantage6.keys import MAX_PEM, BadKey, fingerprint, read_public, spoken
from registry.vantage6.leaving import remove as remove_site
from registry.vantage6.setup import Report, SetUp
from studies import service as studies

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)
Command = TypeVar("Command", bound=Callable[..., Any])


def _administrator(command: Command) -> Command:
    """The options that say as whom the server's own things are changed."""
    for option in (
        click.option(
            "--admin-password-file",
            type=_FILE,
            help="File with that user's password; asked for without it.",
        ),
        click.option(
            "--admin",
            default="root",
            show_default=True,
            help="User of the vantage6 server who may make organisations and users.",
        ),
    ):
        command = option(command)
    return command


@click.group()
def vantage6() -> None:
    """The vantage6 server that carries messages between hub and hospitals."""


@vantage6.command()
@_administrator
@click.option("--site", "only", multiple=True, help="Only this hospital; may be repeated.")
@click.option(
    "--public-key",
    "public_keys",
    multiple=True,
    metavar="SITE=FILE",
    help="The file keys/vantage6.pub that a hospital sent. Compare its number by phone first.",
)
@click.option(
    "--new-key",
    "new_keys",
    multiple=True,
    metavar="SITE",
    help="Make a new key for this hospital's node; the old one ends. Also accepts a new --public-"
    "key.",
)
@click.option("--out", type=_FOLDER, help="Write each hospital's file and page here, mode 0600.")
@click.option("--lang", type=click.Choice(LANGUAGES), help="Language of the pages; default ours.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON on stdout.")
def setup(
    admin: str,
    admin_password_file: Path | None,
    only: Sequence[str],
    public_keys: Sequence[str],
    new_keys: Sequence[str],
    out: Path | None,
    lang: str | None,
    as_json: bool,
) -> None:
    """Make on the server what is missing: organisations, collaboration, nodes, the hub's user.

    What is there stays. The key of a new node is shown once, here or in the files of --out.
    """
    whole, chosen = _settings()
    factory = open_hub_database()
    sites = _sites(factory, only)
    _check_names([*new_keys], sites)
    pems = dict(_public_key(text, sites) for text in public_keys)
    with closing(_client(chosen, admin, admin_password_file)) as server:
        working = SetUp(server, chosen, factory, domain=whole.host, by=operator(), now=now())
        try:
            report = working.run(sites, pems, new_keys)
        except Exception:
            # Keys that were made before the failure would be lost otherwise.
            _show(working.report, out, lang or whole.language, as_json)
            raise
    for slug, pem in pems.items():
        click.echo(f"accepted for {slug}: {spoken(fingerprint(pem))}", err=True)
    _show(report, out, lang or whole.language, as_json)


@vantage6.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON on stdout.")
def doctor(as_json: bool) -> None:
    """Look at versions, clocks, keys and nodes, and say what to change.

    Exit code 0: all is well; 1: something does not work; 4: something is missing.
    """
    _whole, chosen = _settings()
    with reading(open_hub_database()) as session:
        known = looking.Known.read(session, chosen.url)
        session.expunge_all()
    found = list(looking.Doctor(chosen, known, now).findings())
    code = exit_code(found)
    if as_json:
        listed = [each.to_dict() for each in found]
        click.echo(json.dumps({"version": 1, "ok": code == 0, "findings": listed}, indent=1))
    else:
        for each in found:
            _say(each)
    bad = sum(each.state == BAD for each in found)
    click.echo(
        {
            0: "All is well.",
            1: f"{bad} of {len(found)} do not work; the lines behind => say what to change.",
            4: "It works, as far as it goes; the lines behind => say what to look at.",
        }[code],
        err=True,
    )
    sys.exit(code)


@vantage6.command()
@click.argument("site")
@_administrator
def remove(site: str, admin: str, admin_password_file: Path | None) -> None:
    """Take the hospital SITE off the server: its node and its key end at once."""
    _whole, chosen = _settings()
    factory = open_hub_database()
    with closing(_client(chosen, admin, admin_password_file)) as server:
        remove_site(server, chosen, factory, site, operator())
    click.echo(f"{site} is no longer on the vantage6 server.", err=True)


def _settings() -> tuple[Settings, Vantage6Settings]:
    whole = settings.from_environ()
    if whole.vantage6 is None:
        raise click.UsageError(
            "ONCOKRING_VANTAGE6_URL is not set, so there is no vantage6 server to look at. Set it "
            "to the server's address."
        )
    return whole, whole.vantage6


def _sites(factory: SessionFactory, only: Sequence[str]) -> dict[str, str]:
    """The present hospitals of all networks, or the named ones: slug to name."""
    with reading(factory) as session:
        found = {
            each.slug: each.name
            for network in studies.list_networks(session)
            for each in studies.list_institutions(session, network.slug, now())
        }
    if not found:
        raise click.UsageError(
            "This hub knows no hospitals yet. Load a network first: oncokring network load NAME"
        )
    _check_names(only, found)
    return {slug: name for slug, name in found.items() if not only or slug in only}


def _check_names(names: Sequence[str], sites: dict[str, str]) -> None:
    for name in names:
        if name not in sites:
            raise click.UsageError(
                f"There is no hospital '{name}' here; see the names with: oncokring network sites"
            )


def _public_key(text: str, sites: dict[str, str]) -> tuple[str, bytes]:
    slug, equals, name = text.partition("=")
    if not equals:
        raise click.UsageError("--public-key must look like SITE=FILE.")
    _check_names([slug], sites)
    try:
        return slug, read_public(read_at_most(Path(name), MAX_PEM), name)
    except OSError as error:
        raise click.UsageError(f"{name} cannot be read; give the hospital's file.") from error
    except BadKey as error:
        raise click.UsageError(str(error)) from error


def _client(chosen: Vantage6Settings, user: str, file: Path | None) -> Vantage6Client:
    made = Vantage6Client(
        Connection(chosen.url, user, _password(user, file), ca_file=chosen.ca_file)
    )
    made.authenticate()
    return made


def _password(user: str, file: Path | None) -> str:
    if file is None:
        asked: str = click.prompt(f"Password of {user}", hide_input=True, err=True)
        return asked
    try:
        return read_at_most(file, 1000).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{file.name} holds no password that can be read.") from error


def _show(report: Report, out: Path | None, language: str, as_json: bool) -> None:
    """Words to stderr, pages and file names to stdout. A node's key is never shown twice."""
    for words, lines in (
        ("made", report.made),
        ("there already", report.kept),
        ("waiting for", report.waiting),
    ):
        for line in lines:
            click.echo(f"{words}: {line}", err=True)
    files = {
        each.slug: [str(path) for path in each.write(out, language)]
        for each in report.invitations
        if out is not None
    }
    if as_json:
        invitations = [] if out is not None else [each.to_dict() for each in report.invitations]
        click.echo(
            json.dumps(
                {
                    "version": 1,
                    "made": report.made,
                    "kept": report.kept,
                    "waiting": report.waiting,
                    "files": files,
                    "invitations": invitations,
                },
                indent=1,
            )
        )
        return
    for each in report.invitations:
        click.echo("\n".join(files[each.slug]) if out is not None else each.page(language))


def _say(finding: Finding) -> None:
    where = f"{finding.about}: " if finding.about else ""
    click.echo(f"{finding.state:<5} {finding.code:<15} {where}{finding.sentence}")
    if finding.change and finding.state != "good":
        click.echo(f"{'':<21} => {finding.change}")
