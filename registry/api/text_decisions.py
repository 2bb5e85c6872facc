"""/api/v1/studies/<study>: what two people decide about its texts. Suspending one that is wrong,
and using data without asking, by which nobody counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time
from typing import Any

from flask import g
from werkzeug.exceptions import NotFound

from consent import no_consent, suspending
from consent.models import TextVersion
from consent.models_trust import NoConsentDecision, TextSuspension
from consent.texts import versions
from registry.access import rule
from registry.api import once, schemas_texts
from registry.api.part import Part
from registry.text_roles import APPROVERS, WRITERS
from registry.transaction import current_session
from studies.days import ZONE
from studies.reading import get_study

blueprint = Part("api-text-decisions", __name__, description="Two people about texts")
READERS = WRITERS | APPROVERS
_SUSPENSIONS = "/studies/<study>/texts/<n>/suspensions"
_ROUTES = "/studies/<study>/use-without-asking"


@blueprint.get(_SUSPENSIONS)
@rule(roles=READERS, scope="text")
@blueprint.also(404)
@blueprint.gives(200, schemas_texts.Suspension(many=True))
def list_suspensions(study: str, n: str) -> Sequence[TextSuspension]:
    """Who asked to suspend a text, by its number, and what was decided; the newest first."""
    return suspending.requests(current_session(), _text(study, n))


@blueprint.post(_SUSPENSIONS)
@rule(roles=READERS, scope="text", fresh=True)
@once.once
@blueprint.takes(schemas_texts.AskSuspension)
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(201, schemas_texts.Suspension)
def ask_suspension(form: Mapping[str, Any], study: str, n: str) -> TextSuspension:
    """Ask that a text be suspended; needs a sign-in of less than ten minutes ago."""
    text = _text(study, n)
    return suspending.ask(current_session(), text, why=form["why"], actor=g.actor, now=g.now)


@blueprint.post(f"{_SUSPENSIONS}/<asked>")
@rule(roles=READERS, scope="text", fresh=True)
@once.once
@blueprint.takes(schemas_texts.DecideSuspension)
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(200, schemas_texts.Suspension)
def decide_suspension(form: Mapping[str, Any], study: str, n: str, asked: str) -> TextSuspension:
    """Suspend a text for good, or leave it; needs a sign-in of less than ten minutes ago.

    Who asked can only take that back.
    """
    session = current_session()
    found = suspending.find(session, asked, _text(study, n))
    suspending.decide(session, found, suspends=form["suspends"], actor=g.actor, now=g.now)
    return found


@blueprint.get(_ROUTES)
@rule(roles=READERS, scope="text")
@blueprint.also(404)
@blueprint.gives(200, schemas_texts.DecidedRoute(many=True))
def list_routes(study: str) -> list[Mapping[str, Any]]:
    """What was proposed and decided about using data without asking, the newest first."""
    session = current_session()
    return [_shown(each) for each in no_consent.decisions(session, get_study(session, study).slug)]


@blueprint.post(_ROUTES)
@rule(roles=APPROVERS, scope="text", fresh=True)
@once.once
@blueprint.takes(schemas_texts.NewRoute)
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(201, schemas_texts.DecidedRoute)
def propose_route(form: Mapping[str, Any], study: str) -> Mapping[str, Any]:
    """Propose to use data without asking; needs a sign-in of less than ten minutes ago."""
    session = current_session()
    until = datetime.combine(form["until"], time(23, 59, 59), ZONE)
    given = {**form, "until": until}
    found = get_study(session, study)
    return _shown(no_consent.propose(session, found, actor=g.actor, now=g.now, **given))


@blueprint.post(f"{_ROUTES}/<decision>")
@rule(roles=APPROVERS, scope="text", fresh=True)
@once.once
@blueprint.takes(schemas_texts.RouteAct)
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(200, schemas_texts.DecidedRoute)
def act_on_route(form: Mapping[str, Any], study: str, decision: str) -> Mapping[str, Any]:
    """Decide what another person proposed, or end it; needs a sign-in of less than ten minutes ago.

    One person is enough for an end.
    """
    session = current_session()
    found = no_consent.find(session, decision)
    if found.study != study:
        raise NotFound
    act = {"decide": no_consent.decide, "end": no_consent.end}[form["act"]]
    act(session, found, actor=g.actor, now=g.now)
    return _shown(found)


def _text(study: str, n: str) -> TextVersion:
    for text in versions(current_session(), study):
        if str(text.number) == n:
            return text
    raise NotFound


def _shown(found: NoConsentDecision) -> Mapping[str, Any]:
    names = ("id", "ground", "reason", "reference", "until", "asked_at", "decided_at", "ended_at")
    state = no_consent.state_of(current_session(), found, g.now)
    return {**{name: getattr(found, name) for name in names}, "state": state}
