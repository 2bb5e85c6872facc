"""A network as it stood on a date: members, subnetworks, states of its studies. Nothing writes.

An institution is counted once in every total, however many subnetworks it is in; a total can be
asked for one subnetwork, and without named institutions.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from studies.errors import StudiesError
from studies.models import (
    Institution,
    Membership,
    Network,
    Participation,
    ParticipationStep,
    Study,
)
from studies.network.agreements import missing
from studies.network.models import Subnetwork, SubnetworkMember
from studies.periods import in_force
from studies.states import PARTICIPATION_ENDED


@dataclass(frozen=True)
class Member:
    """An institution in a network on a date.

    `parts`: (subnetwork, role) of each it is in; `states`: how many studies it has in each state;
    `lacking`: kinds of agreement that the network needs and it has not in force.
    """

    institution: Institution
    parts: tuple[tuple[Subnetwork, str], ...]
    states: Mapping[str, int]
    lacking: tuple[str, ...]

    @property
    def taking_part(self) -> int:
        """Studies it takes part in: neither declined nor closed."""
        return sum(n for state, n in self.states.items() if state not in PARTICIPATION_ENDED)

    @property
    def open(self) -> int:
        """Studies that are open here."""
        return self.states.get("open", 0)


@dataclass(frozen=True)
class NetworkView:
    """A network on a date. `members` are those that count in the totals; `left_out` those of the
    same choice that were left out by name; `shared` members of more than one subnetwork."""

    network: Network
    at: datetime
    subnetworks: tuple[Subnetwork, ...]
    members: tuple[Member, ...]
    left_out: tuple[Institution, ...]
    shared: tuple[Institution, ...]
    studies: int
    studies_open: int

    @property
    def open_places(self) -> int:
        """Pairs of a study and an institution where it is open."""
        return sum(member.open for member in self.members)


def network_at(
    session: Session,
    network: str,
    at: datetime,
    *,
    subnetwork: str | None = None,
    without: Collection[str] = (),
) -> NetworkView:
    """A network at a moment; `subnetwork`: only its members, `without`: not these.

    Raises StudiesError `not_found` for a network or subnetwork that there was not then.
    """
    found = session.get(Network, network)
    if found is None:
        raise StudiesError("not_found")
    parts = list(
        session.scalars(
            select(Subnetwork)
            .where(Subnetwork.network == network, in_force(Subnetwork, at))
            .order_by(Subnetwork.name)
        )
    )
    if subnetwork is not None and subnetwork not in {part.slug for part in parts}:
        raise StudiesError("not_found")
    inside = _parts_of(session, parts, at)
    institutions = session.scalars(
        select(Institution)
        .where(
            Institution.slug.in_(
                select(Membership.institution).where(
                    Membership.network == network, in_force(Membership, at)
                )
            )
        )
        .order_by(Institution.name)
    ).all()
    chosen = [
        each
        for each in institutions
        if subnetwork is None or any(p.slug == subnetwork for p, _ in inside.get(each.slug, ()))
    ]
    counted = [each for each in chosen if each.slug not in without]
    slugs = [each.slug for each in counted]
    states = states_at(session, network, at, slugs)
    lacking = missing(session, network, slugs, at)
    per_site = {slug: Counter[str]() for slug in slugs}
    for (_study, slug), state in states.items():
        per_site[slug][state] += 1
    return NetworkView(
        network=found,
        at=at,
        subnetworks=tuple(parts),
        members=tuple(
            Member(each, tuple(inside.get(each.slug, ())), per_site[each.slug], lacking[each.slug])
            for each in counted
        ),
        left_out=tuple(each for each in chosen if each.slug in without),
        shared=tuple(each for each in chosen if len(inside.get(each.slug, ())) > 1),
        studies=len({s for (s, _), state in states.items() if state not in PARTICIPATION_ENDED}),
        studies_open=len({study for (study, _), state in states.items() if state == "open"}),
    )


def _parts_of(
    session: Session, parts: Iterable[Subnetwork], at: datetime
) -> dict[str, list[tuple[Subnetwork, str]]]:
    by_id = {part.id: part for part in parts}
    rows = session.execute(
        select(
            SubnetworkMember.institution, SubnetworkMember.subnetwork_id, SubnetworkMember.role
        ).where(SubnetworkMember.subnetwork_id.in_(by_id), in_force(SubnetworkMember, at))
    )
    found: dict[str, list[tuple[Subnetwork, str]]] = {}
    for institution, part, role in rows:
        found.setdefault(institution, []).append((by_id[part], role))
    return {slug: sorted(held, key=lambda each: each[0].name) for slug, held in found.items()}


def states_at(
    session: Session, network: str, at: datetime, institutions: Collection[str] | None = None
) -> dict[tuple[str, str], str]:
    """(study, institution) -> the state it was in at a moment, for all studies of a network.

    The fold of the steps with their corrections; a part whose first step is later is not there.
    """
    wanted = (
        select(
            Participation.id,
            Participation.study,
            Participation.institution,
            ParticipationStep.number,
            ParticipationStep.state,
            ParticipationStep.at,
            ParticipationStep.corrects,
            ParticipationStep.void,
        )
        .join(Participation, Participation.id == ParticipationStep.participation_id)
        .join(Study, Study.slug == Participation.study)
        .where(Study.network == network)
        .order_by(Participation.id, ParticipationStep.number)
    )
    if institutions is not None:
        wanted = wanted.where(Participation.institution.in_(institutions))
    standing: dict[tuple[str, str], dict[int, tuple[datetime, str]]] = {}
    for _id, study, institution, number, state, when, corrects, void in session.execute(wanted):
        said = standing.setdefault((study, institution), {})
        if corrects is None:
            said[number] = (when, state)
        elif void:
            said.pop(corrects, None)
        elif corrects in said:
            said[corrects] = (when, said[corrects][1])
    found = {}
    for key, said in standing.items():
        # The same fold as studies.hospitals.steps.state_on, without an object per step.
        past = [state for when, state in said.values() if when <= at]
        if past:
            found[key] = past[-1]
    return found
