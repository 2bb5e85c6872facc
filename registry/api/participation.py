"""/api/v1/studies/<study>/sites: how far each hospital is with a study, and taking it further."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, current_app, g, jsonify, url_for
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from registry.access import rule
from registry.api import conditions, once, schemas_studies
from registry.api.paging import Page, page
from registry.api.part import Part
from registry.transaction import current_session
from studies import service
from studies.hospitals.card import SiteCard, site_card
from studies.models import Participation, Study
from studies.reading import get_participation, get_study

blueprint = Part("api-participation", __name__, description="Hospitals in studies")
COORDINATORS = frozenset({"coordinator"})
CARD = schemas_studies.Card()


@blueprint.get("/studies/<study>/sites")
@rule(roles=COORDINATORS, scope="study")
@blueprint.takes(Page, location="query")
@blueprint.also(404)
@blueprint.gives(200, schemas_studies.PartRow(many=True))
def list_sites(part: dict[str, Any], study: str) -> tuple[list[Mapping[str, Any]], int, Any]:
    """The hospitals of a study with the state of each."""
    session = current_session()
    get_study(session, study)
    wanted = select(Participation).where(Participation.study == study)
    rows, headers = page(session, wanted, Participation.institution, part)
    return [_row(row) for row in rows], 200, headers


@blueprint.post("/studies/<study>/sites")
@rule(roles=COORDINATORS, scope="study")
@once.once
@blueprint.takes(schemas_studies.Invitation)
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(201, schemas_studies.Card)
def invite(form: Mapping[str, Any], study: str) -> Response:
    """Invite a hospital of the network."""
    session = current_session()
    part = service.invite(
        session,
        get_study(session, study),
        form["site"],
        actor=g.actor,
        now=g.now,
        contact=form["contact"],
        at=form["at"],
        reason=form["reason"],
    )
    response = card_of(study, part.institution, 201)
    address = url_for("api-participation.get_site", study=study, site=part.institution)
    response.headers["Location"] = address
    return response


@blueprint.get("/studies/<study>/sites/<site>")
@rule(roles=COORDINATORS, scope="study")
@blueprint.also(404)
@blueprint.gives(200, schemas_studies.Card)
def get_site(study: str, site: str) -> Response:
    """One hospital in one study. The ETag is its version, to send back as If-Match."""
    return card_of(study, site)


@blueprint.post("/studies/<study>/sites/<site>/moves")
@rule(roles=COORDINATORS, scope="study")
@once.once
@blueprint.takes(schemas_studies.Move)
@blueprint.says(parameters=[conditions.PARAMETER, once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.also(412, "Somebody else changed it since.")
@blueprint.also(428, "If-Match is missing.")
@blueprint.gives(200, schemas_studies.Card)
def move(form: Mapping[str, Any], study: str, site: str) -> Response:
    """Take a hospital to the next step; `not_ready` names the guards that are not met."""
    session = current_session()
    expected = conditions.expected_version()
    part = get_participation(session, study, site)
    when: dict[str, Any] = {"actor": g.actor, "now": g.now, "at": form["at"], "expected": expected}
    if form["to"] == "declined":
        service.decline(session, part, form["reason"] or "", **when)
    else:
        service.move(session, part, form["to"], reason=form["reason"], **when)
    return card_of(study, site)


def of_study(study: str) -> Study:
    """The study with its hospitals' steps, read at once. Raises StudiesError `not_found`."""
    found = (
        current_session()
        .scalars(
            select(Study)
            .where(Study.slug == study)
            .options(selectinload(Study.participations).selectinload(Participation.steps))
        )
        .first()
    )
    return found if found is not None else get_study(current_session(), study)


def card_of(study: str, site: str, status: int = 200) -> Response:
    """The card of a hospital as it now is, with its version as ETag."""
    card = site_card(current_session(), study, site, g.now)
    response = jsonify(CARD.dump(_shown(card)))
    response.status_code = status
    response.headers["ETag"] = conditions.etag_of(card.version)
    return current_app.make_response(response)


def _row(part: Participation) -> Mapping[str, Any]:
    names = ("state", "since", "version")
    return {"site": part.institution, **{name: getattr(part, name) for name in names}}


def _shown(card: SiteCard) -> Mapping[str, Any]:
    return {
        **_row(card.part),
        "name": card.part.of_institution.name,
        "days_in_state": card.days_in_state,
        "may_enrol": bool(card.may_enrol),
        "steps": [
            {
                "state": one.step.code,
                "place": one.place,
                "planned": one.planned,
                "actual": one.actual,
            }
            for one in card.bar
        ],
        "next": [
            {
                "to": button.step.code,
                "missing": [guard.code for guard in button.missing],
                "needs_reason": button.needs_reason,
            }
            for button in card.buttons
        ],
        "versions": card.versions,
        "history": card.history,
    }
