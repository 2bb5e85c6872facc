"""``oncokring consent years``: after how many years patients are reminded, asked again, and a yes
ends."""

from __future__ import annotations

import click

from consent.errors import ConsentError
from consent.renewing import periods_of, settle, texts_otherwise
from registry.commands.opening import now, open_hub_database, operator
from registry.transaction import reading, unit_of_work
from studies.models import Network

_YEARS = click.IntRange(1, 100)


@click.command()
@click.argument("network")
@click.option("--remind", type=_YEARS, help="Show patients what they chose, after so many years.")
@click.option("--renew", type=_YEARS, help="Ask again for new data, after so many years.")
@click.option("--use", type=_YEARS, help="A yes given from now on ends after so many years.")
def years(network: str, remind: int | None, renew: int | None, use: int | None) -> None:
    """Show how long a yes lasts in NETWORK, or change it.

    A hospital may ask again sooner by its own site.toml, never later.
    """
    changes = {"remind_years": remind, "renewal_years": renew, "use_years": use}
    given = {name: number for name, number in changes.items() if number is not None}
    by = operator()
    if given:
        with unit_of_work(open_hub_database(), by) as session:
            found = session.get(Network, network)
            if found is None:
                raise click.ClickException("There is no network with this name.")
            try:
                settle(session, found, actor=by, **given)
            except ConsentError as error:
                raise click.UsageError(error.message) from error
    with reading(open_hub_database()) as session:
        if session.get(Network, network) is None:
            raise click.ClickException("There is no network with this name.")
        periods = periods_of(session, network)
        otherwise = texts_otherwise(session, network, now())
    click.echo(f"remind\t{periods.remind_years}")
    click.echo(f"renew\t{periods.renewal_years}")
    click.echo(f"use\t{periods.use_years}")
    for study in otherwise:
        click.echo(
            f"The text for patients of {study} does not say that a yes holds for "
            f"{periods.use_years} years.",
            err=True,
        )
