"""One hospital on a day: its studies and states, groups, agreements, expertise, whom to call."""

from __future__ import annotations

from flask import Blueprint, g, render_template
from sqlalchemy import select
from werkzeug.exceptions import NotFound

from registry.access import INSIDE, reach, reaches, rule
from registry.pages.connections import connection_of
from registry.pages.network_words import (
    by_phase,
    chosen_day,
    institution_kind,
    may_open,
    named,
    small,
    state_tag,
    state_word,
)
from registry.transaction import current_session
from studies.hospitals.pathway import BY_CODE
from studies.models import Institution, Membership, Network, Study
from studies.network.agreements import agreements_of, missing, signature_of
from studies.network.directory import states_at
from studies.network.expertise import expertise_map
from studies.network.groups import seats
from studies.network.models import Office, Subnetwork, SubnetworkMember
from studies.network.words import (
    AGREEMENT_KINDS,
    DISCIPLINES,
    SEAT_ROLES,
    SUBNETWORK_ROLES,
    TREATMENTS,
)
from studies.periods import holding, holds
from studies.reading import list_groups

blueprint = Blueprint("hospital", __name__)


@blueprint.get("/hospital/<place>")
@rule(roles=INSIDE)
def show(place: str) -> str | tuple[str, int]:
    """Everything that the network knows about one hospital, as it was on a day."""
    session, day, site = current_session(), chosen_day(), place
    found = session.get(Institution, site)
    if found is None:
        raise NotFound
    networks = list(
        session.scalars(
            select(Network)
            .where(
                Network.slug.in_(
                    select(Membership.network).where(
                        Membership.institution == site,
                        Membership.since <= day.at,
                        Membership.until.is_(None) | (Membership.until > day.at),
                    )
                )
            )
            .order_by(Network.name)
        )
    )
    states = {
        study: state
        for network in networks
        for (study, _site), state in states_at(session, network.slug, day.at, [site]).items()
    }
    studies = session.scalars(select(Study).where(Study.slug.in_(states))).all()
    parts = session.execute(
        select(Subnetwork, SubnetworkMember)
        .join(SubnetworkMember, SubnetworkMember.subnetwork_id == Subnetwork.id)
        .where(SubnetworkMember.institution == site)
        .order_by(Subnetwork.name)
    ).all()
    groups = [
        (group, [seat for seat in seats(group, day.at) if seat.institution == site])
        for network in networks
        for group in list_groups(session, network.slug)
        if holds(group, day.at)
    ]
    board = session.scalars(
        select(Office).where(Office.kind == "board", Office.institution == site)
    )
    # What is open comes first, then what is nearest to it.
    lines = sorted(
        ((study, states[study.slug]) for study in studies),
        key=lambda line: (line[1] != "open", -BY_CODE[line[1]].number, line[0].title_nl.casefold()),
    )
    mine = reach(g.actor, "coordinator", "study")
    page = render_template(
        "network/hospital.html",
        place=found,
        day=day,
        errors={"on": day.error} if day.error else {},
        kind=institution_kind(found),
        networks=networks,
        parts_of_network=[(part, held) for part, held in parts if holds(held, day.at)],
        part_role=lambda code: named(SUBNETWORK_ROLES, code),
        count=len(lines),
        sections=by_phase(lines),
        state_word=state_word,
        state_tag=state_tag,
        groups=[(group, held) for group, held in groups if held],
        absent=[group for group, held in groups if not held],
        discipline=lambda code: small(DISCIPLINES, code),
        seat_role=lambda code: named(SEAT_ROLES, code),
        may_open=may_open,
        agreements=[
            (agreement, signature_of(agreement, site, day.at), holds(agreement, day.at))
            for network in networks
            for agreement in agreements_of(session, network.slug)
        ],
        agreement_kind=lambda code: named(AGREEMENT_KINDS, code),
        lacking={n.slug: missing(session, n.slug, [site], day.at)[site] for n in networks},
        expertise=[
            line for n in networks for line in expertise_map(session, n.slug, day.at, [site])
        ],
        treatment=lambda code: named(TREATMENTS, code),
        board=holding(board, day.at),
        connection=connection_of(session, site, g.now),
        # Who coordinates a study goes to their card of this hospital, others to what all may read.
        coordinates=lambda slug: mine is None or slug in mine,
        own_board=reaches(g.actor, "board", "site", site),
    )
    return (page, 422) if day.error else page
