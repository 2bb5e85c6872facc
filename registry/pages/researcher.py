"""The researcher's pages before a question is sent: my questions, the form, the check in words."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from federation.methods.registry import KINDS, parse
from federation.query.codebook import Codebook
from federation.query.errors import QueryError
from federation.runs import service as runs
from federation.runs.errors import RunError
from registry.access import reach, rule
from registry.forms import cohort_rows, questions
from registry.forms.query_form import (
    Filled,
    controls,
    from_fields,
    from_text,
    kinds,
    pretty,
    starting_values,
    unit_of,
    units,
)
from registry.pages.connections import Connection, connections_of
from registry.pages.coverage import legend, matrix
from registry.pages.explaining import sentences, thresholds
from registry.pages.naming import Names
from registry.transaction import current_session
from registry.translate import language
from registry.translate import translate as _
from studies.models import Institution, Study
from studies.reading import open_sites

blueprint = Blueprint("researcher", __name__, url_prefix="/r")


def my_studies() -> list[Study]:
    """Open studies in which this person may ask."""
    reached = reach(g.actor, "researcher", "study")
    wanted = select(Study).where(Study.state == "open").order_by(Study.title_nl)
    if reached is not None:
        wanted = wanted.where(Study.slug.in_(reached))
    return list(current_session().scalars(wanted))


def my_study(slug: str) -> Study:
    """One of them; 404 for any other."""
    found = next((study for study in my_studies() if study.slug == slug), None)
    if found is None:
        raise NotFound
    return found


def hospitals_of(study: Study) -> list[tuple[str, str]]:
    """Slug and name of the hospitals that take questions of this study."""
    session = current_session()
    asked = open_sites(session, study.slug, g.now)
    rows = session.execute(
        select(Institution.slug, Institution.name).where(Institution.slug.in_(asked))
    )
    return sorted(((slug, name) for slug, name in rows), key=lambda row: row[1].casefold())


def reachable(study: Study) -> list[Connection]:
    """The same hospitals, and whether each can be reached now."""
    slugs = [slug for slug, _name in hospitals_of(study)]
    found = connections_of(current_session(), slugs, g.now)
    return [found[slug] for slug in slugs]


@blueprint.get("")
@rule(roles={"researcher"})
def overview() -> str:
    """My questions, newest first, and the studies I can ask in."""
    mine = runs.list_runs(current_session(), submitted_by=g.actor.id)
    return render_template("researcher/overview.html", runs=mine, studies=my_studies())


@blueprint.get("/query/new")
@rule(roles={"researcher"})
def new() -> str:
    """The form; without a study first the choice of one. `draft` brings a draft back."""
    draft = questions.get(request.args.get("draft", ""))
    if draft is not None and "form" in draft:
        values = MultiDict([(str(k), str(v)) for k, v in draft["form"]])
        return _form(my_study(draft["study"]), values, {})
    studies = my_studies()
    slug = request.args.get("study", "")
    if not slug and len(studies) == 1:
        slug = studies[0].slug
    if not slug:
        return render_template("researcher/choose_study.html", studies=studies)
    kind = request.args.get("kind", "survival")
    kind = kind if kind in KINDS else next(iter(KINDS))
    values = MultiDict({"kind": kind, **starting_values(kind)})
    return _form(my_study(slug), values, {})


@blueprint.post("/query/new")
@rule(roles={"researcher"})
def new_post() -> str | Response | tuple[str, int]:
    """Add or remove a condition, show other fields, or check the question."""
    form: MultiDict[str, str] = MultiDict(request.form.items(multi=True))
    study = my_study(form.get("study", ""))
    codebook = Codebook.from_dict(study.codebook)
    act = form.get("act", "check")
    if act == "check":
        filled = from_fields(form, study.slug, codebook)
        if filled.query is None:
            return _form(study, form, filled.errors), 422
        draft = questions.keep(study.slug, filled.made, form=_typed(form))
        return redirect(url_for("researcher.check", id=draft), 303)
    rows = cohort_rows.rows_of(form)
    if act == "add" and form.get("add-var"):
        rows = cohort_rows.with_row(rows, form["add-var"])
        form["add-var"] = ""
    elif act.startswith("remove-"):
        rows = cohort_rows.without_row(rows, act.removeprefix("remove-"))
    elif act == "kind" and form.get("kind") in KINDS:
        for name, value in starting_values(form["kind"]).items():
            form.setdefault(name, value)
    return _form(study, form, {}, rows)


@blueprint.get("/query/new/json")
@rule(roles={"researcher"})
def new_json() -> str:
    """A field to paste a question in."""
    draft = questions.get(request.args.get("draft", ""))
    if draft is not None:
        return _paste(my_study(draft["study"]), pretty(draft["made"]), {})
    return _paste(my_study(request.args.get("study", "")), "", {})


@blueprint.post("/query/new/json")
@rule(roles={"researcher"})
def new_json_post() -> Response | tuple[str, int]:
    """Check a pasted question."""
    study = my_study(request.form.get("study", ""))
    text = request.form.get("json", "")
    filled = from_text(text, study.slug, Codebook.from_dict(study.codebook))
    if filled.query is None or filled.errors:
        return _paste(study, text, filled.errors), 422
    draft = questions.keep(study.slug, filled.query.to_dict())
    return redirect(url_for("researcher.check", id=draft), 303)


@blueprint.get("/query/<uuid:id>/check")
@rule(roles={"researcher"})
def check(id: Any) -> str | Response:  # noqa: A002 - the name in the address
    """The question in words: who is asked, what leaves each hospital, which limits apply."""
    draft = questions.get(str(id))
    if draft is None:
        return redirect(url_for("runs.show", id=id), 303)
    if draft.get("run"):
        return redirect(url_for("runs.show", id=draft["run"]), 303)
    return _check_page(str(id), draft, {})


@blueprint.post("/query/<uuid:id>/check")
@rule(roles={"researcher"})
def submit(id: Any) -> Response | tuple[str, int]:  # noqa: A002
    """Send the question to the committee, once: a repeated post leads to the same question."""
    draft = questions.get(str(id))
    if draft is None:
        raise NotFound
    if draft.get("run"):
        return redirect(url_for("runs.show", id=draft["run"]), 303)
    my_study(draft["study"])
    try:
        run = runs.submit(
            current_session(), query=draft["made"], study=draft["study"], by=g.actor, now=g.now
        )
    except (RunError, QueryError) as error:
        return _check_page(str(id), draft, {"": _(error.message)}), 409
    questions.sent(str(id), run.id)
    return redirect(url_for("runs.show", id=run.id, sent=1), 303)


@blueprint.get("/query/<uuid:id>/repeat")
@rule(roles={"researcher"}, scope="query")
def repeat(id: Any) -> Response | str:  # noqa: A002
    """The same question as JSON, to change and ask again."""
    run = runs.get_run(current_session(), str(id))
    return _paste(my_study(run.study), pretty(run.query), {})


def _typed(form: MultiDict[str, str]) -> list[list[str]]:
    return [[k, v] for k, v in form.items(multi=True) if k not in ("csrf_token", "act")]


def _form(
    study: Study,
    values: MultiDict[str, str],
    errors: dict[str, str],
    rows: list[cohort_rows.Row] | None = None,
) -> str:
    whole = Codebook.from_dict(study.codebook)
    codebook = whole.at(unit_of(values, whole))
    names = Names(whole, language())
    kind = values.get("kind", "")
    kind = kind if kind in KINDS else next(iter(KINDS))
    rows = cohort_rows.rows_of(values) if rows is None else rows
    shown = [c for row in rows if (c := cohort_rows.control(row, codebook, names)) is not None]
    made = _preview(values, rows, study, whole)
    return render_template(
        "researcher/new.html",
        mode="form",
        study=study,
        values=values,
        errors=errors,
        kind=kind,
        kinds=kinds(),
        units=units(whole),
        unit=codebook.unit,
        controls=controls(kind, codebook, names),
        rows=shown,
        usable=[(v, names.variable(v)) for v in cohort_rows.usable(codebook)],
        hospitals=hospitals_of(study),
        reachable=reachable(study),
        json=pretty(made),
        filled=matrix(current_session(), study, names),
        levels=legend(),
    )


def _preview(
    values: MultiDict[str, str], rows: list[cohort_rows.Row], study: Study, codebook: Codebook
) -> dict[str, Any]:
    filled: Filled = from_fields(values, study.slug, codebook)
    made = dict(filled.made)
    made["cohort"] = cohort_rows.cohort(rows, codebook, values.get("match", "all"))[0]
    return made


def _paste(study: Study, text: str, errors: dict[str, str]) -> str:
    return render_template(
        "researcher/new.html", mode="json", study=study, text=text, errors=errors
    )


def _check_page(id: str, draft: dict[str, Any], errors: dict[str, str]) -> str:  # noqa: A002
    study = my_study(draft["study"])
    codebook = Codebook.from_dict(study.codebook)
    query = parse(draft["made"], codebook)
    asked = [node for node in reachable(study) if query.sites == "all" or node.slug in query.sites]
    session, names = current_session(), Names(codebook, language())
    terms = thresholds(session, study.slug, query)
    sites = None if query.sites == "all" else query.sites
    return render_template(
        "researcher/check.html",
        id=id,
        study=study,
        query=query,
        asked=asked,
        terms=terms,
        explained=sentences(query, codebook, terms, language()),
        json=pretty(query.to_dict()),
        change=url_for("researcher.new" if "form" in draft else "researcher.new_json", draft=id),
        errors=errors,
        filled=matrix(session, study, names, variables=query.variables(), sites=sites),
    )
