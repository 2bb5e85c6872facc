"""``oncokring token``: tokens for programs that use the API."""

from __future__ import annotations

from datetime import timedelta

import click

from registry.accounts import service
from registry.commands.opening import now, open_hub_database, operator
from registry.transaction import reading, unit_of_work


@click.group()
def token() -> None:
    """Tokens for programs that use the API."""


@token.command()
@click.argument("name")
@click.option("--label", default="command line", help="What the token is for.")
@click.option("--days", default=90, type=click.IntRange(1, 366), help="How long it lasts.")
@click.option("--write", is_flag=True, help="May also submit and cancel, not only read.")
def add(name: str, label: str, days: int, write: bool) -> None:
    """Make a token for the account NAME; it is printed once."""
    by, moment = operator(), now()
    with unit_of_work(open_hub_database(), by) as session:
        _row, text = service.issue_token(
            session,
            service.find_account(session, name),
            label=label,
            scopes={"read", "write"} if write else {"read"},
            expires_at=moment + timedelta(days=days),
            by=by,
            now=moment,
        )
    click.echo(text)
    click.echo("Keep it like a password; it is not shown again.", err=True)


@token.command("list")
@click.argument("name")
def list_(name: str) -> None:
    """The tokens of an account: number, label, scopes, end."""
    with reading(open_hub_database()) as session:
        for row in service.list_tokens(session, service.find_account(session, name)):
            ended = " revoked" if row.revoked_at else ""
            scopes = "+".join(row.scopes)
            click.echo(f"{row.id}\t{row.label}\t{scopes}\t{row.expires_at:%Y-%m-%d}{ended}")


@token.command()
@click.argument("name")
@click.argument("token_id")
def revoke(name: str, token_id: str) -> None:
    """End a token at once."""
    by = operator()
    with unit_of_work(open_hub_database(), by) as session:
        account = service.find_account(session, name)
        service.revoke_token(session, account, token_id, by=by, now=now())
