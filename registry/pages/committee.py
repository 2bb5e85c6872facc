"""The data-access committee: questions to judge, in words, and what was decided before."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from federation.query.codebook import Codebook
from federation.runs import service
from federation.runs.errors import RunError
from federation.runs.models import Run
from registry.access import reaches, rule
from registry.pages.explaining import sentences, thresholds
from registry.pages.runs import hospital_names
from registry.pages.states import run_state
from registry.transaction import current_session
from registry.translate import language
from registry.translate import translate as _
from studies.hospitals.feasibility import ideas_of, proposed_by
from studies.models import Study

blueprint = Blueprint("committee", __name__, url_prefix="/approvals")


def _in_reach(run: Run) -> bool:
    return reaches(g.actor, "committee", "study", run.study)


def _judged(run_id: str) -> Run:
    try:
        return service.get_run(current_session(), run_id)
    except RunError:
        raise NotFound from None


@blueprint.get("")
@rule(roles={"committee"})
def waiting() -> str:
    """Questions that wait for this committee, oldest first, and the last decisions."""
    session = current_session()
    found = [run for run in service.list_runs(session, limit=200) if _in_reach(run)]
    studies = {study.slug: study for study in session.query(Study)}
    open_ones = sorted(
        (run for run in found if run.state == "submitted"), key=lambda run: run.submitted_at
    )
    decided = [run for run in found if run.decided_at is not None][:20]
    return render_template(
        "committee/waiting.html",
        waiting=open_ones,
        decided=decided,
        studies=studies,
        words=run_state,
    )


@blueprint.get("/<uuid:id>")
@rule(roles={"committee"}, scope="query")
def judge(id: Any) -> str:  # noqa: A002 - the name in the address
    """One question in full: who asks, why, what would leave each hospital."""
    return _page(_judged(str(id)), {})


@blueprint.post("/<uuid:id>")
@rule(roles={"committee"}, scope="query", fresh=True)
def decide(id: Any) -> Response | tuple[str, int]:  # noqa: A002
    """Approve or refuse. Nothing is chosen beforehand; a repeated post changes nothing."""
    run = _judged(str(id))
    answer = request.form.get("decision")
    if answer not in ("approve", "refuse"):
        return _page(run, {"decision": _("Choose “approve” or “refuse”")}), 422
    if run.decided_by == g.actor.id:
        return redirect(url_for("committee.judge", id=run.id), 303)
    act = service.approve if answer == "approve" else service.refuse
    try:
        act(current_session(), run, g.actor, g.now)
    except RunError as error:
        return _page(run, {"": _(error.message)}), 409
    return redirect(url_for("committee.judge", id=run.id, done=1), 303)


def _page(run: Run, errors: dict[str, str]) -> str:
    session = current_session()
    query = service.query_of(run)
    codebook = Codebook.from_dict(run.codebook)
    terms = thresholds(session, run.study, query)
    names = hospital_names()
    try:
        asked = [names.get(slug, slug) for slug in service.asked_sites(session, query)]
    except RunError:
        asked = []
    return render_template(
        "committee/judge.html",
        run=run,
        query=query,
        study=session.get_one(Study, run.study),
        asked=asked,
        terms=terms,
        explained=sentences(query, codebook, terms, language()),
        state=run_state(run.state),
        # Whoever proposed the idea that a question counts for decides no more than who sent it.
        own=run.submitted_by == g.actor.id or g.actor.id in proposed_by(session, run.id),
        ideas=ideas_of(session, run.id),
        fresh=g.fresh,
        errors=errors,
        done=request.args.get("done") == "1",
    )
