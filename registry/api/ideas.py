"""/api/v1/studies/<study>/counts: how many patients there would be; /open-studies: finding one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g
from marshmallow import Schema, fields, validate

from federation.query.model import MAX_PURPOSE, MAX_TITLE
from federation.runs import feasibility as counting
from registry.access import FreshSignInNeeded, rule
from registry.api import once
from registry.api.paging import Page, page_of
from registry.api.part import Part
from registry.api.schemas import SLUG
from registry.transaction import current_session
from studies.errors import StudiesError
from studies.hospitals import feasibility
from studies.network.places import find_place
from studies.reading import get_study
from studies.register.finding import SHOWN, Found, Wish, find_studies
from studies.register.stages import STAGES
from studies.study_state import standing_of

blueprint = Part("api-ideas", __name__, description="Counting for ideas, and finding studies")
COORDINATORS = frozenset({"coordinator"})


class NewCount(Schema):
    """A question that counts patients for a study that is still an idea."""

    basis = fields.String(
        required=True,
        validate=SLUG,
        metadata={"description": "The study whose patients are counted; GET names which may be."},
    )
    title = fields.String(load_default="", validate=validate.Length(max=MAX_TITLE))
    purpose = fields.String(load_default="", validate=validate.Length(max=MAX_PURPOSE))
    unit = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 40))
    sites = fields.List(
        fields.String(validate=validate.Length(1, 63)),
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 500),
        metadata={"description": "Which hospitals; without it, all that take part."},
    )
    cohort = fields.Dict(
        load_default=dict,
        metadata={"description": "Which patients, as in a question (GET /schema)."},
    )
    by = fields.List(
        fields.String(validate=validate.Length(1, 60)),
        load_default=list,
        validate=validate.Length(max=3),
    )
    output = fields.String(load_default="pooled", validate=validate.OneOf(["pooled", "by_site"]))


class CountForIdea(Schema):
    """A count for an idea: asked, and then released to its group or refused with a code."""

    run_id = fields.String(required=True)
    asked_in = fields.String(required=True, allow_none=True)
    asked_at = fields.AwareDateTime(required=True)
    released_at = fields.AwareDateTime(required=True, allow_none=True)
    code = fields.String(required=True, allow_none=True)
    numbers = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(allow_none=True),
        required=True,
        allow_none=True,
        metadata={"description": "In `total` and per hospital; null is hidden."},
    )
    cells = fields.List(
        fields.Dict(),
        required=True,
        allow_none=True,
        metadata={"description": "By what it was split; an `n` of null is hidden."},
    )


class CountsForIdea(Schema):
    """What was counted for a study, and where it may be counted."""

    idea = fields.Boolean(required=True)
    bases = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "Studies whose committee lets ideas count."},
    )
    counts_ideas = fields.Boolean(
        required=True, metadata={"description": "Whether this study lets ideas of others count."}
    )
    counts = fields.List(fields.Nested(CountForIdea), required=True)


class Standing(Schema):
    """How a study stands (docs/reference/site-steps.md)."""

    study = fields.String(required=True)
    standing = fields.String(required=True)


class Allowed(Schema):
    """Whether patients of a study may be counted for ideas of others."""

    allowed = fields.Boolean(required=True)


class Looking(Page):
    """What somebody looks for; what is left out is open."""

    place = fields.String(load_default="", validate=validate.Length(max=60))
    tumour = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 20))
    group = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, 127))
    stage = fields.String(
        load_default=None, allow_none=True, validate=validate.OneOf(sorted(STAGES))
    )
    hospital = fields.String(load_default=None, allow_none=True, validate=SLUG)
    show = fields.String(load_default="recruiting", validate=validate.OneOf(SHOWN))
    words = fields.String(load_default="", validate=validate.Length(max=100))


class Near(Schema):
    """A hospital where people can take part, with its distance as the crow flies."""

    site = fields.String(required=True)
    name = fields.String(required=True)
    km = fields.Float(required=True, allow_none=True)


class NearStudy(Schema):
    """A study with where people can take part, the nearest first."""

    study = fields.String(required=True)
    title_nl = fields.String(required=True)
    title_en = fields.String(required=True)
    group = fields.String(required=True, allow_none=True)
    open_at = fields.List(fields.Nested(Near), required=True)


@blueprint.get("/studies/<study>/counts")
@rule(roles=COORDINATORS | {"committee"}, scope="study")
@blueprint.also(404)
@blueprint.gives(200, CountsForIdea)
def list_counts(study: str) -> Mapping[str, Any]:
    """What was counted for a study that is an idea, and in which studies that may be asked."""
    session = current_session()
    found = get_study(session, study)
    return {
        "idea": feasibility.may_be_counted(session, found),
        "bases": [each.slug for each in feasibility.counting_for(session, found)],
        "counts_ideas": found.counts_ideas,
        "counts": feasibility.list_counts(session, study),
    }


@blueprint.post("/studies/<study>/counts")
@rule(roles=COORDINATORS, scope="study")
@once.once
@blueprint.takes(NewCount)
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.also(429)
@blueprint.gives(201, CountForIdea)
def ask(form: Mapping[str, Any], study: str) -> object:
    """Ask how many patients there would be; the committee of the other study decides first."""
    session = current_session()
    question = {name: value for name, value in form.items() if name != "basis"}
    idea = get_study(session, study)
    return counting.ask(session, idea, form["basis"], question, by=g.actor, now=g.now)


@blueprint.post("/studies/<study>/joint")
@rule(roles=COORDINATORS, scope="study")
@once.once
@blueprint.says(parameters=[once.PARAMETER])
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(200, Standing)
def make_joint(study: str) -> Mapping[str, str]:
    """Make an idea a joint study, once its group saw a count; never who proposed it."""
    session = current_session()
    found = get_study(session, study)
    feasibility.make_joint(session, found, actor=g.actor, now=g.now)
    return {"study": study, "standing": standing_of(session, found)}


@blueprint.put("/studies/<study>/counts-ideas")
@rule(roles={"committee"}, scope="study")
@blueprint.takes(Allowed)
@blueprint.also(404)
@blueprint.also(409)
@blueprint.gives(200, Allowed)
def allow(form: Mapping[str, Any], study: str) -> Mapping[str, bool]:
    """Let patients of a study be counted for ideas of others (in person), or no longer."""
    if form["allowed"] and not g.fresh:
        raise FreshSignInNeeded
    session = current_session()
    found = get_study(session, study)
    feasibility.let_ideas_count(session, found, form["allowed"], actor=g.actor)
    return {"allowed": found.counts_ideas}


@blueprint.get("/open-studies")
@rule("public")
@blueprint.takes(Looking, location="query")
@blueprint.gives(200, NearStudy(many=True))
def look(wish: dict[str, Any]) -> tuple[list[Mapping[str, Any]], int, Mapping[str, str]]:
    """Studies that fit, with the hospitals where people can take part, nearest first.

    A place that the register does not know is 422.
    """
    place = find_place(wish["place"]) if wish["place"] else None
    if wish["place"] and place is None:
        raise StudiesError("unknown_code")
    names = ("tumour", "group", "stage", "hospital", "show", "words")
    asked = Wish(place=place, **{name: wish[name] for name in names})
    found = find_studies(current_session(), asked, g.now)
    numbered = [(f"{at:06}", each) for at, each in enumerate(found, start=1)]
    rows, headers = page_of(numbered, lambda each: each[0], wish)
    return [_shown(each) for _at, each in rows], 200, headers


def _shown(found: Found) -> Mapping[str, Any]:
    study = found.study
    return {
        "study": study.slug,
        "title_nl": study.title_nl,
        "title_en": study.title_en,
        "group": None if study.group is None else study.group.key,
        "open_at": [
            {"site": each.slug, "name": each.name, "km": None if km is None else round(km, 1)}
            for each, km in found.places
        ],
    }
