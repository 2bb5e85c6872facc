"""A coordinator publishes what came out of a study, puts it right, or takes it back."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, g, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from federation.runs.models import Run
from federation.runs.states import RELEASED
from registry.access import rule
from registry.forms.dates import Days
from registry.pages.coordinator_consent import study_of
from registry.pages.shell import whole
from registry.transaction import current_session
from registry.translate import translate as _
from studies.errors import StudiesError
from studies.models import Study
from studies.register import results as library
from studies.register.models import StudyResult
from studies.register.results import LONGEST, LONGEST_TITLE, Outcome

blueprint = Blueprint("study_results", __name__, url_prefix="/c/study/<slug>/results")
Answer = Response | str | tuple[str, int]
TEXTS = ("title_nl", "title_en", "text_nl", "text_en")


@blueprint.get("")
@rule(roles={"coordinator"}, scope="study")
def page(slug: str) -> str:
    """What was published of this study, and the form for something new."""
    return _page(study_of(slug), {}, {}, None)


@blueprint.post("")
@rule(roles={"coordinator"}, scope="study")
def publish(slug: str) -> Answer:
    """Publish a result; it stands in the public library at once."""
    study = study_of(slug)
    outcome, errors = _read(study)
    if outcome is not None:
        try:
            library.publish_result(current_session(), study, outcome, actor=g.actor, now=g.now)
            return redirect(url_for("study_results.page", slug=slug), 303)
        except StudiesError as error:
            errors = _field(error)
    return _page(study, request.form, errors, None), 422


@blueprint.get("/<int:result>")
@rule(roles={"coordinator"}, scope="study")
def one(slug: str, result: int) -> str:
    """The form of a published result, to put it right."""
    study = study_of(slug)
    found = _result(study, result)
    typed = {name: getattr(found, name) for name in TEXTS}
    typed |= {
        "doi": found.doi or "",
        "published_on": found.published_on.strftime("%d-%m-%Y"),
        "run": found.run_id or "",
        "version": str(found.version),
    }
    return _page(study, typed, {}, found)


@blueprint.post("/<int:result>")
@rule(roles={"coordinator"}, scope="study")
def correct(slug: str, result: int) -> Answer:
    """Put a result right; who saw an older version is told so and loses nothing."""
    study = study_of(slug)
    found = _result(study, result)
    outcome, errors = _read(study)
    if outcome is not None:
        expected = whole(request.form.get("version", "")) or 0
        try:
            library.correct_result(
                current_session(), found, outcome, actor=g.actor, now=g.now, expected=expected
            )
            return redirect(url_for("study_results.page", slug=slug), 303)
        except StudiesError as error:
            errors = _field(error)
    return _page(study, request.form, errors, found), 422


@blueprint.post("/<int:result>/withdraw")
@rule(roles={"coordinator"}, scope="study")
def withdraw(slug: str, result: int) -> Answer:
    """Take a result back; it stays in the library, marked as taken back."""
    found = _result(study_of(slug), result)
    library.withdraw_result(current_session(), found, actor=g.actor, now=g.now)
    return redirect(url_for("study_results.page", slug=slug), 303)


def _result(study: Study, number: int) -> StudyResult:
    return library.get_result(current_session(), study.slug, number)


def _read(study: Study) -> tuple[Outcome | None, dict[str, str]]:
    """What was typed, or a sentence for each field that cannot be used."""
    form, days = request.form, Days(request.form)
    errors = {
        name: _("Write a sentence; this is empty")
        for name in TEXTS
        if not form.get(name, "").strip()
    }
    errors |= {
        name: _("This is too long; %(most)s letters at most", most=most)
        for name, most in _most()
        if len(form.get(name, "")) > most
    }
    published = days.needed("published_on")
    run = form.get("run", "")
    if run and run not in dict(_questions(study)):
        raise NotFound
    if published is None or errors or days.errors:
        return None, {**errors, **days.errors}
    texts = {name: form[name] for name in TEXTS}
    doi = form.get("doi", "")[:300]
    return Outcome(**texts, published_on=published, doi=doi, run_id=run or None), {}


def _most() -> list[tuple[str, int]]:
    return [(name, LONGEST_TITLE if name.startswith("title") else LONGEST) for name in TEXTS]


def _field(error: StudiesError) -> dict[str, str]:
    field = {
        "bad_doi": "doi",
        "in_the_future": "published_on",
        "too_long_ago": "published_on",
    }.get(error.code, "")
    return {field: _(error.message)}


def _questions(study: Study) -> list[tuple[str, str]]:
    """The answered questions of the study that a result may come from."""
    wanted = (
        select(Run.id, Run.query)
        .where(Run.study == study.slug, Run.state.in_(RELEASED))
        .order_by(Run.finished_at.desc())
    )
    found = current_session().execute(wanted)
    return [(run, str(query["title"])) for run, query in found]


def _page(
    study: Study,
    typed: Mapping[str, str],
    errors: Mapping[str, str],
    result: StudyResult | None,
) -> str:
    return render_template(
        "coordinator/results.html",
        study=study,
        typed=typed,
        errors=errors,
        result=result,
        found=library.list_results(current_session(), study=study.slug),
        questions=_questions(study),
    )
