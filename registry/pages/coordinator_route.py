"""Decisions to use data without asking (art. 7:458 BW): proposed by one person, decided by another.

Kept and shown; nobody counts by them (consent/no_consent.py). Committees and boards decide, who
answers for the texts of a study can look.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from consent import no_consent
from consent.errors import ConsentError
from consent.models_trust import NoConsentDecision
from registry.access import rule
from registry.pages.coordinator_consent import READERS, study_of
from registry.text_roles import APPROVERS, may_approve, names_of
from registry.transaction import current_session
from registry.translate import translate as _
from studies.days import ZONE

blueprint = Blueprint("coordinator_route", __name__, url_prefix="/c/study/<slug>/consent/route")
FIELDS = ("ground", "reason", "reference", "until")
Answer = Response | tuple[str, int]


def init_app(app: Any) -> None:
    """What the templates call."""
    app.jinja_env.globals.update(route_ground=ground_words, route_state=state_words)


@blueprint.get("")
@rule(roles=READERS, scope="text")
def page(slug: str) -> str:
    """What such a decision is, what was proposed and decided, and the button that fits."""
    return _page(slug, {})


@blueprint.post("")
@rule(roles=APPROVERS, scope="text", fresh=True)
def propose(slug: str) -> Answer:
    """Propose a decision; another person decides."""
    typed = {name: request.form.get(name, "").strip() for name in FIELDS}
    until = _last_moment(typed["until"])
    errors = {
        name: words
        for name, words in (
            ("ground", _("Choose a ground")),
            ("reason", _("Write why, in a few sentences")),
            ("reference", _("Give the reference of the committee's approval")),
        )
        if not typed[name]
    }
    if until is None or not g.now < until <= g.now + no_consent.LONGEST:
        errors["until"] = _("Give a last day, at most five years from now")
    if errors or until is None:
        return _page(slug, errors), 422
    try:
        no_consent.propose(
            current_session(),
            study_of(slug),
            ground=typed["ground"],
            reason=typed["reason"],
            reference=typed["reference"],
            until=until,
            actor=g.actor,
            now=g.now,
        )
    except ConsentError as error:
        return _page(slug, {"": _(error.message)}), 409
    return redirect(url_for(".page", slug=slug), 303)


@blueprint.post("/<uuid:decision>")
@rule(roles=APPROVERS, scope="text", fresh=True)
def act(slug: str, decision: Any) -> Answer:
    """Decide what somebody else proposed, or end it: one person is enough for an end."""
    session = current_session()
    study_of(slug)
    try:
        found = no_consent.find(session, str(decision))
    except ConsentError:
        raise NotFound from None
    if found.study != slug:
        raise NotFound
    acts = {"decide": no_consent.decide, "end": no_consent.end}
    chosen = acts.get(request.form.get("act", ""))
    if chosen is None:
        return _page(slug, {"": _("Choose what you decide")}), 422
    try:
        chosen(session, found, actor=g.actor, now=g.now)
    except ConsentError as error:
        return _page(slug, {"": _(error.message)}), 409
    return redirect(url_for(".page", slug=slug), 303)


def ground_words(ground: str) -> str:
    """Why nobody was asked, for everybody."""
    if ground == "a":
        return _("Asking everybody is not reasonably possible. There are other safeguards.")
    return _("Asking everybody cannot reasonably be expected. The data name nobody.")


def state_words(state: str) -> str:
    """What became of a proposal."""
    return {
        "off": _("not in force: the network has this switched off"),
        "ended": _("ended"),
        "proposed": _("waits for a second person"),
        "decided": _("in force"),
    }[state]


def _page(slug: str, errors: Mapping[str, str]) -> str:
    session, study = current_session(), study_of(slug)
    rows = no_consent.decisions(session, slug)
    people = {
        who for each in rows for who in (each.asked_by, each.decided_by, each.ended_by) if who
    }
    return render_template(
        "coordinator/consent_route.html",
        study=study,
        on=no_consent.is_on(session, study),
        rows=[(each, no_consent.state_of(session, each, g.now)) for each in rows],
        names=names_of(session, people),
        may_decide=may_approve(session, g.actor, slug),
        own=_own,
        fresh=g.fresh,
        typed={name: request.form.get(name, "") for name in FIELDS},
        errors=errors,
        grounds=[(code, ground_words(code)) for code in no_consent.GROUNDS],
    )


def _own(found: NoConsentDecision) -> bool:
    return bool(found.asked_by == g.actor.id)


def _last_moment(text: str) -> datetime | None:
    """The last moment of a Dutch day; None when it is no day."""
    try:
        return datetime.combine(date.fromisoformat(text), time(23, 59, 59), ZONE)
    except ValueError:
        return None
