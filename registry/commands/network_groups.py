"""``oncokring network group``, ``rename``, ``seat``, ``unseat``, ``expertise``: who does what."""

from __future__ import annotations

from datetime import datetime

import click
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.commands import network_office as office_desk
from registry.commands.network_office import Told, Words, moment, written
from registry.commands.opening import now
from studies.actor import Actor
from studies.errors import StudiesError
from studies.models import WorkingGroup, WorkingGroupMember
from studies.network import groups
from studies.network.expertise import declare_expertise, end_expertise
from studies.network.models import Expertise
from studies.network.tumours import read_tumour
from studies.network.words import DISCIPLINES, SEAT_ROLES, TREATMENTS
from studies.periods import in_force


@click.command()
@click.argument("network")
@click.argument("slug")
@click.option("--name-nl", type=Words(), help="The name of a new group in Dutch.")
@click.option("--name-en", type=Words(), help="The name of a new group in English.")
@click.option("--tumour", "tumours", multiple=True, help="ICD-10 code or range; may be repeated.")
@click.option(
    "--discipline",
    "disciplines",
    type=click.Choice(sorted(DISCIPLINES)),
    multiple=True,
    help="Wanted at its table; may be repeated.",
)
@office_desk.since_option
@office_desk.as_json_option
def group(
    network: str,
    slug: str,
    name_nl: str | None,
    name_en: str | None,
    tumours: tuple[str, ...],
    disciplines: tuple[str, ...],
    since: datetime | None,
    as_json: bool,
) -> None:
    """Make working group SLUG in NETWORK, or describe one anew: tumours, disciplines.

    Of a group that is there, the tumours or disciplines that are not given stay as they were.
    """

    def do(session: Session, by: Actor) -> Told:
        found = groups.find_group(session, f"{network}.{slug}")
        if found is None:
            return _made(session, by)
        if name_nl or name_en or since:
            raise click.UsageError(
                f"{found.key} is there already, and its first day stays. Give only --tumour and "
                "--discipline; another name: oncokring network rename"
            )
        if not tumours and not disciplines:
            raise click.UsageError("Give --tumour or --discipline, or both.")
        groups.describe_group(
            session,
            found,
            tumours=tumours or found.tumours,
            expected=disciplines or found.expected,
            actor=by,
        )
        return _told(found, f"{found.key} is described anew.")

    def _made(session: Session, by: Actor) -> Told:
        if not name_nl or not name_en:
            raise click.UsageError(
                f"There is no group '{slug}' in '{network}'. "
                "To make it, give --name-nl and --name-en."
            )
        made = groups.add_group(
            session,
            network=network,
            slug=slug,
            name_nl=name_nl,
            name_en=name_en,
            tumours=tumours,
            expected=disciplines,
            since=moment(since),
            actor=by,
        )
        return _told(made, f"{made.key} is a new group.")

    office_desk.write(do, as_json)


@click.command()
@click.argument("network")
@click.argument("slug", metavar="GROUP")
@click.option("--name-nl", type=Words(), required=True, help="Its name in Dutch from that day on.")
@click.option("--name-en", type=Words(), required=True, help="Its name in English.")
@office_desk.since_option
@office_desk.as_json_option
def rename(
    network: str, slug: str, name_nl: str, name_en: str, since: datetime | None, as_json: bool
) -> None:
    """Call GROUP of NETWORK otherwise from a day on; the days before keep the name they had."""
    first = moment(since)

    def do(session: Session, by: Actor) -> Told:
        found = _group(session, network, slug)
        groups.rename_group(
            session, found, name_nl=name_nl, name_en=name_en, since=first, actor=by, now=now()
        )
        return _told(found, f"{found.key} is called {name_en} from {written(first)}.")

    office_desk.write(do, as_json)


@click.command()
@click.argument("network")
@click.argument("slug", metavar="GROUP")
@click.argument("person", type=Words())
@click.option("--discipline", type=click.Choice(sorted(DISCIPLINES)), required=True)
@click.option("--institution", help="The hospital that PERSON sits for; none.")
@click.option("--role", type=click.Choice(sorted(SEAT_ROLES)), default="member")
@office_desk.new_option
@office_desk.since_option
@office_desk.until_option
@office_desk.as_json_option
def seat(
    network: str,
    slug: str,
    person: str,
    discipline: str,
    institution: str | None,
    role: str,
    new: bool,
    since: datetime | None,
    until: datetime | None,
    as_json: bool,
) -> None:
    """Let PERSON, by name or id, sit in GROUP of NETWORK; a new chair replaces the present one."""
    first, last = moment(since), office_desk.end_moment(until)

    def do(session: Session, by: Actor) -> Told:
        found = _group(session, network, slug)
        someone = office_desk.person_called(session, person, new=new, actor=by)
        for held in groups.seats(found, first):
            if held.professional == someone.id and (held.discipline, held.institution) == (
                discipline,
                institution,
            ):
                raise click.UsageError(
                    f"{someone.name} has this seat then already, as {held.role}. For another "
                    "role, first end it: oncokring network unseat"
                )
        before = groups.chair(found, first) if role == "chair" else None
        if role == "chair":
            office_desk.check_nothing_later(
                session,
                WorkingGroupMember,
                first,
                WorkingGroupMember.group_id == found.id,
                WorkingGroupMember.role == "chair",
                until=last,
            )
        made = groups.take_seat(
            session,
            found,
            someone,
            discipline=discipline,
            institution=institution,
            role=role,
            since=first,
            until=last,
            actor=by,
        )
        office_desk.check_nothing_later(
            session,
            WorkingGroupMember,
            first,
            WorkingGroupMember.group_id == found.id,
            WorkingGroupMember.professional == someone.id,
            WorkingGroupMember.discipline == discipline,
            WorkingGroupMember.institution.is_not_distinct_from(institution),
            until=last,
        )
        held_for = office_desk.period_words(first, last)
        words = f"{someone.name} sits in {found.key} ({role}) {held_for}."
        if before is not None:
            words += f" {before.person.name} is chair no more."
        return Told(_seat_row(found, made), words)

    office_desk.write(do, as_json)


