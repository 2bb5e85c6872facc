"""Working groups: their tumours and seats, and which hospitals and disciplines are missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, selectinload

from studies.actor import Actor
from studies.days import local_day
from studies.errors import StudiesError
from studies.events import announce
from studies.free_text import one_line
from studies.models import Institution, Membership, Network, WorkingGroup, WorkingGroupMember
from studies.network.models import Professional, WorkingGroupName
from studies.network.tumours import read_tumours
from studies.network.words import DISCIPLINES, OUTSIDE_CARE, SEAT_ROLES
from studies.periods import check_period, end, holding, in_force
from studies.slugs import check_slug

#: An institute without wards is expected at a table for its own discipline only.
ONLY_DISCIPLINE = {"radiotherapy": "radiotherapy"}
MOST_NAME: Final = 200
#: Before there was a register: the first name of a group of which nobody wrote down when it began.
_BEFORE: Final = datetime(1990, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Gaps:
    """Who is not at a group's table: hospitals without a member, disciplines that nobody has."""

    institutions: tuple[Institution, ...]
    disciplines: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.institutions or self.disciplines)


def add_group(
    session: Session,
    *,
    network: str,
    slug: str,
    name_nl: str,
    name_en: str,
    tumours: Sequence[str],
    expected: Sequence[str],
    since: datetime,
    actor: Actor,
) -> WorkingGroup:
    """A new working group. Raises StudiesError `bad_name`, `not_found`, `name_taken`,
    `bad_tumour`, `unknown_code`."""
    check_slug(slug)
    if session.get(Network, network) is None:
        raise StudiesError("not_found")
    if find_group(session, f"{network}.{slug}") is not None:
        raise StudiesError("name_taken")
    made = WorkingGroup(network=network, slug=slug, name_nl=name_nl, name_en=name_en, since=since)
    _describe(made, tumours, expected)
    session.add(made)
    session.flush()
    _announce(session, actor, "group.added", made)
    return made


def describe_group(
    session: Session,
    group: WorkingGroup,
    *,
    tumours: Sequence[str],
    expected: Sequence[str],
    actor: Actor,
    expected_version: int | None = None,
) -> WorkingGroup:
    """Say anew which tumours a group is about and which disciplines it wants at its table.

    expected_version: the one that the caller was shown. Raises StudiesError `bad_tumour`,
    `unknown_code`, `changed_meanwhile`.
    """
    begin_change(session, group, expected_version)
    _describe(group, tumours, expected)
    session.flush()
    _announce(session, actor, "group.described", group)
    return group


def rename_group(
    session: Session,
    group: WorkingGroup,
    *,
    name_nl: str,
    name_en: str,
    since: datetime,
    actor: Actor,
    now: datetime,
    expected_version: int | None = None,
) -> WorkingGroup:
    """Call a group otherwise from a day on; what it was called before stays for the days before.

    Roles and addresses go on by its short name. Raises StudiesError `empty_text`, `control_sign`,
    `in_the_future`, `bad_period` (before the day of its present name, or of its beginning),
    `changed_meanwhile`.
    """
    names = one_line(name_nl, MOST_NAME, now), one_line(name_en, MOST_NAME, now)
    if since > now:
        raise StudiesError("in_the_future")
    begin_change(session, group, expected_version)
    first = group.since or _BEFORE
    if since < (group.names[-1].since if group.names else first):
        raise StudiesError("bad_period")
    called = [] if group.names else [(group.name_nl, group.name_en, first)]
    for name, other, day in [*called, (*names, since)]:
        group.names.append(
            WorkingGroupName(
                group_id=group.id,
                number=len(group.names) + 1,
                name_nl=name,
                name_en=other,
                since=day,
                recorded_at=now,
                by=actor.id,
            )
        )
    group.name_nl, group.name_en = names
    session.flush()
    announce(
        session,
        actor=actor,
        action="group.renamed",
        about=f"group:{group.key}",
        facts={"name_nl": names[0], "name_en": names[1], "since": local_day(since).isoformat()},
    )
    return group


def begin_change(session: Session, group: WorkingGroup, expected: int | None) -> None:
    """Count one more change of a group, or refuse; as studies.hospitals.change does.

    Raises StudiesError `changed_meanwhile` with both versions.
    """
    seen = group.version if expected is None else expected
    session.flush()
    found = session.execute(
        update(WorkingGroup)
        .where(WorkingGroup.id == group.id, WorkingGroup.version == seen)
        .values(version=seen + 1)
        .execution_options(synchronize_session=False)
    )
    changed = getattr(found, "rowcount", 0)
    session.refresh(group)
    if not changed:
        raise StudiesError("changed_meanwhile", versions=(seen, group.version))


