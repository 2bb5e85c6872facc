"""``oncokring network join``, ``leave``, ``part``, ``office``, ``leave-office``: who belongs where.

Nothing is deleted: each has a period, so that the pages still show any past day.
"""

from __future__ import annotations

from datetime import datetime

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.commands import network_office as office_desk
from registry.commands.network_office import Told, Words, moment, written
from studies.actor import Actor
from studies.errors import StudiesError
from studies.models import Institution, Membership, Network
from studies.network import joining as networks
from studies.network.models import Office, Subnetwork, SubnetworkMember
from studies.network.words import OFFICES, SUBNETWORK_ROLES
from studies.periods import in_force


@click.command()
@click.argument("network")
@click.argument("institution")
@office_desk.since_option
@office_desk.as_json_option
def join(network: str, institution: str, since: datetime | None, as_json: bool) -> None:
    """Let INSTITUTION belong to NETWORK from a day on."""
    first = moment(since)

    def do(session: Session, by: Actor) -> Told:
        made = networks.join_network(session, network, institution, since=first, actor=by)
        office_desk.check_nothing_later(
            session,
            Membership,
            first,
            Membership.network == network,
            Membership.institution == institution,
        )
        row = {"network": network, "institution": institution, "since": written(made.since)}
        return Told(row, f"{institution} belongs to {network} from {written(first)}.")

    office_desk.write(do, as_json)


@click.command()
@click.argument("network")
@click.argument("institution")
@office_desk.on_option
@office_desk.as_json_option
def leave(network: str, institution: str, on: datetime | None, as_json: bool) -> None:
    """End INSTITUTION's time in NETWORK, and in the parts of it."""
    last = moment(on)

    def do(session: Session, by: Actor) -> Told:
        networks.leave_network(session, network, institution, at=last, actor=by)
        row = {"network": network, "institution": institution, "until": written(last)}
        return Told(row, f"{institution} belongs to {network} no more from {written(last)}.")

    office_desk.write(do, as_json)


@click.group()
def part() -> None:
    """Parts of a network: an institution may be in several, and counts once."""


@part.command("add")
@click.argument("network")
@click.argument("part_slug", metavar="PART")
@click.option("--name", type=Words(), required=True, help="Its name.")
@click.option("--region-nl", type=Words(), default=None, help="Its region in Dutch.")
@click.option("--region-en", type=Words(), default=None, help="Its region in English.")
@office_desk.since_option
@office_desk.as_json_option
def part_add(
    network: str,
    part_slug: str,
    name: str,
    region_nl: str | None,
    region_en: str | None,
    since: datetime | None,
    as_json: bool,
) -> None:
    """Make PART, a short name, a part of NETWORK from a day on."""
    first = moment(since)

    def do(session: Session, by: Actor) -> Told:
        networks.add_subnetwork(
            session,
            network=network,
            slug=part_slug,
            name=name,
            region_nl=region_nl or "",
            region_en=region_en or "",
            since=first,
            actor=by,
        )
        row = {"network": network, "part": part_slug, "name": name, "since": written(first)}
        return Told(row, f"{part_slug} is a part of {network} from {written(first)}.")

    office_desk.write(do, as_json)


@part.command("join")
@click.argument("network")
@click.argument("part_slug", metavar="PART")
@click.argument("institution")
@click.option("--role", type=click.Choice(sorted(SUBNETWORK_ROLES)), default="member")
@office_desk.since_option
@office_desk.as_json_option
def part_join(
    network: str,
    part_slug: str,
    institution: str,
    role: str,
    since: datetime | None,
    as_json: bool,
) -> None:
    """Let INSTITUTION, a member of NETWORK, belong to PART of it from a day on."""
    first = moment(since)

    def do(session: Session, by: Actor) -> Told:
        found = _part(session, network, part_slug)
        if first < found.since:
            raise click.UsageError(f"{part_slug} began on {written(found.since)}, not before.")
        networks.join_subnetwork(session, found, institution, since=first, role=role, actor=by)
        office_desk.check_nothing_later(
            session,
            SubnetworkMember,
            first,
            SubnetworkMember.subnetwork_id == found.id,
            SubnetworkMember.institution == institution,
        )
        row = {
            "network": network,
            "part": part_slug,
            "institution": institution,
            "role": role,
            "since": written(first),
        }
        return Told(row, f"{institution} is in {part_slug} ({role}) from {written(first)}.")

    office_desk.write(do, as_json)


