"""/api/v1/queries: submit, look, decide, cancel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, g, jsonify, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from federation.protocol.encoding import parse_json
from federation.protocol.errors import ProtocolError
from federation.query.errors import BAD_JSON, TOO_LARGE, QueryError
from federation.runs import service
from federation.runs.models import Run
from federation.runs.states import FINAL
from registry.access import may_see_query, reaches, rule
from registry.api import schemas
from registry.api.part import Part
from registry.own_results import answer_for, progress_for
from registry.pages.states import has_result
from registry.transaction import current_session
from studies.events import announce

blueprint = Part("api-queries", __name__, description="Questions to the hospitals")
READERS = frozenset({"researcher", "committee", "coordinator"})
MAX_QUERY_BYTES = 262_144
BODY = {
    "requestBody": {
        "required": True,
        "description": "A question as /api/v1/schema describes it.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}


@blueprint.post("/queries")
@rule(roles={"researcher"})
@blueprint.says(**BODY)
@blueprint.also(422)
@blueprint.also(404)
@blueprint.gives(201, schemas.QueryWhole)
def submit() -> tuple[Run, int, dict[str, str]]:
    """Submit a question; its study's committee decides on it.

    The same question, while it is not finished, gives the one that was submitted before.
    """
    query = read_query(request.get_data())
    study = query.get("study")
    if not isinstance(study, str):
        raise QueryError("BAD_VALUE", "Say which study the question belongs to.", "study")
    if not reaches(g.actor, "researcher", "study", study):
        raise NotFound
    run = service.submit(current_session(), query=query, study=study, by=g.actor, now=g.now)
    return run, 201, {"Location": url_for("api-queries.get_query", query_id=run.id)}


@blueprint.get("/queries")
@rule(roles=READERS)
@blueprint.takes(schemas.QueryFilter, location="query")
@blueprint.gives(200, schemas.QueryRow(many=True))
def list_queries(wanted: Mapping[str, Any]) -> list[Run]:
    """The questions you submitted, and those of studies you coordinate or decide for."""
    session = current_session()
    status = wanted.get("status")
    found = service.list_runs(
        session,
        study=wanted.get("study"),
        states=None if status is None else frozenset({status}),
        limit=1000,
    )
    return [run for run in found if may_see_query(g.actor, run, READERS)][: wanted["limit"]]


@blueprint.get("/queries/<query_id>")
@rule(roles=READERS, scope="query")
@blueprint.also(404)
@blueprint.gives(200, schemas.QueryWhole)
def get_query(query_id: str) -> Run:
    """One question with all of what was asked."""
    return service.get_run(current_session(), query_id)


@blueprint.get("/queries/<query_id>/status")
@rule(roles=READERS, scope="query")
@blueprint.also(404)
@blueprint.gives(200)
def get_status(query_id: str) -> BaseResponse:
    """Where the question stands, per hospital; answers If-None-Match with 304."""
    session = current_session()
    response = jsonify(progress_for(service.get_run(session, query_id)))
    response.add_etag()
    return response.make_conditional(request)


@blueprint.get("/queries/<query_id>/result")
@rule(roles=READERS, scope="query")
@blueprint.also(404)
@blueprint.also(202, "Not finished: where it stands.")
@blueprint.gives(200)
def get_result(query_id: str) -> tuple[Response, int]:
    """The answer with its provenance, or 202 and where it stands."""
    session = current_session()
    run = service.get_run(session, query_id)
    if run.outcome is not None and has_result(run.state):
        announce(
            session,
            actor=g.actor,
            action="run.exported",
            about=f"run:{run.id}",
            facts={"study": run.study, "form": "api"},
        )
    answer = answer_for(g.actor, run) or progress_for(run)
    return jsonify(answer), 200 if run.state in FINAL else 202


@blueprint.post("/queries/<query_id>/approve")
@rule(roles={"committee"}, scope="query", fresh=True)
@blueprint.also(409)
@blueprint.also(404)
@blueprint.gives(200, schemas.QueryWhole)
def approve(query_id: str) -> Run:
    """Say yes to a question; needs a sign-in of less than ten minutes ago."""
    return _decide(query_id, service.approve)


@blueprint.post("/queries/<query_id>/refuse")
@rule(roles={"committee"}, scope="query", fresh=True)
@blueprint.also(409)
@blueprint.also(404)
@blueprint.gives(200, schemas.QueryWhole)
def refuse(query_id: str) -> Run:
    """Say no to a question; needs a sign-in of less than ten minutes ago."""
    return _decide(query_id, service.refuse)


@blueprint.post("/queries/<query_id>/cancel")
@rule(roles=READERS, scope="query")
@blueprint.also(409)
@blueprint.also(404)
@blueprint.gives(200, schemas.QueryWhole)
def cancel(query_id: str) -> Run:
    """Withdraw a question that is not finished."""
    return _decide(query_id, service.cancel)


def read_query(data: bytes) -> dict[str, Any]:
    """The JSON object of a request body, strictly read; QueryError BAD_JSON or TOO_LARGE."""
    try:
        return parse_json(data, max_bytes=MAX_QUERY_BYTES)
    except ProtocolError as error:
        if error.code == "TOO_LARGE":
            raise QueryError(TOO_LARGE, "A question is at most 256 kB. Make it shorter.") from error
        raise QueryError(
            BAD_JSON,
            "The body is not one JSON object in UTF-8 without double keys. Check the quotes and "
            "brackets.",
        ) from error


def _decide(query_id: str, act: Any) -> Run:
    session = current_session()
    run = service.get_run(session, query_id)
    act(session, run, g.actor, g.now)
    return run
