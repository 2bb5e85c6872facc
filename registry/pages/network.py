"""A network on a day: its hospitals on a map and in a table, its groups, who knows what best."""

from __future__ import annotations

from collections import Counter
from io import BytesIO
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, send_file, url_for
from markupsafe import Markup
from sqlalchemy import select
from werkzeug.exceptions import NotFound
from werkzeug.utils import secure_filename
from werkzeug.wrappers import Response

from federation.runs.models import Run
from federation.runs.states import RELEASED
from registry.access import INSIDE, PROFESSIONAL, rule
from registry.pages.network_words import chosen_day, institution_kind, may_open, named, small
from registry.pages.report import READERS
from registry.pictures.canvas import SHAPES
from registry.pictures.network_map import Spot, network_map
from registry.transaction import current_session
from registry.translate import language, translate_count
from registry.translate import translate as _
from studies.days import local_day
from studies.errors import StudiesError
from studies.models import Network, Study
from studies.network.agreement_paper import get_paper
from studies.network.agreements import agreements_of, signature_of
from studies.network.directory import Member, NetworkView, network_at, states_at
from studies.network.expertise import expertise_map
from studies.network.groups import chair, gaps, seats
from studies.network.models import Agreement, Office
from studies.network.nearest import where_is
from studies.network.words import AGREEMENT_KINDS, DISCIPLINES, OFFICES, TREATMENTS
from studies.periods import holds
from studies.reading import list_groups, list_networks

blueprint = Blueprint("network", __name__)


@blueprint.get("/network")
@rule(roles=INSIDE)
def overview() -> str | Response:
    """The networks of this hub; with one, that one."""
    found = list_networks(current_session())
    if len(found) == 1:
        return redirect(url_for("network.show", network=found[0].slug), 302)
    return render_template("network/list.html", networks=found)


@blueprint.get("/network/<network>")
@rule(roles=INSIDE)
def show(network: str) -> str | tuple[str, int]:
    """One network on a day: map, hospitals, totals with and without a hospital, groups."""
    session, day = current_session(), chosen_day()
    part = request.args.get("sub") or None
    without = [slug for slug in request.args.getlist("without") if slug][:50]
    try:
        view = network_at(session, network, day.at, subnetwork=part, without=without)
    except StudiesError:
        raise NotFound from None
    institutions = [member.institution for member in view.members]
    inside = [institution.slug for institution in institutions]
    groups = [each for each in list_groups(session, network) if holds(each, day.at)]
    studies = Counter(
        session.scalars(
            select(Study.group_id).where(Study.network == network, Study.created_at <= day.at)
        )
    )
    offices = session.scalars(select(Office).where(Office.network == network))
    page = render_template(
        "network/show.html",
        view=view,
        day=day,
        errors={"on": day.error} if day.error else {},
        part=part,
        without=without,
        drawings=_drawings(view),
        kind=institution_kind,
        agreements=lambda code: named(AGREEMENT_KINDS, code),
        disciplines=lambda code: small(DISCIPLINES, code),
        office=lambda code: named(OFFICES, code),
        groups=[
            (each, chair(each, day.at), len(seats(each, day.at)), gaps(each, institutions, day.at))
            for each in groups
        ],
        studies=studies,
        observers=[each for each in offices if holds(each, day.at)],
        may_open=may_open,
        year=local_day(day.at).year if g.actor.roles & READERS else None,
        keeps="administrator" in g.actor.roles,
        papers=[
            (
                each,
                sum(bool(signature_of(each, one, day.at)) for one in inside),
                holds(each, day.at),
            )
            for each in agreements_of(session, network)
        ],
    )
    return (page, 422) if day.error else page


@blueprint.get("/network/<network>/agreement/<uuid:agreement>")
@rule(roles=INSIDE)
def paper(network: str, agreement: Any) -> Response:
    """The PDF of an agreement, as a download."""
    session = current_session()
    found = session.get(Agreement, str(agreement))
    if found is None or found.network != network:
        raise NotFound
    try:
        body = get_paper(session, found)
    except StudiesError:
        raise NotFound from None
    return send_file(
        BytesIO(body),
        mimetype="application/pdf",
        as_attachment=True,
        download_name=f"{network}-{found.kind}-{secure_filename(found.version)}.pdf",
    )


