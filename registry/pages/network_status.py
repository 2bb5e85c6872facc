"""Which hospitals can be reached: for everybody in a word, for who works with them in detail."""

from __future__ import annotations

from flask import Blueprint, g, render_template

from registry.access import INSIDE, rule
from registry.pages.connections import engine_words, hospitals_of_network
from registry.transaction import current_session

blueprint = Blueprint("network_status", __name__)


@blueprint.get("/status")
@rule("public")
def status() -> str:
    """Every hospital: reachable now or not, and when it was last heard."""
    found = hospitals_of_network(current_session(), g.now)
    return render_template(
        "public/status.html",
        hospitals=found,
        detailed=bool(g.actor.roles & INSIDE),
        # A worker that stands still looks at nobody.
        watched=any(each.looked for each in found),
        accepted=any(each.state != "unknown" for each in found),
        engine_words=engine_words,
        now=g.now,
    )
