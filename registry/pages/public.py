"""A study in the public register: in plain words, with its hospitals and its codebook."""

from __future__ import annotations

import json

from flask import Blueprint, Response, g, render_template
from sqlalchemy import func, select
from werkzeug.exceptions import NotFound

from consent import duo, no_consent
from consent.errors import ConsentError
from consent.texts import text_for
from federation.query.codebook import Codebook, Variable
from federation.runs.models import Run
from federation.runs.states import RELEASED
from registry.access import rule
from registry.pages.coverage import legend, matrix, may_see
from registry.pages.explaining import thresholds
from registry.pages.naming import Names
from registry.pages.rules import by_hospital, rules_of
from registry.pages.states import participation_state
from registry.transaction import current_session
from registry.translate import language
from registry.translate import translate as _
from studies.models import Institution, Study
from studies.register.results import list_results

blueprint = Blueprint("public", __name__, url_prefix="/studies")


def visible(slug: str) -> Study:
    """A study that is open or was; a draft is nobody's business yet."""
    found = current_session().get(Study, slug)
    if found is None or found.state == "draft":
        raise NotFound
    return found


@blueprint.get("/<slug>")
@rule("public")
def study(slug: str) -> str:
    """One study: what it wants to know, who does it, where, what was asked of the data."""
    session = current_session()
    found = visible(slug)
    try:
        story = text_for(session, slug, g.now).content[language()]
    except ConsentError:
        story = None
    released = list(
        session.scalars(
            select(Run)
            .where(Run.study == slug, Run.state.in_(RELEASED))
            .order_by(Run.finished_at.desc())
            .limit(20)
        )
    )
    asked = session.scalar(select(func.count()).select_from(Run).where(Run.study == slug))
    lead = session.get(Institution, found.lead) if found.lead else None
    conditions = duo.label(found.requires)
    terms = thresholds(session, slug)
    return render_template(
        "public/study.html",
        study=found,
        story=story,
        lead=lead,
        parts=[(part, participation_state(part.state)) for part in found.participations],
        released=released,
        asked=asked or 0,
        rules=rules_of(terms),
        by_hospital=by_hospital(found, terms),
        conditions=[(term, term.label(language())) for term in conditions.terms],
        results=list_results(session, study=slug),
        without_asking=no_consent.in_force(session, slug, g.now),
    )


@blueprint.get("/<slug>/codebook")
@rule("public")
def codebook(slug: str) -> str:
    """The variables that a question in this study may name."""
    found = visible(slug)
    book = Codebook.from_dict(found.codebook)
    names = Names(book, language())
    return render_template(
        "public/codebook.html",
        study=found,
        book=book,
        rows=[(variable, names, kind_words(variable)) for variable in book.variables.values()],
        filled=matrix(current_session(), found, names) if may_see(slug) else None,
        levels=legend(),
    )


@blueprint.get("/<slug>/codebook.json")
@rule("public")
def codebook_file(slug: str) -> Response:
    """The codebook as JSON, for the client and the command line."""
    found = visible(slug)
    body = json.dumps(Codebook.from_dict(found.codebook).to_dict(), indent=2, ensure_ascii=False)
    response = Response(body, mimetype="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="codebook-{slug}.json"'
    return response


def kind_words(variable: Variable) -> str:
    """What kind of values a variable has."""
    return {
        "integer": _("whole number"),
        "number": _("number"),
        "category": _("one of a list"),
        "boolean": _("yes or no"),
        "duration": _("length of time"),
        "date": _("month and year") if variable.resolution == "month" else _("year"),
    }[variable.type]