@blueprint.get("/network/<network>/expertise")
@rule(roles=INSIDE)
def expertise(network: str) -> str | tuple[str, int]:
    """Which hospital gives which treatment of which tumours, on a day."""
    session, day = current_session(), chosen_day()
    found = session.get(Network, network)
    if found is None:
        raise NotFound
    groups = list_groups(session, network)
    page = render_template(
        "network/expertise.html",
        network=found,
        lines=expertise_map(session, network, day.at),
        day=day,
        errors={"on": day.error} if day.error else {},
        treatment=lambda code: named(TREATMENTS, code),
        group_about=lambda tumour: next((each for each in groups if tumour in each.tumours), None),
    )
    return (page, 422) if day.error else page


@blueprint.get("/network/<network>/published")
@rule(roles=PROFESSIONAL)
def published(network: str) -> str:
    """What everybody around the network may know: its studies, and what came out of them."""
    session = current_session()
    found = session.get(Network, network)
    if found is None:
        raise NotFound
    studies = list(
        session.scalars(
            select(Study)
            .where(Study.network == network, Study.state != "draft")
            .order_by(Study.state.desc(), Study.title_nl)
        )
    )
    open_somewhere = {
        study
        for (study, _site), state in states_at(session, network, g.now).items()
        if state == "open"
    } & {study.slug for study in studies}
    released = list(
        session.scalars(
            select(Run)
            .join(Study, Study.slug == Run.study)
            .where(Study.network == network, Run.state.in_(RELEASED))
            .order_by(Run.finished_at.desc())
            .limit(50)
        )
    )
    return render_template(
        "network/published.html",
        network=found,
        studies=studies,
        titles={study.slug: study for study in studies},
        released=released,
        open=open_somewhere,
        by_group=_by_group(studies, open_somewhere),
    )


@blueprint.get("/published")
@rule(roles={"representative", "observer"})
def mine() -> str | Response:
    """The network of somebody who only reads what is published."""
    found = list_networks(current_session())
    if len(found) == 1:
        return redirect(url_for("network.published", network=found[0].slug), 302)
    return render_template("network/list.html", networks=found, published=True)


def _by_group(studies: list[Study], somewhere: set[str]) -> list[tuple[str, int, int]]:
    """(group, its studies, how many of them are open at a hospital), by name."""
    every: Counter[str] = Counter()
    running: Counter[str] = Counter()
    for study in studies:
        name = study.group.name(language()) if study.group else _("No group")
        every[name] += 1
        running[name] += study.slug in somewhere
    return [(name, every[name], running[name]) for name in sorted(every, key=str.casefold)]


def _drawings(view: NetworkView) -> Markup:
    """The map, wide and for the phone; empty when no place is known."""
    order = {part.slug: number for number, part in enumerate(view.subnetworks)}
    spots = [
        spot
        for number, member in enumerate(view.members, 1)
        if (spot := _spot(number, member, order)) is not None
    ]
    if not spots:
        return Markup("")
    count = len(view.members)
    title = translate_count(
        "The network: %(count)s hospital", "The network: %(count)s hospitals", count
    )
    description = _(
        "Each mark is an institution where its city lies, with its number in the table below. A "
        "square is a university hospital, a hexagon a top clinical one, a circle a general one, a "
        "diamond a radiotherapy institute."
    )
    # network_map() escapes every word itself.
    return Markup(  # noqa: S704
        "".join(
            network_map(spots, title=title, description=description, shape=shape)
            for shape in SHAPES
        )
    )


def _spot(number: int, member: Member, order: dict[str, int]) -> Spot | None:
    there = where_is(member.institution)
    if there is None:
        return None
    return Spot(
        number,
        *there,
        kind=member.institution.kind,
        parts=tuple(order[part.slug] for part, _role in member.parts),
        leads=tuple(order[part.slug] for part, role in member.parts if role == "lead"),
    )
