"""Announcements of the network: read, marked with interest, and written by who coordinates."""

from __future__ import annotations

from flask import Blueprint, g, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from registry.access import INSIDE, rule
from registry.own_networks import announcing_in, networks_of
from registry.transaction import current_session
from registry.translate import number
from registry.translate import translate as _
from studies import notices
from studies.errors import StudiesError
from studies.free_text import lines, one_line
from studies.models import Network
from studies.models_inbox import Notice

blueprint = Blueprint("notices", __name__, url_prefix="/announcements")
Answer = Response | str | tuple[str, int]
WRITERS = ("coordinator", "administrator")
#: In the order of the form, which is that of the summary of errors.
TEXTS = ("title_nl", "text_nl", "title_en", "text_en")


@blueprint.get("")
@rule(roles=INSIDE)
def page() -> str:
    """The newest announcements; who looks at one has not yet said that they read it."""
    return _page({}, {})


@blueprint.post("")
@rule(roles=set(WRITERS))
def write() -> Answer:
    """Announce something to everybody who works in a network where one runs a study."""
    given = {name: request.form.get(name, "") for name in (*TEXTS, "network")}
    session, errors = current_session(), {}
    # Somebody else's network is as absent.
    if given["network"] not in announcing_in(session, g.actor):
        errors["network"] = _("Choose a network in which a study of yours is open")
    errors |= {name: said for name in TEXTS if (said := _unfit(name, given[name]))}
    if not errors:
        notices.write_notice(
            session,
            network=given["network"],
            title=(given["title_nl"], given["title_en"]),
            text=(given["text_nl"], given["text_en"]),
            actor=g.actor,
            now=g.now,
        )
        return redirect(url_for("notices.page", done=1), 303)
    return _page(given, errors), 422


@blueprint.post("/<notice>/mark")
@rule(roles=INSIDE)
def mark(notice: str) -> Answer:
    """Say that it was read, and whether one wants to hear more of it."""
    session = current_session()
    said = {"yes": True, "no": False}.get(request.form.get("interest", ""))
    found = _mine(session, notice)
    notices.mark_notice(session, found, interest=said, actor=g.actor, now=g.now)
    return redirect(url_for("notices.page") + f"#n-{found.id}", 303)


@blueprint.post("/<notice>/withdraw")
@rule(roles=set(WRITERS))
def withdraw(notice: str) -> Answer:
    """Take one's own announcement back, or any as administrator; nobody sees it any more."""
    session = current_session()
    notices.withdraw_notice(session, _mine(session, notice), actor=g.actor, now=g.now)
    return redirect(url_for("notices.page"), 303)


def _unfit(name: str, text: str) -> str:
    """Why a text is not announced, to stand at its field; empty when it is."""
    most = notices.MOST_TITLE if name.startswith("title") else notices.MOST_TEXT
    if not text.strip():
        return _("Write a sentence; this is empty")
    try:
        (one_line if most == notices.MOST_TITLE else lines)(text, most, g.now)
    except StudiesError as error:
        if error.code == "empty_text":
            return _("Make this shorter: at most %(most)s characters.", most=number(most))
        return _(error.message)
    return ""


def _mine(session: Session, number: str) -> Notice:
    """An announcement of a network that one works in; another one is as absent."""
    found = notices.get_notice(session, number)
    if found.network not in networks_of(session, g.actor, g.now):
        raise StudiesError("not_found")
    return found


def _page(typed: dict[str, str], errors: dict[str, str]) -> str:
    session = current_session()
    telling = announcing_in(session, g.actor) if g.actor.roles & set(WRITERS) else frozenset()
    networks = session.scalars(
        select(Network).where(Network.slug.in_(telling)).order_by(Network.name)
    ).all()
    return render_template(
        "coordinator/notices.html",
        heard=notices.list_notices(session, networks_of(session, g.actor, g.now), g.actor),
        networks=[(each.slug, each.name) for each in networks],
        writes=bool(networks),
        typed=typed,
        errors=errors,
        done=request.args.get("done") == "1",
    )
