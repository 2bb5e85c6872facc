"""The network office keeps its network up to date: names of groups, and who is no longer in office.

Everything else of a network is written down by command (docs/how-to/load-a-network.md). Nothing is
deleted: a page on an earlier day shows what held then.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from sqlalchemy import or_, select
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from registry.access import rule
from registry.forms.dates import Days
from registry.pages.network_words import small
from registry.pages.shell import whole
from registry.transaction import current_session
from registry.translate import language
from registry.translate import translate as _
from studies.days import ZONE, local_day
from studies.errors import StudiesError
from studies.models import Institution, Membership, Network, WorkingGroup
from studies.network.groups import find_group, rename_group
from studies.network.joining import end_office
from studies.network.models import Office
from studies.network.words import OFFICES
from studies.periods import holds, in_force
from studies.reading import list_groups

blueprint = Blueprint("network_keeping", __name__, url_prefix="/network/<network>/keep")
Answer = Response | str | tuple[str, int]
_AT = {"empty_text": "name_nl", "control_sign": "name_nl", "points_at_somebody": "name_nl"}
_SINCE = {"in_the_future": "since", "bad_period": "since"}


@blueprint.get("")
@rule(roles={"administrator"})
def page(network: str) -> str:
    """The offices of today, and the name of a group that one chooses."""
    return _page(_network(network), {}, {})


@blueprint.post("/group")
@rule(roles={"administrator"}, fresh=True)
def rename(network: str) -> Answer:
    """Call a group otherwise from a day on."""
    found, session = _network(network), current_session()
    group = _group(session, found, request.form.get("group", ""))
    if group is None:
        return _page(found, request.form, {"group": _("Choose a working group")}), 422
    days = Days(request.form)
    since = days.needed("since")
    for name in ("name_nl", "name_en"):
        if not request.form.get(name, "").strip():
            days.errors[name] = _("Write this in both languages")
    if days.errors or since is None:
        return _page(found, request.form, days.errors), 422
    try:
        with session.begin_nested():
            rename_group(
                session,
                group,
                name_nl=request.form["name_nl"],
                name_en=request.form["name_en"],
                since=_begin(since),
                actor=g.actor,
                now=g.now,
                expected_version=whole(request.form.get("version", "")) or 0,
            )
    except StudiesError as error:
        session.expire_all()
        field = {**_AT, **_SINCE}.get(error.code, "")
        return _page(_network(network), request.form, {field: _(error.message)}), 409
    return redirect(url_for(".page", network=network, done="group"), 303)


@blueprint.post("/office/<uuid:office>")
@rule(roles={"administrator"}, fresh=True)
def end(network: str, office: Any) -> Answer:
    """End somebody's time on a board or as observer, today or on the day that is given."""
    found, session, number = _network(network), current_session(), str(office)
    held = next((each for each in _offices(session, found) if each.id == number), None)
    if held is None:
        raise NotFound
    days = Days(request.form)
    last = days.needed(f"until-{number}")
    if last is None:
        return _page(found, request.form, days.errors), 422
    try:
        with session.begin_nested():
            end_office(session, held, at=_begin(last), actor=g.actor)
    except StudiesError as error:
        session.expire_all()
        errors = {f"until-{number}": _(error.message)}
        return _page(_network(network), request.form, errors), 409
    return redirect(url_for(".page", network=network, done="office"), 303)


def _begin(day: date) -> datetime:
    """When a day begins here: what ends on it no longer holds, what begins on it does."""
    return datetime.combine(day, time(), tzinfo=ZONE)


def _network(slug: str) -> Network:
    found = current_session().get(Network, slug)
    if found is None:
        raise NotFound
    return found


def _group(session: Session, network: Network, slug: str) -> WorkingGroup | None:
    return find_group(session, f"{network.slug}.{slug}")


def _offices(session: Session, network: Network) -> list[Office]:
    """Who observes this network now, and who is on the board of a hospital that is in it now."""
    members = select(Membership.institution).where(
        Membership.network == network.slug, in_force(Membership, g.now)
    )
    wanted = select(Office).where(
        or_(Office.network == network.slug, Office.institution.in_(members))
    )
    return [each for each in session.scalars(wanted) if holds(each, g.now)]


def _page(network: Network, typed: Mapping[str, str], errors: Mapping[str, str]) -> str:
    session = current_session()
    rows = session.execute(select(Institution.slug, Institution.name))
    names: dict[str, str] = {slug: name for slug, name in rows}
    groups = [each for each in list_groups(session, network.slug) if holds(each, g.now)]
    chosen = _group(session, network, typed.get("group") or request.args.get("group", ""))
    offices = sorted(
        (
            (names.get(each.institution or "", ""), small(OFFICES, each.kind), each)
            for each in _offices(session, network)
        ),
        key=lambda line: (line[0].casefold(), line[1], line[2].person.name.casefold()),
    )
    return render_template(
        "network/keeping.html",
        network=network,
        groups=[(each.slug, each.name(language())) for each in groups],
        chosen=chosen,
        offices=offices,
        typed=typed,
        errors=errors,
        today=local_day(g.now).isoformat(),
        fresh=g.fresh,
        done=request.args.get("done", "") if not errors else "",
    )
