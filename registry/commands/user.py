"""``oncokring user``: accounts and roles, from the server's own command line.

There is no default account: the first one is made here.
"""

from __future__ import annotations

import io
import json
import secrets as random
import sys
from typing import Any

import click
import qrcode

from registry.accounts import secrets, service
from registry.accounts.models import Account
from registry.commands.opening import now, open_hub_database, operator
from registry.transaction import reading, unit_of_work


@click.group()
def user() -> None:
    """Accounts and roles."""


@user.command()
@click.argument("name")
@click.option("--display-name", default="", help="Name that others see.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    help="ROLE@network, @site:SLUG, @study:SLUG, @group:NETWORK.SLUG",
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--json", "as_json", is_flag=True, help="Print name, password and address as JSON.")
def add(
    name: str, display_name: str, roles: tuple[str, ...], password_stdin: bool, as_json: bool
) -> None:
    """Add an account with a password and a one-time-code app.

    Without --password-stdin a password is made and printed once.
    """
    password = sys.stdin.readline().rstrip("\n") if password_stdin else random.token_urlsafe(12)
    totp_secret = secrets.new_totp_secret()
    by = operator()
    with unit_of_work(open_hub_database(), by) as session:
        account = service.add_account(
            session,
            name=name,
            display_name=display_name or name,
            password=password,
            totp_secret=totp_secret,
            by=by,
            now=now(),
        )
        for held in roles:
            role, _, scope = held.partition("@")
            service.grant_role(
                session, account, role=role, scope=scope or "network", by=by, now=now()
            )
    _show(account.name, None if password_stdin else password, totp_secret, as_json)


@user.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True)
def reset(name: str, as_json: bool) -> None:
    """Give an account a new password and a new one-time-code seed; its sessions end."""
    password, totp_secret = random.token_urlsafe(12), secrets.new_totp_secret()
    by = operator()
    with unit_of_work(open_hub_database(), by) as session:
        account = service.find_account(session, name)
        service.change_secrets(session, account, by=by, password=password, totp_secret=totp_secret)
    _show(account.name, password, totp_secret, as_json)


@user.command("list")
@click.option("--json", "as_json", is_flag=True)
def list_(as_json: bool) -> None:
    """All accounts with state and roles."""
    moment = now()
    with reading(open_hub_database()) as session:
        rows = [_row(account) for account in service.list_accounts(session)]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        click.echo(f"{row['name']}\t{row['state']}\t{' '.join(row['roles'])}")
    click.echo(f"{len(rows)} accounts at {moment:%Y-%m-%d %H:%M} UTC", err=True)


@user.command()
@click.argument("name")
@click.argument("held")
def grant(name: str, held: str) -> None:
    """Give a role: HELD is ROLE@network, @site:SLUG, @study:SLUG or @group:NETWORK.SLUG."""
    role, _, scope = held.partition("@")
    by = operator()
    with unit_of_work(open_hub_database(), by) as session:
        account = service.find_account(session, name)
        service.grant_role(session, account, role=role, scope=scope, by=by, now=now())


@user.command()
@click.argument("name")
@click.argument("held")
def revoke(name: str, held: str) -> None:
    """Take a role away at once."""
    role, _, scope = held.partition("@")
    by = operator()
    with unit_of_work(open_hub_database(), by) as session:
        account = service.find_account(session, name)
        service.revoke_role(session, account, role=role, scope=scope, by=by, now=now())


@user.command()
@click.argument("name")
def suspend(name: str) -> None:
    """Stop an account at once; its sessions and tokens open nothing any more."""
    by = operator()
    with unit_of_work(open_hub_database(), by) as session:
        service.suspend(session, service.find_account(session, name), by=by, now=now())


@user.command()
@click.argument("name")
def resume(name: str) -> None:
    """Let a suspended or locked account sign in again."""
    by = operator()
    with unit_of_work(open_hub_database(), by) as session:
        service.resume(session, service.find_account(session, name), by=by)


def _row(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "display_name": account.display_name,
        "state": account.state,
        "roles": sorted(row.text for row in account.roles),
    }


def _show(name: str, password: str | None, totp_secret: str, as_json: bool) -> None:
    address = secrets.totp_address(totp_secret, name)
    if as_json:
        click.echo(json.dumps({"name": name, "password": password, "totp": address}))
        return
    click.echo(f"name      {name}")
    if password is not None:
        click.echo(f"password  {password}")
    click.echo(f"app       {address}")
    picture = qrcode.QRCode(border=1)
    picture.add_data(address)
    drawn = io.StringIO()
    picture.print_ascii(out=drawn)
    click.echo(drawn.getvalue(), err=True)
    click.echo("Scan this with an authenticator app. It is shown once.", err=True)