@click.command()
@click.argument("network")
@click.argument("slug", metavar="GROUP")
@click.argument("person", type=Words())
@click.option("--discipline", type=click.Choice(sorted(DISCIPLINES)), help="Of several seats.")
@click.option("--institution", help="Of several seats: the one for this hospital.")
@office_desk.on_option
@office_desk.as_json_option
def unseat(
    network: str,
    slug: str,
    person: str,
    discipline: str | None,
    institution: str | None,
    on: datetime | None,
    as_json: bool,
) -> None:
    """End the seat of PERSON, by name or id, in GROUP of NETWORK."""
    last = moment(on)

    def do(session: Session, by: Actor) -> Told:
        found = _group(session, network, slug)
        held = [
            each
            for each in groups.seats(found, last)
            if person in (each.person.name, each.professional)
            and discipline in (None, each.discipline)
            and institution in (None, each.institution)
        ]
        if not held:
            raise click.UsageError(f"'{person}' has no such seat in {found.key} on that day.")
        if len(held) > 1:
            raise click.UsageError(
                f"'{person}' has {len(held)} seats in {found.key}. "
                "Say which with --institution, --discipline, or the person's id."
            )
        groups.leave_seat(session, found, held[0], at=last, actor=by)
        words = f"{held[0].person.name} sits in {found.key} no more from {written(last)}."
        return Told(_seat_row(found, held[0]), words)

    office_desk.write(do, as_json)


@click.command()
@click.argument("network")
@click.argument("institution")
@click.argument("tumour")
@click.argument("treatment", type=click.Choice(sorted(TREATMENTS)))
@office_desk.since_option
@click.option("--until", type=office_desk.DAY, help="Without --since: end what stands there.")
@click.option("--source", type=Words(), help="Where this was agreed.")
@office_desk.as_json_option
def expertise(
    network: str,
    institution: str,
    tumour: str,
    treatment: str,
    since: datetime | None,
    until: datetime | None,
    source: str | None,
    as_json: bool,
) -> None:
    """Say that INSTITUTION gives TREATMENT of TUMOUR (ICD-10), or with --until that it stops."""
    last = office_desk.end_moment(until)

    def do(session: Session, by: Actor) -> Told:
        code = str(read_tumour(tumour))
        same = (
            Expertise.network == network,
            Expertise.institution == institution,
            Expertise.tumour == code,
            Expertise.treatment == treatment,
        )
        if last is not None and since is None:
            if source:
                raise click.UsageError("--source goes with --since; an end keeps the source.")
            line = session.scalars(
                select(Expertise).where(*same, in_force(Expertise, last))
            ).first()
            if line is None:
                raise StudiesError("not_found")
            end_expertise(session, line, at=last, actor=by)
            return _line(line, f"no more from {written(last)}")
        first = moment(since)
        line = declare_expertise(
            session,
            network=network,
            institution=institution,
            tumour=tumour,
            treatment=treatment,
            since=first,
            until=last,
            source=source or "",
            actor=by,
        )
        office_desk.check_nothing_later(session, Expertise, first, *same, until=last)
        return _line(line, office_desk.period_words(first, last))

    office_desk.write(do, as_json)


def _group(session: Session, network: str, slug: str) -> WorkingGroup:
    found = groups.find_group(session, f"{network}.{slug}")
    if found is None:
        raise StudiesError("not_found")
    return found


def _told(found: WorkingGroup, words: str) -> Told:
    row = {
        "group": found.key,
        "name_nl": found.name_nl,
        "name_en": found.name_en,
        "tumours": list(found.tumours),
        "disciplines": list(found.expected),
        "since": written(found.since),
    }
    return Told(row, words)


def _seat_row(found: WorkingGroup, seat: WorkingGroupMember) -> dict[str, str | None]:
    return {
        "group": found.key,
        "person": seat.person.name,
        "person_id": seat.person.id,
        "discipline": seat.discipline,
        "institution": seat.institution,
        "role": seat.role,
        "since": written(seat.since),
        "until": written(seat.until),
    }


def _line(line: Expertise, when: str) -> Told:
    row = {
        "network": line.network,
        "institution": line.institution,
        "tumour": line.tumour,
        "treatment": line.treatment,
        "since": written(line.since),
        "until": written(line.until),
    }
    return Told(row, f"{line.institution} gives {line.treatment} of {line.tumour} {when}.")