@part.command("leave")
@click.argument("network")
@click.argument("part_slug", metavar="PART")
@click.argument("institution")
@office_desk.on_option
@office_desk.as_json_option
def part_leave(
    network: str, part_slug: str, institution: str, on: datetime | None, as_json: bool
) -> None:
    """End INSTITUTION's time in PART of NETWORK; it stays in the network."""
    last = moment(on)

    def do(session: Session, by: Actor) -> Told:
        found = _part(session, network, part_slug)
        networks.leave_subnetwork(session, found, institution, at=last, actor=by)
        row = {
            "network": network,
            "part": part_slug,
            "institution": institution,
            "until": written(last),
        }
        return Told(row, f"{institution} is in {part_slug} no more from {written(last)}.")

    office_desk.write(do, as_json)


@click.command()
@click.argument("where", metavar="NETWORK[/INSTITUTION]")
@click.argument("kind", type=click.Choice(sorted(OFFICES)))
@click.argument("person", type=Words())
@office_desk.new_option
@office_desk.since_option
@office_desk.until_option
@office_desk.as_json_option
def office(
    where: str,
    kind: str,
    person: str,
    new: bool,
    since: datetime | None,
    until: datetime | None,
    as_json: bool,
) -> None:
    """Put PERSON, by name or id, on a hospital's board, or in the office of an observer.

    A board is that of an institution: NETWORK/INSTITUTION. A client council or a circle of family
    doctors may be that of the whole NETWORK.
    """
    network, _, institution = where.partition("/")
    if kind == "board" and not institution:
        raise click.UsageError("A board is that of an institution: give NETWORK/INSTITUTION.")
    first, last = moment(since), office_desk.end_moment(until)

    def do(session: Session, by: Actor) -> Told:
        _check_place(session, network, institution, first)
        someone = office_desk.person_called(session, person, new=new, actor=by)
        # A board is the hospital's own, in whichever networks it is: as in the seeds.
        of_network = None if kind == "board" else network
        same = (
            Office.kind == kind,
            Office.professional == someone.id,
            Office.network.is_not_distinct_from(of_network),
            Office.institution.is_not_distinct_from(institution or None),
        )
        if session.scalar(select(Office.id).where(*same, in_force(Office, first)).limit(1)):
            raise click.UsageError(f"{someone.name} holds this office then already.")
        networks.take_office(
            session,
            kind,
            someone,
            since=first,
            until=last,
            network=of_network,
            institution=institution or None,
            actor=by,
        )
        office_desk.check_nothing_later(session, Office, first, *same, until=last)
        row = {
            "network": of_network,
            "institution": institution or None,
            "kind": kind,
            "person": someone.name,
            "person_id": someone.id,
            "since": written(first),
            "until": written(last),
        }
        held = office_desk.period_words(first, last)
        return Told(row, f"{someone.name} holds office ({kind}) for {where} {held}.")

    office_desk.write(do, as_json)


@click.command("leave-office")
@click.argument("where", metavar="NETWORK[/INSTITUTION]")
@click.argument("kind", type=click.Choice(sorted(OFFICES)))
@click.argument("person", type=Words())
@office_desk.on_option
@office_desk.as_json_option
def leave_office(where: str, kind: str, person: str, on: datetime | None, as_json: bool) -> None:
    """End the office of PERSON, by name or id, on a hospital's board or as an observer."""
    network, _, institution = where.partition("/")
    last = moment(on)

    def do(session: Session, by: Actor) -> Told:
        someone = office_desk.person_called(session, person, new=False, actor=by)
        held = session.scalars(
            select(Office).where(
                Office.kind == kind,
                Office.professional == someone.id,
                Office.network.is_not_distinct_from(None if kind == "board" else network),
                Office.institution.is_not_distinct_from(institution or None),
                in_force(Office, last),
            )
        ).first()
        if held is None:
            raise click.UsageError(
                f"{someone.name} holds no office ({kind}) for {where} on {written(last)}."
            )
        networks.end_office(session, held, at=last, actor=by)
        row = {
            "network": held.network,
            "institution": held.institution,
            "kind": kind,
            "person": someone.name,
            "person_id": someone.id,
            "until": written(last),
        }
        return Told(row, f"{someone.name} holds no office for {where} from {written(last)}.")

    office_desk.write(do, as_json)


def _part(session: Session, network: str, slug: str) -> Subnetwork:
    found = networks.find_subnetwork(session, network, slug)
    if found is None:
        raise StudiesError("not_found")
    return found


def _check_place(session: Session, network: str, institution: str, at: datetime) -> None:
    """Raise StudiesError `not_found`, `not_a_member`: an office is that of somebody known here."""
    if session.get(Network, network) is None:
        raise StudiesError("not_found")
    if not institution:
        return
    if session.get(Institution, institution) is None:
        raise StudiesError("not_found")
    member = select(Membership.id).where(
        Membership.network == network,
        Membership.institution == institution,
        in_force(Membership, at),
    )
    if session.scalar(member.limit(1)) is None:
        raise StudiesError("not_a_member")
