"""/api/v1/studies/<study>/file and the work at its hospitals: decisions, versions, documents."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, g
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from registry.access import FreshSignInNeeded, reaches, rule
from registry.api import conditions, once, schemas_file, schemas_studies
from registry.api.part import Part
from registry.api.participation import card_of
from registry.transaction import current_session
from studies.errors import StudiesError
from studies.hospitals import committee, documents, versions
from studies.hospitals import work as site_work
from studies.hospitals.facts import documents_of_study
from studies.models import Participation
from studies.reading import get_participation, get_study
from studies.study_state import standing_of

blueprint = Part("api-study-file", __name__, description="Files of studies, work at hospitals")
COORDINATORS = frozenset({"coordinator"})


@blueprint.get("/studies/<study>/file")
@rule(roles=COORDINATORS | {"committee"}, scope="study")
@blueprint.also(404)
@blueprint.gives(200, schemas_file.StudyFile)
def get_file(study: str) -> Mapping[str, Any]:
    """Decisions, versions and documents of a study, its numbers and how it stands."""
    session = current_session()
    found = get_study(session, study)
    return {
        "study": found.slug,
        **{name: getattr(found, name) for name in ("kind", "phase", "design", "identifiers")},
        "standing": standing_of(session, found),
        "decisions": committee.list_decisions(session, study),
        "versions": versions.list_versions(session, study),
        "documents": documents_of_study(session, study),
    }


@blueprint.post("/studies/<study>/decisions")
@rule(roles=COORDINATORS | {"committee"}, scope="study")
@once.once
@blueprint.takes(schemas_file.Decision)
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(403)
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(201, schemas_file.KeptDecision)
def decide(form: Mapping[str, Any], study: str) -> object:
    """Write down what a committee decided; the study's state follows from it."""
    session = current_session()
    if form["body"] == "data_access" and not g.fresh:
        raise FreshSignInNeeded
    return committee.decide(session, get_study(session, study), actor=g.actor, now=g.now, **form)


@blueprint.post("/studies/<study>/versions")
@rule(roles=COORDINATORS, scope="study")
@once.once
@blueprint.takes(schemas_file.Version)
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(201, schemas_file.KeptVersion)
def publish(form: Mapping[str, Any], study: str) -> object:
    """Bring a version into force; each hospital takes it into use for itself."""
    session = current_session()
    found = get_study(session, study)
    return versions.publish_version(session, found, actor=g.actor, now=g.now, **form)


@blueprint.post("/studies/<study>/documents")
@rule(roles=COORDINATORS, scope="study")
@once.once
@blueprint.takes(schemas_file.Document)
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.also(413)
@blueprint.gives(201, schemas_file.KeptDocument)
def add_document(form: Mapping[str, Any], study: str) -> object:
    """Keep a PDF file as a version of a document; an earlier version stays."""
    session = current_session()
    given = dict(form)
    site, pdf = given.pop("site"), given.pop("pdf")
    try:
        body = base64.b64decode(pdf, validate=True)
    except (binascii.Error, ValueError) as error:
        raise StudiesError("not_pdf") from error
    return documents.add_document(
        session,
        get_study(session, study),
        body=body,
        institution=site,
        actor=g.actor,
        now=g.now,
        **given,
    )


@blueprint.get("/studies/<study>/documents/<document_id>")
@rule(roles=COORDINATORS | {"committee"}, scope="study")
@blueprint.also(404)
@blueprint.gives(200, media="application/pdf")
def get_document(study: str, document_id: str) -> Response:
    """A document of a study, or for who coordinates it of a hospital in it, as the PDF file it
    is."""
    row, body = documents.get_document(current_session(), document_id)
    own = row.institution is None or reaches(g.actor, "coordinator", "study", study)
    if row.study != study or not own:
        raise NotFound
    answer = Response(body, mimetype="application/pdf")
    answer.headers.set("Content-Disposition", "attachment", filename=f"{row.kind}.pdf")
    return answer


@blueprint.post("/studies/<study>/sites/<site>/work")
@rule(roles=COORDINATORS, scope="study")
@once.once
@blueprint.takes(schemas_file.Work)
@blueprint.says(parameters=[conditions.PARAMETER, once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.also(412, "Somebody else changed it since.")
@blueprint.also(428, "If-Match is missing.")
@blueprint.gives(200, schemas_studies.Card)
def work(form: Mapping[str, Any], study: str, site: str) -> Response:
    """Do something at a hospital between two steps: annexes, conditions, dates, versions."""
    session = current_session()
    expected = conditions.expected_version()
    part = get_participation(session, study, site)
    given = {"actor": g.actor, "now": g.now, "expected": expected}
    ACTS[form["act"]](session, part, form, given)
    return card_of(study, site)


Act = Callable[[Session, Participation, Mapping[str, Any], dict[str, Any]], object]
ACTS: Mapping[str, Act] = {
    "answer": lambda session, part, form, given: site_work.answer_invitation(
        session,
        part,
        interest=form["interest"],
        expected_per_year=form["expected_per_year"],
        **given,
    ),
    "confirm": lambda session, part, _form, given: site_work.confirm_state(session, part, **given),
    "plan": lambda session, part, form, given: site_work.plan_step(
        session, part, form["step"], form["day"], **given
    ),
    "milestone": lambda session, part, form, given: site_work.record_milestone(
        session, part, form["kind"], form["day"], reason=form["reason"], **given
    ),
    "ask_annex": lambda session, part, form, given: site_work.request_annex(
        session,
        part,
        form["department"],
        requested=form["day"],
        due=form["due"],
        reason=form["reason"],
        **given,
    ),
    "take_annex": lambda session, part, form, given: site_work.receive_annex(
        session,
        part,
        form["department"],
        form["outcome"],
        received=form["day"],
        reason=form["reason"],
        **given,
    ),
    "add_condition": lambda session, part, form, given: site_work.add_condition(
        session, part, form["words"], **given
    ),
    "meet_condition": lambda session, part, form, given: site_work.meet_condition(
        session,
        part,
        form["source"],
        form["number"],
        form["day"],
        reason=form["reason"],
        **given,
    ),
    "adopt": lambda session, part, form, given: versions.adopt_version(
        session, part, form["version_id"], in_use_since=form["day"], **given
    ),
}
