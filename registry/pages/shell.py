"""What every page shares: navigation, language, the start page and the pages of the footer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, Flask, g, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response

from registry import translate
from registry.access import ANONYMOUS, INSIDE, ROUND_READERS, rule
from registry.app import hub
from registry.forms.query_form import kinds, pretty
from registry.pages.connections import hospitals_of_network, network_drawings, state_words
from registry.pages.states import has_result, run_state
from registry.transaction import current_session
from studies.models import Study

blueprint = Blueprint("shell", __name__)


@dataclass(frozen=True)
class NavItem:
    """One word in the header. `here` is the page itself, `current` also a page below it."""

    label: str
    address: str
    current: bool
    here: bool


MAX_DIGITS = 18
#: Studies on the start page; the others are on the page of all.
ON_START = 6
#: Role (empty: everybody), label, endpoint. Order is the order in the header.
NAVIGATION: tuple[tuple[str, str, str], ...] = (
    ("", "Studies", "public_studies.studies"),
    ("board", "To sign", "board.overview"),
    ("chair", "My groups", "group.overview"),
    ("group", "My groups", "group.overview"),
    ("representative", "My groups", "group.overview"),
    ("representative", "Published", "network.mine"),
    ("observer", "Published", "network.mine"),
    ("researcher", "My questions", "researcher.overview"),
    ("committee", "Approvals", "committee.waiting"),
    ("coordinator", "Coordination", "coordinator.overview"),
    ("coordinator", "Inbox", "inbox.page"),
    ("coordinator", "Texts", "coordinator_consent.waiting"),
    ("committee", "Texts", "coordinator_consent.waiting"),
    ("board", "Texts", "coordinator_consent.waiting"),
    ("auditor", "Audit log", "auditor.log"),
    ("administrator", "Connections", "network_status.status"),
    *((role, "Rounds", "rounds.overview") for role in sorted(ROUND_READERS - {"researcher"})),
    *((role, "Network", "network.overview") for role in sorted(INSIDE)),
    *((role, "Announcements", "notices.page") for role in sorted(INSIDE)),
)


def navigation() -> list[NavItem]:
    """The header for whoever is signed in."""
    items = []
    held = g.actor.roles
    mine = {(label, at): None for role, label, at in NAVIGATION if not role or role in held}
    for label, endpoint in mine:  # once, also for who holds several of its roles
        address = url_for(endpoint)
        below = request.path == address or request.path.startswith(address + "/")
        items.append(NavItem(label, address, below, request.path == address))
    return items


def home() -> str:
    """Where a signed-in person starts: the first page of their role."""
    for role, _label, endpoint in NAVIGATION:
        if role and role in g.actor.roles:
            return url_for(endpoint)
    if "patient" in g.actor.roles:
        return url_for("patient.choices")
    return url_for("public_studies.studies")


def local(address: str | None) -> str | None:
    """An address on this site, or None: a form never sends the reader elsewhere."""
    if not address or not address.startswith("/") or address.startswith(("//", "/\\")):
        return None
    if any(ord(letter) < 32 for letter in address):
        return None
    return address


def whole(text: str) -> int | None:
    """The whole number that a form or address holds, or None. `int` alone fails on figures such as
    a superscript two and on thousands of digits, and a database on more than 64 bits."""
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        return None
    return int(text)


def here() -> str:
    """The page to come back to after a change of language; a form's answer has no address."""
    if request.method == "GET":
        return request.full_path.rstrip("?")
    return local(request.form.get("here")) or request.path


def init_app(app: Flask) -> None:
    """Texts and the few functions every template may call."""
    translate.install(app)
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(
        navigation=navigation,
        here=here,
        home=home,
        signed_in=lambda: g.actor.id != ANONYMOUS.id,
        state_words=state_words,
        run_state=run_state,
        has_result=has_result,
        kind_words=lambda kind: {code: name for code, name, _why in kinds()}.get(kind, kind),
    )
    app.jinja_env.filters.update(pretty=pretty, iso_moment=iso_moment)


def iso_moment(text: str | None) -> str:
    """A UTC moment as results write it (2026-03-05T09:12:45Z), for the reader."""
    return translate.moment(datetime.fromisoformat(text) if text else None)


@blueprint.get("/")
@rule("public")
def start() -> str:
    """Three doors: patient, researcher, hospital; and the network as it stands now."""
    session = current_session()
    hospitals = hospitals_of_network(session, g.now)
    open_studies = list(
        session.scalars(
            select(Study)
            .where(Study.state == "open")
            .order_by(Study.asks_data.desc(), Study.created_at.desc(), Study.slug)
            .limit(ON_START + 1)
        )
    )
    return render_template(
        "public/start.html",
        hospitals=hospitals,
        drawings=network_drawings(hospitals),
        studies=open_studies[:ON_START],
        more=len(open_studies) > ON_START,
    )


@blueprint.post("/language")
@rule("public")
def change_language() -> Response:
    """Keep the chosen language and go back to the page it was chosen on."""
    response = redirect(local(request.form.get("next")) or url_for("shell.start"), 303)
    chosen = request.form.get("language", "")
    if chosen in translate.LANGUAGES:
        made: Any = response
        translate.remember(made, chosen, secure=hub().settings.secure_cookies)
    return response


@blueprint.get("/privacy")
@rule("public")
def privacy() -> str:
    """What happens with data, in plain words."""
    return render_template("public/privacy.html")


@blueprint.get("/accessibility")
@rule("public")
def accessibility() -> str:
    """What was tested and what is known not to be good yet."""
    return render_template("public/accessibility.html")


@blueprint.get("/help")
@rule("public")
def help_page() -> str:
    """Who to call, per reader."""
    return render_template("public/help.html")
