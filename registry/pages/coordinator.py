"""The coordinator: one line per study, and how far each hospital is."""

from __future__ import annotations

from collections import Counter

from flask import Blueprint, g, render_template
from sqlalchemy import select
from werkzeug.exceptions import NotFound

from federation.runs import service
from registry.access import reach, rule
from registry.pages.connections import connections_of, state_words
from registry.pages.states import participation_state, run_state
from registry.transaction import current_session
from studies.models import Study
from studies.states import NOTE_CODES

blueprint = Blueprint("coordinator", __name__, url_prefix="/c")


def my_studies() -> list[Study]:
    """The studies this person coordinates."""
    reached = reach(g.actor, "coordinator", "study")
    wanted = select(Study).order_by(Study.title_nl)
    if reached is not None:
        wanted = wanted.where(Study.slug.in_(reached))
    return list(current_session().scalars(wanted))


@blueprint.get("")
@rule(roles={"coordinator"})
def overview() -> str:
    """One line per study: hospitals taking part, questions waiting."""
    session = current_session()
    lines = []
    for study in my_studies():
        states = Counter(part.state for part in study.participations)
        found = service.list_runs(session, study=study.slug)
        waiting = sum(run.state == "submitted" for run in found)
        lines.append((study, states, waiting, len(found)))
    return render_template("coordinator/overview.html", lines=lines)


@blueprint.get("/study/<slug>/hospitals")
@rule(roles={"coordinator"}, scope="study")
def hospitals(slug: str) -> str:
    """Every hospital of a study: its state since when, who to call, whether it answers now."""
    session = current_session()
    study = session.get(Study, slug)
    if study is None:
        raise NotFound
    links = connections_of(session, [part.institution for part in study.participations], g.now)
    rows = [
        (part, participation_state(part.state), links[part.institution])
        for part in study.participations
    ]
    return render_template(
        "coordinator/hospitals.html",
        study=study,
        rows=rows,
        state_words=state_words,
        notes=NOTE_CODES,
        runs=[(run, run_state(run.state)) for run in service.list_runs(session, study=slug)[:10]],
    )
