"""/api/v1/networks/<network>/agreements and /announcements: what is signed, and what is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from registry.access import INSIDE, rule
from registry.api import once, schemas_groups
from registry.api.etags import etagged
from registry.api.groups import OFFICE, first_moment
from registry.api.part import Part
from registry.own_networks import announcing_in, networks_of
from registry.transaction import current_session
from studies import notices
from studies.errors import StudiesError
from studies.models import Membership, Network
from studies.models_inbox import Notice
from studies.network import agreements
from studies.network.agreement_paper import check_shown
from studies.network.models import Agreement
from studies.periods import in_force

blueprint = Part("api-agreements", __name__, description="Agreements and announcements")
WRITERS = frozenset({"coordinator", "administrator"})


@blueprint.get("/networks/<network>/agreements")
@rule(roles=INSIDE)
@etagged
@blueprint.also(304, "Nothing has changed since the ETag that was sent.")
@blueprint.also(404)
@blueprint.gives(200, schemas_groups.Agreement(many=True))
def list_agreements(network: str) -> list[Agreement]:
    """The agreements of a network that one works in, with who signed each version."""
    session = current_session()
    if network not in networks_of(session, g.actor, g.now):
        raise NotFound
    return agreements.agreements_of(session, network)


@blueprint.post("/networks/<network>/agreements")
@rule(roles=OFFICE)
@once.once
@blueprint.takes(schemas_groups.NewAgreement)
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(201, schemas_groups.Agreement)
def add_agreement(form: Mapping[str, Any], network: str) -> Agreement:
    """Add a version of an agreement; each board signs it on its own page, or here."""
    given = dict(form)
    since, until = given.pop("since"), given.pop("until")
    return agreements.add_agreement(
        current_session(),
        network=network,
        since=first_moment(since),
        until=None if until is None else first_moment(until),
        actor=g.actor,
        **given,
    )


@blueprint.post("/sites/<site>/agreements")
@rule(roles={"board"}, scope="site", fresh=True)
@once.once
@blueprint.takes(schemas_groups.Sign)
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(200, schemas_groups.Signature)
def sign(form: Mapping[str, Any], site: str) -> object:
    """Sign a version of an agreement for a hospital, or withdraw that signature."""
    session = current_session()
    found = session.get(Agreement, form["agreement"])
    if found is None or not _is_member(session, found.network, site):
        raise NotFound
    if form["act"] == "withdraw":
        return agreements.withdraw_signature(session, found, site, actor=g.actor, now=g.now)
    check_shown(found, form["sha256"])
    return agreements.sign_agreement(
        session, found, site, signatory=g.actor.name, actor=g.actor, now=g.now
    )


@blueprint.get("/announcements")
@rule(roles=INSIDE)
@etagged
@blueprint.also(304, "Nothing has changed since the ETag that was sent.")
@blueprint.gives(200, schemas_groups.Announcement(many=True))
def list_announcements() -> list[Mapping[str, Any]]:
    """The newest announcements of the networks that one works in, at most a hundred."""
    session = current_session()
    heard = notices.list_notices(session, networks_of(session, g.actor, g.now), g.actor, most=100)
    return [_shown(each) for each in heard]


@blueprint.post("/announcements")
@rule(roles=WRITERS)
@once.once
@blueprint.takes(schemas_groups.NewAnnouncement)
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(201, schemas_groups.Announcement)
def tell(form: Mapping[str, Any]) -> Mapping[str, Any]:
    """Announce something to everybody who works in a network where one runs a study."""
    session = current_session()
    # Somebody else's network is as absent.
    if form["network"] not in announcing_in(session, g.actor):
        raise StudiesError("not_found")
    made = notices.write_notice(
        session,
        network=form["network"],
        title=(form["title_nl"], form["title_en"]),
        text=(form["text_nl"], form["text_en"]),
        actor=g.actor,
        now=g.now,
    )
    return _as_heard(session, made)


@blueprint.post("/announcements/<announcement>/mark")
@rule(roles=INSIDE)
@once.once
@blueprint.takes(schemas_groups.Mark)
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(404)
@blueprint.gives(200, schemas_groups.Announcement)
def mark(form: Mapping[str, Any], announcement: str) -> Mapping[str, Any]:
    """Say that one read it, and whether one wants to hear more of it."""
    session = current_session()
    found = _mine(session, announcement)
    notices.mark_notice(session, found, interest=form["interest"], actor=g.actor, now=g.now)
    return _as_heard(session, found)


@blueprint.post("/announcements/<announcement>/withdrawal")
@rule(roles=WRITERS)
@once.once
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(404)
@blueprint.gives(204)
def withdraw(announcement: str) -> None:
    """Take one's own announcement back, or any as administrator; nobody sees it any more."""
    session = current_session()
    notices.withdraw_notice(session, _mine(session, announcement), actor=g.actor, now=g.now)


def _is_member(session: Session, network: str, site: str) -> bool:
    held = session.query(Membership.id).where(
        Membership.network == network,
        Membership.institution == site,
        in_force(Membership, g.now),
    )
    return held.first() is not None and session.get(Network, network) is not None


def _mine(session: Session, number: str) -> Notice:
    """An announcement of a network that one works in; another one is as absent."""
    found = notices.get_notice(session, number)
    if found.network not in networks_of(session, g.actor, g.now):
        raise StudiesError("not_found")
    return found


def _as_heard(session: Session, notice: Notice) -> Mapping[str, Any]:
    heard = notices.list_notices(session, {notice.network}, g.actor, most=1000)
    return next(_shown(each) for each in heard if each.notice.id == notice.id)


def _shown(heard: notices.Heard) -> Mapping[str, Any]:
    names = ("id", "network", "title_nl", "title_en", "text_nl", "text_en", "at", "name")
    more = ("read", "interest", "readers", "interested", "own")
    return {
        **{name: getattr(heard.notice, name) for name in names},
        **{name: getattr(heard, name) for name in more},
    }
