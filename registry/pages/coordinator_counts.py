"""Idea to feasibility: how many patients there would be, counted where a committee allows that.

Who is asked and which patients is typed as in the researcher's form; nothing is sent before it
was read back in words. The committee of the other study decides on the question as on any of its
own, and here says whether its patients are counted for ideas at all (ADR 0046).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from federation.query.codebook import Codebook
from federation.query.errors import QueryError
from federation.query.model import Query
from federation.runs import feasibility as counting
from federation.runs import service
from federation.runs.errors import RunError
from federation.runs.models import Run
from registry.access import FreshSignInNeeded, reaches, rule
from registry.forms import cohort_rows
from registry.forms.query_form import controls, from_fields, unit_of, units
from registry.pages.coordinator_consent import study_of
from registry.pages.explaining import sentences, thresholds
from registry.pages.idea_counts import counts_of
from registry.pages.naming import Names
from registry.pages.researcher import hospitals_of
from registry.transaction import current_session
from registry.translate import language
from registry.translate import translate as _
from studies.errors import StudiesError
from studies.hospitals import feasibility
from studies.hospitals.models import StudyFeasibility
from studies.models import Study

blueprint = Blueprint("coordinator_counts", __name__, url_prefix="/c/study/<slug>/counts")
Answer = Response | str | tuple[str, int]
READERS = frozenset({"coordinator", "committee"})


@blueprint.get("")
@rule(roles=READERS, scope="study")
def page(slug: str) -> str:
    """What was counted for this idea, and whether others' ideas may be counted in this study."""
    return _page(study_of(slug))


@blueprint.get("/new")
@rule(roles={"coordinator"}, scope="study")
def new(slug: str) -> str | Response:
    """The form: in which study, which patients, split by what."""
    study = study_of(slug)
    bases = feasibility.counting_for(current_session(), study)
    basis = _chosen(bases, request.args.get("basis", ""))
    if basis is None or not feasibility.may_be_counted(current_session(), study):
        return redirect(url_for(".page", slug=slug), 303)
    dutch = language() == "nl"
    values = MultiDict(
        {
            "title": study.title(language()),
            "purpose": study.purpose_nl if dutch else study.purpose_en,
        }
    )
    return _form(study, basis, values, {})


@blueprint.post("/new")
@rule(roles={"coordinator"}, scope="study")
def ask(slug: str) -> Answer:
    """Add or remove a condition, read the question back in words, or send it to the committee."""
    session, study = current_session(), study_of(slug)
    basis = _chosen(feasibility.counting_for(session, study), request.form.get("basis", ""))
    if basis is None:
        return _page(study, {"basis": _("Choose a study of the list")}), 422
    values = MultiDict(request.form.items(multi=True))
    values["kind"] = counting.KIND
    rows, act = cohort_rows.rows_of(values), values.get("act", "check")
    if act not in ("check", "send"):
        if act == "add" and values.get("add-var"):
            rows = cohort_rows.with_row(rows, values["add-var"])
            values["add-var"] = ""
        elif act.startswith("remove-"):
            rows = cohort_rows.without_row(rows, act.removeprefix("remove-"))
        return _form(study, basis, values, {}, rows=rows)
    filled = from_fields(values, basis.slug, Codebook.from_dict(basis.codebook))
    if filled.query is None:
        return _form(study, basis, values, filled.errors), 422
    if act != "send" or values.get("read") != filled.query.sha256:
        # Only what was read in words is sent: not what was changed below the words since.
        return _form(study, basis, values, {}, query=filled.query)
    question = {**filled.made, "by": filled.made["analysis"].get("by", [])}
    try:
        counting.ask(session, study, basis.slug, question, by=g.actor, now=g.now)
    except (StudiesError, RunError, QueryError) as error:
        return _form(study, basis, values, {"": _(error.message)}), 409
    return redirect(url_for(".page", slug=slug, done="asked"), 303)


@blueprint.post("/<uuid:run>/withdraw")
@rule(roles={"coordinator"}, scope="study")
def withdraw(slug: str, run: Any) -> Answer:
    """Take a question of this idea back that is not answered yet."""
    session = current_session()
    kept = session.get(StudyFeasibility, (slug, str(run)))
    found = session.get(Run, str(run))
    if kept is None or kept.asked_in is None or found is None:
        raise NotFound
    try:
        service.cancel(session, found, g.actor, g.now)
        counting.take_in(session, g.now)
    except RunError as error:
        return _page(study_of(slug), {"": _(error.message)}), 409
    return redirect(url_for(".page", slug=slug, done="withdrawn"), 303)


@blueprint.post("/allowed")
@rule(roles={"committee"}, scope="study")
def allow(slug: str) -> Answer:
    """The committee lets patients of this study be counted for ideas of others, or no longer."""
    study, answer = study_of(slug), request.form.get("allowed")
    if answer not in ("yes", "no"):
        return _page(study, {"allowed": _("Choose yes or no")}), 422
    if answer == "yes" and not g.fresh:
        # A stop is never held up; a yes asks who it is again.
        raise FreshSignInNeeded
    try:
        feasibility.let_ideas_count(current_session(), study, answer == "yes", actor=g.actor)
    except StudiesError as error:
        return _page(study, {"allowed": _(error.message)}), 409
    return redirect(url_for(".page", slug=slug, done="allowed"), 303)


def _chosen(bases: list[Study], slug: str) -> Study | None:
    if not slug and len(bases) == 1:
        return bases[0]
    return next((each for each in bases if each.slug == slug), None)


def _page(study: Study, errors: Mapping[str, str] | None = None) -> str:
    session = current_session()
    return render_template(
        "coordinator/counts.html",
        study=study,
        errors=errors or {},
        done="" if errors else request.args.get("done", ""),
        counts=counts_of(session, study),
        idea=feasibility.may_be_counted(session, study),
        bases=[(each.slug, each.title(language())) for each in _bases(study)],
        coordinates=reaches(g.actor, "coordinator", "study", study.slug),
        decides=reaches(g.actor, "committee", "study", study.slug),
        asked_here=_asked_here(study),
    )


def _bases(study: Study) -> list[Study]:
    return feasibility.counting_for(current_session(), study)


def _asked_here(study: Study) -> int:
    """How many questions were put in this study for ideas of others."""
    put = select(StudyFeasibility.run_id).where(StudyFeasibility.asked_in == study.slug)
    return len(current_session().scalars(put).all())


def _form(
    study: Study,
    basis: Study,
    values: MultiDict[str, str],
    errors: Mapping[str, str],
    *,
    rows: list[cohort_rows.Row] | None = None,
    query: Query | None = None,
) -> str:
    whole = Codebook.from_dict(basis.codebook)
    codebook = whole.at(unit_of(values, whole))
    names = Names(whole, language())
    rows = cohort_rows.rows_of(values) if rows is None else rows
    shown = [c for row in rows if (c := cohort_rows.control(row, codebook, names)) is not None]
    return render_template(
        "coordinator/count_new.html",
        study=study,
        basis=basis,
        values=values,
        errors=errors,
        units=units(whole),
        unit=codebook.unit,
        by=controls(counting.KIND, codebook, names)[0],
        rows=shown,
        usable=[(v, names.variable(v)) for v in cohort_rows.usable(codebook)],
        hospitals=hospitals_of(basis),
        explained=_in_words(basis, query, whole),
        read="" if query is None else query.sha256,
    )


def _in_words(basis: Study, query: Query | None, codebook: Codebook) -> list[str]:
    if query is None:
        return []
    terms = thresholds(current_session(), basis.slug, query)
    return sentences(query, codebook, terms, language())
