"""``oncokring network agreement`` and ``needs``: agreements without which no hospital is asked."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.commands.opening import now, open_hub_database, operator
from registry.transaction import reading, unit_of_work
from studies.errors import StudiesError
from studies.hospitals.documents import MAX_BYTES
from studies.models import Institution, Membership, Network
from studies.network import agreements
from studies.network import joining as networks
from studies.network.agreement_paper import keep_paper
from studies.network.models import Agreement
from studies.network.words import AGREEMENT_KINDS
from studies.periods import in_force

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.argument("network")
@click.argument("kind", type=click.Choice(sorted(AGREEMENT_KINDS)))
@click.argument("version")
@click.option("--nl", "title_nl", required=True, help="Its title in Dutch.")
@click.option("--en", "title_en", required=True, help="Its title in English.")
@click.option("--since", type=_DAY, help="The day from which it counts; today.")
@click.option("--until", type=_DAY, help="The day on which it ends; none.")
@click.option(
    "--pdf",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The paper that boards read and sign; to add it later, give the same command with it.",
)
def agreement(
    network: str,
    kind: str,
    version: str,
    title_nl: str,
    title_en: str,
    since: datetime | None,
    until: datetime | None,
    pdf: Path | None,
) -> None:
    """Add VERSION of an agreement to NETWORK; each board signs it on its own page."""
    by, moment = operator(), now()
    sha256 = ""
    try:
        with unit_of_work(open_hub_database(), by) as session:
            found = _version(session, network, kind, version) if pdf is not None else None
            if found is None:
                found = agreements.add_agreement(
                    session,
                    network=network,
                    kind=kind,
                    version=version,
                    title_nl=title_nl,
                    title_en=title_en,
                    since=moment if since is None else since.replace(tzinfo=UTC),
                    until=None if until is None else until.replace(tzinfo=UTC),
                    actor=by,
                )
            if pdf is not None:
                sha256 = keep_paper(session, found, _read(pdf), actor=by)
    except StudiesError as error:
        raise click.UsageError(error.message) from error
    click.echo("\t".join(filter(None, (network, kind, version, sha256))))


def _version(session: Session, network: str, kind: str, version: str) -> Agreement | None:
    return session.scalars(
        select(Agreement).where(
            Agreement.network == network, Agreement.kind == kind, Agreement.version == version
        )
    ).first()


def _read(pdf: Path) -> bytes:
    """At most one byte more than is kept, so that a wrong file is not read whole."""
    with pdf.open("rb") as file:
        return file.read(MAX_BYTES + 1)


@click.command()
@click.argument("network")
@click.argument("kinds", nargs=-1, type=click.Choice(sorted(AGREEMENT_KINDS)))
@click.option("--none", "nothing", is_flag=True, help="Ask without looking at agreements.")
def needs(network: str, kinds: tuple[str, ...], nothing: bool) -> None:
    """Show who is asked in NETWORK; with KINDS: ask only who has these agreements in force."""
    if nothing and kinds:
        raise click.UsageError("Give kinds, or --none, not both.")
    by, moment = operator(), now()
    if kinds or nothing:
        try:
            with unit_of_work(open_hub_database(), by) as session:
                networks.need_agreements(session, network, list(kinds), actor=by)
        except StudiesError as error:
            raise click.UsageError(f"There is no network '{network}' in this hub.") from error
    with reading(open_hub_database()) as session:
        found = session.get(Network, network)
        if found is None:
            raise click.UsageError(f"There is no network '{network}' in this hub.")
        members = session.scalars(
            select(Institution.slug)
            .join(Membership, Membership.institution == Institution.slug)
            .where(Membership.network == network, in_force(Membership, moment))
            .order_by(Institution.slug)
        ).all()
        click.echo(f"{network}\tneeds {', '.join(found.needs) or 'nothing'}")
        for slug, lacking in agreements.missing(session, network, members, moment).items():
            click.echo(f"{slug}\t{'asked' if not lacking else 'missing ' + ', '.join(lacking)}")
