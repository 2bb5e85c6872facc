"""The coordinator: all studies by hospitals, and how far each hospital of a study is."""

from __future__ import annotations

from flask import Blueprint, g, render_template, request
from werkzeug.exceptions import NotFound

from federation.runs import service
from registry.access import rule
from registry.pages import coordinator_grid
from registry.pages.connections import connections_of, state_words
from registry.pages.coordinator_words import marks, owner_name, state_name
from registry.pages.shell import whole
from registry.pages.states import run_state
from registry.pictures.state_marks import phase
from registry.transaction import current_session
from registry.translate import language
from studies.hospitals.facts import road_of_study
from studies.models import Study
from studies.states import NOTE_CODES
from studies.study_state import STANDINGS, standing_of

blueprint = Blueprint("coordinator", __name__, url_prefix="/c")


@blueprint.get("")
@rule(roles={"coordinator"})
def overview() -> str:
    """All studies by all hospitals."""
    return coordinator_grid.overview()


@blueprint.get("/study/<slug>/hospitals")
@rule(roles={"coordinator"}, scope="study")
def hospitals(slug: str) -> str:
    """Every hospital of a study: its state since when, who to call, whether it answers now."""
    session = current_session()
    study = session.get(Study, slug)
    if study is None:
        raise NotFound
    links = connections_of(session, [part.institution for part in study.participations], g.now)
    road = road_of_study(session, study)
    rows = [
        (part, road.forward(part.state), links[part.institution], max(0, (g.now - part.since).days))
        for part in study.participations
    ]
    rows.sort(key=lambda row: row[2].name.casefold())
    return render_template(
        "coordinator/hospitals.html",
        study=study,
        rows=rows,
        state_words=state_words,
        invited=whole(request.args.get("invited", "")),
        already=whole(request.args.get("already", "")),
        state_name=state_name,
        owner_name=owner_name,
        phase=phase,
        marks=marks(),
        standing=STANDINGS[standing_of(session, study)][1 + (language() == "nl")],
        notes=NOTE_CODES,
        runs=[(run, run_state(run.state)) for run in service.list_runs(session, study=slug)[:10]],
    )
