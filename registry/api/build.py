"""Puts the API together: blueprints under /api/v1 and the OpenAPI 3.1 document."""

from __future__ import annotations

import json
from typing import Any

from flask import Flask, Response
from flask_smorest import Api  # type: ignore[import-untyped]

from registry import access
from registry.api import (
    agreements,
    audit,
    consent,
    consent_writing,
    fhir,
    fhir_events,
    groups,
    ideas,
    indicators,
    networks,
    participants,
    participation,
    queries,
    records,
    recruitment,
    rounds,
    rounds_after,
    studies,
    study_file,
    text_decisions,
    texts,
    transparency,
)
from registry.api.schemas import Problem

PREFIX = "/api/v1"
DOCUMENT = "api-docs.openapi_json"


class HubApi(Api):  # type: ignore[misc]
    """flask-smorest, with our one shape of problem and our error handlers."""

    ERROR_SCHEMA = Problem

    def _register_error_handlers(self) -> None:
        # registry/errors.py answers everything, also what is not the API's.
        pass

    def _openapi_json(self) -> Response:
        return Response(json.dumps(document(self)), mimetype="application/json")


def init_app(app: Flask) -> HubApi:
    """Register the API on ``app``."""
    app.config.update(
        API_TITLE="Oncokring",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX=PREFIX,
        OPENAPI_JSON_PATH="openapi.json",
    )
    api = HubApi(app)
    for part in (
        *(networks, groups, agreements, studies, ideas),
        *(participation, study_file, recruitment, participants),
        *(queries, indicators, rounds, rounds_after, consent, consent_writing),
        *(texts, text_decisions, audit, fhir, fhir_events, records, transparency),
    ):
        api.register_blueprint(part.blueprint, url_prefix=PREFIX)
    access.declare(app, DOCUMENT, access.PUBLIC)
    return api


def document(api: HubApi) -> dict[str, Any]:
    """The OpenAPI document, with the ways to sign in."""
    made: dict[str, Any] = api.spec.to_dict()
    made["info"]["description"] = (
        "Programs send 'Authorization: Bearer onk_...'. A signed-in browser sends its cookie and, "
        "to change something, the form token in X-CSRFToken. Somebody else's object is answered "
        "like an absent one: 404."
    )
    components = made.setdefault("components", {})
    for response in components.get("responses", {}).values():
        # flask-smorest knows one content type; these responses are all problems.
        content = response.get("content", {})
        if "application/json" in content:
            content["application/problem+json"] = content.pop("application/json")
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": "oncokring"},
    }
    return made
