"""Writing a seed's network: institutions, subnetworks, people, groups, agreements, expertise.

Rows are written together, and one announcement says how many: a seed is one act of one person.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from studies.actor import Actor
from studies.events import announce
from studies.models import Institution, Membership, Network, WorkingGroup, WorkingGroupMember
from studies.network.models import (
    Agreement,
    AgreementSignature,
    Expertise,
    GroupDecision,
    GroupMeeting,
    Office,
    Professional,
    Subnetwork,
    SubnetworkMember,
)
from studies.network.places import find_place
from studies.network.tumours import read_tumours
from studies.seeds.shape import GroupSeed, InstitutionSeed, NetworkSeed, PersonSeed


class People:
    """The persons of a seed, each once: the same name sits in two groups as one person."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known = {
            (person.name, person.invented): person
            for person in session.scalars(select(Professional))
        }

    def named(self, name: str, *, invented: bool) -> Professional:
        """The person of this name, made when new."""
        found = self._known.get((name, invented))
        if found is None:
            found = Professional(name=name, invented=invented)
            self._known[name, invented] = found
            self._session.add(found)
        return found


def add_network(session: Session, seed: NetworkSeed, actor: Actor) -> Network:
    """The network of a seed without its studies; institutions that are there already stay."""
    since = moment_of(seed.since)
    network = Network(
        slug=seed.slug,
        name=seed.name,
        region_nl=seed.region_nl,
        region_en=seed.region_en,
        source=seed.source,
        needs=list(seed.needs),
    )
    session.add(network)
    for each in seed.institutions:
        if session.get(Institution, each.slug) is None:
            session.add(_institution(each))
    session.flush()
    for each in seed.institutions:
        session.add(Membership(network=seed.slug, institution=each.slug, since=since))
    people = People(session)
    groups = [_group(seed, group, people) for group in seed.groups]
    session.add_all(groups)
    _add_subnetworks(session, seed)
    _add_agreements(session, seed, actor)
    for line in seed.expertise:
        session.add(
            Expertise(
                network=seed.slug,
                institution=line.institution,
                tumour=line.tumour,
                treatment=line.treatment,
                since=moment_of(line.since),
                until=_end(line.until),
                source=line.source,
            )
        )
    for office in seed.offices:
        person = people.named(office.name, invented=office.invented)
        session.add(
            Office(
                kind=office.kind,
                person=person,
                network=None if office.kind == "board" else seed.slug,
                institution=office.institution,
                since=since,
            )
        )
    session.flush()
    announce(
        session,
        actor=actor,
        action="network.created",
        about=f"network:{seed.slug}",
        facts={
            "institutions": len(seed.institutions),
            "groups": len(groups),
            "seats": sum(len(group.members) for group in groups),
            "agreements": len(seed.agreements),
        },
    )
    return network


def add_meetings(session: Session, seed: NetworkSeed, actor: Actor, now: datetime) -> None:
    """Planned and held meetings with their decisions; called once the studies are there."""
    wanted = {meeting.group for meeting in seed.meetings}
    groups = {
        group.slug: group
        for group in session.scalars(
            select(WorkingGroup).where(
                WorkingGroup.network == seed.slug, WorkingGroup.slug.in_(wanted)
            )
        )
    }
    numbers = dict.fromkeys(groups, 0)
    for meeting in sorted(seed.meetings, key=lambda each: each.held_on):
        group, held = groups[meeting.group], moment_of(meeting.held_on)
        session.add(GroupMeeting(group_id=group.id, held_on=held, agenda=list(meeting.agenda)))
        for text, about in meeting.decisions:
            numbers[group.slug] += 1
            session.add(
                GroupDecision(
                    group_id=group.id,
                    number=numbers[group.slug],
                    at=held,
                    recorded_at=now,
                    by=actor.id,
                    text=text,
                    links=[{"kind": "study", "id": slug} for slug in about],
                )
            )
    session.flush()
    announce(
        session,
        actor=actor,
        action="group.seeded",
        about=f"network:{seed.slug}",
        facts={"meetings": len(seed.meetings), "decisions": sum(numbers.values())},
    )


def moment_of(day: str) -> datetime:
    """The beginning of an ISO date, in UTC."""
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def _end(day: str) -> datetime | None:
    return moment_of(day) if day else None


def _institution(seed: InstitutionSeed) -> Institution:
    place = find_place(seed.city)
    return Institution(
        slug=seed.slug,
        name=seed.name,
        kind=seed.kind,
        city=seed.city,
        agb=seed.agb,
        phone=seed.phone,
        contact=seed.contact or None,
        latitude=None if place is None else place.latitude,
        longitude=None if place is None else place.longitude,
    )


def _group(seed: NetworkSeed, group: GroupSeed, people: People) -> WorkingGroup:
    since = moment_of(group.since or seed.since)
    return WorkingGroup(
        network=seed.slug,
        slug=group.slug,
        name_nl=group.name_nl,
        name_en=group.name_en,
        tumours=[str(each) for each in read_tumours(group.tumours)],
        expected=list(group.expected),
        since=since,
        members=[
            _seat(position, person, people, since) for position, person in enumerate(group.members)
        ],
    )


def _seat(position: int, seed: PersonSeed, people: People, since: datetime) -> WorkingGroupMember:
    return WorkingGroupMember(
        position=position,
        person=people.named(seed.name, invented=seed.invented),
        discipline=seed.discipline,
        role=seed.role,
        institution=seed.institution,
        since=moment_of(seed.since) if seed.since else since,
        until=_end(seed.until),
    )


def _add_subnetworks(session: Session, seed: NetworkSeed) -> None:
    for each in seed.subnetworks:
        since = moment_of(each.since)
        made = Subnetwork(
            network=seed.slug,
            slug=each.slug,
            name=each.name,
            region_nl=each.region_nl,
            region_en=each.region_en,
            since=since,
        )
        session.add(made)
        session.flush()
        for institution, role in each.members:
            session.add(
                SubnetworkMember(
                    subnetwork_id=made.id, institution=institution, role=role, since=since
                )
            )


def _add_agreements(session: Session, seed: NetworkSeed, actor: Actor) -> None:
    for each in seed.agreements:
        since = moment_of(each.since)
        session.add(
            Agreement(
                network=seed.slug,
                kind=each.kind,
                version=each.version,
                title_nl=each.title_nl,
                title_en=each.title_en,
                since=since,
                until=_end(each.until),
                signatures=[
                    AgreementSignature(
                        institution=slug, signed_at=since, signatory=each.signatory, by=actor.id
                    )
                    for slug in _signing(seed.institutions, each.unsigned)
                ],
            )
        )


def _signing(institutions: Iterable[InstitutionSeed], unsigned: tuple[str, ...]) -> list[str]:
    return [each.slug for each in institutions if each.slug not in unsigned]