def _describe(group: WorkingGroup, tumours: Sequence[str], expected: Sequence[str]) -> None:
    if not set(expected) <= set(DISCIPLINES):
        raise StudiesError("unknown_code")
    group.tumours = [str(each) for each in read_tumours(tumours)]
    group.expected = list(dict.fromkeys(expected))


def add_professional(
    session: Session, name: str, *, actor: Actor, invented: bool = False
) -> Professional:
    """A person, before they take a seat or an office. Raises StudiesError `empty_text`."""
    plain = " ".join(name.split())
    if not plain:
        raise StudiesError("empty_text")
    made = Professional(name=plain, invented=invented)
    session.add(made)
    session.flush()
    announce(session, actor=actor, action="network.person_added", about=f"professional:{made.id}")
    return made


def take_seat(
    session: Session,
    group: WorkingGroup,
    person: Professional,
    *,
    discipline: str,
    institution: str | None,
    since: datetime,
    actor: Actor,
    role: str = "member",
    until: datetime | None = None,
) -> WorkingGroupMember:
    """Let a person sit in a group for a hospital and a discipline.

    A new chair takes the place of the present one, whose seat ends. Raises StudiesError
    `unknown_code`, `bad_period`, `not_a_member` when the institution is not in the network then.
    """
    if role not in SEAT_ROLES or discipline not in DISCIPLINES:
        raise StudiesError("unknown_code")
    check_period(since, until)
    if institution is not None:
        member = select(Membership.id).where(
            Membership.network == group.network,
            Membership.institution == institution,
            in_force(Membership, since),
        )
        if session.scalar(member.limit(1)) is None:
            raise StudiesError("not_a_member")
    if role == "chair":
        for seat in holding(group.members, since):
            if seat.role == "chair":
                end(seat, since)
    count = session.scalar(
        select(func.count())
        .select_from(WorkingGroupMember)
        .where(WorkingGroupMember.group_id == group.id)
    )
    made = WorkingGroupMember(
        group_id=group.id,
        position=count or 0,
        person=person,
        discipline=discipline,
        role=role,
        institution=institution,
        since=since,
        until=until,
    )
    group.members.append(made)
    session.flush()
    _announce(session, actor, "group.seat_taken", group, institution, discipline, role)
    return made


def leave_seat(
    session: Session,
    group: WorkingGroup,
    seat: WorkingGroupMember,
    *,
    at: datetime,
    actor: Actor,
) -> None:
    """End a seat. Raises StudiesError `not_found` for another group's seat, `bad_period`."""
    if seat.group_id != group.id:
        raise StudiesError("not_found")
    end(seat, at)
    session.flush()
    _announce(session, actor, "group.seat_left", group, seat.institution, seat.discipline)


def find_group(session: Session, key: str) -> WorkingGroup | None:
    """The group that roles and addresses call `key` (`oncozon.breast`), with its seats."""
    network, _, slug = key.partition(".")
    return session.scalars(
        select(WorkingGroup)
        .where(WorkingGroup.network == network, WorkingGroup.slug == slug)
        .options(selectinload(WorkingGroup.members))
    ).first()


def seats(group: WorkingGroup, at: datetime) -> list[WorkingGroupMember]:
    """Who sits in a group at a moment, in its order."""
    return holding(group.members, at)


def chair(group: WorkingGroup, at: datetime) -> WorkingGroupMember | None:
    """Who chairs a group at a moment."""
    return next((seat for seat in seats(group, at) if seat.role == "chair"), None)


def gaps(group: WorkingGroup, members: Sequence[Institution], at: datetime) -> Gaps:
    """Which of the network's `members` have nobody in a group at a moment, and which expected
    disciplines nobody has.

    Observers and patient representatives fill no gap. A radiotherapy institute is missed only
    where the group expects its discipline (or expects nothing in particular).
    """
    caring = [
        seat
        for seat in seats(group, at)
        if seat.role not in ("observer", "patient") and seat.discipline not in OUTSIDE_CARE
    ]
    present = {seat.institution for seat in caring}
    disciplines = {seat.discipline for seat in caring}
    absent = tuple(each for each in members if each.slug not in present and _wanted(group, each))
    return Gaps(absent, tuple(code for code in group.expected if code not in disciplines))


def _wanted(group: WorkingGroup, institution: Institution) -> bool:
    only = ONLY_DISCIPLINE.get(institution.kind)
    return only is None or not group.expected or only in group.expected


def _announce(
    session: Session,
    actor: Actor,
    action: str,
    group: WorkingGroup,
    institution: str | None = None,
    discipline: str | None = None,
    role: str | None = None,
) -> None:
    given = {"institution": institution, "discipline": discipline, "role": role}
    facts = {name: value for name, value in given.items() if value is not None}
    announce(session, actor=actor, action=action, about=f"group:{group.key}", facts=facts)
