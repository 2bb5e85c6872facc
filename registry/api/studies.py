"""/api/v1/studies, /sites and /schema: what the public register shows, for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, g, jsonify
from sqlalchemy import select
from sqlalchemy.orm import defer, selectinload
from werkzeug.exceptions import NotFound

from federation.methods.registry import KINDS
from federation.query.schema import json_schema
from federation.runs.coverage import coverage_of
from registry.access import reach, reaches_any, rule
from registry.api import schemas
from registry.api.etags import etagged
from registry.api.paging import Page, page
from registry.api.part import Part
from registry.pages.coverage import READERS
from registry.transaction import current_session
from studies.models import Institution, Participation, Study

blueprint = Part("api-studies", __name__, description="Studies, hospitals and codebooks")
INSIDERS = ("administrator", "coordinator")


@blueprint.get("/studies")
@rule("public")
@etagged
@blueprint.takes(Page, location="query")
@blueprint.also(304, "Nothing has changed since the ETag that was sent.")
@blueprint.gives(200, schemas.Study(many=True))
def list_studies(part: dict[str, Any]) -> tuple[list[Mapping[str, Any]], int, Mapping[str, str]]:
    """All studies that are or were open, a hundred at a time; the Link header leads on."""
    wanted = select(Study).options(
        defer(Study.codebook),
        selectinload(Study.participations).selectinload(Participation.of_institution),
    )
    reached = [reach(g.actor, role, "study") for role in INSIDERS]
    if None not in reached:
        mine = {slug for slugs in reached if slugs for slug in slugs}
        wanted = wanted.where((Study.state != "draft") | Study.slug.in_(mine))
    found, headers = page(current_session(), wanted, Study.slug, part)
    return [_shown(study) for study in found], 200, headers


@blueprint.get("/studies/<study>")
@rule("public")
@blueprint.gives(200, schemas.Study)
@blueprint.also(404)
def get_study(study: str) -> Mapping[str, Any]:
    """One study."""
    return _shown(find(study))


@blueprint.get("/studies/<study>/codebook")
@rule("public")
@blueprint.also(404)
@blueprint.gives(200)
def get_codebook(study: str) -> Response:
    """The study's codebook: variables, types, units, levels, cut-points."""
    return jsonify(find(study).codebook)


@blueprint.get("/studies/<study>/coverage")
@rule(roles=READERS, scope="study")
@blueprint.also(404)
@blueprint.gives(200, schemas.CoverageOfSite(many=True))
def get_coverage(study: str) -> list[Mapping[str, Any]]:
    """How much of each variable the study's hospitals have filled, roughly."""
    found = coverage_of(current_session(), find(study))
    return [
        {
            "site": one.site,
            "name": one.name,
            "as_of": one.coverage.as_of if one.coverage else None,
            "variables": one.coverage.variables if one.coverage else None,
            "rules": one.coverage.rules if one.coverage else None,
        }
        for one in found
    ]


@blueprint.get("/sites")
@rule("public")
@blueprint.gives(200, schemas.Site(many=True))
def list_sites() -> list[Institution]:
    """All hospitals of the network."""
    return list(current_session().scalars(select(Institution).order_by(Institution.slug)))


@blueprint.get("/schema")
@rule("public")
@blueprint.gives(200)
def get_schema() -> Response:
    """The JSON schema of a question."""
    return jsonify(json_schema(KINDS))


def find(slug: str) -> Study:
    """The study, when whoever asks may see it; NotFound otherwise."""
    study = current_session().get(Study, slug)
    if study is None or not visible(study):
        raise NotFound
    return study


def visible(study: Study) -> bool:
    """A study that is being prepared is seen only by those who prepare it."""
    return study.state != "draft" or reaches_any(g.actor, INSIDERS, "study", study.slug)


def _shown(study: Study) -> Mapping[str, Any]:
    names = ("slug", "title_nl", "title_en", "question_nl", "question_en", "purpose_nl")
    more = ("purpose_en", "state", "codebook_id", "output_by_site")
    return {
        **{name: getattr(study, name) for name in (*names, *more)},
        "hospitals": [
            {
                "site": part.institution,
                "name": part.of_institution.name,
                "state": part.state,
                "since": part.since,
            }
            for part in study.participations
        ],
    }
